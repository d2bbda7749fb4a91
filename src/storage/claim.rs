//! Whose folder it is: a study writes `.owner` into its folder before anything else, and stays out of what is not its own.

use serde::{Deserialize, Serialize};

use super::{
    Location, StorageError, Store,
    object::{Condition, Since},
};
use crate::api::ObjectVersion;

/// The object in a study's folder that says whose it is.
pub(super) const OWNER: &str = ".owner";
/// What the owner of a folder is called that bears the same name as the study that wants it.
pub const NAMESAKE: &str = "an earlier study of the same name";
/// The result files, which a new owner may remove.
const RESULTS: [&str; 5] = [
    "history.json",
    "study_config.json",
    "study_results.csv",
    "best_result.json",
    "report.html",
];
/// The most that is read of somebody's `.owner`.
const MAX_OWNER: usize = 64 << 10;

/// Which study a folder belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The study's UID.
    pub uid: String,
    /// Its name, for people.
    pub name: String,
}

/// What `.owner` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    #[serde(flatten)]
    owner: Owner,
    /// The new owner is still removing what the old one left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    clearing: bool,
    /// While that goes on: the ETag of the mark in whose place this one was put. So no two marks are alike, and of two programs that clear the
    /// same folder, the first one sees that the second has gone on in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// Why a study may not use a folder.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another study owns it.
    #[error(
        "{folder} belongs to {other}: choose another outputPath or another name for the study, or set storage.onConflict: Overwrite to replace what is there"
    )]
    Owned {
        /// The folder.
        folder: String,
        /// The study that owns it, as a phrase.
        other: String,
    },
    /// A folder around it belongs to a study.
    #[error("{folder} lies inside {parent}, which belongs to {other}: choose an outputPath outside of it")]
    Inside {
        /// The folder.
        folder: String,
        /// The folder around it.
        parent: String,
        /// The study that owns that, as a phrase.
        other: String,
    },
    /// There is something in it, and no study owns it.
    #[error(
        "{folder} is not empty, and no study owns it: choose another outputPath or another name for the study, remove what is there, or set storage.onConflict: Overwrite"
    )]
    NotEmpty {
        /// The folder.
        folder: String,
    },
    /// Somebody else claims it at this moment.
    #[error("{folder} is being claimed by another program at the same time")]
    Contested {
        /// The folder.
        folder: String,
    },
    /// S3 does not work.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ClaimError {
    /// Whether the same may well work later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Contested { .. } => true,
            Self::Storage(e) => e.is_transient(),
            _ => false,
        }
    }
}

/// `.owner` as it was found.
struct Found {
    /// `None` where it cannot be understood.
    claim: Option<Claim>,
    version: ObjectVersion,
}

impl Found {
    /// The study as a phrase. The name comes from a file that anybody may have written: only what can be a study's name is shown.
    fn study(&self) -> String {
        let plain = |name: &&str| {
            (1..=253).contains(&name.len())
                && name
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_'))
        };
        match self.claim.as_ref().map(|c| c.owner.name.as_str()).filter(plain) {
            Some(name) => format!("the study `{name}`"),
            None => "another study".to_owned(),
        }
    }
}

impl Store {
    /// Makes `folder` the study's own. May be repeated, also after an interruption: the study's own folder is fine as it is.
    ///
    /// With `overwrite`, what another study left there goes first: the numbered folders and the result files, nothing else. Of two programs that do
    /// this for one study at a time, the one that began last goes on.
    ///
    /// # Errors
    /// Whose folder it is, or that it is not empty; what S3 refuses.
    pub async fn claim(&self, folder: &Location, owner: &Owner, overwrite: bool) -> Result<(), ClaimError> {
        let at = below(folder, OWNER)?;
        let found = self.owner(&at).await?;
        let is_held = match &found {
            Some(Found { claim: Some(claim), .. }) if claim.owner.uid == owner.uid => {
                if !claim.clearing {
                    return Ok(());
                }
                true
            }
            Some(other) if !overwrite => {
                let is_namesake = other.claim.as_ref().is_some_and(|c| c.owner.name == owner.name);
                return Err(ClaimError::Owned {
                    folder: folder.to_string(),
                    other: match is_namesake {
                        true => NAMESAKE.to_owned(),
                        false => other.study(),
                    },
                });
            }
            _ => false,
        };
        self.outside_of_others(folder).await?;
        let mark = Claim {
            owner: owner.clone(),
            clearing: false,
            after: None,
        };
        if !overwrite && !is_held {
            if !self.is_empty(folder).await? {
                let now = self.owner(&at).await?.and_then(|found| found.claim);
                if now.is_some_and(|claim| claim.owner.uid == owner.uid && !claim.clearing) {
                    // Another program has claimed it for the same study, since it was looked at.
                    return Ok(());
                }
                return Err(ClaimError::NotEmpty {
                    folder: folder.to_string(),
                });
            }
            return self.take(folder, &at, &mark, Condition::Absent).await;
        }
        let before = found.as_ref().map(|f| &f.version);
        let unchanged = before.map_or(Condition::Absent, Condition::Is);
        if !overwrite {
            // It was being cleared, and nothing may go any more.
            return self.take(folder, &at, &mark, unchanged).await;
        }
        let clearing = Claim {
            clearing: true,
            after: before.map(|version| version.etag.clone()),
            ..mark.clone()
        };
        self.take(folder, &at, &clearing, unchanged).await?;
        self.clear(folder, &at, &clearing).await?;
        let version = self.still(folder, &at, &clearing).await?;
        self.take(folder, &at, &mark, Condition::Is(&version)).await
    }

