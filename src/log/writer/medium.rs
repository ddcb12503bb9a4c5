//! The few calls on the open log that a disk can fail: the seam where tests put their faults.
//!
//! Nothing else belongs here: opening, locking and looking at files is done on the real file system in tests too.

use std::fs::File;
use std::io::{self, Write};

/// Where bytes go. A medium serves every handle that a writer opens in its life, so that a fault can be scripted.
pub(super) trait Medium: Send {
    /// Appends `bytes` in one call and returns how many were taken.
    fn append(&mut self, file: &File, bytes: &[u8]) -> io::Result<usize>;
    /// Makes the data durable.
    fn sync(&mut self, file: &File) -> io::Result<()>;
    /// Cuts the file to `len` bytes.
    fn truncate(&mut self, file: &File, len: u64) -> io::Result<()>;
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
}
