//! Compiling and evaluating one expression.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, EntryExpr, Expr};
use cel::common::types::{CelList, CelMap, CelMapKey, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::parser::PrattParser;
use cel::{Context, Env, ExecutionError, IdedExpr};
use serde_json::Value;

use super::names::Names;
use super::value::{compare_keys, to_json};
use super::{Variables, cost, errors, scan};
use crate::api::sentence;

/// The longest expression, in characters.
pub const MAX_EXPRESSION: usize = 1024;

/// How many levels an expression may have: brackets, conditionals, and operators in one chain (`a + b + c` has two, `&&` and `||` count little).
///
/// Evaluating takes up to 40 KiB of stack a level where nothing is optimised; threads have 2 MiB.
pub const MAX_DEPTH: usize = 32;

/// Puts a map's keys in order before a comprehension goes over them: a hash map's own order differs from run to run. Cannot be written by users.
pub(super) const ORDERED: &str = "@ordered";

static NONE: BTreeSet<String> = BTreeSet::new();

/// The functions there are, or why they could not be declared.
static ENVIRONMENT: LazyLock<Result<Arc<Env>, String>> = LazyLock::new(|| {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    env.add_overload("json", "json_dyn", vec![DYN_TYPE], json)
        .map_err(|e| e.to_string())?;
    env.add_overload(ORDERED, "ordered_dyn", vec![DYN_TYPE], ordered)
        .map_err(|e| e.to_string())?;
    Ok(Arc::new(env))
});

/// A compiled expression. Cheap to evaluate many times, from several threads.
#[derive(Debug)]
pub struct Expression {
    tree: IdedExpr,
    names: Names,
}

impl Expression {
    /// Parses `source`, of at most [`MAX_EXPRESSION`] characters and [`MAX_DEPTH`] levels.
    ///
    /// # Errors
    /// One sentence for people: what is wrong and where in `source` (column).
    pub fn compile(source: &str) -> Result<Self, String> {
        let length = source.chars().count();
        if length > MAX_EXPRESSION {
            return Err(format!("it has {length} characters, and {MAX_EXPRESSION} are allowed"));
        }
        if source.trim().is_empty() {
            return Err("the expression is empty".to_owned());
        }
        // Before parsing: the parser goes as deep as its input.
        if scan::depth(source) > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut tree = PrattParser::new()
            .parse(source)
            .map_err(|e| sentence(&errors::parsing(source, &e)).into_owned())?;
        if is_deeper(&tree, MAX_DEPTH) {
            return Err(too_deep());
        }
        let names = Names::of(&tree).map_err(|message| sentence(&message).into_owned())?;
        if names.loops {
            if cost::steps(&tree, None) > cost::MAX_STEPS {
                return Err(too_costly());
            }
            order_ranges(&mut tree);
        }
        Ok(Self { tree, names })
    }

    /// The names of fields that the expression reads of the variable `root`: `a` and `b` for `parameters.a + parameters["b"]`, `has(parameters.a)` too.
    /// A dynamic index (`parameters[x]`) is refused by [`Expression::compile`]; for the use of `root` as a whole see [`Expression::uses_whole`].
    pub fn fields_of(&self, root: &str) -> &BTreeSet<String> {
        self.names.fields.get(root).unwrap_or(&NONE)
    }

    /// Those of these fields that the expression asks for by `has(...)`.
    pub fn tested_of(&self, root: &str) -> &BTreeSet<String> {
        self.names.tested.get(root).unwrap_or(&NONE)
    }

    /// Whether the variable `root` is used as a whole, e.g. in `json(parameters)` or `"a" in parameters`: then which of its fields are read is not known.
    pub fn uses_whole(&self, root: &str) -> bool {
        self.names.whole.contains(root)
    }

    /// The free variables (not those that comprehensions bind).
    pub fn variables(&self) -> &BTreeSet<String> {
        &self.names.variables
    }

    /// Evaluates to any JSON.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn evaluate(&self, variables: &Variables) -> Result<Value, String> {
        self.with_value(variables, to_json)
    }

    /// Evaluates to a bool.
    ///
    /// # Errors
    /// One sentence for people; what evaluates to something else than a bool among it.
    pub fn evaluate_bool(&self, variables: &Variables) -> Result<bool, String> {
        self.with_value(variables, |value| match to_json(value) {
            Ok(Value::Bool(value)) => Ok(value),
            _ => Err(format!(
                "it gives a value of type {}, and a bool is needed",
                type_name(value)
            )),
        })
    }

    /// Evaluates to a number, an int being converted.
    ///
    /// # Errors
    /// One sentence for people; what evaluates to no number among it.
    pub fn evaluate_number(&self, variables: &Variables) -> Result<f64, String> {
        self.with_value(variables, |value| match to_json(value)? {
            Value::Number(number) => number
                .as_f64()
                .ok_or_else(|| format!("{number} is no number that a double can hold")),
            _ => Err(format!(
                "it gives a value of type {}, and a number is needed",
                type_name(value)
            )),
        })
    }

    /// At most how many steps evaluating takes; 16 million are about a second.
    pub fn steps(&self, variables: &Variables) -> u64 {
        cost::steps(&self.tree, Some(variables))
    }

    fn with_value<T>(
        &self,
        variables: &Variables,
        take: impl FnOnce(&dyn Val) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.names.loops && cost::steps(&self.tree, Some(variables)) > cost::MAX_STEPS {
            return Err(too_costly());
        }
        let mut context = Context::with_env(Arc::clone(ENVIRONMENT.as_ref()?));
        context.set_variable_resolver(variables);
        let value = cel::Value::resolve_val(&self.tree, &context)
            .map_err(|error| errors::evaluating(&error, |key| self.path_of(key, variables)))
            .map_err(|message| sentence(&message).into_owned())?;
        take(value.as_ref())
    }

    /// Where the expression reads the missing field `key`: `parameters.key`.
    fn path_of(&self, key: &str, variables: &Variables) -> Option<String> {
        let lacks = |root: &str| {
            variables
                .get(root)
                .and_then(|value| value.downcast_ref::<CelMap>())
                .is_some_and(|map| !map.inner().contains_key(&CelMapKey::from(key.to_owned())))
        };
        let (root, _) = self
            .names
            .fields
            .iter()
            .find(|(root, fields)| fields.contains(key) && lacks(root))?;
        Some(format!("{root}.{key}"))
    }
}

