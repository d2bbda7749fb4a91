//! What earlier studies found, read on this machine.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::load::read_start;
use crate::{
    history::{self, Gathering, HistoryError, MAX_TABLE},
    report::RESULTS_CSV,
    study::{Earlier, Source, Study},
};

/// Where the sources of a study on this machine are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The data folder: bucket `b` is the folder `b` in it.
    pub data: PathBuf,
    /// The folder of the study's file, which paths start from.
    pub base: PathBuf,
}

impl Places {
    /// The places for the study in the file at `study`.
    pub fn new(data: &Path, study: &Path) -> Self {
        Self {
            data: data.to_owned(),
            base: study.parent().unwrap_or(Path::new("")).to_owned(),
        }
    }

    /// What all sources of `study` give together.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn gather(&self, study: &Study) -> Result<Earlier, HistoryError> {
        let mut all = Gathering::new(study);
        for source in &study.history {
            let bytes = self.table(study, source, all.place())?;
            all.add(source, &bytes)?;
        }
        Ok(all.finish())
    }

    fn table(&self, study: &Study, source: &Source, place: String) -> Result<Vec<u8>, HistoryError> {
        let path = match source {
            Source::Table(address) => self.path_of(address)?,
            Source::Study(name) => self.path_of(&history::table_beside(study, name))?,
            Source::File(path) => {
                let path = self.base.join(path);
                if path.is_dir() { path.join(RESULTS_CSV) } else { path }
            }
        };
        let at = path.display().to_string();
        match read(&path) {
            Ok(bytes) if bytes.len() > MAX_TABLE => Err(HistoryError::TooLarge { place, at }),
            Ok(bytes) => Ok(bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(HistoryError::Missing { place, at })
            }
            Err(error) => Err(HistoryError::Unreadable {
                place,
                message: format!("cannot read {at}: {error}"),
            }),
        }
    }

    fn path_of(&self, address: &str) -> Result<PathBuf, HistoryError> {
        let location = history::location(address)?;
        // A location has no part that leads elsewhere.
        Ok(self.data.join(location.bucket()).join(location.key()))
    }
}

/// The content of a file; of one that is too large, a little more than is read of any.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    read_start(path, u64::try_from(MAX_TABLE).unwrap_or(u64::MAX))
}
