//! People of a call as its page shows them: a number and a colour each, a lane over time, and what happened to them when.
//! Colours follow arrival up to eight people; of more, the eight with most trouble have one. Must not ask for events that
//! the log may lack: what is told is what the readings show.

use super::{Verdict, delivery, in_words, verdict};
use crate::call::{Assessment, Call, Clock, Issue, IssueType, Participant};
use crate::units;
use serde::Serialize;

/// Participants with a colour of their own; everybody else shares one.
const COLOURS: usize = 8;
/// The class of who has none.
const REST: &str = "p-rest";
/// Units across a lane: fine enough to be zoomed into.
const WIDTH: f64 = 100_000.0;
/// Narrower marks could not be seen.
const MARK_MIN: f64 = 200.0;
/// Shorter silences are gaps of a line, not worth a word.
const SILENCE_MS: i64 = 60_000;
/// Silences of one person that are told; who makes up readings could make thousands.
const SILENCES_MAX: usize = 20;

/// A number badge and a name: how a page refers to a person.
#[derive(Debug, Serialize, Clone)]
pub(super) struct Badge {
    /// By arrival, from 1.
    pub(super) number: usize,
    /// `p1` to `p8`, or `p-rest`: names a class.
    pub(super) slot: String,
    /// Any text.
    pub(super) label: String,
}

/// One person, ready for the template.
#[derive(Debug, Serialize)]
pub(super) struct OnePerson {
    badge: Badge,
    session_id: String,
    client: String,
    verdict: Verdict,
    present: String,
    span: String,
    /// `None`: when they were there is not known.
    lane: Option<Lane>,
    /// Beacons that never came; empty for none.
    missing: String,
    /// And what else was odd about them.
    odd: String,
    /// What is wrong with the person's clock; empty for nothing.
    clock: String,
    /// In words, for who does not see the lane.
    told: String,
}

impl OnePerson {
    /// Without a colour.
    pub(super) fn is_other(&self) -> bool {
        self.badge.slot == REST
    }
}

/// When a person was there and how it was, in units of [`WIDTH`] from the start of the call.
#[derive(Debug, Serialize)]
pub(super) struct Lane {
    joined: f64,
    left: f64,
    /// Whether anything was measured that tells how it was.
    known: bool,
    /// Stretches with readings.
    spells: Vec<Stretch>,
    /// Silences between them.
    silences: Vec<Stretch>,
    /// Spells of trouble, lighter ones first, so that worse ones are drawn over them.
    marks: Vec<Mark>,
}

#[derive(Debug, Serialize, PartialEq)]
struct Stretch {
    x: f64,
    width: f64,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: f64,
    width: f64,
    /// `fair` or `poor`: names a class.
    level: &'static str,
    /// From and to, ms since the start of the call.
    from: i64,
    to: i64,
    title: &'static str,
    value: String,
}

/// One entry of the list of what happened.
#[derive(Debug, Serialize)]
pub(super) struct Moment {
    pub(super) at_ms: i64,
    /// From and to, ms since the start of the call.
    from: i64,
    to: i64,
    time: String,
    /// `None`: an event, neither good nor bad.
    severity: Option<Verdict>,
    badge: Badge,
    title: &'static str,
    value: String,
    lasted: String,
    /// The metric whose panel shows it; empty: the lane does.
    panel: &'static str,
}

/// A [`Moment`] in few bytes, for the page's script.
#[derive(Debug, Serialize)]
pub(super) struct BriefMoment<'a> {
    p: usize,
    from: i64,
    to: i64,
    severity: Option<&'static str>,
    title: &'static str,
    value: &'a str,
    lasted: &'a str,
    panel: &'static str,
}

impl Moment {
    pub(super) fn brief(&self) -> BriefMoment<'_> {
        BriefMoment {
            p: self.badge.number,
            from: self.from,
            to: self.to,
            severity: self.severity.as_ref().map(|severity| severity.id),
            title: self.title,
            value: &self.value,
            lasted: &self.lasted,
            panel: self.panel,
        }
    }
}

