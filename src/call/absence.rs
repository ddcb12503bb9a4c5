//! Trouble that no threshold shows: nothing arrives although others send, or nobody is heard of while others are. At a complete loss
//! losses read 0 and everything looks well.
//!
//! Must not take silence for a fault where the data allow another reading: alone in a room, everybody muted, nobody heard of at all, a
//! clock that was set.

use super::issue::{Cause, Issue, Severity, spells_of};
use super::kind::IssueType;
use super::presence::gap_ms;
use super::{Call, Participant};
use crate::metric::MetricId;
use std::sync::LazyLock;

/// Who sends less than this may be muted: Opus falls to a few kbit/s in silence, and speaks with 30 and more.
const SENDING_MIN_BPS: f64 = 20_000.0;
/// Another's reading that near in time tells whether that one was sending.
const NEAR_MS: i64 = 10_000;
/// A shorter silence may be a busy browser or one beacon lost.
const OUTAGE_MIN_MS: i64 = 30_000;
/// So many readings of somebody else, meanwhile, tell that the call went on.
const OTHERS_MIN: usize = 3;

struct Metrics {
    sent: MetricId,
    received: MetricId,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let metric = |id| MetricId::from_wire(id).expect("a row of the table, as a test asserts");
    Metrics {
        sent: metric("sendBitsPerSecond"),
        received: metric("recvBitsPerSecond"),
    }
});

/// In any order.
pub(super) fn find(call: &Call) -> Vec<Issue> {
    let mut found = Vec::new();
    let people = call.participants.iter().enumerate();
    let placed = || people.clone().filter(|(_, one)| !one.clock.is_jumping());
    for (at, participant) in placed() {
        let issue = |issue_type, severity, (start_ms, end_ms): (i64, i64)| Issue {
            issue_type,
            participant: at,
            start_ms,
            end_ms,
            severity,
            value: (end_ms - start_ms) as f64 / 1_000.0,
            cause: Cause::UNDECIDED,
        };
        let others = || {
            placed()
                .filter(move |(other, _)| *other != at)
                .map(|(_, other)| other)
        };
        let readings = readings_received(participant);
        let nothing = readings.map(|(t, bps)| (t, bps == 0.0 && others().any(|one| sends(one, t))));
        let spells = spells_of(nothing).into_iter();
        found.extend(spells.map(|spell| issue(IssueType::NoMedia, Severity::Bad, spell)));
        let spells =
            silences(participant).filter(|spell| others().any(|one| is_heard(one, *spell)));
        // Whether it was the network or the person who had gone for a while, nobody can tell.
        found.extend(spells.map(|spell| issue(IssueType::Outage, Severity::Warning, spell)));
    }
    found
}

fn readings_received(participant: &Participant) -> impl Iterator<Item = (i64, f64)> {
    let series = &participant.series;
    let times = series.timestamps_ms().iter().enumerate();
    times.filter_map(|(at, t)| Some((*t, series.value(METRICS.received, at)?)))
}

/// Whether the reading of `participant` that is nearest before `t`, or the next one, tells of more than silence.
fn sends(participant: &Participant, t: i64) -> bool {
    let series = &participant.series;
    let next = series.timestamps_ms().partition_point(|&theirs| theirs < t);
    let near = [next.checked_sub(1), Some(next)].into_iter().flatten();
    near.filter(|&at| {
        let theirs = series.timestamps_ms().get(at);
        theirs.is_some_and(|theirs| (theirs - t).abs() <= NEAR_MS)
    })
    .filter_map(|at| series.value(METRICS.sent, at))
    .any(|bps| SENDING_MIN_BPS <= bps)
}

/// Long silences between two readings.
fn silences(participant: &Participant) -> impl Iterator<Item = (i64, i64)> {
    let times = participant.series.timestamps_ms();
    let least_ms = gap_ms(times).max(OUTAGE_MIN_MS);
    let pairs = times.windows(2).map(|pair| (pair[0], pair[1]));
    pairs.filter(move |(before, after)| least_ms < after - before)
}

fn is_heard(participant: &Participant, (start_ms, end_ms): (i64, i64)) -> bool {
    let times = participant.series.timestamps_ms();
    let first = times.partition_point(|&t| t <= start_ms);
    let behind = times.partition_point(|&t| t < end_ms);
    OTHERS_MIN <= behind.saturating_sub(first)
}

