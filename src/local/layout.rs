//! Where things are on disk: the buckets that people look into, and the program's own folder beside them.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The name of the program's own folder in the data folder.
pub const OWN: &str = ".hyperstudy";

/// How often, and how long in between, the lock's file is looked at for who holds it.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(10);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// It cannot be created or written to.
    #[error("cannot use {}: {error}", path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no folder, or its name is none that trials can be told.
    #[error("{}: {why}; choose another folder with --data", path.display())]
    NoFolder {
        /// The data folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another run uses it.
    #[error("{} is in use by another `hyperstudy run`{}; wait until it has ended, end it, or choose another folder with --data", path.display(), holder(pid))]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// The process id of the other run, as far as known.
        pid: String,
    },
}

fn holder(pid: &str) -> String {
    if pid.is_empty() {
        String::new()
    } else {
        format!(" (process {pid})")
    }
}

/// The paths of one study in a data folder.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The data folder, absolute.
    pub data: PathBuf,
    study: String,
}

impl Layout {
    /// The paths of `study` (a checked name: it becomes part of paths) in the folder `data`.
    ///
    /// # Errors
    /// The current folder is unknown; something else stands there; its path is not UTF-8, which expressions and S3 need.
    pub fn new(data: &Path, study: &str) -> Result<Self, LayoutError> {
        let absolute = std::path::absolute(data);
        let data = absolute.map_err(|error| LayoutError::Unusable {
            path: data.to_owned(),
            error,
        })?;
        let why = if data.to_str().is_none() {
            Some("its path is not UTF-8")
        } else if fs::symlink_metadata(&data).is_ok() && !data.is_dir() {
            Some("this is no folder, nor a link to one")
        } else {
            None
        };
        if let Some(why) = why {
            return Err(LayoutError::NoFolder { path: data, why });
        }
        Ok(Self {
            data,
            study: study.to_owned(),
        })
    }

    /// The program's own folder.
    pub fn own(&self) -> PathBuf {
        self.data.join(OWN)
    }

    /// What the program keeps of this study.
    pub fn state(&self) -> PathBuf {
        self.own().join(&self.study)
    }

    /// What the processes of a study's attempts are known by: its UID and the data folder, of which there may be a copy.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn mark(&self, uid: &str) -> Result<String, LayoutError> {
        let own = self.own();
        let found = fs::metadata(&own).map_err(|error| LayoutError::Unusable { path: own, error })?;
        Ok(format!("{uid}.{:x}-{:x}", found.dev(), found.ino()))
    }

    /// The study's journal.
    pub fn journal(&self) -> PathBuf {
        self.state().join("journal.jsonl")
    }

    /// The logs of its attempts.
    pub fn logs(&self) -> PathBuf {
        self.state().join("logs")
    }

    /// The log of an attempt: what it wrote to standard output and standard error.
    pub fn log(&self, number: u32, attempt: u32) -> PathBuf {
        self.logs().join(format!("{}-{number}-{attempt}.log", self.study))
    }

    /// The scratch folders of its attempts.
    pub fn scratches(&self) -> PathBuf {
        self.state().join("scratch")
    }

    /// The scratch folder of an attempt.
    pub fn scratch(&self, number: u32, attempt: u32) -> PathBuf {
        self.scratches().join(format!("{number}-{attempt}"))
    }

    /// Creates the folders and takes the data folder's lock.
    ///
    /// # Errors
    /// They cannot be created, or another run holds the lock.
    pub fn prepare(&self) -> Result<Lock, LayoutError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |error| LayoutError::Unusable { path, error }
        };
        let own = self.own();
        fs::create_dir_all(&own).map_err(unusable(&own))?;
        // No study has such a name: theirs are the folders beside it.
        let lock = Lock::take(&self.data, &own.join(".lock"))?;
        for folder in [self.logs(), self.scratches()] {
            fs::create_dir_all(&folder).map_err(unusable(&folder))?;
        }
        Ok(lock)
    }
}

/// The right to use a data folder; given back when it is dropped, or when the program ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    fn take(data: &Path, path: &Path) -> Result<Self, LayoutError> {
        let unusable = |error| LayoutError::Unusable {
            path: path.to_owned(),
            error,
        };
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = options.map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LayoutError::InUse {
                    path: data.to_owned(),
                    pid: named(&file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        // Who holds it is only a help to people: a full disk does not matter here.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// The process that holds the lock, as its file names it. It writes that down right after it has got it: until then the file is empty, or names
/// an earlier one that is gone.
fn named(mut file: &File) -> String {
    let mut pid = String::new();
    for _ in 0..LOOKS {
        pid.clear();
        let _ = file.rewind().and_then(|()| file.take(16).read_to_string(&mut pid));
        let is_whole = pid.ends_with('\n');
        pid.truncate(pid.trim_end().len());
        if is_whole && Path::new("/proc").join(&pid).exists() {
            break;
        }
        std::thread::sleep(LOOK);
    }
    pid
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_second_run_is_refused_and_told_which_process_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), "a").unwrap();
        let lock = layout.prepare().unwrap();
        let other = Layout::new(dir.path(), "b").unwrap();
        let message = other.prepare().unwrap_err().to_string();
        assert!(
            message.contains(&format!("(process {})", std::process::id())),
            "{message}"
        );
        drop(lock);
        other.prepare().unwrap();
    }

    #[test]
    fn who_has_only_just_got_the_lock_is_named_and_not_who_had_it_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        // No process has the number 0.
        fs::write(&path, "0\n").unwrap();
        let holder = File::options().write(true).open(&path).unwrap();
        holder.lock().unwrap();
        let name = std::process::id().to_string();
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| Lock::take(dir.path(), &path).unwrap_err().to_string());
            std::thread::sleep(LOOK * 2);
            (&holder).write_all(format!("{name}\n").as_bytes()).unwrap();
            let message = taking.join().unwrap();
            assert!(message.contains(&format!("(process {name})")), "{message}");
        });
    }
}
