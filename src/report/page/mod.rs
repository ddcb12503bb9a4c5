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

pub(super) use call::{Beside, Neighbours, call, single};
pub(super) use calls::{CutRow, table_row};
pub(super) use overview::overview;
pub(super) use room::room;
pub(super) use rooms::{FILE as ROOMS_FILE, rooms};

use crate::call::{Quality, Score};
use crate::metric::{MetricId, Standards, Thresholds};
use crate::units;
use serde::Serialize;
use std::borrow::Cow;

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

/// `page` in parts, with its holes filled, in their order: what many calls say is not copied each time that a template hands it on. Where
/// a hole is stands its name, such as `<rows>`: nobody's text can look like it, there `<` is escaped.
fn fill<'a, const N: usize>(
    page: &str,
    holes: [(&str, Vec<Cow<'a, [u8]>>); N],
) -> Vec<Cow<'a, [u8]>> {
    let mut parts = Vec::new();
    let mut rest = page;
    for (hole, texts) in holes {
        let found = rest.split_once(hole);
        debug_assert!(found.is_some() || texts.is_empty(), "no {hole}");
        if let Some((before, after)) = found {
            parts.push(Cow::from(before.as_bytes().to_owned()));
            parts.extend(texts);
            rest = after;
        }
    }
    parts.push(Cow::from(rest.as_bytes().to_owned()));
    parts
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
    fn holes_are_filled_once_whatever_stands_in_what_fills_them() {
        let filled = |first: &[&'static str], second: &[&'static str]| {
            let holes = [("<a>", first), ("<b>", second)];
            let holes = holes.map(|(hole, texts)| {
                let texts = texts.iter().map(|text| Cow::from(text.as_bytes()));
                (hole, texts.collect())
            });
            String::from_utf8(fill("1<a>2<b>3", holes).concat()).unwrap()
        };
        assert_eq!(filled(&["x", "y"], &["z"]), "1xy2z3");
        assert_eq!(filled(&["<b>", "<a>"], &["<a>"]), "1<b><a>2<a>3");
        assert_eq!(filled(&[], &[]), "123");
        assert_eq!(fill("", [("<a>", Vec::new())]).concat(), b"");
    }

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