/// The badges of all participants, in their order.
pub(super) fn badges(call: &Call, assessment: &Assessment) -> Vec<Badge> {
    let coloured = in_colour(assessment);
    call.participants
        .iter()
        .enumerate()
        .map(|(at, participant)| Badge {
            number: at + 1,
            slot: coloured
                .iter()
                .position(|&other| other == at)
                .map_or_else(|| REST.to_owned(), |slot| format!("p{}", slot + 1)),
            label: participant.label(),
        })
        .collect()
}

/// Who has a colour, by arrival: everybody up to eight; of more, those with the longest trouble, then the lowest scores.
fn in_colour(assessment: &Assessment) -> Vec<usize> {
    let n_people = assessment.people.len();
    let mut order: Vec<usize> = (0..n_people).collect();
    if COLOURS < n_people {
        let mut trouble_ms = vec![0_i64; n_people];
        for issue in assessment
            .issues
            .iter()
            .filter(|issue| issue.issue_type.is_trouble())
        {
            trouble_ms[issue.participant] =
                trouble_ms[issue.participant].saturating_add(issue.end_ms - issue.start_ms);
        }
        let score = |at: usize| assessment.people[at].score.map_or(u8::MAX, |s| s.value());
        order.sort_by_key(|&at| (std::cmp::Reverse(trouble_ms[at]), score(at), at));
        order.truncate(COLOURS);
        order.sort_unstable();
    }
    order
}

/// Everybody, in order of arrival.
pub(super) fn people(call: &Call, assessment: &Assessment, badges: &[Badge]) -> Vec<OnePerson> {
    let mut issues_of: Vec<Vec<&Issue>> = vec![Vec::new(); call.participants.len()];
    for issue in &assessment.issues {
        issues_of[issue.participant].push(issue);
    }
    let everyone = call.participants.iter().zip(&assessment.people).zip(badges);
    everyone
        .zip(issues_of)
        .map(|(((participant, person), badge), issues)| OnePerson {
            badge: badge.clone(),
            session_id: participant.session_id.clone(),
            client: participant
                .client
                .iter()
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join(" · "),
            verdict: verdict(person.score),
            present: participant.span_ms().map_or_else(
                || units::MISSING.to_owned(),
                |(start, end)| units::duration(end - start),
            ),
            span: participant.span_ms().map(clock_span).unwrap_or_default(),
            told: told(participant, &issues),
            lane: call
                .span_ms()
                .and_then(|axis_ms| lane(axis_ms, participant, person.score.is_some(), issues)),
            missing: delivery::missing(participant.delivery),
            odd: participant.delivery.map(delivery::odd).unwrap_or_default(),
            clock: clock(participant.clock),
        })
        .collect()
}

pub(super) fn clock_span((start_ms, end_ms): (i64, i64)) -> String {
    format!("{}–{} UTC", units::clock(start_ms), units::clock(end_ms))
}

fn told(participant: &Participant, issues: &[&Issue]) -> String {
    let mut told = participant
        .span_ms()
        .map(|span| format!("There {}.", clock_span(span)))
        .unwrap_or_default();
    let issues: Vec<_> = issues
        .iter()
        .filter(|issue| issue.issue_type.is_trouble())
        .collect();
    for issue in issues.iter().take(5) {
        told += &format!(
            " {} {} from {} for {}.",
            issue.issue_type.title(),
            value(issue),
            units::clock(issue.start_ms),
            units::duration(issue.end_ms - issue.start_ms)
        );
    }
    if 5 < issues.len() {
        told += &format!(" {} more issues.", issues.len() - 5);
    }
    told
}

/// A clock that is not to be believed, in words. Empty for others.
fn clock(clock: Clock) -> String {
    match clock {
        Clock::Unsuspected => String::new(),
        Clock::Off { added_ms } => format!(
            "clock {} {}: times corrected",
            units::duration(added_ms.abs()),
            if added_ms < 0 { "fast" } else { "slow" }
        ),
        Clock::Jumping { jumps: 1, by_ms } => format!(
            "clock set by {} meanwhile: times uncertain",
            units::duration(by_ms)
        ),
        Clock::Jumping { jumps, by_ms } => format!(
            "clock set {jumps} times, by up to {}: times uncertain",
            units::duration(by_ms)
        ),
    }
}

