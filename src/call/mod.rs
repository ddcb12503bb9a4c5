//! Beacons to calls, participants and series, and what is concluded from them.
//!
//! Pure: no file, socket, clock or thread. A call is one meeting session in one room; a participant is one session id in it.

mod absence;
mod blame;
mod clock;
mod delivery;
mod describe;
mod episode;
mod gathered;
mod issue;
mod kind;
pub(crate) mod packed;
mod presence;
mod rows;
mod score;
mod series;
mod sketch;
mod summary;
mod verdict;

pub use clock::Clock;
pub use delivery::Delivery;
pub use describe::{
    BIN_COUNT, Histogram, Summary, counts, describe, edges, percentile, percentiles, sorted,
};
pub use gathered::{
    Accounts, Calls, FileNumber, FileOrder, Gathered, Shared, in_several_calls, session_key,
};
pub use issue::{Cause, Issue, Severity, Side, worst};
pub use kind::IssueType;
pub use presence::{Presence, gap_ms, presence};
pub use score::{FAIR_MIN, GOOD_MIN, Quality, Score};
pub use series::{Column, Series};
pub use sketch::{RELATIVE_ERROR, Sketch, ZERO_BELOW};
pub use summary::{CallSummary, Spell, sketches};
pub use verdict::Verdict;

use crate::beacon::Event;
use crate::digest::{FINGERPRINT_BYTES, fingerprint_bytes, hex};
use crate::metric::{MetricId, Standards};
use crate::plain::is_hostile;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Characters of the room that a call's id begins with.
const ID_ROOM_CHARS_MAX: usize = 32;
/// Characters of a room's name that a page shows.
const ROOM_CHARS_MAX: usize = 80;

/// A person in a call.
#[derive(Debug, Default, Clone)]
pub struct Participant {
    /// Daily's id. Any text.
    pub session_id: String,
    /// As the newest beacon that names the person has it. Any text.
    pub name: Option<String>,
    /// What the browser said of itself, as the newest beacon has it.
    pub client: Vec<(String, String)>,
    /// First and last receipt of a beacon, ms since the epoch. `None`: logged without one.
    pub received_ms: Option<(i64, i64)>,
    /// How the beacons themselves fared. `None`: they are not numbered.
    pub delivery: Option<Delivery>,
    /// What is known of the participant's clock.
    pub clock: Clock,
    /// What happened to the participant, by time, each once.
    pub events: Vec<Event>,
    /// Readings.
    pub series: Series,
}

impl Participant {
    /// First and last reading by the participant's own clock, corrected where it is known to be off; where nothing was measured, first and last receipt. ms since the epoch.
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        match self.series.timestamps_ms() {
            [] => self.received_ms,
            [only] => Some((*only, *only)),
            [first, .., last] => Some((*first, *last)),
        }
    }
}

/// A finished call: participants by arrival, samples by time.
#[derive(Debug, Clone)]
pub struct Call {
    /// Stable, safe in a URL and in a file name, different for different calls.
    pub id: String,
    /// As beacons have it, usually a URL. Any text.
    pub room: String,
    /// Daily's id. Any text.
    pub meeting_session_id: String,
    /// People, by arrival. Never empty.
    pub participants: Vec<Participant>,
    /// Readings that were sent more than once.
    pub duplicates: u64,
}

impl Call {
    /// From the first person's arrival to the last one's end, ms since the epoch. `None`: no beacon says when.
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        let spans = || self.participants.iter().filter_map(Participant::span_ms);
        Some((
            spans().map(|(start, _)| start).min()?,
            spans().map(|(_, end)| end).max()?,
        ))
    }

    /// Its place where calls are listed, the newest first: the smallest is the first of the list.
    pub fn listed_at(&self) -> (Reverse<Option<i64>>, String) {
        let start = self.span_ms().map(|(start, _)| start);
        (Reverse(start), self.id.clone())
    }

    /// Readings of all participants.
    pub fn samples(&self) -> usize {
        self.participants
            .iter()
            .map(|participant| participant.series.len())
            .sum()
    }

    /// Appends all values of `metric` that anybody measured.
    pub fn measured_into(&self, metric: MetricId, measured: &mut Vec<f64>) {
        let people = self.participants.iter();
        for column in people.filter_map(|participant| participant.series.column(metric)) {
            column.measured_into(measured);
        }
    }

    /// How the numbered beacons of all participants fared. `None`: none is numbered.
    pub fn delivery(&self) -> Option<Delivery> {
        Delivery::sum(self.participants.iter().map(|person| person.delivery))
    }

    /// The room in short, for a page: the last part of its URL, or the whole text where it is none. Any text but control
    /// characters, maybe empty.
    pub fn room_name(&self) -> String {
        room_name(&self.room)
    }
}

