//! What went wrong, when and for whom: spells in which a metric stays beyond its threshold, found with hysteresis.

use super::absence;
use super::clock::Clock;
use super::episode;
use super::kind::{About, IssueType};
use super::score::Quality;
use super::series::Series;
use super::{Call, Participant};
use crate::metric::{Standards, Thresholds};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::VecDeque;

/// Readings looked at together; twice as many would miss short spells, half as many would report single hiccups (Twilio Voice uses 5).
const WINDOW: usize = 5;
/// That many of a window beyond the threshold raise an issue; none of a window clears it.
const RAISE: usize = 3;
/// After so long without a reading nothing is known of what was before: a spell ends there.
const SILENCE_MS: i64 = 60_000;

/// Issues of one call. A lively day of a large room has a few dozen; who makes up readings could make thousands, and each is
/// held against all others to find its cause.
const ISSUES_MAX: usize = 500;

/// How wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Fair: noticeable.
    Warning,
    /// Poor: a hindrance.
    Bad,
}

impl Severity {
    /// What the time of the issue was like.
    pub fn quality(self) -> Quality {
        match self {
            Severity::Warning => Quality::Fair,
            Severity::Bad => Quality::Poor,
        }
    }

    /// As data files spell it.
    pub fn id(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Bad => "bad",
        }
    }
}

/// Where trouble came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From one person to the media server.
    Uplink,
    /// From the media server to one person.
    Downlink,
    /// The room or the service.
    Everyone,
    /// There was none.
    None,
    /// The data do not tell.
    Undecided,
}

impl Side {
    /// As data files spell it.
    pub fn id(self) -> &'static str {
        match self {
            Side::Uplink => "uplink",
            Side::Downlink => "downlink",
            Side::Everyone => "everyone",
            Side::None => "none",
            Side::Undecided => "undecided",
        }
    }
}

/// A side, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub side: Side,
    /// Whose line, by position in [`Call::participants`]. `None`: nobody's alone.
    pub participant: Option<usize>,
}

impl Cause {
    /// Nothing is known yet.
    pub(super) const UNDECIDED: Cause = Cause {
        side: Side::Undecided,
        participant: None,
    };
}

/// One spell of trouble of one participant.
#[derive(Debug, Clone, PartialEq)]
pub struct Issue {
    /// What.
    pub issue_type: IssueType,
    /// Whose, by position in [`Call::participants`].
    pub participant: usize,
    /// First reading beyond the threshold, ms since the epoch.
    pub start_ms: i64,
    /// Last reading beyond the threshold.
    pub end_ms: i64,
    /// By `value`.
    pub severity: Severity,
    /// Mean of the metric over the spell; how long it lasted, where no metric shows it; how far a clock is off. In [`IssueType::unit`].
    pub value: f64,
    /// Whose side it was on; undecided until all issues are known and `blame` has held them together.
    pub cause: Cause,
}

impl Issue {
    /// How bad it was beside others: a line before a computer, bad before light, then by how long it lasted.
    fn rank(&self) -> (About, Severity, i64) {
        let lasted_ms = self.end_ms - self.start_ms;
        (self.issue_type.about(), self.severity, lasted_ms)
    }
}

/// The worst of `issues`; of equals the first. `None`: there is none that is trouble.
pub fn worst(issues: &[Issue]) -> Option<&Issue> {
    let trouble = issues.iter().filter(|issue| issue.issue_type.is_trouble());
    trouble.rev().max_by_key(|issue| issue.rank())
}

/// A clock that is not to be believed, for as long as its owner was there.
fn skew((participant, person): (usize, &Participant)) -> Option<Issue> {
    let ms = match person.clock {
        Clock::Unsuspected => return None,
        Clock::Off { added_ms } => added_ms.abs(),
        Clock::Jumping { by_ms, .. } => by_ms,
    };
    let (start_ms, end_ms) = person.span_ms()?;
    Some(Issue {
        issue_type: IssueType::ClockSkew,
        participant,
        start_ms,
        end_ms,
        severity: Severity::Warning,
        value: ms as f64 / 1_000.0,
        cause: Cause::UNDECIDED,
    })
}

