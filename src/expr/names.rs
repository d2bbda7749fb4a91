//! What an expression names: variables, their fields, and functions.

use std::collections::{BTreeMap, BTreeSet};

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};

/// How many `all`, `exists`, `exists_one`, `map` and `filter` may be nested in one another's bodies.
pub const MAX_LOOPS: usize = 2;

/// CEL's key words and reserved identifiers.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The functions, each with how it is called.
const FUNCTIONS: [(&str, Style, &str); 15] = [
    ("bool", Style::Global(1), "bool(x)"),
    ("bytes", Style::Global(1), "bytes(x)"),
    ("contains", Style::Member(1), "x.contains(y)"),
    ("double", Style::Global(1), "double(x)"),
    ("dyn", Style::Global(1), "dyn(x)"),
    ("endsWith", Style::Member(1), "x.endsWith(y)"),
    ("int", Style::Global(1), "int(x)"),
    ("json", Style::Global(1), "json(x)"),
    ("matches", Style::Member(1), "x.matches('pattern')"),
    ("matches", Style::Global(2), "matches(x, 'pattern')"),
    ("size", Style::Either, "size(x)"),
    ("startsWith", Style::Member(1), "x.startsWith(y)"),
    ("string", Style::Global(1), "string(x)"),
    ("type", Style::Global(1), "type(x)"),
    ("uint", Style::Global(1), "uint(x)"),
];

/// The macros, which the parser has expanded where they are written rightly.
const MACROS: [(&str, &str); 7] = [
    ("all", "list.all(x, condition)"),
    ("exists", "list.exists(x, condition)"),
    ("existsOne", "list.existsOne(x, condition)"),
    ("exists_one", "list.exists_one(x, condition)"),
    ("filter", "list.filter(x, condition)"),
    ("has", "has(object.field)"),
    ("map", "list.map(x, value)"),
];

/// The names of types, which are values: `type(x) == int`.
const TYPES: [&str; 11] = [
    "bool",
    "bytes",
    "double",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// The largest regular expression, in bytes of its compiled form: it is compiled whenever it is used.
const MAX_REGEX: usize = 256 * 1024;

/// How a function is called, with how many arguments beside its target.
#[derive(Clone, Copy)]
enum Style {
    Global(usize),
    Member(usize),
    Either,
}

/// Whether `name` may not be a parameter's name: CEL's key words and reserved identifiers.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The names in an expression.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Variables that no comprehension binds.
    pub(super) variables: BTreeSet<String>,
    /// The fields read of each of these variables.
    pub(super) fields: BTreeMap<String, BTreeSet<String>>,
    /// Those of the fields that `has(...)` asks for.
    pub(super) tested: BTreeMap<String, BTreeSet<String>>,
    /// Those of the variables that are used as a whole.
    pub(super) whole: BTreeSet<String>,
    /// Whether there is any comprehension.
    pub(super) loops: bool,
}

impl Names {
    /// Collects the names in a parsed expression.
    ///
    /// # Errors
    /// One sentence on what can never be evaluated, or may not be used.
    pub(super) fn of(expression: &IdedExpr) -> Result<Self, String> {
        let mut walk = Walk::default();
        walk.expression(expression)?;
        Ok(walk.names)
    }
}

#[derive(Default)]
struct Walk<'e> {
    names: Names,
    bound: Vec<&'e str>,
    nesting: usize,
}

