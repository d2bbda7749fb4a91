//! Expressions that users write: CEL, bounded in length and cost, checked when the study is admitted, and `${...}` templates over it.
//!
//! Pure: no clients, no clocks, no randomness. Never runs anything as code.
//!
//! The language is CEL's standard one (<https://github.com/google/cel-spec>) without messages, optional values, durations and time stamps, and with `json(x)`: the JSON text of `x`.

mod cost;
mod errors;
mod expression;
mod names;
mod scan;
mod template;
mod value;

pub use errors::no_value;
pub use expression::{Expression, MAX_DEPTH, MAX_EXPRESSION};
pub use names::{MAX_LOOPS, is_reserved, nearest};
pub use template::{MAX_RENDERED, MAX_TEMPLATE, Part, Template};
pub use value::{Variables, text};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
