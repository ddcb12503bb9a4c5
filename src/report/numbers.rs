//! Numbers over all calls and over each day, from summaries of calls and the readings of each day added up.
//!
//! A call belongs to the day on which it began, whole. Percentiles are those of sketches (see [`RELATIVE_ERROR`]).

use super::brief::Brief;
use super::days::Days;
use super::state::Sketches;
use super::totals::Totals;
use crate::call::{Quality, Score};
use crate::metric::Standards;
use crate::units;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::cmp::Reverse;

pub(super) use crate::call::RELATIVE_ERROR;

/// Rooms and calls that are listed.
const LISTED_MAX: usize = 10;

/// Everything.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    /// The time zone whose days they are.
    pub(super) time_zone: &'a TimeZone,
    /// What metrics are held to.
    pub(super) standards: &'a Standards,
    /// Over all calls.
    pub(super) all: Sums,
    /// Days on which a call began, the first one first. Calls of unknown time are in none.
    pub(super) days: Vec<Day>,
    /// Names of all rooms, by number.
    pub(super) room_names: &'a [String],
    /// All, those in which people spent most time first.
    pub(super) rooms: Vec<Room<'a>>,
    /// Ids and scores of those with the lowest, the worst first, the newer one before the older.
    pub(super) worst_calls: Vec<(String, Score)>,
}

/// One day.
#[derive(Debug)]
pub(super) struct Day {
    /// In the calendar.
    pub(super) date: Date,
    /// When it began, ms since the epoch.
    pub(super) start_ms: i64,
    /// Over the calls that began on it.
    pub(super) sums: Sums,
}

/// Over some calls.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) totals: Totals,
    /// Of each metric that anybody measured, all readings together, in the order of the table.
    pub(super) metrics: Sketches,
}

/// One room.
#[derive(Debug)]
pub(super) struct Room<'a> {
    /// Any text.
    pub(super) room: &'a str,
    pub(super) calls: usize,
    pub(super) participants: usize,
    /// Time that people spent in it.
    pub(super) participant_ms: i64,
    /// The same by [`Quality`], in the order of its variants.
    pub(super) quality_ms: [i64; 4],
    /// When its newest call began, ms since the epoch.
    pub(super) last_ms: Option<i64>,
}

impl<'a> Numbers<'a> {
    /// The rooms in which people spent most time, the busiest first.
    pub(super) fn busiest_rooms(&self) -> &[Room<'a>] {
        &self.rooms[..self.rooms.len().min(LISTED_MAX)]
    }

    /// `calls`: newest first; `rooms`: the names of theirs. `zone`: where days begin, those of `days` too.
    pub(super) fn new(
        calls: &[&Brief],
        rooms: &'a [String],
        days: &Days,
        zone: &'a TimeZone,
        standards: &'a Standards,
    ) -> Numbers<'a> {
        let (totals, by_day) = by_day(calls, days, zone);
        let id = |call: &Brief| call.key.id(&rooms[call.room as usize]);
        let scored = calls.iter().filter_map(|call| Some((call.score?, *call)));
        let worst_calls = least(scored, LISTED_MAX);
        Numbers {
            time_zone: zone,
            standards,
            all: Sums {
                totals,
                metrics: days.all(),
            },
            days: by_day,
            room_names: rooms,
            rooms: by_room(calls, rooms),
            worst_calls: worst_calls
                .into_iter()
                .map(|(score, call)| (id(call), score))
                .collect(),
        }
    }
}

/// Over all of `calls`, newest first, and the days on which they began, the first one first. `days`: the readings of each.
pub(super) fn by_day(calls: &[&Brief], days: &Days, zone: &TimeZone) -> (Totals, Vec<Day>) {
    let mut by_day = Vec::new();
    let mut undated = Totals::default();
    for calls in calls.chunk_by(|a, b| a.day == b.day) {
        let totals = Totals::over(calls.iter().copied());
        let day = calls.first().and_then(|call| call.day);
        match day.and_then(|start_ms| Some((start_ms, units::day_of(start_ms, zone)?.0))) {
            Some((start_ms, date)) => by_day.push(Day {
                date,
                start_ms,
                sums: Sums {
                    totals,
                    metrics: days.of(day),
                },
            }),
            None => undated = Totals::sum([&undated, &totals].into_iter()),
        }
    }
    by_day.reverse();
    let totals = by_day.iter().map(|day| &day.sums.totals);
    (Totals::sum(totals.chain([&undated])), by_day)
}

