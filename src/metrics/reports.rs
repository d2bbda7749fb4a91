//! From a file's content to the reports in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    MAX_VALUES, MetricsError, Report,
    json::{Document, Entry, Object, too_many_values},
};

/// The key whose number is a report's iteration.
const EPOCHS: &str = "epochs";

/// What a file says, report by report.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// At least one.
    pub reports: Vec<Report>,
    /// What stands behind keys that have, at least once, something else than a number.
    pub others: BTreeMap<String, &'static str>,
}

impl Reports {
    /// # Errors
    /// `MetricsTooLarge`: a number beside a long list is repeated for each of its entries, and a few of each would fill any memory.
    pub fn of(document: Document) -> Result<Self, MetricsError> {
        match document {
            Document::One(object) => Self::of_history(object),
            Document::Lines(objects) => Ok(Self::of_lines(objects)),
        }
    }

    /// All names in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut seen = BTreeSet::new();
        let numbers = self.reports.iter().flat_map(|r| r.metrics.keys());
        numbers
            .chain(self.others.keys())
            .map(String::as_str)
            .filter(move |name| seen.insert(*name))
    }

    fn of_lines(objects: Vec<Object>) -> Self {
        let mut all = Self::default();
        for (i, object) in objects.into_iter().enumerate() {
            let mut metrics = BTreeMap::new();
            for (name, entry) in object {
                match entry {
                    Entry::Number(number) => {
                        metrics.insert(name, number);
                    }
                    Entry::Numbers(_) => {
                        all.others
                            .insert(name, "a list (in JSON Lines each line has one number)");
                    }
                    Entry::Other(found) => {
                        all.others.insert(name, found);
                    }
                }
            }
            all.reports.push(Report {
                iteration: iteration(&metrics, i),
                metrics,
            });
        }
        all
    }

    /// One object: a report, or as many as its longest list has entries.
    fn of_history(object: Object) -> Result<Self, MetricsError> {
        let mut scalars = BTreeMap::new();
        let mut lists = BTreeMap::new();
        let mut others = BTreeMap::new();
        for (name, entry) in object {
            match entry {
                Entry::Number(number) => {
                    scalars.insert(name, number);
                }
                Entry::Numbers(list) => {
                    lists.insert(name, list);
                }
                Entry::Other(found) => {
                    others.insert(name, found);
                }
            }
        }
        let count = lists.values().map(Vec::len).max().unwrap_or(1);
        let listed: usize = lists.values().map(Vec::len).sum();
        if scalars
            .len()
            .saturating_add(1)
            .saturating_mul(count)
            .saturating_add(listed)
            > 2 * MAX_VALUES
        {
            return Err(too_many_values());
        }
        let mut reports = Vec::with_capacity(count);
        for i in 0..count {
            let mut metrics = scalars.clone();
            for (name, list) in &lists {
                if let Some(number) = list.get(i) {
                    metrics.insert(name.clone(), *number);
                }
            }
            // A single `epochs` beside lists says how far the training went in all: of the last report.
            let is_total = i + 1 < count && !lists.contains_key(EPOCHS);
            reports.push(Report {
                iteration: if is_total { place(i) } else { iteration(&metrics, i) },
                metrics,
            });
        }
        Ok(Self { reports, others })
    }
}

fn iteration(metrics: &BTreeMap<String, f64>, index: usize) -> f64 {
    metrics
        .get(EPOCHS)
        .copied()
        .filter(|epochs| epochs.is_finite())
        .unwrap_or_else(|| place(index))
}

/// The place from 1 of the report with `index` from 0; far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn place(index: usize) -> f64 {
    (index + 1) as f64
}
