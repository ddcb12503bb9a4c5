//! One participant's readings as columns: sorted by time, each instant once, absent values absent.

use super::packed;
use crate::beacon::Reading;
use crate::metric::{METRIC_COUNT, MetricId};
use serde::{Deserialize, Serialize, Serializer};
use std::ops::Range;

/// Columns of readings, in any order until [`Series::settle`] puts them in order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Stored")]
pub struct Series {
    timestamps_ms: Vec<i64>,
    /// By [`MetricId::index`]; empty until a value of that metric is seen. Inside, NaN stands for "not measured":
    /// a value on the wire is never NaN, and a column of plain numbers is half the size of one of options.
    columns: [Vec<f64>; METRIC_COUNT],
}

/// A series as it is stored: columns by name, so that a new row of the table of metrics changes nothing for the others.
#[derive(Deserialize)]
struct Stored {
    #[serde(with = "packed")]
    timestamps_ms: Vec<i64>,
    columns: Vec<StoredColumn>,
}

#[derive(Deserialize)]
struct StoredColumn(String, #[serde(with = "packed")] Vec<f64>);

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// [`Stored`], without a copy of it.
        #[derive(Serialize)]
        struct Storing<'a> {
            #[serde(serialize_with = "packed::serialize")]
            timestamps_ms: &'a [i64],
            columns: Vec<StoringColumn<'a>>,
        }
        #[derive(Serialize)]
        struct StoringColumn<'a>(
            &'static str,
            #[serde(serialize_with = "packed::serialize")] &'a [f64],
        );
        let columns = MetricId::all().zip(&self.columns);
        let columns = columns.filter(|(_, column)| !column.is_empty());
        let stored = Storing {
            timestamps_ms: &self.timestamps_ms,
            columns: columns
                .map(|(metric, column)| StoringColumn(metric.def().id, column))
                .collect(),
        };
        stored.serialize(serializer)
    }
}

impl From<Stored> for Series {
    fn from(stored: Stored) -> Series {
        let mut series = Series {
            timestamps_ms: stored.timestamps_ms,
            columns: Default::default(),
        };
        for StoredColumn(name, column) in stored.columns {
            if let Some(metric) = MetricId::from_wire(&name)
                && column.len() == series.timestamps_ms.len()
            {
                series.columns[metric.index()] = column;
            }
        }
        series
    }
}

impl Series {
    /// Takes one reading over, for tests.
    #[cfg(test)]
    pub fn push(&mut self, reading: &Reading) {
        self.append(Series::of(&[vec![*reading]]));
    }

    /// Takes over what came after all of this.
    pub(super) fn append(&mut self, later: Series) {
        let (before, after) = (self.len(), self.len() + later.len());
        self.timestamps_ms.extend(later.timestamps_ms);
        for (column, theirs) in self.columns.iter_mut().zip(later.columns) {
            if !column.is_empty() || !theirs.is_empty() {
                column.resize(before, f64::NAN);
                column.extend(theirs);
                column.resize(after, f64::NAN);
            }
        }
    }

    /// Of readings in any order, in pieces.
    pub(super) fn of(pieces: &[Vec<Reading>]) -> Series {
        let n = pieces.iter().map(Vec::len).sum();
        let mut timestamps_ms = Vec::with_capacity(n);
        for piece in pieces {
            timestamps_ms.extend(piece.iter().map(|reading| reading.timestamp_ms));
        }
        let mut columns: [Vec<f64>; METRIC_COUNT] = Default::default();
        for (column, metric) in columns.iter_mut().zip(MetricId::all()) {
            let is_measured = |reading: &Reading| reading.values.get(metric).is_some();
            if !pieces.iter().any(|piece| piece.iter().any(is_measured)) {
                continue;
            }
            column.reserve_exact(n);
            for piece in pieces {
                let values = piece.iter().map(|reading| reading.values.get(metric));
                column.extend(values.map(|value| value.unwrap_or(f64::NAN)));
            }
        }
        Series {
            timestamps_ms,
            columns,
        }
    }

    /// Sorts by time and keeps the first of the readings of one instant: the one of least `rank`, of those the one that was
    /// pushed first. Gives the number of those dropped.
    pub fn settle(&mut self, rank: impl Fn(usize) -> usize) -> u64 {
        let n_before = self.timestamps_ms.len();
        if self.timestamps_ms.is_sorted_by(|a, b| a < b) {
            return 0;
        }
        let mut order: Vec<usize> = (0..n_before).collect();
        order.sort_unstable_by_key(|&at| (self.timestamps_ms[at], rank(at), at));
        order.dedup_by_key(|&mut at| self.timestamps_ms[at]);
        self.timestamps_ms = order.iter().map(|&at| self.timestamps_ms[at]).collect();
        for column in self.columns.iter_mut().filter(|column| !column.is_empty()) {
            *column = order.iter().map(|&at| column[at]).collect();
            if column.iter().all(|value| value.is_nan()) {
                column.clear();
            }
        }
        (n_before - order.len()) as u64
    }

