//! What the calls of one room come to.

use super::brief::Brief;
use super::totals::{spend, spent_ms};
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

    pub(super) fn add(&mut self, call: &Brief) {
        self.calls += 1;
        self.participants += call.n_participants;
        self.last_ms = self.last_ms.max(call.start_ms());
        spend(&mut self.quality_ms, call.quality_ms);
    }

    /// Time that people spent in it.
    pub(super) fn participant_ms(&self) -> i64 {
        spent_ms(self.quality_ms)
    }
}
