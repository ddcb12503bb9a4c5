//! What the calls that began on one day come to: a build adds up anew the days of calls that changed, and no others.

use super::brief::{Brief, RoomNumber};
use super::state::{KnownCalls, Place, Sketches, Store, together};
use super::totals::Totals;
use super::{Error, cores};
use crate::call::{CallKey, CallSummary, Quality, Score};
use crate::units;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When the day of a call began, ms since the epoch. `None`: its time is not known.
pub(super) type DayStart = Option<i64>;

/// Calls that are known as the worst ones.
pub(super) const WORST_MAX: usize = 10;
const HOUR_MS: i64 = 3_600_000;

/// Each day on which a call began.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Days(BTreeMap<DayStart, OfDay>);

/// Calls that began on one day.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OfDay {
    pub(super) sums: Sums,
    /// How many began within each hour that has passed of it, as far as any did. Empty, where their time is not known.
    pub(super) by_hour: Vec<usize>,
}

/// Over some calls.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) totals: Totals,
    /// Those with the lowest scores, the worst first, the newer one before the older.
    pub(super) worst: Vec<Scored>,
    /// Of each metric that anybody measured, all readings together, in the order of the table.
    pub(super) metrics: Sketches,
}

/// A call that has a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scored {
    pub(super) score: Score,
    pub(super) key: CallKey,
    pub(super) room: RoomNumber,
    /// Where the rest of it is kept.
    pub(super) kept: Place,
}

impl Scored {
    fn of(call: &Brief) -> Option<Scored> {
        Some(Scored {
            score: call.score?,
            key: call.key,
            room: call.room,
            kept: call.kept,
        })
    }
}

/// The day of a call, where days begin as `zone` says.
pub(super) fn day_of(call: &CallSummary, zone: &TimeZone) -> DayStart {
    let (start_ms, _) = call.span_ms?;
    units::day_of(start_ms, zone).map(|(_, day_start_ms)| day_start_ms)
}

/// How many hours had passed of its day when a call began. Where a clock was set back the day has more than are on its face.
pub(super) fn hour_of(call: &Brief) -> Option<usize> {
    usize::try_from((call.start_ms()? - call.day?) / HOUR_MS).ok()
}

impl OfDay {
    /// `calls`: newest first.
    fn over(calls: &[&Brief]) -> OfDay {
        let mut by_hour = Vec::new();
        for hour in calls.iter().filter_map(|call| hour_of(call)) {
            by_hour.resize(by_hour.len().max(hour + 1), 0);
            by_hour[hour] += 1;
        }
        OfDay {
            sums: Sums {
                totals: Totals::over(calls.iter().copied()),
                worst: worst(calls.iter().filter_map(|call| Scored::of(call))),
                metrics: Vec::new(),
            },
            by_hour,
        }
    }
}

impl Sums {
    /// Over all of `parts` together, the newest first.
    pub(super) fn of<'s>(parts: impl Iterator<Item = &'s Sums> + Clone) -> Sums {
        let metrics = parts.clone().map(|part| &part.metrics);
        Sums {
            totals: Totals::sum(parts.clone().map(|part| &part.totals)),
            worst: worst(parts.clone().flat_map(|part| &part.worst).copied()),
            metrics: together(metrics),
        }
    }

    /// The share of the time that people of that quality spent, 0–1. `None`: nobody spent any.
    pub(super) fn share(&self, quality: Quality) -> Option<f64> {
        let all_ms = self.totals.participant_ms();
        (0 < all_ms).then(|| self.totals.of_ms(quality) as f64 / all_ms as f64)
    }
}

impl Days {
    /// Of `calls`, listed newest first, without their readings.
    pub(super) fn over(calls: &[&Brief]) -> Days {
        let days = calls.chunk_by(|a, b| a.day == b.day);
        let days = days.filter_map(|calls| Some((calls.first()?.day, OfDay::over(calls))));
        Days(days.collect())
    }

