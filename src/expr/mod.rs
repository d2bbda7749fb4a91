//! Expressions that users write: CEL, bounded in length, checked when the study is admitted, and `${...}` templates over it.
//!
//! Pure: no clients, no clocks, no randomness. Never runs anything as code.

use std::collections::BTreeSet;

use serde_json::Value;

/// A compiled expression. Cheap to evaluate many times, from several threads.
#[derive(Debug)]
pub struct Expression {}

/// What an expression is evaluated over: variables by name, each any JSON. Numbers keep their kind (`1` is an int, `1.0` a double).
#[derive(Clone, Debug, Default)]
pub struct Variables {}

impl Variables {
    /// Sets the variable `name`, e.g. `parameters`, to `value`, e.g. an object.
    pub fn set(&mut self, _name: &str, _value: &Value) {
        todo!()
    }
}

impl Expression {
    /// Parses `source`.
    ///
    /// # Errors
    /// One sentence for people: what is wrong and where in `source` (column).
    pub fn compile(_source: &str) -> Result<Self, String> {
        todo!()
    }

    /// The names of fields that the expression reads of the variable `root`: `a` and `b` for `parameters.a + parameters["b"]`, `has(parameters.a)` too.
    /// A dynamic index (`parameters[x]`) is refused by [`Expression::compile`].
    pub fn fields_of(&self, _root: &str) -> &BTreeSet<String> {
        todo!()
    }

    /// The free variables (not those that comprehensions bind).
    pub fn variables(&self) -> &BTreeSet<String> {
        todo!()
    }

    /// Evaluates to any JSON.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn evaluate(&self, _variables: &Variables) -> Result<Value, String> {
        todo!()
    }

    /// Evaluates to a bool.
    ///
    /// # Errors
    /// One sentence for people; what evaluates to something else than a bool among it.
    pub fn evaluate_bool(&self, _variables: &Variables) -> Result<bool, String> {
        todo!()
    }

    /// Evaluates to a number, an int being converted.
    ///
    /// # Errors
    /// One sentence for people; what evaluates to no number among it.
    pub fn evaluate_number(&self, _variables: &Variables) -> Result<f64, String> {
        todo!()
    }
}

/// A text with `${...}` in it.
#[derive(Debug)]
pub struct Template {}

impl Template {
    /// Parses `source`: `${expression}` is CEL (braces and quotes inside it are understood), `$${` stands for a literal `${`, everything else, `{{...}}` too, for itself.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn compile(_source: &str) -> Result<Self, String> {
        todo!()
    }

    /// The expressions in it, in order.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        std::iter::empty()
    }

    /// The text with each expression's value in its place, written by [`text`].
    ///
    /// # Errors
    /// One sentence for people.
    pub fn render(&self, variables: &Variables) -> Result<String, String> {
        self.render_with(variables, |piece| piece)
    }

    /// The same with each value's text passed through `quote` (e.g. a shell's quoting).
    ///
    /// # Errors
    /// One sentence for people.
    pub fn render_with(&self, _variables: &Variables, _quote: impl Fn(String) -> String) -> Result<String, String> {
        todo!()
    }
}

/// A value as text: a string as it is, a number in its shortest form that reads back the same, `true`, other JSON compact.
pub fn text(_value: &Value) -> String {
    todo!()
}

/// Whether `name` may not be a parameter's name: CEL's key words and reserved identifiers.
pub fn is_reserved(_name: &str) -> bool {
    todo!()
}
