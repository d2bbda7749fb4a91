//! What is in a folder.

use aws_sdk_s3::types::EncodingType;

use super::{Location, StorageError, Store, object};
use crate::api::ObjectVersion;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key from the bucket's root.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Which version of it that is; the ETag is empty where the server's listings have none.
    pub version: ObjectVersion,
}

/// A part of a listing.
pub(super) struct Page {
    pub objects: Vec<Listed>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<String>,
}

impl Store {
    /// One page of what is below `folder` (itself not included), after `from`. A server may give fewer than `most`, none even, where there is a next page.
    pub(super) async fn page(&self, folder: &Location, from: Option<String>, most: i32) -> Result<Page, StorageError> {
        let found = self
            .client
            .list_objects_v2()
            .bucket(folder.bucket())
            .prefix(folder.prefix())
            .max_keys(most)
            // XML cannot hold every character that a key may.
            .encoding_type(EncodingType::Url)
            .set_continuation_token(from)
            .send()
            .await
            .map_err(|e| self.attempt("list", folder).failed(&e))?;
        let encoded = found.encoding_type() == Some(&EncodingType::Url);
        let prefix = folder.prefix();
        let objects = found
            .contents()
            .iter()
            .filter_map(|o| {
                let key = o.key()?;
                Some(Listed {
                    key: if encoded { decoded(key) } else { key.to_owned() },
                    size: o.size().and_then(|s| u64::try_from(s).ok()).unwrap_or(0),
                    version: object::version(o.e_tag(), o.last_modified()),
                })
            })
            // A server that answers with more than was asked for must not make us delete it.
            .filter(|o| o.key.starts_with(&prefix))
            .collect();
        let next = found
            .next_continuation_token()
            .filter(|_| found.is_truncated() == Some(true));
        Ok(Page {
            objects,
            next: next.map(str::to_owned),
        })
    }

    /// Everything below a folder, in the order of the keys.
    ///
    /// # Errors
    /// What the server refuses; [`StorageError::NoSuchBucket`].
    pub async fn list(&self, folder: &Location) -> Result<Vec<Listed>, StorageError> {
        let mut all = Vec::new();
        let mut from = None;
        loop {
            let page = self.page(folder, from, 1000).await?;
            all.extend(page.objects);
            match page.next {
                None => return Ok(all),
                next => from = next,
            }
        }
    }

    /// Whether nothing is below a folder.
    ///
    /// # Errors
    /// What the server refuses; [`StorageError::NoSuchBucket`].
    pub async fn is_empty(&self, folder: &Location) -> Result<bool, StorageError> {
        let mut from = None;
        loop {
            let page = self.page(folder, from, 1).await?;
            match page.next {
                _ if !page.objects.is_empty() => return Ok(false),
                None => return Ok(true),
                next => from = next,
            }
        }
    }
}

/// A key as listings with `encoding-type=url` write it, read back.
fn decoded(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        high << 4 | low
                    }
                    _ => b'%',
                }
            }
            other => other,
        };
        bytes.push(plain);
    }
    String::from_utf8(bytes).unwrap_or_else(|_| key.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_keys() {
        for (encoded, plain) in [
            ("runs/1/a.json", "runs/1/a.json"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("%C3%BC%0A%25", "ü\n%"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%FF", "%FF"),
        ] {
            assert_eq!(decoded(encoded), plain, "{encoded}");
        }
    }
}
