//! Looks after the segments that the writer rotated away: compresses them one by one, removes those that are too old.
//!
//! A thread of its own and of low priority, so that the writer never waits for it. It must touch nothing but segments
//! whose names are exactly ours, never the log; and it must not remove a plain segment before its compressed copy is
//! durable and was read back, byte by byte. Whenever it is killed, the next start takes up where it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::compress::{self, Refusal};
use super::directory::sync_directory_of;
use super::error::OpenError;
use super::events::{Event, Listener};
use super::lock::Lock;
use super::queue::Queue;
use super::rotate::seconds;
use super::worker::Worker;
use super::{Clock, Settings};
use crate::log::rotated::{self, Segment};

/// Between two rounds when no rotation comes: an old segment goes that much late, what failed is tried again.
const ROUND_EVERY: Duration = Duration::from_secs(600);
/// A wall clock that drifts this far from the monotonic one within a round has been set.
const CLOCK_JUMP: Duration = Duration::from_secs(3_600);
/// So long after that, and after a start that finds nothing so young, no segment is removed: a clock that was wrong for a
/// moment must not cost a year of them.
const CLOCK_REST: Duration = Duration::from_secs(24 * 3_600);
const DAY_S: i64 = 86_400;

/// What becomes of segments that the writer rotated away. Others' are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Compress them.
    pub gzip: bool,
    /// Remove those rotated away more than so many days ago, by the time in their name or of their last change, whichever is
    /// earlier: a clock that ran ahead for a moment must not keep them for ever.
    pub retain_days: Option<u32>,
}

/// Calls the keeper.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<BellState>,
    rings: Condvar,
}

#[derive(Debug, Default)]
struct BellState {
    rung: bool,
    stopping: bool,
}

impl Bell {
    /// Says that there is something to do.
    pub(super) fn ring(&self) {
        self.state().rung = true;
        self.rings.notify_all();
    }

    pub(super) fn begin_stop(&self) {
        self.state().stopping = true;
        self.rings.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Waits for a ring, `patience` at most; `false` when it is time to stop.
    fn wait(&self, patience: Duration) -> bool {
        let asleep = |state: &mut BellState| !state.rung && !state.stopping;
        let (mut state, _) = self
            .rings
            .wait_timeout_while(self.state(), patience, asleep)
            .unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        !state.stopping
    }

    fn state(&self) -> MutexGuard<'_, BellState> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keeper's thread, where there is anything to do for it.
#[derive(Debug)]
pub(super) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<Worker>,
}

impl Keeper {
    pub(super) fn start(
        settings: &Settings,
        lock: &Lock,
        queue: &Arc<Queue>,
        bell: Arc<Bell>,
        clock: Clock,
    ) -> Result<Keeper, OpenError> {
        let mut thread = None;
        if settings.keep != Keep::default() {
            let mut rounds = Rounds::new(settings, Arc::clone(queue), Arc::clone(&bell), clock);
            // Nobody else may have the log before the last round is over.
            let lock = lock.clone();
            let run = move || {
                let _lock = lock;
                lower_priority();
                loop {
                    rounds.round();
                    if !rounds.bell.wait(ROUND_EVERY) {
                        return;
                    }
                }
            };
            thread = Some(Worker::start("log-keeper", run)?);
        }
        Ok(Keeper { bell, thread })
    }

    pub(super) fn begin_stop(&self) {
        self.bell.begin_stop();
    }

    /// Stops where the work can be taken up again, and waits for it; whether it came there in time is all the same: it can be
    /// taken up again wherever it is broken off.
    pub(super) fn stop(&self, deadline: Option<Instant>) {
        self.bell.begin_stop();
        if let Some(thread) = &self.thread {
            thread.wait(deadline);
        }
    }
}

/// Elsewhere than on Linux this would be the priority of the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}

/// One round after the other.
pub(super) struct Rounds {
    log: PathBuf,
    keep: Keep,
    min_free_bytes: u64,
    queue: Arc<Queue>,
    bell: Arc<Bell>,
    clock: Clock,
    steady: Steady,
    listener: Listener,
}

impl Rounds {
    pub(super) fn new(
        settings: &Settings,
        queue: Arc<Queue>,
        bell: Arc<Bell>,
        clock: Clock,
    ) -> Rounds {
        let now_ms = clock();
        Rounds {
            steady: Steady::new(now_ms, newest_ms(&settings.path)),
            log: settings.path.clone(),
            keep: settings.keep.clone(),
            min_free_bytes: settings.min_free_bytes,
            queue,
            bell,
            clock,
            listener: settings.listener.clone(),
        }
    }

