//! The artifacts of a trial that runs a template: fetched before, kept after, the way Argo does it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, bufread::MultiGzDecoder, write::GzEncoder};

use super::template::{Archive, Input, InputSource, Invocation, Output};
use crate::storage::{Location, LocationError, StorageError, Store};

/// The folder in the scratch folder for what is on its way.
const TRANSFER: &str = "transfer";

/// Why an artifact cannot be fetched or kept.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// An input is not there.
    #[error("the input artifact `{name}` is not there: {at} does not exist")]
    Missing {
        /// The artifact.
        name: String,
        /// Where it should be.
        at: Location,
    },
    /// An output was not written.
    #[error(
        "the output artifact `{name}` is not there: the process did not write {path} (mark it `optional: true` if it need not)"
    )]
    NotWritten {
        /// The artifact.
        name: String,
        /// What should be there.
        path: PathBuf,
    },
    /// Its place in S3 cannot be one.
    #[error("the artifact `{name}`: {source}")]
    Place {
        /// The artifact.
        name: String,
        /// What is wrong.
        source: LocationError,
    },
    /// S3 did not do it.
    #[error("the artifact `{name}`: {source}")]
    Storage {
        /// The artifact.
        name: String,
        /// Why.
        source: StorageError,
    },
    /// The archive that an input is cannot be unpacked.
    #[error("the input artifact `{name}` cannot be unpacked: {source}")]
    Unpack {
        /// The artifact.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A file on this machine.
    #[error("{path}: {source}")]
    Local {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn local(path: &Path) -> impl FnOnce(io::Error) -> ArtifactError {
    let path = path.to_owned();
    move |source| ArtifactError::Local { path, source }
}

/// Makes everything ready for `invocation` in the empty folder `scratch`: inputs are fetched (from `bucket`, where they do not name their own) and unpacked,
/// a script is written, and the folders for outputs are there.
///
/// # Errors
/// The first thing that cannot be done.
pub async fn prepare(
    store: &Store,
    bucket: &str,
    invocation: &Invocation,
    scratch: &Path,
) -> Result<(), ArtifactError> {
    // A folder before what lies in it.
    let mut inputs: Vec<&Input> = invocation.inputs.iter().collect();
    inputs.sort_by_key(|input| input.path.as_os_str().len());
    for (i, input) in inputs.into_iter().enumerate() {
        fetch(store, bucket, input, &scratch.join(TRANSFER).join(i.to_string())).await?;
    }
    let script = invocation.script.clone();
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(
        invocation
            .outputs
            .iter()
            .filter_map(|output| Some(output.path.parent()?.to_owned())),
    );
    folders.extend(invocation.working_dir.clone());
    in_background(move || {
        for folder in &folders {
            fs::create_dir_all(folder).map_err(local(folder))?;
        }
        let Some((path, source)) = script else {
            return Ok(());
        };
        fs::write(&path, source).map_err(local(&path))
    })
    .await
}

/// Keeps the outputs of `invocation`, whose process has succeeded (in `bucket`, where they do not name their own).
///
/// # Errors
/// The first thing that cannot be done.
pub async fn keep(store: &Store, bucket: &str, invocation: &Invocation, scratch: &Path) -> Result<(), ArtifactError> {
    for (i, output) in invocation.outputs.iter().enumerate() {
        let Output { name, path, .. } = output;
        match tokio::fs::metadata(path).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && output.optional => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ArtifactError::NotWritten {
                    name: name.clone(),
                    path: path.clone(),
                });
            }
            Err(error) => return Err(local(path)(error)),
        }
        let at = location(name, output.bucket.as_deref().unwrap_or(bucket), &output.key)?;
        let source = match output.archive {
            Archive::None => path.clone(),
            Archive::Tar => {
                let archive = scratch.join(TRANSFER).join(format!("{i}.tgz"));
                let (from, to) = (path.clone(), archive.clone());
                in_background(move || pack(&from, &to).map_err(local(&to))).await?;
                archive
            }
        };
        let sent = store.upload_from(&source, &at).await;
        sent.map_err(|source| ArtifactError::Storage {
            name: name.clone(),
            source,
        })?;
        if output.archive != Archive::None {
            tokio::fs::remove_file(&source).await.map_err(local(&source))?;
        }
    }
    Ok(())
}

