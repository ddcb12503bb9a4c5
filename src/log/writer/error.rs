//! What can go wrong with the log, in words for a person. It must not hold bytes of a line.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or one of its directories could not be opened, made or looked at.
    #[error("cannot open beacon log `{}`", path.display())]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path leads to a directory.
    #[error("beacon log `{}` is a directory", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The directory of the log is missing and could not be made.
    #[error("cannot make directory `{}` for the beacon log", path.display())]
    Parent {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another writer has the log.
    #[error("another writer has beacon log `{}`: {} holds `{}`", path.display(), holder(*.pid), lock.display())]
    Locked {
        /// The log.
        path: PathBuf,
        /// The lock file.
        lock: PathBuf,
        /// The process that holds it; `None` when the lock file does not tell.
        pid: Option<u32>,
    },
    /// The lock file could not be made or locked, for another reason than a second writer.
    #[error("cannot lock `{}`", lock.display())]
    Lock {
        /// The lock file.
        lock: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log ends without a newline, and its last line could not be moved away.
    #[error("cannot move the torn last line of beacon log `{}` to `{}`", path.display(), torn.display())]
    Repair {
        /// The log.
        path: PathBuf,
        /// Where the tail was to go.
        torn: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread could not be started.
    #[error("cannot start the log writer")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// The writer did not come to a good end.
///
/// What was acknowledged is as durable as it was said to be. Of lines whose callback was not called nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// Its thread has not ended in time: the disk does not answer.
    #[error("the last sync of beacon log `{}` has not ended in time", path.display())]
    Late {
        /// The log.
        path: PathBuf,
    },
    /// The last sync failed.
    #[error("the last sync of beacon log `{}` failed: {cause}", path.display())]
    Failed {
        /// The log.
        path: PathBuf,
        /// Why, for a person.
        cause: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "an unknown process".into(),
        |pid| format!("process {pid}"),
    )
}

/// Why a line was not stored. One failure is shared by all lines of its batch, hence the `Arc`s.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// No room: the disk, a quota or the limit of the process on a file's size.
    #[error("disk full, cannot append to beacon log `{}`", path.display())]
    DiskFull {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The write failed.
    #[error("cannot append to beacon log `{}`", path.display())]
    Append {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The system took fewer bytes than it was given, as it does when a disk fills up.
    #[error("beacon log `{}` took only {written} of {wanted} bytes, is the disk full?", path.display())]
    Short {
        /// The log.
        path: PathBuf,
        /// Bytes that arrived, and were cut back.
        written: u64,
        /// Bytes of the batch.
        wanted: u64,
    },
    /// The disk has less free than is to be left to others; nothing was written.
    #[error("disk nearly full, cannot append to beacon log `{}`: {} MiB are free, {} are to stay so", path.display(), free_bytes >> 20, floor_bytes.div_ceil(1 << 20))]
    NearlyFull {
        /// The log.
        path: PathBuf,
        /// What is free.
        free_bytes: u64,
        /// What is to stay free.
        floor_bytes: u64,
    },
    /// The bytes were written but perhaps not stored. They may or may not be in the log.
    #[error("cannot sync beacon log `{}`", path.display())]
    Sync {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A sync failed a moment ago, and the next fresh file is not begun yet.
    #[error("a sync of beacon log `{}` failed, a fresh file is begun in a moment", path.display())]
    Resting {
        /// The log.
        path: PathBuf,
    },
    /// The log had to be opened again, after a failure or because it was moved, and could not.
    #[error("cannot reopen beacon log `{}`", path.display())]
    Reopen {
        /// The log.
        path: PathBuf,
        /// What was wrong.
        source: Arc<OpenError>,
    },
    /// The line holds a newline.
    #[error("a line for the beacon log holds a raw newline")]
    RawNewline,
    /// A bug: the writer panicked on this batch, and lives on.
    #[error("the log writer failed, this is a bug")]
    Internal,
}

/// Sorts a failed write by what a person has to do about it.
pub(super) fn append_error(path: PathBuf, source: io::Error) -> WriteError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let full = matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge);
    let source = Arc::new(source);
    if full {
        WriteError::DiskFull { path, source }
    } else {
        WriteError::Append { path, source }
    }
}
