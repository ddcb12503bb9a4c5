//! The numbers of a stretch of days, each beside the stretch before.

use super::super::measure::{LOSS, Measure, ROUND_TRIP};
use super::super::periods::{Figures, Period};
use super::{level, plot};
use crate::metric::{Standards, Unit};
use crate::units::{self, NBSP};
use serde::Serialize;

/// A number.
#[derive(Serialize)]
pub(super) struct Tile {
    pub(super) title: &'static str,
    pub(super) about: String,
    pub(super) value: Amount,
    /// Beyond which threshold the value is.
    pub(super) level: &'static str,
    /// Against the stretch before.
    pub(super) change: Option<Change>,
    pub(super) note: String,
    /// Its course.
    pub(super) spark: Vec<String>,
}

/// A number, and its unit where it has one.
#[derive(Serialize)]
pub(super) struct Amount {
    number: String,
    unit: String,
}

impl From<String> for Amount {
    fn from(text: String) -> Amount {
        match text.rsplit_once(NBSP) {
            Some((number, unit)) if !unit.starts_with(|c: char| c.is_ascii_digit()) => Amount {
                number: number.to_owned(),
                unit: unit.to_owned(),
            },
            _ => Amount {
                number: text,
                unit: String::new(),
            },
        }
    }
}

#[derive(Serialize)]
pub(super) struct Change {
    /// `better`, `worse`, or nothing where neither can be said.
    level: &'static str,
    text: String,
}

/// How a number differs from the one before.
#[derive(Clone, Copy)]
enum Better {
    /// Neither more nor less is better.
    Neither,
    More,
    Less,
}

/// `text`: the difference in words, without its direction; empty where it is too small to be told.
fn change(difference: f64, better: Better, text: String) -> Change {
    if text.is_empty() {
        return Change {
            level: "",
            text: "as before".to_owned(),
        };
    }
    let is_better = match better {
        Better::Neither => None,
        Better::More => Some(0.0 < difference),
        Better::Less => Some(difference < 0.0),
    };
    Change {
        level: match is_better {
            None => "",
            Some(true) => "better",
            Some(false) => "worse",
        },
        text: format!("{} {text}", if 0.0 < difference { "▲" } else { "▼" }),
    }
}

fn of_counts(now: u64, before: u64) -> Change {
    let text = match now.abs_diff(before) {
        0 => String::new(),
        n => units::count(n),
    };
    change(now as f64 - before as f64, Better::Neither, text)
}

fn of_shares(now: f64, before: f64, better: Better) -> Change {
    // Points of a percentage, with one digit.
    let points = ((now - before) * 1e3).round() / 10.0;
    let text = match points.abs() {
        0.0 => String::new(),
        1.0 => format!("1{NBSP}point"),
        n => format!("{n}{NBSP}points"),
    };
    change(points, better, text)
}

fn of_seconds(now_s: f64, before_s: f64) -> Change {
    let ms = ((now_s - before_s) * 1e3).round();
    let text = match ms.abs() {
        0.0 => String::new(),
        ms => units::quantity(Unit::Second, ms / 1e3),
    };
    change(ms, Better::Less, text)
}

