//! Addresses in S3: `s3://bucket/path`.

use std::{fmt, str::FromStr};

/// A bucket and a path in it: a folder or an object. The path has no slash at either end; empty, it stands for the whole bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    bucket: String,
    key: String,
}

/// Why a text is no location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It does not start with `s3://`.
    #[error("`{0}` is no S3 path: write it like s3://bucket/path")]
    Scheme(String),
    /// The bucket's name is none that S3 allows.
    #[error(
        "`{0}` is no name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends"
    )]
    Bucket(String),
    /// A part of the path could not be a folder's name on a disk too.
    #[error("the path `{0}` cannot be used: no part of it may be empty, `.` or `..`, or hold control characters")]
    Part(String),
    /// The path is longer than S3 allows.
    #[error("the path is {0} bytes long: S3 takes at most 1024")]
    TooLong(usize),
}

/// The longest key, in bytes.
const MAX_KEY: usize = 1024;

impl Location {
    /// The location of `key` in `bucket`; slashes at the end of `key` are not part of it.
    ///
    /// # Errors
    /// Names that S3, or a disk, would not take.
    pub fn new(bucket: &str, key: &str) -> Result<Self, LocationError> {
        if !is_bucket(bucket) {
            return Err(LocationError::Bucket(bucket.to_owned()));
        }
        let key = key.trim_end_matches('/');
        if key.len() > MAX_KEY {
            return Err(LocationError::TooLong(key.len()));
        }
        if !key.is_empty() && !key.split('/').all(is_part) {
            return Err(LocationError::Part(key.to_owned()));
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The path in the bucket, without a slash at either end: what Argo calls an artifact's `key`, and templates `output_key`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The location of `relative` below this one.
    ///
    /// # Errors
    /// As for [`Location::new`].
    pub fn join(&self, relative: &str) -> Result<Self, LocationError> {
        Self::new(&self.bucket, &format!("{}{relative}", self.prefix()))
    }

    /// The folder of a study below `outputPath`, which this is.
    ///
    /// # Errors
    /// As for [`Location::new`].
    pub fn study_folder(&self, study: &str) -> Result<Self, LocationError> {
        self.join(study)
    }

    /// The folder of the trial with that number in a study's folder, which this is.
    ///
    /// # Errors
    /// As for [`Location::new`].
    pub fn trial_folder(&self, number: u32) -> Result<Self, LocationError> {
        self.join(&number.to_string())
    }

    /// What the keys below this folder start with: the path and a slash, so that folder 1 is not folder 10; nothing for a whole bucket.
    pub fn prefix(&self) -> String {
        if self.key.is_empty() {
            String::new()
        } else {
            format!("{}/", self.key)
        }
    }

    /// The folders around this one, the nearest first, the bucket itself last.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        let mut rest = Some(self.key.as_str()).filter(|key| !key.is_empty());
        std::iter::from_fn(move || {
            let parent = rest?.rsplit_once('/').map(|(parent, _)| parent);
            rest = parent;
            Some(Self {
                bucket: self.bucket.clone(),
                key: parent.unwrap_or_default().to_owned(),
            })
        })
    }
}

/// Whether S3 allows it as a bucket's name (and, having no slash and not starting with a dot, a disk as a folder's).
fn is_bucket(name: &str) -> bool {
    let alphanumeric = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|c| alphanumeric(c) || matches!(c, b'.' | b'-'))
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && !name.contains("..")
        && name.parse::<std::net::IpAddr>().is_err()
}

fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control)
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let path = text
            .strip_prefix("s3://")
            .ok_or_else(|| LocationError::Scheme(text.to_owned()))?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self::new(bucket, key)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.key.is_empty() {
            write!(f, "/{}", self.key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Location {
        text.parse().unwrap()
    }

    #[test]
    fn reads_locations() {
        for (text, bucket, key, prefix, shown) in [
            ("s3://ml-data", "ml-data", "", "", "s3://ml-data"),
            ("s3://ml-data/", "ml-data", "", "", "s3://ml-data"),
            ("s3://ml-data/runs", "ml-data", "runs", "runs/", "s3://ml-data/runs"),
            ("s3://ml-data/runs//", "ml-data", "runs", "runs/", "s3://ml-data/runs"),
            (
                "s3://a.b-1/x y/ü=1",
                "a.b-1",
                "x y/ü=1",
                "x y/ü=1/",
                "s3://a.b-1/x y/ü=1",
            ),
        ] {
            let location = at(text);
            assert_eq!((location.bucket(), location.key()), (bucket, key), "{text}");
            assert_eq!(location.prefix(), prefix, "{text}");
            assert_eq!(location.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        let long = format!("s3://bucket/{}", "x".repeat(1025));
        for text in [
            "",
            "ml-data/runs",
            "S3://bucket/a",
            "s3:/bucket",
            "s3://",
            "s3:///a",
            "s3://ab",
            "s3://Bucket",
            "s3://-bucket",
            "s3://.hidden",
            "s3://a..b",
            "s3://127.0.0.1/x",
            "s3://bu cket/x",
            "s3://../x",
            "s3://bucket/a/../b",
            "s3://bucket/./b",
            "s3://bucket//a",
            "s3://bucket/a//b",
            "s3://bucket/a\nb",
            "s3://bucket/a\0b",
            &long,
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }

    #[test]
    fn knows_the_folders_of_studies_and_trials() {
        let output = at("s3://ml-data/runs/");
        let study = output.study_folder("molding").unwrap();
        assert_eq!(
            study.trial_folder(17).unwrap().to_string(),
            "s3://ml-data/runs/molding/17"
        );
        assert_eq!(
            at("s3://ml-data").study_folder("m").unwrap().to_string(),
            "s3://ml-data/m"
        );
        assert!(output.join("../x").is_err());
        let around: Vec<_> = study.ancestors().map(|l| l.to_string()).collect();
        assert_eq!(around, ["s3://ml-data/runs", "s3://ml-data"]);
        assert_eq!(at("s3://ml-data").ancestors().count(), 0);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_reads_back(text in "(s3://)?[a-z0-9./ %:é\\\\-]{0,40}") {
            if let Ok(location) = text.parse::<Location>() {
                prop_assert!(!location.key().split('/').any(|p| p == ".."));
                prop_assert_eq!(at(&location.to_string()), location);
            }
        }
    }
}
