//! How storage is doing: when to try again after a failure, and whether trying again makes sense at all.

use std::{fs, io::ErrorKind, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::study::StorageHealth;

/// The first wait after a failure, and the longest; each is twice the one before.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// How much is written to find out whether the disk takes anything, in bytes.
const PROBE: usize = 64 << 10;

/// The waits between tries.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes a failure at `now` that `message` tells of.
    pub fn failed(&mut self, health: &mut StorageHealth, message: String, now: Timestamp) {
        let wait = FIRST.saturating_mul(1 << self.failures.min(5)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        health.failing_since.get_or_insert(now);
        health.retry_at = now.checked_add(wait).ok();
        health.message = message;
    }

    /// Notes that storage works.
    pub fn worked(&mut self, health: &mut StorageHealth) {
        if health.failing_since.is_some() || health.retry_at.is_some() {
            *health = StorageHealth::default();
        }
        self.failures = 0;
    }
}

/// Why nothing more can be written below `folder`, where that is so: then waiting does not help, a person has to make room.
pub fn full_disk(folder: &Path) -> Option<String> {
    let probe = folder.join("probe");
    let written = fs::write(&probe, vec![1; PROBE]);
    let _ = fs::remove_file(&probe);
    let error = written.err()?;
    let is_full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
    );
    is_full.then(|| {
        let place = folder.display();
        format!("nothing more can be written below {place}: {error}. Make room; the same command goes on from there")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn waits_longer_each_time_until_storage_works() {
        let (mut backoff, mut health) = (Backoff::default(), StorageHealth::default());
        let now = Timestamp::UNIX_EPOCH;
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            backoff.failed(&mut health, "no".to_owned(), now);
            assert_eq!(health.retry_at.unwrap().as_second(), seconds);
            assert_eq!(health.failing_since, Some(now));
        }
        backoff.worked(&mut health);
        assert_eq!(health, StorageHealth::default());
        backoff.failed(&mut health, "no".to_owned(), now);
        assert_eq!(health.retry_at.unwrap().as_second(), 1);
    }

    #[test]
    fn a_disk_with_room_is_not_full_and_keeps_no_probe() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(full_disk(dir.path()), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(full_disk(Path::new("/no/such/folder")), None);
    }
}
