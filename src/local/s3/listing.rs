//! Listings. Only the folders that a prefix names are looked into: a study's listings do not slow down with its other trials,
//! and files that come and go elsewhere do not disturb them.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io,
    path::Path,
};

use super::disk::{is_absent, is_path};

/// What a listing shows under one key.
#[derive(Debug)]
pub enum Shown {
    /// An object: a file, or a link that leads to none.
    Object(Metadata),
    /// All keys that start so, up to and with the delimiter.
    Prefix,
}

/// Everything in a bucket whose key starts with `prefix`, by key; what lies beyond a `delimiter` after it is one entry.
/// Names that are not UTF-8 cannot be keys and are left out.
pub fn list(bucket: &Path, prefix: &str, delimiter: Option<&str>) -> io::Result<BTreeMap<String, Shown>> {
    let (folder, _) = prefix.rsplit_once('/').unwrap_or_default();
    let mut found = BTreeMap::new();
    if !folder.is_empty() && !is_path(folder) {
        return Ok(found);
    }
    let top = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let mut folders = vec![(bucket.join(folder), top)];
    while let Some((path, keys)) = folders.pop() {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) || is_too_long(&e) => continue,
            Err(e) => return Err(e),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let key = format!("{keys}{name}");
            let below = format!("{key}/");
            // Neither a key of this prefix nor a folder that may hold some.
            if !key.starts_with(prefix) && !below.starts_with(prefix) {
                continue;
            }
            let link = match entry.metadata() {
                Ok(link) => link,
                Err(e) if is_absent(&e) || is_too_long(&e) => continue,
                Err(e) => return Err(e),
            };
            if link.is_dir() {
                // With the usual delimiter there is no need to look further than for any file at all.
                if delimiter == Some("/") && below.len() > prefix.len() {
                    if holds_files(&entry.path())? {
                        found.insert(below, Shown::Prefix);
                    }
                } else {
                    folders.push((entry.path(), below));
                }
                continue;
            }
            if !key.starts_with(prefix) {
                continue;
            }
            let rest = &key[prefix.len()..];
            let cut = delimiter
                .filter(|d| !d.is_empty())
                .and_then(|d| rest.find(d).map(|at| at + d.len()));
            match cut {
                Some(cut) => found.insert(key[..prefix.len() + cut].to_owned(), Shown::Prefix),
                // A link to a file shows the file.
                None => found.insert(key, Shown::Object(fs::metadata(entry.path()).unwrap_or(link))),
            };
        }
    }
    Ok(found)
}

/// Whether a path is longer than the system takes: far longer than a key can be, so that no object is there.
fn is_too_long(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidFilename
}

/// Whether there is any file below a folder.
fn holds_files(folder: &Path) -> io::Result<bool> {
    let mut folders = vec![folder.to_owned()];
    while let Some(path) = folders.pop() {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) || is_too_long(&e) => continue,
            Err(e) => return Err(e),
        };
        for entry in entries {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => return Ok(true),
                Err(e) if is_absent(&e) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(false)
}

/// A key as `encoding-type=url` wants it.
pub fn encoded(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn lists_as_s3_does() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "runs/1/a",
            "runs/10/b",
            "runs/1.csv",
            "runs/2/deep/er/c",
            "top",
            "runs/ü -x",
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::create_dir_all(dir.path().join("runs/3/empty")).unwrap();
        for (prefix, delimiter, keys) in [
            (
                "",
                None,
                &[
                    "runs/1.csv",
                    "runs/1/a",
                    "runs/10/b",
                    "runs/2/deep/er/c",
                    "runs/ü -x",
                    "top",
                ][..],
            ),
            ("runs/1/", None, &["runs/1/a"]),
            ("runs/1", None, &["runs/1.csv", "runs/1/a", "runs/10/b"]),
            ("runs/1", Some("/"), &["runs/1.csv", "runs/1/", "runs/10/"]),
            (
                "runs/",
                Some("/"),
                &["runs/1.csv", "runs/1/", "runs/10/", "runs/2/", "runs/ü -x"],
            ),
            ("", Some("/"), &["runs/", "top"]),
            (
                "",
                Some("er"),
                &[
                    "runs/1.csv",
                    "runs/1/a",
                    "runs/10/b",
                    "runs/2/deep/er",
                    "runs/ü -x",
                    "top",
                ],
            ),
            ("runs/3/", None, &[]),
            ("nothing/here", None, &[]),
            ("top/", None, &[]),
            ("../", None, &[]),
            ("runs//", None, &[]),
        ] {
            let found = list(dir.path(), prefix, delimiter).unwrap();
            assert_eq!(found.keys().collect::<Vec<_>>(), keys, "{prefix} {delimiter:?}");
        }
    }
}
