//! The page of one room: how its calls were, the course of score and loss from call to call, who is usually there, and every call.

use super::super::brief::{Brief, worst_p95};
use super::super::charts::nice;
use super::super::days::{Days, Sums};
use super::super::holes::fill;
use super::super::measure::{LOSS, Measure, ROUND_TRIP};
use super::super::numbers::{Numbers, dated};
use super::super::periods::{days_between, days_later, div_ceil, everything};
use super::super::state::Kept;
use super::super::{Error, data};
use super::level;
use super::period::{self, Full, Shown};
use super::plot::{self, Plot, Point};
use super::tiles::Tile;
use crate::call::{CallSummary, FAIR_MIN, GOOD_MIN, room_name};
use crate::digest::checksum;
use crate::metric::{Standards, Unit};
use crate::site;
use crate::units::{self, NBSP, counted};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Calls that are drawn and listed, the newest; the overview finds all.
pub(in crate::report) const ROOM_CALLS_MAX: usize = 300;
/// People who are named.
const NAMES_MAX: usize = 8;
/// Days that are named below a chart.
const DAYS_NAMED_MAX: i64 = 5;
/// A hole in the page, see [`fill`].
const ROWS: &str = "<rows>";

#[derive(Serialize)]
struct Page<'a> {
    assets: String,
    version: &'static str,
    digest: String,
    room: String,
    /// Whose clock tells when calls began.
    zone: &'a str,
    shown: Shown,
    /// How score and loss went from call to call.
    score: Option<Plot>,
    loss: Option<Plot>,
    /// Who was in most calls.
    often: Vec<Often>,
    /// The calls: a hole.
    rows: &'static str,
    /// How many there are beyond those that are listed; empty for none.
    rest: String,
}

#[derive(Serialize)]
struct Often {
    name: String,
    calls: String,
}

/// `rooms/<fingerprint>.html`, in parts. `calls`: all of the room, newest first, at least one; `drawn`: what is kept of the first
/// [`ROOM_CALLS_MAX`]; `full`: of any.
pub(in crate::report) fn room<'a>(
    room: &str,
    calls: &[&Brief],
    drawn: &[Kept<'a>],
    full: &Full<'_>,
    numbers: &Numbers<'_>,
) -> Result<Vec<Cow<'a, [u8]>>, Error> {
    let (zone, standards) = (numbers.time_zone, numbers.standards);
    let days = Days::over(calls);
    let all = Sums::of(days.newest_first().map(|(_, of_day)| &of_day.sums));
    let days = dated(&days, zone);
    let period = everything(&all, &days);
    let mut shown = period::shown(&period, full, standards, zone)?;
    // Percentiles over all readings are kept by day, not by room; a typical call says more here anyway.
    shown.tiles.truncate(4);
    shown.tiles.remove(1);
    shown.tiles.insert(1, typical_call(calls));
    let losses = calls.iter().filter_map(|call| call.loss_p95);
    shown
        .tiles
        .push(typical(losses, LOSS, "Loss of a call", standards));
    let round_trips = calls.iter().filter_map(|call| call.round_trip_p95_s);
    shown.tiles.push(typical(
        round_trips,
        ROUND_TRIP,
        "Round-trip time of a call",
        standards,
    ));
    let rest = calls.len() - drawn.len();
    let rows: Vec<&[u8]> = drawn.iter().flat_map(Kept::row_of_room).collect();
    let drawn: Vec<CallSummary> = drawn
        .iter()
        .map(Kept::summary)
        .collect::<Result<_, _>>()
        .map_err(Error::Remembered)?;
    let mut page = Page {
        assets: format!("../assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        digest: String::new(),
        room: room_name(room),
        zone: units::zone_name(zone),
        shown,
        score: score(&drawn, zone),
        loss: loss(&drawn, standards, zone),
        often: often(&drawn, 0 < rest),
        rows: ROWS,
        rest: match rest {
            0 => String::new(),
            n => counted(n as u64, "earlier call", "earlier calls"),
        },
    };
    let words = data::json(&page);
    let all = rows.iter().copied().chain([words.as_bytes()]);
    page.digest = format!("{:08x}", checksum(all));
    let page = site::render("report-room.html", page)?;
    Ok(fill(
        &page,
        [(ROWS, rows.into_iter().map(Cow::from).collect())],
    ))
}