/// The issues of a call, in order of their start, and the number of those left out: the worst [`ISSUES_MAX`] are kept.
pub(super) fn find(call: &Call, standards: &Standards) -> (Vec<Issue>, usize) {
    let mut issues: Vec<Issue> = Vec::new();
    for (participant, Participant { series, .. }) in call.participants.iter().enumerate() {
        for issue_type in IssueType::ALL {
            issues.extend(spells(issue_type, participant, series, standards));
        }
    }
    issues.extend(absence::find(call));
    issues.extend(episode::find(call));
    issues.extend(call.participants.iter().enumerate().filter_map(skew));
    let left_out = issues.len().saturating_sub(ISSUES_MAX);
    if 0 < left_out {
        issues.sort_by_key(|issue| Reverse(issue.rank()));
        issues.truncate(ISSUES_MAX);
    }
    issues.sort_by_key(|issue| (issue.start_ms, issue.participant, issue.issue_type));
    (issues, left_out)
}

fn spells(
    issue_type: IssueType,
    participant: usize,
    series: &Series,
    standards: &Standards,
) -> Vec<Issue> {
    let metrics = issue_type.metrics();
    let mut measured = metrics
        .iter()
        .filter(|metric| series.column(**metric).is_some());
    let Some(thresholds) = measured.next().and_then(|metric| standards.of(*metric)) else {
        return Vec::new();
    };
    let columns: Vec<_> = metrics
        .iter()
        .filter_map(|&metric| series.column(metric))
        .collect();
    let mut detector = Detector::new(thresholds);
    for (at, &timestamp_ms) in series.timestamps_ms().iter().enumerate() {
        if let Some(value) = columns.iter().find_map(|column| column.get(at)) {
            detector.feed(timestamp_ms, value);
        }
    }
    let as_issue = |spell: Spell| Issue {
        issue_type,
        participant,
        start_ms: spell.start_ms,
        end_ms: spell.end_ms,
        severity: severity(thresholds, spell.mean()),
        value: spell.mean(),
        cause: Cause::UNDECIDED,
    };
    detector.finish().into_iter().map(as_issue).collect()
}

/// A spell while it is being followed. `sum` and `n` go up to `end_ms`, what came after waits in `Detector::after`.
#[derive(Clone, Copy)]
struct Spell {
    start_ms: i64,
    end_ms: i64,
    sum: f64,
    n: u32,
}

impl Spell {
    fn mean(&self) -> f64 {
        self.sum / f64::from(self.n)
    }
}

/// Spells in which a condition holds, raised and cleared like any other: first and last instant.
pub(super) fn spells_of(readings: impl Iterator<Item = (i64, bool)>) -> Vec<(i64, i64)> {
    const HOLDS: Thresholds = Thresholds {
        fair: 1.0,
        poor: 1.0,
        source: "",
    };
    let mut detector = Detector::new(&HOLDS);
    for (timestamp_ms, holds) in readings {
        detector.feed(timestamp_ms, f64::from(u8::from(holds)));
    }
    let spells = detector.finish().into_iter();
    spells.map(|spell| (spell.start_ms, spell.end_ms)).collect()
}

/// By the number that is shown, so that nobody reads "bad" beside a value that is not.
fn severity(thresholds: &Thresholds, mean: f64) -> Severity {
    if thresholds.poor <= mean {
        Severity::Bad
    } else {
        Severity::Warning
    }
}

/// Raises when [`RAISE`] of the last [`WINDOW`] readings are beyond the threshold, clears when none of them is.
struct Detector<'a> {
    thresholds: &'a Thresholds,
    window: VecDeque<(i64, f64)>,
    open: Option<Spell>,
    /// Sum and number of the readings since the open spell's last one beyond the threshold.
    after: (f64, u32),
    done: Vec<Spell>,
}

