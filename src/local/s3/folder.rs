//! A folder as buckets and objects: what the operations of [`super::service`] are made of.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use s3s::{S3Error, S3Result, dto::*, s3_error};
use s3s_fs::FileSystem;

use super::{
    disk::{self, etag, is_absent, is_full, is_path},
    listing::{self, Shown},
};

/// The most keys in a page of a listing.
pub const PAGE: i32 = 1000;
/// The scratch folder's bucket for finished uploads.
pub const DONE: &str = "done";

/// A folder as an S3 server.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Over the root: reads only.
    pub files: FileSystem,
    /// Over the scratch folder: what is being written.
    pub uploads: FileSystem,
    pub scratch: PathBuf,
    next: AtomicU64,
    /// Held while a condition is checked and what depends on it is done.
    writing: Mutex<()>,
    /// What clients said about objects beside their content, for as long as the program runs: `(bucket, key)`.
    attributes: Mutex<HashMap<(String, String), Metadata>>,
    /// The same of multipart uploads under way, by their id.
    pub pending: Mutex<HashMap<String, Metadata>>,
    full: Full,
}

/// What the system said where the last object that was written found no room; `None` where there was room.
pub type Full = Arc<Mutex<Option<String>>>;

/// The lock's content; a panic of another holder left nothing half done.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an error of the disk is for a client. No message: paths of this machine are nobody's business.
pub fn failed(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => s3_error!(error, PreconditionFailed),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => s3_error!(error, AccessDenied),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidFilename => s3_error!(
            error,
            InvalidRequest,
            "a folder stands where the object has to go, or an object where a folder has to be"
        ),
        _ => s3_error!(error, InternalError),
    }
}

impl Folder {
    /// A server over `root`; `scratch` is the name of a folder in it for what is being written.
    pub fn new(root: &Path, scratch: &str) -> io::Result<Self> {
        let scratch = root.join(scratch);
        fs::create_dir_all(scratch.join(DONE))?;
        let open = |path: &Path| FileSystem::new(path).map_err(|e| io::Error::other(format!("{e:?}")));
        Ok(Self {
            root: root.to_owned(),
            files: open(root)?,
            uploads: open(&scratch)?,
            scratch,
            next: AtomicU64::new(0),
            writing: Mutex::new(()),
            attributes: Mutex::default(),
            pending: Mutex::default(),
            full: Full::default(),
        })
    }

    /// Where it is noted that there is no room.
    pub fn full(&self) -> Full {
        self.full.clone()
    }

    /// Notes whether there was room for what was written.
    pub fn noting<T>(&self, written: S3Result<T>) -> S3Result<T> {
        let source = written.as_ref().err().and_then(S3Error::source);
        let error = source.and_then(|e| e.downcast_ref::<io::Error>());
        match error.filter(|e| is_full(e)) {
            Some(error) => *lock(&self.full) = Some(error.to_string()),
            None if written.is_ok() => *lock(&self.full) = None,
            None => {}
        }
        written
    }

