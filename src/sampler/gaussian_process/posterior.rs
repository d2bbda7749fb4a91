//! What the Gaussian process says of a point, given what was observed and several fantasies of what is still running
//! (Snoek, Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", 2012).

use std::cell::RefCell;

use nalgebra::{DMatrix, DVector};
use rand::Rng;

use super::{
    fit::{JITTER, invert_lower},
    kernel::Kernel,
    points::{Points, Room},
};

/// A Gaussian process given its points.
#[derive(Debug)]
pub(super) struct Posterior {
    kernel: Kernel,
    points: Points,
    /// The inverse of the Cholesky factor of the covariance, transposed: its columns are that matrix's rows.
    whitening: DMatrix<f64>,
    /// For each fantasy the weights of the points in the mean.
    weights: Vec<DVector<f64>>,
    /// For each fantasy the values of all points.
    values: Vec<DVector<f64>>,
    room: RefCell<(Room, Vec<f64>, Vec<f64>)>,
}

/// Mean and deviation at a point.
#[derive(Clone, Debug)]
pub(super) struct Prediction {
    /// One for each fantasy.
    pub(super) means: Vec<f64>,
    pub(super) deviation: f64,
}

/// The derivatives of a prediction.
#[derive(Clone, Debug)]
pub(super) struct Slopes {
    pub(super) means: Vec<Vec<f64>>,
    pub(super) deviation: Vec<f64>,
}

impl Posterior {
    /// The process given `values` at the first of `points`; values at the others, which are pending, are drawn `fantasies` times.
    pub(super) fn new(
        kernel: Kernel,
        points: Points,
        values: &DVector<f64>,
        fantasies: usize,
        rng: &mut impl Rng,
    ) -> Option<Self> {
        let count = points.count();
        let known = values.len();
        let mut room = Room::default();
        let mut matrix = DMatrix::<f64>::zeros(count, count);
        for i in 0..count {
            points.covariances(&kernel, &points.point(i), &mut room);
            matrix.column_mut(i).as_mut_slice().copy_from_slice(&room.covariances);
            matrix[(i, i)] = kernel.variance() + kernel.noise + JITTER;
        }
        let mut jitter = 1e-6;
        let cholesky = loop {
            if let Some(cholesky) = matrix.clone().cholesky() {
                break cholesky;
            }
            if jitter > 1.0 {
                return None;
            }
            for i in 0..count {
                matrix[(i, i)] += jitter;
            }
            jitter *= 10.0;
        };
        let lower = cholesky.l_dirty();
        // With L z = values, a value that is not known is drawn by drawing its z from the normal distribution.
        let drawn: Vec<DVector<f64>> = (0..if known < count { fantasies.max(1) } else { 1 })
            .map(|_| {
                let mut z = DVector::<f64>::zeros(count);
                let mut all = DVector::<f64>::zeros(count);
                for i in 0..count {
                    let before: f64 = (0..i).map(|j| lower[(i, j)] * z[j]).sum();
                    if i < known {
                        all[i] = values[i];
                        z[i] = (values[i] - before) / lower[(i, i)];
                    } else {
                        z[i] = normal(rng);
                        all[i] = before + lower[(i, i)] * z[i];
                    }
                }
                all
            })
            .collect();
        let below = invert_lower(lower);
        let weights = drawn.iter().map(|values| below.tr_mul(&(&below * values))).collect();
        Some(Self {
            kernel,
            points,
            whitening: below.transpose(),
            weights,
            values: drawn,
            room: RefCell::default(),
        })
    }

    /// The mean of each fantasy at its own points, noise taken out.
    pub(super) fn means_at_points(&self) -> Vec<DVector<f64>> {
        let noise = self.kernel.noise + JITTER;
        self.values
            .iter()
            .zip(&self.weights)
            .map(|(values, weights)| values - weights * noise)
            .collect()
    }

    /// The prediction at `x`.
    pub(super) fn predict(&self, x: &[f64]) -> Prediction {
        let (room, white, _) = &mut *self.room.borrow_mut();
        self.points.covariances(&self.kernel, x, room);
        self.summarise(&room.covariances, white)
    }

    fn summarise(&self, covariances: &[f64], white: &mut Vec<f64>) -> Prediction {
        white.clear();
        white.extend(
            (0..self.points.count()).map(|i| dot(&self.whitening.column(i).as_slice()[..=i], &covariances[..=i])),
        );
        let explained = dot(white, white);
        Prediction {
            means: self
                .weights
                .iter()
                .map(|weights| dot(weights.as_slice(), covariances))
                .collect(),
            deviation: (self.kernel.variance() - explained).max(1e-12).sqrt(),
        }
    }

    /// The prediction at `x` and its derivatives by the coordinates.
    pub(super) fn predict_with_slopes(&self, x: &[f64]) -> (Prediction, Slopes) {
        let (room, white, back) = &mut *self.room.borrow_mut();
        self.points.gradients(&self.kernel, x, room);
        let prediction = self.summarise(&room.covariances, white);
        // K^-1 k, of which the derivative of the variance is made
        back.clear();
        back.resize(white.len(), 0.0);
        for (i, white) in white.iter().enumerate() {
            for (back, entry) in back.iter_mut().zip(&self.whitening.column(i).as_slice()[..=i]) {
                *back += white * entry;
            }
        }
        let count = self.points.count();
        let slopes = |d: usize| &room.slopes[d * count..(d + 1) * count];
        let dimensions = self.points.dimensions();
        let means = self
            .weights
            .iter()
            .map(|weights| (0..dimensions).map(|d| dot(weights.as_slice(), slopes(d))).collect());
        let by_variance = -1.0 / prediction.deviation;
        let slopes = Slopes {
            means: means.collect(),
            deviation: (0..dimensions).map(|d| by_variance * dot(back, slopes(d))).collect(),
        };
        (prediction, slopes)
    }
}

/// The scalar product, in four strands so that it is one of vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut strands = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a4.zip(b4) {
        for (strand, (a, b)) in strands.iter_mut().zip(a.iter().zip(b)) {
            *strand += a * b;
        }
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3]) + rest
}

/// A number of the standard normal distribution (Box and Muller, 1958).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    use rand::RngExt;
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    libm::sqrt(-2.0 * libm::log(1.0 - u)) * libm::cos(std::f64::consts::TAU * v)
}
