//! What callers and the writer's thread share: the bounded queue, the state of health, the counters.
//!
//! It must not touch a file: nothing here waits for a disk, so a caller never does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::{Done, Settings};

/// Bytes of lines that may wait, whatever their number: lines of the largest size must not add up to the machine's
/// memory. An empty queue takes any line.
const QUEUE_BYTES_MAX: usize = 16 << 20;

/// What is to be stored.
pub(super) enum Line {
    Bytes(Vec<u8>),
    /// Not this one: only its callback is to be told.
    Refused,
    /// Nothing, and it is wanted to know when that is done.
    Nothing,
}

/// A line and whoever waits for its fate.
pub(super) struct Entry {
    pub(super) line: Line,
    pub(super) done: Done,
}

impl Entry {
    pub(super) fn line(line: Vec<u8>, done: Done) -> Entry {
        Entry {
            line: Line::Bytes(line),
            done,
        }
    }

    pub(super) fn refused(done: Done) -> Entry {
        let line = Line::Refused;
        Entry { line, done }
    }

    pub(super) fn nothing(done: Done) -> Entry {
        let line = Line::Nothing;
        Entry { line, done }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.line {
            Line::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Bytes in the log, newline included.
    fn len(&self) -> usize {
        self.bytes().map_or(0, |line| line.len() + 1)
    }
}

/// What the thread is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Store the entries just taken.
    Batch,
    /// Nothing is queued and someone asked after our health: look after the file.
    Check,
    /// Nothing is queued and someone wants the path looked at now.
    Reopen,
    /// Everything is stored and nothing more will come.
    Stop,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// Signalled when there is work and the thread sleeps.
    work: Condvar,
    health: Mutex<Option<String>>,
    counters: Mutex<Counters>,
    started: Instant,
    /// Since when the thread is at what it took last, ms after `started`; 0 while it waits for work.
    at_work_since_ms: AtomicU64,
    stuck_after: Duration,
    records_max: usize,
    batch_bytes_max: usize,
    batch_records_max: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    bytes: usize,
    /// The thread sleeps. Waking it is a system call, so it is done only then.
    idle: bool,
    check: bool,
    reopen: bool,
    stopping: bool,
}

impl Queue {
    pub(super) fn new(settings: &Settings) -> Queue {
        Queue {
            state: Mutex::default(),
            work: Condvar::new(),
            health: Mutex::default(),
            counters: Mutex::default(),
            started: Instant::now(),
            at_work_since_ms: AtomicU64::new(0),
            stuck_after: settings.stuck_after,
            records_max: settings.queue_records_max.max(1),
            batch_bytes_max: settings.batch_bytes_max,
            batch_records_max: settings.batch_records_max.max(1),
        }
    }

    /// Queues `entry`, or gives it back when there is no room or no more work is taken.
    pub(super) fn push(&self, entry: Entry) -> Result<(), Entry> {
        let mut state = lock(&self.state);
        let full = state.waiting.len() >= self.records_max
            || (!state.waiting.is_empty() && state.bytes + entry.len() > QUEUE_BYTES_MAX);
        if full || state.stopping {
            drop(state);
            self.count(|counters| counters.busy += 1);
            return Err(entry);
        }
        state.bytes += entry.len();
        state.waiting.push_back(entry);
        self.wake(state);
        Ok(())
    }

    /// Waits for work. Entries go first, checks wait for an empty queue: a batch is as good as a check.
    pub(super) fn next(&self, batch: &mut Vec<Entry>) -> Work {
        self.at_work_since_ms.store(0, Ordering::Relaxed);
        let work = self.wait_for_work(batch);
        self.at_work_since_ms
            .store(self.now_ms(), Ordering::Relaxed);
        work
    }

    fn now_ms(&self) -> u64 {
        let now_ms = u64::try_from(self.started.elapsed().as_millis());
        now_ms.unwrap_or(u64::MAX).max(1)
    }

    /// How long the thread has been at one thing, where that is too long.
    pub(super) fn stuck_for(&self) -> Option<Duration> {
        let since_ms = self.at_work_since_ms.load(Ordering::Relaxed);
        let for_ms = self.now_ms().saturating_sub(since_ms);
        let at_work = Duration::from_millis(for_ms);
        (0 < since_ms && self.stuck_after <= at_work).then_some(at_work)
    }

    fn wait_for_work(&self, batch: &mut Vec<Entry>) -> Work {
        let mut state = lock(&self.state);
        loop {
            if !state.waiting.is_empty() {
                self.take_batch(&mut state, batch);
                return Work::Batch;
            }
            if state.stopping {
                return Work::Stop;
            }
            if std::mem::take(&mut state.reopen) {
                return Work::Reopen;
            }
            if std::mem::take(&mut state.check) {
                return Work::Check;
            }
            state.idle = true;
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle = false;
        }
    }

    fn take_batch(&self, state: &mut State, batch: &mut Vec<Entry>) {
        let mut bytes = 0;
        while let Some(entry) = state.waiting.front() {
            let fits =
                batch.len() < self.batch_records_max && bytes + entry.len() <= self.batch_bytes_max;
            if !fits && !batch.is_empty() {
                break;
            }
            bytes += entry.len();
            batch.extend(state.waiting.pop_front());
        }
        state.bytes -= bytes;
    }

    pub(super) fn stop(&self) {
        let mut state = lock(&self.state);
        state.stopping = true;
        self.wake(state);
    }

    /// Returns the state of health and asks for a check.
    pub(super) fn health_and_probe(&self) -> Result<(), String> {
        let mut state = lock(&self.state);
        if state.stopping {
            return Err("the log writer has stopped".into());
        }
        state.check = true;
        self.wake(state);
        if let Some(stuck_for) = self.stuck_for() {
            let seconds = stuck_for.as_secs();
            return Err(format!(
                "the disk of the log has not answered for {seconds} s"
            ));
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Asks for a look at the path, however short ago the last one was.
    pub(super) fn reopen(&self) {
        let mut state = lock(&self.state);
        state.reopen = true;
        self.wake(state);
    }

    pub(super) fn is_healthy(&self) -> bool {
        lock(&self.health).is_none()
    }

    /// Why lines could not be stored when that was last tried.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.health).clone()
    }

    /// Notes why lines cannot be stored; `None` when they can.
    pub(super) fn set_health(&self, reason: Option<String>) {
        *lock(&self.health) = reason;
    }

    pub(super) fn count(&self, update: impl FnOnce(&mut Counters)) {
        update(&mut lock(&self.counters));
    }

    pub(super) fn counters(&self) -> Counters {
        let queue_depth = lock(&self.state).waiting.len();
        Counters {
            queue_depth,
            ..lock(&self.counters).clone()
        }
    }

    /// Wakes the thread once the lock is free: it would run into it at once.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let is_asleep = std::mem::take(&mut state.idle);
        drop(state);
        if is_asleep {
            self.work.notify_one();
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("records_max", &self.records_max)
            .finish_non_exhaustive()
    }
}

/// No code that can panic runs under these locks, so a poisoned one still holds sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
