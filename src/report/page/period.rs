//! A stretch of days at a glance: a sentence, six numbers, minutes by day, how the scores lie, what goes wrong most, and the worst
//! calls.

use super::super::Error;
use super::super::days::{self, Scored};
use super::super::periods::{Period, Step};
use super::super::totals::{Rooms, Totals, Troubled};
use super::plot::{self, Plot};
use super::tiles::{Tile, tiles};
use super::{Verdict, verdict};
use crate::call::{CallSummary, Quality};
use crate::metric::{Standards, Unit};
use crate::report::data;
use crate::units::{self, NBSP, counted};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::cmp::Reverse;

/// Calls that are listed as the worst.
const WORST_MAX: usize = 6;
const _: () = assert!(
    WORST_MAX <= days::WORST_MAX,
    "they are among those that are known"
);
/// Issues that are listed.
const TROUBLES_MAX: usize = 6;

/// What else is kept of a call.
pub(in crate::report) type Full<'a> = dyn Fn(&Scored) -> Result<CallSummary, Error> + 'a;

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

/// `full`: what else is kept of a call.
pub(super) fn shown(
    period: &Period<'_>,
    full: &Full<'_>,
    standards: &Standards,
    zone: &TimeZone,
) -> Result<Shown, Error> {
    let bad = period.worst.iter();
    let bad = bad.filter(|call| Quality::of(Some(call.score)) != Quality::Good);
    let worst: Vec<CallSummary> = bad
        .take(WORST_MAX)
        .map(full)
        .collect::<Result<_, Error>>()?;
    let totals = &period.figures.totals;
    let issues = by_issue(totals);
    let Said {
        headline,
        why,
        detail,
    } = sentences(period, &issues, &worst);
    let scores: Vec<(u8, usize)> = totals.scores().collect();
    Ok(Shown {
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
        known: !scores.is_empty(),
        tiles: tiles(period, standards),
        minutes: plot::minutes(&period.steps),
        minutes_by: minutes_by(&period.steps),
        scored: scored(&scores),
        scores: plot::scores(&scores),
        troubles: troubles(period, &issues),
        worst: worst.iter().map(|call| one_of_worst(call, zone)).collect(),
    })
}

/// How it was, in a few words and in a few more.
struct Said {
    headline: String,
    why: String,
    detail: String,
}

