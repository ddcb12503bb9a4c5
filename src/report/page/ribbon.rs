//! Quality over time as a ribbon: a quiet line while it was good, taller and louder the worse it got.

use crate::call::Spell;
use serde::Serialize;

/// Units across; a template's `viewBox` has the same.
const WIDTH: f64 = 1_000.0;
/// Narrower marks could not be seen.
const MARK_MIN: f64 = 4.0;

/// A ribbon: where the line is and the marks upon it, in units of [`WIDTH`].
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Ribbon {
    /// Left end of the base line.
    pub(super) x: f64,
    /// Its length.
    pub(super) width: f64,
    /// Whether anything was measured.
    pub(super) known: bool,
    /// Spells of trouble, lighter ones first, so that worse ones are drawn over them.
    pub(super) marks: Vec<Mark>,
}

/// One spell of trouble.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Mark {
    x: f64,
    width: f64,
    /// `fair` or `poor`: names a class.
    level: &'static str,
}

/// The time from `own_ms.0` to `own_ms.1`, with `spells` of trouble, on an axis from `axis_ms.0` to `axis_ms.1`: a call on its own, a
/// person on the call's.
pub(super) fn ribbon(
    axis_ms: (i64, i64),
    own_ms: (i64, i64),
    spells: impl Iterator<Item = Spell>,
    known: bool,
) -> Ribbon {
    let (start_ms, end_ms) = axis_ms;
    let scale = WIDTH / ((end_ms - start_ms).max(1) as f64);
    let place = |ms: i64| ((ms - start_ms) as f64 * scale).clamp(0.0, WIDTH).round();
    let mut spells: Vec<Spell> = spells.collect();
    spells.sort_by_key(|spell| spell.severity);
    let mark = |spell: Spell| {
        let x = place(spell.start_ms).min(WIDTH - MARK_MIN);
        Mark {
            x,
            width: (place(spell.end_ms) - x).max(MARK_MIN),
            level: spell.severity.quality().word(),
        }
    };
    let x = place(own_ms.0).min(WIDTH - MARK_MIN);
    Ribbon {
        x,
        width: (place(own_ms.1) - x).max(MARK_MIN),
        known,
        marks: spells.into_iter().map(mark).collect(),
    }
}
