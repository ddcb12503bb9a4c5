//! The overview: a sentence, totals, every call in a table, and how good the data are.

use super::super::Error;
use super::super::gather::LogStats;
use super::super::numbers::Numbers;
use super::super::totals::Totals;
use super::calls::{self, Row};
use super::over_all::{OverAll, over_all};
use super::{Verdict, delivery, in_words};
use crate::beacon::Refusal;
use crate::call::{CallSummary, Quality};
use crate::digest::fingerprint;
use crate::metric::Unit;
use crate::site;
use crate::units::{self, counted};
use serde::Serialize;

/// Rows of the table that a page with scripts shows at first; `overview-state.js` has the same.
const FIRST: usize = 100;

#[derive(Serialize)]
struct Overview<'a> {
    assets: String,
    version: &'static str,
    digest: String,
    headline: String,
    detail: String,
    tiles: Vec<Tile>,
    /// Rows of the table, and how many of them a page with scripts shows at first.
    calls: Vec<Row>,
    n_calls: String,
    qualities: Vec<Verdict>,
    first: usize,
    /// The calls for scripts, as JSON.
    calls_data: String,
    numbers: OverAll,
    data: Vec<Fact>,
    arrived: String,
    arrived_poor: bool,
    synced: String,
    /// Lines whose checksum is not theirs, in words; empty for none.
    changed: String,
    broken: &'a [String],
    generated: String,
    generated_iso: String,
}

#[derive(Serialize)]
struct Tile {
    title: &'static str,
    value: String,
    note: String,
}

#[derive(Serialize)]
struct Fact {
    title: &'static str,
    value: String,
}

/// `index.html`.
pub(in crate::report) fn overview(
    log: &LogStats,
    calls: &[CallSummary],
    totals: &Totals,
    numbers: &Numbers<'_>,
    generated_ms: i64,
) -> Result<String, Error> {
    let (headline, detail) = headline(calls, totals);
    let context = Overview {
        assets: format!("assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        digest: fingerprint([
            generated_ms.to_string().as_bytes(),
            log.lines.to_string().as_bytes(),
        ]),
        headline,
        detail,
        tiles: tiles(calls, totals),
        calls: calls
            .iter()
            .map(|call| calls::row(call, numbers.standards))
            .collect(),
        n_calls: counted(calls.len() as u64, "call", "calls"),
        qualities: [
            Quality::Good,
            Quality::Fair,
            Quality::Poor,
            Quality::Unknown,
        ]
        .map(|quality| in_words(quality, None))
        .into(),
        first: FIRST,
        calls_data: calls::for_scripts(calls, numbers.time_zone),
        numbers: over_all(numbers),
        data: facts(log, totals),
        arrived: delivery::arrived(totals.delivery, log.beacons),
        arrived_poor: delivery::is_poor(totals.delivery),
        synced: delivery::synced(log.synced),
        changed: changed(log),
        broken: &log.broken,
        generated: units::day_and_clock(generated_ms),
        generated_iso: units::rfc3339(generated_ms),
    };
    Ok(site::render("report-overview.html", context)?)
}

