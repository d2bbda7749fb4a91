//! A tree-structured Parzen estimator.

mod dimension;
mod parzen;

use rand::RngExt;

use super::{Context, Name, Observation, Outcome, Sampler, Settings, Suggestion, sobol, unused::Unused};
use crate::{
    api::{Duplicates, FieldErrors, TpeSampler},
    space::{Config, Space},
};
use dimension::Dimension;
use parzen::{Candidates, Parzen, Point, Widths};

pub(super) fn knob(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[derive(Debug)]
pub(super) struct Tpe {
    name: Name,
    startup: usize,
    dimensions: Vec<Dimension>,
    is_conditional: bool,
}

impl Settings for TpeSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(Tpe::new(name, self.startup_trials, space)))
    }
}

impl Tpe {
    fn new(name: Name, startup: Option<u32>, space: &Space) -> Self {
        let dimensions = Dimension::all(space);
        let default = (knob("START", 10.0) as usize).min((2 * dimensions.len()).max(4));
        Self {
            name,
            startup: startup.map_or(default, |n| n as usize),
            dimensions,
            is_conditional: space.parameters().iter().any(|p| p.when.is_some()),
        }
    }

    fn point(&self, space: &Space, config: &Config) -> Point {
        let mut coordinates = vec![0.0; self.dimensions.len()].into_boxed_slice();
        space.encode(config, &mut coordinates);
        for (dimension, c) in self.dimensions.iter().zip(&mut coordinates) {
            *c = dimension.coordinate(config, *c);
        }
        let active = self
            .dimensions
            .iter()
            .map(|d| config.0.get(d.slot).is_some_and(|s| s.is_active()))
            .collect();
        Point { coordinates, active }
    }

    fn decode(&self, space: &Space, coordinates: &[f64]) -> Config {
        let unit: Vec<f64> = self.dimensions.iter().zip(coordinates).map(|(d, c)| d.unit(*c)).collect();
        space.decode(&unit)
    }

    fn push(&self, space: &Space, coordinates: &[f64], candidates: &mut Candidates) {
        if self.is_conditional {
            let config = self.decode(space, coordinates);
            let point = self.point(space, &config);
            candidates.push(coordinates, &point.active);
        } else {
            candidates.push(coordinates, &vec![true; coordinates.len()]);
        }
    }

    fn proposals(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Vec<Config> {
        let space = context.space;
        let mut rng = context.rng(context.number.into());
        let mut valued: Vec<(f64, Point)> = Vec::new();
        let mut failed: Vec<Point> = Vec::new();
        let mut pending: Vec<Point> = Vec::new();
        for trial in history {
            let point = self.point(space, trial.config);
            match trial.outcome {
                Outcome::Value(v) if v < f64::INFINITY => valued.push((v, point)),
                Outcome::Value(_) | Outcome::Failed => failed.push(point),
                Outcome::Pending => pending.push(point),
            }
        }
        valued.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n = valued.len() as f64;
        let d = self.dimensions.len();
        let good = (knob("G1", 0.1) * n + knob("G2", 0.0) * n.sqrt()).ceil().min(knob("GMAX", 25.0)).max(knob("GMIN", 1.0)).min(n) as usize;
        let mode = knob("WMODE", 0.0);
        let weight = |i: usize| match mode {
            1.0 => (good - i) as f64 / good as f64 * 2.0,
            2.0 => (good as f64 + 1.0).ln() - (i as f64 + 1.0).ln(),
            _ => 1.0,
        };
        let best: Vec<(&Point, f64)> = valued.iter().take(good).enumerate().map(|(i, v)| (&v.1, weight(i))).collect();
        let rest: Vec<(&Point, f64)> = valued
            .iter()
            .skip(good)
            .map(|v| (&v.1, 1.0))
            .chain(failed.iter().map(|p| (p, knob("WFAIL", 1.0))))
            .chain(pending.iter().map(|p| (p, knob("WPEND", 1.0))))
            .collect();
        let widths = |p: &str| Widths {
            mode: knob(&format!("{p}MODE"), knob("BMODE", 0.0)),
            factor: knob(&format!("{p}F"), knob("BF", 0.2)),
            least: knob(&format!("{p}LEAST"), knob("BLEAST", 0.01)),
            most: knob(&format!("{p}MOST"), knob("BMOST", 1.0)),
            choice: knob(&format!("{p}CHOICE"), knob("BCHOICE", -1.0)),
        };
        let l = Parzen::new(&self.dimensions, &best, knob("PRIORL", knob("PRIOR", 1.0)), &widths("L"));
        let g = Parzen::new(&self.dimensions, &rest, knob("PRIORG", knob("PRIOR", 1.0)), &widths("G"));
        let mut candidates = Candidates::default();
        let mut x = vec![0.0; d];
        let count = knob("CAND", 24.0) as usize;
        for _ in 0..count {
            l.draw(&mut rng, &mut x);
            self.push(space, &x, &mut candidates);
        }
        let mut scores = ratio(&l, &g, &candidates);
        let mut all: Vec<(f64, Vec<f64>)> = scores.iter().zip(candidates.coordinates.chunks_exact(d.max(1))).map(|(s, c)| (*s, c.to_vec())).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let rounds = knob("ROUNDS", 0.0) as usize;
        let mut scale = knob("SHAKE", 0.5);
        for _ in 0..rounds {
            let mut children = Candidates::default();
            for (_, parent) in all.iter().take(knob("PARENTS", 4.0) as usize) {
                for _ in 0..knob("CHILDREN", 8.0) as usize {
                    l.shake(&mut rng, scale, parent, &mut x);
                    self.push(space, &x, &mut children);
                }
            }
            scores = ratio(&l, &g, &children);
            all.extend(scores.iter().zip(children.coordinates.chunks_exact(d.max(1))).map(|(s, c)| (*s, c.to_vec())));
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            scale *= knob("SHRINK", 0.5);
        }
        all.into_iter().map(|(_, c)| self.decode(space, &c)).collect()
    }
}

fn ratio(l: &Parzen<'_>, g: &Parzen<'_>, candidates: &Candidates) -> Vec<f64> {
    l.log_densities(candidates).iter().zip(g.log_densities(candidates)).map(|(l, g)| l - g).collect()
}

impl Sampler for Tpe {
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let mut unused = Unused::new(context, history);
        let index = self.name.next_index(history);
        let ended = history.iter().filter(|t| t.outcome != Outcome::Pending).count();
        if ended >= self.startup && !self.dimensions.is_empty() {
            for config in self.proposals(context, history) {
                if unused.allows(&config) {
                    return self.name.proposal(config, index);
                }
            }
        } else {
            let mut unit = vec![0.0; context.space.dimensions()];
            for at in index..index + unused.tries() {
                let config = sobol::point(context, at, &mut unit);
                if unused.allows(&config) {
                    return self.name.proposal(config, at);
                }
            }
        }
        let mut rng = context.rng(context.number.into());
        let mut unit = vec![0.0; context.space.dimensions()];
        for _ in 0..unused.tries() {
            unit.fill_with(|| rng.random());
            let config = context.space.decode(&unit);
            if unused.allows(&config) {
                return self.name.proposal(config, index);
            }
        }
        let mut left = unused.left();
        if left.is_empty() {
            return Suggestion::Done;
        }
        let chosen = left.swap_remove(rng.random_range(0..left.len()));
        self.name.proposal(chosen, index)
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        duplicates == Duplicates::Avoid && space.cardinality().is_some()
    }
}
