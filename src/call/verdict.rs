//! The one sentence that says how a call was.

use super::blame::{is_measured, is_troubled, meet, overlap, people_measured, troubled, was_there};
use super::issue::{Cause, Issue, Side, worst};
use super::kind::IssueType;
use super::score::{self, Quality, Score};
use super::{Call, Participant, shown};
use crate::units;

/// Characters of a name in a sentence.
pub(super) const NAME_CHARS_MAX: usize = 40;
/// Characters of a session id that stand for a person without a name.
const SESSION_ID_CHARS: usize = 8;

/// Fewer readings than this tell nothing of how a call went on.
const READINGS_MIN: usize = 5;

/// How a call was.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// For a person. May hold a participant's name, so any text.
    pub sentence: String,
    /// Of the worst issue.
    pub cause: Cause,
}

impl Participant {
    /// What to call the person on a page: the name, or the beginning of the session id. Any text but control characters, never empty.
    pub fn label(&self) -> String {
        let name = self.name.as_deref().map(|name| shown(name, NAME_CHARS_MAX));
        let session_id = || {
            shown(&self.session_id, NAME_CHARS_MAX)
                .chars()
                .take(SESSION_ID_CHARS)
                .collect()
        };
        let label = name
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(session_id);
        if label.trim().is_empty() {
            "somebody".to_owned()
        } else {
            label
        }
    }
}

/// The verdict of a call from its issues and the scores of its people, in the order of [`Call::participants`].
pub(super) fn verdict(call: &Call, issues: &[Issue], scores: &[Option<Score>]) -> Verdict {
    let nobody = |side| Cause {
        side,
        participant: None,
    };
    if let Some(issue) = worst(issues) {
        return Verdict {
            sentence: trouble(call, issues, issue),
            cause: issue.cause,
        };
    }
    let of = |quality| {
        scores
            .iter()
            .filter(|score| Quality::of(**score) == quality)
            .count()
    };
    let (n, n_good, n_unknown) = (scores.len(), of(Quality::Good), of(Quality::Unknown));
    let (sentence, side) = if n_unknown == n && call.samples() == 0 {
        (
            "Nobody sent readings, so nothing is known of how this call was.".to_owned(),
            Side::Undecided,
        )
    } else if n_unknown == n {
        (
            "Readings were sent, but none that tells how good the connection was.".to_owned(),
            Side::Undecided,
        )
    } else if n_good + n_unknown < n {
        let sentence = if call.samples() < READINGS_MIN {
            "Too few readings were sent to say more than a first impression."
        } else {
            "The connection was uneven, but no trouble lasted long enough to name."
        };
        (sentence.to_owned(), Side::Undecided)
    } else {
        (calm(n_good, n_unknown), Side::None)
    };
    Verdict {
        sentence,
        cause: nobody(side),
    }
}

/// Everybody who was measured had a good connection.
fn calm(n_good: usize, n_unknown: usize) -> String {
    let good = match (n_good, n_unknown) {
        (1, 0) => "One person was there, and had a good connection".to_owned(),
        (2, 0) => "Both people had a good connection throughout".to_owned(),
        (n, 0) => format!("All {n} people had a good connection throughout"),
        (1, _) => "One person had a good connection throughout".to_owned(),
        (n, _) => format!("{n} people had a good connection throughout"),
    };
    match n_unknown {
        0 => format!("{good}."),
        1 => format!("{good}; of one nothing is known."),
        n => format!("{good}; of {n} nothing is known."),
    }
}

