//! A bound on the work of an expression, so that one line in a study cannot keep the program busy: `cel` itself counts nothing.
//!
//! Only comprehensions (`all`, `exists`, `exists_one`, `map`, `filter`) need it: without one, the work is linear in the source's length times the size of what it reads.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::common::types::{CelList, CelMap, CelString};
use cel::common::value::Val;

use super::Variables;
use super::expression::ORDERED;

/// The most steps that an expression may need: a fraction of a second, and some hundred MiB at the worst.
pub(super) const MAX_STEPS: u64 = 4_000_000;

/// What compiling a regular expression costs, in steps.
const REGEX: u64 = 1_000;

/// How many characters or bytes count as one.
const CHARACTERS: u64 = 16;

/// Upper bounds of a value: what it takes to copy it, how many items it has, what it takes to copy the largest item, and the steps to compute it.
#[derive(Clone, Copy)]
struct Bound {
    size: u64,
    items: u64,
    item: u64,
    steps: u64,
}

impl Bound {
    /// A value that has no items, or about which nothing but its size is known.
    const fn opaque(size: u64, steps: u64) -> Self {
        Self {
            size,
            items: size,
            item: size,
            steps,
        }
    }

    const SCALAR: Self = Self::opaque(1, 1);

    fn steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    /// Whichever of the two is larger in each respect.
    fn or(self, other: Self) -> Self {
        Self {
            size: self.size.max(other.size),
            items: self.items.max(other.items),
            item: self.item.max(other.item),
            steps: self.steps.max(other.steps),
        }
    }
}

/// An upper bound of the steps that evaluating `expression` takes. Without `variables`, each counts as the smallest there is.
pub(super) fn steps(expression: &IdedExpr, variables: Option<&Variables>) -> u64 {
    let mut meter = Meter {
        variables,
        bound: Vec::new(),
    };
    meter.expression(expression).steps
}

struct Meter<'e> {
    variables: Option<&'e Variables>,
    bound: Vec<(&'e str, Bound)>,
}

impl<'e> Meter<'e> {
    fn expression(&mut self, expression: &'e IdedExpr) -> Bound {
        match &expression.expr {
            Expr::Literal(LiteralValue::String(text)) => Bound::opaque(of_text(text.inner().len()), 1),
            Expr::Literal(LiteralValue::Bytes(bytes)) => Bound::opaque(of_text(bytes.inner().len()), 1),
            Expr::Literal(_) | Expr::Unspecified | Expr::Struct(_) => Bound::SCALAR,
            Expr::Ident(_) | Expr::Select(_) => self.path(expression),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.collection(list.elements.iter()),
            Expr::Map(map) => self.collection(map.entries.iter().flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => [&entry.key, &entry.value],
                EntryExpr::StructField(field) => [&field.value, &field.value],
            })),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    /// A variable or a field of one: exactly as large as it is, where it can be looked up.
    fn path(&mut self, expression: &'e IdedExpr) -> Bound {
        match &expression.expr {
            Expr::Ident(name) => {
                if let Some((_, bound)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
                    return bound.steps(1);
                }
            }
            Expr::Select(select) if select.test => {
                return Bound::SCALAR.steps(self.expression(&select.operand).steps.saturating_add(1));
            }
            _ => {}
        }
        if let Some(value) = self.value(expression) {
            return of_value(value);
        }
        match &expression.expr {
            Expr::Select(select) => {
                let operand = self.expression(&select.operand);
                Bound::opaque(operand.item, operand.steps.saturating_add(1))
            }
            _ => Bound::SCALAR,
        }
    }

