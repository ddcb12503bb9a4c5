//! Moves a last line without its newline out of the log, so that the next line is not glued to it.
//!
//! Such a tail is the trace of a crash and was never acknowledged. It is kept, beside the log, not thrown away.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::directory::sync_directory_of;
use super::error::OpenError;
use crate::log::rotated::with_suffix;

/// Bytes read at once on the way back to the last newline.
const STEP: usize = 64 * 1024;
/// Names tried when a torn tail of the same millisecond exists already.
const NAMES_MAX: u32 = 100;

/// Returns the length of the log up to its last newline; `len` when nothing is torn.
pub(super) fn whole_len(file: &File, len: u64) -> io::Result<u64> {
    let mut end = len;
    let mut buffer = vec![0; STEP];
    while end > 0 {
        // The last byte alone first: in a healthy log that is all there is to read.
        let step = if end == len {
            1
        } else {
            end.min(STEP as u64) as usize
        };
        let start = end - step as u64;
        let bytes = &mut buffer[..step];
        file.read_exact_at(bytes, start)?;
        if let Some(newline) = memchr::memrchr(b'\n', bytes) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Moves everything from `whole` on into `LOG.torn-<now_ms>`.
///
/// The copy is durable before the log is cut: whenever the power fails, the bytes are in one of the two.
pub(super) fn seal(
    log: &Path,
    file: &File,
    whole: u64,
    len: u64,
    now_ms: u64,
) -> Result<(), OpenError> {
    let repair_error = |torn: &Path| {
        let (path, torn) = (log.to_path_buf(), torn.to_path_buf());
        move |source| OpenError::Repair { path, torn, source }
    };
    let (copy, torn) = create_torn(log, now_ms)
        .map_err(repair_error(&with_suffix(log, &format!(".torn-{now_ms}"))))?;
    let moved = copy_range(file, &copy, whole, len)
        .and_then(|()| copy.sync_all())
        .and_then(|()| sync_directory_of(&torn))
        .and_then(|()| file.set_len(whole))
        .and_then(|()| file.sync_all());
    moved.map_err(|source| {
        // The tail is still in the log, or its copy is not whole: either way the copy would only pile up.
        if file.metadata().is_ok_and(|metadata| metadata.len() == len) {
            let _ = fs::remove_file(&torn);
        }
        repair_error(&torn)(source)
    })
}

fn create_torn(log: &Path, now_ms: u64) -> io::Result<(File, PathBuf)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for n in 0..NAMES_MAX {
        let suffix = if n == 0 {
            format!(".torn-{now_ms}")
        } else {
            format!(".torn-{now_ms}-{n}")
        };
        let torn = with_suffix(log, &suffix);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(&torn)
        {
            Ok(file) => return Ok((file, torn)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn copy_range(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; STEP];
    let mut at = start;
    while at < end {
        let step = (end - at).min(STEP as u64) as usize;
        let bytes = &mut buffer[..step];
        from.read_exact_at(bytes, at)?;
        to.write_all_at(bytes, at - start)?;
        at += step as u64;
    }
    Ok(())
}
