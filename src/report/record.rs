//! `history.json`: what earlier studies found, as a study that starts from it has taken it over. From then on the sources may change.

use serde::{Deserialize, Serialize};

use crate::{
    api::ParameterMap,
    space::Slot,
    study::{Earlier, Past, Study},
};

/// The largest record that is written, in bytes.
const MOST_BYTES: usize = 48 << 20;

/// What `history.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The generation of the study's spec that it was written for.
    pub generation: i64,
    /// What came from where, for people.
    pub note: String,
    results: Vec<Result>,
}

/// One result of an earlier study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Result {
    /// None where the trial failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objective: Option<f64>,
    /// What is inactive or was lacking is absent.
    parameters: ParameterMap,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is no record.
    #[error("it is not what this program has written: line {}, column {}", .0.line(), .0.column())]
    Json(#[from] serde_json::Error),
    /// It is one of other parameters.
    #[error("its result {0} does not fit the study's parameters")]
    Result(usize),
}

impl Record {
    /// The record of `earlier` for `study`.
    pub fn of(study: &Study, earlier: &Earlier) -> Self {
        let result = |past: &Past| Result {
            objective: past.objective,
            parameters: study.space.write(&past.config),
        };
        Self {
            generation: study.generation,
            note: earlier.note.clone(),
            results: earlier.past.iter().map(result).collect(),
        }
    }

    /// Its text. Of results that are too large to be written, the newer half stays, as often as it takes.
    pub fn write(&mut self) -> Vec<u8> {
        let all = self.results.len();
        let note = self.note.clone();
        loop {
            let bytes = serde_json::to_vec(self).unwrap_or_default();
            if bytes.len() <= MOST_BYTES || self.results.is_empty() {
                return bytes;
            }
            let half = self.results.len().div_ceil(2);
            self.results.drain(..half);
            let left = self.results.len();
            self.note = format!("{note}; only the newest {left} of {all} are small enough to be recorded");
        }
    }

    /// Reads what [`Record::write`] wrote.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(bytes: &[u8]) -> std::result::Result<Self, RecordError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// What it holds, for `study`.
    ///
    /// # Errors
    /// It is not of this study's parameters.
    pub fn earlier(&self, study: &Study) -> std::result::Result<Earlier, RecordError> {
        let space = &study.space;
        let past = |Result { objective, parameters }: &Result| {
            let mut slots = vec![Slot::Inactive; space.parameters().len()];
            for (name, value) in parameters {
                let slot = space.slot(name)?;
                *slots.get_mut(slot)? = space.value_of(slot, value)?;
            }
            Some(Past {
                config: space.configuration(&slots),
                objective: *objective,
            })
        };
        let results = (1..).zip(&self.results);
        let past = results.map(|(number, result)| past(result).ok_or(RecordError::Result(number)));
        let past = past.collect::<std::result::Result<Vec<Past>, _>>()?;
        let all = past.len();
        Ok(Earlier::new(study, past, all, self.note.clone()))
    }
}

#[cfg(test)]
mod tests;
