//! The study's arguments.

use crate::{api, space::Space};

/// The study's arguments, compiled.
#[derive(Debug)]
pub struct Arguments {}

impl Arguments {
    /// Compiles.
    ///
    /// # Errors
    /// All.
    pub fn compile(_: &[api::Argument], _: &Space, _: &[&str]) -> Result<Self, api::FieldErrors> {
        Ok(Self {})
    }
}
