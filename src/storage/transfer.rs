//! Files and folders between S3 and this machine's disk.

use std::path::{Path, PathBuf};

use aws_sdk_s3::primitives::ByteStream;
use tokio::{
    fs,
    io::{AsyncWriteExt, BufWriter},
};

use super::{Location, StorageError, Store};

impl Store {
    /// Brings what is at `at` to `path`: the object as a file, or else all objects below it as a folder.
    /// Gives how many files that are; 0 where there is nothing.
    ///
    /// # Errors
    /// What the server refuses; what the disk refuses; [`StorageError::BadName`].
    pub async fn download_to(&self, at: &Location, path: &Path) -> Result<u64, StorageError> {
        if self.download_file(at, path).await? {
            return Ok(1);
        }
        let prefix = at.prefix();
        let mut files = 0;
        for object in self.list(at).await? {
            let relative = object.key.strip_prefix(&prefix).unwrap_or_default();
            if relative.ends_with('/') {
                continue; // A marker that some programs leave for a folder.
            }
            // Checked as every location is: no `..`, nothing empty, so that nothing lands outside `path`.
            let from = at
                .join(relative)
                .map_err(|_| StorageError::BadName { at: at.to_string() })?;
            files += u64::from(self.download_file(&from, &path.join(relative)).await?);
        }
        Ok(files)
    }

    /// Brings the object at `at` to the file `path`; false where there is none.
    async fn download_file(&self, at: &Location, path: &Path) -> Result<bool, StorageError> {
        let Some(found) = self.get(at).await? else {
            return Ok(false);
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await.map_err(StorageError::local(folder))?;
        }
        let mut body = found.body;
        let file = fs::File::create(path).await.map_err(StorageError::local(path))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| self.attempt("read", at).unreachable())?;
            file.write_all(&chunk).await.map_err(StorageError::local(path))?;
        }
        file.flush().await.map_err(StorageError::local(path))?;
        Ok(true)
    }

    /// Brings the file or folder at `path` to `at`. Links to files count as the files; links to folders, and what is neither
    /// file nor folder, are left out. Gives how many files that are.
    ///
    /// # Errors
    /// What the server refuses; what the disk refuses, a `path` that is not there among it; [`StorageError::BadName`].
    pub async fn upload_from(&self, path: &Path, at: &Location) -> Result<u64, StorageError> {
        let top = fs::metadata(path).await.map_err(StorageError::local(path))?;
        if !top.is_dir() {
            self.upload_file(path, at).await?;
            return Ok(1);
        }
        let mut files = 0;
        let mut folders = vec![(path.to_owned(), at.clone())];
        while let Some((folder, at)) = folders.pop() {
            for (name, path) in entries(&folder).await? {
                let to = name.and_then(|name| at.join(&name).ok());
                let to = to.ok_or_else(|| StorageError::BadName { at: at.to_string() })?;
                let link = fs::symlink_metadata(&path).await.map_err(StorageError::local(&path))?;
                if link.is_dir() {
                    folders.push((path, to));
                } else if fs::metadata(&path).await.is_ok_and(|m| m.is_file()) {
                    self.upload_file(&path, &to).await?;
                    files += 1;
                }
            }
        }
        Ok(files)
    }

    async fn upload_file(&self, path: &Path, at: &Location) -> Result<(), StorageError> {
        let body = ByteStream::from_path(path)
            .await
            .map_err(|e| StorageError::local(path)(std::io::Error::other(e)))?;
        match self.put_request(at).await?.body(body).send().await {
            Ok(_) => Ok(()),
            Err(e) => Err(self.attempt("write", at).failed(&e)),
        }
    }
}

/// What is in a folder, in the order of the names; `None` for a name that is not UTF-8.
async fn entries(folder: &Path) -> Result<Vec<(Option<String>, PathBuf)>, StorageError> {
    let mut all = Vec::new();
    let mut reading = fs::read_dir(folder).await.map_err(StorageError::local(folder))?;
    while let Some(entry) = reading.next_entry().await.map_err(StorageError::local(folder))? {
        all.push((entry.file_name().into_string().ok(), entry.path()));
    }
    all.sort();
    Ok(all)
}
