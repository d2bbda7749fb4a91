//! Out of what an artifact is packed in: gzip, and tar inside it with one file, as Argo packs by default.

use std::io::Read;

use super::{MAX_BYTES, MetricsError};

/// What a tar archive adds to one file: headers, padding, a folder around it.
const TAR_OVERHEAD: usize = 64 << 10;

/// The metrics file itself, at most [`MAX_BYTES`] of it, out of the archive where it is in one. A bomb is not unpacked beyond that.
///
/// # Errors
/// `MetricsTooLarge` or `MetricsBadArchive`.
pub(super) fn unpack(file: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, MetricsError> {
    if file.len() > MAX_BYTES + TAR_OVERHEAD {
        return Err(too_large());
    }
    if file.starts_with(b"PK\x03\x04") {
        return Err(bad("a zip archive"));
    }
    if file.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let limit = (MAX_BYTES + TAR_OVERHEAD) as u64;
        flate2::read::MultiGzDecoder::new(file)
            .take(limit + 1)
            .read_to_end(&mut plain)
            .map_err(|_| bad("a gzip archive that is damaged"))?;
        if plain.len() as u64 > limit {
            return Err(too_large());
        }
        let inner = if is_tar(&plain) { only_file(&plain)? } else { plain };
        return bounded(inner.into());
    }
    if is_tar(file) {
        return bounded(only_file(file)?.into());
    }
    bounded(file.into())
}

fn bounded(file: std::borrow::Cow<'_, [u8]>) -> Result<std::borrow::Cow<'_, [u8]>, MetricsError> {
    if file.len() > MAX_BYTES {
        Err(too_large())
    } else {
        Ok(file)
    }
}

fn is_tar(file: &[u8]) -> bool {
    file.get(257..262) == Some(b"ustar")
}

fn only_file(archive: &[u8]) -> Result<Vec<u8>, MetricsError> {
    let damaged = |_| bad("a tar archive that is damaged");
    let mut archive = tar::Archive::new(archive);
    let mut only = None;
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if only.is_some() {
            return Err(bad("a tar archive with several files"));
        }
        let mut content = Vec::new();
        // A sparse entry may claim any size.
        entry
            .by_ref()
            .take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut content)
            .map_err(damaged)?;
        if content.len() > MAX_BYTES {
            return Err(too_large());
        }
        only = Some(content);
    }
    only.ok_or_else(|| bad("a tar archive without a file"))
}

fn bad(what: &str) -> MetricsError {
    MetricsError::MetricsBadArchive(what.to_owned())
}

fn too_large() -> MetricsError {
    MetricsError::MetricsTooLarge(format!("{} MiB", MAX_BYTES >> 20))
}
