//! From a study's `storage` to a client of its S3 server: artifact repositories of Argo, secrets, and what the controller may do for whom.

use kube::Client;

use super::Obstacle;
use crate::{api::Storage, storage::Store};

/// What the controller was told about S3 when it was started.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Settings {}

/// A client of the S3 server of a study in `namespace`. `template_repository` is the `artifactRepositoryRef` of the
/// WorkflowTemplate, where it has one.
///
/// # Errors
/// Whatever keeps the study from its storage, each with a reason of its own.
pub async fn connect(
    client: &Client,
    settings: &Settings,
    namespace: &str,
    storage: &Storage,
    template_repository: Option<&serde_json::Value>,
) -> Result<Store, Obstacle> {
    let _ = (client, settings, namespace, storage, template_repository);
    todo!()
}
