//! One open log file: which one it is, how long it is known to be, and whether the path still leads to it.
//! It must not write: that is the sink's part.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::OpenError;
use super::medium::Medium;
use super::tail;
use crate::log::file_id::{FileId, id_of};

pub(super) struct Handle {
    pub(super) file: File,
    pub(super) id: FileId,
    /// Pipes and devices have no length, no tail and no way back.
    pub(super) regular: bool,
    /// Bytes in the log, all of them whole lines.
    pub(super) len: u64,
    /// When it was last written before it was opened, s since the epoch; `None` for an empty one.
    pub(super) written_s: Option<i64>,
}

/// How a file stands to what was last known of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As we left it.
    Sound,
    /// The path leads elsewhere, or nowhere.
    Moved,
    /// Another program cut it to so many bytes.
    Cut(u64),
    /// Another program wrote to it.
    Grown,
}

impl Handle {
    /// Opens the log to append, makes it if it is missing, and seals a torn tail; returns how many were sealed.
    ///
    /// The directory of the log is not made here: when it vanishes under a running writer, a disk may have gone away,
    /// and to write where it was mounted would hide that.
    pub(super) fn open(
        path: &Path,
        medium: &mut dyn Medium,
        now_ms: u64,
    ) -> Result<(Handle, u64), OpenError> {
        let open_error = |source: io::Error| match source.kind() {
            io::ErrorKind::IsADirectory => OpenError::Directory { path: path.into() },
            _ => OpenError::Open {
                path: path.into(),
                source,
            },
        };
        let file = open_or_create(path, medium).map_err(open_error)?;
        let metadata = file.metadata().map_err(open_error)?;
        let (regular, len) = (metadata.is_file(), metadata.len());
        let mut handle = Handle {
            file,
            id: id_of(&metadata),
            regular,
            len,
            written_s: (regular && 0 < len).then(|| metadata.mtime()),
        };
        if !regular {
            return Ok((handle, 0));
        }
        if len == 0 {
            // Just made, or its maker did not get as far as this: a power cut must not take the file with all that
            // will be synced into it.
            medium.sync_directory(path).map_err(open_error)?;
        }
        let whole = tail::whole_len(&handle.file, len).map_err(open_error)?;
        if whole == len {
            return Ok((handle, 0));
        }
        tail::seal(path, &handle.file, whole, len, now_ms)?;
        handle.len = whole;
        Ok((handle, 1))
    }

    /// Returns whether the path leads to this file, and nobody else changed its length.
    pub(super) fn standing_at(&self, path: &Path) -> io::Result<Standing> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Moved),
            Err(error) => return Err(error),
        };
        Ok(if id_of(&found) != self.id {
            Standing::Moved
        } else if !self.regular || found.len() == self.len {
            Standing::Sound
        } else if found.len() < self.len {
            Standing::Cut(found.len())
        } else {
            Standing::Grown
        })
    }

    /// Returns how many bytes the file is longer than when it was last known good; a device is believed.
    pub(super) fn grown(&self) -> io::Result<u64> {
        if !self.regular {
            return Ok(u64::MAX);
        }
        Ok(self.file.metadata()?.len().saturating_sub(self.len))
    }
}

fn open_or_create(path: &Path, medium: &mut dyn Medium) -> io::Result<File> {
    match OpenOptions::new().read(true).append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => medium.create(path),
        result => result,
    }
}
