//! The writer's thread: takes what is queued, stores it as one batch, then tells everyone who waits.
//!
//! No timer: while one batch is synced the next one gathers. The thread must outlive every failure and every panic,
//! because nobody else can append.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::error::WriteError;
use super::queue::{Entry, Line, Queue, Work};
use super::sink::Sink;
use crate::plain::with_causes;

/// Least time between two looks at the file that were asked for: asking is free for anyone who can reach `/healthz`.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(500);

/// Runs until the queue is stopped and empty.
pub(super) fn run(queue: &Queue, mut sink: Sink) {
    let mut batch = Vec::new();
    let mut bytes = Vec::new();
    let mut checked: Option<Instant> = None;
    loop {
        match queue.next(&mut batch) {
            Work::Batch => commit(queue, &mut sink, &mut batch, &mut bytes),
            Work::Reopen => check(queue, &mut sink),
            Work::Check => {
                if checked.is_none_or(|at| CHECK_INTERVAL_MIN <= at.elapsed()) {
                    check(queue, &mut sink);
                    checked = Some(Instant::now());
                }
            }
            Work::Stop => {
                let result = guarded(&mut sink, Sink::finish);
                report(queue, &mut sink, result.err());
                return;
            }
        }
    }
}

fn commit(queue: &Queue, sink: &mut Sink, batch: &mut Vec<Entry>, bytes: &mut Vec<u8>) {
    bytes.clear();
    let mut lines = 0;
    for line in batch.iter().filter_map(Entry::bytes) {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        lines += 1;
    }
    let refused = batch
        .iter()
        .filter(|entry| matches!(entry.line, Line::Refused));
    let refused = refused.count() as u64;
    queue.count(|counters| counters.failed_lines += refused);

    let result = if lines == 0 {
        Ok(())
    } else {
        store(queue, sink, bytes, lines)
    };
    let mut panics = 0;
    for Entry { line, done } in batch.drain(..) {
        let fate = match line {
            Line::Bytes(_) => result.clone(),
            Line::Refused => Err(WriteError::RawNewline),
            Line::Nothing => Ok(()),
        };
        if catch_unwind(AssertUnwindSafe(|| done(fate))).is_err() {
            panics += 1;
        }
    }
    if panics > 0 {
        queue.count(|counters| counters.callback_panics += panics);
    }
}

/// Stores one batch. Counters and health are true before the first callback runs: whoever was answered finds them so.
fn store(queue: &Queue, sink: &mut Sink, bytes: &[u8], lines: u64) -> Result<(), WriteError> {
    let begin = Instant::now();
    let result = guarded(sink, |sink| sink.commit(bytes));
    let seconds = begin.elapsed().as_secs_f64();
    queue.count(|counters| match &result {
        Ok(()) => {
            counters.lines += lines;
            counters.bytes += bytes.len() as u64;
            counters.batches += 1;
            counters.commit_seconds.add(seconds);
        }
        Err(_) => {
            counters.failures += 1;
            counters.failed_lines += lines;
        }
    });
    report(queue, sink, result.as_ref().err().cloned());
    result
}

/// Looks after the file without traffic: that it is still there and, after a failure, that it can be written again.
fn check(queue: &Queue, sink: &mut Sink) {
    if queue.is_healthy() {
        let result = guarded(sink, Sink::ready);
        report(queue, sink, result.err());
        return;
    }
    match guarded(sink, Sink::probe) {
        Ok(true) => report(queue, sink, None),
        // A device cannot be probed; only a stored line will tell.
        Ok(false) => {}
        Err(error) => report(queue, sink, Some(error)),
    }
}

/// Runs `work`; a panic in it becomes an error, and the handle it happened on is not used again.
fn guarded<T>(
    sink: &mut Sink,
    work: impl FnOnce(&mut Sink) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    catch_unwind(AssertUnwindSafe(|| work(sink))).unwrap_or_else(|_| {
        sink.retire();
        Err(WriteError::Internal)
    })
}

fn report(queue: &Queue, sink: &mut Sink, error: Option<WriteError>) {
    let did = sink.take_deeds();
    queue.count(|counters| {
        counters.syncs += did.syncs;
        counters.sync_failures += did.sync_failures;
        counters.set_asides += did.set_asides;
        counters.reopens += did.reopens;
        counters.truncations += did.truncations;
        counters.rotations += did.rotations;
        counters.rotation_failures += did.rotation_failures;
        counters.free_bytes = did.free_bytes;
        counters.sealed_tails += did.sealed_tails;
    });
    queue.set_health(error.as_ref().map(|error| with_causes(error)));
}
