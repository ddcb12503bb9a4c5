//! Summary numbers of a sample, exact, as numpy and pandas give them.

/// Bins of a histogram in the data files.
pub const BIN_COUNT: usize = 20;

/// What `describe()` says of one metric of one participant, in the metric's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Readings that hold a value. At least 1.
    pub count: usize,
    /// Readings that hold none.
    pub missing: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1). `None` for one value.
    pub std: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Percentiles, with linear interpolation.
    pub p5: f64,
    /// See `p5`.
    pub p25: f64,
    /// The median.
    pub p50: f64,
    /// See `p5`.
    pub p75: f64,
    /// See `p5`.
    pub p95: f64,
    /// Largest value.
    pub max: f64,
    /// How the values are spread.
    pub histogram: Histogram,
}

/// Equal bins over the range of the values.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// One more than `counts`, ascending.
    pub edges: Vec<f64>,
    /// Values in each bin; all half open but the last.
    pub counts: Vec<u64>,
}

/// Describes the `measured` values of `n_readings` readings. `None`: nothing was measured.
pub fn describe(measured: Vec<f64>, n_readings: usize) -> Option<Summary> {
    let sorted = sorted(measured);
    let (&min, &max) = (sorted.first()?, sorted.last()?);
    let count = sorted.len();
    let mean = sorted.iter().sum::<f64>() / count as f64;
    // Two passes: the one-pass formula loses every digit where the mean is large beside the spread.
    let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
    Some(Summary {
        count,
        missing: n_readings.saturating_sub(count),
        mean,
        std: (1 < count).then(|| (squares / (count - 1) as f64).sqrt()),
        min,
        p5: percentile(&sorted, 0.05),
        p25: percentile(&sorted, 0.25),
        p50: percentile(&sorted, 0.50),
        p75: percentile(&sorted, 0.75),
        p95: percentile(&sorted, 0.95),
        max,
        histogram: histogram(&sorted, min, max),
    })
}

/// `values` in the order of [`f64::total_cmp`]: by whole numbers of the same order: what compares them is one instruction.
pub fn sorted(values: Vec<f64>) -> Vec<f64> {
    // Of negative numbers the larger bits are the smaller number. Done twice, it is undone.
    let turned = |bits: i64| bits ^ ((bits >> 63) as u64 >> 1) as i64;
    let keys = values.into_iter();
    let mut keys: Vec<i64> = keys.map(|value| turned(value.to_bits() as i64)).collect();
    keys.sort_unstable();
    let sorted = keys.into_iter();
    sorted
        .map(|key| f64::from_bits(turned(key) as u64))
        .collect()
}

/// The value below which the share `q` (0–1) of `sorted` lies, interpolated linearly between neighbours:
/// method 7 of Hyndman and Fan, the default of `numpy.percentile`. 0 for no values.
pub fn percentile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = q * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let share = position - below as f64;
    let (a, b) = (sorted[below], sorted[above]);
    // From the nearer neighbour, as numpy does it: monotone, and exact at both ends.
    if share < 0.5 {
        a + (b - a) * share
    } else {
        b - (b - a) * (1.0 - share)
    }
}

/// As [`percentile`], for ascending `qs`, of values in any order, which it moves about: much cheaper than sorting them all.
pub fn percentiles<const N: usize>(values: &mut [f64], qs: [f64; N]) -> [f64; N] {
    let mut from = 0;
    qs.map(|q| {
        if let Some(last) = values.len().checked_sub(1) {
            // None before `from` is greater than any behind it.
            let below = ((q * last as f64).floor() as usize).clamp(from, last);
            let behind = &mut values[from..];
            let (_, _, above) = behind.select_nth_unstable_by(below - from, f64::total_cmp);
            if !above.is_empty() {
                above.select_nth_unstable_by(0, f64::total_cmp);
            }
            from = below;
        }
        percentile(values, q)
    })
}

/// [`BIN_COUNT`] equal bins over `[min, max]`, or over `min ± 0.5` where there is but one value: `numpy.histogram`.
fn histogram(values: &[f64], min: f64, max: f64) -> Histogram {
    let (low, high) = if min == max {
        (min - 0.5, max + 0.5)
    } else {
        (min, max)
    };
    let edges = edges(low, high);
    let counts = counts_of_sorted(values, &edges);
    Histogram { edges, counts }
}

/// [`BIN_COUNT`] + 1 edges from `low` to `high`, as `numpy.linspace` spaces them.
pub fn edges(low: f64, high: f64) -> Vec<f64> {
    let step = (high - low) / BIN_COUNT as f64;
    let mut edges: Vec<f64> = (0..=BIN_COUNT).map(|bin| bin as f64 * step + low).collect();
    edges[BIN_COUNT] = high;
    edges
}

/// How many of `values` lie in each bin; those outside all bins are not counted.
pub fn counts(values: impl Iterator<Item = f64>, edges: &[f64]) -> Vec<u64> {
    let [low, .., high] = *edges else {
        return Vec::new();
    };
    let n_bins = edges.len() - 1;
    let mut counts = vec![0; n_bins];
    let per_unit = n_bins as f64 / (high - low);
    for value in values {
        if !(low..=high).contains(&value) {
            continue;
        }
        // About where it is; the edges decide. The last bin is closed on both sides.
        let mut bin = (((value - low) * per_unit) as usize).min(n_bins - 1);
        while 0 < bin && value < edges[bin] {
            bin -= 1;
        }
        while bin + 1 < n_bins && edges[bin + 1] <= value {
            bin += 1;
        }
        counts[bin] += 1;
    }
    counts
}