fn sentences(period: &Period<'_>, issues: &[Troubled], worst: &[CallSummary]) -> Said {
    let totals = &period.figures.totals;
    let of = |quality| totals.of(quality);
    let (good, unknown) = (of(Quality::Good), of(Quality::Unknown));
    let (fair, poor) = (of(Quality::Fair), of(Quality::Poor));
    let known = good + fair + poor;
    let all = totals.calls;
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
    let mut most = most(period, issues);
    let why = most.take_if(|_| good < known);
    let why = why.map_or_else(String::new, |why| format!("{why}."));
    let mut sentences = Vec::new();
    if let Some(share) = period.figures.good_share() {
        let measured_ms = totals.participant_ms() - totals.of_ms(Quality::Unknown);
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
    if let Some(call) = worst.first() {
        detail += &match totals.rooms {
            Rooms::Several => format!("The worst, in {}: {}", call.room_name(), call.sentence),
            Rooms::None | Rooms::One(_) => format!("The worst: {}", call.sentence),
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
fn most(period: &Period<'_>, issues: &[Troubled]) -> Option<String> {
    let most = issues.first().filter(|most| 2 <= most.calls)?;
    let mut said = format!(
        "Most common trouble: {}, in {}",
        most.issue_type.title().to_lowercase(),
        counted(most.calls as u64, "call", "calls")
    );
    let by_day = period.days.iter();
    let by_day = by_day.map(|day| (day.sums.totals.troubled(most.issue_type), day.date));
    // Of days with as many, the last one.
    if let Some((n, date)) = by_day.max()
        && 2 < n
        && most.calls < 2 * n
        && 1 < period.steps.len()
    {
        let date = date.strftime("%A,\u{a0}%-d\u{a0}%b");
        said += &match n == most.calls {
            true => format!(", all on {date}"),
            false => format!(", {n} of them on {date}"),
        };
    }
    Some(said)
}

/// Each issue that any call had; the one that most had first.
fn by_issue(totals: &Totals) -> Vec<Troubled> {
    let mut by_issue: Vec<Troubled> = totals.troubles().collect();
    by_issue.sort_by_key(|troubled| Reverse((troubled.calls, troubled.bad)));
    by_issue
}

fn troubles(period: &Period<'_>, issues: &[Troubled]) -> Vec<Trouble> {
    let most = issues.first().map_or(1, |most| most.calls) as f64;
    // All there are need no days.
    let dates = period.n_days.and(period.dates);
    let (from, to) = dates.map_or_else(Default::default, |(first, last)| {
        (first.to_string(), last.to_string())
    });
    let trouble = |troubled: &Troubled| {
        let Troubled {
            issue_type,
            calls,
            bad,
        } = *troubled;
        let n = counted(calls as u64, "call", "calls");
        let share = |n: usize| (n as f64 / most * 1e4).round() / 1e2;
        Trouble {
            title: issue_type.title(),
            id: issue_type.id(),
            about: format!("{}: {n}, in {bad} of them it was bad", issue_type.title()),
            calls: n,
            poor: share(bad),
            fair: share(calls - bad),
            from: from.clone(),
            to: to.clone(),
        }
    };
    issues.iter().take(TROUBLES_MAX).map(trouble).collect()
}

fn one_of_worst(call: &CallSummary, zone: &TimeZone) -> Worst {
    Worst {
        verdict: verdict(call.score),
        page: data::page_path(&call.id),
        room: call.room_name(),
        sentence: call.sentence.clone(),
        day: call
            .span_ms
            .and_then(|(start_ms, _)| units::day_of(start_ms, zone))
            .map(|(date, _)| date.strftime("%-d %b").to_string())
            .unwrap_or_default(),
    }
}

/// How many calls have a score, and the one in the middle. `scores`: the lowest first, each with how many have it.
fn scored(scores: &[(u8, usize)]) -> String {
    let all = scores.iter().map(|(_, n)| n).sum::<usize>();
    let mut below = 0;
    let median = scores.iter().find(|(_, n)| {
        below += n;
        all / 2 < below
    });
    match median {
        Some((median, _)) => format!("{}, median {median}", counted(all as u64, "call", "calls")),
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
    use super::super::super::brief::Brief;
    use super::*;
    use crate::call::{CallKey, IssueType, Severity, Spell};

    fn call(issue_type: IssueType, severity: Severity) -> Brief {
        let spell = Spell {
            issue_type,
            severity,
            start_ms: 0,
            end_ms: 1,
        };
        let call = CallSummary {
            spells: vec![spell],
            worst_issue: Some(issue_type),
            ..CallSummary::default()
        };
        Brief::of(&call, CallKey::default(), 0, &TimeZone::UTC)
    }

    #[test]
    fn what_most_calls_had_comes_first_with_its_share_of_bad_ones() {
        let calls = [
            call(IssueType::Jitter, Severity::Warning),
            call(IssueType::SendPacketLoss, Severity::Bad),
            call(IssueType::SendPacketLoss, Severity::Warning),
            call(IssueType::SendPacketLoss, Severity::Warning),
            Brief::default(),
        ];
        let by_issue = by_issue(&Totals::over(calls.iter()));
        let told: Vec<_> = by_issue
            .iter()
            .map(|one| (one.issue_type.id(), one.calls, one.bad))
            .collect();
        assert_eq!(told, [("send-packet-loss", 3, 1), ("jitter", 1, 0)]);
    }

    #[test]
    fn the_middle_score_is_told() {
        assert_eq!(
            scored(&[(10, 1), (50, 1), (90, 1)]).replace(NBSP, " "),
            "3 calls, median 50"
        );
        let pair = scored(&[(10, 1), (50, 1)]);
        assert_eq!(pair.replace(NBSP, " "), "2 calls, median 50");
        assert_eq!(scored(&[]), "");
    }
}
