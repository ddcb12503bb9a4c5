//! Appends lines to the beacon log: group commit on one thread, durable before a line is called stored.
//!
//! Knows bytes and newlines, a path and a disk. It must not know HTTP, JSON or what a beacon is, must never
//! acknowledge a line whose bytes are not where [`Settings::durability`] promises, and must never die of a failure:
//! every fault fails the batch it hit, and the next batch or probe tries again.
//!
//! `commit` is the thread, `sink` the log with what is done about failures, `handle` one open file of it, `tail`, `lock`
//! and `directory` what happens at its opening, `rotate` and `space` when it must not go on as it is, `medium` the few
//! calls that tests make fail, `error`, `counters` and `events` what callers see. `keep` is a second thread that looks
//! after the segments that were rotated away.

mod commit;
mod compress;
mod counters;
mod directory;
mod error;
mod events;
mod handle;
mod keep;
mod lock;
mod medium;
mod queue;
mod rotate;
mod sink;
mod space;
mod tail;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use counters::{Counters, Histogram, SECONDS_BOUNDS};
pub use error::{OpenError, Unfinished, WriteError};
pub use events::{Event, Listener};
pub use keep::Keep;
pub use rotate::Rotation;

use crate::log::rotated;
use keep::{Bell, Keeper};
use medium::{Disk, Medium};
use queue::{Entry, Queue};
use sink::Sink;
use worker::Worker;

/// Records that may wait for the writer's thread unless [`Settings`] says otherwise.
pub const QUEUE_RECORDS_MAX: usize = 4096;
/// Bytes of one batch, newlines included, unless [`Settings`] says otherwise.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Records of one batch unless [`Settings`] says otherwise.
pub const BATCH_RECORDS_MAX: usize = 1024;

/// Bytes of the disk that are left to others unless [`Settings`] says otherwise.
pub const MIN_FREE_BYTES: u64 = 64 << 20;
/// Between two tries of what would make a segment each time, unless [`Settings`] says otherwise.
const RETRY_GAP: Duration = Duration::from_secs(10);
/// A disk that does not answer for so long is stuck, unless [`Settings`] says otherwise.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// Tells the time in ms since the epoch. It may jump.
type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a [`Writer`] works. [`Settings::new`] fills in the usual limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log. Made if missing, its directories too. A symbolic link is followed.
    pub path: PathBuf,
    /// What has happened to a line when its callback hears `Ok`.
    pub durability: Durability,
    /// Lines that may wait, at least 1; one more is [`Busy`].
    pub queue_records_max: usize,
    /// Bytes of one batch, newlines included. A longer line makes a batch of its own.
    pub batch_bytes_max: usize,
    /// Lines of one batch, at least 1.
    pub batch_records_max: usize,
    /// Where the file system has less free than this, lines are refused; 0 is no floor.
    pub min_free_bytes: u64,
    /// When the log becomes a segment.
    pub rotation: Rotation,
    /// What becomes of segments.
    pub keep: Keep,
    /// Least time between two tries of a rotation that fails, and between two fresh files after failed syncs.
    pub retry_gap: Duration,
    /// How long one batch may take before the disk counts as stuck.
    pub stuck_after: Duration,
    /// Who hears of what no callback tells.
    pub listener: Listener,
}

impl Settings {
    /// Returns settings for the log at `path`: synced, with the usual limits.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Settings {
        Settings {
            path: path.into(),
            durability: Durability::Synced,
            queue_records_max: QUEUE_RECORDS_MAX,
            batch_bytes_max: BATCH_BYTES_MAX,
            batch_records_max: BATCH_RECORDS_MAX,
            min_free_bytes: MIN_FREE_BYTES,
            rotation: Rotation::default(),
            keep: Keep::default(),
            retry_gap: RETRY_GAP,
            stuck_after: STUCK_AFTER,
            listener: Listener::default(),
        }
    }
}

/// What has happened to a line when its callback hears `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// An `fdatasync` that began after the write has returned: the line survives a power cut.
    Synced,
    /// The operating system has the line: it survives the death of this process, not of the machine.
    Written,
}

/// Called exactly once, on the writer's thread, when the fate of the line is known.
///
/// It holds up every line behind it, so it should hand over and return. A panic in it is caught and counted.
pub type Done = Box<dyn FnOnce(Result<(), WriteError>) + Send>;

/// The line was not taken: the queue is full or the writer has stopped. Holds the callback, not called.
pub struct Busy(pub Done);

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Busy")
    }
}

/// The one writer of a beacon log. Share it in an `Arc`; dropping the last reference stops it.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    durability: Durability,
    queue: Arc<Queue>,
    thread: Worker,
    keeper: Keeper,
}

impl Writer {
    /// Opens the log and starts the writer's thread.
    ///
    /// Makes the file and missing directories, takes the lock beside it (`LOG.lock`), and moves a last line without
    /// a newline, the trace of a crash, into `LOG.torn-<unix ms>`.
    ///
    /// # Errors
    ///
    /// When the log cannot be opened or is a directory, when another writer holds the lock, when a torn tail cannot
    /// be moved away, or when the thread cannot be started. Nothing is left behind but the lock file.
    pub fn open(settings: Settings) -> Result<Writer, OpenError> {
        Writer::open_on(settings, Box::new(Disk), Arc::new(unix_ms))
    }

