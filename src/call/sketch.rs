//! Percentiles of any number of values from a small sum that can be added to others: how often each of few buckets was met.
//!
//! Buckets are log-linear, 64 an octave, so that an answer is off by [`RELATIVE_ERROR`] at most, however large the value. They are
//! read off the bits of the number, without a logarithm: the same on every machine, and another program can do it in a line.
//! Everything is a whole number or an extreme, so sums of sketches are equal whatever the order and the grouping.
//! Must never be used where the values themselves are at hand: [`super::describe`] is exact.

use super::packed;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::{iter, slice};

/// How far a percentile may be off, as a share of the value: half a bucket. Values nearer to zero than [`ZERO_BELOW`] count as 0,
/// and between a negative and a positive neighbour the share is of the larger of them.
pub const RELATIVE_ERROR: f64 = 1.0 / 128.0;
/// 2^-30: less than a billionth of a second, of a bit per second, of a share.
pub const ZERO_BELOW: f64 = 9.313_225_746_154_785e-10;

/// Bits of the mantissa that play no part: six remain, so an octave has 64 buckets.
const SHIFT: u32 = 46;
/// Octaves above [`ZERO_BELOW`]; no value of a beacon is beyond 2^50.
const OCTAVES: i32 = 80;
/// Bucket of the largest values; that of their negatives is the negative.
const KEY_MAX: i32 = OCTAVES * 64;
/// Sums are kept in steps of 2^-48: exact whatever the order, and room for 10^8 of the largest values.
const SUM_STEPS: f64 = (1_u64 << 48) as f64;

/// What is kept of one value or more.
/// Where it is stored a checksum vouches for it: what is read back is not looked through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    count: u64,
    min: f64,
    max: f64,
    /// In steps of 1 / [`SUM_STEPS`].
    sum: i128,
    buckets: Buckets,
}

impl Sketch {
    /// Takes `values` up, none of them NaN or infinite. `None`: there is none.
    pub fn of(values: &[f64]) -> Option<Sketch> {
        let (&first, _) = values.split_first()?;
        let (mut min, mut max, mut sum) = (first, first, 0_i128);
        // Of the buckets beside zero.
        let (mut lowest, mut highest) = (i32::MAX, i32::MIN);
        let mut keys = Vec::with_capacity(values.len());
        for &value in values {
            if value.total_cmp(&min).is_lt() {
                min = value;
            }
            if value.total_cmp(&max).is_gt() {
                max = value;
            }
            sum = sum.wrapping_add(steps(value));
            let key = key(value);
            if key != 0 {
                lowest = lowest.min(key);
                highest = highest.max(key);
            }
            keys.push(key);
        }
        let range = if lowest <= highest {
            lowest..=highest
        } else {
            0..=0
        };
        Some(Sketch {
            count: values.len() as u64,
            min,
            max,
            sum,
            buckets: Buckets::sum(keys.into_iter().map(|key| (key, 1)), range),
        })
    }

