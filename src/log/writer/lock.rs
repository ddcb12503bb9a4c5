//! The lock beside the log that keeps a second writer out. It must not touch the log.
//!
//! A file of its own, because the log may be renamed under its writer. It stays when the writer ends: to remove it
//! would let a third writer lock a file that a second one still has open.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::OpenError;
use crate::log::file_id::id_of;
use crate::log::rotated::with_suffix;

/// A held lock. Clones are the same lock, also when it was taken anew: it is let go when all of them are dropped, or by
/// the death of the process.
#[derive(Clone)]
pub(super) struct Lock(Arc<Mutex<Held>>);

struct Held {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks `LOG.lock` and writes the number of this process into it.
    pub(super) fn take(log: &Path) -> Result<Lock, OpenError> {
        Ok(Lock(Arc::new(Mutex::new(Held::take(log)?))))
    }

    /// Takes the lock again when its file went with the directory; a new one keeps nobody out until it is locked.
    pub(super) fn retake(&self, log: &Path) -> Result<(), OpenError> {
        // Nothing that holds it can panic half-way through a change.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.stands() {
            *held = Held::take(log)?;
        }
        Ok(())
    }
}

impl Held {
    fn take(log: &Path) -> Result<Held, OpenError> {
        let path = with_suffix(log, ".lock");
        let lock_error = |source| OpenError::Lock {
            lock: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&path)
            .map_err(lock_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(OpenError::Locked {
                    path: log.into(),
                    lock: path,
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => return Err(lock_error(source)),
        }
        // The number is a courtesy to whoever is refused; on a full disk the lock holds without it.
        let pid = format!("{}\n", std::process::id());
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(pid.as_bytes()));
        Ok(Held { file, path })
    }

    /// Returns whether the lock file is still where others will look for it.
    fn stands(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(ours), Ok(found)) => id_of(&ours) == id_of(&found),
            _ => false,
        }
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