    /// A bucket's folder.
    pub fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let path = self.root.join(bucket);
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir());
        if is_folder && s3s::path::check_bucket_name(bucket) {
            Ok(path)
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    /// Where an object that is to be written goes.
    pub fn target(&self, bucket: &str, key: &str) -> S3Result<PathBuf> {
        let folder = self.bucket(bucket)?;
        if !is_path(key) {
            return Err(s3_error!(InvalidArgument, "this key cannot be the path of a file"));
        }
        Ok(folder.join(key))
    }

    /// An object that can be read, and what is known of its file.
    pub fn object(&self, bucket: &str, key: &str) -> S3Result<(PathBuf, fs::Metadata)> {
        let folder = self.bucket(bucket)?;
        if !is_path(key) {
            return Err(s3_error!(NoSuchKey));
        }
        let path = folder.join(key);
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok((path, found)),
            Ok(_) => Err(s3_error!(NoSuchKey)),
            Err(e) if is_absent(&e) => Err(s3_error!(NoSuchKey)),
            Err(e) => Err(failed(e)),
        }
    }

    /// The ETag of what is at a path, a link itself included; `None` where there is no object.
    fn etag_at(path: &Path) -> Option<String> {
        let found = fs::metadata(path).or_else(|_| fs::symlink_metadata(path)).ok()?;
        (!found.is_dir()).then(|| etag(&found))
    }

    /// Whether a condition on the ETag holds for `path`.
    pub fn holds(condition: Option<&ETagCondition>, path: &Path) -> S3Result<()> {
        let current = || Self::etag_at(path);
        let holds = match condition {
            None => true,
            Some(ETagCondition::Any) => current().is_some(),
            Some(ETagCondition::ETag(wanted)) => current().as_deref() == Some(wanted.value()),
        };
        if holds {
            Ok(())
        } else {
            Err(s3_error!(PreconditionFailed))
        }
    }

    /// Moves what was uploaded to its place, where the conditions hold; gives its ETag.
    pub fn place(
        &self,
        from: &Path,
        to: &Path,
        if_match: Option<&ETagCondition>,
        if_none_match: Option<&ETagCondition>,
    ) -> S3Result<ETag> {
        let _writing = lock(&self.writing);
        let placed = self.noting(Self::holds(if_match, to).and_then(|()| match if_none_match {
            Some(ETagCondition::ETag(unwanted)) if Self::etag_at(to).as_deref() == Some(unwanted.value()) => {
                Err(s3_error!(PreconditionFailed))
            }
            condition => disk::place(from, to, matches!(condition, Some(ETagCondition::Any))).map_err(failed),
        }));
        if let Err(e) = placed {
            let _ = fs::remove_file(from);
            return Err(e);
        }
        let written = fs::metadata(to).map_err(failed)?;
        Ok(ETag::Strong(etag(&written)))
    }

    pub fn remember(&self, bucket: String, key: String, metadata: Option<Metadata>) {
        let mut attributes = lock(&self.attributes);
        match metadata {
            Some(metadata) => attributes.insert((bucket, key), metadata),
            None => attributes.remove(&(bucket, key)),
        };
    }

    pub fn remembered(&self, bucket: &str, key: &str) -> Option<Metadata> {
        lock(&self.attributes)
            .get(&(bucket.to_owned(), key.to_owned()))
            .cloned()
    }

    /// Deletes an object; fine where there is none.
    pub fn delete(&self, folder: &Path, key: &str, condition: Option<&ETagCondition>) -> S3Result<()> {
        let bare = key.strip_suffix('/').unwrap_or(key);
        if !is_path(bare) {
            return Ok(());
        }
        let path = folder.join(bare);
        let _writing = lock(&self.writing);
        let removed = match fs::symlink_metadata(&path) {
            // A folder is no object. The marker of one that is empty may go.
            Ok(found) if found.is_dir() => {
                if bare.len() < key.len() {
                    let _ = fs::remove_dir(&path);
                }
                return Ok(());
            }
            Ok(_) if bare.len() < key.len() => return Ok(()),
            Ok(_) => {
                Self::holds(condition, &path)?;
                fs::remove_file(&path)
            }
            Err(e) => Err(e),
        };
        match removed {
            Err(e) if !is_absent(&e) => Err(failed(e)),
            _ => Ok(()),
        }
    }

    /// A name in the scratch folder that nothing else has.
    pub fn fresh(&self) -> String {
        format!("object-{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Removes what `s3s-fs` notes beside a finished upload; it names these files after the key.
    pub fn forget_notes(&self) {
        let Ok(entries) = fs::read_dir(&self.scratch) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(".bucket-") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A page of a listing, for either version of the operation.
pub struct Page {
    pub contents: Vec<Object>,
    pub prefixes: Vec<CommonPrefix>,
    /// The last key of the page, where more follow.
    pub more: Option<String>,
}

/// What either version asks for.
pub struct Asked<'a> {
    pub bucket: &'a str,
    pub prefix: Option<&'a str>,
    pub delimiter: Option<&'a str>,
    pub after: Option<String>,
    pub most: i32,
    pub encode: bool,
}

impl Folder {
    /// A page of a listing.
    pub async fn page(&self, asked: Asked<'_>) -> S3Result<Page> {
        let folder = self.bucket(asked.bucket)?;
        let prefix = asked.prefix.unwrap_or_default().to_owned();
        let delimiter = asked.delimiter.map(str::to_owned);
        let found = tokio::task::spawn_blocking(move || listing::list(&folder, &prefix, delimiter.as_deref()))
            .await
            .map_err(|e| s3_error!(e, InternalError))?
            .map_err(failed)?;
        let name = |key: &str| {
            if asked.encode {
                listing::encoded(key)
            } else {
                key.to_owned()
            }
        };
        let mut page = Page {
            contents: Vec::new(),
            prefixes: Vec::new(),
            more: None,
        };
        let most = usize::try_from(asked.most.clamp(0, PAGE)).unwrap_or_default();
        let mut last = None;
        let follows = |key: &String| asked.after.as_ref().is_none_or(|after| key > after);
        for (key, shown) in found.into_iter().filter(|(key, _)| follows(key)) {
            if page.contents.len() + page.prefixes.len() == most {
                page.more = last;
                break;
            }
            match shown {
                Shown::Prefix => page.prefixes.push(CommonPrefix {
                    prefix: Some(name(&key)),
                }),
                Shown::Object(file) => page.contents.push(Object {
                    key: Some(name(&key)),
                    size: i64::try_from(file.len()).ok(),
                    e_tag: Some(ETag::Strong(etag(&file))),
                    last_modified: file.modified().ok().map(Timestamp::from),
                    ..Object::default()
                }),
            }
            last = Some(key);
        }
        Ok(page)
    }
}
