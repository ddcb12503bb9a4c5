//! `numbers` of `data/report.json`: over all calls, over each day, and who stands at the top of which list.

use super::super::days::Sums;
use super::super::numbers::{Numbers, RELATIVE_ERROR};
use super::super::rooms::Room;
use crate::call::{Quality, Score, Sketch};
use crate::metric::MetricId;
use crate::units;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// Ms of a minute.
const MINUTE: f64 = 60_000.0;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneNumbers<'a> {
    /// Of percentiles alone; all else is exact.
    percentile_relative_error: f64,
    time_zone: &'a str,
    all: OneSums<'a>,
    days: Vec<OneDay<'a>>,
    busiest_rooms: Vec<OneRoom<'a>>,
    worst_calls: Vec<OneCall<'a>>,
}

impl<'a> From<&'a Numbers<'a>> for OneNumbers<'a> {
    fn from(numbers: &'a Numbers<'a>) -> OneNumbers<'a> {
        let days = numbers.days.iter().map(|day| OneDay {
            day: day.date.to_string(),
            start: day.start_ms,
            sums: OneSums::from(day.sums),
        });
        let rooms = numbers.busiest_rooms().iter();
        let calls = numbers.worst_calls.iter();
        OneNumbers {
            percentile_relative_error: RELATIVE_ERROR,
            time_zone: units::zone_name(numbers.time_zone),
            all: OneSums::from(&numbers.all),
            days: days.collect(),
            busiest_rooms: rooms.map(|room| OneRoom::from(*room)).collect(),
            worst_calls: calls.map(OneCall::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct OneDay<'a> {
    day: String,
    start: i64,
    #[serde(flatten)]
    sums: OneSums<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneSums<'a> {
    calls: usize,
    participants: usize,
    participant_minutes: f64,
    minutes: Option<ByQuality>,
    shares: Option<ByQuality>,
    metrics: Metrics<'a>,
}

#[derive(Serialize)]
struct ByQuality {
    good: f64,
    fair: f64,
    poor: f64,
    unknown: f64,
}

impl ByQuality {
    /// `None` where one is.
    fn of(of: impl Fn(Quality) -> Option<f64>) -> Option<ByQuality> {
        Some(ByQuality {
            good: of(Quality::Good)?,
            fair: of(Quality::Fair)?,
            poor: of(Quality::Poor)?,
            unknown: of(Quality::Unknown)?,
        })
    }
}

impl<'a> From<&'a Sums> for OneSums<'a> {
    fn from(sums: &'a Sums) -> OneSums<'a> {
        let minutes = |quality| sums.totals.of_ms(quality) as f64 / MINUTE;
        OneSums {
            calls: sums.totals.calls,
            participants: sums.totals.participants,
            participant_minutes: sums.totals.participant_ms() as f64 / MINUTE,
            minutes: ByQuality::of(|quality| Some(minutes(quality))),
            shares: ByQuality::of(|quality| sums.share(quality)),
            metrics: Metrics(&sums.metrics),
        }
    }
}

struct Metrics<'a>(&'a [(MetricId, Sketch)]);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One {
            unit: &'static str,
            count: u64,
            mean: f64,
            min: f64,
            max: f64,
            p50: f64,
            p95: f64,
            p99: f64,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (metric, sketch) in self.0 {
            let [p50, p95, p99] = sketch.quantiles([0.50, 0.95, 0.99]);
            let one = One {
                unit: metric.def().unit.symbol(),
                count: sketch.count(),
                mean: sketch.mean(),
                min: sketch.min(),
                max: sketch.max(),
                p50,
                p95,
                p99,
            };
            map.serialize_entry(metric.def().id, &one)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneRoom<'a> {
    room: &'a str,
    calls: usize,
    participants: usize,
    participant_minutes: f64,
}

impl<'a> From<&'a Room> for OneRoom<'a> {
    fn from(room: &'a Room) -> OneRoom<'a> {
        OneRoom {
            room: &room.name,
            calls: room.calls,
            participants: room.participants,
            participant_minutes: room.participant_ms() as f64 / MINUTE,
        }
    }
}

#[derive(Serialize)]
struct OneCall<'a> {
    id: &'a str,
    score: u8,
}

impl<'a> From<&'a (String, Score)> for OneCall<'a> {
    fn from((id, score): &'a (String, Score)) -> OneCall<'a> {
        OneCall {
            id,
            score: score.value(),
        }
    }
}