fn value(issue: &Issue) -> String {
    match issue.issue_type {
        // Every place that names them says how long they lasted.
        other if other.is_duration() => String::new(),
        IssueType::ClockSkew => format!("by {}", units::duration((issue.value * 1_000.0) as i64)),
        other => units::quantity(other.unit(), issue.value),
    }
}

fn lane(
    axis_ms: (i64, i64),
    participant: &Participant,
    known: bool,
    mut issues: Vec<&Issue>,
) -> Option<Lane> {
    let (own_start_ms, own_end_ms) = participant.span_ms()?;
    let (start_ms, end_ms) = axis_ms;
    let scale = WIDTH / ((end_ms - start_ms).max(1) as f64);
    let place = |ms: i64| ((ms - start_ms) as f64 * scale).clamp(0.0, WIDTH).round();
    let stretch = |(from, to): (i64, i64)| {
        let x = place(from).min(WIDTH - MARK_MIN);
        Stretch {
            x,
            width: (place(to) - x).max(MARK_MIN),
        }
    };
    let silences = silences(participant);
    let mut spells = Vec::new();
    let mut from = own_start_ms;
    for &(last, next) in &silences {
        spells.push((from, last));
        from = next;
    }
    spells.push((from, own_end_ms));
    issues.sort_by_key(|issue| issue.severity);
    let mark = |issue: &Issue| {
        let Stretch { x, width } = stretch((issue.start_ms, issue.end_ms));
        Mark {
            x,
            width,
            level: issue.severity.quality().word(),
            from: issue.start_ms - start_ms,
            to: issue.end_ms - start_ms,
            title: issue.issue_type.title(),
            value: value(issue),
        }
    };
    Some(Lane {
        joined: place(own_start_ms),
        left: place(own_end_ms),
        known,
        spells: spells.into_iter().map(stretch).collect(),
        silences: silences.into_iter().map(stretch).collect(),
        marks: issues
            .into_iter()
            .filter(|issue| issue.issue_type.is_trouble())
            .map(mark)
            .collect(),
    })
}

/// Where a person was not heard of for so long that they may have been away: last reading before, first one after. The
/// longest ones, in order. A clock that was set looks the same, so that of such a one nothing is told.
fn silences(participant: &Participant) -> Vec<(i64, i64)> {
    if participant.clock.is_jumping() {
        return Vec::new();
    }
    let mut found: Vec<(i64, i64)> = participant
        .series
        .timestamps_ms()
        .windows(2)
        .map(|pair| (pair[0], pair[1]))
        .filter(|(last, next)| SILENCE_MS <= next - last)
        .collect();
    found.sort_by_key(|(last, next)| last - next);
    found.truncate(SILENCES_MAX);
    found.sort_unstable();
    found
}

