//! How the beacons themselves fared, in words: our own loss beside that of the network. What is not known is said to be unknown.

use super::super::gather::Synced;
use crate::call::Delivery;
use crate::metric::Unit;
use crate::units::{self, NBSP, counted};

/// A share of beacons that arrived below this, in thousandths, is worth a warning.
const ARRIVED_MIN: u64 = 990;

/// Of a whole log with `n_beacons` beacons: what arrived. Empty for an empty log.
pub(super) fn arrived(delivery: Option<Delivery>, n_beacons: u64) -> String {
    let Some(delivery) = delivery else {
        return match n_beacons {
            0 => String::new(),
            _ => "No beacon carries a number, so whether all of them arrived is not known."
                .to_owned(),
        };
    };
    let sent = counted(delivery.sent(), "numbered beacon", "numbered beacons");
    let mut told = match (delivery.missing, delivery.sent()) {
        (0, 1) => format!("The one numbered{NBSP}beacon arrived"),
        (0, 2) => "Both numbered beacons arrived".to_owned(),
        (0, _) => format!("All {sent} arrived"),
        _ => format!(
            "{} of {sent} arrived ({})",
            units::count(delivery.arrived()),
            share(delivery)
        ),
    };
    let odd = odd(delivery);
    if !odd.is_empty() {
        told += ": ";
        told += &odd;
    }
    told += ".";
    let rest = n_beacons.saturating_sub(delivery.numbered);
    if 0 < rest {
        let more = counted(rest, "more carries", "more carry");
        told += &format!(" {more} no number, so losses among them are not known.");
    }
    told
}

/// How safe the beacons of a log were when they were acknowledged. Empty for an empty log.
pub(super) fn synced(synced: Synced) -> String {
    let Synced { yes, no, unknown } = synced;
    let all = yes + no + unknown;
    if all == 0 {
        return String::new();
    }
    if yes == all {
        return "All beacons were synced to disk before they were acknowledged.".to_owned();
    }
    if unknown == all {
        return "The log does not say whether beacons were synced to disk before they were acknowledged."
            .to_owned();
    }
    let mut parts = vec![format!(
        "{} of {} were synced to disk before they were acknowledged",
        units::count(yes),
        counted(all, "beacon", "beacons")
    )];
    if 0 < no {
        parts.push(format!(
            "{} only handed to the operating system",
            units::count(no)
        ));
    }
    if 0 < unknown {
        parts.push(format!("of {} the log does not say", units::count(unknown)));
    }
    parts.join("; ") + "."
}

/// Whether so much is missing that a reader should be warned.
pub(super) fn is_poor(delivery: Option<Delivery>) -> bool {
    delivery.is_some_and(|delivery| thousandths(delivery) < ARRIVED_MIN)
}

/// Of a whole log, what is missing in a few words: `38 of 27 140, 0.1 %`.
pub(super) fn of_log(delivery: Option<Delivery>) -> String {
    match delivery {
        None => "not known".to_owned(),
        Some(Delivery { missing: 0, .. }) => "none".to_owned(),
        Some(delivery) => format!(
            "{} of {}, {}",
            units::count(delivery.missing),
            units::count(delivery.sent()),
            units::quantity(
                Unit::Ratio,
                delivery.missing as f64 / delivery.sent().max(1) as f64
            )
        ),
    }
}

/// Of a call, in a few words.
pub(super) fn of_call(delivery: Option<Delivery>) -> String {
    match delivery {
        None => "beacons not numbered".to_owned(),
        Some(delivery) => {
            let sent = counted(delivery.sent(), "beacon", "beacons");
            match (delivery.missing, delivery.sent()) {
                (0, 1) => format!("the {sent} arrived"),
                (0, _) => format!("all {sent} arrived"),
                _ => format!("{} of {sent} arrived", units::count(delivery.arrived())),
            }
        }
    }
}

/// Of a person in a call: what is missing. Empty where nothing is.
pub(super) fn missing(delivery: Option<Delivery>) -> String {
    match delivery {
        Some(delivery) if 0 < delivery.missing => format!(
            "{} of {} missing",
            units::count(delivery.missing),
            counted(delivery.sent(), "beacon", "beacons")
        ),
        _ => String::new(),
    }
}

