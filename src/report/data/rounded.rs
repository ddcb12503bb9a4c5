//! Numbers to few significant digits.

use crate::beacon::{Number, POWERS};

const TENTHS: [f64; 6] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
/// Sizes of numbers that JSON spells without an exponent, and that are whole numbers below 2^63 once they are scaled.
const PLAIN: std::ops::Range<f64> = 1e-4..1e10;
/// Room for a sign, a point and all digits of a plain number.
const PLAIN_BYTES: usize = 24;

/// `value` to so many significant digits.
pub(in crate::report) fn rounded(value: f64, digits: usize) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let (whole, scale, places) = scaled(value, digits);
    match places {
        // Dividing by a power of ten, not multiplying by its inverse, which is no exact number: 0.1 stays 0.1.
        0.. if whole.is_finite() => whole / scale,
        0.. => value,
        _ => whole * scale,
    }
}

/// Appends `value` to so many significant digits, at most 15, as JSON: as [`rounded`] as a [`Number`] would be, a digit at a time.
pub(super) fn put(json: &mut Vec<u8>, value: f64, digits: usize) {
    if value == 0.0 {
        return json.push(b'0');
    }
    if !PLAIN.contains(&value.abs()) {
        let number = Number(rounded(value, digits));
        return serde_json::to_writer(json, &number).expect("a number, into memory");
    }
    let (whole, scale, places) = scaled(value.abs(), digits);
    let mut left = if 0 <= places { whole } else { whole * scale } as u64;
    let mut places = places.max(0);
    while 0 < places && left.is_multiple_of(10) {
        left /= 10;
        places -= 1;
    }
    let mut text = [0; PLAIN_BYTES];
    let mut at = text.len();
    let mut prepend = |byte| {
        at -= 1;
        text[at] = byte;
    };
    loop {
        prepend(b'0' + (left % 10) as u8);
        left /= 10;
        places -= 1;
        if places == 0 {
            prepend(b'.');
        }
        if left == 0 && places < 0 {
            break;
        }
    }
    if value < 0.0 {
        prepend(b'-');
    }
    json.extend_from_slice(&text[at..]);
}

/// Those digits as a whole number, what divides it where there are places behind the point and else multiplies it, and how many places.
fn scaled(value: f64, digits: usize) -> (f64, f64, i32) {
    let places = places(value, digits);
    let scale = ten_to(places.abs());
    let scaled = if 0 <= places {
        value * scale
    } else {
        value / scale
    };
    (scaled.round(), scale, places)
}

/// Places behind the point that keep so many significant digits of `value`; negative: zeros before it.
fn places(value: f64, digits: usize) -> i32 {
    // Of what is measured, all but a few: a look at a table is cheaper than a logarithm.
    let size = value.abs();
    let exponent = match size {
        1.0..1e10 => POWERS
            .iter()
            .skip(1)
            .position(|ten| size < *ten)
            .unwrap_or(0) as i32,
        1e-6..1.0 => TENTHS
            .iter()
            .position(|tenth| *tenth <= size)
            .map_or(0, |at| -1 - at as i32),
        _ => size.log10().floor() as i32,
    };
    digits as i32 - 1 - exponent
}

fn ten_to(power: i32) -> f64 {
    let known = usize::try_from(power).ok().and_then(|at| POWERS.get(at));
    known.copied().unwrap_or_else(|| 10_f64.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn series_keep_six_digits() {
        for (value, expect) in [
            (1_312_764.918_203, 1_312_760.0),
            (0.061_224_489_795, 0.061_224_5),
            (0.1, 0.1),
            (0.0, 0.0),
            (-0.000_123_456_78, -0.000_123_457),
            (1e15, 1e15),
            (2.0, 2.0),
            (999_999.7, 1_000_000.0),
        ] {
            assert_eq!(rounded(value, 6), expect);
        }
        assert!((rounded(1e-300, 6) - 1e-300).abs() < 1e-305);
        assert_eq!(rounded(5e-324, 6), 5e-324);
    }

    fn text(value: f64, digits: usize) -> String {
        let mut json = Vec::new();
        put(&mut json, value, digits);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn numbers_are_spelled_in_as_few_digits_as_they_have() {
        for (value, expect) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.01932, "0.01932"),
            (1_646_143.7, "1646140"),
            (0.999_999_9, "1"),
            (999_999.96, "1000000"),
            (9_999_999_999.0, "10000000000"),
            (1e-5, "0.00001"),
            (1e15, "1000000000000000.0"),
        ] {
            assert_eq!(text(value, 6), expect);
        }
    }

    proptest! {
        #[test]
        fn they_are_spelled_as_serde_spells_them(
            value in prop_oneof![
                -1e11..1e11_f64,
                -1.0..1.0_f64,
                (-40.0..49.8_f64).prop_map(f64::exp2),
                (0..10_000_000_i64, 0..8_i32).prop_map(|(n, places)| n as f64 / 10_f64.powi(places)),
            ],
            digits in 3..=15_usize,
        ) {
            let expect = serde_json::to_string(&Number(rounded(value, digits))).unwrap();
            prop_assert_eq!(text(value, digits), expect);
        }
    }
}
