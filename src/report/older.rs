//! Calls that the overview finds but does not hold: of a log with thousands of calls the newest are in the page itself, all others in
//! files of a month each, of a day where a month has many, of six hours or one where a day has. So a build writes the page and those with news.
//!
//! They are scripts, because a page that is opened from disk can load nothing else, and scripts can be loaded by pages of other sites:
//! each is named by a fingerprint of what is in it, which nobody can guess who may not read the overview.

use super::brief::Brief;
use super::days::DayStart;
use super::publish::{self, Site, TEMPORARY};
use super::state::Store;
use super::{Error, data};
use crate::digest::fingerprint;
use crate::units;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Where they lie, from the report's folder.
pub(super) const FOLDER: &str = "older";
/// Calls in one of them, unless more begin within an hour; and in the page, unless more are in its newest stretch.
const CALLS_MAX: usize = 1_000;
const HOUR_MS: i64 = 3_600_000;
/// The stretch of calls whose time nobody knows.
const UNKNOWN: &str = "unknown";

/// The files of a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// Such as `2026-11`, `2026-11-23`, `2026-11-23-q1` (a quarter of the day) or `2026-11-23-h7` (an hour).
    name: String,
    pub(super) n_calls: usize,
    /// What scripts know of the calls, and their rows.
    pub(super) calls: Script,
    pub(super) rows: Script,
}

/// A file of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Script {
    /// From the report's folder.
    pub(super) path: String,
    n_bytes: u64,
}

impl Script {
    /// Whether it is there and whole: others may have removed it, a build that was killed too, and a crash of the system have cut it.
    fn is_there(&self, site: &Site<'_>) -> bool {
        site.holds_bytes(&self.path, self.n_bytes)
    }
}

/// Calls that are listed one after the other.
#[derive(Debug, PartialEq)]
struct Part {
    name: String,
    calls: Range<usize>,
}

/// Cuts `calls`, newest first, into stretches of at most `max`, if hours allow for that: how many are in the page itself, and the others.
fn divide(calls: &[&Brief], zone: &TimeZone, max: usize) -> (usize, Vec<Part>) {
    let mut days: Vec<(Option<Date>, Range<usize>)> = Vec::new();
    for of_day in ranges(0, calls, |a, b| a.day == b.day) {
        days.push((date(calls[of_day.start].day, zone), of_day));
    }
    let month = |day: Option<Date>| day.map(|day| (day.year(), day.month()));
    let mut parts = Vec::new();
    for days in days.chunk_by(|(a, _), (b, _)| month(*a) == month(*b)) {
        let n_calls: usize = days.iter().map(|(_, calls)| calls.len()).sum();
        match days {
            [(None, range), ..] => parts.push(Part {
                name: UNKNOWN.to_owned(),
                calls: range.start..range.start + n_calls,
            }),
            [(Some(first), range), ..] if n_calls <= max => parts.push(Part {
                name: month_name(*first),
                calls: range.start..range.start + n_calls,
            }),
            days => {
                for (day, range) in days {
                    let day = day.map_or_else(|| UNKNOWN.to_owned(), |day| day.to_string());
                    parts.extend(cut(&day, day.clone(), calls, range.clone(), max, &CUTS));
                }
            }
        }
    }
    let mut in_page = 0;
    let fits = |part: &Part| part.calls.start == 0 || part.calls.end <= max;
    let n_parts = parts.iter().take_while(|part| fits(part)).count();
    for part in parts.drain(..n_parts) {
        in_page = part.calls.end;
    }
    (in_page, parts)
}

/// How a day is cut whose calls are too many for one stretch: what the parts are called, and how long they are.
const CUTS: [(&str, i64); 2] = [("q", 6 * HOUR_MS), ("h", HOUR_MS)];

