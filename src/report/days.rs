//! The readings of all calls that began on one day, added up: a build adds up anew the days of calls that changed, and no others.

use super::state::{KnownCall, Place, Sketches, Store};
use super::{Error, cores};
use crate::call::{CallSummary, Sketch};
use crate::metric::MetricId;
use crate::units;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// When the day of a call began, ms since the epoch. `None`: its time is not known.
pub(super) type DayStart = Option<i64>;

/// Each day on which a call began.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Days(BTreeMap<DayStart, Sketches>);

/// The day of a call, where days begin as `zone` says.
pub(super) fn day_of(call: &CallSummary, zone: &TimeZone) -> DayStart {
    let (start_ms, _) = call.span_ms?;
    units::day_of(start_ms, zone).map(|(_, day_start_ms)| day_start_ms)
}

impl Days {
    /// Adds up anew the days `changed`, from all calls there are, on all cores.
    pub(super) fn renew<'a>(
        &mut self,
        changed: &BTreeSet<DayStart>,
        calls: impl Iterator<Item = &'a KnownCall>,
        store: &Store,
    ) -> Result<(), Error> {
        let mut by_day: BTreeMap<DayStart, Vec<Place>> = BTreeMap::new();
        for call in calls {
            let day = call.brief.day;
            if changed.contains(&day) {
                by_day.entry(day).or_default().push(call.sketches);
            }
        }
        for day in changed {
            self.0.remove(day);
        }
        let add_up = |(day, places): (DayStart, Vec<Place>)| {
            let sketches = places.into_iter().map(|place| store.get_sketches(place));
            let sketches = sketches.collect::<io::Result<Vec<Sketches>>>();
            Ok((day, sum(sketches.map_err(Error::Remembered)?.iter())))
        };
        let days = cores::on_all(by_day.into_iter().collect(), add_up)?;
        self.0.extend(days);
        Ok(())
    }

    /// Of the calls of one day.
    pub(super) fn of(&self, day: DayStart) -> Sketches {
        self.0.get(&day).cloned().unwrap_or_default()
    }

    /// Of all calls.
    pub(super) fn all(&self) -> Sketches {
        sum(self.0.values())
    }
}

fn sum<'a>(all: impl Iterator<Item = &'a Sketches>) -> Sketches {
    let mut by_metric: BTreeMap<MetricId, Vec<&Sketch>> = BTreeMap::new();
    for (metric, sketch) in all.flatten() {
        by_metric.entry(*metric).or_default().push(sketch);
    }
    let sum = |(metric, sketches)| Some((metric, Sketch::sum::<'_>(sketches)?));
    by_metric.into_iter().filter_map(sum).collect()
}

#[cfg(test)]
use super::brief::Brief;

#[cfg(test)]
impl Days {
    /// Of calls with their sketches.
    pub(super) fn over(calls: &[(Brief, Sketches)]) -> Days {
        let mut by_day: BTreeMap<DayStart, Vec<&Sketches>> = BTreeMap::new();
        for (call, sketches) in calls {
            by_day.entry(call.day).or_default().push(sketches);
        }
        let days = by_day.into_iter();
        Days(days.map(|(day, all)| (day, sum(all.into_iter()))).collect())
    }
}
