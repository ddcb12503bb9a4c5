//! Numbers as they stand in a line.

/// A whole number up to this is exact as a float; so is its quotient by one of [`POWERS`], but for one rounding.
const EXACT_MAX: u64 = 1 << 53;
/// Powers of ten that are exact as floats.
pub const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// So many digits are a number below 2^64.
const DIGITS_MAX: usize = 19;
/// So many are a number below [`EXACT_MAX`].
const PLAIN_DIGITS_MAX: usize = 15;
/// A plain number with a point, and whatever ends it.
const PLAIN_BYTES: usize = PLAIN_DIGITS_MAX + 2;

/// The number at the beginning of `bytes`, if it can be told at once, and how long it is. `None`: there is none.
pub(super) type Found = Option<(Option<f64>, usize)>;

/// Any number.
#[inline]
pub(super) fn number(bytes: &[u8]) -> Found {
    match plain(bytes) {
        Some((number, length)) => Some((Some(number), length)),
        None => other(bytes),
    }
}

/// What almost all numbers are: few digits, maybe a point among them. `None`: not sure.
#[inline]
fn plain(bytes: &[u8]) -> Option<(f64, usize)> {
    let bytes: &[u8; PLAIN_BYTES] = bytes.first_chunk()?;
    let digit = |at: usize| u64::from(bytes[at].wrapping_sub(b'0'));
    let mut number = digit(0);
    if 9 < number {
        return None;
    }
    let mut at = 1;
    // Behind a 0 there is no digit.
    while number != 0 && at < PLAIN_DIGITS_MAX && digit(at) <= 9 {
        number = 10 * number + digit(at);
        at += 1;
    }
    let n_whole = at;
    if bytes[at] == b'.' {
        at += 1;
        while at <= PLAIN_DIGITS_MAX && digit(at) <= 9 {
            number = 10 * number + digit(at);
            at += 1;
        }
    }
    let ends = matches!(bytes[at], b',' | b'}' | b']');
    match at - n_whole {
        0 if ends => Some((float(number), at)),
        1 => None,
        n_fraction if ends => Some((float(number) / POWERS[n_fraction - 1], at)),
        _ => None,
    }
}

/// Of at most [`EXACT_MAX`]. Processors have an instruction for numbers with a sign.
fn float(number: u64) -> f64 {
    number as i64 as f64
}

/// As [`number`], of whatever else is one.
#[inline(never)]
fn other(bytes: &[u8]) -> Found {
    let is_negative = bytes.first() == Some(&b'-');
    let sign = if is_negative { -1.0 } else { 1.0 };
    let start = usize::from(is_negative);
    let (mut number, n_whole) = digits(bytes, start, 0);
    if n_whole == 0 || (1 < n_whole && bytes[start] == b'0') {
        return None;
    }
    let mut at = start + n_whole;
    let mut n_fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        (number, n_fraction) = digits(bytes, at + 1, number);
        if n_fraction == 0 {
            return None;
        }
        at += 1 + n_fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let (_, n_exponent) = digits(bytes, at, 0);
        return (n_exponent != 0).then_some((None, at + n_exponent));
    }
    let is_whole = n_whole + n_fraction <= DIGITS_MAX;
    let is_exact = is_whole && (n_fraction == 0 || number <= EXACT_MAX);
    let value = is_exact.then(|| sign * (number as f64 / POWERS[n_fraction]));
    Some((value, at))
}

/// The digits of `bytes` from `at` on, put behind those of `number`, and how many they are.
fn digits(bytes: &[u8], at: usize, mut number: u64) -> (u64, usize) {
    let digits = bytes.get(at..).unwrap_or_default().iter();
    let digits = digits.map(|byte| byte.wrapping_sub(b'0'));
    let mut n = 0;
    for digit in digits.take_while(|digit| *digit < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        n += 1;
    }
    (number, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_numbers_end_where_they_end() {
        for (text, expect) in [
            ("0", Some(0.0)),
            ("7", Some(7.0)),
            ("0.5", Some(0.5)),
            ("0.01932", Some(0.01932)),
            ("1646143.7", Some(1_646_143.7)),
            ("1790591096826", Some(1_790_591_096_826.0)),
            ("123456789012345", Some(123_456_789_012_345.0)),
            ("12345678901234.5", Some(12_345_678_901_234.5)),
            ("123456789012345.5", None),
            ("1234567890123456", None),
            ("01", None),
            ("00", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
        ] {
            for end in [',', '}', ']'] {
                let line = format!("{text}{end}{}", "9".repeat(PLAIN_BYTES));
                let found = plain(line.as_bytes());
                assert_eq!(found, expect.map(|number| (number, text.len())), "{line}");
            }
            let open = format!("{text} {}", " ".repeat(PLAIN_BYTES));
            assert_eq!(plain(open.as_bytes()), None, "{open}");
        }
        assert_eq!(plain(b"7,"), None, "too little to look ahead");
    }

    proptest! {
        #[test]
        fn a_number_is_what_the_standard_library_reads(text in "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?") {
            let line = format!("{text},{}", " ".repeat(PLAIN_BYTES));
            let (value, length) = number(line.as_bytes()).unwrap();
            prop_assert_eq!(length, text.len());
            if let Some(value) = value {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
        }
    }
}
