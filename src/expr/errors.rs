//! What went wrong in parsing or evaluating, in one sentence for people.

use cel::{ExecutionError, ParseErrors, Value};

use super::scan::{place, tokens};

/// Why `source` does not parse: where, and what was found there.
pub(super) fn parsing(source: &str, errors: &ParseErrors) -> String {
    let Some(error) = errors.errors.first() else {
        return "it is not an expression".to_owned();
    };
    let (line, column) = (usize::try_from(error.pos.0), usize::try_from(error.pos.1));
    let (Ok(line @ 1..), Ok(column @ 1..)) = (line, column) else {
        return "it is nested too deeply or has too many errors".to_owned();
    };
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let at = (start + column - 1).min(source.len());
    let place = place(source, at);
    let found = found(source, at);
    let message = error.msg.as_str();
    if message.starts_with("Syntax error") || message.starts_with("unexpected token") {
        return match expected(message) {
            Some(expected) => format!("{place}: expected {expected}, found {found}"),
            None => format!("{place}: unexpected {found}"),
        };
    }
    let message = message.lines().next().unwrap_or_default();
    if message.starts_with("expected") {
        format!("{place}: {message}, found {found}")
    } else if message.starts_with("invalid argument to has") {
        format!("{place}: has(...) takes a field, e.g. has(parameters.a)")
    } else if message.starts_with("reserved identifier") {
        format!("{place}: {found} is a reserved word")
    } else if message.starts_with("unsupported syntax") && found != "the end" {
        format!("{place}: {found} is not supported here")
    } else {
        format!("{place}: {message}")
    }
}

/// What the parser says that it wanted, where that helps.
fn expected(message: &str) -> Option<&str> {
    let (_, expected) = message.split_once(" expecting ")?;
    (expected != "<EOF>").then_some(match expected {
        "expression" => "a value",
        other => other,
    })
}

/// The token at the byte offset `at`, quoted.
fn found(source: &str, at: usize) -> String {
    let token = tokens(source).find(|(_, end, _)| *end > at);
    match token.and_then(|(start, end, _)| source.get(start..end)) {
        Some(text) if !text.trim().is_empty() => {
            let short: String = text.lines().next().unwrap_or_default().chars().take(20).collect();
            format!("`{short}{}`", if short.len() < text.len() { "..." } else { "" })
        }
        _ => "the end".to_owned(),
    }
}

/// What an evaluation says of a field that is not there: an inactive parameter, or one that does not exist.
pub fn no_value(path: &str) -> String {
    format!("{path} has no value here")
}

/// Why an evaluation failed. `path` tells of a missing key where it was read: `parameters.a` of `a`.
pub(super) fn evaluating(error: &ExecutionError, path: impl Fn(&str) -> Option<String>) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => match path(key) {
            Some(path) => no_value(&path),
            None => format!("there is no field {key} here"),
        },
        ExecutionError::UndeclaredReference(name) => format!("{name} is not known here"),
        ExecutionError::NoSuchOverload(overload) => operation(
            overload.function(),
            overload.argument_types(),
            overload.is_member_function(),
        ),
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
            let types = [type_of(left), type_of(right)];
            let sign = match *name {
                "add" => "_+_",
                "sub" => "_-_",
                "mul" => "_*_",
                "div" => "_/_",
                "rem" => "_%_",
                other => other,
            };
            operation(sign, &types, false)
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            if [left, right]
                .into_iter()
                .any(|v| matches!(v, Value::Float(f) if f.is_nan()))
            {
                "NaN cannot be compared".to_owned()
            } else {
                format!("{} and {} cannot be compared", type_of(left), type_of(right))
            }
        }
        ExecutionError::UnexpectedType { got, want } => format!("a value of type {got} stands where {want} is needed"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "the result is too large for an int; use double() for large numbers".to_owned(),
        ExecutionError::IndexOutOfBounds(index) => format!("the list has no item {}", plain(index)),
        ExecutionError::DuplicateKey(key) => format!("the key {} stands twice in one object", plain(key)),
        ExecutionError::FunctionError { function, message } => {
            let message = message.lines().next().unwrap_or_default();
            format!("{function}(): {message}")
        }
        ExecutionError::UnsupportedKeyType(key) => format!("a value of type {} cannot be a key", type_of(key)),
        ExecutionError::UnsupportedIndex(index, list) => {
            format!(
                "a value of type {} is not indexed with {}",
                type_of(list),
                type_of(index)
            )
        }
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("{expected} arguments are needed, {actual} are given")
        }
        _ => "it cannot be evaluated".to_owned(),
    }
}

/// A function or operator that does not take arguments of these types.
fn operation(function: &str, types: &[String], member: bool) -> String {
    let sign = match function {
        "_[_]" => {
            return format!(
                "a value of type {} is not indexed with {}",
                name(types, 0),
                name(types, 1)
            );
        }
        "_._" => return format!("a value of type {} has no fields", name(types, 0)),
        "@in" => "in",
        "!_" => "!",
        "-_" => "-",
        other => other.trim_matches('_'),
    };
    let numbers = |t: &String| matches!(t.as_str(), "int" | "uint" | "double");
    let ordering = matches!(sign, "<" | "<=" | ">" | ">=");
    let operator = sign == "in" || sign.chars().all(|c| c.is_ascii_punctuation());
    match types {
        [left, right] if ordering && numbers(left) && numbers(right) => "NaN cannot be compared".to_owned(),
        [left, right] if operator => {
            let advice = if left != right && numbers(left) && numbers(right) {
                ": convert with double() or int()"
            } else if sign == "+" && [left, right].into_iter().any(|t| t == "string") {
                ": convert with string()"
            } else {
                ""
            };
            format!("{left} {sign} {right} does not exist{advice}")
        }
        [only] if operator => format!("{sign}{only} does not exist"),
        [target, rest @ ..] if member => format!("{target}.{sign}({}) does not exist", rest.join(", ")),
        _ => format!("{sign}({}) does not exist", types.join(", ")),
    }
}

fn name(types: &[String], index: usize) -> &str {
    types.get(index).map_or("unknown", String::as_str)
}

/// The CEL name of a value's type.
fn type_of(value: &Value) -> String {
    match value {
        Value::Float(_) => "double".to_owned(),
        other => other.type_of().to_string(),
    }
}

/// A short value as text, a long one by its type.
fn plain(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::String(value) if value.len() <= 64 => format!("\"{value}\""),
        other => format!("of type {}", type_of(other)),
    }
}
