//! The normal distribution over the numbers, and how it learns.

use super::weights::Weights;

/// The least a factor of the covariance may be on its diagonal, in parts of the greatest: a condition number of 10^14.
const NARROWEST: f64 = 1e-7;

/// A normal distribution: `mean + sigma * stretch * N(0, covariance)`, over coordinates in [0, 1].
#[derive(Clone, Debug)]
pub(super) struct Gaussian {
    pub(super) mean: Vec<f64>,
    pub(super) sigma: f64,
    /// By coordinate, how much more it spreads than learned: of discrete ones the margin sets it.
    pub(super) stretch: Vec<f64>,
    /// Row by row.
    covariance: Vec<f64>,
    /// Its Cholesky factor, the lower triangle row by row.
    factor: Vec<f64>,
    step_path: Vec<f64>,
    path: Vec<f64>,
    updates: i32,
}

/// An individual, as an update takes it.
#[derive(Debug)]
pub(super) struct Individual {
    /// Its coordinates; `Err` with what a standard normal draw gave where its parameter was inactive.
    pub(super) numbers: Vec<Result<f64, f64>>,
    /// What it counts for the mean.
    pub(super) weight: f64,
    /// What it counts for the covariance.
    pub(super) signed: f64,
}

impl Gaussian {
    pub(super) fn new(mean: Vec<f64>, sigma: f64) -> Self {
        let d = mean.len();
        let mut identity = vec![0.0; d * d];
        identity.iter_mut().step_by(d + 1).for_each(|x| *x = 1.0);
        Self {
            mean,
            sigma,
            stretch: vec![1.0; d],
            factor: identity.clone(),
            covariance: identity,
            step_path: vec![0.0; d],
            path: vec![0.0; d],
            updates: 0,
        }
    }

    pub(super) fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// The standard deviation of a coordinate.
    pub(super) fn deviation(&self, at: usize) -> f64 {
        let variance = self
            .covariance
            .get(at * (self.dimensions() + 1))
            .copied()
            .unwrap_or(1.0);
        self.sigma * self.stretch.get(at).copied().unwrap_or(1.0) * variance.sqrt()
    }

    /// The point that standard normal numbers stand for.
    pub(super) fn point(&self, normal: &[f64]) -> Vec<f64> {
        let rows = self.factor.chunks_exact(self.dimensions().max(1));
        self.mean
            .iter()
            .zip(&self.stretch)
            .zip(rows)
            .map(|((mean, stretch), row)| mean + self.sigma * stretch * dot(row, normal))
            .collect()
    }

    /// Learns from individuals. `None` where rounding has spoilt the distribution, or it is narrower in some direction than can be told.
    ///
    /// With the Cholesky factor in place of the symmetric root, which turns the step size's path a little, and costs a tenth (Krause, Arbonès and Igel,
    /// "CMA-ES with Optimal Covariance Update and Storage Complexity", NeurIPS 2016).
    #[must_use]
    pub(super) fn learn(mut self, individuals: &[Individual], weights: &Weights) -> Option<Self> {
        let d = self.dimensions();
        let steps: Vec<(Vec<f64>, f64)> = individuals.iter().map(|one| self.step(one)).collect();
        let mut mean_step = vec![0.0; d];
        for (one, (step, _)) in individuals.iter().zip(&steps) {
            add(&mut mean_step, one.weight, step);
        }
        for ((mean, stretch), step) in self.mean.iter_mut().zip(&self.stretch).zip(&mean_step) {
            *mean = (*mean + self.sigma * stretch * step).clamp(0.0, 1.0);
        }

        let keep = 1.0 - weights.step_memory;
        let gain = (weights.step_memory * (1.0 + keep) * weights.effective).sqrt();
        self.step_path.iter_mut().for_each(|x| *x *= keep);
        let turned = self.whitened(&mean_step);
        add(&mut self.step_path, gain, &turned);
        self.updates += 1;
        let length = dot(&self.step_path, &self.step_path).sqrt();
        let settled = length / (1.0 - keep.powi(2 * self.updates)).sqrt();
        // the covariance's path stands still while the step size grows fast
        let moves = settled < (1.4 + 2.0 / (d as f64 + 1.0)) * weights.expected_length;

        let keep = 1.0 - weights.path_memory;
        self.path.iter_mut().for_each(|x| *x *= keep);
        if moves {
            let gain = (weights.path_memory * (1.0 + keep) * weights.effective).sqrt();
            add(&mut self.path, gain, &mean_step);
        }
        let total: f64 = individuals.iter().map(|one| one.signed).sum();
        let missed = if moves {
            0.0
        } else {
            weights.rank_one * (1.0 - keep * keep)
        };
        let rest = 1.0 + missed - weights.rank_one - weights.rank_many * total;
        self.covariance.iter_mut().for_each(|x| *x *= rest);
        outer(&mut self.covariance, weights.rank_one, &self.path);
        for (one, (step, length)) in individuals.iter().zip(&steps) {
            let bound = if one.signed < 0.0 {
                d as f64 / length.powi(2).max(1e-12)
            } else {
                1.0
            };
            outer(&mut self.covariance, weights.rank_many * one.signed * bound, step);
        }
        let change = weights.step_memory / weights.damping * (length / weights.expected_length - 1.0);
        self.sigma *= change.min(1.0).exp();
        self.factor = cholesky(&self.covariance, d)?;
        Some(self)
    }

