//! `${...}` in a text.

use serde_json::Value;

use super::scan::{closing_brace, place};
use super::{Expression, Variables, text};

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 16 * 1024;

/// The longest text that a template gives, in bytes: it becomes an argument, or a command line.
pub const MAX_RENDERED: usize = 256 * 1024;

/// A text with `${...}` in it.
#[derive(Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Value {
        expression: Expression,
        /// Where it starts, for errors.
        place: String,
    },
}

/// A part of a template, as [`Template::parts`] gives it.
#[derive(Clone, Copy, Debug)]
pub enum Part<'t> {
    /// Text that stands for itself, `$${` being `${` already.
    Text(&'t str),
    /// A `${...}`.
    Value {
        /// What is in it.
        expression: &'t Expression,
        /// Where it starts, for people: `column 12`.
        place: &'t str,
    },
}

impl Template {
    /// Parses `source`, of at most [`MAX_TEMPLATE`] bytes: `${expression}` is CEL (braces and quotes inside it are understood), `$${` stands for a literal `${`, everything else, `{{...}}` too, for itself.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn compile(source: &str) -> Result<Self, String> {
        if source.len() > MAX_TEMPLATE {
            return Err(format!("it has {} bytes, and {MAX_TEMPLATE} are allowed", source.len()));
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(found) = rest.find("${") {
            let (before, from) = rest.split_at(found);
            // `$${`: the first dollar sign stands right before this one.
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = from.get(2..).unwrap_or_default();
                continue;
            }
            literal.push_str(before);
            let place = place(source, source.len() - from.len());
            let body = from.get(2..).unwrap_or_default();
            let Some(end) = closing_brace(body) else {
                return Err(format!(
                    "the `${{` at {place} is never closed; end it with `}}`, or write `$${{` for the characters themselves"
                ));
            };
            let (inner, after) = body.split_at(end);
            let expression = Expression::compile(inner).map_err(|e| format!("in the `${{...}}` at {place}: {e}"))?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Value { expression, place });
            rest = after.get(1..).unwrap_or_default();
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// What it consists of, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Value { expression, place } => Part::Value { expression, place },
        })
    }

    /// The expressions in it, in order.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value { expression, .. } => Some(expression),
        })
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
    /// One sentence for people; a text of more than [`MAX_RENDERED`] bytes among it.
    pub fn render_with(&self, variables: &Variables, quote: impl Fn(String) -> String) -> Result<String, String> {
        let several = self.expressions().nth(1).is_some();
        let mut rendered = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => rendered.push_str(literal),
                Piece::Value { expression, place } => {
                    let value: Value = expression.evaluate(variables).map_err(|error| {
                        if several {
                            format!("in the `${{...}}` at {place}: {error}")
                        } else {
                            error
                        }
                    })?;
                    rendered.push_str(&quote(text(&value)));
                }
            }
            if rendered.len() > MAX_RENDERED {
                return Err(format!("the text becomes longer than {MAX_RENDERED} bytes"));
            }
        }
        Ok(rendered)
    }
}