    /// All of them together. `None`: there is none.
    pub fn sum<'a>(sketches: impl IntoIterator<Item = &'a Sketch>) -> Option<Sketch> {
        let sketches: Vec<&Sketch> = sketches.into_iter().collect();
        let (first, others) = sketches.split_first()?;
        let mut all = (*first).clone();
        for one in others {
            all.count += one.count;
            all.sum = all.sum.wrapping_add(one.sum);
            // By total order, so that of 0 and -0 the same one stays whichever came first.
            all.min = [all.min, one.min].into_iter().min_by(f64::total_cmp)?;
            all.max = [all.max, one.max].into_iter().max_by(f64::total_cmp)?;
        }
        if !others.is_empty() {
            let buckets = sketches.iter().flat_map(|one| one.buckets.iter());
            all.buckets = Buckets::sum(buckets, key(all.min)..=key(all.max));
        }
        Some(all)
    }

    /// How many values it has taken up. At least 1.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest value, as it was.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The largest value, as it was.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The arithmetic mean, to 2^-48 or the last bit.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / SUM_STEPS / self.count as f64
    }

    /// The value below which the share `q` (0–1) lies, interpolated as [`super::percentile`] does it, within [`RELATIVE_ERROR`].
    pub fn quantile(&self, q: f64) -> f64 {
        let [value] = self.quantiles([q]);
        value
    }

    /// As [`Sketch::quantile`], of several, which must ascend.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        debug_assert!(shares.is_sorted(), "{shares:?}");
        let last = self.count - 1;
        let mut buckets = self.buckets.iter();
        // The bucket that was reached, and how many values are in it and before it; and the bucket before.
        let ((mut key, mut until), mut previous) = ((0, 0), (0, 0));
        let mut at_rank = |rank: u64| {
            if rank == 0 {
                return self.min;
            }
            while until <= rank {
                let Some((next, n)) = buckets.next() else {
                    return self.max;
                };
                previous = (key, until);
                (key, until) = (next, until + n);
            }
            if rank == last {
                return self.max;
            }
            // What is above one share may be above the next one's lower neighbour, by one value.
            let key = if rank < previous.1 { previous.0 } else { key };
            middle(key).clamp(self.min, self.max)
        };
        shares.map(|q| {
            let position = q * last as f64;
            let below = (position.floor() as u64).min(last);
            let share = position - below as f64;
            let (a, b) = (at_rank(below), at_rank((below + 1).min(last)));
            a + (b - a) * share
        })
    }
}

/// The value in steps of 1 / [`SUM_STEPS`], to the nearest.
fn steps(value: f64) -> i128 {
    /// Larger ones have no fraction.
    const WHOLE: f64 = (1_u64 << 52) as f64;
    let steps = value * SUM_STEPS;
    if steps.abs() < WHOLE {
        i128::from((steps + 0.5_f64.copysign(steps)) as i64)
    } else {
        steps as i128
    }
}

/// The bucket of a value: ascending with it, 0 around zero.
fn key(value: f64) -> i32 {
    let size = value.abs();
    if size < ZERO_BELOW {
        return 0;
    }
    let above = (size.to_bits() >> SHIFT) - (ZERO_BELOW.to_bits() >> SHIFT);
    let key = i32::try_from(above + 1).map_or(KEY_MAX, |key| key.min(KEY_MAX));
    if value < 0.0 { -key } else { key }
}

/// The value in the middle of a bucket.
fn middle(key: i32) -> f64 {
    if key == 0 {
        return 0.0;
    }
    let edge = |key: u64| f64::from_bits(((ZERO_BELOW.to_bits() >> SHIFT) + key - 1) << SHIFT);
    let key_up = u64::from(key.unsigned_abs());
    let size = (edge(key_up) + edge(key_up + 1)) / 2.0;
    if key < 0 { -size } else { size }
}

/// Buckets, ascending, each as the distance from the one before and the count, seven bits a byte: two or three bytes for most.
/// A call has a hundred buckets of each metric, a report thousands of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Buckets(#[serde(with = "packed")] Vec<u8>);

