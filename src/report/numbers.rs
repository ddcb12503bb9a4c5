//! Numbers over all calls and over each day, made of what each day and each room comes to.
//!
//! A call belongs to the day on which it began, whole. Percentiles are those of sketches (see [`RELATIVE_ERROR`]).

use super::days::{Days, Sums};
use super::rooms::Room;
use crate::call::Score;
use crate::metric::Standards;
use crate::units;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::cmp::Reverse;

pub(super) use crate::call::RELATIVE_ERROR;

/// Rooms that are listed.
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
    pub(super) days: Vec<Day<'a>>,
    /// All, those in which people spent most time first.
    pub(super) rooms: Vec<&'a Room>,
    /// Ids and scores of the calls with the lowest, the worst first, the newer one before the older.
    pub(super) worst_calls: Vec<(String, Score)>,
}

/// One day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day<'a> {
    /// In the calendar.
    pub(super) date: Date,
    /// When it began, ms since the epoch.
    pub(super) start_ms: i64,
    /// Over the calls that began on it.
    pub(super) sums: &'a Sums,
}

impl<'a> Numbers<'a> {
    /// The rooms in which people spent most time, the busiest first.
    pub(super) fn busiest_rooms(&self) -> &[&'a Room] {
        &self.rooms[..self.rooms.len().min(LISTED_MAX)]
    }

    /// `rooms`: all, by number; `zone`: where days begin.
    pub(super) fn new(
        rooms: &'a [Room],
        days: &'a Days,
        zone: &'a TimeZone,
        standards: &'a Standards,
    ) -> Numbers<'a> {
        let all = Sums::of(days.newest_first().map(|(_, of_day)| &of_day.sums));
        let worst_calls = all.worst.iter();
        let worst_calls = worst_calls.map(|call| {
            let room = &rooms[call.room as usize];
            (call.key.id(&room.name), call.score)
        });
        Numbers {
            time_zone: zone,
            standards,
            worst_calls: worst_calls.collect(),
            all,
            days: dated(days, zone),
            rooms: busiest_first(rooms),
        }
    }
}

/// The days that a calendar has, the first one first.
pub(super) fn dated<'a>(days: &'a Days, zone: &TimeZone) -> Vec<Day<'a>> {
    let days = days.newest_first().rev();
    let days = days.filter_map(|(day, of_day)| {
        let start_ms = day?;
        Some(Day {
            date: units::day_of(start_ms, zone)?.0,
            start_ms,
            sums: &of_day.sums,
        })
    });
    days.collect()
}

fn busiest_first(rooms: &[Room]) -> Vec<&Room> {
    let mut rooms: Vec<&Room> = rooms.iter().collect();
    rooms.sort_by_key(|room| (Reverse((room.participant_ms(), room.calls)), &room.name));
    rooms
}

#[cfg(test)]
mod tests {
    use super::super::brief::Brief;
    use super::super::state::Sketches;
    use super::*;
    use crate::beacon::parse;
    use crate::call::{self, Call, CallKey, CallSummary, Calls, Quality, Sketch};

    const NOON_MS: i64 = 1_795_435_200_000;
    const HOUR_MS: i64 = 3_600_000;

    /// Calls of one person each: room, hours after noon, losses at one reading a minute.
    fn summaries(of: &[(&str, i64, &[f64])], zone: &TimeZone) -> (Vec<Room>, Days) {
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
        let calls: Vec<(Brief, Sketches)> = calls.iter().map(brief).collect();
        let room = |(name, nth): (&String, u32)| {
            let theirs = calls.iter().map(|(call, _)| call);
            let mut room = Room::named(name);
            theirs
                .filter(|call| call.room == nth)
                .for_each(|call| room.add(call));
            room
        };
        let rooms = rooms.iter().zip(0..).map(room).collect();
        (rooms, Days::with_readings(&calls))
    }

    #[test]
    fn a_call_counts_on_the_day_on_which_it_began_where_the_zone_says() {
        let calls: &[(&str, i64, &[f64])] = &[
            ("a", 0, &[0.0, 0.0]),
            ("a", 11, &[0.0; 120]),
            ("b", 12, &[0.5, 0.5, 0.5]),
        ];
        let days = |zone: &TimeZone| -> Vec<(String, i64, usize)> {
            let (rooms, days) = summaries(calls, zone);
            let standards = Standards::default();
            let numbers = Numbers::new(&rooms, &days, zone, &standards);
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
        let (rooms, days) = summaries(
            &[
                ("busy", 0, &[0.0; 11]),
                ("busy", 1, &[0.0; 11]),
                ("lossy", 2, &[0.5; 6]),
            ],
            &TimeZone::UTC,
        );
        let (zone, standards) = (TimeZone::UTC, Standards::default());
        let numbers = Numbers::new(&rooms, &days, &zone, &standards);
        let minutes = |quality| numbers.all.totals.of_ms(quality) / 60_000;
        assert_eq!((minutes(Quality::Good), minutes(Quality::Poor)), (20, 5));
        assert_eq!(numbers.all.share(Quality::Poor), Some(0.2));
        assert_eq!(
            (numbers.all.totals.calls, numbers.all.totals.participants),
            (4, 4)
        );
        let rooms = numbers.rooms.iter();
        let rooms: Vec<_> = rooms.map(|room| (room.name.as_str(), room.calls)).collect();
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
        let (rooms, days) = summaries(
            &[
                ("a", 0, &[0.1, 0.2]),
                ("b", 30, &[0.3]),
                ("c", 60, &[0.4; 9]),
            ],
            &TimeZone::UTC,
        );
        let (zone, standards) = (TimeZone::UTC, Standards::default());
        let numbers = Numbers::new(&rooms, &days, &zone, &standards);
        assert_eq!(numbers.days.len(), 3);
        let days = numbers.days.iter();
        let together =
            Sketch::sum(days.flat_map(|day| day.sums.metrics.iter().map(|(_, one)| one)));
        assert_eq!(together.as_ref(), Some(&numbers.all.metrics[0].1));
    }

    #[test]
    fn of_no_calls_there_is_nothing() {
        let (days, zone, standards) = (Days::default(), TimeZone::UTC, Standards::default());
        let numbers = Numbers::new(&[], &days, &zone, &standards);
        assert!(numbers.days.is_empty() && numbers.all.metrics.is_empty());
        assert_eq!(numbers.all.share(Quality::Good), None);
    }
}
