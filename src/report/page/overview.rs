//! The overview: a sentence, totals, every call in a table, and how good the data are.

use super::super::Error;
use super::super::gather::LogStats;
use super::super::holes::fill;
use super::super::numbers::Numbers;
use super::super::older::Stretch;
use super::super::periods::periods;
use super::super::state::Kept;
use super::super::totals::Totals;
use super::calls;
use super::over_all::{OverAll, over_all};
use super::period::{self, Full, Shown};
use super::{Verdict, delivery, in_words};
use crate::beacon::Refusal;
use crate::call::Quality;
use crate::digest::fingerprint;
use crate::report::data::json;
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
    /// How many calls are not in the page, in words; empty for none.
    n_older: String,
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

/// Where the calls of the overview are.
pub(in crate::report) struct Listed<'a> {
    /// What is kept of those that the page holds: the newest, newest first.
    pub(in crate::report) in_page: &'a [Kept<'a>],
    /// All others.
    pub(in crate::report) older: &'a [Stretch],
}

/// `index.html`, in parts.
pub(in crate::report) fn overview<'a>(
    log: &LogStats,
    calls: &Listed<'a>,
    full: &Full<'_>,
    numbers: &Numbers<'_>,
    generated_ms: i64,
) -> Result<Vec<Cow<'a, [u8]>>, Error> {
    let totals = &numbers.all.totals;
    let zone = numbers.time_zone;
    let (first, more) = calls.in_page.split_at(calls.in_page.len().min(FIRST));
    let hole = |hole, is_filled| if is_filled { hole } else { "" };
    let periods = periods(&numbers.all, &numbers.days);
    let context = Overview {
        assets: format!("assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        digest: fingerprint([
            generated_ms.to_string().as_bytes(),
            log.lines.to_string().as_bytes(),
        ]),
        periods: periods
            .iter()
            .map(|period| period::shown(period, full, numbers.standards, zone))
            .collect::<Result<_, Error>>()?,
        first_rows: hole(FIRST_ROWS, !first.is_empty()),
        more_rows: hole(MORE_ROWS, !more.is_empty()),
        n_older: match totals.calls - calls.in_page.len() {
            0 => String::new(),
            n => counted(n as u64, "call", "calls"),
        },
        n_calls: counted(totals.calls as u64, "call", "calls"),
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
        data: facts(log, totals, zone),
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
    let data = match totals.calls {
        0 => Vec::new(),
        _ => data(calls),
    };
    let filled = [
        (FIRST_ROWS, rows(first)),
        (MORE_ROWS, rows(more)),
        (CALLS_DATA, data),
    ];
    Ok(fill(&page, filled))
}

fn rows<'a>(calls: &[Kept<'a>]) -> Vec<Cow<'a, [u8]>> {
    let parts = calls.iter().flat_map(Kept::row_of_all);
    parts.map(Cow::from).collect()
}

/// What scripts know of the calls and where they find older ones, as JSON that can stand inside a `<script>`.
fn data<'a>(all: &Listed<'a>) -> Vec<Cow<'a, [u8]>> {
    #[derive(Serialize)]
    struct Files<'a> {
        n: usize,
        calls: &'a str,
        rows: &'a str,
    }
    let older = all.older.iter().map(|stretch| Files {
        n: stretch.n_calls,
        calls: &stretch.calls.path,
        rows: &stretch.rows.path,
    });
    let older: Vec<Files<'_>> = older.collect();
    let mut parts: Vec<Cow<'_, [u8]>> = vec![Cow::from(&b"{\"calls\":["[..])];
    for (nth, call) in all.in_page.iter().enumerate() {
        if 0 < nth {
            parts.push(Cow::from(&b",\n"[..]));
        }
        parts.push(Cow::from(call.for_scripts()));
    }
    let rest = format!(
        "],\"types\":{},\"older\":{}}}",
        calls::issue_titles(),
        json(&older)
    );
    parts.push(Cow::from(rest.into_bytes()));
    parts
}

fn facts(log: &LogStats, totals: &Totals, zone: &TimeZone) -> Vec<Fact> {
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
        fact("Readings from", range(totals, zone)),
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
fn range(totals: &Totals, zone: &TimeZone) -> String {
    match totals.span_ms {
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
