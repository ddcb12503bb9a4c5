//! Series made small enough for a page, without losing a peak: smallest and largest value of each stretch of time survive.

use crate::call::{self, Series};
use crate::metric::MetricId;

/// Points of all series of a page together where every reading is one, in [`Form::Fine`].
const FINE_POINTS_MAX: usize = 60_000;
/// And where they have to be thinned, in [`Form::Coarse`].
const COARSE_POINTS_MAX: usize = 240_000;
/// What the readings in a page may weigh, however long the call: people and hundreds of issues have to fit into half a megabyte beside.
pub(super) const PAGE_BYTES_MAX: usize = 280_000;
/// No series that is thinned gets more: the width of a large screen, four times.
const SERIES_POINTS_MAX: usize = 8_000;
/// No series gets less, however many people there are.
const SERIES_POINTS_MIN: usize = 40;

/// Points that each series of a page may have where there are `n_series`, the longest of `longest` readings; and their form.
pub(super) fn points_max(n_series: usize, longest: usize) -> (usize, Form) {
    if longest * n_series <= FINE_POINTS_MAX {
        return (longest, Form::Fine);
    }
    let points = COARSE_POINTS_MAX / n_series.max(1);
    let points = points.clamp(SERIES_POINTS_MIN, SERIES_POINTS_MAX);
    (points, Form::Coarse)
}

/// Fewer points than `points`, where `bytes` of them weigh too much. `None`: they do not, or no fewer would do.
pub(super) fn fewer(points: usize, bytes: usize) -> Option<usize> {
    let fewer = (points * PAGE_BYTES_MAX / bytes.max(1) * 19 / 20).max(SERIES_POINTS_MIN);
    (PAGE_BYTES_MAX < bytes && fewer < points).then_some(fewer)
}

/// How exact the points of a page are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// In 262,142 steps of the axis: some five digits.
    Fine,
    /// In 4,094 steps: finer than any screen.
    Coarse,
}

impl Form {
    /// Characters of a value.
    pub(super) fn digits(self) -> usize {
        match self {
            Form::Fine => 3,
            Form::Coarse => 2,
        }
    }

    /// Values as [`Form::digits`] characters each, in even steps from `low` to `top`; one step more stands for no value.
    pub(super) fn packed(
        self,
        values: impl ExactSizeIterator<Item = Option<f64>>,
        low: f64,
        top: f64,
    ) -> String {
        match self {
            Form::Fine => packed::<3>(values, low, top),
            Form::Coarse => packed::<2>(values, low, top),
        }
    }
}

/// As [`Form::packed`], in `N` characters each.
fn packed<const N: usize>(
    values: impl ExactSizeIterator<Item = Option<f64>>,
    low: f64,
    top: f64,
) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let none = 64_usize.pow(N as u32) - 1;
    let steps = (none - 1) as f64;
    let mut packed = Vec::with_capacity(N * values.len());
    for value in values {
        // To the nearest step; whatever is beyond an end, at that end.
        let code = value.map_or(none, |value| {
            let step = (value - low) / (top - low) * steps + 0.5;
            step.clamp(0.5, steps + 0.5) as usize
        });
        let digit = |nth: usize| DIGITS[code >> (6 * nth) & 63];
        packed.extend_from_slice(&std::array::from_fn::<u8, N, _>(|nth| digit(N - 1 - nth)));
    }
    String::from_utf8(packed).expect("ASCII")
}

/// The instants of one participant's points, the same for all metrics.
#[derive(Debug)]
pub(super) struct Thinned {
    /// ms since the epoch, ascending.
    pub(super) timestamps_ms: Vec<i64>,
    /// A longer silence between two points is a gap, in ms.
    pub(super) gap_ms: i64,
    /// Readings of each stretch; two points a stretch. Empty: every reading is a point.
    stretches: Vec<std::ops::Range<usize>>,
}

impl Thinned {
    /// Decides on the instants of at most about `points_max` points.
    pub(super) fn new(series: &Series, points_max: usize) -> Thinned {
        let timestamps_ms = series.timestamps_ms();
        let gap_ms = call::gap_ms(timestamps_ms);
        let (Some(&first), Some(&last)) = (timestamps_ms.first(), timestamps_ms.last()) else {
            return Thinned {
                timestamps_ms: Vec::new(),
                gap_ms,
                stretches: Vec::new(),
            };
        };
        if timestamps_ms.len() <= points_max {
            return Thinned {
                timestamps_ms: timestamps_ms.to_vec(),
                gap_ms,
                stretches: Vec::new(),
            };
        }
        let n_stretches = (points_max / 2).max(1) as i64;
        let length_ms = (last - first) / n_stretches + 1;
        let mut stretches: Vec<std::ops::Range<usize>> = Vec::new();
        let mut instants = Vec::new();
        let mut at = 0;
        while at < timestamps_ms.len() {
            let begin_ms = first + (timestamps_ms[at] - first) / length_ms * length_ms;
            let end = at + timestamps_ms[at..].partition_point(|&t| t < begin_ms + length_ms);
            instants.extend([
                timestamps_ms[at],
                (timestamps_ms[at] + length_ms / 2).min(begin_ms + length_ms - 1),
            ]);
            stretches.push(at..end);
            at = end;
        }
        Thinned {
            timestamps_ms: instants,
            gap_ms: gap_ms.max(2 * length_ms),
            stretches,
        }
    }

