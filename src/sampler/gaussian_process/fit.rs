//! Fitting the kernel's parameters: the maximum of their posterior density, by its gradient (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 5.4).

use std::cell::RefCell;

use nalgebra::{DMatrix, DVector};

use super::{
    kernel::{Hyper, Kernel, matern},
    minimize::{Smooth, minimize},
    points::Points,
};

/// A normal distribution of a logarithm.
#[derive(Clone, Copy, Debug)]
struct Prior {
    mean: f64,
    deviation: f64,
}

/// The priors of all parameters of the kernel, in their order. Length scales grow with the square root of the dimensions, as distances do
/// (Hvarfner et al., "Vanilla Bayesian Optimization Performs Great in High Dimensions", 2024).
fn priors(dimensions: usize, shape: Shape) -> Vec<Prior> {
    let prior = |mean: f64, deviation: f64| Prior {
        mean: libm::log(mean),
        deviation,
    };
    let product = prior(0.5 * libm::sqrt(dimensions.max(1) as f64), 0.5);
    let mut priors = vec![product; dimensions];
    priors.resize(2 * dimensions, prior(0.7, 0.5));
    let sum = match shape {
        Shape::ProductAndSum => prior(0.5, 1.5),
        Shape::Product => prior(1e-6, 0.1),
    };
    priors.extend([prior(0.5, 1.0), sum, prior(1e-4, 2.5)]);
    priors
}

/// What the kernel is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// All parameters together, and each by itself (Duvenaud, Nickisch and Rasmussen, "Additive Gaussian Processes", 2011).
    ProductAndSum,
    /// All parameters together.
    Product,
}

/// The negative logarithm of the posterior density of the kernel's parameters, given points and values.
struct Evidence<'a> {
    values: &'a DVector<f64>,
    /// For each dimension the squared distances of all pairs.
    squares: Vec<Vec<f64>>,
    priors: Vec<Prior>,
    room: RefCell<Room>,
}

/// Room for what an evaluation needs, for each pair.
#[derive(Default)]
struct Room {
    total: Vec<f64>,
    product: Vec<f64>,
    product_slope: Vec<f64>,
    sum: Vec<f64>,
    sum_slopes: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

/// Pairs in the order of `squares`: each point with those before it.
fn pairs(count: usize) -> usize {
    count * count.saturating_sub(1) / 2
}

impl<'a> Evidence<'a> {
    fn new(points: &Points, values: &'a DVector<f64>, shape: Shape) -> Self {
        let count = points.count();
        let squares = (0..points.dimensions())
            .map(|d| {
                let mut squares = vec![0.0; pairs(count)];
                let mut rest = &mut squares[..];
                for i in 0..count {
                    let (row, after) = rest.split_at_mut(i);
                    points.squares(d, points.coordinate(d, i), row);
                    rest = after;
                }
                squares
            })
            .collect();
        let pairs = pairs(count);
        let room = Room {
            total: vec![0.0; pairs],
            product: vec![0.0; pairs],
            product_slope: vec![0.0; pairs],
            sum: vec![0.0; pairs],
            sum_slopes: vec![vec![0.0; pairs]; points.dimensions()],
            weights: vec![0.0; pairs],
        };
        Self {
            values,
            squares,
            priors: priors(points.dimensions(), shape),
            room: RefCell::new(room),
        }
    }
}

impl Smooth for Evidence<'_> {
    fn evaluate(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let dimensions = self.squares.len();
        let count = self.values.len();
        // Beyond this the density is nothing, and numbers would overflow.
        if x.iter().any(|x| !x.is_finite() || x.abs() > 30.0) {
            gradient.fill(f64::NAN);
            return f64::NAN;
        }
        let kernel = Kernel::new(&Hyper(x.to_vec()), dimensions);
        let room = &mut *self.room.borrow_mut();
        room.total.fill(0.0);
        room.sum.fill(0.0);
        for (d, squares) in self.squares.iter().enumerate() {
            for (total, square) in room.total.iter_mut().zip(squares) {
                *total += square * kernel.product[d];
            }
            let slopes = room.sum_slopes[d].iter_mut();
            for ((sum, square), slope) in room.sum.iter_mut().zip(squares).zip(slopes) {
                let (value, by) = matern(square * kernel.sum[d]);
                *sum += value;
                *slope = by;
            }
        }
        for ((total, product), slope) in room.total.iter().zip(&mut room.product).zip(&mut room.product_slope) {
            (*product, *slope) = matern(*total);
        }
        let mut matrix = DMatrix::<f64>::zeros(count, count);
        let mut pair = 0;
        for i in 0..count {
            for j in 0..i {
                matrix[(i, j)] = kernel.product_variance * room.product[pair] + kernel.sum_variance * room.sum[pair];
                pair += 1;
            }
            matrix[(i, i)] = kernel.variance() + kernel.noise + JITTER;
        }
        let Some(cholesky) = matrix.cholesky() else {
            gradient.fill(f64::NAN);
            return f64::NAN;
        };
        let lower = cholesky.l_dirty();
        let half_log_determinant: f64 = (0..count).map(|i| lower[(i, i)].ln()).sum();
        let inverse = inverse(lower);
        let alpha = &inverse * self.values;
        let mut value = 0.5 * self.values.dot(&alpha) + half_log_determinant;

        let mut pair = 0;
        for i in 0..count {
            for j in 0..i {
                room.weights[pair] = inverse[(j, i)] - alpha[i] * alpha[j];
                pair += 1;
            }
        }
        let diagonal: f64 = (0..count).map(|i| inverse[(i, i)] - alpha[i] * alpha[i]).sum();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let at = 2 * dimensions;
        gradient[at] = kernel.product_variance * (dot(&room.weights, &room.product) + 0.5 * diagonal);
        gradient[at + 1] = kernel.sum_variance * (dot(&room.weights, &room.sum) + 0.5 * diagonal * dimensions as f64);
        gradient[at + 2] = 0.5 * diagonal * kernel.noise;
        for (slope, weight) in room.product_slope.iter_mut().zip(&room.weights) {
            *slope *= weight;
        }
        for (d, squares) in self.squares.iter().enumerate() {
            gradient[d] = kernel.product_variance * kernel.product[d] * dot(&room.product_slope, squares);
            for (slope, weight) in room.sum_slopes[d].iter_mut().zip(&room.weights) {
                *slope *= weight;
            }
            gradient[dimensions + d] = kernel.sum_variance * kernel.sum[d] * dot(&room.sum_slopes[d], squares);
        }
        for ((x, prior), gradient) in x.iter().zip(&self.priors).zip(gradient.iter_mut()) {
            let off = (x - prior.mean) / prior.deviation;
            value += 0.5 * off * off;
            *gradient += off / prior.deviation;
        }
        value
    }
}

