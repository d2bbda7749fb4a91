//! Under way.
use super::{Name, Sampler, Settings};
use crate::{
    api::{FieldErrors, GaussianProcessSampler},
    space::Space,
};

impl Settings for GaussianProcessSampler {
    fn build(&self, name: Name, _: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(super::random::Random(name)))
    }
}
