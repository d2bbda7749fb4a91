//! Whether trying again makes sense at all where storage fails.

use std::{fs, path::Path};

use super::s3::is_full;

/// How much is written to find out whether the disk takes anything, in bytes.
const PROBE: usize = 64 << 10;

/// Why nothing more can be written below `folder`, where that is so: then waiting does not help, a person has to make room. `found` is what the
/// system said of an object that found no room, where one did: what is small may well have some.
pub fn full_disk(folder: &Path, found: Option<String>) -> Option<String> {
    let error = found.or_else(|| {
        let probe = folder.join("probe");
        let written = fs::write(&probe, vec![1; PROBE]);
        let _ = fs::remove_file(&probe);
        Some(written.err().filter(is_full)?.to_string())
    })?;
    let place = folder.display();
    Some(format!(
        "nothing more can be written below {place}: {error}. Make room; the same command goes on from there"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_disk_with_room_is_not_full_and_keeps_no_probe() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(full_disk(dir.path(), None), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(full_disk(Path::new("/no/such/folder"), None), None);
        let message = full_disk(dir.path(), Some("it is full".to_owned())).unwrap();
        assert!(
            message.contains("it is full") && message.contains("Make room"),
            "{message}"
        );
    }
}
