//! CMA-ES, an evolution strategy that adapts the shape of its search.
//!
//! Hansen, "The CMA Evolution Strategy: A Tutorial" (2016, arXiv 1604.00772), with active covariance update; with a margin for discrete parameters
//! (Hamano et al., "CMA-ES with Margin", GECCO 2022), a categorical distribution beside the normal one (Hamano et al., "CatCMA", GECCO 2024), and restarts with
//! growing populations (Auger and Hansen, "A Restart CMA Evolution Strategy With Increasing Population Size", CEC 2005).

mod categories;
mod gaussian;
mod layout;
mod margin;
mod replay;
#[cfg(test)]
mod tests;
mod weights;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Context, Name, Observation, Sampler, Settings, Suggestion, random::Random, sobol, unused::Unused};
use crate::{
    api::{CmaEsSampler, Duplicates, FieldErrors},
    space::Space,
};
use layout::Layout;

/// How wide the first generation is where nothing is said.
const SIGMA: f64 = 0.2;

/// The greatest population, also after restarts.
const MOST: u32 = 10_000;

/// How many draws beyond the bounds are drawn again before they are set to the bounds.
const REDRAWS: usize = 20;

/// From this draw on without one that may be proposed, each further one is spread wider, so that a distribution that has shrunk to what is there already gets out.
const PATIENCE: u64 = 20;

/// After so many draws it is left to chance.
const TRIES: u64 = 1_000;

/// CMA-ES.
#[derive(Debug)]
struct CmaEs {
    name: Name,
    population: usize,
    sigma: f64,
}

impl Settings for CmaEsSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        let mut errors = FieldErrors::default();
        if let Some(size) = self.population_size.filter(|size| !(4..=MOST).contains(size)) {
            errors.push("populationSize", format!("{size} is not between 4 and {MOST}"));
        }
        if let Some(sigma) = self.sigma.filter(|sigma| !(0.0001..=1.0).contains(sigma)) {
            errors.push("sigma", format!("{sigma:?} is not between 0.0001 and 1"));
        }
        let usual = 4 + (3.0 * (space.dimensions().max(1) as f64).ln()) as u32;
        errors.or_ok(Box::new(CmaEs {
            name,
            population: self.population_size.unwrap_or(usual) as usize,
            sigma: self.sigma.unwrap_or(SIGMA),
        }))
    }
}

impl CmaEs {
    /// Random numbers for the individual with that index, or for something else of that stream.
    fn rng(&self, context: &Context<'_>, purpose: u64, index: u64) -> ChaCha8Rng {
        let stage = self.name.stage.map_or(0, |stage| u64::from(stage) + 1);
        // 2^40 indices are more than there are trials
        context.rng(purpose << 60 | stage << 40 | index)
    }

    /// The standard normal numbers of the individual with that index, from a Sobol sequence: a small generation of them spreads more evenly than independent ones
    /// (Teytaud and Gelly, "DCMA: Yet Another Derandomization in Covariance-Matrix-Adaptation", GECCO 2007).
    fn even(&self, context: &Context<'_>, layout: &Layout<'_>, index: u64) -> Vec<f64> {
        let mut rng = self.rng(context, purpose::EVEN, index);
        let mut unit: Vec<f64> = layout.numbers().map(|_| rng.random()).collect();
        // other points than those of the sampler `sobol`
        let sequence = self.name.stage.map_or(1, |stage| u64::from(stage) + 2) << 40;
        sobol::point(context, sequence + index, &mut unit);
        unit.into_iter().map(quantile).collect()
    }
}

/// The purposes of random numbers.
mod purpose {
    pub(super) const DRAW: u64 = 1;
    pub(super) const FILL: u64 = 2;
    pub(super) const RESTART: u64 = 3;
    pub(super) const EVEN: u64 = 4;
}

impl Sampler for CmaEs {
    /// Draws the next individual from the newest distribution that is known: it never waits for a straggler.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let layout = Layout::new(context.space);
        let index = self.name.next_index(history);
        let run = self.replay(context, &layout, history);
        let mut unused = Unused::new(context, history);
        let mut rng = self.rng(context, purpose::DRAW, index);
        let tries = unused.tries().min(TRIES);
        let even = self.even(context, &layout, index);
        let mut normals = if run.is_mean(index) {
            vec![0.0; even.len()]
        } else {
            even
        };
        for attempt in 0..tries {
            let spread = 1.0 + attempt.saturating_sub(PATIENCE) as f64 / PATIENCE as f64;
            let config = run.draw(&layout, &normals, spread, &mut rng);
            if unused.allows(&config) {
                return self.name.proposal(config, index);
            }
            normals.fill_with(|| spread * normal(&mut rng));
        }
        Random(self.name).suggest(context, history)
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        Random(self.name).is_finite(space, duplicates)
    }
}

/// A standard normal number.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    quantile(rng.random())
}

/// The standard normal number below which `unit` of [0, 1) lies.
fn quantile(unit: f64) -> f64 {
    margin::exceeded(1.0 - unit.max(f64::EPSILON))
}
