//! What charts look like: the ECharts options that all panels of a page share. The door to `charming`.
//!
//! They hold no text from outside and no readings: the page's script joins each panel's range, thresholds and data columns, the
//! theme's colours and the formatters. What charming cannot say is merged on top.

use super::data::rounded;
use crate::metric::Thresholds;
use charming::Chart;
use charming::component::{Axis, Grid};
use charming::element::{AxisType, SplitLine};
use charming::series::{Custom, Line, Series};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Room for the labels of the y axis; lanes above the charts begin at the same place.
const GUTTER_PX: i32 = 56;
/// Room for half of a label at the right end; lanes end there too.
const MARGIN_PX: i32 = 16;
/// Room for the title of the distribution, and for badges on peaks.
const TITLE_PX: i32 = 20;
/// Room for the labels of the x axis.
const TIME_LABELS_PX: i32 = 22;

/// Range of the y axis that a metric's series and its distribution share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    /// 0, or below where values are.
    pub(super) low: f64,
    /// Above every value, and above the first threshold: harmless noise has to look harmless.
    pub(super) top: f64,
}

impl Range {
    /// The range for values between `min` and `max` of a metric with these thresholds.
    pub(super) fn of(thresholds: Option<&Thresholds>, min: f64, max: f64) -> Range {
        let fair = thresholds.map_or(0.0, |thresholds| thresholds.fair * 1.2);
        Range {
            low: if min < 0.0 { -nice(-min * 1.06) } else { 0.0 },
            // Who crossed it gets a badge on the peak.
            top: nice(
                (max * if 0.0 < fair && fair < max * 1.2 {
                    1.18
                } else {
                    1.06
                })
                .max(fair),
            ),
        }
    }
}

/// The next of 1, 1.5, 2, 3, 4, 6, 8 times a power of ten, from `value` on. 1 for nothing at all.
pub(super) fn nice(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0];
    // A value that is a step itself must not slip to the next one by the last bit of a division.
    let step = steps
        .into_iter()
        .find(|step| value <= step * power * (1.0 + 1e-9))
        .unwrap_or(10.0);
    // 1.5 · 0.1 is 0.15000000000000002, and a label would say so.
    rounded(step * power, 2)
}

/// What each panel's two charts begin with.
#[derive(Debug, Serialize)]
pub(super) struct Frames {
    /// One line a participant over the call.
    time: Value,
    /// One outline a participant: share of the readings (x) at each value (y). Shares the y axis of the series beside it.
    spread: Value,
}

/// The same for every page.
pub(super) fn frames() -> &'static Frames {
    static FRAMES: OnceLock<Frames> = OnceLock::new();
    FRAMES.get_or_init(|| Frames {
        time: time(),
        spread: spread(),
    })
}

fn time() -> Value {
    let chart = Chart::new()
        .grid(
            Grid::new()
                .left(GUTTER_PX)
                .right(MARGIN_PX)
                .top(TITLE_PX)
                .bottom(TIME_LABELS_PX),
        )
        .x_axis(Axis::new().type_(AxisType::Value));
    let line = |id| {
        Line::new()
            .id(id)
            .show_symbol(false)
            .connect_nulls(false)
            .into()
    };
    let bands = json!({"series": [{"markArea": {"silent": true}}]});
    options(chart, line, bands)
}

fn spread() -> Value {
    let chart = Chart::new()
        .grid(
            Grid::new()
                .left(1)
                .right(8)
                .top(TITLE_PX)
                .bottom(TIME_LABELS_PX),
        )
        .x_axis(Axis::new().type_(AxisType::Value).min(0));
    // The script draws the outline: a line chart can fill downwards alone, not to the side.
    let outline = |id| Custom::new().id(id).into();
    let marks = json!({"series": [{"markArea": {"silent": true}, "markLine": {"silent": true, "symbol": "none"}}]});
    options(chart, outline, marks)
}

/// What both have in common: the y axis, a series that carries bands and marks, and one that the script repeats for each participant.
fn options(chart: Chart, series: impl Fn(String) -> Series, patch: Value) -> Value {
    let bands_carrier = Line::new().id("bands").silent(true);
    let chart = chart
        .animation(false)
        .y_axis(
            Axis::new()
                .type_(AxisType::Value)
                .split_line(SplitLine::new().show(true)),
        )
        .series(bands_carrier)
        .series(series("line".to_owned()));
    // A chart of ours holds numbers and names that are ours, so there is nothing that JSON can't hold.
    let mut options = serde_json::to_value(&chart).expect("charming's options are JSON");
    merge(&mut options, patch);
    options
}

/// Puts `patch` over `base`: objects member by member, arrays item by item, anything else replaced.
fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(patch)) => {
            for (base, value) in base.iter_mut().zip(patch) {
                merge(base, value);
            }
        }
        (base, patch) => *base = patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::MetricId;

    fn thresholds(id: &str) -> Option<&'static Thresholds> {
        MetricId::from_wire(id).unwrap().def().thresholds
    }

    #[test]
    fn axes_start_at_zero_and_reach_the_first_threshold() {
        let loss = thresholds("totalSendPacketLoss");
        assert_eq!(
            Range::of(loss, 0.0, 0.0),
            Range {
                low: 0.0,
                top: 0.06
            }
        );
        assert_eq!(
            Range::of(loss, 0.0, 0.11),
            Range {
                low: 0.0,
                top: 0.15
            }
        );
        let bitrate = thresholds("sendBitsPerSecond");
        assert_eq!(
            Range::of(bitrate, 2.0, 1.31e6),
            Range {
                low: 0.0,
                top: 1.5e6
            }
        );
        assert_eq!(Range::of(bitrate, 0.0, 0.0), Range { low: 0.0, top: 1.0 });
        assert_eq!(Range::of(bitrate, -5.0, 1.0).low, -6.0);
    }

    #[test]
    fn frames_are_what_echarts_reads() {
        for options in [&frames().time, &frames().spread] {
            assert_eq!(options["xAxis"]["type"], "value");
            assert_eq!(options["animation"], false);
            let series = options["series"].as_array().unwrap();
            let ids: Vec<_> = series.iter().map(|s| s["id"].as_str().unwrap()).collect();
            assert_eq!(ids, ["bands", "line"]);
            assert_eq!(series[0]["markArea"]["silent"], true);
        }
        assert_eq!(frames().time["grid"][0]["left"], GUTTER_PX);
        assert_eq!(frames().spread["series"][0]["markLine"]["silent"], true);
    }
}
