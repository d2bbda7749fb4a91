//! Deletion: never outside the folder, never more than was listed.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{
    Listed, Location, StorageError, Store,
    claim::OWNER,
    error::{is_missing, sent},
    object::{self, quoted},
};
use crate::api::ObjectVersion;

/// What could not be removed from a folder: a metrics file among it is told from a new one by its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its key from the bucket's root.
    pub key: String,
    /// Which version of it is there.
    pub version: ObjectVersion,
}

/// The most objects that one request deletes.
const BATCH: usize = 1000;
/// Up to that many are deleted one by one, which servers without batches know as well.
const FEW: usize = 3;
/// How often the same object may be listed again after it was deleted.
const REPEATS: u32 = 3;

/// Which objects are deleted.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    /// Whatever has these keys.
    Any,
    /// Only the versions that were listed, where the server tells them apart.
    Listed,
}

/// A folder that is being deleted.
#[derive(Debug)]
pub struct Deletion<'a> {
    store: &'a Store,
    folder: &'a Location,
    owner: Location,
    /// The first object that was last listed, and how often in a row.
    last: String,
    repeats: u32,
}

impl Deletion<'_> {
    /// Some of what is still there, at most 1,000 objects; `None` where nothing is.
    ///
    /// # Errors
    /// [`StorageError::StillThere`] where what was deleted is listed again and again; what the server refuses.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>, StorageError> {
        let part = self.store.some_but(self.folder, self.owner.key()).await?;
        let Some(first) = part.first() else { return Ok(None) };
        if first.key == self.last {
            self.repeats += 1;
        } else {
            self.repeats = 0;
            self.last.clone_from(&first.key);
        }
        match self.repeats > REPEATS {
            true => Err(StorageError::StillThere {
                at: self.folder.to_string(),
                left: part.len(),
            }),
            false => Ok(Some(part)),
        }
    }

    /// Deletes a part.
    ///
    /// # Errors
    /// What the server refuses to delete or cannot delete for now.
    pub async fn delete(&self, part: &[Listed]) -> Result<(), StorageError> {
        match self.store.delete(self.folder, part, Which::Any).await? {
            0 => Ok(()),
            _ => Err(StorageError::AccessDenied {
                what: "delete",
                at: self.folder.to_string(),
            }),
        }
    }
}

impl Store {
    /// Empties a folder before an attempt: removes what is listed in it now, and nothing that comes later.
    /// What is there afterwards is returned: it could not be removed, or somebody is still writing.
    ///
    /// # Errors
    /// [`StorageError::WholeBucket`]; what may work later. What may not be removed is no error, but returned.
    pub async fn empty_folder(&self, folder: &Location) -> Result<Vec<Leftover>, StorageError> {
        whole_bucket(folder)?;
        let listed = self.list(folder).await?;
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        self.delete_listed(folder, &listed).await?;
        let mut left = Vec::new();
        for object in self.list(folder).await? {
            let mut version = object.version;
            if version.etag.is_empty()
                && let Ok(at) = Location::new(folder.bucket(), &object.key)
            {
                match self.version(&at).await? {
                    Some(found) => version = found,
                    None => continue,
                }
            }
            left.push(Leftover {
                key: object.key,
                version,
            });
        }
        Ok(left)
    }

    /// Deletes the very versions that were listed below `folder`; what the server will not delete, or what is another version by now, stays.
    ///
    /// # Errors
    /// What may work later.
    pub async fn delete_listed(&self, folder: &Location, listed: &[Listed]) -> Result<(), StorageError> {
        for batch in listed.chunks(BATCH) {
            self.delete(folder, batch, Which::Listed).await?;
        }
        Ok(())
    }

    /// Deletes a folder: all that is in it, until a listing is empty. What is gone already is no error. Whose it is stands there until nothing else
    /// does, so that it is known after an interruption.
    ///
    /// # Errors
    /// [`StorageError::WholeBucket`]; what the server refuses to delete or cannot delete for now.
    pub async fn delete_folder(&self, folder: &Location) -> Result<(), StorageError> {
        let mut deletion = self.deletion(folder)?;
        while let Some(part) = deletion.next().await? {
            deletion.delete(&part).await?;
        }
        Ok(())
    }

    /// The deletion of a folder as of [`Self::delete_folder`], part by part: between two parts may be looked whether it may go on.
    ///
    /// # Errors
    /// [`StorageError::WholeBucket`].
    pub fn deletion<'a>(&'a self, folder: &'a Location) -> Result<Deletion<'a>, StorageError> {
        whole_bucket(folder)?;
        let owner = folder.join(OWNER);
        Ok(Deletion {
            store: self,
            folder,
            owner: owner.map_err(|_| StorageError::BadName { at: folder.to_string() })?,
            last: String::new(),
            repeats: 0,
        })
    }

