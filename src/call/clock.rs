//! How far a participant's clock is off, from what the collector's says: by the offsets between when each beacon came and its newest
//! reading.
//!
//! On its way a beacon can only get later, so the smallest offset is the nearest to the truth, and what a retry or a long queue adds
//! is never taken for a clock. What was kept and then delivered at once gives each beacon another offset: only beacons that agree for
//! longer than what was delivered at once could do tell of a clock. Both instants may come in any order. Nothing is said without a
//! receipt: [`Clock::Unsuspected`].

use super::packed::Packed;

/// A smaller offset is not corrected: pages send every 15 s, so that much and as much again for one retry may pass between a reading and
/// its receipt, and trouble that others have at the same time is found all the same.
pub(super) const SKEW_MIN_MS: i64 = 30_000;
/// Beacons agree whose offsets differ by no more: a reading waits some 2 s, and the network, at its worst, as long again and again.
const AGREE_MS: i64 = 10_000;
/// So many beacons in a row agree, or chance has made them alike.
const AGREE_MIN: usize = 3;
/// Their readings are further apart than this. Of what was delivered at once, those that agree are no further apart than [`AGREE_MS`].
const AGREE_SPAN_MS: i64 = 2 * AGREE_MS;

/// What is known of a clock.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Right, nearly so, or nobody can tell: believed.
    #[default]
    Unsuspected,
    /// Wrong all the time.
    Off {
        /// What was added to its instants, in ms.
        added_ms: i64,
    },
    /// Set while the participant was there: its instants stay as they were sent.
    Jumping {
        /// How often.
        jumps: usize,
        /// From the earliest it showed to the latest, in ms.
        by_ms: i64,
    },
}

impl Clock {
    /// What to add to its instants, in ms.
    pub fn added_ms(self) -> i64 {
        match self {
            Clock::Off { added_ms } => added_ms,
            Clock::Unsuspected | Clock::Jumping { .. } => 0,
        }
    }

    /// Whether it was set meanwhile: what it showed cannot be held against what others showed, nor a silence told from a jump.
    pub fn is_jumping(self) -> bool {
        matches!(self, Clock::Jumping { .. })
    }

    /// Whether it was not to be believed.
    pub fn is_skewed(self) -> bool {
        self != Clock::Unsuspected
    }
}

/// One beacon that says both when it was received and when its newest reading was taken, in ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Beat {
    pub(super) received_ms: i64,
    pub(super) newest_ms: i64,
}

impl Beat {
    fn offset_ms(self) -> i64 {
        self.received_ms - self.newest_ms
    }
}

impl Packed<16> for Beat {
    fn to_bytes(self) -> [u8; 16] {
        let (received, newest) = (self.received_ms as u64, self.newest_ms as u64);
        (u128::from(received) << 64 | u128::from(newest)).to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 16]) -> Beat {
        let both = u128::from_le_bytes(bytes);
        Beat {
            received_ms: (both >> 64) as i64,
            newest_ms: both as i64,
        }
    }
}

/// Beacons in a row that agree.
struct Level {
    /// The smallest and the largest offset.
    least_ms: i64,
    most_ms: i64,
    n: usize,
    /// The first and the last reading.
    first_ms: i64,
    last_ms: i64,
}

impl Level {
    fn of(beat: Beat) -> Level {
        Level {
            least_ms: beat.offset_ms(),
            most_ms: beat.offset_ms(),
            n: 1,
            first_ms: beat.newest_ms,
            last_ms: beat.newest_ms,
        }
    }

    /// Takes `beat` in, if it agrees.
    fn take(&mut self, beat: Beat) -> bool {
        let least_ms = self.least_ms.min(beat.offset_ms());
        let most_ms = self.most_ms.max(beat.offset_ms());
        let agrees = most_ms - least_ms <= AGREE_MS;
        if agrees {
            *self = Level {
                least_ms,
                most_ms,
                n: self.n + 1,
                first_ms: self.first_ms.min(beat.newest_ms),
                last_ms: self.last_ms.max(beat.newest_ms),
            };
        }
        agrees
    }

    fn is_steady(&self) -> bool {
        AGREE_MIN <= self.n && AGREE_SPAN_MS < self.last_ms - self.first_ms
    }
}

/// The clock behind `beats`, which come in any order, some of them twice.
pub(super) fn clock(beats: &[Beat]) -> Clock {
    let offsets = || beats.iter().map(|beat| beat.offset_ms());
    let (Some(least_ms), Some(most_ms)) = (offsets().min(), offsets().max()) else {
        return Clock::Unsuspected;
    };
    // Most sessions, told without a look at each beacon.
    if least_ms.abs() < SKEW_MIN_MS && most_ms < SKEW_MIN_MS {
        return Clock::Unsuspected;
    }
    let steady = steady(beats);
    // A jump further than any two that agree, from one level to the next; what was merely late is no level.
    let jumps = steady.windows(2).filter(|pair| {
        let by_ms = pair[0].least_ms - pair[1].least_ms;
        SKEW_MIN_MS <= by_ms.abs()
    });
    let jumps = jumps.count();
    let levels = || steady.iter().map(|level| level.least_ms);
    let (Some(lowest_ms), Some(highest_ms)) = (levels().min(), levels().max()) else {
        return Clock::Unsuspected;
    };
    if 0 < jumps {
        Clock::Jumping {
            jumps,
            by_ms: highest_ms - lowest_ms,
        }
    } else if SKEW_MIN_MS <= least_ms.abs() && lowest_ms - least_ms <= AGREE_MS {
        Clock::Off { added_ms: least_ms }
    } else {
        Clock::Unsuspected
    }
}