/// As [`counts`], of values in order: the edges are looked for, which are fewer.
fn counts_of_sorted(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let below = |edge: &f64| sorted.partition_point(|value| value < edge);
    let mut ends: Vec<usize> = edges.iter().map(below).collect();
    if let (Some(last), Some(edge)) = (ends.last_mut(), edges.last()) {
        *last = sorted.partition_point(|value| value <= edge);
    }
    ends.windows(2)
        .map(|pair| (pair[1] - pair[0]) as u64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected numbers were printed by numpy 2.x; the whole comparison, over made-up logs, is in tests/numbers.
    #[test]
    fn percentiles_need_no_order() {
        let mut state = 7_u64;
        for n in 0..200 {
            let next = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) as f64 % 40.0
            };
            let values: Vec<f64> = (0..n).map(next).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let qs = [0.0, 0.05, 0.5, 0.5, 0.95, 1.0];
            let expected = qs.map(|q| percentile(&sorted, q));
            assert_eq!(percentiles(&mut values.clone(), qs), expected, "{n}");
        }
    }

    #[test]
    fn numbers_are_those_of_numpy() {
        let s = describe(vec![3.0, 1.0, 2.0, 10.0], 6).unwrap();
        assert_eq!(
            (s.count, s.missing, s.mean, s.min, s.max),
            (4, 2, 4.0, 1.0, 10.0)
        );
        assert!(
            (s.std.unwrap() - 4.082_482_904_638_63).abs() < 1e-12,
            "{:?}",
            s.std
        );
        assert_eq!((s.p25, s.p50, s.p75), (1.75, 2.5, 4.75));
        assert!(
            (s.p5 - 1.15).abs() < 1e-12 && (s.p95 - 8.95).abs() < 1e-12,
            "{s:?}"
        );
        assert_eq!(
            s.histogram.counts,
            [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        );
        assert_eq!((s.histogram.edges[0], s.histogram.edges[20]), (1.0, 10.0));
    }

    #[test]
    fn one_value_has_no_spread_and_a_range_of_half_each_way() {
        let s = describe(vec![0.0], 1).unwrap();
        assert_eq!((s.std, s.p5, s.p95), (None, 0.0, 0.0));
        assert_eq!((s.histogram.edges[0], s.histogram.edges[20]), (-0.5, 0.5));
        assert_eq!(s.histogram.counts[10], 1);
        assert_eq!(s.histogram.counts.iter().sum::<u64>(), 1);
    }

    #[test]
    fn sorting_is_by_total_order_to_the_bit() {
        let values = vec![
            0.0, 2.5, -0.0, -1e300, 1e-310, -3.0, 0.0, 1e300, -1e-310, -2.5,
        ];
        let mut expected = values.clone();
        expected.sort_by(f64::total_cmp);
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(sorted(values)), bits(expected));
    }

    #[test]
    fn nothing_measured_is_no_summary() {
        assert_eq!(describe(vec![], 5), None);
    }

    #[test]
    fn a_large_mean_does_not_eat_the_spread() {
        let s = describe(vec![1e12 + 1.0, 1e12 + 2.0, 1e12 + 3.0], 3).unwrap();
        assert_eq!(s.std, Some(1.0));
    }

    #[test]
    fn bins_are_half_open_but_the_last() {
        let edges = [0.0, 1.0, 2.0];
        assert_eq!(
            counts(
                [0.0, 0.5, 1.0, 2.0, 2.1, -0.1, f64::NAN].into_iter(),
                &edges
            ),
            [2, 2]
        );
        assert_eq!(counts([1.0].into_iter(), &[]), Vec::<u64>::new());
        assert_eq!(counts([1.0].into_iter(), &[1.0]), Vec::<u64>::new());
        assert_eq!(counts_of_sorted(&[1.0], &[]), Vec::<u64>::new());
        let sorted = [-0.1, 0.0, 0.5, 1.0, 2.0, 2.1];
        assert_eq!(counts_of_sorted(&sorted, &edges), [2, 2]);
        // Edges that are one, as of a range too small for its bins.
        for edges in [[0.0, 1.0, 1.0], [1.0, 1.0, 2.0]] {
            let expect = counts(sorted.into_iter(), &edges);
            assert_eq!(counts_of_sorted(&sorted, &edges), expect);
        }
    }

    proptest::proptest! {
        #[test]
        fn bins_are_the_same_in_order_and_in_none(
            numbers in proptest::collection::vec(0..60_u8, 1..100),
            low in -2.0..20.0,
            width in 0.0..40.0,
        ) {
            let edges = edges(low, low + width);
            let on_edges = numbers.iter().map(|&n| edges[usize::from(n) % edges.len()]);
            let values: Vec<f64> = numbers.iter().map(|&n| f64::from(n)).chain(on_edges).collect();
            let expected = counts_of_sorted(&sorted(values.clone()), &edges);
            proptest::prop_assert_eq!(counts(values.into_iter(), &edges), expected);
        }

        #[test]
        fn percentiles_are_ordered_and_every_value_has_a_bin(values in proptest::collection::vec(-1e15..1e15, 1..200)) {
            let n = values.len();
            let s = describe(values, n).unwrap();
            let line = [s.min, s.p5, s.p25, s.p50, s.p75, s.p95, s.max];
            proptest::prop_assert!(line.is_sorted(), "{line:?}");
            proptest::prop_assert_eq!(s.histogram.counts.iter().sum::<u64>(), n as u64);
        }
    }
}
