//! Single objects.

use aws_sdk_s3::{
    operation::get_object::GetObjectOutput,
    primitives::{ByteStream, DateTime},
};

use super::{Location, StorageError, Store, error::is_missing};
use crate::api::ObjectVersion;

/// An object that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Which version of it that is.
    pub version: ObjectVersion,
}

/// What a conditional read finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// The version that is known already.
    Same,
    /// Nothing.
    Gone,
    /// Another version.
    Changed(Object),
}

/// One form for what servers write differently in headers and in listings: the ETag without quotes, the time to the second.
pub(super) fn version(etag: Option<&str>, modified: Option<&DateTime>) -> ObjectVersion {
    let seconds = modified.map_or(0, DateTime::secs);
    ObjectVersion {
        etag: etag.unwrap_or_default().trim_matches('"').to_owned(),
        last_modified: jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string(),
    }
}

impl Store {
    /// Opens an object; `None` where there is none.
    pub(super) async fn get(&self, at: &Location) -> Result<Option<GetObjectOutput>, StorageError> {
        if at.key().is_empty() {
            return Ok(None);
        }
        match self.get_request(at).await?.send().await {
            Ok(found) => Ok(Some(found)),
            Err(e) if is_missing(&e) => Ok(None),
            Err(e) => Err(self.attempt("read", at).failed(&e)),
        }
    }

    /// Reads an object of at most `max` bytes; `None` where there is none.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`], after no more than `max` bytes; what the server refuses.
    pub async fn read(&self, at: &Location, max: usize) -> Result<Option<Object>, StorageError> {
        match self.get(at).await? {
            Some(found) => self.whole(at, found, max).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads an object of at most `max` bytes if it is not the version that is known; then no more than a header is sent.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn read_since(&self, at: &Location, known: &ObjectVersion, max: usize) -> Result<Since, StorageError> {
        let request = self.get_request(at).await?.if_none_match(quoted(&known.etag));
        match request.send().await {
            Ok(found) => self.whole(at, found, max).await.map(Since::Changed),
            Err(e) if is_missing(&e) => Ok(Since::Gone),
            Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 304) => Ok(Since::Same),
            Err(e) => Err(self.attempt("read", at).failed(&e)),
        }
    }

    /// The content of an object that was opened.
    async fn whole(&self, at: &Location, found: GetObjectOutput, max: usize) -> Result<Object, StorageError> {
        let too_large = || StorageError::TooLarge {
            at: at.to_string(),
            max,
        };
        let announced = usize::try_from(found.content_length.unwrap_or(0)).unwrap_or(0);
        if announced > max {
            return Err(too_large());
        }
        let version = version(found.e_tag(), found.last_modified());
        let mut body = found.body;
        let mut bytes = Vec::with_capacity(announced);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| self.attempt("read", at).unreachable())?;
            if bytes.len() + chunk.len() > max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Object { bytes, version })
    }

    /// Which version of an object is there; `None` where there is none.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn version(&self, at: &Location) -> Result<Option<ObjectVersion>, StorageError> {
        if at.key().is_empty() {
            return Ok(None);
        }
        match self.head_request(at).await?.send().await {
            Ok(found) => Ok(Some(version(found.e_tag(), found.last_modified()))),
            Err(e) if is_missing(&e) => Ok(None),
            Err(e) => Err(self.attempt("look at", at).failed(&e)),
        }
    }

    /// Whether there is an object of exactly that key.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn exists(&self, at: &Location) -> Result<bool, StorageError> {
        Ok(self.version(at).await?.is_some())
    }

    /// Writes an object, replacing what is there.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn put(&self, at: &Location, bytes: Vec<u8>, content_type: &str) -> Result<(), StorageError> {
        self.put_if(at, bytes, content_type, Condition::Always).await
    }

    /// Writes an object where `condition` holds.
    ///
    /// # Errors
    /// [`StorageError::Changed`] where the condition does not hold; what the server refuses.
    pub async fn put_if(
        &self,
        at: &Location,
        bytes: Vec<u8>,
        content_type: &str,
        condition: Condition<'_>,
    ) -> Result<(), StorageError> {
        let request = self
            .put_request(at)
            .await?
            .content_type(content_type)
            .body(ByteStream::from(bytes));
        let request = match condition {
            Condition::Always => request,
            Condition::Absent => request.if_none_match("*"),
            Condition::Is(version) => request.if_match(quoted(&version.etag)),
        };
        match request.send().await {
            Ok(_) => Ok(()),
            Err(e) => Err(self.attempt("write", at).failed(&e)),
        }
    }
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// Nothing.
    Always,
    /// There is no such object.
    Absent,
    /// The object is still this one.
    Is(&'a ObjectVersion),
}

/// An ETag as conditions want it.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
