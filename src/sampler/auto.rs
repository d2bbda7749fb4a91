//! Under way.
use super::{Name, Sampler, Settings};
use crate::{
    api::{AutoSampler, FieldErrors},
    space::Space,
};

impl Settings for AutoSampler {
    fn build(&self, name: Name, _: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(super::random::Random(name)))
    }
}