/// What is added to the diagonal in any case, so that rounding cannot make the matrix indefinite.
pub(super) const JITTER: f64 = 1e-8;

/// The inverse of the matrix with that Cholesky factor (its upper triangle is not read).
fn inverse(lower: &DMatrix<f64>) -> DMatrix<f64> {
    let below = invert_lower(lower);
    below.tr_mul(&below)
}

/// The inverse of a lower triangular matrix (its upper triangle is not read).
pub(super) fn invert_lower(lower: &DMatrix<f64>) -> DMatrix<f64> {
    let count = lower.nrows();
    let mut inverse = DMatrix::<f64>::zeros(count, count);
    for j in 0..count {
        let column = &mut inverse.as_mut_slice()[j * count..(j + 1) * count];
        column[j] = 1.0;
        for k in j..count {
            let value = column[k] / lower[(k, k)];
            column[k] = value;
            for (x, factor) in column[k + 1..].iter_mut().zip(&lower.column(k).as_slice()[k + 1..]) {
                *x -= value * factor;
            }
        }
    }
    inverse
}

/// The most likely parameters of the kernel for `values` at `points`, found with at most `evaluations` looks; and minus the logarithm of the density there.
pub(super) fn fit(points: &Points, values: &DVector<f64>, evaluations: usize, shape: Shape) -> (Hyper, f64) {
    let evidence = Evidence::new(points, values, shape);
    let start: Vec<f64> = evidence.priors.iter().map(|prior| prior.mean).collect();
    let (best, value) = minimize(&evidence, start, evaluations);
    (Hyper(best), value)
}

/// What is fitted, for tests: the function that gives its value and writes its gradient.
#[cfg(test)]
pub(super) fn evidence<'a>(
    points: &Points,
    values: &'a DVector<f64>,
    shape: Shape,
) -> impl Fn(&[f64], &mut [f64]) -> f64 + use<'a> {
    let evidence = Evidence::new(points, values, shape);
    move |x, gradient| evidence.evaluate(x, gradient)
}