    /// Puts all readings later by so many ms, earlier where that is negative.
    pub fn shift(&mut self, ms: i64) {
        if ms != 0 {
            let shifted = |timestamp_ms: &mut i64| *timestamp_ms += ms;
            self.timestamps_ms.iter_mut().for_each(shifted);
        }
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| size_of_val(&**column));
        size_of_val(&*self.timestamps_ms) + columns.sum::<usize>()
    }

    /// Number of readings.
    pub fn len(&self) -> usize {
        self.timestamps_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.timestamps_ms.is_empty()
    }

    /// Instants, ms since the epoch, ascending once settled.
    pub fn timestamps_ms(&self) -> &[i64] {
        &self.timestamps_ms
    }

    /// Positions of the instants from `start_ms` to `end_ms`, both of them included, once settled.
    pub(super) fn within(&self, start_ms: i64, end_ms: i64) -> Range<usize> {
        let first = self.timestamps_ms.partition_point(|&t| t < start_ms);
        let behind = self.timestamps_ms.partition_point(|&t| t <= end_ms);
        first..behind.max(first)
    }

    /// Values of one metric, one for each instant. `None` where no reading holds any.
    pub fn column(&self, metric: MetricId) -> Option<Column<'_>> {
        let values = &self.columns[metric.index()];
        (!values.is_empty()).then_some(Column { values })
    }

    /// The value of `metric` in reading `at`.
    pub fn value(&self, metric: MetricId, at: usize) -> Option<f64> {
        self.column(metric).and_then(|column| column.get(at))
    }

    /// The metrics that at least one reading holds, in the order of the table.
    pub fn metrics(&self) -> impl Iterator<Item = (MetricId, Column<'_>)> {
        MetricId::all().filter_map(|metric| Some((metric, self.column(metric)?)))
    }
}

/// Values of one metric over all readings of a participant.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    values: &'a [f64],
}

impl<'a> Column<'a> {
    /// One item a reading; `None` where it was not measured.
    pub fn iter(self) -> impl Iterator<Item = Option<f64>> + 'a {
        self.values.iter().map(|&value| measured(value))
    }

    /// The value in reading `at`.
    pub fn get(self, at: usize) -> Option<f64> {
        self.values.get(at).copied().and_then(measured)
    }

    /// The measured ones alone.
    pub fn measured(self) -> Vec<f64> {
        let mut measured = Vec::with_capacity(self.values.len());
        self.measured_into(&mut measured);
        measured
    }

    /// Appends them.
    pub fn measured_into(self, measured: &mut Vec<f64>) {
        measured.extend(self.values.iter().filter(|value| !value.is_nan()));
    }
}

fn measured(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(timestamp_ms: i64, first: Option<f64>, last: Option<f64>) -> Reading {
        let mut values = [None; METRIC_COUNT];
        values[0] = first;
        values[METRIC_COUNT - 1] = last;
        Reading {
            timestamp_ms,
            values: values.into(),
        }
    }

    fn metric(index: usize) -> MetricId {
        MetricId::all().nth(index).unwrap()
    }

    #[test]
    fn readings_are_put_in_order_and_the_first_of_an_instant_stays() {
        let mut series = Series::default();
        series.push(&reading(30, None, None));
        series.push(&reading(10, Some(1.0), None));
        series.push(&reading(30, Some(9.0), Some(9.0)));
        series.push(&reading(20, None, None));
        let mut by_rank = series.clone();
        assert_eq!(series.settle(|_| 0), 1);
        assert_eq!(series.timestamps_ms(), [10, 20, 30]);
        let first =
            |series: &Series| -> Vec<_> { series.column(metric(0)).unwrap().iter().collect() };
        assert_eq!(first(&series), [Some(1.0), None, None]);
        assert!(
            series.column(metric(METRIC_COUNT - 1)).is_none(),
            "its only value was in the repeated reading"
        );
        assert_eq!(series.metrics().count(), 1);
        assert_eq!(series.settle(|_| 0), 0);
        assert_eq!(by_rank.settle(|at| 9 - at), 1);
        assert_eq!(first(&by_rank), [Some(1.0), None, Some(9.0)]);
    }

    #[test]
    fn a_metric_that_begins_late_is_absent_before() {
        let mut series = Series::default();
        series.push(&reading(1, None, None));
        series.push(&reading(2, None, Some(0.0)));
        series.push(&reading(3, None, None));
        let last: Vec<_> = series
            .column(metric(METRIC_COUNT - 1))
            .unwrap()
            .iter()
            .collect();
        assert_eq!(last, [None, Some(0.0), None]);
        assert_eq!(series.value(metric(METRIC_COUNT - 1), 1), Some(0.0));
        assert_eq!(series.value(metric(METRIC_COUNT - 1), 7), None);
    }
}
