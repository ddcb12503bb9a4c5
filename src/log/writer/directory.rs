//! The directory of the log: made at the start, synced after every change. It must not touch a file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::error::OpenError;
use crate::log::rotated::folder_of;

/// Makes the directory of the log where it is missing.
pub(super) fn make_parent(path: &Path) -> Result<(), OpenError> {
    let parent = folder_of(path);
    let parent_error = |source| OpenError::Parent {
        path: parent.into(),
        source,
    };
    let missing: Vec<&Path> = parent
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
        .collect();
    for dir in missing.into_iter().rev() {
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(parent_error(error));
            }
            _ => sync_directory_of(dir).map_err(parent_error)?,
        }
    }
    Ok(())
}

/// Makes durable that `path` exists: syncs the directory in which it really lies, links followed.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    match File::open(folder_of(&real))?.sync_all() {
        // Some file systems cannot sync a directory; there is nothing more to be had from them.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}
