//! Quantities as people read them: 1.2 Mb/s, 71 ms, 4.2 %, 47 min, 14:02. Base units come in; scaling happens here alone.

use crate::metric::Unit;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Keeps a number and its unit on one line.
pub const NBSP: char = '\u{a0}';
/// What stands for a value that was not measured.
pub const MISSING: &str = "–";
/// 2100, in seconds since the epoch.
const RULES_UNTIL_S: i64 = 4_102_444_800;

/// `value`, given in base units, with the unit that suits it.
pub fn quantity(unit: Unit, value: f64) -> String {
    match unit {
        Unit::BitPerSecond => scaled(
            value,
            &[(1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s"), (1.0, "b/s")],
        ),
        Unit::Ratio => {
            let percent = value * 100.0;
            if 0.0 < percent && percent < 0.1 {
                format!("<0.1{NBSP}%")
            } else {
                format!("{}{NBSP}%", short(percent))
            }
        }
        Unit::Second if value.abs() < 1.0 => {
            let ms = value * 1e3;
            if 0.0 < ms && ms < 1.0 {
                format!("<1{NBSP}ms")
            } else {
                format!("{}{NBSP}ms", ms.round())
            }
        }
        Unit::Second => format!("{}{NBSP}s", short(value)),
    }
}

fn scaled(value: f64, scales: &[(f64, &str)]) -> String {
    // A hundredth of a unit below the next scale is already shown in it: 999.6 kb/s is 1 Mb/s.
    let fitting = scales
        .iter()
        .find(|(scale, _)| *scale * 0.9995 <= value.abs())
        .or(scales.last());
    fitting.map_or_else(String::new, |(scale, unit)| {
        format!("{}{NBSP}{unit}", short(value / scale))
    })
}

/// Two significant digits below 10, whole numbers from there on; no trailing `.0`.
fn short(value: f64) -> String {
    let rounded = if value.abs() < 9.95 {
        (value * 10.0).round() / 10.0
    } else {
        value.round()
    };
    // Minus zero has no place on a page.
    format!("{}", rounded + 0.0)
}

/// A whole number with thin spaces between thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) && 4 < digits.len() {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 call`, `2 calls`.
pub fn counted(value: u64, one: &str, many: &str) -> String {
    format!(
        "{}{NBSP}{}",
        count(value),
        if value == 1 { one } else { many }
    )
}

/// A time span: `38 s`, `47 min`, `1 h 32`.
pub fn duration(ms: i64) -> String {
    let seconds = (ms.max(0) + 500) / 1_000;
    match seconds {
        0..60 => format!("{seconds}{NBSP}s"),
        60..3_570 => format!("{}{NBSP}min", (seconds + 30) / 60),
        _ => {
            let minutes = (seconds + 30) / 60;
            format!("{}{NBSP}h{NBSP}{:02}", minutes / 60, minutes % 60)
        }
    }
}

/// A time span in whole minutes.
pub fn minutes(ms: i64) -> u64 {
    (ms as f64 / 60_000.0).round() as u64
}

/// Bytes: `853 B`, `41 MB`.
pub fn bytes(value: u64) -> String {
    scaled(
        value as f64,
        &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")],
    )
}

/// Time of day in UTC: `14:02`.
pub fn clock(ms: i64) -> String {
    formatted(ms, "%H:%M")
}

/// Day in UTC: `23 Nov 2026`.
pub fn day(ms: i64) -> String {
    formatted(ms, "%-d %b %Y")
}

/// Day and time of day in UTC: `23 Nov 2026, 14:02`.
pub fn day_and_clock(ms: i64) -> String {
    formatted(ms, "%-d %b %Y, %H:%M")
}

/// Day and time of day as `zone` counts them: `23 Nov 2026, 15:02`.
pub fn day_and_clock_in(ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(instant) => {
            let local = instant.to_zoned_datetime(zone.clone());
            local.strftime("%-d %b %Y, %H:%M").to_string()
        }
        Err(_) => MISSING.to_owned(),
    }
}

/// What people call `zone`: `UTC`, `Europe/Berlin`.
pub fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// When and by how much clocks of `zone` are set from 1970 until 2100: other rules under the same name are other days.
pub fn zone_rules(zone: &TimeZone) -> Vec<String> {
    let first = zone.to_offset(Timestamp::UNIX_EPOCH);
    let changes = zone.following(Timestamp::UNIX_EPOCH);
    let changes = changes.map(|change| (change.timestamp().as_second(), change.offset()));
    let changes = changes.take_while(|(at_s, _)| *at_s < RULES_UNTIL_S);
    let changes = changes.map(|(at_s, offset)| format!("{at_s} {}", offset.seconds()));
    std::iter::once(first.seconds().to_string())
        .chain(changes)
        .collect()
}

/// RFC 3339 in UTC, whole seconds: `2026-11-23T14:02:07Z`.
pub fn rfc3339(ms: i64) -> String {
    formatted(ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// The day in the calendar of `zone`, and when it begins there, ms since the epoch. `None`: no calendar holds it.
pub fn day_of(ms: i64, zone: &TimeZone) -> Option<(Date, i64)> {
    let instant = Timestamp::from_millisecond(ms).ok()?;
    let local = instant.to_zoned_datetime(zone.clone());
    let start = local.start_of_day().ok()?;
    Some((local.date(), start.timestamp().as_millisecond()))
}

fn formatted(ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(instant) => instant.strftime(format).to_string(),
        // An instant that no calendar holds came from a sender, so it can't be an error of ours.
        Err(_) => MISSING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unit: Unit, cases: &[(f64, &str)]) {
        for (value, expect) in cases {
            assert_eq!(
                quantity(unit, *value).replace(NBSP, " "),
                *expect,
                "{value}"
            );
        }
    }

    #[test]
    fn quantities_are_short_and_carry_their_unit() {
        check(
            Unit::BitPerSecond,
            &[
                (0.0, "0 b/s"),
                (853.0, "853 b/s"),
                (852_900.0, "853 kb/s"),
                (999_960.0, "1 Mb/s"),
                (1.234e6, "1.2 Mb/s"),
                (12.3e6, "12 Mb/s"),
            ],
        );
        check(
            Unit::Ratio,
            &[
                (0.0, "0 %"),
                (0.000_4, "<0.1 %"),
                (0.042, "4.2 %"),
                (0.1149, "11 %"),
                (1.0, "100 %"),
                (-0.000_01, "0 %"),
            ],
        );
        check(
            Unit::Second,
            &[
                (0.071, "71 ms"),
                (0.000_3, "<1 ms"),
                (0.0, "0 ms"),
                (1.44, "1.4 s"),
                (0.9996, "1000 ms"),
            ],
        );
    }

    #[test]
    fn counts_and_spans() {
        assert_eq!(count(6_412), "6412");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(counted(1, "call", "calls"), "1\u{a0}call");
        for (ms, expect) in [
            (0, "0 s"),
            (38_400, "38 s"),
            (60_000, "1 min"),
            (47 * 60_000, "47 min"),
            (92 * 60_000, "1 h 32"),
            (-5, "0 s"),
            (3_599_000, "1 h 00"),
        ] {
            assert_eq!(duration(ms).replace(NBSP, " "), expect, "{ms}");
        }
        assert_eq!(bytes(41_200_000).replace(NBSP, " "), "41 MB");
    }

    #[test]
    fn instants_are_said_in_utc_and_absurd_ones_not_at_all() {
        assert_eq!(day_and_clock(1_795_449_870_771), "23 Nov 2026, 16:04");
        assert_eq!(rfc3339(1_795_449_870_771), "2026-11-23T16:04:30Z");
        assert_eq!(clock(i64::MAX), MISSING);
        assert_eq!(day_and_clock_in(i64::MAX, &TimeZone::UTC), MISSING);
        assert_eq!(day_of(i64::MAX, &TimeZone::UTC), None);
    }

    #[test]
    fn a_zone_has_its_own_days() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(
            day_and_clock_in(1_795_449_870_771, &tokyo),
            "24 Nov 2026, 01:04"
        );
        assert_eq!(
            (zone_name(&tokyo), zone_name(&TimeZone::UTC)),
            ("Asia/Tokyo", "UTC")
        );
    }

    #[test]
    fn rules_of_a_zone_are_its_changes() {
        let rules = |name: &str| zone_rules(&TimeZone::get(name).unwrap());
        assert_eq!(zone_rules(&TimeZone::UTC), ["0"]);
        assert_eq!(rules("Asia/Kolkata"), ["19800"]);
        let berlin = rules("Europe/Berlin");
        // 29 March and 25 October 2026, 01:00 UTC.
        for change in ["1774746000 7200", "1792890000 3600"] {
            assert!(berlin.iter().any(|rule| rule == change), "{change}");
        }
        assert!((200..300).contains(&berlin.len()), "{}", berlin.len());
    }
}
