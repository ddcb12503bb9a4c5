//! Sums over calls: of a day, of a stretch of days, of all. Each call is looked at once, the rest are sums of sums.

use super::brief::{Brief, RoomNumber};
use crate::call::{Delivery, IssueType, Quality};
use serde::{Deserialize, Serialize};

/// Scores that there are.
const SCORES: usize = 101;

/// Sums over some calls.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) calls: usize,
    /// One for each time that somebody joined.
    pub(super) participants: usize,
    /// Time that people of each [`Quality`] spent in calls, in the order of its variants.
    pub(super) quality_ms: [i64; 4],
    /// Distinct readings.
    pub(super) samples: usize,
    /// Readings that were sent more than once.
    pub(super) duplicates: u64,
    /// Sessions whose clock was wrong or was set.
    pub(super) clock_skewed: usize,
    /// `None`: no beacon is numbered.
    pub(super) delivery: Option<Delivery>,
    /// From the first reading of any call to the last.
    pub(super) span_ms: Option<(i64, i64)>,
    pub(super) rooms: Rooms,
    /// Calls by [`Quality`], in the order of its variants.
    by_quality: [usize; 4],
    /// Calls by score; empty where none has one.
    by_score: Vec<usize>,
    /// By [`IssueType`]: calls in which somebody had it, and those in which it was bad.
    by_issue: [(usize, usize); IssueType::ALL.len()],
}

/// Whether calls are all of one room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rooms {
    /// There is no call.
    #[default]
    None,
    One(RoomNumber),
    Several,
}

impl Rooms {
    fn and(self, other: Rooms) -> Rooms {
        match (self, other) {
            (Rooms::None, only) | (only, Rooms::None) => only,
            (one, other) if one == other => one,
            _ => Rooms::Several,
        }
    }
}

/// An issue, the calls that had it, and those of them in which it was bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Troubled {
    pub(super) issue_type: IssueType,
    pub(super) calls: usize,
    pub(super) bad: usize,
}

impl Totals {
    /// Over `calls`.
    pub(super) fn over<'a>(calls: impl Iterator<Item = &'a Brief>) -> Totals {
        let mut totals = Totals::default();
        for call in calls {
            totals.add(call);
        }
        totals
    }

    /// Over all of `parts` together.
    pub(super) fn sum<'t>(parts: impl Iterator<Item = &'t Totals>) -> Totals {
        let mut totals = Totals::default();
        for part in parts {
            totals.append(part);
        }
        totals
    }

    fn add(&mut self, call: &Brief) {
        self.calls += 1;
        self.participants += call.n_participants;
        spend(&mut self.quality_ms, call.quality_ms);
        self.samples += call.n_samples;
        self.duplicates += call.duplicates;
        self.clock_skewed += call.clock_skewed;
        self.delivery = Delivery::sum([self.delivery, call.delivery]);
        self.span_ms = around(self.span_ms, call.span_ms);
        self.rooms = self.rooms.and(Rooms::One(call.room));
        self.by_quality[call.quality() as usize] += 1;
        if let Some(score) = call.score {
            self.by_score.resize(SCORES, 0);
            self.by_score[usize::from(score.value())] += 1;
        }
        for (issue_type, is_bad) in call.troubles.each() {
            let (had, bad) = &mut self.by_issue[issue_type as usize];
            *had += 1;
            *bad += usize::from(is_bad);
        }
    }

    fn append(&mut self, other: &Totals) {
        self.calls += other.calls;
        self.participants += other.participants;
        spend(&mut self.quality_ms, other.quality_ms);
        self.samples += other.samples;
        self.duplicates += other.duplicates;
        self.clock_skewed += other.clock_skewed;
        self.delivery = Delivery::sum([self.delivery, other.delivery]);
        self.span_ms = around(self.span_ms, other.span_ms);
        self.rooms = self.rooms.and(other.rooms);
        for (sum, n) in self.by_quality.iter_mut().zip(other.by_quality) {
            *sum += n;
        }
        if !other.by_score.is_empty() {
            self.by_score.resize(SCORES, 0);
        }
        for (sum, n) in self.by_score.iter_mut().zip(&other.by_score) {
            *sum += n;
        }
        for ((had, bad), (more_had, more_bad)) in self.by_issue.iter_mut().zip(other.by_issue) {
            *had += more_had;
            *bad += more_bad;
        }
    }

    /// Number of calls of that quality.
    pub(super) fn of(&self, quality: Quality) -> usize {
        self.by_quality[quality as usize]
    }

    /// Time that people of that quality spent in calls.
    pub(super) fn of_ms(&self, quality: Quality) -> i64 {
        self.quality_ms[quality as usize]
    }

    /// Time that all spent in calls.
    pub(super) fn participant_ms(&self) -> i64 {
        spent_ms(self.quality_ms)
    }

    /// Scores that calls have, the lowest first, each with how many have it.
    pub(super) fn scores(&self) -> impl Iterator<Item = (u8, usize)> {
        let scores = (0..=u8::MAX).zip(self.by_score.iter().copied());
        scores.filter(|(_, n)| 0 < *n)
    }

    /// Calls that had an issue.
    pub(super) fn troubled(&self, issue_type: IssueType) -> usize {
        self.by_issue[issue_type as usize].0
    }

    /// Each issue that any call had, in the order of [`IssueType`].
    pub(super) fn troubles(&self) -> impl Iterator<Item = Troubled> {
        let all = IssueType::ALL.into_iter().zip(self.by_issue);
        let had = all.filter(|(_, (calls, _))| 0 < *calls);
        had.map(|(issue_type, (calls, bad))| Troubled {
            issue_type,
            calls,
            bad,
        })
    }
}

