//! A call in numbers alone, which a build has of every call of the days and rooms that have news: small and of one size, so that
//! thousands of them are read and added up in no time. What it is made of in full, and its texts, lie in the store until a page needs them.

use super::days::{DayStart, day_of};
use super::measure::{LOSS, Measure, ROUND_TRIP};
use super::state::Place;
use crate::call::{CallKey, CallSummary, Delivery, IssueType, Quality, Score, Severity};
use crate::metric::MetricId;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The place of a room in the list of all.
pub(super) type RoomNumber = u32;

/// Numbers of a call, as [`CallSummary`] has them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Brief {
    pub(super) key: CallKey,
    pub(super) room: RoomNumber,
    pub(super) span_ms: Option<(i64, i64)>,
    /// The day on which it began.
    pub(super) day: DayStart,
    pub(super) n_participants: usize,
    pub(super) quality_ms: [i64; 4],
    pub(super) n_samples: usize,
    pub(super) duplicates: u64,
    pub(super) clock_skewed: usize,
    pub(super) delivery: Option<Delivery>,
    pub(super) score: Option<Score>,
    pub(super) troubles: Troubles,
    /// 95th percentiles of whoever fared worst.
    pub(super) loss_p95: Option<f64>,
    pub(super) round_trip_p95_s: Option<f64>,
    /// Where the rest of it is kept.
    pub(super) kept: Place,
}

impl Brief {
    /// `zone`: where days begin.
    pub(super) fn of(call: &CallSummary, key: CallKey, room: RoomNumber, zone: &TimeZone) -> Brief {
        let p95 = |measure| Some(worst_p95(call, measure)?.1);
        Brief {
            key,
            room,
            span_ms: call.span_ms,
            day: day_of(call, zone),
            n_participants: call.n_participants,
            quality_ms: call.quality_ms,
            n_samples: call.n_samples,
            duplicates: call.duplicates,
            clock_skewed: call.clock_skewed,
            delivery: call.delivery,
            score: call.score,
            troubles: Troubles::of(call),
            loss_p95: p95(LOSS),
            round_trip_p95_s: p95(ROUND_TRIP),
            kept: Place::default(),
        }
    }

    /// When it began.
    pub(super) fn start_ms(&self) -> Option<i64> {
        self.span_ms.map(|(start_ms, _)| start_ms)
    }

    /// The score in a word.
    pub(super) fn quality(&self) -> Quality {
        Quality::of(self.score)
    }
}

/// Of a call: the largest p95 of any participant in any of the metrics of `measure`.
pub(super) fn worst_p95(call: &CallSummary, measure: Measure) -> Option<(MetricId, f64)> {
    measure.by(|metrics| {
        let theirs = call.worst_p95.iter().copied();
        let theirs = theirs.filter(|(metric, _)| metrics.contains(metric));
        theirs.max_by(|a, b| a.1.total_cmp(&b.1))
    })
}

/// Which issues somebody in a call had, and which of them were bad.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Troubles {
    /// A bit for each [`IssueType`].
    had: u32,
    bad: u32,
}

impl Troubles {
    fn of(call: &CallSummary) -> Troubles {
        let bit = |issue_type: IssueType| 1 << issue_type as u32;
        let mut troubles = Troubles {
            had: call.worst_issue.map_or(0, bit),
            bad: 0,
        };
        for spell in &call.spells {
            troubles.had |= bit(spell.issue_type);
            if spell.severity == Severity::Bad {
                troubles.bad |= bit(spell.issue_type);
            }
        }
        troubles
    }

    /// Each with whether it was bad, in the order of [`IssueType`].
    pub(super) fn each(self) -> impl Iterator<Item = (IssueType, bool)> {
        let has = |bits: u32, issue_type: IssueType| bits & 1 << issue_type as u32 != 0;
        let had = IssueType::ALL
            .into_iter()
            .filter(move |one| has(self.had, *one));
        had.map(move |one| (one, has(self.bad, one)))
    }
}
