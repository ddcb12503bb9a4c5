//! What the calls of one room come to.

use super::brief::Brief;
use serde::{Deserialize, Serialize};

/// One room.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Room {
    /// As beacons have it. Any text.
    pub(super) name: String,
    pub(super) calls: usize,
    /// One for each time that somebody joined.
    pub(super) participants: usize,
    /// Time that people of each [`crate::call::Quality`] spent in it, in the order of its variants.
    pub(super) quality_ms: [i64; 4],
    /// When its newest call began, ms since the epoch.
    pub(super) last_ms: Option<i64>,
}

impl Room {
    /// Without any call.
    pub(super) fn named(name: &str) -> Room {
        Room {
            name: name.to_owned(),
            ..Room::default()
        }
    }

    /// Sums up `calls`, which are all of its calls.
    pub(super) fn renew(&mut self, calls: &[&Brief]) {
        *self = Room::named(&self.name);
        for call in calls {
            self.calls += 1;
            self.participants += call.n_participants;
            self.last_ms = self.last_ms.max(call.start_ms());
            for (sum_ms, ms) in self.quality_ms.iter_mut().zip(call.quality_ms) {
                *sum_ms = sum_ms.saturating_add(ms);
            }
        }
    }

    /// Time that people spent in it.
    pub(super) fn participant_ms(&self) -> i64 {
        self.quality_ms.iter().copied().fold(0, i64::saturating_add)
    }
}