fn trouble(call: &Call, issues: &[Issue], issue: &Issue) -> String {
    let issue = origin(issues, issue);
    let when = if units::clock(issue.start_ms) == units::clock(issue.end_ms) {
        format!("at {}", units::clock(issue.start_ms))
    } else {
        format!(
            "from {} to {}",
            units::clock(issue.start_ms),
            units::clock(issue.end_ms)
        )
    };
    let what = what(call, issue);
    if !issue.issue_type.is_of_line() {
        return format!("{what} {when}.");
    }
    match issue.cause.side {
        Side::Everyone => {
            let measured = people_measured(call, issues, issue).len();
            let there = call.participants.iter().filter(|one| was_there(one, issue));
            let people = if measured < there.count() {
                "people who were measured"
            } else {
                "people"
            };
            let share = match (troubled(issues, issue).len(), measured) {
                (all, n) if all == n => format!("All {n} {people}"),
                (some, n) => format!("{some} of {n} {people}"),
            };
            format!(
                "{share} had trouble {when}, so it was the room or the service, not one person's line."
            )
        }
        _ => format!("{what} {when}{}.", others(call, issues, issue)),
    }
}

/// Where others see what one person's uplink loses: the loss itself.
fn origin<'a>(issues: &'a [Issue], issue: &'a Issue) -> &'a Issue {
    let is_origin = |other: &&Issue| {
        other.issue_type == IssueType::SendPacketLoss
            && Some(other.participant) == issue.cause.participant
            && overlap(issue, other)
    };
    match issue.cause.side {
        Side::Uplink => issues.iter().find(is_origin).unwrap_or(issue),
        _ => issue,
    }
}

/// What was wrong with whom.
fn what(call: &Call, issue: &Issue) -> String {
    let value = units::quantity(issue.issue_type.unit(), issue.value);
    let who = call
        .participants
        .get(issue.participant)
        .map(Participant::label)
        .unwrap_or_default();
    match issue.issue_type {
        IssueType::SendPacketLoss => format!("{who}'s upload lost {value} of its packets"),
        IssueType::RecvPacketLoss => format!("{who}'s download lost {value} of its packets"),
        IssueType::RoundTripTime => format!("{who} had a round-trip time of {value}"),
        IssueType::Jitter => format!("{who} had a jitter of {value}"),
        IssueType::NoMedia => format!("{who} received nothing, although others were sending,"),
        IssueType::Outage => format!("{who} was not heard of"),
        IssueType::Reconnect => {
            format!("{who} had lost a connection, and Daily was getting it back,")
        }
        IssueType::VideoSendBitrate => {
            format!("{who} sent hardly any video ({value}) with the camera on,")
        }
        IssueType::CpuLoad => format!("{who}'s computer was too busy for the call"),
        IssueType::ClockSkew => format!("{who}'s clock was wrong"),
    }
}

