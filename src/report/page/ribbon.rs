//! Quality over time as a ribbon: a quiet line while it was good, taller and louder the worse it got.

use crate::call::{Call, Issue};
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

/// Of a call (`participant` `None`) or of one person in it. `None`: no beacon says when it was.
pub(super) fn ribbon(
    call: &Call,
    issues: &[Issue],
    participant: Option<usize>,
    known: bool,
) -> Option<Ribbon> {
    let (start_ms, end_ms) = call.span_ms()?;
    let scale = WIDTH / ((end_ms - start_ms).max(1) as f64);
    let place = |ms: i64| ((ms - start_ms) as f64 * scale).clamp(0.0, WIDTH).round();
    let (from_ms, to_ms) = match participant {
        Some(at) => call.participants.get(at)?.span_ms()?,
        None => (start_ms, end_ms),
    };
    let mut theirs: Vec<&Issue> = issues
        .iter()
        .filter(|issue| participant.is_none_or(|at| issue.participant == at))
        .collect();
    theirs.sort_by_key(|issue| issue.severity);
    let mark = |issue: &Issue| {
        let x = place(issue.start_ms).min(WIDTH - MARK_MIN);
        Mark {
            x,
            width: (place(issue.end_ms) - x).max(MARK_MIN),
            level: issue.severity.quality().word(),
        }
    };
    let x = place(from_ms).min(WIDTH - MARK_MIN);
    Some(Ribbon {
        x,
        width: (place(to_ms) - x).max(MARK_MIN),
        known,
        marks: theirs.into_iter().map(mark).collect(),
    })
}