/// The calls in `range`, all of the `day`, or of a part of it: together, or cut as often as `cuts` allow where they are more than `max`.
fn cut(
    day: &str,
    name: String,
    calls: &[&Brief],
    range: Range<usize>,
    max: usize,
    cuts: &[(&str, i64)],
) -> Vec<Part> {
    let [(letter, length_ms), finer @ ..] = cuts else {
        let calls = range;
        return vec![Part { name, calls }];
    };
    if range.len() <= max {
        let calls = range;
        return vec![Part { name, calls }];
    }
    // By the time that has passed of the day: a clock that is set back shows some hours twice.
    let nth = |call: &Brief| Some((call.start_ms()? - call.day?) / length_ms);
    let runs = ranges(range.start, &calls[range], |a, b| nth(a) == nth(b));
    runs.flat_map(|run| {
        let name = format!("{day}-{letter}{}", nth(calls[run.start]).unwrap_or(0));
        cut(day, name, calls, run, max, finer)
    })
    .collect()
}

/// Runs of what is the same, as places in a list of which `these` begin at `begin`.
fn ranges(
    begin: usize,
    these: &[&Brief],
    are_same: impl Fn(&Brief, &Brief) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let mut end = begin;
    these.chunk_by(move |a, b| are_same(a, b)).map(move |run| {
        let begin = end;
        end += run.len();
        begin..end
    })
}

fn date(day: DayStart, zone: &TimeZone) -> Option<Date> {
    units::day_of(day?, zone).map(|(date, _)| date)
}