impl<'a> Detector<'a> {
    fn new(thresholds: &'a Thresholds) -> Detector<'a> {
        Detector {
            thresholds,
            window: VecDeque::with_capacity(WINDOW + 1),
            open: None,
            after: (0.0, 0),
            done: Vec::new(),
        }
    }

    fn feed(&mut self, timestamp_ms: i64, value: f64) {
        if let Some(&(last_ms, _)) = self.window.back()
            && SILENCE_MS < timestamp_ms - last_ms
        {
            self.close();
            self.window.clear();
        }
        self.window.push_back((timestamp_ms, value));
        if WINDOW < self.window.len() {
            self.window.pop_front();
        }
        let beyond = self
            .window
            .iter()
            .filter(|(_, value)| self.thresholds.fair <= *value);
        let n_fair = beyond.count();
        match &mut self.open {
            Some(_) if n_fair == 0 => self.close(),
            Some(spell) => {
                self.after.0 += value;
                self.after.1 += 1;
                if self.thresholds.fair <= value {
                    spell.end_ms = timestamp_ms;
                    spell.sum += self.after.0;
                    spell.n += self.after.1;
                    self.after = (0.0, 0);
                }
            }
            None if RAISE <= n_fair => {
                let first = self
                    .window
                    .iter()
                    .position(|(_, value)| self.thresholds.fair <= *value)
                    .unwrap_or(0);
                let since = || self.window.iter().skip(first);
                self.open = Some(Spell {
                    start_ms: since()
                        .next()
                        .map_or(timestamp_ms, |(start_ms, _)| *start_ms),
                    end_ms: timestamp_ms,
                    sum: since().map(|(_, value)| value).sum(),
                    n: since().count() as u32,
                });
            }
            None => {}
        }
    }

    fn close(&mut self) {
        self.done.extend(self.open.take());
        self.after = (0.0, 0);
    }

    fn finish(mut self) -> Vec<Spell> {
        self.close();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::MetricId;

    const LIMITS: Thresholds = Thresholds {
        fair: 5.0,
        poor: 10.0,
        source: "a test",
    };

    /// Spells over readings 2 s apart, as `start-end severity mean`, in readings.
    fn check(values: &[f64], expect: &[&str]) {
        let mut detector = Detector::new(&LIMITS);
        for (at, value) in values.iter().enumerate() {
            detector.feed(at as i64 * 2_000, *value);
        }
        let found: Vec<String> = detector
            .finish()
            .iter()
            .map(|s| {
                format!(
                    "{}-{} {} {}",
                    s.start_ms / 2_000,
                    s.end_ms / 2_000,
                    severity(&LIMITS, s.mean()).id(),
                    s.mean()
                )
            })
            .collect();
        assert_eq!(found, expect, "{values:?}");
    }

    #[test]
    fn a_hiccup_is_no_issue() {
        check(&[], &[]);
        check(&[0.0, 9.0, 0.0, 0.0, 9.0, 0.0, 99.0, 0.0], &[]);
        check(&[9.0, 9.0, 0.0, 0.0, 0.0, 9.0, 9.0], &[]);
    }

    #[test]
    fn three_of_five_raise_and_none_of_five_clears() {
        check(
            &[0.0, 6.0, 0.0, 6.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0],
            &["1-4 warning 4.5"],
        );
        check(
            &[6.0, 6.0, 6.0, 0.0, 0.0, 0.0, 0.0, 9.0],
            &["0-7 warning 3.375"],
        );
        check(
            &[6.0, 6.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 6.0, 6.0],
            &["0-2 warning 6", "8-10 warning 6"],
        );
    }

    #[test]
    fn it_is_bad_when_its_mean_is_poor() {
        check(&[5.0, 10.0, 10.0, 10.0, 5.0], &["0-4 warning 8"]);
        check(&[9.0, 11.0, 10.0, 10.0, 10.0], &["0-4 bad 10"]);
    }

    #[test]
    fn silence_ends_a_spell() {
        let mut detector = Detector::new(&LIMITS);
        for t in [
            0,
            2_000,
            4_000,
            4_000 + SILENCE_MS + 1,
            6_000 + SILENCE_MS + 1,
        ] {
            detector.feed(t, 20.0);
        }
        let found = detector.finish();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start_ms, found[0].end_ms), (0, 4_000));
    }

    #[test]
    fn of_thousands_the_worst_are_kept_and_the_rest_is_counted() {
        let mut series = Series::default();
        let loss = MetricId::from_wire("totalSendPacketLoss").unwrap().index();
        let silence = 2 * SILENCE_MS;
        for spell in 0..2_000_i64 {
            for reading in 0..3 {
                let mut values = [None; crate::metric::METRIC_COUNT];
                values[loss] = Some(if spell == 1_234 { 0.5 } else { 0.06 });
                let timestamp_ms = 1_000_000 + spell * silence + reading * 1_000;
                series.push(&crate::beacon::Reading {
                    timestamp_ms,
                    values: values.into(),
                });
            }
        }
        let call = Call {
            id: "c".to_owned(),
            room: "r".to_owned(),
            meeting_session_id: "m".to_owned(),
            participants: vec![Participant {
                session_id: "s".to_owned(),
                name: None,
                series,
                ..Participant::default()
            }],
            duplicates: 0,
        };
        let (issues, left_out) = find(&call, &Standards::default());
        assert_eq!((issues.len(), left_out), (ISSUES_MAX, 2_000 - ISSUES_MAX));
        assert!(
            issues.iter().any(|issue| issue.severity == Severity::Bad),
            "the worst one is kept"
        );
        assert!(issues.is_sorted_by_key(|issue| issue.start_ms));
    }
}
