//! The covariance of the Gaussian process: a product and a sum over the dimensions of Matérn 5/2 kernels.

/// Square root of 5.
const ROOT: f64 = 2.236_067_977_499_79;

/// The kernel's parameters, each as its logarithm: for each dimension the length scale in the product, then for each the one in the sum,
/// then the variances of product, sum and noise.
#[derive(Clone, Debug)]
pub(super) struct Hyper(pub(super) Vec<f64>);

impl Hyper {
    fn scalars(&self) -> (f64, f64, f64) {
        let at = self.0.len() - 3;
        (
            libm::exp(self.0[at]),
            libm::exp(self.0[at + 1]),
            libm::exp(self.0[at + 2]),
        )
    }
}

/// e^x for x of at most 0, to 13 digits, in a way that compilers make vectors of.
#[inline]
pub(super) fn exp(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = x.max(-700.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * 6.931_471_803_691_238_e-1 - whole * 1.908_214_929_270_587_7e-10;
    let p = 1.0 / 39_916_800.0;
    let p = p * r + 1.0 / 3_628_800.0;
    let p = p * r + 1.0 / 362_880.0;
    let p = p * r + 1.0 / 40_320.0;
    let p = p * r + 1.0 / 5_040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // The low bits of `shifted` are the whole number.
    f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// Matérn 5/2 of the squared, scaled distance: its value and, times -2, its derivative by that square.
#[inline]
pub(super) fn matern(square: f64) -> (f64, f64) {
    let r = ROOT * square.sqrt();
    let e = exp(-r);
    let slope = (5.0 / 3.0) * (1.0 + r) * e;
    ((1.0 + r + square * (5.0 / 3.0)) * e, slope)
}

/// The kernel with its parameters taken out of the logarithm.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// One by the square of each length scale in the product.
    pub(super) product: Vec<f64>,
    /// The same in the sum.
    pub(super) sum: Vec<f64>,
    pub(super) product_variance: f64,
    /// Of each dimension's part in the sum.
    pub(super) sum_variance: f64,
    pub(super) noise: f64,
}

impl Kernel {
    pub(super) fn new(hyper: &Hyper, dimensions: usize) -> Self {
        let (product_variance, sum_variance, noise) = hyper.scalars();
        let inverse = |log: &f64| libm::exp(-2.0 * log);
        Self {
            product: hyper.0[..dimensions].iter().map(inverse).collect(),
            sum: hyper.0[dimensions..2 * dimensions].iter().map(inverse).collect(),
            product_variance,
            sum_variance: sum_variance / dimensions.max(1) as f64,
            noise,
        }
    }

    /// The covariance of a point with itself, without noise.
    pub(super) fn variance(&self) -> f64 {
        self.product_variance + self.sum_variance * self.sum.len() as f64
    }
}