/// The `n` with the smallest keys, smallest first; of equals those that come first.
pub(super) fn least<K: Ord + Copy, T>(all: impl Iterator<Item = (K, T)>, n: usize) -> Vec<(K, T)> {
    let mut least: Vec<(K, T)> = Vec::with_capacity(n + 1);
    for (key, one) in all {
        let at = least.partition_point(|(other, _)| *other <= key);
        if at < n {
            least.insert(at, (key, one));
            least.truncate(n);
        }
    }
    least
}

impl Sums {
    /// The share of the time that people of that quality spent, 0–1. `None`: nobody spent any.
    pub(super) fn share(&self, quality: Quality) -> Option<f64> {
        let all_ms = self.totals.participant_ms();
        (0 < all_ms).then(|| self.totals.of_ms(quality) as f64 / all_ms as f64)
    }
}

fn by_room<'a>(calls: &[&Brief], names: &'a [String]) -> Vec<Room<'a>> {
    let mut rooms: Vec<Room<'_>> = names
        .iter()
        .map(|room| Room {
            room,
            calls: 0,
            participants: 0,
            participant_ms: 0,
            quality_ms: [0; 4],
            last_ms: None,
        })
        .collect();
    for call in calls {
        let room = &mut rooms[call.room as usize];
        room.calls += 1;
        room.participants += call.n_participants;
        room.participant_ms = room.participant_ms.saturating_add(call.participant_ms());
        room.last_ms = room.last_ms.max(call.start_ms());
        for (sum, ms) in room.quality_ms.iter_mut().zip(call.quality_ms) {
            *sum = sum.saturating_add(ms);
        }
    }
    rooms.sort_by_key(|room| (Reverse((room.participant_ms, room.calls)), room.room));
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;
    use crate::call::{self, Call, CallKey, CallSummary, Calls, Sketch};

    const NOON_MS: i64 = 1_795_435_200_000;
    const HOUR_MS: i64 = 3_600_000;

    /// Calls of one person each: room, hours after noon, losses at one reading a minute.
    fn summaries(of: &[(&str, i64, &[f64])], zone: &TimeZone) -> (Vec<Brief>, Vec<String>, Days) {
        let mut calls = Calls::default();
        for (nth, (room, hours, losses)) in of.iter().enumerate() {
            for (minute, loss) in losses.iter().enumerate() {
                let t = NOON_MS + hours * HOUR_MS + 60_000 * minute as i64;
                let line = format!(
                    r#"{{"room":"{room}","meetingSessionId":"{nth}","sessionId":"s","stats":{{"latest":{{"timestamp":{t},"totalRecvPacketLoss":{loss}}}}}}}"#
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
        }
        let line = r#"{"room":"timeless","meetingSessionId":"m","sessionId":"s","stats":{}}"#;
        calls.add(&parse(line.as_bytes()).unwrap(), 0);
        let mut rooms: Vec<String> = Vec::new();
        let calls = calls.finish();
        let brief = |call: &Call| {
            let room = rooms.iter().position(|room| *room == call.room);
            let room = room.unwrap_or_else(|| {
                rooms.push(call.room.clone());
                rooms.len() - 1
            });
            let summary = CallSummary::of(call, &call::assess(call, &Standards::default()));
            let key = CallKey::of(&call.room, &call.meeting_session_id);
            let brief = Brief::of(&summary, key, room as u32, zone);
            (brief, call::sketches(call))
        };
        let calls: Vec<_> = calls.iter().map(brief).collect();
        let days = Days::over(&calls);
        let briefs = calls.into_iter().map(|(call, _)| call).collect();
        (briefs, rooms, days)
    }

    #[test]
    fn a_call_counts_on_the_day_on_which_it_began_where_the_zone_says() {
        let calls: &[(&str, i64, &[f64])] = &[
            ("a", 0, &[0.0, 0.0]),
            ("a", 11, &[0.0; 120]),
            ("b", 12, &[0.5, 0.5, 0.5]),
        ];
        let days = |zone: &TimeZone| -> Vec<(String, i64, usize)> {
            let (calls, rooms, days) = summaries(calls, zone);
            let standards = Standards::default();
            let numbers = Numbers::new(
                &calls.iter().collect::<Vec<_>>(),
                &rooms,
                &days,
                zone,
                &standards,
            );
            let days = numbers.days.iter();
            days.map(|day| {
                (
                    day.date.to_string(),
                    (day.start_ms - NOON_MS) / HOUR_MS,
                    day.sums.totals.calls,
                )
            })
            .collect()
        };
        let day = |date: &str, hours, calls| (date.to_owned(), hours, calls);
        assert_eq!(
            days(&TimeZone::UTC),
            [day("2026-11-23", -12, 2), day("2026-11-24", 12, 1)]
        );
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        assert_eq!(
            days(&tokyo),
            [day("2026-11-23", -21, 1), day("2026-11-24", 3, 2)]
        );
    }

    #[test]
    fn minutes_are_told_by_how_they_were_and_rooms_and_calls_by_rank() {
        let (calls, rooms, days) = summaries(
            &[
                ("busy", 0, &[0.0; 11]),
                ("busy", 1, &[0.0; 11]),
                ("lossy", 2, &[0.5; 6]),
            ],
            &TimeZone::UTC,
        );
        let (zone, standards) = (TimeZone::UTC, Standards::default());
        let numbers = Numbers::new(
            &calls.iter().collect::<Vec<_>>(),
            &rooms,
            &days,
            &zone,
            &standards,
        );
        let minutes = |quality| numbers.all.totals.of_ms(quality) / 60_000;
        assert_eq!((minutes(Quality::Good), minutes(Quality::Poor)), (20, 5));
        assert_eq!(numbers.all.share(Quality::Poor), Some(0.2));
        assert_eq!(
            (numbers.all.totals.calls, numbers.all.totals.participants),
            (4, 4)
        );
        let rooms = numbers.rooms.iter();
        let rooms: Vec<_> = rooms.map(|room| (room.room, room.calls)).collect();
        assert_eq!(rooms, [("busy", 2), ("lossy", 1), ("timeless", 1)]);
        let worst = numbers.worst_calls.iter();
        let worst: Vec<_> = worst.map(|(id, _)| id.as_str()).collect();
        let id = |room: &str, meeting: &str| CallKey::of(room, meeting).id(room);
        assert_eq!(
            worst,
            [id("lossy", "2"), id("busy", "1"), id("busy", "0")],
            "nothing is known of the one without readings"
        );
        let (_, loss) = &numbers.all.metrics[0];
        assert_eq!((loss.count(), loss.min(), loss.max()), (28, 0.0, 0.5));
    }

    #[test]
    fn days_together_are_all() {
        let (calls, rooms, days) = summaries(
            &[
                ("a", 0, &[0.1, 0.2]),
                ("b", 30, &[0.3]),
                ("c", 60, &[0.4; 9]),
            ],
            &TimeZone::UTC,
        );
        let (zone, standards) = (TimeZone::UTC, Standards::default());
        let numbers = Numbers::new(
            &calls.iter().collect::<Vec<_>>(),
            &rooms,
            &days,
            &zone,
            &standards,
        );
        assert_eq!(numbers.days.len(), 3);
        let days = numbers.days.iter();
        let together =
            Sketch::sum(days.flat_map(|day| day.sums.metrics.iter().map(|(_, one)| one)));
        assert_eq!(together.as_ref(), Some(&numbers.all.metrics[0].1));
    }

    #[test]
    fn the_least_are_found_and_of_equals_the_first() {
        let all = [(3, "a"), (1, "b"), (2, "c"), (1, "d"), (0, "e")];
        let least = |n| -> String {
            least(all.into_iter(), n)
                .iter()
                .map(|(_, one)| *one)
                .collect()
        };
        assert_eq!(
            [least(0), least(2), least(4), least(9)],
            ["", "eb", "ebdc", "ebdca"]
        );
    }

    #[test]
    fn of_no_calls_there_is_nothing() {
        let (days, zone, standards) = (Days::default(), TimeZone::UTC, Standards::default());
        let numbers = Numbers::new(&[], &[], &days, &zone, &standards);
        assert!(numbers.days.is_empty() && numbers.all.metrics.is_empty());
        assert_eq!(numbers.all.share(Quality::Good), None);
    }
}