/// Adds time by [`Quality`].
pub(super) fn spend(sums_ms: &mut [i64; 4], quality_ms: [i64; 4]) {
    for (sum_ms, ms) in sums_ms.iter_mut().zip(quality_ms) {
        *sum_ms = sum_ms.saturating_add(ms);
    }
}

/// Time of every [`Quality`] together.
pub(super) fn spent_ms(quality_ms: [i64; 4]) -> i64 {
    quality_ms.into_iter().fold(0, i64::saturating_add)
}

/// From the first instant of both to the last.
fn around(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some((first, last)), Some((other_first, other_last))) => {
            Some((first.min(other_first), last.max(other_last)))
        }
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{CallKey, CallSummary, Severity, Spell};
    use jiff::tz::TimeZone;

    fn call(nth: i64) -> Brief {
        let types = [IssueType::Jitter, IssueType::SendPacketLoss];
        let severities = [Severity::Warning, Severity::Bad];
        let spell = |at: i64| Spell {
            issue_type: types[(nth / 2 + at) as usize % 2],
            severity: severities[(nth + at) as usize % 2],
            start_ms: 0,
            end_ms: 1,
        };
        let numbered = |n| Delivery {
            numbered: n,
            ..Delivery::default()
        };
        let summary = CallSummary {
            span_ms: (0 < nth).then_some((1_000 * nth, 1_500 * nth)),
            n_participants: nth as usize,
            quality_ms: [nth, 2 * nth, 0, i64::MAX / 3],
            n_samples: 10,
            delivery: (nth % 2 == 1).then(|| numbered(nth as u64)),
            spells: (0..nth % 3).map(spell).collect(),
            ..CallSummary::default()
        };
        let room = RoomNumber::from(nth == 11);
        Brief::of(&summary, CallKey::default(), room, &TimeZone::UTC)
    }

    #[test]
    fn sums_of_sums_are_sums_over_all() {
        let calls: Vec<Brief> = (0..12).map(call).collect();
        let all = Totals::over(calls.iter());
        for at in 0..=calls.len() {
            let (some, others) = calls.split_at(at);
            let parts = [some, others].map(|calls| Totals::over(calls.iter()));
            assert_eq!(Totals::sum(parts.iter()), all, "{at}");
        }
        assert_eq!((all.calls, all.participants, all.samples), (12, 66, 120));
        assert_eq!(all.span_ms, Some((1_000, 16_500)));
        assert_eq!(all.delivery.map(|one| one.numbered), Some(36));
        assert_eq!(all.participant_ms(), i64::MAX, "no overflow");
        assert_eq!(all.of(Quality::Unknown), 12);
        let rooms = |calls: &[Brief]| Totals::over(calls.iter()).rooms;
        assert_eq!(
            [&calls[..0], &calls[..11], &calls].map(rooms),
            [Rooms::None, Rooms::One(0), Rooms::Several]
        );
        let issues: Vec<_> = all
            .troubles()
            .map(|one| (one.issue_type.id(), one.calls))
            .collect();
        let counted = |issue_type| {
            let had = |call: &&Brief| call.troubles.each().any(|(one, _)| one == issue_type);
            calls.iter().filter(had).count()
        };
        let expected = [
            ("send-packet-loss", counted(IssueType::SendPacketLoss)),
            ("jitter", counted(IssueType::Jitter)),
        ];
        assert_eq!(issues, expected);
        assert_eq!(all.troubled(IssueType::Outage), 0);
    }
}