    /// The value that a variable, or a field of one, has.
    fn value(&self, expression: &IdedExpr) -> Option<&'e dyn Val> {
        match &expression.expr {
            Expr::Ident(name) if self.bound.iter().all(|(bound, _)| bound != name) => self.variables?.get(name),
            Expr::Select(select) => {
                let map = self.value(&select.operand)?.downcast_ref::<CelMap>()?;
                let field = cel::common::types::CelMapKey::from(select.field.clone());
                map.inner().get(&field).map(AsRef::as_ref)
            }
            _ => None,
        }
    }

    fn collection(&mut self, parts: impl Iterator<Item = &'e IdedExpr>) -> Bound {
        let mut whole = Bound {
            size: 1,
            items: 0,
            item: 0,
            steps: 1,
        };
        for part in parts {
            let part = self.expression(part);
            whole.size = whole.size.saturating_add(part.size);
            whole.items += 1;
            whole.item = whole.item.max(part.size);
            whole.steps = whole.steps.saturating_add(part.steps).saturating_add(part.size);
        }
        whole
    }

    fn call(&mut self, call: &'e CallExpr) -> Bound {
        let arguments: Vec<Bound> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .map(|e| self.expression(e))
            .collect();
        let steps = arguments.iter().fold(1, |sum: u64, a| sum.saturating_add(a.steps));
        let sizes = arguments.iter().fold(0, |sum: u64, a| sum.saturating_add(a.size));
        let (first, last) = match arguments.as_slice() {
            [] => return Bound::opaque(1, steps),
            [first, .., last] => (*first, *last),
            [only] => (*only, *only),
        };
        match call.func_name.as_str() {
            operators::CONDITIONAL => match arguments.as_slice() {
                [_, yes, no] => yes.or(*no).steps(steps),
                _ => Bound::opaque(sizes, steps),
            },
            operators::ADD => Bound {
                size: sizes,
                items: first.items.saturating_add(last.items),
                item: first.item.max(last.item),
                steps: steps.saturating_add(sizes),
            },
            operators::INDEX => Bound::opaque(first.item, steps),
            "dyn" | ORDERED => first.steps(steps),
            "string" | "bytes" | "json" => {
                Bound::opaque(sizes.saturating_mul(2), steps.saturating_add(sizes.saturating_mul(2)))
            }
            "matches" => Bound::SCALAR.steps(steps.saturating_add(sizes).saturating_add(REGEX)),
            // Everything else gives a number, a bool or a type, having looked at its arguments at most once.
            _ => Bound::SCALAR.steps(steps.saturating_add(sizes)),
        }
    }

    fn comprehension(&mut self, comprehension: &'e ComprehensionExpr) -> Bound {
        let range = self.expression(&comprehension.iter_range);
        let start = self.expression(&comprehension.accu_init);
        let variable = Bound::opaque(range.item, 1);
        let outer = self.bound.len();
        self.bound.push((&comprehension.iter_var, variable));
        self.bound.push((&comprehension.accu_var, start));
        let condition = self.expression(&comprehension.loop_cond);
        let step = self.expression(&comprehension.loop_step);
        self.bound.truncate(outer);
        let round = [range.item, condition.steps, step.steps, step.size, 2]
            .into_iter()
            .fold(0, u64::saturating_add);
        let steps = range
            .steps
            .saturating_add(range.size)
            .saturating_add(range.items.saturating_mul(round));
        // A step adds at most what it gives for an empty start to what is there.
        let size = range.items.saturating_mul(step.size).saturating_add(start.size);
        Bound {
            size,
            items: if step.size <= 1 {
                1
            } else {
                range.items.saturating_mul(step.items.max(1))
            },
            item: step.item.max(1),
            steps,
        }
    }
}

/// The size of a text of this many bytes.
fn of_text(bytes: usize) -> u64 {
    1 + bytes as u64 / CHARACTERS
}

/// The bound of a value that is there.
fn of_value(value: &dyn Val) -> Bound {
    let (items, item, sum) = if let Some(list) = value.downcast_ref::<CelList>() {
        fold(list.inner().iter().map(|item| size(item.as_ref())))
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        fold(
            map.inner()
                .iter()
                .map(|(key, value)| size(key.inner()).saturating_add(size(value.as_ref()))),
        )
    } else {
        return Bound::opaque(size(value), 1);
    };
    Bound {
        size: sum.saturating_add(1),
        items,
        item,
        steps: 1,
    }
}

fn fold(sizes: impl Iterator<Item = u64>) -> (u64, u64, u64) {
    sizes.fold((0, 0, 0), |(items, item, sum), size| {
        (items + 1, item.max(size), size.saturating_add(sum))
    })
}

/// What it takes to copy `value`.
fn size(value: &dyn Val) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return of_text(text.inner().len());
    }
    if value.downcast_ref::<CelList>().is_none() && value.downcast_ref::<CelMap>().is_none() {
        return 1;
    }
    of_value(value).size
}