    /// Adds up anew the days `changed`, each from all of its calls, newest first, and from what was measured in them, on all cores.
    pub(super) fn renew(
        &mut self,
        changed: Vec<(DayStart, Vec<&Brief>, Vec<Place>)>,
        store: &Store,
    ) -> Result<(), Error> {
        for (day, ..) in &changed {
            self.0.remove(day);
        }
        let add_up = |(day, calls, sketches): (DayStart, Vec<&Brief>, Vec<Place>)| {
            let mut of_day = OfDay::over(&calls);
            of_day.sums.metrics = store.sum(&sketches).map_err(Error::Remembered)?;
            Ok((day, of_day))
        };
        let are_some = |(_, calls, _): &(DayStart, Vec<&Brief>, Vec<Place>)| !calls.is_empty();
        let days = cores::on_all(changed.into_iter().filter(are_some).collect(), add_up)?;
        self.0.extend(days);
        Ok(())
    }

    /// Over all calls.
    pub(super) fn totals(&self) -> Totals {
        Totals::sum(self.0.values().map(|of_day| &of_day.sums.totals))
    }

    /// Where calls are kept, after all of them were moved.
    pub(super) fn renew_places(&mut self, calls: &KnownCalls) {
        for call in self
            .0
            .values_mut()
            .flat_map(|of_day| &mut of_day.sums.worst)
        {
            if let Some(known) = calls.get(call.key) {
                call.kept = known.brief.kept;
            }
        }
    }

    /// The newest first, that of calls whose time is not known last.
    pub(super) fn newest_first(
        &self,
    ) -> impl DoubleEndedIterator<Item = (DayStart, &OfDay)> + Clone {
        self.0.iter().rev().map(|(day, of_day)| (*day, of_day))
    }
}

/// The worst of `calls`; of equals those that come first.
pub(super) fn worst(calls: impl Iterator<Item = Scored>) -> Vec<Scored> {
    let mut worst: Vec<Scored> = Vec::with_capacity(WORST_MAX + 1);
    for call in calls {
        let at = worst.partition_point(|other| other.score <= call.score);
        if at < WORST_MAX {
            worst.insert(at, call);
            worst.truncate(WORST_MAX);
        }
    }
    worst
}

#[cfg(test)]
impl Days {
    /// Of calls with their readings, newest first.
    pub(super) fn with_readings(calls: &[(Brief, Sketches)]) -> Days {
        let briefs: Vec<&Brief> = calls.iter().map(|(call, _)| call).collect();
        let mut days = Days::over(&briefs);
        for (day, of_day) in &mut days.0 {
            let theirs = calls.iter().filter(|(call, _)| call.day == *day);
            of_day.sums.metrics = together(theirs.map(|(_, sketches)| sketches));
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_of_equals_the_newer_one() {
        let scored = |(score, name): (u8, &str)| Scored {
            score: serde_json::from_str(&score.to_string()).unwrap(),
            key: CallKey::of("", name),
            room: 0,
            kept: Place::default(),
        };
        let in_order = |calls: &[(u8, &str)]| worst(calls.iter().copied().map(scored));
        let expect = |calls: &[(u8, &str)]| calls.iter().copied().map(scored).collect::<Vec<_>>();
        let all = [(3, "a"), (1, "b"), (2, "c"), (1, "d"), (0, "e")];
        let sorted = [(0, "e"), (1, "b"), (1, "d"), (2, "c"), (3, "a")];
        assert_eq!(in_order(&all), expect(&sorted));
        assert_eq!(in_order(&all[..0]), []);
        // Many, and what comes of parts of them.
        let many: Vec<(u8, &str)> = all.repeat(4);
        let zeros_and_ones = [&[(0, "e"); 4][..], &[(1, "b"), (1, "d")].repeat(3)].concat();
        assert_eq!(in_order(&many), expect(&zeros_and_ones));
        let parts = many.chunks(7).flat_map(in_order);
        assert_eq!(worst(parts), expect(&zeros_and_ones));
    }
}