/// Levels that lasted, in the order in which their beacons came.
fn steady(beats: &[Beat]) -> Vec<Level> {
    let mut beats = beats.to_vec();
    // A repeat says nothing new: the first receipt of a reading counts.
    beats.sort_unstable_by_key(|beat| (beat.newest_ms, beat.received_ms));
    beats.dedup_by_key(|beat| beat.newest_ms);
    beats.sort_unstable();
    let mut levels: Vec<Level> = Vec::new();
    for beat in beats {
        if !levels.last_mut().is_some_and(|last| last.take(beat)) {
            levels.push(Level::of(beat));
        }
    }
    levels.retain(Level::is_steady);
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T: i64 = 1_795_449_600_000;
    const HOUR: i64 = 3_600_000;

    /// Beacons every 15 s with a newest reading 1 s old: what the clock of each adds to the truth, and how late it is.
    fn beats(n: i64, of: impl Fn(i64) -> (i64, i64)) -> Vec<Beat> {
        let beat = |nth: i64| {
            let (ahead_ms, late_ms) = of(nth);
            let at_ms = T + 15_000 * nth;
            Beat {
                received_ms: at_ms + late_ms + nth % 3 * 100,
                newest_ms: at_ms - 1_000 + ahead_ms,
            }
        };
        (0..n).map(beat).collect()
    }

    #[test]
    fn a_clock_that_is_off_all_the_time_is_corrected() {
        for ahead_ms in [HOUR, -HOUR, 400 * 24 * HOUR, -60_000, 60_000] {
            let expect = Clock::Off {
                added_ms: 1_000 - ahead_ms,
            };
            assert_eq!(clock(&beats(20, |_| (ahead_ms, 0))), expect);
            assert_eq!(clock(&beats(3, |_| (ahead_ms, 0))), expect);
            let late = |nth: i64| (ahead_ms, if nth % 5 == 4 { 90_000 } else { 0 });
            assert_eq!(clock(&beats(20, late)), expect, "some came late");
        }
    }

    #[test]
    fn a_clock_that_is_a_little_off_is_believed() {
        for ahead_ms in [0, 20_000, -20_000] {
            assert_eq!(clock(&beats(20, |_| (ahead_ms, 0))), Clock::Unsuspected);
        }
        assert_eq!(clock(&[]), Clock::Unsuspected);
    }

    #[test]
    fn two_beacons_tell_of_no_clock() {
        assert_eq!(clock(&beats(2, |_| (HOUR, 0))), Clock::Unsuspected);
        let twice = beats(1, |_| (HOUR, 0)).repeat(9);
        assert_eq!(clock(&twice), Clock::Unsuspected, "one, nine times");
    }

    #[test]
    fn what_came_late_is_not_taken_for_a_clock() {
        // Kept for an hour, then all at once, or one after the other.
        for pace_ms in [0, 500, 5_000] {
            let kept = |nth: i64| (0, HOUR - 15_000 * nth + pace_ms * nth);
            assert_eq!(clock(&beats(200, kept)), Clock::Unsuspected, "{pace_ms}");
        }
        let outages = |nth: i64| {
            (
                0,
                if nth % 9 < 5 {
                    75_000 - nth % 9 * 15_000
                } else {
                    0
                },
            )
        };
        assert_eq!(clock(&beats(200, outages)), Clock::Unsuspected);
        let last_on_time = |nth: i64| (0, if nth < 19 { HOUR } else { 0 });
        assert_eq!(clock(&beats(20, last_on_time)), Clock::Unsuspected);
    }

    #[test]
    fn a_clock_that_was_set_is_told_and_not_corrected() {
        let set = |ahead_ms| move |nth: i64| (if nth < 8 { 0 } else { ahead_ms }, 0);
        for ahead_ms in [HOUR, -HOUR, 45_000] {
            let expect = Clock::Jumping {
                jumps: 1,
                by_ms: ahead_ms.abs(),
            };
            assert_eq!(clock(&beats(20, set(ahead_ms))), expect);
        }
        let there_and_back = |nth: i64| (if (8..14).contains(&nth) { HOUR } else { 0 }, 0);
        let expect = Clock::Jumping {
            jumps: 2,
            by_ms: HOUR,
        };
        assert_eq!(clock(&beats(20, there_and_back)), expect);
        // Each hour by a second: it runs badly, but nobody set it.
        let drifts = |nth: i64| (nth * 15_000 / 3_600, 0);
        assert_eq!(clock(&beats(2_000, drifts)), Clock::Unsuspected);
    }

    proptest! {
        #[test]
        fn the_order_of_beacons_means_nothing(
            beats in prop::collection::vec((0_i64..12, prop::sample::select(vec![0, 0, HOUR, -HOUR, 40_000])), 0..12),
            seed in any::<u64>(),
        ) {
            let beat = |&(nth, ahead_ms): &(i64, i64)| Beat { received_ms: T + 15_000 * nth, newest_ms: T + 15_000 * nth + ahead_ms };
            let mut beats: Vec<Beat> = beats.iter().map(beat).collect();
            let expect = clock(&beats);
            fastrand::Rng::with_seed(seed).shuffle(&mut beats);
            prop_assert_eq!(clock(&beats), expect);
            beats.extend(beats.clone());
            prop_assert_eq!(clock(&beats), expect, "each of them twice");
        }
    }
}