    /// [`Writer::open`] on a medium that may fail on purpose, with a clock of the caller's.
    fn open_on(
        settings: Settings,
        medium: Box<dyn Medium>,
        clock: Clock,
    ) -> Result<Writer, OpenError> {
        let path = settings.path.clone();
        let bell = Arc::new(Bell::default());
        let (sink, sealed) = Sink::open(&settings, medium, Arc::clone(&clock), Arc::clone(&bell))?;
        let queue = Arc::new(Queue::new(&settings));
        queue.count(|counters| counters.sealed_tails += sealed);
        let keeper = Keeper::start(&settings, &sink.lock, &queue, bell, clock)?;
        let thread = Worker::start("log-writer", {
            let queue = Arc::clone(&queue);
            move || commit::run(&queue, sink)
        })?;
        Ok(Writer {
            path,
            durability: settings.durability,
            queue,
            thread,
            keeper,
        })
    }

    /// Queues `line`, without its newline, and returns at once. Lines reach the log in the order of these calls.
    ///
    /// A line that holds a newline would be two: a bug of the caller, caught in debug builds; in others the line is
    /// not written and `done` hears [`WriteError::RawNewline`].
    ///
    /// # Errors
    ///
    /// [`Busy`] with `done`, uncalled, when the queue is full or the writer has stopped.
    pub fn append(&self, line: Vec<u8>, done: Done) -> Result<(), Busy> {
        let valid = !line.contains(&b'\n');
        debug_assert!(valid, "a line for the log must not hold a newline");
        let entry = if valid {
            Entry::line(line, done)
        } else {
            Entry::refused(done)
        };
        self.queue.push(entry).map_err(|entry| Busy(entry.done))
    }

    /// Calls `done` once the fate of whatever was queued before is known: for what is to be told in order with it.
    pub fn after_all(&self, done: Done) {
        if let Err(entry) = self.queue.push(Entry::nothing(done)) {
            (entry.done)(Ok(()));
        }
    }

    /// Returns `Ok` while lines can be stored as far as the writer knows.
    ///
    /// It also asks the thread to look after the file, at most every half second: that the path still leads to it
    /// and, after a failure, that bytes can be written and synced again. So a log recovers, or is found gone, without
    /// traffic; the next call tells.
    ///
    /// # Errors
    ///
    /// A reason for a person, after a failure until something was stored or a probe succeeded, while the disk is stuck, and
    /// after a stop.
    pub fn health(&self) -> Result<(), String> {
        self.queue.health_and_probe()
    }

    /// Whether the disk has not answered for [`Settings::stuck_after`]. Costs next to nothing.
    pub fn is_stuck(&self) -> bool {
        self.queue.stuck_for().is_some()
    }

    /// Asks the thread to look at the path now, as a rotation by another program wants it: if the log was renamed, the
    /// writer goes on in the one at the path, and makes it where it is missing. It would do so with the next line.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Returns the numbers since the start.
    pub fn counters(&self) -> Counters {
        self.queue.counters()
    }

    /// Returns what has happened to a line when its callback hears `Ok`.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Returns the path of the log as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder that the path names.
    pub fn folder(&self) -> &Path {
        rotated::folder_of(&self.path)
    }

    /// Returns where the log really lies, links followed; also in the moment of a rotation, when it is not there.
    ///
    /// # Errors
    ///
    /// When its folder cannot be found either.
    pub fn real_path(&self) -> io::Result<PathBuf> {
        rotated::real_path(&self.path)
    }

    /// Takes no more lines, stores those that are queued, syncs whatever the durability, and waits for the thread.
    ///
    /// Later calls wait for the first and do nothing else. Called from a callback it only begins the stop, because
    /// the thread cannot wait for itself.
    pub fn stop(&self) {
        self.stop_by(None);
    }

    /// [`Writer::stop`] that waits for `limit` at most. A disk that does not answer holds up the threads, which keep the lock,
    /// but nobody else: later stops do not wait again.
    ///
    /// # Errors
    ///
    /// Where not everything was stored and synced by then, or the last sync failed. A segment that is being compressed is no
    /// reason: that is begun again at the next start.
    pub fn stop_within(&self, limit: Duration) -> Result<(), Unfinished> {
        let path = self.path.clone();
        if !self.stop_by(Some(Instant::now() + limit)) {
            return Err(Unfinished::Late { path });
        }
        // What the thread told last was how its last sync went.
        match self.queue.failure() {
            None => Ok(()),
            Some(cause) => Err(Unfinished::Failed { path, cause }),
        }
    }

    fn stop_by(&self, deadline: Option<Instant>) -> bool {
        self.queue.stop();
        self.keeper.begin_stop();
        let has_ended = self.thread.wait(deadline);
        self.keeper.stop(deadline);
        has_ended
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Milliseconds since the epoch, to name what is put aside. The one look at the wall clock in this module.
fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}
