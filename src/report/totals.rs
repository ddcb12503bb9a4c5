//! Sums over all calls, for the overview, `data/report.json` and the last line of a build.

use super::brief::Brief;
use crate::call::{Delivery, Quality};

/// Sums over all calls.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Totals {
    /// One for each time that somebody joined.
    pub(super) participants: usize,
    /// Time that they spent in calls.
    pub(super) participant_ms: i64,
    /// Distinct readings.
    pub(super) samples: usize,
    /// Readings that were sent more than once.
    pub(super) duplicates: u64,
    /// Sessions whose clock was wrong or was set.
    pub(super) clock_skewed: usize,
    /// `None`: no beacon is numbered.
    pub(super) delivery: Option<Delivery>,
    /// Calls by [`Quality`], in the order of its variants.
    by_quality: [usize; 4],
}

impl Totals {
    pub(super) fn new<'a>(calls: impl Iterator<Item = &'a Brief> + Clone) -> Totals {
        let mut totals = Totals::default();
        for call in calls.clone() {
            totals.participants += call.n_participants;
            totals.participant_ms = totals.participant_ms.saturating_add(call.participant_ms());
            totals.samples += call.n_samples;
            totals.duplicates += call.duplicates;
            totals.clock_skewed += call.clock_skewed;
            totals.by_quality[call.quality() as usize] += 1;
        }
        totals.delivery = Delivery::sum(calls.map(|call| call.delivery));
        totals
    }

    /// Number of calls of that quality.
    pub(super) fn of(&self, quality: Quality) -> usize {
        self.by_quality[quality as usize]
    }
}