/// As [`Call::room_name`], of the room as beacons have it.
pub fn room_name(room: &str) -> String {
    let path = room.split(['?', '#']).next().unwrap_or_default();
    let name = match path.split_once("://") {
        Some((_, rest)) => rest
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(rest),
        None => room,
    };
    shown(name, ROOM_CHARS_MAX)
}

/// `text` as a page may show it: at most `chars_max` long, without control characters and those that turn the direction of writing.
fn shown(text: &str, chars_max: usize) -> String {
    let mut visible = text.chars().filter(|&c| !is_hostile(c));
    let mut shown: String = visible.by_ref().take(chars_max).collect();
    if visible.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What is concluded from a call: everything that pages and data files say beyond the readings themselves.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// Of all readings of all participants. `None`: nothing was measured.
    pub score: Option<Score>,
    /// One for each of [`Call::participants`], in their order.
    pub people: Vec<Person>,
    /// By start; the worst of them where there are very many.
    pub issues: Vec<Issue>,
    /// Issues that are not in `issues`.
    pub issues_left_out: usize,
    /// In a sentence.
    pub verdict: Verdict,
    /// By which it was judged.
    pub standards: Standards,
}

/// What is concluded of one participant.
#[derive(Debug, Clone)]
pub struct Person {
    /// Of the participant's own readings. `None`: nothing was measured.
    pub score: Option<Score>,
    /// Metrics with at least one value, in the order of the table.
    pub summaries: Vec<(MetricId, Summary)>,
}

/// Draws the conclusions. `standards`: from where on a metric is an issue; the score is not theirs.
pub fn assess(call: &Call, standards: &Standards) -> Assessment {
    let mut all = Vec::new();
    let mut is_fair_at_most = false;
    let person = |participant: &Participant| {
        let readings = score::readings(&participant.series);
        all.extend_from_slice(&readings);
        let is_poor = score::is_poor_at_times(&readings);
        is_fair_at_most |= is_poor;
        let n_readings = participant.series.len();
        let summary = |(metric, column): (MetricId, Column<'_>)| {
            Some((metric, describe(column.measured(), n_readings)?))
        };
        Person {
            score: capped(score::together(readings), is_poor),
            summaries: participant.series.metrics().filter_map(summary).collect(),
        }
    };
    let people: Vec<Person> = call.participants.iter().map(person).collect();
    // However many others were fine.
    let score = capped(score::together(all), is_fair_at_most);
    let (mut issues, issues_left_out) = issue::find(call, standards);
    blame::blame(call, &mut issues);
    let scores: Vec<Option<Score>> = people.iter().map(|person| person.score).collect();
    let verdict = verdict::verdict(call, &issues, &scores);
    Assessment {
        score,
        people,
        issues,
        issues_left_out,
        verdict,
        standards: standards.clone(),
    }
}

fn capped(score: Option<Score>, is_fair_at_most: bool) -> Option<Score> {
    if is_fair_at_most {
        score.map(Score::fair_at_most)
    } else {
        score
    }
}

/// What tells a call from all others: a fingerprint of its room and its meeting session.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CallKey([u8; FINGERPRINT_BYTES]);

impl CallKey {
    /// Of one meeting session in one room.
    pub fn of(room: &str, meeting_session_id: &str) -> CallKey {
        CallKey(fingerprint_bytes([
            room.as_bytes(),
            meeting_session_id.as_bytes(),
        ]))
    }

    /// The id of the call, which is in `room`: the end of the room's name for people, the key for everything else.
    pub fn id(self, room: &str) -> String {
        let name: String = room
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(ID_ROOM_CHARS_MAX)
            .collect();
        let name = name.to_ascii_lowercase();
        let name = if name.trim_matches('-').is_empty() {
            "call"
        } else {
            name.trim_matches('-')
        };
        format!("{name}-{}", hex(self.0))
    }