fn too_deep() -> String {
    format!(
        "it is nested more than {MAX_DEPTH} levels deep; put a long chain of operators in brackets, (a + b) + (c + d)"
    )
}

fn too_costly() -> String {
    "going over these lists could take too long; make them shorter or nest less".to_owned()
}

/// The CEL name of a value's type.
fn type_name(value: &dyn Val) -> String {
    value.get_type().name().to_owned()
}

/// The expressions directly in `expression`.
fn children(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| parts(&entry.expr)).collect(),
        Expr::Struct(message) => message.entries.iter().flat_map(|entry| parts(&entry.expr)).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
    }
}

fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

/// Whether the tree has more than `levels` levels; without recursion, as it may be any depth.
fn is_deeper(tree: &IdedExpr, levels: usize) -> bool {
    let mut left = vec![(tree, 1)];
    while let Some((expression, level)) = left.pop() {
        if level > levels {
            return true;
        }
        left.extend(children(expression).into_iter().map(|child| (child, level + 1)));
    }
    false
}

/// Lets every comprehension go over its range in order.
fn order_ranges(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Select(select) => order_ranges(&mut select.operand),
        Expr::Call(call) => call
            .target
            .as_deref_mut()
            .into_iter()
            .chain(&mut call.args)
            .for_each(order_ranges),
        Expr::List(list) => list.elements.iter_mut().for_each(order_ranges),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| order_entry(&mut entry.expr)),
        Expr::Struct(message) => message
            .entries
            .iter_mut()
            .for_each(|entry| order_entry(&mut entry.expr)),
        Expr::Comprehension(c) => {
            [&mut c.iter_range, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
                .into_iter()
                .for_each(order_ranges);
            let range = std::mem::take(&mut c.iter_range);
            c.iter_range = IdedExpr {
                id: range.id,
                expr: Expr::Call(CallExpr {
                    func_name: ORDERED.to_owned(),
                    target: None,
                    args: vec![range],
                }),
            };
        }
    }
}

fn order_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::MapEntry(entry) => {
            order_ranges(&mut entry.key);
            order_ranges(&mut entry.value);
        }
        EntryExpr::StructField(field) => order_ranges(&mut field.value),
    }
}

/// `json(x)`: the JSON text of `x`.
fn json<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments
        .into_iter()
        .next()
        .ok_or(ExecutionError::MissingArgumentOrTarget)?;
    let value = to_json(value.as_ref()).map_err(|message| ExecutionError::function_error("json", message))?;
    Ok(CowVal::owned(CelString::from(value.to_string())))
}

/// `@ordered(x)`: the keys of a map in order; anything else as it is.
fn ordered<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments
        .into_iter()
        .next()
        .ok_or(ExecutionError::MissingArgumentOrTarget)?;
    let Some(map) = value.downcast_ref::<CelMap>() else {
        return Ok(value);
    };
    let mut keys: Vec<_> = map.inner().keys().cloned().collect();
    keys.sort_by(compare_keys);
    let keys: Vec<Box<dyn Val + 'v>> = keys
        .into_iter()
        .map(|key| match key {
            CelMapKey::Bool(key) => Box::new(key) as Box<dyn Val + 'v>,
            CelMapKey::Int(key) => Box::new(key),
            CelMapKey::UInt(key) => Box::new(key),
            CelMapKey::String(key) => Box::new(key),
        })
        .collect();
    Ok(CowVal::owned(CelList::from(keys)))
}