    pub(super) fn round(&mut self) {
        let failed = |path: &Path, cause: String| Event::CleaningFailed {
            path: path.to_owned(),
            cause,
        };
        let listed = rotated::real_path(&self.log).and_then(|real| rotated::list(&real));
        let (mut segments, unfinished) = match listed {
            Ok(listed) => listed,
            Err(cause) => {
                let folder = rotated::folder_of(&self.log);
                return self.listener.tell(failed(folder, cause.to_string()));
            }
        };
        for path in unfinished {
            if let Err(cause) = fs::remove_file(&path) {
                self.listener.tell(failed(&path, cause.to_string()));
            }
        }
        let now_ms = (self.clock)();
        if let (Some(days), true) = (self.keep.retain_days, self.steady.is_steady(now_ms)) {
            let before_s = seconds(now_ms).saturating_sub(i64::from(days) * DAY_S);
            segments.retain(|segment| {
                let is_old = rotated_at_s(segment) < before_s;
                if is_old {
                    self.remove(segment);
                }
                !is_old
            });
        }
        if self.keep.gzip {
            for segment in segments.iter().filter(|segment| segment.has_plain) {
                if self.bell.is_stopping() {
                    return;
                }
                self.compress(segment);
            }
        }
    }

    fn remove(&self, segment: &Segment) {
        let compressed = segment.compressed_path();
        let copies = [
            (segment.has_plain, &segment.path),
            (segment.has_compressed, &compressed),
        ];
        for (_, path) in copies.iter().filter(|(is_there, _)| *is_there) {
            if let Err(cause) = fs::remove_file(path) {
                return self.listener.tell(Event::CleaningFailed {
                    path: path.to_path_buf(),
                    cause: cause.to_string(),
                });
            }
        }
        self.queue.count(|counters| counters.segments_removed += 1);
    }

    fn compress(&self, segment: &Segment) {
        let outcome = compress::compress(segment, self.min_free_bytes, || self.bell.is_stopping());
        match outcome {
            Ok(()) => {
                self.queue
                    .count(|counters| counters.segments_compressed += 1);
                // A power cut after this brings no plain segment back. If it fails, both may be there again: the next
                // round does it once more, and readers take the plain one alone.
                let _ = sync_directory_of(&segment.path);
            }
            Err(Refusal::Stopped) => {}
            Err(Refusal::Failed(cause)) => {
                self.queue
                    .count(|counters| counters.compression_failures += 1);
                self.listener.tell(Event::CompressionFailed {
                    segment: segment.path.clone(),
                    cause: cause.to_string(),
                });
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop(None);
    }
}

fn rotated_at_s(segment: &Segment) -> i64 {
    let path = match segment.has_plain {
        true => &segment.path,
        false => &segment.compressed_path(),
    };
    let changed_ms = fs::metadata(path).ok().as_ref().and_then(changed_ms);
    changed_ms.map_or(segment.mark.at_s, |ms| segment.mark.at_s.min(seconds(ms)))
}

/// When the log or a segment of it last changed, as far as they tell. A fresh log tells nothing.
fn newest_ms(log: &Path) -> Option<u64> {
    let real = rotated::real_path(log).ok()?;
    let live = fs::metadata(&real).ok().filter(|found| 0 < found.len());
    let (segments, _) = rotated::list(&real).ok()?;
    let segment_ms = segments.last().map(|segment| {
        let at_s = u64::try_from(rotated_at_s(segment)).unwrap_or(0);
        at_s.saturating_mul(1_000)
    });
    live.as_ref().and_then(changed_ms).max(segment_ms)
}

fn changed_ms(found: &fs::Metadata) -> Option<u64> {
    let since = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Tells whether the wall clock went on as time did.
struct Steady {
    wall_ms: u64,
    at: Instant,
    jumped: Option<Instant>,
}

impl Steady {
    /// `newest_ms` is the last that is known of; long before now, and the clock may have been set while nothing ran.
    fn new(wall_ms: u64, newest_ms: Option<u64>) -> Steady {
        let unseen = newest_ms.map(|ms| Duration::from_millis(wall_ms.abs_diff(ms)));
        Steady {
            wall_ms,
            at: Instant::now(),
            jumped: unseen
                .is_none_or(|unseen| CLOCK_REST < unseen)
                .then(Instant::now),
        }
    }

    fn is_steady(&mut self, wall_ms: u64) -> bool {
        let passed = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let expected = self.wall_ms.saturating_add(passed);
        if CLOCK_JUMP < Duration::from_millis(wall_ms.abs_diff(expected)) {
            self.jumped = Some(Instant::now());
        }
        (self.wall_ms, self.at) = (wall_ms, Instant::now());
        self.jumped.is_none_or(|at| CLOCK_REST <= at.elapsed())
    }
}
