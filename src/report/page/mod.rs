//! What pages show: texts and numbers ready for the templates, which hold layout alone.

mod call;
mod calls;
mod delivery;
mod over_all;
mod overview;
mod panel;
mod people;
mod period;
mod plot;
mod ribbon;
mod room;
mod rooms;
mod tiles;

pub(super) use call::{Beside, call, single};
pub(super) use calls::{CutRow, for_scripts, table_row};
pub(super) use overview::{Listed, overview};
pub(super) use room::{ROOM_CALLS_MAX, room};
pub(super) use rooms::{FILE as ROOMS_FILE, rooms};

use crate::call::{Quality, Score};
use crate::metric::{MetricId, Standards, Thresholds};
use crate::units;
use serde::Serialize;

/// A quality as pages show it: a class for colour, an icon and the word; never colour alone.
#[derive(Debug, Serialize)]
struct Verdict {
    /// `good`, `fair`, `poor` or `unknown`: names a class and an icon.
    id: &'static str,
    /// Its word, with a capital.
    word: &'static str,
    /// 0–100, or nothing.
    score: Option<u8>,
}

fn verdict(score: Option<Score>) -> Verdict {
    in_words(Quality::of(score), score)
}

fn in_words(quality: Quality, score: Option<Score>) -> Verdict {
    Verdict {
        id: quality.word(),
        word: match quality {
            Quality::Good => "Good",
            Quality::Fair => "Fair",
            Quality::Poor => "Poor",
            Quality::Unknown => "Unknown",
        },
        score: score.map(Score::value),
    }
}

/// Which threshold a value is beyond: the name of a class, empty below both.
fn level(thresholds: Option<&Thresholds>, value: f64) -> &'static str {
    match thresholds {
        Some(thresholds) if thresholds.poor <= value => "poor",
        Some(thresholds) if thresholds.fair <= value => "fair",
        _ => "",
    }
}

/// A number in a table and the threshold that it is beyond.
#[derive(Serialize)]
struct Cell {
    text: String,
    level: &'static str,
}

impl Cell {
    fn of(metric: MetricId, value: f64, standards: &Standards) -> Cell {
        Cell {
            text: units::quantity(metric.def().unit, value),
            level: level(standards.of(metric), value),
        }
    }

    /// Nobody measured it.
    fn missing() -> Cell {
        Cell {
            text: units::MISSING.to_owned(),
            level: "",
        }
    }
}

/// JSON that stands inside a `<script>`: whatever a name holds, it can't end the element or begin a comment.
fn for_script(json: String) -> String {
    const ODD: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];
    // Looking for one at a time is quicker than looking at each, and most have none.
    if !ODD.iter().any(|odd| json.contains(*odd)) {
        return json;
    }
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_leave_its_script() {
        let hostile = serde_json::to_string("</script><!--<script>&\u{2028}").unwrap();
        let safe = for_script(hostile);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            "</script><!--<script>&\u{2028}"
        );
    }
}
