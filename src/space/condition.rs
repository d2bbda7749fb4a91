//! Conditions (`when`) and constraints: CEL over a configuration.

use serde_json::{Map, Value};

use super::{Slot, Space};
use crate::expr::{Expression, Variables};

/// The variable that holds the parameters.
const ROOT: &str = "parameters";

/// A compiled expression over the parameters.
#[derive(Debug)]
pub(super) struct Condition {
    source: String,
    expression: Expression,
    /// The slots that it reads.
    reads: Box<[usize]>,
    /// Those of them that may be inactive, as it asks for them by `has(...)`.
    optional: Box<[usize]>,
}

impl Condition {
    /// Compiles `source` over parameters of these names, each with its slot, in alphabetical order.
    ///
    /// # Errors
    /// A sentence for each thing that is wrong.
    pub(super) fn compile(source: &str, names: &[(String, usize)]) -> Result<Self, Vec<String>> {
        let expression = Expression::compile(source).map_err(|message| vec![message])?;
        let known = |name: &str| names.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok();
        let mut wrong = Vec::new();
        for variable in expression.variables().iter().filter(|variable| *variable != ROOT) {
            wrong.push(match known(variable) {
                Some(_) => format!("`{variable}` is not known here: write `{ROOT}.{variable}`"),
                None => format!("`{variable}` is not known here: an expression reads `{ROOT}.<name>` and nothing else"),
            });
        }
        if expression.uses_whole(ROOT) {
            wrong.push(format!(
                "`{ROOT}` cannot be used as a whole here: name the parameters, e.g. `{ROOT}.<name>`"
            ));
        }
        let mut reads = Vec::new();
        for field in expression.fields_of(ROOT) {
            match known(field).and_then(|at| names.get(at)) {
                Some((_, slot)) => reads.push(*slot),
                None => wrong.push(unknown(field, names)),
            }
        }
        if wrong.is_empty() && reads.is_empty() {
            wrong.push(format!(
                "`{source}` reads no parameter, so it is always the same: leave it out"
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            source: source.to_owned(),
            expression,
            reads: reads.into(),
            optional: Box::default(),
        })
    }

    /// The same, evaluated also where a parameter is inactive that it asks for by `has(...)`.
    pub(super) fn guarded(mut self, names: &[(String, usize)]) -> Self {
        let tested = self.expression.tested_of(ROOT);
        let slots = names
            .iter()
            .filter(|(name, _)| tested.contains(name))
            .map(|(_, slot)| *slot);
        self.optional = slots.collect();
        self
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The slots that it reads.
    pub(super) fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// At most how many steps that takes which [`Condition::evaluate`] does.
    pub(super) fn steps(&self, space: &Space, slots: &[Slot]) -> u64 {
        self.fields(space, slots).map_or(0, |fields| {
            let mut variables = Variables::default();
            variables.set(ROOT, &fields);
            self.expression.steps(&variables)
        })
    }

    /// What it says of `slots`; `None` where it reads an inactive parameter that it does not ask for.
    pub(super) fn evaluate(&self, space: &Space, slots: &[Slot]) -> Option<Result<bool, String>> {
        let fields = self.fields(space, slots)?;
        let mut variables = Variables::default();
        variables.set(ROOT, &fields);
        Some(self.expression.evaluate_bool(&variables))
    }

    /// The part of a configuration that it reads, as an object; `None` where some of it is inactive.
    pub(super) fn fields(&self, space: &Space, slots: &[Slot]) -> Option<Value> {
        let mut fields = Map::new();
        for &at in &self.reads {
            let Some(value) = space.axes.get(at)?.write(*slots.get(at)?) else {
                if self.optional.contains(&at) {
                    continue;
                }
                return None;
            };
            fields.insert(space.parameters.get(at)?.name.clone(), value);
        }
        Some(Value::Object(fields))
    }
}

/// A sentence about a name that no parameter has, with the nearest that one has.
pub(super) fn unknown(name: &str, names: &[(String, usize)]) -> String {
    let nearest = names
        .iter()
        // What is much longer than any name is none, and takes long to compare.
        .filter(|_| name.len() <= 256)
        .map(|(known, _)| (strsim::jaro_winkler(name, known), known))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, nearest)) => format!("there is no parameter `{name}`: do you mean `{nearest}`?"),
        None => format!("there is no parameter `{name}`"),
    }
}

/// The slots in an order in which each comes after all that its condition reads.
///
/// # Errors
/// The slots of a cycle, in its order.
pub(super) fn order(conditions: &[Option<Condition>]) -> Result<Vec<usize>, Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let reads = |slot: usize| {
        conditions
            .get(slot)
            .and_then(Option::as_ref)
            .map_or(&[][..], |c| c.reads())
    };
    let mut marks = vec![Mark::New; conditions.len()];
    let mut order = Vec::with_capacity(conditions.len());
    for root in 0..conditions.len() {
        if marks[root] != Mark::New {
            continue;
        }
        // slots being visited, each with how many of its reads have been looked at
        let mut path = vec![(root, 0)];
        marks[root] = Mark::Open;
        while let Some((slot, looked)) = path.last_mut() {
            let (slot, next) = (*slot, reads(*slot).get(*looked).copied());
            *looked += 1;
            match next {
                Some(next) if marks[next] == Mark::New => {
                    marks[next] = Mark::Open;
                    path.push((next, 0));
                }
                Some(next) if marks[next] == Mark::Open => {
                    return Err(path
                        .iter()
                        .map(|&(slot, _)| slot)
                        .skip_while(|&slot| slot != next)
                        .collect());
                }
                Some(_) => {}
                None => {
                    marks[slot] = Mark::Done;
                    order.push(slot);
                    path.pop();
                }
            }
        }
    }
    Ok(order)
}