/// What is not as it should be: `12 missing, 3 repeated, 1 late`. Empty where all is well.
pub(super) fn odd(delivery: Delivery) -> String {
    let parts = [
        (delivery.missing, "missing"),
        (delivery.repeated, "repeated"),
        (delivery.late, "late"),
    ];
    let parts = parts.iter().filter(|(n, _)| 0 < *n);
    let parts = parts.map(|(n, what)| format!("{}{NBSP}{what}", units::count(*n)));
    parts.collect::<Vec<_>>().join(", ")
}

/// Rounded down: not 100 % where one is missing.
fn share(delivery: Delivery) -> String {
    let thousandths = thousandths(delivery);
    format!("{}.{}{NBSP}%", thousandths / 10, thousandths % 10)
}

/// Of what was sent, what arrived.
fn thousandths(delivery: Delivery) -> u64 {
    delivery.arrived() * 1_000 / delivery.sent().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(numbered: u64, missing: u64, repeated: u64, late: u64) -> Option<Delivery> {
        Some(Delivery {
            numbered,
            missing,
            repeated,
            late,
        })
    }

    /// With plain spaces.
    fn plain(text: String) -> String {
        text.replace(['\u{a0}', '\u{202f}'], " ")
    }

    #[test]
    fn what_arrived_is_told_as_far_as_it_is_known() {
        for (delivery, n_beacons, expect) in [
            (None, 0, ""),
            (
                None,
                7,
                "No beacon carries a number, so whether all of them arrived is not known.",
            ),
            (delivery(1, 0, 0, 0), 1, "The one numbered beacon arrived."),
            (delivery(2, 0, 0, 0), 2, "Both numbered beacons arrived."),
            (
                delivery(120, 0, 0, 0),
                120,
                "All 120 numbered beacons arrived.",
            ),
            (
                delivery(12_343, 12, 3, 1),
                12_343,
                "12 340 of 12 352 numbered beacons arrived (99.9 %): 12 missing, 3 repeated, 1 late.",
            ),
            (
                delivery(99_999, 1, 0, 0),
                100_000,
                "99 999 of 100 000 numbered beacons arrived (99.9 %): 1 missing. 1 more carries no number, \
                 so losses among them are not known.",
            ),
        ] {
            assert_eq!(plain(arrived(delivery, n_beacons)), expect);
        }
    }

    #[test]
    fn a_hundredth_lost_is_worth_a_warning_and_unknown_is_not() {
        assert!(!is_poor(None));
        assert!(!is_poor(delivery(99, 1, 0, 0)));
        assert!(is_poor(delivery(98, 2, 0, 0)));
        assert!(
            is_poor(delivery(99, 2, 1, 0)),
            "a repeat makes up for nothing"
        );
    }

    #[test]
    fn a_log_has_it_short() {
        assert_eq!(of_log(None), "not known");
        assert_eq!(of_log(delivery(9, 0, 1, 1)), "none");
        assert_eq!(
            plain(of_log(delivery(27_102, 38, 0, 0))),
            "38 of 27 140, 0.1 %"
        );
    }

    #[test]
    fn calls_and_people_have_it_short() {
        assert_eq!(of_call(None), "beacons not numbered");
        assert_eq!(plain(of_call(delivery(1, 0, 0, 0))), "the 1 beacon arrived");
        assert_eq!(
            plain(of_call(delivery(10, 0, 1, 1))),
            "all 9 beacons arrived"
        );
        assert_eq!(
            plain(of_call(delivery(116, 4, 0, 0))),
            "116 of 120 beacons arrived"
        );
        assert_eq!(
            plain(missing(delivery(116, 4, 0, 0))),
            "4 of 120 beacons missing"
        );
        assert_eq!(missing(delivery(5, 0, 1, 1)) + &missing(None), "");
    }

    #[test]
    fn how_safe_they_were_is_told_as_far_as_it_is_known() {
        let told = |yes, no, unknown| plain(synced(Synced { yes, no, unknown }));
        assert_eq!(told(0, 0, 0), "");
        assert_eq!(
            told(9, 0, 0),
            "All beacons were synced to disk before they were acknowledged."
        );
        assert_eq!(
            told(0, 0, 9),
            "The log does not say whether beacons were synced to disk before they were acknowledged."
        );
        assert_eq!(
            told(0, 9, 0),
            "0 of 9 beacons were synced to disk before they were acknowledged; 9 only handed to the operating system."
        );
        assert_eq!(
            told(96, 1, 3),
            "96 of 100 beacons were synced to disk before they were acknowledged; 1 only handed to the operating \
             system; of 3 the log does not say."
        );
    }
}
