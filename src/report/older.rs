//! Calls that the overview finds but does not hold: of a log with thousands of calls the newest are in the page itself, all others in
//! files of a month each, of a day where a month has many, of six hours or one where a day has. So a build writes the page and those with news.
//!
//! They are scripts, because a page that is opened from disk can load nothing else, and scripts can be loaded by pages of other sites:
//! each is named by a fingerprint of what is in it, which nobody can guess who may not read the overview.

use super::days::{DayStart, OfDay, hour_of};
use super::publish::{self, Site, TEMPORARY};
use super::state::{KnownCall, KnownCalls, Place, Store};
use super::{Error, data};
use crate::digest::fingerprint;
use crate::units;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::ops::{Range, RangeInclusive};

/// Where they lie, from the report's folder.
pub(super) const FOLDER: &str = "older";
/// Calls in one of them, unless more begin within an hour; and in the page, unless more are in its newest stretch.
const CALLS_MAX: usize = 1_000;
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

/// Calls that are listed one after the other: of some days, or of some hours of a day.
#[derive(Debug, PartialEq)]
struct Part {
    name: String,
    n_calls: usize,
    days: RangeInclusive<DayStart>,
    /// By the time that has passed of the day. `None`: all of it.
    hours: Option<Range<usize>>,
}

impl Part {
    /// Its calls, as they are listed, all of which were taken out.
    fn of<'c>(&self, calls: &'c KnownCalls) -> io::Result<Vec<&'c KnownCall>> {
        calls.of_days(&self.days, |call| {
            let is_one = |hours: &Range<usize>| hour_of(call).is_some_and(|it| hours.contains(&it));
            self.hours.as_ref().is_none_or(is_one)
        })
    }
}

/// The stretches of all calls, at most `max` in each, if hours allow for that, and those that are in the page itself: the newest. `days`:
/// newest first.
fn divide<'d>(
    days: impl Iterator<Item = (DayStart, &'d OfDay)>,
    zone: &TimeZone,
    max: usize,
) -> (Vec<Part>, Vec<Part>) {
    let days: Vec<(Option<Date>, DayStart, &OfDay)> = days
        .map(|(day, of_day)| (date(day, zone), day, of_day))
        .collect();
    let month = |day: Option<Date>| day.map(|day| (day.year(), day.month()));
    let mut parts = Vec::new();
    for days in days.chunk_by(|(a, ..), (b, ..)| month(*a) == month(*b)) {
        let n_calls = days.iter().map(|(_, _, day)| day.sums.totals.calls).sum();
        let ([(date, last, _), ..], Some((_, first, _))) = (days, days.last()) else {
            continue;
        };
        match date {
            Some(_) if max < n_calls => {
                for (date, day, of_day) in days {
                    let date = date.map_or_else(|| UNKNOWN.to_owned(), |date| date.to_string());
                    let part = Part {
                        name: date.clone(),
                        n_calls: of_day.sums.totals.calls,
                        days: *day..=*day,
                        hours: None,
                    };
                    parts.extend(cut(part, &date, &of_day.by_hour, max, &CUTS));
                }
            }
            date => parts.push(Part {
                name: date.map_or_else(|| UNKNOWN.to_owned(), month_name),
                n_calls,
                days: *first..=*last,
                hours: None,
            }),
        }
    }
    let mut in_page = 0;
    let fits = |part: &&Part| {
        in_page += part.n_calls;
        in_page == part.n_calls || in_page <= max
    };
    let n_parts = parts.iter().take_while(fits).count();
    let older = parts.split_off(n_parts);
    (parts, older)
}

/// How a day is cut whose calls are too many for one stretch: what the parts are called, and the hours that they last.
const CUTS: [(&str, usize); 2] = [("q", 6), ("h", 1)];

/// `part` of the day `date`: together, or cut as often as `cuts` allow where it has more than `max`, the newest first.
fn cut(part: Part, date: &str, by_hour: &[usize], max: usize, cuts: &[(&str, usize)]) -> Vec<Part> {
    let [(letter, n_hours), finer @ ..] = cuts else {
        return vec![part];
    };
    if part.n_calls <= max {
        return vec![part];
    }
    let of_part = part.hours.unwrap_or(0..by_hour.len());
    let nths = (of_part.start / n_hours..of_part.end.div_ceil(*n_hours)).rev();
    let parts = nths.map(|nth| {
        let hours = nth * n_hours..((nth + 1) * n_hours).min(of_part.end);
        Part {
            name: format!("{date}-{letter}{nth}"),
            n_calls: by_hour[hours.clone()].iter().sum(),
            days: part.days.clone(),
            hours: Some(hours),
        }
    });
    let parts = parts.filter(|part| 0 < part.n_calls);
    parts
        .flat_map(|part| cut(part, date, by_hour, max, finer))
        .collect()
}

fn date(day: DayStart, zone: &TimeZone) -> Option<Date> {
    units::day_of(day?, zone).map(|(date, _)| date)
}

