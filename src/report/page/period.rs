//! A stretch of days at a glance: a sentence, six numbers, minutes by day, how the scores lie, what goes wrong most, and the worst
//! calls.

use super::super::periods::{Period, Step};
use super::super::totals::Totals;
use super::calls::issue_types;
use super::plot::{self, Plot};
use super::tiles::{Tile, tiles};
use super::{Verdict, verdict};
use crate::call::{CallSummary, IssueType, Quality, Severity};
use crate::metric::{Standards, Unit};
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
    /// Why it was not better, beside the headline; empty where all was well, or nobody knows.
    why: String,
    detail: String,
    /// Whether any reading tells how a call was.
    known: bool,
    pub(super) tiles: Vec<Tile>,
    minutes: Option<Plot>,
    /// `by day`, or by how many.
    minutes_by: String,
    scores: Option<Plot>,
    scored: String,
    troubles: Vec<Trouble>,
    worst: Vec<Worst>,
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
    let Said {
        headline,
        why,
        detail,
    } = sentences(period, &totals, zone);
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
        why,
        detail,
        known: period.calls.iter().any(|call| call.score.is_some()),
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
struct Said {
    headline: String,
    why: String,
    detail: String,
}

fn sentences(period: &Period<'_>, totals: &Totals, zone: &TimeZone) -> Said {
    let of = |quality| totals.of(quality);
    let (good, unknown) = (of(Quality::Good), of(Quality::Unknown));
    let (fair, poor) = (of(Quality::Fair), of(Quality::Poor));
    let known = good + fair + poor;
    let all = period.calls.len();
    let headline = match (all, known) {
        (0, _) => {
            let detail = "The log holds no beacon so far.";
            return Said {
                headline: "No calls yet.".to_owned(),
                why: String::new(),
                detail: detail.to_owned(),
            };
        }
        (_, 0) if 0 < totals.samples => {
            "Nothing is known of how the calls were: no reading tells.".to_owned()
        }
        (_, 0) => "Nobody sent readings, so nothing is known of how the calls were.".to_owned(),
        (all, known) => {
            let measured = if known < all { "measured " } else { "" };
            match (known, good) {
                (1, 1) => format!("The one {measured}call was good."),
                (1, _) => format!("The one {measured}call was not good."),
                (2, 2) => format!("Both {measured}calls were good."),
                (n, good) if good == n => format!("All {} {measured}calls were good.", number(n)),
                (n, 0) => format!("None of {} {measured}calls was good.", number(n)),
                (n, good) => {
                    let (good, n) = (number(good), number(n));
                    format!("{good} of {n} {measured}calls were good.")
                }
            }
        }
    };
    // Why comes with how, unless all was well.
    let mut most = most(period, zone);
    let why = most.take_if(|_| good < known);
    let why = why.map_or_else(String::new, |why| format!("{why}."));
    let mut sentences = Vec::new();
    if let Some(share) = period.figures.good_share() {
        let measured_ms = period.figures.participant_ms() - period.figures.of_ms(Quality::Unknown);
        sentences.push(format!(
            "{} of {} were good",
            units::quantity(Unit::Ratio, share),
            counted(
                units::minutes(measured_ms),
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
    sentences.extend(most);
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
    if detail.is_empty() && totals.samples == 0 {
        detail = "There were signs of life alone: people left before the first reading, or their browsers reported none.".to_owned();
    } else if detail.is_empty() {
        detail = format!(
            "{}.",
            counted(
                totals.samples as u64,
                "reading was measured",
                "readings were measured"
            )
        );
    }
    Said {
        headline,
        why,
        detail: detail.trim_end().to_owned(),
    }
}

fn number(n: usize) -> String {
    units::count(n as u64)
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
        "Most common trouble: {}, in {}",
        issue_type.title().to_lowercase(),
        counted(calls.len() as u64, "call", "calls")
    );
    let busiest = by_day.iter().max_by_key(|(_, n)| **n);
    if let Some((date, n)) = busiest.filter(|(_, n)| 2 < **n && calls.len() < 2 * **n)
        && 1 < period.steps.len()
    {
        let date = date.strftime("%A,\u{a0}%-d\u{a0}%b");
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
    fn the_middle_score_is_told() {
        assert_eq!(
            scored(&[10, 90, 50]).replace(NBSP, " "),
            "3 calls, median 50"
        );
        assert_eq!(scored(&[]), "");
    }
}