/// What happened, in order: issues, who came, fell silent and went.
pub(super) fn moments(call: &Call, assessment: &Assessment, badges: &[Badge]) -> Vec<Moment> {
    let Some((start_ms, _)) = call.span_ms() else {
        return Vec::new();
    };
    let event = |at: usize, (from, to): (i64, i64), title, lasted| Moment {
        at_ms: from,
        from: from - start_ms,
        to: to - start_ms,
        time: units::clock(from),
        severity: None,
        badge: badges[at].clone(),
        title,
        value: String::new(),
        lasted,
        panel: "",
    };
    let mut moments: Vec<Moment> = Vec::new();
    for (at, participant) in call.participants.iter().enumerate() {
        let Some((joined, left)) = participant.span_ms() else {
            continue;
        };
        moments.push(event(at, (joined, joined), "First reading", String::new()));
        for (last, next) in silences(participant) {
            let lasted = units::duration(next - last);
            moments.push(event(at, (last, next), "Not heard of, then back", lasted));
        }
        if joined < left {
            moments.push(event(at, (left, left), "Last reading", String::new()));
        }
    }
    moments.extend(assessment.issues.iter().map(|issue| {
        Moment {
            at_ms: issue.start_ms,
            from: issue.start_ms - start_ms,
            to: issue.end_ms - start_ms,
            time: units::clock(issue.start_ms),
            severity: issue
                .issue_type
                .is_trouble()
                .then(|| in_words(issue.severity.quality(), None)),
            badge: badges[issue.participant].clone(),
            title: issue.issue_type.title(),
            value: value(issue),
            lasted: units::duration(issue.end_ms - issue.start_ms),
            panel: issue.issue_type.metric().map_or("", |m| m.def().id),
        }
    }));
    moments.sort_by_key(|moment| moment.at_ms);
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::Reading;
    use crate::call::{Series, assess};
    use crate::metric::METRIC_COUNT;
    use crate::metric::Standards;

    #[test]
    fn a_clock_is_told_in_words() {
        let told = |it| clock(it).replace(units::NBSP, " ");
        assert_eq!(told(Clock::Unsuspected), "");
        let off = |added_ms| told(Clock::Off { added_ms });
        assert_eq!(off(-3_600_000), "clock 1 h 00 fast: times corrected");
        assert_eq!(off(90_000), "clock 2 min slow: times corrected");
        let set = |jumps| {
            told(Clock::Jumping {
                jumps,
                by_ms: 45_000,
            })
        };
        assert_eq!(set(1), "clock set by 45 s meanwhile: times uncertain");
        assert_eq!(set(2), "clock set 2 times, by up to 45 s: times uncertain");
    }

    fn participant(name: &str, times_ms: &[i64], loss: f64) -> Participant {
        let mut series = Series::default();
        let metric = crate::metric::MetricId::from_wire("totalSendPacketLoss").unwrap();
        let at = crate::metric::MetricId::all().position(|other| other == metric);
        for &timestamp_ms in times_ms {
            let mut values = [None; METRIC_COUNT];
            values[at.unwrap()] = Some(loss);
            series.push(&Reading {
                timestamp_ms,
                values: values.into(),
            });
        }
        Participant {
            session_id: name.to_owned(),
            name: None,
            series,
            ..Participant::default()
        }
    }

    fn call(participants: Vec<Participant>) -> Call {
        Call {
            id: "id".to_owned(),
            room: "room".to_owned(),
            meeting_session_id: "m".to_owned(),
            participants,
            duplicates: 0,
        }
    }

    fn every_2_s(from: i64, n: i64) -> Vec<i64> {
        (0..n).map(|at| from + 2_000 * at).collect()
    }

    #[test]
    fn of_many_people_those_in_trouble_have_the_colours() {
        let all = (0..12).map(|n| {
            let loss = if n == 10 { 0.2 } else { 0.0 };
            participant(&format!("s{n}"), &every_2_s(1_000_000, 60), loss)
        });
        let call = call(all.collect());
        let badges = badges(&call, &assess(&call, &Standards::default()));
        let coloured = badges.iter().filter(|badge| badge.slot != "p-rest");
        assert_eq!(coloured.count(), COLOURS);
        assert_eq!(badges[10].slot, "p8");
        assert_eq!(badges[9].slot, "p-rest");
        assert_eq!(badges[10].number, 11);
    }

    #[test]
    fn a_silence_splits_the_lane_and_is_told() {
        let mut times = every_2_s(1_000_000, 60);
        times.extend(every_2_s(1_600_000, 60));
        let call = call(vec![participant("s", &times, 0.0)]);
        let assessment = assess(&call, &Standards::default());
        let badges = badges(&call, &assessment);
        let people = people(&call, &assessment, &badges);
        let lane = people[0].lane.as_ref().unwrap();
        assert_eq!((lane.spells.len(), lane.silences.len()), (2, 1));
        assert_eq!((lane.joined, lane.left), (0.0, WIDTH));
        let titles: Vec<_> = moments(&call, &assessment, &badges)
            .iter()
            .map(|moment| moment.title)
            .collect();
        assert_eq!(
            titles,
            ["First reading", "Not heard of, then back", "Last reading"]
        );
    }

    #[test]
    fn one_reading_is_a_mark_that_can_be_seen() {
        let call = call(vec![participant("s", &[1_000_000], 0.0)]);
        let assessment = assess(&call, &Standards::default());
        let people = people(&call, &assessment, &badges(&call, &assessment));
        let lane = people[0].lane.as_ref().unwrap();
        assert_eq!(
            lane.spells,
            [Stretch {
                x: 0.0,
                width: MARK_MIN
            }]
        );
    }
}