fn tile(title: &'static str, about: &str, value: String, note: String) -> Tile {
    Tile {
        title,
        about: about.to_owned(),
        value: value.into(),
        level: "",
        change: None,
        note,
        spark: Vec::new(),
    }
}

fn typical_call(calls: &[&Brief]) -> Tile {
    let people = median(calls.iter().map(|call| call.n_participants as f64));
    let lengths = calls.iter().filter_map(|call| call.span_ms);
    let length_ms = median(lengths.map(|(start_ms, end_ms)| (end_ms - start_ms) as f64));
    tile(
        "People in a call",
        "Median over the calls of this room",
        people.map_or_else(
            || units::MISSING.to_owned(),
            |n| units::count(n.round() as u64),
        ),
        length_ms
            .map(|ms| format!("typically for {}", units::duration(ms as i64)))
            .unwrap_or_default(),
    )
}

fn typical(
    values: impl Iterator<Item = f64>,
    measure: Measure,
    title: &'static str,
    standards: &Standards,
) -> Tile {
    let middle = median(values);
    Tile {
        level: middle.map_or("", |value| level(measure.thresholds(standards), value)),
        ..tile(
            title,
            "Median over the calls of this room of the 95th percentile of the person who fared worst",
            middle.map_or_else(
                || units::MISSING.to_owned(),
                |value| units::quantity(measure.unit(), value),
            ),
            match middle {
                Some(_) => format!("p95 of the worst{NBSP}off, median"),
                None => "not measured".to_owned(),
            },
        )
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    (middle < values.len()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

fn point(
    call: &CallSummary,
    value: f64,
    level: &'static str,
    text: &str,
    zone: &TimeZone,
) -> Option<Point> {
    let (at_ms, _) = call.span_ms?;
    Some(Point {
        at_ms,
        value,
        level,
        about: format!("{}: {text}", units::day_and_clock_in(at_ms, zone)),
        page: data::page_path(&call.id),
    })
}

/// Where the days of a stretch begin, evenly chosen where there are many, and their names. Of a stretch within one day that day.
fn days(first_ms: i64, last_ms: i64, zone: &TimeZone) -> Vec<(i64, String)> {
    let dates = units::day_of(first_ms, zone).zip(units::day_of(last_ms, zone));
    let Some(((first, _), (last, _))) = dates else {
        return Vec::new();
    };
    let named = |ms: i64, date: Date| (ms, date.strftime("%-d %b").to_string());
    let begins = |date: Date| {
        let midnight = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        let ms = midnight.as_millisecond();
        (first_ms..=last_ms).contains(&ms).then(|| named(ms, date))
    };
    let n_days = days_between(first, last);
    let every = div_ceil(n_days, DAYS_NAMED_MAX).max(1);
    // The first day has mostly begun before.
    let from = i64::from(begins(first).is_none());
    let dates = (0..DAYS_NAMED_MAX).filter_map(|nth| days_later(first, from + nth * every));
    let found: Vec<_> = dates.filter_map(begins).collect();
    if found.is_empty() {
        vec![named(first_ms, first)]
    } else {
        found
    }
}

fn score(calls: &[CallSummary], zone: &TimeZone) -> Option<Plot> {
    let points = calls.iter().filter_map(|call| {
        let score = call.score?.value();
        let quality = call.quality().word();
        point(
            call,
            f64::from(score),
            quality,
            &format!("score {score}, {quality}"),
            zone,
        )
    });
    plot::dots(
        "Score of each call over time".to_owned(),
        points.collect(),
        100.0,
        &[f64::from(FAIR_MIN), f64::from(GOOD_MIN)],
        |value| format!("{value}"),
        |first_ms, last_ms| days(first_ms, last_ms, zone),
    )
}

fn loss(calls: &[CallSummary], standards: &Standards, zone: &TimeZone) -> Option<Plot> {
    let thresholds = LOSS.thresholds(standards);
    let found = calls.iter().filter_map(|call| {
        let (_, value) = worst_p95(call, LOSS)?;
        let level = match level(thresholds, value) {
            "" => "good",
            other => other,
        };
        point(
            call,
            value,
            level,
            &format!("loss {}", units::quantity(Unit::Ratio, value)),
            zone,
        )
    });
    let points: Vec<Point> = found.collect();
    let highest = points.iter().map(|point| point.value).fold(0.0, f64::max);
    // An axis reaches the first threshold, so that harmless noise looks harmless.
    let least = thresholds.map_or(0.0, |thresholds| thresholds.fair * 1.2);
    let limits = thresholds.map_or_else(Vec::new, |thresholds| {
        vec![thresholds.fair, thresholds.poor]
    });
    plot::dots(
        "Packet loss of each call over time, p95 of the person who fared worst".to_owned(),
        points,
        nice((highest * 1.06).max(least)),
        &limits,
        |value| units::quantity(Unit::Ratio, value),
        |first_ms, last_ms| days(first_ms, last_ms, zone),
    )
}

/// Who was in more than one of `calls`, the most frequent first. `are_newest`: there are more.
fn often(calls: &[CallSummary], are_newest: bool) -> Vec<Often> {
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for name in calls.iter().flat_map(|call| &call.names) {
        *by_name.entry(name).or_default() += 1;
    }
    let mut often: Vec<(&str, usize)> = by_name.into_iter().filter(|(_, n)| 1 < *n).collect();
    often.sort_by_key(|(name, n)| (Reverse(*n), *name));
    let all = counted(calls.len() as u64, "call", "calls");
    let newest = if are_newest { "the newest " } else { "" };
    let one = |(name, n): (&str, usize)| Often {
        name: name.to_owned(),
        calls: format!("{n} of {newest}{all}"),
    };
    often.into_iter().take(NAMES_MAX).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(names: &[&str], n_participants: usize) -> CallSummary {
        CallSummary {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            n_participants,
            ..CallSummary::default()
        }
    }

    #[test]
    fn who_is_often_there_comes_first_and_guests_are_left_out() {
        let calls = [
            call(&["Ben", "Ana"], 2),
            call(&["Ana", "Guest"], 3),
            call(&["Ben", "Ana"], 2),
        ];
        let often = often(&calls, false);
        let told: Vec<_> = often
            .iter()
            .map(|one| (one.name.as_str(), one.calls.replace(NBSP, " ")))
            .collect();
        let said = |n: &str| format!("{n} of 3 calls");
        assert_eq!(told, [("Ana", said("3")), ("Ben", said("2"))]);
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn days_are_named_where_they_begin() {
        let told = |first: &str, last: &str, zone: &TimeZone| -> Vec<String> {
            let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            let days = days(ms(first), ms(last), zone);
            let said = |(at_ms, name): (i64, String)| {
                let at = units::rfc3339(at_ms);
                format!("{name} {}", &at[5..16])
            };
            days.into_iter().map(said).collect()
        };
        let utc = &TimeZone::UTC;
        assert_eq!(
            told("2026-11-18T16:00:00Z", "2026-11-21T09:00:00Z", utc),
            [
                "19 Nov 11-19T00:00",
                "20 Nov 11-20T00:00",
                "21 Nov 11-21T00:00"
            ]
        );
        assert_eq!(
            told("2026-11-18T00:00:00Z", "2026-12-18T09:00:00Z", utc),
            [
                "18 Nov 11-18T00:00",
                "24 Nov 11-24T00:00",
                "30 Nov 11-30T00:00",
                "6 Dec 12-06T00:00",
                "12 Dec 12-12T00:00"
            ]
        );
        // Within a day, and where the clocks say that another one has begun.
        let (first, last) = ("2026-11-18T16:00:00Z", "2026-11-18T23:30:00Z");
        assert_eq!(told(first, last, utc), ["18 Nov 11-18T16:00"]);
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(told(first, last, &berlin), ["19 Nov 11-18T23:00"]);
    }
}
