//! Objects as files.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{api::ObjectVersion, storage::Object};

/// Whether `key` can be a file's path below a bucket, and nothing but that.
pub fn is_path(key: &str) -> bool {
    !key.contains('\0') && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The ETag of a file: something else whenever its content is, without reading it.
pub fn etag(file: &Metadata) -> String {
    format!(
        "{:x}-{:x}-{:x}",
        file.ino(),
        file.len(),
        i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec())
    )
}

/// A file of at most `max` bytes as an object, or its first `max + 1` bytes; `None` where there is none. Only a plain file is an object:
/// reading anything else might never end.
pub fn read(path: &Path, max: usize) -> io::Result<Option<Object>> {
    let found = match fs::metadata(path) {
        Err(e) if is_absent(&e) => return Ok(None),
        found => found?,
    };
    if !found.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(max).min(max).saturating_add(1));
    let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    let version = ObjectVersion {
        etag: etag(&found),
        last_modified: jiff::Timestamp::from_second(found.mtime())
            .unwrap_or_default()
            .to_string(),
    };
    Ok(Some(Object { bytes, version }))
}

/// Whether an error says that there is no such file.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether an error says that there is no room, or that nothing may be written at all: then waiting does not help.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Moves a finished file to where it belongs, and makes the folders around it. With `new`, only where nothing is there yet
/// ([`io::ErrorKind::AlreadyExists`] else), decided by the system so that it holds against every other process too.
pub fn place(from: &Path, to: &Path, new: bool) -> io::Result<()> {
    let attempt = || {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        if new {
            fs::hard_link(from, to)?;
            let _ = fs::remove_file(from);
            Ok(())
        } else {
            fs::rename(from, to)
        }
    };
    match attempt() {
        // The folder was empty, and removed between the two calls.
        Err(e) if e.kind() == io::ErrorKind::NotFound => attempt(),
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => across(from, to, new),
        other => other,
    }
}

/// The same between two disks.
fn across(from: &Path, to: &Path, new: bool) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(!new)
        .create_new(new)
        .open(to)?;
    io::copy(&mut source, &mut target)?;
    fs::remove_file(from)
}

/// Removes the empty folders below `folder`, and with `itself` also that; gives whether it is gone.
pub fn prune(folder: &Path, itself: bool) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if is_absent(&e) => return Ok(true),
        Err(e) => return Err(e),
    };
    let mut empty = true;
    for entry in entries {
        let entry = entry?;
        // A link to a folder is not a folder here: nothing outside is ever touched.
        let gone = entry.file_type()?.is_dir() && prune(&entry.path(), true)?;
        empty &= gone;
    }
    if !(empty && itself) {
        return Ok(false);
    }
    match fs::remove_dir(folder) {
        Ok(()) => Ok(true),
        Err(e) if is_absent(&e) => Ok(true),
        // Somebody just wrote something there.
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes what is at a path where it is no folder; a link goes, and what it leads to stays. A folder is made one that can be emptied.
pub fn make_way(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => fs::remove_file(path),
        Ok(_) => {
            // Where it is somebody else's, what is done with it next says so.
            let _ = open_up(path);
            Ok(())
        }
        Err(e) if !is_absent(&e) => Err(e),
        Err(_) => Ok(()),
    }
}

/// Removes a file or a folder with everything in it; fine where there is none.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if is_absent(&e) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            // Some programs leave folders that even their owner may not change.
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// Gives the owner every right to the folders below and at `path`.
fn open_up(path: &Path) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let mode = fs::symlink_metadata(&folder)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            fs::set_permissions(&folder, Permissions::from_mode(mode | 0o700))?;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn keys_that_are_paths() {
        for key in ["a", "a/b", ".owner", "a b/ü=%2F", "..a", "a\nb"] {
            assert!(is_path(key), "{key}");
        }
        for key in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0"] {
            assert!(!is_path(key), "{key}");
        }
    }

    #[test]
    fn placing_new_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("x/y/to"));
        fs::write(&from, "1").unwrap();
        place(&from, &to, true).unwrap();
        assert!(!from.exists());
        fs::write(&from, "2").unwrap();
        assert_eq!(
            place(&from, &to, true).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&to).unwrap(), b"1");
        place(&from, &to, false).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"2");
    }

    #[test]
    fn pruning_leaves_files_and_what_links_lead_to() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir_all(outside.path().join("empty")).unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir_all(top.join("d")).unwrap();
        fs::write(top.join("d/file"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), top.join("link")).unwrap();
        assert!(!prune(&top, true).unwrap());
        assert!(!top.join("a").exists() && top.join("d/file").exists() && top.join("link").exists());
        assert!(outside.path().join("empty").exists());
        remove(&top).unwrap();
        assert!(!top.exists() && outside.path().join("empty").exists());
        assert!(prune(&top, true).unwrap());
        remove(&top).unwrap();
    }
}