impl Buckets {
    fn of(buckets: impl Iterator<Item = (i32, u64)>) -> Buckets {
        let mut bytes = Vec::new();
        let mut put = |mut number: u64| {
            while 0x7f < number {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
        };
        let mut before = -KEY_MAX;
        for (key, n) in buckets {
            put(u64::from(key.abs_diff(before)));
            put(n);
            before = key;
        }
        bytes.shrink_to_fit();
        Buckets(bytes)
    }

    /// Of buckets in any order, each as often as it comes; all of them are in `range`, which that around zero may be out of: it is far from
    /// everything else that is measured, and would make a range of a few buckets one of thousands.
    fn sum(buckets: impl Iterator<Item = (i32, u64)>, range: RangeInclusive<i32>) -> Buckets {
        let lowest = *range.start();
        let mut counts = vec![0; range.end().abs_diff(lowest) as usize + 1];
        let mut zeros = 0;
        for (key, n) in buckets {
            debug_assert!(key == 0 || range.contains(&key), "{key} in {range:?}");
            if key == 0 {
                zeros += n;
            } else if let Some(count) = counts.get_mut((key - lowest) as usize) {
                *count += n;
            }
        }
        let all = (lowest..).zip(counts.iter().copied());
        let below = all.clone().take_while(|(key, _)| *key < 0);
        let above = all.skip_while(|(key, _)| *key <= 0);
        let all = below.chain(iter::once((0, zeros))).chain(above);
        Buckets::of(all.filter(|(_, n)| 0 < *n))
    }

    fn iter(&self) -> impl Iterator<Item = (i32, u64)> {
        let mut bytes = self.0.iter();
        let mut key = -KEY_MAX;
        iter::from_fn(move || {
            key += number(&mut bytes)? as i32;
            Some((key, number(&mut bytes)?))
        })
    }
}

/// The next number of [`Buckets`].
#[inline]
fn number(bytes: &mut slice::Iter<'_, u8>) -> Option<u64> {
    let first = *bytes.next()?;
    let mut number = u64::from(first & 0x7f);
    if 0x80 <= first {
        let mut bits = 7;
        loop {
            let byte = *bytes.next()?;
            number |= u64::from(byte & 0x7f).checked_shl(bits)?;
            if byte < 0x80 {
                break;
            }
            bits += 7;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::super::percentile;
    use super::*;
    use proptest::prelude::*;

    /// Sizes from far below to far above what is measured, negatives and zeros of both signs.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-40.0..49.8_f64).prop_map(f64::exp2),
            2 => 0.0..1.0_f64,
            1 => (-40.0..49.8_f64).prop_map(|power| -power.exp2()),
            1 => prop::sample::select(vec![0.0, -0.0, 1.0, ZERO_BELOW, 1e-300, 1e15, -1e15, 0.05]),
        ]
    }

    #[test]
    fn steps_are_the_nearest() {
        let step = 1.0 / SUM_STEPS;
        for n in [0, 1, 2, 1_i64 << 30, (1 << 52) - 1, 1 << 52, (1 << 52) + 1] {
            for sign in [1.0, -1.0] {
                let expect = i128::from(n) * sign as i128;
                assert_eq!(steps(sign * n as f64 * step), expect, "{n}");
            }
        }
        assert_eq!([0.4, 0.6, -0.6].map(|n| steps(n * step)), [0, 1, -1]);
        assert_eq!(steps(1e15), (1e15 * SUM_STEPS) as i128);
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(value(), 1..200)
    }

    fn sketch(values: &[f64]) -> Sketch {
        Sketch::of(values).unwrap()
    }

    #[test]
    fn a_bucket_holds_its_middle_and_they_ascend() {
        for bucket in -KEY_MAX..=KEY_MAX {
            assert_eq!(key(middle(bucket)), bucket);
        }
        assert_eq!((key(ZERO_BELOW), key(-ZERO_BELOW)), (1, -1));
        assert_eq!((key(f64::MAX), key(f64::MIN)), (KEY_MAX, -KEY_MAX));
        assert_eq!((key(-0.0), key(1e-300), key(1e15) < KEY_MAX), (0, 0, true));
    }

    #[test]
    fn of_nothing_there_is_none() {
        assert_eq!((Sketch::of(&[]), Sketch::sum([])), (None, None));
    }

    #[test]
    fn of_both_zeros_the_negative_one_is_the_smaller() {
        let zeros = [sketch(&[0.0]), sketch(&[-0.0])];
        for order in [[0, 1], [1, 0]] {
            let sum = Sketch::sum(order.map(|at| &zeros[at])).unwrap();
            let signs = [sum.min(), sum.max()].map(f64::is_sign_negative);
            assert_eq!(signs, [true, false], "{order:?}");
        }
    }

    #[test]
    fn one_value_is_all_its_percentiles() {
        let one = sketch(&[0.071]);
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|q| one.quantile(q)), [0.071; 4]);
        assert!((one.mean() - 0.071).abs() < 1e-14);
    }

    #[test]
    fn a_call_takes_few_bytes() {
        let values: Vec<f64> = (0..2_000).map(|n| 0.05 + 0.0001 * f64::from(n)).collect();
        let bytes = sketch(&values).buckets.0.len();
        assert!(bytes < 400, "{bytes}");
    }

    #[test]
    fn several_percentiles_are_those_that_are_asked_for_one_at_a_time() {
        for n in 1..40 {
            let sketch = sketch(&(0..n).map(|nth| f64::from(nth * nth)).collect::<Vec<_>>());
            for shares in [[0.50, 0.95, 0.99], [0.2, 0.2, 0.2], [0.0, 0.01, 1.0]] {
                let expect = shares.map(|share| sketch.quantile(share));
                assert_eq!(sketch.quantiles(shares), expect, "{n} {shares:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_within_the_stated_error(mut values in values(), q in 0.0..=1.0_f64) {
            let sketch = sketch(&values);
            values.sort_by(f64::total_cmp);
            let n = values.len();
            let position = q * (n - 1) as f64;
            let neighbours = [values[position.floor() as usize], values[(position.ceil() as usize).min(n - 1)]];
            let exact = percentile(&values, q);
            // Of neighbours of one sign the result itself is the measure.
            let measure = if neighbours[0] * neighbours[1] < 0.0 {
                neighbours[0].abs().max(neighbours[1].abs())
            } else {
                exact.abs()
            };
            let allowed = RELATIVE_ERROR * measure * (1.0 + 1e-12) + ZERO_BELOW;
            let got = sketch.quantile(q);
            prop_assert!((got - exact).abs() <= allowed, "{got} for {exact} at {q}");
            prop_assert_eq!((sketch.min(), sketch.max(), sketch.count()), (values[0], values[n - 1], n as u64));
            let mean = values.iter().sum::<f64>() / n as f64;
            let scale = values.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
            prop_assert!((sketch.mean() - mean).abs() <= 1e-12 * scale + 1e-14, "{} for {mean}", sketch.mean());
        }

        #[test]
        fn percentiles_ascend(values in values()) {
            let sketch = sketch(&values);
            let line: Vec<f64> = (0..=20).map(|n| sketch.quantile(f64::from(n) / 20.0)).collect();
            prop_assert!(line.is_sorted(), "{line:?}");
            let at = [0, 1, 10, 19, 20];
            let several = sketch.quantiles(at.map(|n| n as f64 / 20.0));
            prop_assert_eq!(several, at.map(|n| line[n]));
        }

        #[test]
        fn neither_order_nor_grouping_means_anything(a in values(), b in values(), c in values()) {
            let together = [a.clone(), b.clone(), c.clone()].concat();
            let [a, b, c] = [a, b, c].map(|values| sketch(&values));
            let sum = |some: &[&Sketch]| Sketch::sum(some.iter().copied()).unwrap();
            let all = sum(&[&a, &b, &c]);
            prop_assert_eq!(&all, &sketch(&together));
            prop_assert_eq!(&all, &sum(&[&c, &b, &a]));
            prop_assert_eq!(&all, &sum(&[&sum(&[&a, &b]), &c]));
            prop_assert_eq!(&all, &sum(&[&a, &sum(&[&b, &c])]));
            let bits = |sketch: &Sketch| (sketch.min.to_bits(), sketch.max.to_bits());
            prop_assert_eq!(bits(&all), bits(&sum(&[&sum(&[&c, &a]), &b])));
        }

        #[test]
        fn what_is_stored_comes_back(values in values()) {
            let sketch = sketch(&values);
            let bytes = postcard::to_stdvec(&sketch).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Sketch>(&bytes).unwrap(), sketch);
        }
    }
}
