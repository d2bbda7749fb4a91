//! A scrambled Sobol sequence, which fills the space more evenly than random points (Sobol' 1967; scrambled after Owen as in Burley,
//! "Practical Hash-based Owen Scrambling", JCGT 2020).

use rand::Rng;
use sobol_burley::{
    NUM_DIMENSIONS,
    parts::{hash, owen_scramble_rev, sobol_rev},
};

use super::{Context, Name, Observation, Sampler, Settings, Suggestion, unused::Unused};
use crate::{
    api::{Duplicates, FieldErrors, SobolSampler},
    space::Space,
};

/// The binary logarithm of a sequence's length; the next points are another sequence's.
const LENGTH_LOG2: u32 = 16;

/// A scrambled Sobol sequence.
#[derive(Debug)]
pub(super) struct Sobol(Name);

impl Settings for SobolSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(Sobol::new(name, space)?))
    }
}

impl Sobol {
    /// A sequence over `space`.
    ///
    /// # Errors
    /// More dimensions than the sequence has.
    pub(super) fn new(name: Name, space: &Space) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let dimensions = space.dimensions();
        if dimensions > NUM_DIMENSIONS as usize {
            errors.push(
                "",
                format!(
                    "has {NUM_DIMENSIONS} dimensions, and {dimensions} parameters are not constant: choose `random`"
                ),
            );
        }
        errors.or_ok(Self(name))
    }
}

/// Writes the point with that index to `unit`, its coordinates in (0, 1) at a resolution of 32 bits (the library's own floats have 24); coordinates beyond the sequence's dimensions stay.
pub(super) fn point(context: &Context<'_>, index: u64, unit: &mut [f64]) {
    let seed = context.rng(index >> LENGTH_LOG2).next_u32();
    let place = (index & ((1 << LENGTH_LOG2) - 1)) as u32;
    let shuffled = owen_scramble_rev(place.reverse_bits(), hash(seed ^ 0x79c6_8e4a));
    for (dimension, unit) in (0..NUM_DIMENSIONS).zip(unit.iter_mut()) {
        let scramble = hash(hash(seed ^ 0x174f_18ab).wrapping_add(dimension));
        let bits = owen_scramble_rev(sobol_rev(shuffled, dimension), scramble).reverse_bits();
        *unit = (f64::from(bits) + 0.5) / (f64::from(u32::MAX) + 1.0);
    }
}

impl Sampler for Sobol {
    /// Points that may not be proposed are passed over. In a small finite space what the sequence does not reach comes last, in the order of its values;
    /// otherwise it is `Done` where 10,000 points in a row give nothing that may be proposed.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let mut unused = Unused::new(context, history);
        let first = self.0.next_index(history);
        let mut unit = vec![0.0; context.space.dimensions()];
        for index in first..first.saturating_add(unused.tries()) {
            point(context, index, &mut unit);
            let config = context.space.decode(&unit);
            if unused.allows(&config) {
                return self.0.proposal(config, index);
            }
        }
        match unused.left().into_iter().next() {
            Some(config) => self.0.proposal(config, first),
            None => Suggestion::Done,
        }
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        duplicates == Duplicates::Avoid && space.cardinality().is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::space::Slot;

    /// What makes it a Sobol sequence: of the first 2^k points exactly one lies in each of 2^k equal parts, in each dimension, and in 2-d boxes.
    #[test]
    fn points_are_stratified() {
        let parameters: Vec<_> = (0..20)
            .map(|i| {
                serde_json::from_value(serde_json::json!({"name": format!("x{i}"), "double": {"min": 0, "max": 1}}))
                    .unwrap()
            })
            .collect();
        let space = Space::compile(&parameters, &[]).unwrap();
        for (seed, block) in [(0, 0), (1, 0), (1, 5)] {
            let context = Context {
                space: &space,
                seed,
                duplicates: Duplicates::Avoid,
                parallelism: 1,
                budget: None,
                number: 1,
            };
            let mut unit = [0.0; 20];
            let points: Vec<Vec<f64>> = (0..256u64)
                .map(|i| {
                    point(&context, (block << LENGTH_LOG2) + i, &mut unit);
                    context
                        .space
                        .decode(&unit)
                        .0
                        .iter()
                        .map(|s| match s {
                            Slot::Double(x) => *x,
                            _ => panic!(),
                        })
                        .collect()
                })
                .collect();
            for dimension in 0..20 {
                let mut parts: Vec<u32> = points.iter().map(|p| (p[dimension] * 256.0) as u32).collect();
                parts.sort_unstable();
                assert!(parts.iter().copied().eq(0..256), "dimension {dimension}");
            }
            let mut boxes: Vec<u32> = points
                .iter()
                .map(|p| (p[0] * 16.0) as u32 * 16 + (p[1] * 16.0) as u32)
                .collect();
            boxes.sort_unstable();
            assert!(boxes.iter().copied().eq(0..256));
        }
    }
}