    /// Values of one metric at [`Thinned::timestamps_ms`]: of each stretch the smallest and the largest, in the order in which they came.
    pub(super) fn values(&self, series: &Series, metric: MetricId) -> Vec<Option<f64>> {
        let Some(column) = series.column(metric) else {
            return vec![None; self.timestamps_ms.len()];
        };
        if self.stretches.is_empty() {
            return column.iter().collect();
        }
        self.stretches
            .iter()
            .flat_map(|stretch| {
                let measured = || stretch.clone().filter_map(|at| Some((at, column.get(at)?)));
                let low = measured().min_by(|a, b| a.1.total_cmp(&b.1));
                let high = measured().max_by(|a, b| a.1.total_cmp(&b.1));
                match (low, high) {
                    (Some(low), Some(high)) if low.0 <= high.0 => [Some(low.1), Some(high.1)],
                    (Some(low), Some(high)) => [Some(high.1), Some(low.1)],
                    _ => [None, None],
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::Reading;
    use crate::metric::METRIC_COUNT;

    fn series(n: i64, value: impl Fn(i64) -> Option<f64>) -> Series {
        let mut series = Series::default();
        for at in 0..n {
            let mut values = [None; METRIC_COUNT];
            values[0] = value(at);
            series.push(&Reading {
                timestamp_ms: 1_000_000 + at * 2_000,
                values: values.into(),
            });
        }
        series
    }

    fn metric() -> MetricId {
        MetricId::all().next().unwrap()
    }

    #[test]
    fn a_short_series_is_kept_as_it_is() {
        let series = series(50, |at| (at != 7).then_some(at as f64));
        let thinned = Thinned::new(&series, 100);
        assert_eq!(thinned.timestamps_ms, series.timestamps_ms());
        assert_eq!(
            thinned.values(&series, metric())[6..9],
            [Some(6.0), None, Some(8.0)]
        );
        assert_eq!(thinned.gap_ms, 10_000);
    }

    #[test]
    fn peaks_survive_wherever_they_are() {
        for peak in 0..1_000 {
            let series = series(1_000, |at| {
                Some(if at == peak {
                    99.0
                } else if at == (peak + 500) % 1_000 {
                    -9.0
                } else {
                    1.0
                })
            });
            let thinned = Thinned::new(&series, 100);
            let values = thinned.values(&series, metric());
            assert_eq!(values.len(), thinned.timestamps_ms.len());
            assert!(values.len() <= 102, "{}", values.len());
            assert!(
                values.contains(&Some(99.0)) && values.contains(&Some(-9.0)),
                "{peak}"
            );
            assert!(thinned.timestamps_ms.is_sorted());
        }
    }

    #[test]
    fn a_stretch_without_values_is_a_gap() {
        let series = series(1_000, |at| (!(300..700).contains(&at)).then_some(1.0));
        let thinned = Thinned::new(&series, 100);
        assert!(thinned.values(&series, metric()).contains(&None));
    }

    #[test]
    fn packed_values_keep_their_ends_and_their_gaps() {
        let packed =
            |form: Form, values: &[Option<f64>]| form.packed(values.iter().copied(), 0.0, 0.2);
        let values = [Some(0.0), None, Some(0.2)];
        assert_eq!(packed(Form::Coarse, &values), "AA___-");
        assert_eq!(packed(Form::Fine, &values), "AAA_____-");
        assert_eq!(packed(Form::Coarse, &[Some(-1.0), Some(9.0)]), "AA_-");
        assert_eq!(packed(Form::Fine, &[]), "");
    }

    #[test]
    fn a_short_call_keeps_every_reading() {
        assert_eq!(points_max(18, 2_000), (2_000, Form::Fine));
        assert_eq!(points_max(18, 16_200), (8_000, Form::Coarse));
        assert_eq!(points_max(450, 16_200), (533, Form::Coarse));
        assert_eq!(points_max(90_000, 10), (SERIES_POINTS_MIN, Form::Coarse));
        assert_eq!(points_max(0, 0), (0, Form::Fine));
    }

    #[test]
    fn fewer_points_only_where_they_weigh_too_much() {
        assert_eq!(fewer(1_000, PAGE_BYTES_MAX), None);
        assert_eq!(fewer(1_000, 2 * PAGE_BYTES_MAX), Some(475));
        assert_eq!(fewer(SERIES_POINTS_MIN, 10 * PAGE_BYTES_MAX), None);
    }

    #[test]
    fn nothing_is_nothing() {
        let thinned = Thinned::new(&Series::default(), 100);
        assert!(
            thinned.timestamps_ms.is_empty()
                && thinned.values(&Series::default(), metric()).is_empty()
        );
    }
}