fn month_name(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

/// The calls that the page holds itself, newest first, and the stretches of all others; of these are written those that have news: with
/// calls of the days `changed`, and those that are not in `before`. `days`: newest first.
pub(super) fn write<'d>(
    site: &Site<'_>,
    calls: &mut KnownCalls,
    days: impl Iterator<Item = (DayStart, &'d OfDay)>,
    changed: &BTreeSet<DayStart>,
    before: &[Stretch],
    zone: &TimeZone,
    store: &Store,
) -> Result<(Vec<Place>, Vec<Stretch>), Error> {
    let (in_page, parts) = divide(days, zone, CALLS_MAX);
    let before = before.iter().map(|stretch| (&*stretch.name, stretch));
    let before: HashMap<&str, &Stretch> = before.collect();
    let as_before = |part: &Part| {
        let known = before.get(&*part.name).filter(|stretch| {
            let is_there = |script: &Script| script.is_there(site);
            stretch.n_calls == part.n_calls && is_there(&stretch.calls) && is_there(&stretch.rows)
        });
        known.filter(|_| changed.range(part.days.clone()).next().is_none())
    };
    let older = parts.iter().map(|part| (part, as_before(part)));
    let older: Vec<(&Part, Option<&&Stretch>)> = older.collect();
    let news = older.iter().filter(|(_, known)| known.is_none());
    let news = in_page.iter().chain(news.map(|(part, _)| *part));
    for part in news {
        let taken_out = calls.take_out_days(&part.days, store);
        taken_out.map_err(Error::Remembered)?;
    }
    let kept = |part: &Part| {
        let theirs = part.of(calls).map_err(Error::Remembered)?;
        Ok(theirs.into_iter().map(|call| call.brief.kept).collect())
    };
    let in_page = in_page.iter().map(kept);
    let in_page = in_page.collect::<Result<Vec<Vec<Place>>, Error>>()?;
    let older = older.into_iter().map(|(part, known)| match known {
        Some(known) => Ok((**known).clone()),
        None => write_one(site, part.name.clone(), &kept(part)?, store),
    });
    Ok((in_page.concat(), older.collect::<Result<_, Error>>()?))
}

fn write_one(
    site: &Site<'_>,
    name: String,
    places: &[Place],
    store: &Store,
) -> Result<Stretch, Error> {
    let places = places.iter().copied();
    let read = store.read_all(places.clone()).map_err(Error::Remembered)?;
    let kept = read.each(places).map_err(Error::Remembered)?;
    let rows = kept.iter().map(|one| {
        let row = one.row_of_all().concat();
        data::json(&String::from_utf8_lossy(&row)).into_bytes()
    });
    Ok(Stretch {
        n_calls: kept.len(),
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
    use super::super::brief::Brief;
    use super::super::days::Days;
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// Calls that began so many hours after a midnight, newest first; and so many whose time nobody knows.
    fn calls(hours: &[i64], n_unknown: usize) -> Days {
        let call = |hours: &i64| {
            let start_ms = 1_795_392_000_000 + hours * HOUR_MS;
            let day = units::day_of(start_ms, &TimeZone::UTC).map(|(_, day_ms)| day_ms);
            Brief {
                span_ms: Some((start_ms, start_ms)),
                day,
                ..Brief::default()
            }
        };
        let unknown = std::iter::repeat_n(Brief::default(), n_unknown);
        let calls: Vec<Brief> = hours.iter().map(call).chain(unknown).collect();
        Days::over(&calls.iter().collect::<Vec<_>>())
    }

    fn divided(days: &Days, max: usize) -> (usize, Vec<(String, usize)>) {
        let (in_page, older) = divide(days.newest_first(), &TimeZone::UTC, max);
        let in_page = in_page.iter().map(|part| part.n_calls).sum();
        let older = older.into_iter().map(|part| (part.name, part.n_calls));
        (in_page, older.collect())
    }

    #[test]
    fn the_newest_calls_are_in_the_page_and_others_by_month_day_or_hour() {
        // 23 and 22 November, and three days of October.
        let hours = [9, 8, 7, 7, 0, -3, -24 * 30, -24 * 31, -24 * 31, -24 * 33];
        let all = calls(&hours, 1);
        let of = |name: &str, n_calls| (name.to_owned(), n_calls);
        assert_eq!(divided(&all, 11), (11, vec![]));
        assert_eq!(divided(&all, 10), (10, vec![of("unknown", 1)]));
        let october = of("2026-10", 4);
        assert_eq!(divided(&all, 9), (6, vec![october, of("unknown", 1)]));
        let (in_page, parts) = divided(&all, 2);
        assert_eq!(in_page, 2, "hours of the newest day");
        let expected = [
            of("2026-11-23-h7", 2),
            of("2026-11-23-q0", 1),
            of("2026-11-22", 1),
            of("2026-10-24", 1),
            of("2026-10-23", 2),
            of("2026-10-21", 1),
            of("unknown", 1),
        ];
        assert_eq!(parts, expected);
        let (in_page, parts) = divided(&all, 1);
        assert_eq!((in_page, &parts[0]), (1, &of("2026-11-23-h8", 1)));
        assert!(
            parts.contains(&of("2026-11-23-h7", 2)),
            "no less than an hour"
        );
        assert_eq!(divided(&calls(&[], 3), 1), (3, vec![]), "nor than that");
        assert_eq!(divided(&calls(&[], 0), 1), (0, vec![]));
    }
}