/// What is known of everybody else at that time. Who had trouble for a part of it was not fine, nor who had a bad reading now and then.
fn others(call: &Call, issues: &[Issue], issue: &Issue) -> String {
    let people = call.participants.iter().enumerate();
    let (others, unknown): (Vec<(usize, &Participant)>, Vec<_>) = people
        .filter(|(at, other)| *at != issue.participant && was_there(other, issue))
        .partition(|(at, _)| is_measured(call, issues, *at, issue));
    let theirs = |at: usize| issues.iter().filter(move |other| other.participant == at);
    let sees_it = |other: &Issue| other.cause == issue.cause && meet(issue, other);
    let n_seeing = others
        .iter()
        .filter(|(at, _)| issue.cause.side == Side::Uplink && theirs(*at).any(sees_it))
        .count();
    let n_troubled = others
        .iter()
        .filter(|(at, _)| is_troubled(issues, *at, issue))
        .count();
    let is_fine = |(_, other): &(usize, &Participant)| {
        let readings: Vec<f64> =
            score::readings_within(&other.series, issue.start_ms, issue.end_ms).collect();
        !score::is_poor_at_times(&readings)
            && Quality::of(score::together(readings)) == Quality::Good
    };
    let all_fine = n_troubled == 0 && others.iter().all(is_fine);
    match (others.len(), n_seeing) {
        (_, 0) => {}
        (1, _) => return "; the other one saw it".to_owned(),
        (2, 2) => return "; the two others saw it".to_owned(),
        (n, seeing) if seeing == n => return format!("; all {n} others saw it"),
        (n, seeing) => return format!("; {seeing} of the {n} others saw it"),
    }
    match (others.len(), n_troubled) {
        (0, _) => String::new(),
        (1, 0) if !all_fine => "; the other one was not quite free of it".to_owned(),
        (_, 0) if !all_fine => "; not all others were free of it".to_owned(),
        (1, 0) if call.participants.len() == 2 => "; the other one was fine".to_owned(),
        (1, 0) if unknown.is_empty() => "; the only other person there then was fine".to_owned(),
        (1, 0) => "; the only other person measured then was fine".to_owned(),
        (_, 0) if unknown.is_empty() => "; everyone else was fine".to_owned(),
        (_, 0) => "; everyone else who was measured was fine".to_owned(),
        (1, _) => "; the other one had trouble too".to_owned(),
        (n, troubled) => format!("; {troubled} of the {n} others had trouble too"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::Reading;
    use crate::call::blame::blame;
    use crate::call::issue;
    use crate::call::series::Series;
    use crate::metric::{METRIC_COUNT, MetricId, Standards};

    /// A call of people with ten minutes of readings, each with a metric that is `bad` in minutes 3 to 5.
    fn call(people: &[Option<(&str, f64)>]) -> Call {
        let participants = people.iter().enumerate().map(|(at, trouble)| {
            let mut series = Series::default();
            for n in 0..300_i64 {
                let timestamp_ms = 1_795_449_600_000 + n * 2_000;
                let mut values = [None; METRIC_COUNT];
                let mut set = |id: &str, value| {
                    values[MetricId::from_wire(id).unwrap().index()] = Some(value)
                };
                set("totalSendPacketLoss", 0.001);
                set("totalRecvPacketLoss", 0.001);
                if let Some((id, value)) = trouble
                    && (90..180).contains(&n)
                {
                    set(id, *value);
                }
                series.push(&Reading {
                    timestamp_ms,
                    values: values.into(),
                });
            }
            Participant {
                session_id: format!("session-{at}"),
                name: Some(["Ana", "Bo", "Cy", "Di"][at].to_owned()),
                series,
                ..Participant::default()
            }
        });
        Call {
            id: "c".to_owned(),
            room: "r".to_owned(),
            meeting_session_id: "m".to_owned(),
            participants: participants.collect(),
            duplicates: 0,
        }
    }

    fn check(
        people: &[Option<(&str, f64)>],
        side: Side,
        participant: Option<usize>,
        sentence: &str,
    ) {
        let call = call(people);
        let (mut issues, _) = issue::find(&call, &Standards::default());
        blame(&call, &mut issues);
        let scores = scores(&call);
        let verdict = verdict(&call, &issues, &scores);
        assert_eq!(verdict.sentence.replace('\u{a0}', " "), sentence);
        assert_eq!(verdict.cause, Cause { side, participant });
    }

    #[test]
    fn one_uplink() {
        check(
            &[None, Some(("totalSendPacketLoss", 0.12)), None],
            Side::Uplink,
            Some(1),
            "Bo's upload lost 12 % of its packets from 16:03 to 16:05; everyone else was fine.",
        );
    }

    #[test]
    fn one_downlink() {
        check(
            &[None, Some(("totalRecvPacketLoss", 0.06))],
            Side::Downlink,
            Some(1),
            "Bo's download lost 6 % of its packets from 16:03 to 16:05; the other one was fine.",
        );
    }

    #[test]
    fn the_room_or_the_service() {
        let loss = Some(("totalRecvPacketLoss", 0.2));
        check(
            &[loss, loss, loss, None],
            Side::Everyone,
            None,
            "3 of 4 people had trouble from 16:03 to 16:05, so it was the room or the service, not one person's line.",
        );
    }

    #[test]
    fn nobody_is_called_fine_who_was_not() {
        let metric = MetricId::from_wire("totalRecvPacketLoss").unwrap();
        let set = |call: &mut Call, person: usize, is_bad: &dyn Fn(i64) -> bool, loss: f64| {
            let mut series = Series::default();
            for n in 0..300_i64 {
                let mut values = [None; METRIC_COUNT];
                values[metric.index()] = Some(if is_bad(n) { loss } else { 0.001 });
                series.push(&Reading {
                    timestamp_ms: 1_795_449_600_000 + n * 2_000,
                    values: values.into(),
                });
            }
            call.participants[person].series = series;
        };
        let sentence = |call: &Call| {
            let (mut issues, _) = issue::find(call, &Standards::default());
            blame(call, &mut issues);
            let sentence = verdict(call, &issues, &scores(call)).sentence;
            let (_, others) = sentence.split_once("16:05").unwrap();
            others.to_owned()
        };
        let loss = Some(("totalRecvPacketLoss", 0.2));
        let mut one = call(&[loss, None, None, None]);
        assert_eq!(sentence(&one), "; everyone else was fine.");
        // Long before and a little into it: less than half of either.
        set(&mut one, 1, &|n| (30..105).contains(&n), 0.06);
        assert_eq!(sentence(&one), "; 1 of the 3 others had trouble too.");
        // One of five is never an issue; one of forty is nothing.
        set(&mut one, 1, &|n| n % 5 == 0, 0.3);
        assert_eq!(sentence(&one), "; not all others were free of it.");
        set(&mut one, 1, &|n| n % 40 == 0, 0.3);
        assert_eq!(sentence(&one), "; everyone else was fine.");
        let mut two = call(&[loss, None]);
        set(&mut two, 1, &|n| (60..105).contains(&n), 0.06);
        assert_eq!(sentence(&two), "; the other one had trouble too.");
        set(&mut two, 1, &|n| n % 5 == 0, 0.3);
        assert_eq!(sentence(&two), "; the other one was not quite free of it.");
    }

    #[test]
    fn two_of_two_and_a_long_way_are_undecided() {
        let loss = Some(("totalRecvPacketLoss", 0.2));
        check(
            &[loss, loss],
            Side::Undecided,
            None,
            "Ana's download lost 20 % of its packets from 16:03 to 16:05; the other one had trouble too.",
        );
        check(
            &[Some(("networkRoundTripTime", 0.7)), None, None],
            Side::Undecided,
            Some(0),
            "Ana had a round-trip time of 700 ms from 16:03 to 16:05; everyone else was fine.",
        );
    }

    fn scores(call: &Call) -> Vec<Option<Score>> {
        let people = call.participants.iter();
        people
            .map(|participant| score::together(score::readings(&participant.series)))
            .collect()
    }

    #[test]
    fn no_trouble_is_said_and_nothing_measured_is_never_good() {
        check(
            &[None, None],
            Side::None,
            None,
            "Both people had a good connection throughout.",
        );
        let sentence = |call: &Call| verdict(call, &[], &scores(call)).sentence;
        let mut call = call(&[None, None]);
        call.participants[1].series = Series::default();
        assert_eq!(
            sentence(&call),
            "One person had a good connection throughout; of one nothing is known."
        );
        call.participants[0].series = Series::default();
        assert!(sentence(&call).starts_with("Nobody sent readings"));
        let mut values = [None; METRIC_COUNT];
        values[MetricId::from_wire("sendBitsPerSecond").unwrap().index()] = Some(1e6);
        call.participants[0].series.push(&Reading {
            timestamp_ms: 1,
            values: values.into(),
        });
        assert!(sentence(&call).starts_with("Readings were sent, but none"));
    }

    #[test]
    fn everybody_is_called_something() {
        let mut call = call(&[None]);
        let mut label = |name: Option<&str>, session_id: &str| {
            call.participants[0].name = name.map(str::to_owned);
            call.participants[0].session_id = session_id.to_owned();
            call.participants[0].label()
        };
        assert_eq!(label(Some("Ana"), "s"), "Ana");
        assert_eq!(label(Some("\u{202e}"), "0123456789"), "01234567");
        assert_eq!(label(None, ""), "somebody");
    }
}