    /// The study that owns a folder; `None` where none does, or its `.owner` cannot be understood.
    ///
    /// # Errors
    /// What S3 refuses.
    pub async fn owner_of(&self, folder: &Location) -> Result<Option<Owner>, ClaimError> {
        let found = self.owner(&below(folder, OWNER)?).await?;
        Ok(found.and_then(|f| f.claim).map(|c| c.owner))
    }

    /// Whether a folder's owner is another study than the one with that UID. `known` is the version of `.owner` that was last seen to be its
    /// own, and is kept up to date.
    ///
    /// # Errors
    /// What S3 refuses.
    pub async fn is_foreign(
        &self,
        folder: &Location,
        uid: &str,
        known: &mut Option<ObjectVersion>,
    ) -> Result<bool, StorageError> {
        let at = folder
            .join(OWNER)
            .map_err(|_| StorageError::BadName { at: folder.to_string() })?;
        let found = match known {
            Some(version) => self.read_since(&at, version, MAX_OWNER).await,
            None => self
                .read(&at, MAX_OWNER)
                .await
                .map(|o| o.map_or(Since::Gone, Since::Changed)),
        };
        let object = match found {
            Ok(Since::Changed(object)) => object,
            // Who removes it takes nothing over.
            Ok(Since::Same | Since::Gone) | Err(StorageError::TooLarge { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let claim: Option<Claim> = serde_json::from_slice(&object.bytes).ok();
        let is_foreign = claim.is_some_and(|c| c.owner.uid != uid);
        *known = (!is_foreign).then_some(object.version);
        Ok(is_foreign)
    }

    async fn owner(&self, at: &Location) -> Result<Option<Found>, StorageError> {
        match self.read(at, MAX_OWNER).await {
            Ok(found) => Ok(found.map(|object| Found {
                claim: serde_json::from_slice(&object.bytes).ok(),
                version: object.version,
            })),
            Err(StorageError::TooLarge { .. }) => {
                Ok(self.version(at).await?.map(|version| Found { claim: None, version }))
            }
            Err(e) => Err(e),
        }
    }

    /// That no folder around this one belongs to a study.
    async fn outside_of_others(&self, folder: &Location) -> Result<(), ClaimError> {
        for parent in folder.ancestors() {
            if let Some(found) = self.owner(&below(&parent, OWNER)?).await? {
                return Err(ClaimError::Inside {
                    folder: folder.to_string(),
                    parent: parent.to_string(),
                    other: found.study(),
                });
            }
        }
        Ok(())
    }

    /// Writes `.owner`.
    async fn take(
        &self,
        folder: &Location,
        at: &Location,
        mark: &Claim,
        condition: Condition<'_>,
    ) -> Result<(), ClaimError> {
        let bytes = serde_json::to_vec(mark).unwrap_or_default();
        match self.put_if(at, bytes, "application/json", condition).await {
            Err(StorageError::Changed { .. }) => {}
            other => return Ok(other?),
        }
        let contested = || ClaimError::Contested {
            folder: folder.to_string(),
        };
        // Somebody was faster: another study, or this one with an answer that got lost on its way. Who clears the folder has to know which.
        match self.owner(at).await? {
            Some(Found { claim: Some(claim), .. }) if claim.owner == mark.owner => {
                match claim.clearing || mark.clearing {
                    false => Ok(()),
                    true => Err(contested()),
                }
            }
            Some(other) => Err(ClaimError::Owned {
                folder: folder.to_string(),
                other: other.study(),
            }),
            None => Err(contested()),
        }
    }

    /// The version of `.owner`, which is still what this program has put there.
    async fn still(&self, folder: &Location, at: &Location, mark: &Claim) -> Result<ObjectVersion, ClaimError> {
        match self.owner(at).await? {
            Some(Found {
                claim: Some(claim),
                version,
            }) if claim == *mark => Ok(version),
            _ => Err(ClaimError::Contested {
                folder: folder.to_string(),
            }),
        }
    }

    /// Removes the numbered folders and the result files of whoever had the folder before, as long as the mark says that they may go.
    async fn clear(&self, folder: &Location, at: &Location, mark: &Claim) -> Result<(), ClaimError> {
        let prefix = folder.prefix();
        let mut numbers = std::collections::BTreeSet::new();
        for object in self.list(folder).await? {
            let inside = object
                .key
                .strip_prefix(&prefix)
                .and_then(|relative| relative.split_once('/'));
            if let Some((first, _)) = inside
                && first
                    .parse::<u32>()
                    .is_ok_and(|number| number > 0 && number.to_string() == first)
            {
                numbers.insert(first.to_owned());
            }
        }
        for number in numbers {
            let numbered = below(folder, &number)?;
            let mut deletion = self.deletion(&numbered)?;
            while let Some(part) = deletion.next().await? {
                self.still(folder, at, mark).await?;
                deletion.delete(&part).await?;
            }
        }
        for name in RESULTS {
            self.still(folder, at, mark).await?;
            self.delete_object(&below(folder, name)?).await?;
        }
        Ok(())
    }
}

fn below(folder: &Location, name: &str) -> Result<Location, StorageError> {
    folder
        .join(name)
        .map_err(|_| StorageError::BadName { at: folder.to_string() })
}