fn location(name: &str, bucket: &str, key: &str) -> Result<Location, ArtifactError> {
    Location::new(bucket, key).map_err(|source| ArtifactError::Place {
        name: name.to_owned(),
        source,
    })
}

/// Brings one input to its path, by way of `transfer`.
async fn fetch(store: &Store, bucket: &str, input: &Input, transfer: &Path) -> Result<(), ArtifactError> {
    let Input { name, path, .. } = input;
    if let Some(parent) = path.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(local(parent))?;
    }
    let (own_bucket, key) = match &input.source {
        InputSource::Raw(data) => return tokio::fs::write(path, data).await.map_err(local(path)),
        InputSource::S3 { bucket, key } => (bucket, key),
    };
    let at = location(name, own_bucket.as_deref().unwrap_or(bucket), key)?;
    let found = store.download_to(&at, transfer).await;
    match found.map_err(|source| ArtifactError::Storage {
        name: name.clone(),
        source,
    })? {
        0 if input.optional => return Ok(()),
        0 => return Err(ArtifactError::Missing { name: name.clone(), at }),
        _ => {}
    }
    let (from, to, unpack, name) = (transfer.to_owned(), path.clone(), input.unpack, name.clone());
    in_background(move || {
        if unpack && from.is_file() && is_tgz(&from).map_err(local(&from))? {
            let folder = from.with_extension("unpacked");
            unpack_tgz(&from, &folder).map_err(|source| ArtifactError::Unpack { name, source })?;
            fs::remove_file(&from).map_err(local(&from))?;
            // An archive of one thing is that thing, as in Argo.
            let only = only_entry(&folder).map_err(local(&folder))?;
            put(&only.unwrap_or(folder), &to)
        } else {
            put(&from, &to)
        }
    })
    .await
}

fn put(from: &Path, to: &Path) -> Result<(), ArtifactError> {
    fs::rename(from, to).map_err(local(to))
}

/// Whether a file is gzip with tar in it.
fn is_tgz(path: &Path) -> io::Result<bool> {
    let mut head = [0; 262];
    let mut magic = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut magic)?;
    if magic != [0x1f, 0x8b] {
        return Ok(false);
    }
    let mut plain = MultiGzDecoder::new(BufReader::new(File::open(path)?));
    // What is too short, or damaged, is left as it is.
    Ok(plain.read_exact(&mut head).is_ok() && head.ends_with(b"ustar"))
}

/// Unpacks an archive into the new folder `folder`; nothing is written anywhere else, through links neither.
fn unpack_tgz(archive: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let plain = MultiGzDecoder::new(BufReader::new(File::open(archive)?));
    let mut archive = tar::Archive::new(plain);
    // Whoever runs the trial has to be able to read, change and remove what comes out.
    archive.set_preserve_permissions(false);
    archive.set_preserve_mtime(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        let is_file =
            kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link() || kind.is_gnu_sparse();
        if is_file && !entry.unpack_in(folder)? {
            let name = entry.path().map(|path| path.display().to_string()).unwrap_or_default();
            return Err(io::Error::other(format!("`{name}` in it leads out of its folder")));
        }
    }
    // What is behind the last entry belongs to the check sum.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

fn only_entry(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut entries = fs::read_dir(folder)?;
    match (entries.next().transpose()?, entries.next()) {
        (Some(only), None) => Ok(Some(only.path())),
        _ => Ok(None),
    }
}

/// Packs the file or folder `path` under its own name.
fn pack(path: &Path, archive: &Path) -> io::Result<()> {
    if let Some(folder) = archive.parent() {
        fs::create_dir_all(folder)?;
    }
    let gzip = GzEncoder::new(BufWriter::new(File::create(archive)?), Compression::default());
    let mut tar = tar::Builder::new(gzip);
    tar.follow_symlinks(false);
    let name = path.file_name().unwrap_or(OsStr::new("artifact"));
    if path.is_dir() {
        tar.append_dir_all(name, path)?;
    } else {
        tar.append_file(name, &mut File::open(path)?)?;
    }
    tar.into_inner()?.finish()?.flush()
}

/// Runs what waits for the disk or takes long beside the other tasks.
async fn in_background(work: impl FnOnce() -> Result<(), ArtifactError> + Send + 'static) -> Result<(), ArtifactError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(local(Path::new(TRANSFER))(io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests;