    /// Some of its bits, which nobody chose.
    pub fn bits(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;

    fn calls(lines: &[&str]) -> Vec<Call> {
        let mut calls = Calls::default();
        for line in lines {
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        }
        calls.finish()
    }

    fn line(room: &str, session: &str, t: i64, received: i64) -> String {
        format!(
            r#"{{"room":"{room}","meetingSessionId":"m","sessionId":"{session}","stats":{{"latest":{{"timestamp":{t},"recvBitsPerSecond":1}}}},"_rx":{{"t":{received}}}}}"#
        )
    }

    #[test]
    fn newest_calls_come_first_and_people_by_arrival() {
        let t = 1_795_449_870_000;
        let lines = [
            line("old", "b", t + 5, t),
            line("old", "a", t + 9, t),
            line("new", "c", t + 60_000, t),
            line("old", "b", t + 5, t),
        ];
        let found = calls(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            found
                .iter()
                .map(|call| call.room.as_str())
                .collect::<Vec<_>>(),
            ["new", "old"]
        );
        let people: Vec<_> = found[1]
            .participants
            .iter()
            .map(|p| p.session_id.as_str())
            .collect();
        assert_eq!(people, ["b", "a"]);
        assert_eq!((found[1].samples(), found[1].duplicates), (2, 1));
        assert_eq!(found[1].span_ms(), Some((t + 5, t + 9)));
    }

    #[test]
    fn a_call_is_not_good_while_somebody_had_a_poor_time_in_it() {
        let mut lines = Vec::new();
        for person in 0..20 {
            for at in 0..100 {
                let t = 1_795_449_870_000_i64 + at * 2_000;
                let loss = if person == 0 && at < 6 { 0.3 } else { 0.0 };
                lines.push(format!(
                    r#"{{"room":"r","meetingSessionId":"m","sessionId":"s{person:02}","stats":{{"latest":{{"timestamp":{t},"totalRecvPacketLoss":{loss}}}}}}}"#
                ));
            }
        }
        let call = &calls(&lines.iter().map(String::as_str).collect::<Vec<_>>())[0];
        let assessment = assess(call, &Standards::default());
        let of = |score| (Quality::of(score), score.map(Score::value));
        let people = assessment.people.iter().map(|person| of(person.score));
        let people: Vec<_> = people.collect();
        assert_eq!(people[0].0, Quality::Fair, "{people:?}");
        assert!(people[1..].iter().all(|one| one.0 == Quality::Good));
        assert_eq!(of(assessment.score), (Quality::Fair, Some(GOOD_MIN - 1)));
    }

    #[test]
    fn heartbeats_alone_span_their_receipts() {
        let beat = |t: i64| {
            format!(
                r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{}},"_rx":{{"t":{t}}}}}"#
            )
        };
        let found = calls(&[&beat(50), &beat(20)]);
        assert_eq!(found[0].span_ms(), Some((20, 50)));
        assert_eq!(found[0].samples(), 0);
        let found = calls(&[r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{}}"#]);
        assert_eq!(found[0].span_ms(), None);
    }

    #[test]
    fn ids_are_safe_short_and_distinct() {
        for (room, start) in [
            ("https://x.daily.co/meet-Ana", "meet-ana-"),
            ("</script><img src=x>", "scriptimg-src-"),
            ("../../etc/passwd", "passwd-"),
            ("", "call-"),
            ("---", "call-"),
            ("מפגש", "call-"),
        ] {
            let id = CallKey::of(room, "m").id(room);
            if room.starts_with("</") {
                assert!(id.starts_with("script"), "{id}");
            } else {
                assert!(id.starts_with(start), "{id}");
            }
            assert!(
                id.len() <= 64
                    && id
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{id}"
            );
        }
        assert_ne!(CallKey::of("a", "bc"), CallKey::of("ab", "c"));
        assert_eq!(CallKey::of("a", "b"), CallKey::of("a", "b"));
    }

    #[test]
    fn a_room_is_called_by_the_end_of_its_url() {
        let name = |room: &str| {
            let mut call = calls(&[&line("r", "s", 1_795_449_870_000, 1)]).remove(0);
            call.room = room.to_owned();
            call.room_name()
        };
        assert_eq!(name("https://x.daily.co/meet-ana"), "meet-ana");
        assert_eq!(name("https://x.daily.co/meet-ana/?t=1"), "meet-ana");
        assert_eq!(name("stand/up"), "stand/up");
        assert_eq!(name("https://x.daily.co"), "x.daily.co");
        assert_eq!(name("a\u{202e}b\nc"), "abc");
        assert_eq!(name(&"x".repeat(81)), "x".repeat(80) + "…");
    }
}
