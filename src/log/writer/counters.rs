//! What the writer has done, as plain numbers. It must not know who shows them.

/// Upper bounds of the buckets of [`Counters::commit_seconds`], in seconds; a last bucket holds everything above.
pub const SECONDS_BOUNDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// What the writer has done since it was opened. All but `queue_depth` and `free_bytes` only grow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Lines stored as the durability promises.
    pub lines: u64,
    /// Bytes of those lines, newlines included.
    pub bytes: u64,
    /// Syncs of the log that succeeded, those of probes and of the stop included.
    pub syncs: u64,
    /// Batches stored.
    pub batches: u64,
    /// Batches that failed.
    pub failures: u64,
    /// Lines that failed with them, or were refused for a raw newline.
    pub failed_lines: u64,
    /// Lines turned away because the queue was full or the writer stopped.
    pub busy: u64,
    /// Lines waiting now, the batch under way not counted.
    pub queue_depth: usize,
    /// Tails without a newline moved out of the log, at the start or when it was opened again.
    pub sealed_tails: u64,
    /// Times the log was opened again: rotated, removed, replaced, or after a failure.
    pub reopens: u64,
    /// Times the log was rotated because it was due.
    pub rotations: u64,
    /// Times it was due and could not be.
    pub rotation_failures: u64,
    /// Syncs that failed, those of probes included.
    pub sync_failures: u64,
    /// Times it was set aside for a fresh one because a sync had failed.
    pub set_asides: u64,
    /// Times another program cut it.
    pub truncations: u64,
    /// Segments compressed.
    pub segments_compressed: u64,
    /// Segments that could not be, each try counted.
    pub compression_failures: u64,
    /// Segments removed for their age.
    pub segments_removed: u64,
    /// What the file system of the log had free when last looked at; `None` where it does not tell.
    pub free_bytes: Option<u64>,
    /// Callbacks that panicked.
    pub callback_panics: u64,
    /// How long write and sync of a stored batch took, together, in seconds.
    pub commit_seconds: Histogram,
}

/// Durations in buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// How many fell into each bucket alone (not cumulative): at most [`SECONDS_BOUNDS`]`[i]`, above the one before.
    pub counts: [u64; SECONDS_BOUNDS.len() + 1],
    /// All of them added up, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Returns how many durations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds one duration, in seconds.
    pub(super) fn add(&mut self, seconds: f64) {
        let bucket = SECONDS_BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let mut histogram = Histogram::default();
        for seconds in [0.0, 0.0005, 0.000_500_1, 2.5, 2.6, 1e9] {
            histogram.add(seconds);
        }
        assert_eq!(histogram.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(histogram.count(), 6);
    }
}