fn headline(calls: &[CallSummary], totals: &Totals) -> (String, String) {
    let [good, fair, poor, unknown] = [
        Quality::Good,
        Quality::Fair,
        Quality::Poor,
        Quality::Unknown,
    ]
    .map(|quality| totals.of(quality));
    let known = good + fair + poor;
    let headline = match (calls.len(), known) {
        (0, _) => {
            let detail = "The log holds no beacon so far.";
            return ("No calls yet.".to_owned(), detail.to_owned());
        }
        (_, 0) if 0 < totals.samples => {
            "Nothing is known of how the calls were: no reading tells.".to_owned()
        }
        (_, 0) => "Nobody sent readings, so nothing is known of how the calls were.".to_owned(),
        (all, known) => {
            let calls = if known < all {
                "calls with readings"
            } else {
                "calls"
            };
            match (known, good) {
                (1, _) if good == 1 => {
                    format!("The one {} was good.", &calls.replacen("calls", "call", 1))
                }
                (1, _) => format!(
                    "The one {} was not good.",
                    &calls.replacen("calls", "call", 1)
                ),
                (2, 2) => format!("Both {calls} were good."),
                (n, good) if good == n => format!("All {n} {calls} were good."),
                (n, 0) => format!("None of {n} {calls} was good."),
                (n, good) => format!("{good} of {n} {calls} were good."),
            }
        }
    };
    let mut parts = Vec::new();
    if 0 < fair {
        parts.push(format!(
            "{fair} {} fair",
            if fair == 1 { "was" } else { "were" }
        ));
    }
    if 0 < poor {
        parts.push(format!(
            "{poor} {} poor",
            if poor == 1 { "was" } else { "were" }
        ));
    }
    match totals.with_issues {
        0 => {}
        1 => parts.push("1 had a bad spell".to_owned()),
        n => parts.push(format!("{n} had a bad spell")),
    }
    if 0 < unknown && 0 < known {
        parts.push(format!(
            "of {} nothing is known",
            counted(unknown as u64, "call", "calls")
        ));
    }
    let mut detail = parts.join("; ");
    if let Some(first) = detail.get(..1) {
        detail = first.to_uppercase() + detail.get(1..).unwrap_or_default() + ". ";
    }
    // The worst one in its own words, unless all is well.
    let worst = calls
        .iter()
        .filter(|call| Quality::Fair <= call.quality())
        .min_by_key(|call| call.score);
    if let Some(call) = worst {
        detail += &format!("The worst, in {}: {}", call.room_name(), call.sentence);
    } else {
        detail += &format!(
            "{}.",
            counted(
                totals.samples as u64,
                "reading was measured",
                "readings were measured"
            )
        );
    }
    (headline, detail)
}

fn tiles(calls: &[CallSummary], totals: &Totals) -> Vec<Tile> {
    let known = calls.len() - totals.of(Quality::Unknown);
    let good = totals.of(Quality::Good);
    let minutes = (totals.participant_ms as f64 / 60_000.0).round() as u64;
    let span = match (calls.last(), calls.first()) {
        (Some(oldest), Some(newest)) => match (oldest.span_ms, newest.span_ms) {
            (Some((from, _)), Some((to, _))) if units::day(from) == units::day(to) => {
                units::day(from)
            }
            (Some((from, _)), Some((to, _))) => {
                format!("{} – {}", units::day(from), units::day(to))
            }
            _ => String::new(),
        },
        _ => String::new(),
    };
    vec![
        Tile {
            title: "Calls",
            value: units::count(calls.len() as u64),
            note: span,
        },
        Tile {
            title: "Participants",
            value: units::count(totals.participants as u64),
            note: "one for each time somebody joined".to_owned(),
        },
        Tile {
            title: "Participant-minutes",
            value: units::count(minutes),
            note: "from first to last reading".to_owned(),
        },
        Tile {
            title: "Good calls",
            value: if known == 0 {
                units::MISSING.to_owned()
            } else {
                units::quantity(Unit::Ratio, good as f64 / known as f64)
            },
            note: format!("{good} of {known} with readings"),
        },
        Tile {
            title: "Calls with issues",
            value: units::count(totals.with_issues as u64),
            note: "a spell of loss, delay or jitter".to_owned(),
        },
    ]
}

fn facts(log: &LogStats, totals: &Totals) -> Vec<Fact> {
    let skipped = if log.skipped.is_empty() {
        "none".to_owned()
    } else {
        let reasons = log
            .skipped
            .iter()
            .map(|(reason, n)| format!("{} {}", units::count(*n), reason.replace('-', " ")));
        format!(
            "{}: {}",
            units::count(log.skipped_total()),
            reasons.collect::<Vec<_>>().join(", ")
        )
    };
    let fact = |title, value| Fact { title, value };
    vec![
        fact("Lines read", units::count(log.lines)),
        fact("Beacons", units::count(log.beacons)),
        fact("Skipped", skipped),
        fact("Readings", units::count(totals.samples as u64)),
        fact("Repeated readings", units::count(totals.duplicates)),
        fact(
            "Unknown calls",
            units::count(totals.of(Quality::Unknown) as u64),
        ),
        fact(
            "Log",
            format!(
                "{}, {}",
                counted(log.files as u64, "file", "files"),
                units::bytes(log.bytes)
            ),
        ),
    ]
}

fn changed(log: &LogStats) -> String {
    match log.skipped.get(Refusal::ChecksumMismatch.reason()) {
        None => String::new(),
        Some(n) => format!(
            "{} changed after being written, by the disk, a crash or a hand, and {} left out.",
            counted(*n, "line was", "lines were"),
            if *n == 1 { "is" } else { "are" }
        ),
    }
}