#[cfg(test)]
mod tests {
    use super::super::Calls;
    use super::*;
    use crate::beacon::parse;

    const T: i64 = 1_795_449_600_000;

    /// A reading every 2 s for five minutes: what is sent and received, in bit/s, or none at all.
    type One<'a> = &'a dyn Fn(i64) -> Option<(f64, f64)>;

    fn issues(people: &[One<'_>]) -> Vec<(IssueType, usize, i64, i64)> {
        let mut calls = Calls::default();
        for (person, of) in people.iter().enumerate() {
            for at in 0..150 {
                let Some((sent, received)) = of(at) else {
                    continue;
                };
                let t = T + 2_000 * at;
                let line = format!(
                    r#"{{"room":"r","meetingSessionId":"m","sessionId":"s{person}","stats":{{"latest":{{"timestamp":{t},"sendBitsPerSecond":{sent},"recvBitsPerSecond":{received}}}}}}}"#
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
        }
        let call = &calls.finish()[0];
        let of = |issue: Issue| {
            let s = |ms| (ms - T) / 1_000;
            (
                issue.issue_type,
                issue.participant,
                s(issue.start_ms),
                s(issue.end_ms),
            )
        };
        find(call).into_iter().map(of).collect()
    }

    const WELL: Option<(f64, f64)> = Some((1e6, 1e6));

    #[test]
    fn who_receives_nothing_while_others_send_is_in_trouble() {
        let deaf = |at: i64| Some((1e6, if (50..80).contains(&at) { 0.0 } else { 1e6 }));
        let expect = [(IssueType::NoMedia, 0, 100, 158)];
        assert_eq!(issues(&[&deaf, &|_| WELL]), expect);
        assert_eq!(issues(&[&deaf, &|_| WELL, &|_| Some((0.0, 1e6))]), expect);
        // Two readings are no spell.
        let short = |at: i64| Some((1e6, if (50..52).contains(&at) { 0.0 } else { 1e6 }));
        assert_eq!(issues(&[&short, &|_| WELL]), []);
    }

    #[test]
    fn nothing_to_receive_is_no_trouble() {
        let deaf = |_| Some((1e6, 0.0));
        assert_eq!(issues(&[&deaf]), [], "alone");
        assert_eq!(
            issues(&[&deaf, &|_| Some((3_000.0, 1e6))]),
            [],
            "the other one is muted"
        );
        let gone = |at: i64| if at < 50 { WELL } else { None };
        let then_deaf = |at: i64| Some((1e6, if at < 56 { 1e6 } else { 0.0 }));
        assert_eq!(issues(&[&then_deaf, &gone]), [], "the other one has gone");
    }

    #[test]
    fn a_clock_that_was_set_is_no_silence() {
        let mut calls = Calls::default();
        for person in 0..2 {
            for at in 0..20 {
                let t = T + 15_000 * at;
                let shown = if person == 1 && 10 <= at {
                    t + 120_000
                } else {
                    t
                };
                let line = format!(
                    r#"{{"room":"r","meetingSessionId":"m","sessionId":"s{person}","stats":{{"latest":{{"timestamp":{shown}}}}},"_rx":{{"t":{t}}}}}"#
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
        }
        assert_eq!(find(&calls.finish()[0]), []);
    }

    #[test]
    fn who_is_not_heard_of_while_others_are_has_an_outage() {
        let away = |at: i64| if (50..80).contains(&at) { None } else { WELL };
        let expect = [(IssueType::Outage, 1, 98, 160)];
        assert_eq!(issues(&[&|_| WELL, &away]), expect);
        assert_eq!(
            issues(&[&away, &away]),
            [],
            "nobody was heard of: the collector was away"
        );
        assert_eq!(issues(&[&away]), []);
        let short = |at: i64| if (50..60).contains(&at) { None } else { WELL };
        assert_eq!(issues(&[&|_| WELL, &short]), []);
        let slow = |at: i64| if at % 20 == 0 { WELL } else { None };
        assert_eq!(issues(&[&|_| WELL, &slow]), [], "as often as ever");
    }
}