fn month_name(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

/// Whether a stretch may have calls that began on `day`, or had one until now.
fn has(name: &str, day: Option<Date>) -> bool {
    match day {
        None => name == UNKNOWN,
        Some(day) => name == month_name(day) || name.starts_with(&day.to_string()),
    }
}

/// Writes the stretches that have news: those with calls of the days `changed`, and those that are not in `before`. Gives how many of
/// `calls`, newest first, the page holds itself, and all stretches.
pub(super) fn write(
    site: &Site<'_>,
    calls: &[&Brief],
    changed: &BTreeSet<DayStart>,
    before: &[Stretch],
    zone: &TimeZone,
    store: &Store,
) -> Result<(usize, Vec<Stretch>), Error> {
    let (in_page, parts) = divide(calls, zone, CALLS_MAX);
    let changed: Vec<Option<Date>> = changed.iter().map(|day| date(*day, zone)).collect();
    let before = before.iter().map(|stretch| (&*stretch.name, stretch));
    let before: HashMap<&str, &Stretch> = before.collect();
    let mut older = Vec::with_capacity(parts.len());
    for Part { name, calls: range } in parts {
        let known = before.get(&*name).filter(|stretch| {
            let is_there = |script: &Script| script.is_there(site);
            stretch.n_calls == range.len() && is_there(&stretch.calls) && is_there(&stretch.rows)
        });
        let is_as_before = !changed.iter().any(|day| has(&name, *day));
        older.push(match known.filter(|_| is_as_before) {
            Some(known) => (*known).clone(),
            None => write_one(site, name, &calls[range], store)?,
        });
    }
    Ok((in_page, older))
}

fn write_one(
    site: &Site<'_>,
    name: String,
    calls: &[&Brief],
    store: &Store,
) -> Result<Stretch, Error> {
    let places = calls.iter().map(|call| call.kept);
    let read = store.read_all(places.clone()).map_err(Error::Remembered)?;
    let kept = read.each(places).map_err(Error::Remembered)?;
    let rows = kept.iter().map(|one| {
        let row = one.row_of_all().concat();
        data::json(&String::from_utf8_lossy(&row)).into_bytes()
    });
    Ok(Stretch {
        n_calls: calls.len(),
        calls: put(
            site,
            &name,
            kept.iter().map(|one| one.for_scripts().to_vec()),
        )?,
        rows: put(site, &format!("{name}-rows"), rows)?,
        name,
    })
}

/// Writes a script that hands over `items`, which are JSON.
fn put(site: &Site<'_>, name: &str, items: impl Iterator<Item = Vec<u8>>) -> Result<Script, Error> {
    let mut script = b"callMetricsOlder([\n".to_vec();
    for (nth, item) in items.enumerate() {
        if 0 < nth {
            script.extend_from_slice(b",\n");
        }
        script.extend_from_slice(&item);
    }
    script.extend_from_slice(b"\n]);\n");
    let path = format!("{FOLDER}/{name}-{}.js", fingerprint([&script[..]]));
    site.put(&path, &script)?;
    let n_bytes = script.len() as u64;
    Ok(Script { path, n_bytes })
}

/// Removes files that the overview does not lead to any more. `now`: those that it leads to.
pub(super) fn forget(site: &Site<'_>, before: &[Stretch], now: &[Stretch]) {
    let now = paths(now);
    for path in paths(before).difference(&now) {
        site.remove(path);
    }
}

/// Removes all files but those of `now`, whatever they are.
pub(super) fn prune(site: &Site<'_>, now: &[Stretch]) {
    let now = paths(now);
    publish::prune(site.out, &[(FOLDER, "")], |name| {
        // What is not whole yet is of a build that may be at work.
        name.starts_with(TEMPORARY) || now.contains(&*format!("{FOLDER}/{name}"))
    });
}

fn paths(stretches: &[Stretch]) -> HashSet<&str> {
    let paths = stretches
        .iter()
        .flat_map(|one| [&*one.calls.path, &*one.rows.path]);
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that began so many hours after a midnight, newest first.
    fn calls(hours: &[i64]) -> Vec<Brief> {
        let call = |hours: &i64| {
            let start_ms = 1_795_392_000_000 + hours * HOUR_MS;
            let day = units::day_of(start_ms, &TimeZone::UTC).map(|(_, day_ms)| day_ms);
            Brief {
                span_ms: Some((start_ms, start_ms)),
                day,
                ..Brief::default()
            }
        };
        hours.iter().map(call).collect()
    }

    fn divided(calls: &[Brief], max: usize) -> (usize, Vec<(String, Range<usize>)>) {
        let (in_page, parts) = divide(&calls.iter().collect::<Vec<_>>(), &TimeZone::UTC, max);
        let parts = parts.into_iter().map(|part| (part.name, part.calls));
        (in_page, parts.collect())
    }

    #[test]
    fn the_newest_calls_are_in_the_page_and_others_by_month_day_or_hour() {
        // 23 and 22 November, and three days of October.
        let mut all = calls(&[9, 8, 7, 7, 0, -3, -24 * 30, -24 * 31, -24 * 31, -24 * 33]);
        all.push(Brief::default());
        let of = |name: &str, calls| (name.to_owned(), calls);
        assert_eq!(divided(&all, 11), (11, vec![]));
        assert_eq!(divided(&all, 10), (10, vec![of("unknown", 10..11)]));
        let october = of("2026-10", 6..10);
        assert_eq!(divided(&all, 9), (6, vec![october, of("unknown", 10..11)]));
        let (in_page, parts) = divided(&all, 2);
        assert_eq!(in_page, 2, "hours of the newest day");
        let expected = [
            of("2026-11-23-h7", 2..4),
            of("2026-11-23-q0", 4..5),
            of("2026-11-22", 5..6),
            of("2026-10-24", 6..7),
            of("2026-10-23", 7..9),
            of("2026-10-21", 9..10),
            of("unknown", 10..11),
        ];
        assert_eq!(parts, expected);
        let (in_page, parts) = divided(&all, 1);
        assert_eq!((in_page, &parts[0]), (1, &of("2026-11-23-h8", 1..2)));
        assert!(
            parts.contains(&of("2026-11-23-h7", 2..4)),
            "no less than an hour"
        );
        assert_eq!(divided(&[], 1), (0, vec![]));
    }

    #[test]
    fn a_stretch_knows_its_days() {
        let day: Date = "2026-11-23".parse().unwrap();
        for name in ["2026-11", "2026-11-23", "2026-11-23-q1", "2026-11-23-h7"] {
            assert!(has(name, Some(day)) && !has(name, None), "{name}");
        }
        for name in ["2026-10", "2026-11-22", "2026-11-02-h23", UNKNOWN] {
            assert!(!has(name, Some(day)), "{name}");
        }
        assert!(has(UNKNOWN, None));
    }
}
