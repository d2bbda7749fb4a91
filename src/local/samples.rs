//! Configurations on which everything is tried before anything runs.

use crate::{api::ParameterMap, study::Study};

/// How many configurations are tried, and among how many points they are looked for.
const WANTED: usize = 64;
const TRIES: usize = 4096;

/// Feasible configurations all over the space, that of the defaults first; always the same ones.
pub fn samples(study: &Study) -> Vec<ParameterMap> {
    let space = &study.space;
    let spread = (1..=TRIES)
        .map(|index| space.decode(&point(index, space.dimensions())))
        .filter(|c| space.is_feasible(c));
    space
        .defaults()
        .into_iter()
        .chain(spread)
        .take(WANTED)
        .map(|config| space.write(&config))
        .collect()
}

/// The `index`-th point of an additive recurrence: evenly spread in any number of dimensions.
///
/// M. Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", 2018: the steps are the powers of `1 / g`, where
/// `g` is the positive root of `x^(d + 1) = x + 1`.
fn point(index: usize, dimensions: usize) -> Vec<f64> {
    let exponent = 1.0 / (dimensions as f64 + 1.0);
    let root = (0..32).fold(2.0_f64, |root, _| (1.0 + root).powf(exponent));
    let mut step = 1.0;
    let mut coordinate = |_| {
        step /= root;
        (0.5 + step * index as f64).fract()
    };
    (0..dimensions).map(&mut coordinate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_spread_over_the_cube() {
        for dimension in 0..3 {
            let mut filled = [false; 16];
            for index in 1..=64 {
                let at = point(index, 3).get(dimension).copied().unwrap_or(2.0);
                assert!((0.0..1.0).contains(&at));
                filled[(at * 16.0) as usize] = true;
            }
            assert_eq!(filled, [true; 16]);
        }
    }
}
