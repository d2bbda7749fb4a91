//! Whether trying again makes sense at all where storage fails.

use std::{fs, io::ErrorKind, path::Path};

/// How much is written to find out whether the disk takes anything, in bytes.
const PROBE: usize = 64 << 10;

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
    fn a_disk_with_room_is_not_full_and_keeps_no_probe() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(full_disk(dir.path()), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(full_disk(Path::new("/no/such/folder")), None);
    }
}
