//! An append-only file of lines that survives whatever may happen to the program while it writes.
//!
//! A line is written by one `write`, its newline last: one that lacks its newline was never finished, and is cut off when the file is
//! opened again. A write that fails is taken back.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Why a journal cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened, created or read.
    #[error("cannot open the journal {}: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A line cannot be written.
    #[error("cannot write to the journal {}: {}; what it held before is intact, and the same command goes on from there", path.display(), reason(error))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A line in it is not what this program writes.
    #[error("line {line} of the journal {} cannot be read: {message}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
}

/// What went wrong with a write, the usual case in plain words.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("the disk is full ({error}): make room"),
        ErrorKind::FileTooLarge => format!("the file may not grow further ({error})"),
        _ => error.to_string(),
    }
}

/// A file to which lines are appended.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Up to where its lines are whole.
    length: u64,
    /// What the next line is put together in.
    line: Vec<u8>,
}

impl Journal {
    /// Opens the journal at `path`, or creates it, and gives all that it holds: whole lines only, a torn last one is cut off.
    ///
    /// # Errors
    /// It cannot be opened, read or cut.
    pub fn open(path: &Path) -> Result<(Self, Vec<u8>), JournalError> {
        let wrap = |error| JournalError::Open {
            path: path.to_owned(),
            error,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(wrap)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(wrap)?;
        let whole = bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |last| last.saturating_add(1));
        if whole < bytes.len() {
            bytes.truncate(whole);
            file.set_len(length(whole)).map_err(wrap)?;
        }
        let journal = Self {
            path: path.to_owned(),
            file,
            length: length(whole),
            line: Vec::new(),
        };
        Ok((journal, bytes))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `entry` as one line of JSON.
    ///
    /// # Errors
    /// It could not be written; the file is as it was before.
    pub fn append<T: Serialize>(&mut self, entry: &T) -> Result<(), JournalError> {
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, entry)
            .map_err(std::io::Error::from)
            .and_then(|()| {
                self.line.push(b'\n');
                self.file.write_all(&self.line)
            });
        match written {
            Ok(()) => {
                self.length = self.length.saturating_add(length(self.line.len()));
                Ok(())
            }
            Err(error) => {
                // Where this fails too, the torn line is cut off when the journal is opened again.
                let _ = self.file.set_len(self.length);
                Err(JournalError::Write {
                    path: self.path.clone(),
                    error,
                })
            }
        }
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let (mut journal, old) = Journal::open(&path).unwrap();
        assert!(old.is_empty());
        for n in 0..3 {
            journal.append(&serde_json::json!({"n": n})).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(String::from_utf8_lossy(&whole), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
        for end in 0..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let (mut journal, old) = Journal::open(&path).unwrap();
            assert_eq!(old.len(), end / 8 * 8);
            journal.append(&7).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), [&whole[..end / 8 * 8], b"7\n"].concat());
        }
    }
}
