//! A stretch of days at a glance: a sentence, six numbers each beside the stretch before, minutes by day, how the scores lie, what
//! goes wrong most, and the worst calls.

use super::super::periods::{Figures, LOSS, Period, ROUND_TRIP, Step};
use super::super::totals::Totals;
use super::calls::issue_types;
use super::plot::{self, Plot};
use super::{Verdict, level, verdict};
use crate::call::{CallSummary, IssueType, Quality, Severity};
use crate::metric::{MetricId, Standards, Unit};
use crate::report::data;
use crate::units::{self, NBSP, counted};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Calls that are listed as the worst.
const WORST_MAX: usize = 6;
/// Issues that are listed.
const TROUBLES_MAX: usize = 6;

/// Ready for the template.
#[derive(Serialize)]
pub(super) struct Shown {
    id: &'static str,
    /// `7 days`, `All`.
    pub(super) label: String,
    /// Its days.
    range: String,
    headline: String,
    detail: String,
    pub(super) tiles: Vec<Tile>,
    minutes: Option<Plot>,
    /// `by day`, or by how many.
    minutes_by: String,
    scores: Option<Plot>,
    scored: String,
    troubles: Vec<Trouble>,
    worst: Vec<Worst>,
}

/// A number.
#[derive(Serialize)]
pub(super) struct Tile {
    pub(super) title: &'static str,
    pub(super) about: String,
    pub(super) value: String,
    /// Beyond which threshold the value is.
    pub(super) level: &'static str,
    /// Against the stretch before.
    pub(super) change: Option<Change>,
    pub(super) note: String,
    /// Its course.
    pub(super) spark: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Change {
    /// `better`, `worse`, or nothing where neither can be said.
    level: &'static str,
    text: String,
}

/// An issue and the calls that had it.
#[derive(Serialize)]
struct Trouble {
    title: &'static str,
    id: &'static str,
    calls: String,
    /// Shares of the widest bar in percent: calls in which it was bad, and those with a warning alone.
    poor: f64,
    fair: f64,
    about: String,
    /// The days, to find these calls by; empty for all.
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Worst {
    verdict: Verdict,
    page: String,
    room: String,
    sentence: String,
    day: String,
}

pub(super) fn shown(period: &Period<'_>, standards: &Standards, zone: &TimeZone) -> Shown {
    let totals = Totals::new(period.calls.iter().copied());
    let (headline, detail) = sentences(period, &totals, zone);
    let scores = period.calls.iter().filter_map(|call| call.score);
    let scores: Vec<u8> = scores.map(|score| score.value()).collect();
    Shown {
        id: period.id,
        label: period
            .n_days
            .map_or_else(|| "All".to_owned(), |n| format!("{n}{NBSP}days")),
        range: period
            .dates
            .map(|(first, last)| plot::days(first, last))
            .unwrap_or_default(),
        headline,
        detail,
        tiles: tiles(period, standards),
        minutes: plot::minutes(&period.steps),
        minutes_by: minutes_by(&period.steps),
        scored: scored(&scores),
        scores: plot::scores(&scores),
        troubles: troubles(period),
        worst: worst(&period.calls, zone),
    }
}

/// How it was, in a few words and in a few more.
fn sentences(period: &Period<'_>, totals: &Totals, zone: &TimeZone) -> (String, String) {
    let of = |quality| totals.of(quality);
    let (good, unknown) = (of(Quality::Good), of(Quality::Unknown));
    let (fair, poor) = (of(Quality::Fair), of(Quality::Poor));
    let known = good + fair + poor;
    let all = period.calls.len();
    let headline = match (all, known) {
        (0, _) => {
            let detail = "The log holds no beacon so far.";
            return ("No calls yet.".to_owned(), detail.to_owned());
        }
        (_, 0) if 0 < totals.samples => {
            "Nothing is known of how the calls were: no reading tells.".to_owned()
        }
        (_, 0) => "Nobody sent readings, so nothing is known of how the calls were.".to_owned(),
        (all, known) => {
            let with = if known < all { " with readings" } else { "" };
            match (known, good) {
                (1, 1) => format!("The one call{with} was good."),
                (1, _) => format!("The one call{with} was not good."),
                (2, 2) => format!("Both calls{with} were good."),
                (n, good) if good == n => format!("All {} calls{with} were good.", number(n)),
                (n, 0) => format!("None of {} calls{with} was good.", number(n)),
                (n, good) => {
                    format!("{} of {} calls{with} were good.", number(good), number(n))
                }
            }
        }
    };
    let mut sentences = Vec::new();
    if let Some(share) = period.figures.good_share() {
        let measured_ms = period.figures.participant_ms() - period.figures.of_ms(Quality::Unknown);
        sentences.push(format!(
            "{} of {} were good",
            units::quantity(Unit::Ratio, share),
            counted(
                minutes(measured_ms),
                "participant-minute",
                "participant-minutes"
            )
        ));
    }
    let mut parts = Vec::new();
    for (n, word) in [(fair, "fair"), (poor, "poor")] {
        if 0 < n {
            let verb = if n == 1 { "was" } else { "were" };
            parts.push(format!(
                "{} {verb} {word}",
                counted(n as u64, "call", "calls")
            ));
        }
    }
    if 0 < unknown && 0 < known {
        parts.push(format!(
            "of {} nothing is known",
            counted(unknown as u64, "call", "calls")
        ));
    }
    if !parts.is_empty() {
        sentences.push(parts.join("; "));
    }
    if let Some(most) = most(period, zone) {
        sentences.push(most);
    }
    let mut detail: String = sentences.iter().map(|one| format!("{one}. ")).collect();
    // The worst one in its own words, unless all is well.
    let worst = period.calls.iter();
    let worst = worst.filter(|call| matches!(call.quality(), Quality::Fair | Quality::Poor));
    if let Some(call) = worst.min_by_key(|call| call.score) {
        let is_one_room = period.calls.iter().all(|other| other.room == call.room);
        detail += &match is_one_room {
            true => format!("The worst: {}", call.sentence),
            false => format!("The worst, in {}: {}", call.room_name(), call.sentence),
        };
    }
    if detail.is_empty() {
        detail = format!(
            "{}.",
            counted(
                totals.samples as u64,
                "reading was measured",
                "readings were measured"
            )
        );
    }
    (headline, detail.trim_end().to_owned())
}

fn number(n: usize) -> String {
    units::count(n as u64)
}

fn minutes(ms: i64) -> u64 {
    (ms as f64 / 60_000.0).round() as u64
}

/// What went wrong in most calls, and the day if it was mostly one.
fn most(period: &Period<'_>, zone: &TimeZone) -> Option<String> {
    let (issue_type, calls) = by_issue(&period.calls).into_iter().next()?;
    if calls.len() < 2 {
        return None;
    }
    let mut by_day: BTreeMap<Date, usize> = BTreeMap::new();
    for (call, _) in &calls {
        if let Some((date, _)) = call.span_ms.and_then(|(ms, _)| units::day_of(ms, zone)) {
            *by_day.entry(date).or_default() += 1;
        }
    }
    let mut said = format!(
        "What went wrong most was {}, in {}",
        issue_type.title().to_lowercase(),
        counted(calls.len() as u64, "call", "calls")
    );
    let busiest = by_day.iter().max_by_key(|(_, n)| **n);
    if let Some((date, n)) = busiest.filter(|(_, n)| 2 < **n && calls.len() < 2 * **n)
        && 1 < period.steps.len()
    {
        let date = date.strftime("%A, %-d %b");
        said += &match *n == calls.len() {
            true => format!(", all on {date}"),
            false => format!(", {n} of them on {date}"),
        };
    }
    Some(said)
}

/// The calls that had each issue, newest first, and how bad it was at its worst; the issue that most calls had first.
fn by_issue<'a>(calls: &[&'a CallSummary]) -> Vec<(IssueType, Vec<(&'a CallSummary, Severity)>)> {
    let mut by_issue: BTreeMap<IssueType, Vec<(&'a CallSummary, Severity)>> = BTreeMap::new();
    for &call in calls {
        for issue_type in issue_types(call) {
            let spells = call.spells.iter();
            let theirs = spells.filter(|spell| spell.issue_type == issue_type);
            let worst = theirs.map(|spell| spell.severity).max();
            let worst = worst.unwrap_or(Severity::Warning);
            by_issue.entry(issue_type).or_default().push((call, worst));
        }
    }
    let mut by_issue: Vec<_> = by_issue.into_iter().collect();
    by_issue.sort_by_key(|(_, calls)| Reverse((calls.len(), n_bad(calls))));
    by_issue
}

fn n_bad(calls: &[(&CallSummary, Severity)]) -> usize {
    let bad = calls.iter();
    bad.filter(|(_, severity)| *severity == Severity::Bad)
        .count()
}

fn troubles(period: &Period<'_>) -> Vec<Trouble> {
    let by_issue = by_issue(&period.calls);
    let most = by_issue.first().map_or(1, |(_, calls)| calls.len()) as f64;
    // All there are need no days.
    let dates = period.n_days.and(period.dates);
    let (from, to) = dates.map_or_else(Default::default, |(first, last)| {
        (first.to_string(), last.to_string())
    });
    let trouble = |(issue_type, calls): (IssueType, Vec<(&CallSummary, Severity)>)| {
        let bad = n_bad(&calls);
        let n = counted(calls.len() as u64, "call", "calls");
        let share = |n: usize| (n as f64 / most * 1e4).round() / 1e2;
        Trouble {
            title: issue_type.title(),
            id: issue_type.id(),
            about: format!("{}: {n}, in {bad} of them it was bad", issue_type.title()),
            calls: n,
            poor: share(bad),
            fair: share(calls.len() - bad),
            from: from.clone(),
            to: to.clone(),
        }
    };
    let by_issue = by_issue.into_iter().take(TROUBLES_MAX);
    by_issue.map(trouble).collect()
}

fn worst(calls: &[&CallSummary], zone: &TimeZone) -> Vec<Worst> {
    let bad = calls.iter();
    let bad = bad.filter(|call| matches!(call.quality(), Quality::Fair | Quality::Poor));
    let mut bad: Vec<&CallSummary> = bad.copied().collect();
    bad.sort_by_key(|call| call.score);
    let one = |call: &CallSummary| Worst {
        verdict: verdict(call.score),
        page: data::page_path(&call.id),
        room: call.room_name(),
        sentence: call.sentence.clone(),
        day: call
            .span_ms
            .and_then(|(start_ms, _)| units::day_of(start_ms, zone))
            .map(|(date, _)| date.strftime("%-d %b").to_string())
            .unwrap_or_default(),
    };
    bad.into_iter().take(WORST_MAX).map(one).collect()
}

fn scored(scores: &[u8]) -> String {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable();
    match sorted.get(sorted.len() / 2) {
        Some(median) => format!(
            "{}, median {median}",
            counted(scores.len() as u64, "call", "calls")
        ),
        None => String::new(),
    }
}

fn minutes_by(steps: &[Step]) -> String {
    let length = steps
        .first()
        .map(|step| step.last.duration_since(step.first));
    match length.map_or(1, |length| length.as_hours() / 24 + 1) {
        1 => "by day".to_owned(),
        n => format!("by {n}{NBSP}days"),
    }
}

/// How a number differs from the one before.
#[derive(Clone, Copy)]
enum Better {
    /// Neither more nor less is better.
    Neither,
    More,
    Less,
}

/// `text`: the difference in words, without its direction; empty where it is too small to be told.
fn change(difference: f64, better: Better, text: String) -> Change {
    if text.is_empty() {
        return Change {
            level: "",
            text: "as before".to_owned(),
        };
    }
    let is_better = match better {
        Better::Neither => None,
        Better::More => Some(0.0 < difference),
        Better::Less => Some(difference < 0.0),
    };
    Change {
        level: match is_better {
            None => "",
            Some(true) => "better",
            Some(false) => "worse",
        },
        text: format!("{} {text}", if 0.0 < difference { "▲" } else { "▼" }),
    }
}

fn of_counts(now: u64, before: u64) -> Change {
    let text = match now.abs_diff(before) {
        0 => String::new(),
        n => units::count(n),
    };
    change(now as f64 - before as f64, Better::Neither, text)
}

fn of_shares(now: f64, before: f64, better: Better) -> Change {
    // Points of a percentage, with one digit.
    let points = ((now - before) * 1e3).round() / 10.0;
    let text = match points.abs() {
        0.0 => String::new(),
        1.0 => format!("1{NBSP}point"),
        n => format!("{n}{NBSP}points"),
    };
    change(points, better, text)
}

fn of_seconds(now_s: f64, before_s: f64) -> Change {
    let ms = ((now_s - before_s) * 1e3).round();
    let text = match ms.abs() {
        0.0 => String::new(),
        ms => units::quantity(Unit::Second, ms / 1e3),
    };
    change(ms, Better::Less, text)
}

fn tiles(period: &Period<'_>, standards: &Standards) -> Vec<Tile> {
    let (now, before) = (&period.figures, period.before.as_ref());
    let note = match (period.n_days, before) {
        (None, _) => String::new(),
        (Some(n), None) => format!("no {n}{NBSP}days before to compare with"),
        (Some(n), Some(_)) => format!("vs. {n}{NBSP}days before"),
    };
    let spark = |of: &dyn Fn(&Figures) -> Option<f64>| {
        let values: Vec<_> = period.steps.iter().map(|step| of(&step.figures)).collect();
        plot::spark(&values)
    };
    let tile = |title, about: &str, value: String| Tile {
        title,
        about: about.to_owned(),
        value,
        level: "",
        change: None,
        note: note.clone(),
        spark: Vec::new(),
    };
    let missing = || units::MISSING.to_owned();
    let p95 =
        |title, about: &str, metrics: &[&str], unit: Unit, of: &dyn Fn(&Figures) -> Option<f64>| {
            let first = metrics.first().and_then(|id| MetricId::from_wire(id));
            let thresholds = first.and_then(|metric| standards.of(metric));
            let value = of(now);
            let both = value.zip(before.and_then(of));
            Tile {
                level: value.map_or("", |value| level(thresholds, value)),
                change: both.map(|(now, before)| match unit {
                    Unit::Second => of_seconds(now, before),
                    _ => of_shares(now, before, Better::Less),
                }),
                note: match value {
                    Some(_) => note.clone(),
                    None => "not measured".to_owned(),
                },
                spark: spark(of),
                ..tile(
                    title,
                    about,
                    value.map_or_else(missing, |value| units::quantity(unit, value)),
                )
            }
        };
    let participants = |figures: &Figures| figures.participants as u64;
    let calls = |figures: &Figures| figures.calls as u64;
    let time = |figures: &Figures| minutes(figures.participant_ms());
    let counts = |title, about: &str, of: &dyn Fn(&Figures) -> u64| Tile {
        change: before.map(|before| of_counts(of(now), of(before))),
        spark: spark(&|figures| Some(of(figures) as f64)),
        ..tile(title, about, units::count(of(now)))
    };
    let good = now.good_share();
    let both = good.zip(before.and_then(Figures::good_share));
    vec![
        counts("Calls", "Meeting sessions, each in one room", &calls),
        counts(
            "Participants",
            "One for each time somebody joined",
            &participants,
        ),
        counts(
            "Participant-minutes",
            "Time that people spent in calls, from the first to the last reading of each",
            &time,
        ),
        Tile {
            change: both.map(|(now, before)| of_shares(now, before, Better::More)),
            note: match good {
                Some(_) => note.clone(),
                None => "not measured".to_owned(),
            },
            spark: spark(&Figures::good_share),
            ..tile(
                "Good minutes",
                "Share of the participant-minutes that were measured, of people whose call was good",
                good.map_or_else(missing, |share| units::quantity(Unit::Ratio, share)),
            )
        },
        p95(
            "Packet loss, p95",
            "95th percentile of all readings of everybody, sent and received",
            LOSS,
            Unit::Ratio,
            &|figures| figures.loss_p95,
        ),
        p95(
            "Round-trip time, p95",
            "95th percentile of all readings of everybody",
            ROUND_TRIP,
            Unit::Second,
            &|figures| figures.round_trip_p95_s,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Spell;

    fn call(issue_type: IssueType, severity: Severity) -> CallSummary {
        let spell = Spell {
            issue_type,
            severity,
            start_ms: 0,
            end_ms: 1,
        };
        CallSummary {
            spells: vec![spell],
            worst_issue: Some(issue_type),
            span_ms: Some((1_795_435_200_000, 1_795_435_300_000)),
            ..CallSummary::default()
        }
    }

    #[test]
    fn what_most_calls_had_comes_first_with_its_share_of_bad_ones() {
        let calls = [
            call(IssueType::Jitter, Severity::Warning),
            call(IssueType::SendPacketLoss, Severity::Bad),
            call(IssueType::SendPacketLoss, Severity::Warning),
            call(IssueType::SendPacketLoss, Severity::Warning),
            CallSummary::default(),
        ];
        let by_issue = by_issue(&calls.iter().collect::<Vec<_>>());
        let told: Vec<_> = by_issue
            .iter()
            .map(|(issue_type, calls)| (issue_type.id(), calls.len(), n_bad(calls)))
            .collect();
        assert_eq!(told, [("send-packet-loss", 3, 1), ("jitter", 1, 0)]);
    }

    #[test]
    fn a_change_says_its_direction_in_a_word_and_whether_it_is_good() {
        let said = |change: Change| (change.text.replace(NBSP, " "), change.level);
        assert_eq!(said(of_counts(5, 3)), ("▲ 2".to_owned(), ""));
        assert_eq!(said(of_counts(3, 3)), ("as before".to_owned(), ""));
        let shares = |now, before, better| said(of_shares(now, before, better));
        assert_eq!(
            shares(0.941, 0.959, Better::More),
            ("▼ 1.8 points".to_owned(), "worse")
        );
        assert_eq!(
            shares(0.023, 0.013, Better::Less),
            ("▲ 1 point".to_owned(), "worse")
        );
        assert_eq!(
            said(of_seconds(0.184, 0.206)),
            ("▼ 22 ms".to_owned(), "better")
        );
        assert_eq!(
            said(of_seconds(0.184, 0.1841)),
            ("as before".to_owned(), "")
        );
    }

    #[test]
    fn the_middle_score_is_told() {
        assert_eq!(
            scored(&[10, 90, 50]).replace(NBSP, " "),
            "3 calls, median 50"
        );
        assert_eq!(scored(&[]), "");
    }
}
