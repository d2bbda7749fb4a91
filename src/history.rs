//! What earlier studies found, put together from their tables and recorded in the study's own folder.
//!
//! Recorded once, before the first trial: what becomes of the sources afterwards does not change the study.

use crate::{
    api::ObjectVersion,
    report::{self, HISTORY_JSON, Record, RecordError, TableError},
    storage::{Condition, Location, StorageError, Store},
    study::{Earlier, Past, Source, Study, table_of},
};

/// The largest table, and the largest record, that is read, in bytes.
pub const MAX_TABLE: usize = 64 << 20;

/// Why what earlier studies found cannot be told. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A source is not there.
    #[error("{place}: there is no {at}: run that study first, or mend the entry")]
    Missing {
        /// The entry's place in the study's spec.
        place: String,
        /// What is not there.
        at: String,
    },
    /// A source is too large.
    #[error("{place}: {at} has more than 64 MiB: take rows out of it")]
    TooLarge {
        /// The entry's place in the study's spec.
        place: String,
        /// What is too large.
        at: String,
    },
    /// A source is no table.
    #[error("{place}: {source_name} cannot be used: {error}")]
    NoTable {
        /// The entry's place in the study's spec.
        place: String,
        /// The source.
        source_name: String,
        /// Why.
        error: TableError,
    },
    /// A source cannot be read, for another reason.
    #[error("{place}: {message}")]
    Unreadable {
        /// The entry's place in the study's spec.
        place: String,
        /// Why, as a sentence.
        message: String,
    },
    /// The record in the study's own folder cannot be used.
    #[error("{at} cannot be used: {error}; take it away, and the study goes on without what earlier studies found")]
    BadRecord {
        /// The record.
        at: String,
        /// Why.
        error: RecordError,
    },
    /// The study's own storage does not work.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What is put together from one source after another.
#[derive(Debug)]
pub struct Gathering<'a> {
    study: &'a Study,
    past: Vec<Past>,
    used: usize,
    notes: Vec<String>,
}

impl<'a> Gathering<'a> {
    /// Nothing yet.
    pub fn new(study: &'a Study) -> Self {
        Self {
            study,
            past: Vec::new(),
            used: 0,
            notes: Vec::new(),
        }
    }

    /// The place in the study's spec of the source that comes next.
    pub fn place(&self) -> String {
        place(self.notes.len())
    }

    /// Adds the next source, whose table is `bytes`.
    ///
    /// # Errors
    /// It is no table.
    pub fn add(&mut self, source: &Source, bytes: &[u8]) -> Result<(), HistoryError> {
        let found = report::results_of(self.study, bytes).map_err(|error| HistoryError::NoTable {
            place: self.place(),
            source_name: source.to_string(),
            error,
        })?;
        self.notes.push(found.counts.tell(source));
        self.used = self.used.saturating_add(found.counts.used);
        self.past.extend(found.past);
        Ok(())
    }

    /// All that was found.
    pub fn finish(self) -> Earlier {
        Earlier::new(self.study, self.past, self.used, self.notes.join("; "))
    }
}

/// The place in a study's spec of its source number `index`, from 0.
fn place(index: usize) -> String {
    format!("spec.history.from[{index}]")
}

/// The object with the table at `address`.
///
/// # Errors
/// It is no address.
pub fn location(address: &str) -> Result<Location, StorageError> {
    let wrong = |_| StorageError::BadName { at: address.to_owned() };
    address.parse().map_err(wrong)
}

/// The address of the table of the study `name` below the output path of `study`.
pub fn table_beside(study: &Study, name: &str) -> String {
    let folder = study.folder();
    let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    table_of(&format!("{parent}/{name}"))
}

/// Reads the table at `at` for the entry at `place`.
///
/// # Errors
/// It is not there, too large, or cannot be read.
pub async fn table(store: &Store, at: &Location, place: String) -> Result<Vec<u8>, HistoryError> {
    match store.read(at, MAX_TABLE).await {
        Ok(Some(object)) => Ok(object.bytes),
        Ok(None) => Err(HistoryError::Missing {
            place,
            at: at.to_string(),
        }),
        Err(StorageError::TooLarge { .. }) => Err(HistoryError::TooLarge {
            place,
            at: at.to_string(),
        }),
        Err(error) => Err(HistoryError::Unreadable {
            place,
            message: error.to_string(),
        }),
    }
}

/// What a study's folder says.
#[derive(Debug)]
pub enum Recorded {
    /// This.
    Here(Earlier),
    /// Nothing that counts: the sources have to be read. With the version of what is there and does not count.
    Not(Option<ObjectVersion>),
}

/// What is recorded in the study's folder. `is_new` is whether it has no trial yet: then a record of an
/// older spec does not count, and afterwards one that is gone is not made again.
///
/// # Errors
/// It cannot be used; storage fails.
pub async fn recorded(store: &Store, folder: &Location, study: &Study, is_new: bool) -> Result<Recorded, HistoryError> {
    let at = record_in(folder)?;
    let bad = |error| HistoryError::BadRecord {
        at: at.to_string(),
        error,
    };
    let Some(object) = store.read(&at, MAX_TABLE).await? else {
        if is_new {
            return Ok(Recorded::Not(None));
        }
        let note = format!("{at} is gone: what earlier studies found is not known any more");
        return Ok(Recorded::Here(Earlier::new(study, Vec::new(), 0, note)));
    };
    match Record::read(&object.bytes) {
        Ok(record) if !is_new || record.generation == study.generation => {
            Ok(Recorded::Here(record.earlier(study).map_err(bad)?))
        }
        Err(error) if !is_new => Err(bad(error)),
        _ => Ok(Recorded::Not(Some(object.version))),
    }
}

/// Records `earlier` in the study's folder, in the place of `before`, and gives it as it will be read from there.
///
/// # Errors
/// Storage fails, or something else is there by now.
pub async fn record(
    store: &Store,
    folder: &Location,
    study: &Study,
    earlier: &Earlier,
    before: Option<&ObjectVersion>,
) -> Result<Earlier, HistoryError> {
    let at = record_in(folder)?;
    let mut record = Record::of(study, earlier);
    let condition = before.map_or(Condition::Absent, Condition::Is);
    store.put_if(&at, record.write(), "application/json", condition).await?;
    record.earlier(study).map_err(|error| HistoryError::BadRecord {
        at: at.to_string(),
        error,
    })
}

fn record_in(folder: &Location) -> Result<Location, StorageError> {
    folder
        .join(HISTORY_JSON)
        .map_err(|_| StorageError::BadName { at: folder.to_string() })
}
