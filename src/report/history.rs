//! What an earlier study found, out of its `study_results.csv`, as far as it is of use to a study with another space.
//!
//! A column is a parameter's by its name, and stands before `Objective`; a metric's stands behind it. Whatever the file holds, nothing here panics.

use std::collections::{BTreeSet, HashMap};

use csv::ByteRecord;
use serde_json::Value;

use super::{
    columns::{FIXED, cell},
    reread::metric,
};
use crate::{
    space::{Config, Slot, Space},
    study::{Counts, MOST_EARLIER, Past, Study, kept},
};

/// Why a file is no table of results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Nothing is in it.
    #[error("it is empty: give a study_results.csv")]
    Empty,
    /// Its first line is no text.
    #[error("its line 1 is not UTF-8: give a study_results.csv, or save the table as UTF-8 with commas")]
    NotText,
    /// A column is missing.
    #[error(
        "its line 1 has no column `{0}`: give a study_results.csv, whose first line names the columns, separated by commas"
    )]
    NoColumn(&'static str),
    /// A column that counts is there twice.
    #[error("its line 1 has the column `{0}` twice: take one of them out of the table")]
    Twice(String),
}

/// What a table gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The results that can be used, in their order: the best and the newest of them where they are many.
    pub past: Vec<Past>,
    /// What became of all of them.
    pub counts: Counts,
}

/// The results in the table `bytes` that are of use to `study`.
///
/// # Errors
/// It is no table of results. A row that cannot be used is left out and counted.
pub fn results_of(study: &Study, bytes: &[u8]) -> Result<Found, TableError> {
    let mut record = ByteRecord::new();
    let mut reader = reader(bytes);
    // Reading from memory never fails; where it says so, there is no more.
    if !reader.read_byte_record(&mut record).unwrap_or(false) {
        return Err(TableError::Empty);
    }
    let header: Option<Vec<&str>> = record.iter().map(|name| std::str::from_utf8(name).ok()).collect();
    let mut table = Table::of(study, &header.ok_or(TableError::NotText)?)?;
    let width = record.len();
    table.look_for_metrics(bytes);
    let mut found = Found::default();
    let counts = &mut found.counts;
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        let row = match record.len() == width {
            true => table.row(&record),
            false => Row::Unreadable,
        };
        if row != Row::Intermediate {
            counts.trials += 1;
        }
        match row {
            Row::Of(past) => {
                counts.used += 1;
                found.past.push(past);
                if found.past.len() >= 4 * MOST_EARLIER {
                    found.past = kept(study, std::mem::take(&mut found.past));
                }
            }
            Row::Intermediate => {}
            Row::Outside => counts.outside += 1,
            Row::Without => counts.without += 1,
            Row::Foreign => counts.foreign += 1,
            Row::Unreadable => {
                if counts.unreadable == 0 {
                    counts.first_line = record.position().map_or(0, csv::Position::line);
                }
                counts.unreadable += 1;
            }
        }
    }
    found.past = kept(study, found.past);
    Ok(found)
}

fn reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(bytes)
}

/// What a row gives.
#[derive(Clone, Debug, PartialEq)]
enum Row {
    /// A result.
    Of(Past),
    /// A report on the way to one.
    Intermediate,
    /// Its configuration is none of the space.
    Outside,
    /// It ended without a result.
    Without,
    /// It has none of the parameters.
    Foreign,
    /// It has another number of cells than the first line, or one that makes no sense.
    Unreadable,
}

/// What a table's columns are.
struct Table<'a> {
    study: &'a Study,
    status: usize,
    objective: usize,
    /// The column of each parameter, in declared order, where it has one, and how its cells are read.
    parameters: Vec<(Option<usize>, Cells)>,
    /// What stands for each parameter that has no value: its default.
    defaults: Vec<Slot>,
    /// The metrics of the objective that the table has.
    metrics: Vec<(String, usize)>,
    /// Whether they give the objective; else what the table calls so does.
    has_own: bool,
}

