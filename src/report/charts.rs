//! What charts look like: the skeleton of ECharts options for one metric of one call. The door to `charming`.
//!
//! Options hold no text from outside and no readings: the page's script joins the data columns, the theme's colours and the
//! formatters. What charming cannot say is merged on top.

use super::data::rounded;
use crate::metric::{Metric, Thresholds};
use charming::Chart;
use charming::component::{Axis, Grid};
use charming::element::{AxisType, SplitLine};
use charming::series::{Custom, Line, Series};
use serde_json::{Value, json};

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
    /// The range for values between `min` and `max` of `metric`.
    pub(super) fn of(metric: &Metric, min: f64, max: f64) -> Range {
        let fair = metric
            .thresholds
            .map_or(0.0, |thresholds| thresholds.fair * 1.2);
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
fn nice(value: f64) -> f64 {
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

/// One line a participant over the call. `start_ms` and `end_ms` bound the x axis, the same on every panel of a page.
pub(super) fn time_series(metric: &Metric, range: Range, start_ms: i64, end_ms: i64) -> Value {
    let chart = Chart::new()
        .grid(
            Grid::new()
                .left(GUTTER_PX)
                .right(MARGIN_PX)
                .top(TITLE_PX)
                .bottom(TIME_LABELS_PX),
        )
        .x_axis(
            Axis::new()
                .type_(AxisType::Time)
                .min(start_ms)
                .max(end_ms.max(start_ms + 1)),
        );
    let patch = json!({"useUTC": true});
    let line = |id| {
        Line::new()
            .id(id)
            .show_symbol(false)
            .connect_nulls(false)
            .into()
    };
    options(chart, metric, range, line, patch)
}

/// One outline a participant: share of the readings (x) at each value (y). Shares the y axis of the series beside it.
pub(super) fn spread(metric: &Metric, range: Range, share_max: f64, marks: [f64; 2]) -> Value {
    let chart = Chart::new()
        .grid(
            Grid::new()
                .left(1)
                .right(8)
                .top(TITLE_PX)
                .bottom(TIME_LABELS_PX),
        )
        .x_axis(
            Axis::new()
                .type_(AxisType::Value)
                .min(0)
                .max(share_max)
                .interval(share_max),
        );
    // The script draws the outline: a line chart can fill downwards alone, not to the side.
    let outline = |id| Custom::new().id(id).into();
    let [p50, p95] = marks;
    let marks = json!({"series": [{"markLine": {"silent": true, "symbol": "none", "data": [{"name": "median", "yAxis": p50}, {"name": "p95", "yAxis": p95}]}}]});
    options(chart, metric, range, outline, marks)
}

/// What both have in common: the y axis, the bands behind, and one series that the script repeats for each participant.
fn options(
    chart: Chart,
    metric: &Metric,
    range: Range,
    series: impl Fn(String) -> Series,
    patch: Value,
) -> Value {
    let bands_carrier = Line::new().id("bands").silent(true);
    let chart = chart
        .animation(false)
        .y_axis(value_axis(range))
        .series(bands_carrier)
        .series(series("line".to_owned()));
    // A chart of ours holds numbers and names that are ours, so there is nothing that JSON can't hold.
    let mut options = serde_json::to_value(&chart).expect("charming's options are JSON");
    if let Some(thresholds) = metric.thresholds {
        merge(&mut options, json!({"series": [bands(thresholds, range)]}));
    }
    merge(&mut options, patch);
    options
}

/// Three labels: the low end, the middle, the top.
fn value_axis(range: Range) -> Axis {
    Axis::new()
        .type_(AxisType::Value)
        .min(range.low)
        .max(range.top)
        .interval((range.top - range.low) / 2.0)
        .split_line(SplitLine::new().show(true))
}

/// Fair from the first threshold, poor from the second; nothing behind good. The script gives the colours.
/// As a patch: charming's mark areas take texts for y, not numbers.
fn bands(thresholds: &Thresholds, range: Range) -> Value {
    let band =
        |from: f64, to: f64| json!([{"yAxis": from.min(range.top)}, {"yAxis": to.min(range.top)}]);
    let data = [
        band(thresholds.fair, thresholds.poor),
        band(thresholds.poor, range.top),
    ];
    json!({"markArea": {"silent": true, "data": data}})
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

    fn metric(id: &str) -> &'static Metric {
        MetricId::from_wire(id).unwrap().def()
    }

    #[test]
    fn axes_start_at_zero_and_reach_the_first_threshold() {
        let loss = metric("totalSendPacketLoss");
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
        let bitrate = metric("sendBitsPerSecond");
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
    fn options_are_what_echarts_reads() {
        let range = Range { low: 0.0, top: 0.2 };
        let options = time_series(metric("totalSendPacketLoss"), range, 1_000, 2_000);
        assert_eq!(options["xAxis"]["type"], "time");
        assert_eq!(options["xAxis"]["min"], 1_000);
        assert_eq!(options["yAxis"]["max"], 0.2);
        let ids: Vec<_> = options["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["bands", "line"]);
        assert_eq!(options["series"][0]["markArea"]["data"][1][0]["yAxis"], 0.1);
        assert_eq!(options["useUTC"], true);
        let options = spread(metric("sendBitsPerSecond"), range, 0.5, [0.02, 0.1]);
        assert_eq!(options["series"][0]["markLine"]["data"][1]["yAxis"], 0.1);
        assert!(
            options["series"][0].get("markArea").is_none(),
            "a bitrate has no bands"
        );
    }
}
