//! Numbers over all calls as the overview shows them: how the time was, percentiles of each metric, the busiest rooms.

use super::super::data::room_path;
use super::super::days::Sums;
use super::super::numbers::{Numbers, RELATIVE_ERROR};
use super::Cell;
use crate::call::{Quality, Sketch, room_name};
use crate::metric::{MetricId, Standards, Unit};
use crate::units;
use serde::Serialize;

/// Busiest rooms that are named.
const ROOMS_MAX: usize = 3;

/// Ready for the template.
#[derive(Serialize)]
pub(super) struct OverAll {
    /// How good the time was that people spent, in a sentence; empty where nobody spent any.
    time: String,
    /// The busiest rooms with the time that people spent in them.
    rooms: Vec<Room>,
    /// One for each metric that anybody measured.
    metrics: Vec<Row>,
    /// How far percentiles may be off.
    error: String,
}

#[derive(Serialize)]
struct Room {
    page: String,
    room: String,
    time: String,
}

#[derive(Serialize)]
struct Row {
    title: &'static str,
    about: &'static str,
    cells: Vec<Cell>,
}

pub(super) fn over_all(numbers: &Numbers<'_>) -> OverAll {
    let rooms = numbers.busiest_rooms().iter();
    let rooms = rooms
        .filter(|room| 0 < room.participant_ms())
        .take(ROOMS_MAX);
    OverAll {
        time: time(&numbers.all),
        rooms: rooms
            .map(|room| Room {
                page: room_path(&room.name),
                room: room_name(&room.name),
                time: units::duration(room.participant_ms()),
            })
            .collect(),
        metrics: numbers
            .all
            .metrics
            .iter()
            .map(|metric| row(metric, numbers.standards))
            .collect(),
        error: units::quantity(Unit::Ratio, RELATIVE_ERROR),
    }
}

fn time(sums: &Sums) -> String {
    let words = [
        (Quality::Good, "good"),
        (Quality::Fair, "fair"),
        (Quality::Poor, "poor"),
        (Quality::Unknown, "not measured"),
    ];
    let part = |(quality, word): (Quality, &str)| {
        let share = sums.share(quality).filter(|share| 0.0 < *share)?;
        Some(format!("{} {word}", units::quantity(Unit::Ratio, share)))
    };
    let parts: Vec<String> = words.into_iter().filter_map(part).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(
        "Of {} that people spent in calls: {}.",
        units::duration(sums.totals.participant_ms()),
        parts.join(", ")
    )
}

fn row((metric, sketch): &(MetricId, Sketch), standards: &Standards) -> Row {
    let cell = |value| Cell::of(*metric, value, standards);
    let quantiles = sketch.quantiles([0.50, 0.95, 0.99]);
    Row {
        title: metric.def().title,
        about: metric.def().about,
        cells: quantiles.map(cell).into(),
    }
}
