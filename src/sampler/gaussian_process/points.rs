//! Points that a model knows, dimension by dimension.

use super::{
    features::{Features, Kind, UNLIKE},
    kernel::{Kernel, matern},
};

/// Points in columns: one for each dimension.
#[derive(Clone, Debug)]
pub(super) struct Points {
    columns: Vec<Column>,
    count: usize,
}

#[derive(Clone, Debug)]
struct Column {
    values: Vec<f64>,
    is_category: bool,
    /// Whether the parameter is active in all points.
    is_whole: bool,
}

impl Points {
    pub(super) fn new<'a>(features: &Features, points: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let column = |(d, &(_, kind)): (usize, &(usize, Kind))| {
            let values: Vec<f64> = points.clone().map(|point| point[d]).collect();
            Column {
                is_whole: values.iter().all(|value| !value.is_nan()),
                is_category: matches!(kind, Kind::Category(_)),
                values,
            }
        };
        Self {
            columns: features.dimensions.iter().enumerate().map(column).collect(),
            count: points.clone().count(),
        }
    }

    /// Those with these indices.
    pub(super) fn some(&self, indices: &[usize]) -> Self {
        let column = |column: &Column| Column {
            values: indices.iter().map(|&i| column.values[i]).collect(),
            ..*column
        };
        Self {
            columns: self.columns.iter().map(column).collect(),
            count: indices.len(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn dimensions(&self) -> usize {
        self.columns.len()
    }

    /// The point with that index.
    pub(super) fn point(&self, index: usize) -> Vec<f64> {
        self.columns.iter().map(|column| column.values[index]).collect()
    }

    /// A coordinate of the point with that index.
    pub(super) fn coordinate(&self, dimension: usize, index: usize) -> f64 {
        self.columns[dimension].values[index]
    }

    /// Writes the squared distances, in one dimension, of `x` to the first points: to as many as `squares` has room for.
    pub(super) fn squares(&self, dimension: usize, x: f64, squares: &mut [f64]) {
        let column = &self.columns[dimension];
        let pairs = squares.iter_mut().zip(&column.values);
        match (column.is_category, column.is_whole && !x.is_nan()) {
            (false, true) => pairs.for_each(|(square, value)| *square = (value - x) * (value - x)),
            (true, true) => pairs.for_each(|(square, value)| *square = f64::from(u8::from(*value != x))),
            (is_category, false) => pairs.for_each(|(square, value)| {
                *square = match (value.is_nan(), x.is_nan()) {
                    (true, true) => 0.0,
                    (false, false) if is_category => f64::from(u8::from(*value != x)),
                    (false, false) => (value - x) * (value - x),
                    _ => UNLIKE,
                }
            }),
        }
    }

    /// Writes the covariances of `x` with all points.
    pub(super) fn covariances(&self, kernel: &Kernel, x: &[f64], room: &mut Room) {
        room.prepare(self.count, 0);
        for (d, x) in x.iter().enumerate() {
            self.squares(d, *x, &mut room.squares);
            let (scale, sum_scale) = (kernel.product[d], kernel.sum[d]);
            for (square, total) in room.squares.iter().zip(&mut room.total) {
                *total += square * scale;
            }
            if kernel.sum_variance > 0.0 {
                for (square, covariance) in room.squares.iter().zip(&mut room.covariances) {
                    *covariance += matern(square * sum_scale).0;
                }
            }
        }
        for (covariance, total) in room.covariances.iter_mut().zip(&room.total) {
            *covariance = kernel.sum_variance * *covariance + kernel.product_variance * matern(*total).0;
        }
    }

    /// Writes the covariances of `x` with all points, and their derivatives by each coordinate of `x` that is a number (0 for others).
    pub(super) fn gradients(&self, kernel: &Kernel, x: &[f64], room: &mut Room) {
        let dimensions = self.columns.len();
        room.prepare(self.count, dimensions);
        for (d, x) in x.iter().enumerate() {
            self.squares(d, *x, &mut room.squares);
            let (scale, sum_scale) = (kernel.product[d], kernel.sum[d]);
            for (square, total) in room.squares.iter().zip(&mut room.total) {
                *total += square * scale;
            }
            let slopes = room.slopes[d * self.count..].iter_mut();
            for ((square, covariance), slope) in room.squares.iter().zip(&mut room.covariances).zip(slopes) {
                let (value, by_square) = matern(square * sum_scale);
                *covariance += value;
                *slope = kernel.sum_variance * by_square * sum_scale;
            }
        }
        for (total, covariance) in room.total.iter_mut().zip(&mut room.covariances) {
            let (value, by_square) = matern(*total);
            *covariance = kernel.sum_variance * *covariance + kernel.product_variance * value;
            *total = kernel.product_variance * by_square;
        }
        for (d, column) in self.columns.iter().enumerate() {
            let slopes = room.slopes[d * self.count..].iter_mut().take(self.count);
            for ((slope, total), value) in slopes.zip(&room.total).zip(&column.values) {
                let away = if column.is_category { 0.0 } else { value - x[d] };
                // of what is inactive there is no derivative
                *slope = if away.is_nan() {
                    0.0
                } else {
                    (*slope + total * kernel.product[d]) * away
                };
            }
        }
    }
}

/// Room for the covariances of one point with all others, used again and again.
#[derive(Debug, Default)]
pub(super) struct Room {
    squares: Vec<f64>,
    total: Vec<f64>,
    pub(super) covariances: Vec<f64>,
    /// The derivatives, one dimension after the other.
    pub(super) slopes: Vec<f64>,
}

impl Room {
    fn prepare(&mut self, count: usize, dimensions: usize) {
        for list in [&mut self.squares, &mut self.total, &mut self.covariances] {
            list.clear();
            list.resize(count, 0.0);
        }
        self.slopes.clear();
        self.slopes.resize(count * dimensions, 0.0);
    }
}