pub(super) fn tiles(period: &Period<'_>, standards: &Standards) -> Vec<Tile> {
    let (now, before) = (&period.figures, period.before.as_ref());
    let stretch = match period.n_days {
        Some(7) => "week".to_owned(),
        n => format!("{}{NBSP}days", n.unwrap_or_default()),
    };
    let note = match (period.n_days, before) {
        (None, _) => String::new(),
        (Some(_), None) => format!("no {stretch} before to compare with"),
        (Some(_), Some(_)) => format!("vs. {stretch} before"),
    };
    let spark = |of: &dyn Fn(&Figures) -> Option<f64>| {
        let values: Vec<_> = period.steps.iter().map(|step| of(&step.figures)).collect();
        plot::spark(&values)
    };
    let tile = |title, about: &str, value: String| Tile {
        title,
        about: about.to_owned(),
        value: value.into(),
        level: "",
        change: None,
        note: note.clone(),
        spark: Vec::new(),
    };
    let missing = || units::MISSING.to_owned();
    let p95 = |title, about: &str, measure: Measure, of: &dyn Fn(&Figures) -> Option<f64>| {
        let (thresholds, unit) = (measure.thresholds(standards), measure.unit());
        let value = of(now);
        let both = value.zip(before.and_then(of));
        Tile {
            level: value.map_or("", |value| level(thresholds, value)),
            change: both.map(|(now, before)| match unit {
                Unit::Second => of_seconds(now, before),
                _ => of_shares(now, before, Better::Less),
            }),
            note: match value {
                Some(_) => note.clone(),
                None => "not measured".to_owned(),
            },
            spark: spark(of),
            ..tile(
                title,
                about,
                value.map_or_else(missing, |value| units::quantity(unit, value)),
            )
        }
    };
    let participants = |figures: &Figures| figures.totals.participants as u64;
    let calls = |figures: &Figures| figures.totals.calls as u64;
    let time = |figures: &Figures| units::minutes(figures.totals.participant_ms());
    let counts = |title, about: &str, of: &dyn Fn(&Figures) -> u64| Tile {
        change: before.map(|before| of_counts(of(now), of(before))),
        spark: spark(&|figures| Some(of(figures) as f64)),
        ..tile(title, about, units::count(of(now)))
    };
    let good = now.good_share();
    let both = good.zip(before.and_then(Figures::good_share));
    vec![
        counts("Calls", "Meeting sessions, each in one room", &calls),
        counts(
            "Participants",
            "One for each time somebody joined",
            &participants,
        ),
        counts(
            "Participant-minutes",
            "Time that people spent in calls, from the first to the last reading of each",
            &time,
        ),
        Tile {
            change: both.map(|(now, before)| of_shares(now, before, Better::More)),
            note: match good {
                Some(_) => note.clone(),
                None => "not measured".to_owned(),
            },
            spark: spark(&Figures::good_share),
            ..tile(
                "Good minutes",
                "Share of the participant-minutes that were measured, of people whose call was good",
                good.map_or_else(missing, |share| units::quantity(Unit::Ratio, share)),
            )
        },
        p95(
            "Packet loss, p95",
            "95th percentile of all readings of everybody, sent and received",
            LOSS,
            &|figures| figures.loss_p95,
        ),
        p95(
            "Round-trip time, p95",
            "95th percentile of all readings of everybody",
            ROUND_TRIP,
            &|figures| figures.round_trip_p95_s,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_its_direction_in_a_word_and_whether_it_is_good() {
        let said = |change: Change| (change.text.replace(NBSP, " "), change.level);
        assert_eq!(said(of_counts(5, 3)), ("▲ 2".to_owned(), ""));
        assert_eq!(said(of_counts(3, 3)), ("as before".to_owned(), ""));
        let shares = |now, before, better| said(of_shares(now, before, better));
        assert_eq!(
            shares(0.941, 0.959, Better::More),
            ("▼ 1.8 points".to_owned(), "worse")
        );
        assert_eq!(
            shares(0.023, 0.013, Better::Less),
            ("▲ 1 point".to_owned(), "worse")
        );
        assert_eq!(
            said(of_seconds(0.184, 0.206)),
            ("▼ 22 ms".to_owned(), "better")
        );
        assert_eq!(
            said(of_seconds(0.184, 0.1841)),
            ("as before".to_owned(), "")
        );
    }

    #[test]
    fn a_number_and_its_unit_are_told_apart() {
        let apart = |text: &str| {
            let Amount { number, unit } = Amount::from(text.replace(' ', &NBSP.to_string()));
            (number.replace(NBSP, " "), unit)
        };
        let amount = |number: &str, unit: &str| (number.to_owned(), unit.to_owned());
        assert_eq!(apart("78 %"), amount("78", "%"));
        assert_eq!(apart("1 h 32"), amount("1 h 32", ""));
        assert_eq!(apart("–"), amount("–", ""));
    }
}
