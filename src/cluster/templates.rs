//! Reads the WorkflowTemplate of a study, and those that it refers to.

use kube::Client;

use super::Obstacle;
use crate::{study::Study, workflow::Template};

/// The study's template, checked against the study.
///
/// # Errors
/// A template that is missing or may not be read, and everything that [`Template::check`] finds.
pub async fn fetch(client: &Client, study: &Study) -> Result<Template, Obstacle> {
    let _ = (client, study);
    todo!()
}