impl<'e> Walk<'e> {
    fn expression(&mut self, expression: &'e IdedExpr) -> Result<(), String> {
        match &expression.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                if let Some(name) = self.free(name)? {
                    self.names.whole.insert(name.to_owned());
                }
                Ok(())
            }
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.elements.iter().try_for_each(|e| self.expression(e)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key)?;
                    self.expression(&entry.value)
                }
                EntryExpr::StructField(field) => Err(format!("field {} stands outside a message", field.field)),
            }),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(message) => Err(format!(
                "`{}{{...}}` would make a message, which these expressions do not have",
                message.type_name
            )),
            Expr::Unspecified => Err("it is incomplete".to_owned()),
        }
    }

    /// `name` where it is a free variable, which is noted; `None` for a bound one and for a type.
    fn free(&mut self, name: &'e str) -> Result<Option<&'e str>, String> {
        if let Some(rest) = name.strip_prefix('.') {
            return Err(format!("write `{rest}` without the dot before it"));
        }
        if self.bound.contains(&name) || TYPES.contains(&name) {
            return Ok(None);
        }
        self.names.variables.insert(name.to_owned());
        Ok(Some(name))
    }

    fn field(&mut self, root: &str, field: &str) {
        self.names
            .fields
            .entry(root.to_owned())
            .or_default()
            .insert(field.to_owned());
    }

    fn select(&mut self, select: &'e SelectExpr) -> Result<(), String> {
        match &select.operand.expr {
            Expr::Ident(name) => {
                if let Some(root) = self.free(name)? {
                    self.field(root, &select.field);
                    if select.test {
                        let tested = self.names.tested.entry(root.to_owned()).or_default();
                        tested.insert(select.field.clone());
                    }
                }
                Ok(())
            }
            _ => self.expression(&select.operand),
        }
    }

    fn call(&mut self, call: &'e CallExpr) -> Result<(), String> {
        if let (operators::INDEX, [operand, index]) = (call.func_name.as_str(), call.args.as_slice())
            && let Expr::Ident(name) = &operand.expr
            && let Some(root) = self.free(name)?
        {
            return match &index.expr {
                Expr::Literal(LiteralValue::String(field)) => {
                    self.field(root, field.inner());
                    Ok(())
                }
                _ => Err(format!(
                    "{root}[...] takes a name in quotes, e.g. {root}[\"a\"]: which fields are read must be known beforehand"
                )),
            };
        }
        check_function(call)?;
        call.target.iter().try_for_each(|target| self.expression(target))?;
        call.args.iter().try_for_each(|argument| self.expression(argument))
    }

    fn comprehension(&mut self, comprehension: &'e ComprehensionExpr) -> Result<(), String> {
        self.names.loops = true;
        self.expression(&comprehension.iter_range)?;
        self.expression(&comprehension.accu_init)?;
        if self.nesting == MAX_LOOPS {
            return Err(format!(
                "all, exists, exists_one, map and filter may be nested {MAX_LOOPS} deep, not deeper"
            ));
        }
        let outer = self.bound.len();
        self.bound
            .extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
        self.bound.extend(comprehension.iter_var2.as_deref());
        self.nesting += 1;
        [
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ]
        .into_iter()
        .try_for_each(|part| self.expression(part))?;
        self.nesting -= 1;
        self.bound.truncate(outer);
        Ok(())
    }
}

/// Checks that there is such a function, and that it is called as it should be.
fn check_function(call: &CallExpr) -> Result<(), String> {
    let name = call.func_name.as_str();
    // Operators: no name that can be written has these characters.
    if name.contains(['@', '!', '[', '?'])
        || (name.starts_with('_') && name.ends_with('_') && name.len() > 2 && operator(name))
        || name == operators::NEGATE
    {
        return match name {
            operators::OPT_INDEX | operators::OPT_SELECT => {
                Err("optional values (`.?`, `[?...]`) do not exist here".to_owned())
            }
            _ => Ok(()),
        };
    }
    if let Some((_, usage)) = MACROS.iter().find(|(macro_name, _)| *macro_name == name) {
        return Err(format!("{name} is used as `{usage}`"));
    }
    let mut known = FUNCTIONS.iter().filter(|(function, ..)| *function == name).peekable();
    let Some((_, _, usage)) = known.peek().copied() else {
        let names = FUNCTIONS
            .iter()
            .map(|(name, ..)| *name)
            .chain(MACROS.iter().map(|(name, _)| *name));
        return Err(match nearest(name, names) {
            Some(near) => format!("there is no function `{name}`: do you mean `{near}`?"),
            None => format!("there is no function `{name}`"),
        });
    };
    let arguments = call.args.len();
    let right = known.any(|(_, style, _)| match (style, &call.target) {
        (Style::Global(count), None) | (Style::Member(count), Some(_)) => *count == arguments,
        (Style::Either, target) => arguments + usize::from(target.is_some()) == 1,
        _ => false,
    });
    if !right {
        return Err(format!("{name} is called as `{usage}`"));
    }
    if name == "matches" { check_regex(call) } else { Ok(()) }
}

/// Whether `name` is an operator's function, such as `_+_`.
fn operator(name: &str) -> bool {
    name.trim_matches('_').chars().all(|c| c.is_ascii_punctuation())
}

/// A regular expression must be known beforehand, so that it is checked, and small.
fn check_regex(call: &CallExpr) -> Result<(), String> {
    let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|pattern| &pattern.expr) else {
        return Err("the pattern of matches must be written out in quotes".to_owned());
    };
    match regex::RegexBuilder::new(pattern.inner()).size_limit(MAX_REGEX).build() {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err(format!("the pattern '{}' of matches is too large", pattern.inner()))
        }
        Err(error) => {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("'{}' is no regular expression: {reason}", pattern.inner()))
        }
    }
}

/// The nearest of `names` to a mistyped `name`, if any is near.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let length = lower.chars().count();
    names
        // What differs more in length is not near; comparing takes as much memory as both lengths multiplied.
        .filter(|known| known.chars().count().abs_diff(length) <= known.len() / 3 + 1)
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= known.len() / 3 + 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
