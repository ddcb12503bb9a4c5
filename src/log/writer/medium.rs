//! The few calls on the log that a disk can fail: the seam where tests put their faults.
//!
//! Nothing else belongs here: locking, looking at files and opening those that are there is done on the real file
//! system in tests too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::directory::sync_directory_of;

/// Where bytes go. A medium serves every handle that a writer opens in its life, so that a fault can be scripted.
pub(super) trait Medium: Send {
    /// Appends `bytes` in one call and returns how many were taken.
    fn append(&mut self, file: &File, bytes: &[u8]) -> io::Result<usize>;
    /// Makes the data durable.
    fn sync(&mut self, file: &File) -> io::Result<()>;
    /// Cuts the file to `len` bytes.
    fn truncate(&mut self, file: &File, len: u64) -> io::Result<()>;
    /// Returns how many bytes the file system has for us; `None` where it cannot tell.
    fn free_bytes(&mut self, file: &File) -> Option<u64>;
    /// Gives a file another name, over whatever has it.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Opens a log that was not there.
    fn create(&mut self, path: &Path) -> io::Result<File>;
    /// Makes durable what the directory of `path` says of it.
    fn sync_directory(&mut self, path: &Path) -> io::Result<()>;
}

/// The real one.
pub(super) struct Disk;

impl Medium for Disk {
    fn append(&mut self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match file.write(bytes) {
                // A signal came before any byte was taken.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&mut self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn free_bytes(&mut self, file: &File) -> Option<u64> {
        let found = rustix::fs::fstatvfs(file).ok()?;
        // What has no size, such as a file system of the kernel's own, cannot be full.
        (0 < found.f_blocks).then(|| found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o640)
            .open(path)
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        sync_directory_of(path)
    }
}