impl<'a> Table<'a> {
    fn of(study: &'a Study, header: &[&str]) -> Result<Self, TableError> {
        let objective = find("Objective", header)?.ok_or(TableError::NoColumn("Objective"))?;
        let (before, behind) = header.split_at(objective);
        let status = find("Status", before)?.ok_or(TableError::NoColumn("Status"))?;
        let space = &study.space;
        let mut parameters = Vec::with_capacity(space.parameters().len());
        let mut defaults = Vec::with_capacity(space.parameters().len());
        for (slot, parameter) in space.parameters().iter().enumerate() {
            let name = &parameter.name;
            let column = match FIXED.contains(&name.as_str()) {
                true => find(&format!("parameter.{name}"), before)?,
                false => find(name, before)?,
            };
            parameters.push((column, Cells::of(space, slot)));
            let default = parameter.constant.as_ref().or(parameter.default.as_ref());
            let default = default.and_then(|value| space.value_of(slot, value));
            defaults.push(default.unwrap_or(Slot::Inactive));
        }
        let taken: BTreeSet<&str> = FIXED.iter().chain(before).copied().collect();
        // The first of these columns is `Objective`, which is no metric's.
        let names: Vec<&str> = behind.iter().skip(1).map(|column| metric(column, &taken)).collect();
        let mut metrics = Vec::new();
        for name in study.objective.metrics() {
            let at = find(name, &names)?;
            metrics.extend(at.map(|at| (name.to_owned(), objective + 1 + at)));
        }
        Ok(Self {
            study,
            status,
            objective,
            parameters,
            defaults,
            metrics,
            has_own: false,
        })
    }

    /// Finds out whether the metrics give the objective in any row. They say more than an `Objective` whose goal may have been another.
    fn look_for_metrics(&mut self, bytes: &[u8]) {
        let mut record = ByteRecord::new();
        let mut reader = reader(bytes);
        while !self.metrics.is_empty() && !self.has_own && reader.read_byte_record(&mut record).unwrap_or(false) {
            let ended = matches!(text(&record, self.status), Some("COMPLETED" | "STOPPED"));
            self.has_own = ended && self.own(&record).is_some();
        }
    }

    /// The objective over the metrics of a row.
    fn own(&self, record: &ByteRecord) -> Option<f64> {
        let metrics = self.metrics.iter();
        let metrics = metrics.filter_map(|(name, at)| Some((name.clone(), number(text(record, *at)?)?)));
        self.study.objective.over(&metrics.collect())
    }

    fn row(&self, record: &ByteRecord) -> Row {
        let objective = match text(record, self.status) {
            Some("INTERMEDIATE") => return Row::Intermediate,
            Some("FAILED") => None,
            Some("COMPLETED" | "STOPPED") => {
                let value = match self.has_own {
                    true => self.own(record),
                    false => text(record, self.objective).and_then(number),
                };
                if value.is_none() {
                    return Row::Without;
                }
                value
            }
            _ => return Row::Unreadable,
        };
        let space = &self.study.space;
        let mut slots = Vec::with_capacity(self.parameters.len());
        let mut given = Vec::with_capacity(self.parameters.len());
        for ((at, cells), default) in self.parameters.iter().zip(&self.defaults) {
            let Some(text) = at.map_or(Some(""), |at| text(record, at)) else {
                return Row::Unreadable;
            };
            given.push(!text.is_empty());
            slots.push(match cells.value(text) {
                Read::Value(value) => space.value_of(slots.len(), &value).ok_or(Row::Outside),
                Read::Nothing => Ok(*default),
                Read::Other => Err(Row::Outside),
                Read::Nonsense => Err(Row::Unreadable),
            });
        }
        match self.configuration(&slots, &given) {
            Ok(config) => Row::Of(Past { config, objective }),
            Err(row) => row,
        }
    }

