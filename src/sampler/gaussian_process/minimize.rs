//! Minimising a smooth function by L-BFGS (Liu and Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989), within a number of evaluations.

use std::cell::RefCell;

use argmin::{
    core::{CostFunction, Error, Executor, Gradient},
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};

/// How many steps the approximation of the curvature remembers.
const MEMORY: usize = 7;

/// A function with its gradient.
pub(super) trait Smooth {
    /// The value at `x`, its gradient written to `gradient`; what is not finite counts as very bad.
    fn evaluate(&self, x: &[f64], gradient: &mut [f64]) -> f64;
}

/// What was evaluated: the library asks for value and gradient of a point one after the other.
struct Memory {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    best: (f64, Vec<f64>),
    left: usize,
}

struct Remembered<'a, F> {
    function: &'a F,
    memory: RefCell<Memory>,
}

impl<F: Smooth> Remembered<'_, F> {
    /// Evaluates at `x`, unless that was the point of the last call.
    fn look(&self, x: &[f64]) -> Result<(), Error> {
        let mut memory = self.memory.borrow_mut();
        if memory.x == x {
            return Ok(());
        }
        if memory.left == 0 {
            return Err(Error::msg("no evaluations are left"));
        }
        memory.left -= 1;
        let Memory {
            x: at, value, gradient, ..
        } = &mut *memory;
        at.clear();
        at.extend_from_slice(x);
        *value = self.function.evaluate(x, gradient);
        if !value.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
            *value = 1e100;
            gradient.fill(0.0);
        }
        if memory.value < memory.best.0 {
            memory.best = (memory.value, x.to_vec());
        }
        Ok(())
    }
}

impl<F: Smooth> CostFunction for &Remembered<'_, F> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        self.look(x)?;
        Ok(self.memory.borrow().value)
    }
}

impl<F: Smooth> Gradient for &Remembered<'_, F> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        self.look(x)?;
        Ok(self.memory.borrow().gradient.clone())
    }
}

/// The best point that at most `evaluations` looks find from `start` on, and its value.
pub(super) fn minimize(function: &impl Smooth, start: Vec<f64>, evaluations: usize) -> (Vec<f64>, f64) {
    let problem = Remembered {
        function,
        memory: RefCell::new(Memory {
            x: Vec::new(),
            value: f64::INFINITY,
            gradient: vec![0.0; start.len()],
            best: (f64::INFINITY, start.clone()),
            left: evaluations,
        }),
    };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
    // Ends by an error when the evaluations are used up; the best point is remembered either way.
    let ended = Executor::new(&problem, solver)
        .configure(|state| state.param(start).max_iters(evaluations as u64))
        .ctrlc(false)
        .timer(false)
        .run();
    drop(ended);
    let (value, best) = problem.memory.into_inner().best;
    (best, value)
}