    /// The step from the mean to an individual, in units of `sigma * stretch`, and its length. What lies farther off than the distribution gives (it was drawn from an
    /// older one, or another parameter's step was rounded) counts as a step of the greatest length (Hansen, "Injecting External Solutions Into CMA-ES", 2011).
    fn step(&self, one: &Individual) -> (Vec<f64>, f64) {
        let d = self.dimensions() as f64;
        let mut step: Vec<f64> = one
            .numbers
            .iter()
            .enumerate()
            .map(|(at, number)| {
                let mean = self.mean.get(at).copied().unwrap_or(0.5);
                let unit = self.sigma * self.stretch.get(at).copied().unwrap_or(1.0);
                match number {
                    Ok(number) => (number - mean) / unit,
                    Err(normal) => normal * self.deviation(at) / unit,
                }
            })
            .collect();
        let whitened = self.whitened(&step);
        let length = dot(&whitened, &whitened).sqrt();
        let longest = d.sqrt() + 2.0 * d / (d + 2.0);
        if length > longest {
            step.iter_mut().for_each(|x| *x *= longest / length);
        }
        (step, length.min(longest))
    }

    /// The standard normal numbers that `step` stands for: solves `factor * x = step`.
    fn whitened(&self, step: &[f64]) -> Vec<f64> {
        let d = self.dimensions();
        let mut solved: Vec<f64> = Vec::with_capacity(d);
        for (at, (row, value)) in self.factor.chunks_exact(d.max(1)).zip(step).enumerate() {
            let diagonal = row.get(at).copied().unwrap_or(1.0);
            solved.push((value - dot(row, &solved)) / diagonal);
        }
        solved
    }
}

/// The sum of products, as far as both go.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

/// Adds `factor * x * x'` to a matrix.
fn outer(to: &mut [f64], factor: f64, x: &[f64]) {
    for (row, at) in to.chunks_exact_mut(x.len().max(1)).zip(x) {
        add(row, factor * at, x);
    }
}

/// The lower triangle whose product with its transpose is `matrix`, row by row; `None` where there is none, or only one that is nearly singular.
fn cholesky(matrix: &[f64], d: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; d * d];
    let (mut least, mut greatest) = (f64::INFINITY, 0.0f64);
    for i in 0..d {
        let (above, below) = factor.split_at_mut(i * d);
        let row = below.get_mut(..d)?;
        for j in 0..i {
            let other = above.get(j * d..(j + 1) * d)?;
            let rest = matrix.get(i * d + j)? - dot(row.get(..j)?, other.get(..j)?);
            *row.get_mut(j)? = rest / other.get(j)?;
        }
        let rest = matrix.get(i * d + i)? - dot(row.get(..i)?, row.get(..i)?);
        let root = rest.sqrt();
        *row.get_mut(i)? = root;
        (least, greatest) = (least.min(root), greatest.max(root));
        // false for NaN
        if !(root > 0.0 && root.is_finite()) {
            return None;
        }
    }
    (d == 0 || least > NARROWEST * greatest).then_some(factor)
}
