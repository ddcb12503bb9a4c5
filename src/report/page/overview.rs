//! The overview: a sentence, totals, every call in a table, and how good the data are.

use super::super::Error;
use super::super::gather::LogStats;
use super::super::holes::fill;
use super::super::numbers::Numbers;
use super::super::periods::periods;
use super::super::state::Texts;
use super::super::totals::Totals;
use super::calls;
use super::over_all::{OverAll, over_all};
use super::period::{self, Shown};
use super::{Verdict, delivery, in_words};
use crate::beacon::Refusal;
use crate::call::{CallSummary, Quality};
use crate::digest::fingerprint;
use crate::site;
use crate::units::{self, counted};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::borrow::Cow;

/// Rows of the table that a page with scripts shows at first; `overview-state.js` has the same.
const FIRST: usize = 100;

/// Holes in the page, see [`fill`].
const FIRST_ROWS: &str = "<first-rows>";
const MORE_ROWS: &str = "<more-rows>";
const CALLS_DATA: &str = "<calls-data>";

#[derive(Serialize)]
struct Overview<'a> {
    assets: String,
    version: &'static str,
    digest: String,
    /// The shortest one first.
    periods: Vec<Shown>,
    /// Rows of the table that a page with scripts shows at first, and those it shows later; a hole, or empty.
    first_rows: &'static str,
    more_rows: &'static str,
    n_calls: String,
    qualities: Vec<Verdict>,
    /// The calls for scripts, as JSON: a hole.
    calls_data: &'static str,
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
    /// Whose days these are, and whose clock tells when calls began.
    zone: &'a str,
}

#[derive(Serialize)]
struct Fact {
    title: &'static str,
    value: String,
}

/// `index.html`, in parts. `texts`: of each of `calls`.
pub(in crate::report) fn overview<'a>(
    log: &LogStats,
    calls: &[&CallSummary],
    texts: &[Texts<'a>],
    totals: &Totals,
    numbers: &Numbers<'_>,
    generated_ms: i64,
) -> Result<Vec<Cow<'a, [u8]>>, Error> {
    let zone = numbers.time_zone;
    let (first, more) = texts.split_at(texts.len().min(FIRST));
    let hole = |hole, is_filled| if is_filled { hole } else { "" };
    let periods = periods(calls, &numbers.all, &numbers.days);
    let context = Overview {
        assets: format!("assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        digest: fingerprint([
            generated_ms.to_string().as_bytes(),
            log.lines.to_string().as_bytes(),
        ]),
        periods: periods
            .iter()
            .map(|period| period::shown(period, numbers.standards, zone))
            .collect(),
        first_rows: hole(FIRST_ROWS, !first.is_empty()),
        more_rows: hole(MORE_ROWS, !more.is_empty()),
        n_calls: counted(calls.len() as u64, "call", "calls"),
        qualities: [
            Quality::Good,
            Quality::Fair,
            Quality::Poor,
            Quality::Unknown,
        ]
        .map(|quality| in_words(quality, None))
        .into(),
        calls_data: CALLS_DATA,
        numbers: over_all(numbers),
        data: facts(log, totals, calls, zone),
        arrived: delivery::arrived(totals.delivery, log.beacons),
        arrived_poor: delivery::is_poor(totals.delivery),
        synced: delivery::synced(log.synced),
        changed: changed(log),
        broken: &log.broken,
        generated: units::day_and_clock_in(generated_ms, zone),
        generated_iso: units::rfc3339(generated_ms),
        zone: units::zone_name(zone),
    };
    let page = site::render("report-overview.html", context)?;
    let data = match calls {
        [] => Vec::new(),
        calls => vec![Cow::from(calls::for_scripts(calls, zone).into_bytes())],
    };
    let filled = [
        (FIRST_ROWS, rows(first)),
        (MORE_ROWS, rows(more)),
        (CALLS_DATA, data),
    ];
    Ok(fill(&page, filled))
}

fn rows<'a>(texts: &[Texts<'a>]) -> Vec<Cow<'a, [u8]>> {
    let parts = texts.iter().flat_map(Texts::row_of_all);
    parts.map(Cow::from).collect()
}

fn facts(log: &LogStats, totals: &Totals, calls: &[&CallSummary], zone: &TimeZone) -> Vec<Fact> {
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
        fact("Missing beacons", delivery::of_log(totals.delivery)),
        fact(
            "Wrong clocks",
            match totals.clock_skewed {
                0 => "none".to_owned(),
                n => format!("of {}", counted(n as u64, "person", "people")),
            },
        ),
        fact(
            "Unknown calls",
            units::count(totals.of(Quality::Unknown) as u64),
        ),
        fact("Readings from", range(calls, zone)),
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

/// From the first reading of the log to the last.
fn range(calls: &[&CallSummary], zone: &TimeZone) -> String {
    let spans = || calls.iter().filter_map(|call| call.span_ms);
    let first = spans().map(|(start_ms, _)| start_ms).min();
    let last = spans().map(|(_, end_ms)| end_ms).max();
    match first.zip(last) {
        Some((first_ms, last_ms)) => format!(
            "{} to {}",
            units::day_and_clock_in(first_ms, zone),
            units::day_and_clock_in(last_ms, zone)
        ),
        None => units::MISSING.to_owned(),
    }
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