    /// The configuration with these slots. What is wrong with one that is inactive here does not matter.
    fn configuration(&self, slots: &[Result<Slot, Row>], given: &[bool]) -> Result<Config, Row> {
        let space = &self.study.space;
        let any = |(at, slot): (usize, &Result<Slot, Row>)| match slot {
            Ok(slot) => *slot,
            Err(_) => space.value_at(at, 0.5),
        };
        let slots_or_any: Vec<Slot> = slots.iter().enumerate().map(any).collect();
        let config = space.configuration(&slots_or_any);
        for (slot, used) in slots.iter().zip(&config.0) {
            if let (Err(row), true) = (slot, used.is_active()) {
                return Err(row.clone());
            }
        }
        let is_searched = |at: usize| space.parameters().get(at).is_some_and(|p| p.constant.is_none());
        let mut used = config.0.iter().zip(given).enumerate();
        if !used.any(|(at, (slot, given))| *given && slot.is_active() && is_searched(at)) {
            return Err(Row::Foreign);
        }
        space.is_feasible(&config).then_some(config).ok_or(Row::Outside)
    }
}

/// The text of a cell; `None` where it is no text.
fn text(record: &ByteRecord, at: usize) -> Option<&str> {
    std::str::from_utf8(record.get(at).unwrap_or_default()).ok()
}

/// The place of the column with that name.
fn find(name: &str, columns: &[&str]) -> Result<Option<usize>, TableError> {
    let mut found = (0..)
        .zip(columns)
        .filter(|(_, column)| **column == name)
        .map(|(at, _)| at);
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(TableError::Twice(name.to_owned())),
        (first, None) => Ok(first),
    }
}

/// How the cells of one parameter are read.
enum Cells {
    /// As numbers, whole ones only.
    Whole,
    /// As numbers.
    Numbers,
    /// As one of these values, by what stands in a cell for it.
    Values(HashMap<String, Value>),
}

/// What a cell says.
enum Read {
    /// A value, which may lie outside the space.
    Value(Value),
    /// Nothing: the parameter was inactive, or not there.
    Nothing,
    /// None of the values.
    Other,
    /// No number, or none that is finite.
    Nonsense,
}

impl Cells {
    fn of(space: &Space, slot: usize) -> Self {
        let Some(parameter) = space.parameters().get(slot) else {
            return Self::Numbers;
        };
        if parameter.int.is_some() {
            return Self::Whole;
        }
        let constant = parameter.constant.iter();
        let ordinal = parameter.ordinal.iter().flat_map(|ordinal| &ordinal.values);
        let categorical = parameter.categorical.iter().flat_map(|categorical| &categorical.values);
        let mut values = HashMap::new();
        for value in constant.chain(ordinal).chain(categorical) {
            // Of a number and the same as text, the first is meant.
            values.entry(cell(value).into_owned()).or_insert_with(|| value.clone());
        }
        if values.is_empty() {
            Self::Numbers
        } else {
            Self::Values(values)
        }
    }

    fn value(&self, text: &str) -> Read {
        match self {
            Self::Values(values) => match values.get(text) {
                Some(value) => Read::Value(value.clone()),
                None if text.is_empty() => Read::Nothing,
                // As other programs write them: 16.0 for 16, True for true.
                None => match (number(text), text) {
                    (Some(number), _) => Read::Value(Value::from(number)),
                    (None, "True" | "TRUE") => Read::Value(Value::Bool(true)),
                    (None, "False" | "FALSE") => Read::Value(Value::Bool(false)),
                    _ => Read::Other,
                },
            },
            _ if text.trim().is_empty() => Read::Nothing,
            Self::Whole => {
                let whole = text.trim().parse::<i64>().ok().map(Value::from);
                let value = whole.or_else(|| number(text).map(Value::from));
                value.map_or(Read::Nonsense, Read::Value)
            }
            Self::Numbers => number(text).map_or(Read::Nonsense, |number| Read::Value(Value::from(number))),
        }
    }
}

/// A finite number.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
pub(super) mod tests;