    /// Some of what is below a folder; `last` only where nothing else is. Nothing only where nothing is there.
    async fn some_but(&self, folder: &Location, last: &str) -> Result<Vec<Listed>, StorageError> {
        let (mut marks, mut from) = (Vec::new(), None);
        loop {
            let page = self.page(folder, from, 1000).await?;
            let (mark, others): (Vec<Listed>, Vec<Listed>) = page.objects.into_iter().partition(|o| o.key == last);
            marks.extend(mark);
            match page.next {
                _ if !others.is_empty() => return Ok(others),
                None => return Ok(marks),
                next => from = next,
            }
        }
    }

    /// Deletes one object, whatever version is there. What is gone already is no error.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn delete_object(&self, at: &Location) -> Result<(), StorageError> {
        let object = Listed {
            key: at.key().to_owned(),
            size: 0,
            version: object::version(None, None),
        };
        match self.delete_one(at, &object, Which::Any).await? {
            true => Ok(()),
            false => Err(StorageError::AccessDenied {
                what: "delete",
                at: at.to_string(),
            }),
        }
    }

    /// Deletes objects below `folder`, at most a batch; gives how many the server would not delete.
    async fn delete(&self, folder: &Location, objects: &[Listed], which: Which) -> Result<usize, StorageError> {
        let (batch, mut single): (Vec<&Listed>, Vec<&Listed>) =
            objects.iter().partition(|o| objects.len() > FEW && fits_xml(&o.key));
        let mut kept = 0;
        if !batch.is_empty() {
            match self.delete_batch(folder, &batch, which).await? {
                Some(refused) => kept += refused,
                None => single.extend(batch),
            }
        }
        for object in single {
            if !self.delete_one(folder, object, which).await? {
                kept += 1;
            }
        }
        Ok(kept)
    }

    /// Deletes one object; false where the server will not.
    async fn delete_one(&self, folder: &Location, object: &Listed, which: Which) -> Result<bool, StorageError> {
        let request = self.client.delete_object().bucket(folder.bucket()).key(&object.key);
        let condition =
            Some(quoted(&object.version.etag)).filter(|_| which == Which::Listed && !object.version.etag.is_empty());
        let mut sending = request.clone().set_if_match(condition.clone()).send().await;
        if condition.is_some()
            && let Err(e) = &sending
            && matches!(sent(e), Some((_, 501)))
        {
            // This server has no conditional deletion.
            sending = request.send().await;
        }
        match sending {
            Ok(_) => Ok(true),
            Err(e) if is_missing(&e) => Ok(true),
            Err(e) => keeps(self.attempt("delete", folder).failed(&e)).map(|()| false),
        }
    }

    /// Deletes objects in one request; gives how many the server would not delete, `None` where it has no such request.
    async fn delete_batch(
        &self,
        folder: &Location,
        objects: &[&Listed],
        which: Which,
    ) -> Result<Option<usize>, StorageError> {
        let attempt = self.attempt("delete", folder);
        let identifiers = objects.iter().filter_map(|o| {
            let etag = Some(quoted(&o.version.etag)).filter(|_| which == Which::Listed && !o.version.etag.is_empty());
            ObjectIdentifier::builder().key(&o.key).set_e_tag(etag).build().ok()
        });
        let Ok(delete) = Delete::builder()
            .set_objects(Some(identifiers.collect()))
            .quiet(true)
            .build()
        else {
            return Ok(None);
        };
        let answer = match self
            .client
            .delete_objects()
            .bucket(folder.bucket())
            .delete(delete)
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(e) if matches!(sent(&e), Some((_, 400 | 405 | 501))) => return Ok(None),
            Err(e) => return Err(attempt.failed(&e)),
        };
        let mut kept = 0;
        for refusal in answer.errors() {
            match refusal.code().unwrap_or_default() {
                "NoSuchKey" => {}
                code => {
                    keeps(attempt.refused(code, 400))?;
                    kept += 1;
                }
            }
        }
        Ok(Some(kept))
    }
}

/// Fine where the server will not delete an object at all, or not this version of it; else the error.
fn keeps(error: StorageError) -> Result<(), StorageError> {
    match error {
        StorageError::AccessDenied { .. } | StorageError::Changed { .. } | StorageError::Refused { .. } => Ok(()),
        other => Err(other),
    }
}

fn whole_bucket(folder: &Location) -> Result<(), StorageError> {
    if folder.key().is_empty() {
        return Err(StorageError::WholeBucket { at: folder.to_string() });
    }
    Ok(())
}

/// Whether XML 1.0 can hold the key unchanged.
fn fits_xml(key: &str) -> bool {
    key.chars()
        .all(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{85}'))
}
