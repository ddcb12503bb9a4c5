//! What was measured at one instant.

use crate::metric::{METRIC_COUNT, MetricId};
use serde::{Serialize, Serializer};
use std::fmt;

/// The metrics at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The sender's clock, ms since the epoch.
    pub timestamp_ms: i64,
    /// What it measured.
    pub values: Values,
}

impl Reading {
    /// Takes over the values of `other` that are not measured here.
    pub fn fill_from(&mut self, other: &Reading) {
        for (value, other) in self.values.0.iter_mut().zip(other.values.0) {
            if value.is_nan() {
                *value = other;
            }
        }
    }
}

/// A value of each metric, or none. Inside, NaN stands for "not measured": a value on the wire is never NaN, and plain numbers are half
/// the size of options.
#[derive(Clone, Copy)]
pub struct Values([f64; METRIC_COUNT]);

impl Default for Values {
    /// Nothing measured.
    fn default() -> Values {
        Values([f64::NAN; METRIC_COUNT])
    }
}

impl Values {
    /// `None`: not measured.
    pub fn get(&self, metric: MetricId) -> Option<f64> {
        Some(self.0[metric.index()]).filter(|value| !value.is_nan())
    }

    /// `None`: not measured.
    pub fn set(&mut self, metric: MetricId, value: Option<f64>) {
        self.0[metric.index()] = value.unwrap_or(f64::NAN);
    }
}

/// By [`MetricId::index`].
impl From<[Option<f64>; METRIC_COUNT]> for Values {
    fn from(values: [Option<f64>; METRIC_COUNT]) -> Values {
        Values(values.map(|value| value.unwrap_or(f64::NAN)))
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Values) -> bool {
        MetricId::all().all(|metric| self.get(metric) == other.get(metric))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = MetricId::all().filter_map(|metric| Some((metric, self.get(metric)?)));
        f.debug_map()
            .entries(measured.map(|(metric, value)| (metric.def().id, value)))
            .finish()
    }
}

/// A value as JSON, spelled as browsers spell it: no `.0` behind whole numbers. Half of all are 0, a third as long so.
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if whole as f64 == self.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
