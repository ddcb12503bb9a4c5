//! Charts of few numbers, drawn here so that they stand without scripts: bars of days, scores, dots of calls. Places are shares
//! of the drawing's size in percent, which is the template's to choose; words are in the font of the page.

use super::super::charts::nice;
use super::super::periods::Step;
use crate::call::{FAIR_MIN, GOOD_MIN, Quality};
use crate::metric::Unit;
use crate::units::{self, NBSP, counted};
use jiff::civil::Date;
use serde::Serialize;

/// Where the base line is, and the highest mark: words have the room below and above.
const BASE: f64 = 86.0;
const TOP: f64 = 12.0;
/// Trouble that would be too small to see is drawn this high.
const PART_MIN: f64 = 1.6;
/// Bars that all have a word above and below.
const WORDS_MAX: usize = 10;
/// Labels along time.
const LABELS_MAX: usize = 7;
/// Points of score that a bar of [`Scores`] stands for.
const SCORE_STEP: u8 = 5;
/// Half of what a value between gaps is drawn as in [`spark`].
const DASH: f64 = 1.5;
/// Those of the axis.
const SCORE_LABELS: [u8; 6] = [0, 20, 40, 60, 80, 100];

/// A drawing with its frame.
#[derive(Debug, Serialize)]
pub(super) struct Plot {
    /// What it says, for who doesn't see it.
    about: String,
    /// The same as a table: its heads and its rows. Empty where the page has such a table anyway.
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Horizontal lines with a word on their left.
    rules: Vec<Rule>,
    bars: Vec<Bar>,
    dots: Vec<Dot>,
    /// Vertical lines with a word on top.
    limits: Vec<Label>,
    /// Along the x axis.
    labels: Vec<Label>,
    /// Where the base line is.
    base: f64,
}

#[derive(Debug, Serialize)]
struct Rule {
    y: f64,
    text: String,
}

#[derive(Debug, Serialize)]
struct Label {
    x: f64,
    /// Where the text begins, ends, or has its middle: `text-anchor`.
    anchor: &'static str,
    text: String,
}

/// A bar, in parts upon each other.
#[derive(Debug, Serialize)]
struct Bar {
    x: f64,
    width: f64,
    middle: f64,
    parts: Vec<Part>,
    /// Where the word above it stands, and the word.
    top: f64,
    word: String,
    about: String,
    /// The days that it stands for, `2026-11-23`; empty for none.
    from: String,
    to: String,
}

#[derive(Debug, Serialize)]
struct Part {
    level: &'static str,
    y: f64,
    height: f64,
}

/// A call.
#[derive(Debug, Serialize)]
struct Dot {
    x: f64,
    y: f64,
    level: &'static str,
    about: String,
    page: String,
}

/// What a dot stands for.
pub(super) struct Point {
    pub(super) at_ms: i64,
    pub(super) value: f64,
    pub(super) level: &'static str,
    pub(super) about: String,
    pub(super) page: String,
}

/// What [`minutes`] says, in a sentence.
fn told(steps: &[Step]) -> String {
    let sum_ms: i64 = steps
        .iter()
        .map(|step| step.figures.totals.participant_ms())
        .sum();
    let mut told = format!(
        "{} by day, by how they were",
        counted(
            units::minutes(sum_ms),
            "participant-minute",
            "participant-minutes"
        )
    );
    let shares = steps
        .iter()
        .filter_map(|step| Some((step, step.figures.good_share()?)));
    if let Some((step, share)) = shares.min_by(|a, b| a.1.total_cmp(&b.1)) {
        told += &format!(
            "; fewest good ones: {}, with {}",
            days(step.first, step.last),
            units::quantity(Unit::Ratio, share)
        );
    }
    told
}

/// A row of the table of [`minutes`].
fn minutes_row(step: &Step) -> Vec<String> {
    let figures = &step.figures;
    let minutes = |ms: i64| units::count(units::minutes(ms));
    let qualities = [
        Quality::Good,
        Quality::Fair,
        Quality::Poor,
        Quality::Unknown,
    ];
    let mut row = vec![
        days(step.first, step.last),
        units::count(figures.totals.calls as u64),
    ];
    row.push(minutes(figures.totals.participant_ms()));
    row.extend(qualities.map(|quality| minutes(figures.totals.of_ms(quality))));
    row.push(figures.good_share().map_or_else(
        || units::MISSING.to_owned(),
        |share| units::quantity(Unit::Ratio, share),
    ));
    row
}

/// Time that people spent in calls, by day and by how it was. `None`: too few days, or nobody spent any.
pub(super) fn minutes(steps: &[Step]) -> Option<Plot> {
    let longest_ms = steps
        .iter()
        .map(|step| step.figures.totals.participant_ms())
        .max()?;
    if steps.len() < 2 || longest_ms <= 0 {
        return None;
    }
    let top = nice(longest_ms as f64 / 60_000.0);
    let slot = 100.0 / steps.len() as f64;
    let bar = |(nth, step): (usize, &Step)| {
        let figures = &step.figures;
        let mut y = BASE;
        let mut parts = Vec::new();
        // The worst at the bottom, where days can be compared.
        for (quality, level) in [
            (Quality::Poor, "poor"),
            (Quality::Fair, "fair"),
            (Quality::Unknown, "unknown"),
            (Quality::Good, "good"),
        ] {
            let minutes = figures.totals.of_ms(quality) as f64 / 60_000.0;
            if 0.0 < minutes {
                let height = (minutes / top * (BASE - TOP)).max(PART_MIN);
                y -= height;
                parts.push(Part {
                    level,
                    y: place(y),
                    height: place(height),
                });
            }
        }
        let good = figures.good_share();
        let good = good.map(|share| units::quantity(Unit::Ratio, share));
        let minutes = units::minutes(figures.totals.participant_ms());
        let mut about = format!(
            "{}: {}, {}",
            days(step.first, step.last),
            counted(figures.totals.calls as u64, "call", "calls"),
            counted(minutes, "participant-minute", "participant-minutes"),
        );
        let unknown_ms = figures.totals.of_ms(Quality::Unknown);
        let measured_ms = figures.totals.participant_ms() - unknown_ms;
        for (quality, word) in [
            (Quality::Good, "good"),
            (Quality::Fair, "fair"),
            (Quality::Poor, "poor"),
        ] {
            let share = figures.totals.of_ms(quality) as f64 / measured_ms.max(1) as f64;
            if 0.0 < share {
                about += &format!(", {} {word}", units::quantity(Unit::Ratio, share));
            }
        }
        if 0 < unknown_ms {
            about += &format!(", {} not measured", units::duration(unknown_ms));
        }
        let word = good.filter(|_| steps.len() <= WORDS_MAX);
        let x = slot * nth as f64;
        Bar {
            x: place(x + slot * 0.18),
            width: place(slot * 0.64),
            middle: place(x + slot / 2.0),
            parts,
            top: place(y),
            word: word.unwrap_or_default(),
            about,
            from: step.first.to_string(),
            to: step.last.to_string(),
        }
    };
    let every = steps.len().div_ceil(LABELS_MAX);
    let every = if steps.len() <= WORDS_MAX { 1 } else { every };
    let label = |(nth, step): (usize, &Step)| Label {
        x: place(slot * (nth as f64 + 0.5)),
        anchor: "middle",
        text: match steps.len() <= WORDS_MAX && step.first == step.last {
            true => step.first.strftime("%a %-d").to_string(),
            false => step.first.strftime("%-d %b").to_string(),
        },
    };
    Some(Plot {
        about: told(steps),
        heads: vec![
            "Day",
            "Calls",
            "Minutes",
            "Good",
            "Fair",
            "Poor",
            "Not measured",
            "Good share",
        ],
        rows: steps.iter().map(minutes_row).collect(),
        rules: rules(top, |value| units::count(value.round() as u64)),
        bars: steps.iter().enumerate().map(bar).collect(),
        dots: Vec::new(),
        limits: Vec::new(),
        labels: (0..)
            .zip(steps)
            .filter(|(nth, _)| nth % every == 0)
            .map(label)
            .collect(),
        base: BASE,
    })
}

/// How many calls had which score. `None`: fewer than two calls have one. `scores`: each with how many have it.
pub(super) fn scores(scores: &[(u8, usize)]) -> Option<Plot> {
    let all = scores.iter().map(|(_, n)| *n as u64).sum::<u64>();
    if all < 2 {
        return None;
    }
    let n_bars = 100 / SCORE_STEP;
    let mut counts = vec![0_u64; usize::from(n_bars)];
    for (score, n) in scores {
        counts[usize::from((score / SCORE_STEP).min(n_bars - 1))] += *n as u64;
    }
    let most = counts.iter().copied().max().unwrap_or(0) as f64;
    // Half of it is a whole number of calls too.
    let top = if most <= 2.0 {
        2.0
    } else {
        nice(most / 2.0).ceil() * 2.0
    };
    let width = f64::from(SCORE_STEP);
    let range = |nth: u8| match nth * SCORE_STEP {
        from if nth + 1 == n_bars => (from, 100),
        from => (from, from + SCORE_STEP - 1),
    };
    let bar = |(nth, n): (u8, &u64)| {
        let (from, last) = range(nth);
        let level = match from {
            GOOD_MIN.. => "good",
            FAIR_MIN.. => "fair",
            _ => "poor",
        };
        let height = (*n as f64 / top * (BASE - TOP)).max(PART_MIN);
        Bar {
            x: place(f64::from(from) + width * 0.05),
            width: place(width * 0.9),
            middle: place(f64::from(from) + width / 2.0),
            parts: vec![Part {
                level,
                y: place(BASE - height),
                height: place(height),
            }],
            top: place(BASE - height),
            word: String::new(),
            about: format!("Score {from} to {last}: {}", counted(*n, "call", "calls")),
            from: String::new(),
            to: String::new(),
        }
    };
    let limit = |(from, text): (u8, &str)| Label {
        x: f64::from(from),
        anchor: "start",
        text: text.to_owned(),
    };
    Some(Plot {
        about: format!(
            "Scores of {}, from 0, the worst, to 100",
            counted(all, "call", "calls")
        ),
        heads: vec!["Score", "Calls"],
        rows: (0..n_bars)
            .zip(&counts)
            .filter(|(_, n)| 0 < **n)
            .map(|(nth, n)| {
                let (from, last) = range(nth);
                vec![format!("{from}–{last}"), units::count(*n)]
            })
            .collect(),
        rules: rules(top, |value| units::count(value as u64)),
        bars: (0..n_bars)
            .zip(&counts)
            .filter(|(_, n)| 0 < **n)
            .map(bar)
            .collect(),
        dots: Vec::new(),
        limits: [(FAIR_MIN, "fair"), (GOOD_MIN, "good")].map(limit).into(),
        labels: SCORE_LABELS
            .map(|score| Label {
                x: f64::from(score),
                anchor: anchor(f64::from(score)),
                text: score.to_string(),
            })
            .into(),
        base: BASE,
    })
}

/// A dot for each call, over time. `top`: the highest value of the axis; `limits`: values with a line of their own; `days`: what to
/// write below which moments of a stretch. `None`: fewer than two.
pub(super) fn dots(
    about: String,
    points: Vec<Point>,
    top: f64,
    limits: &[f64],
    text: impl Fn(f64) -> String,
    days: impl Fn(i64, i64) -> Vec<(i64, String)>,
) -> Option<Plot> {
    let first_ms = points.iter().map(|point| point.at_ms).min()?;
    let last_ms = points.iter().map(|point| point.at_ms).max()?;
    if points.len() < 2 || first_ms == last_ms {
        return None;
    }
    let length_ms = last_ms.saturating_sub(first_ms) as f64;
    // Dots at the ends are drawn whole.
    let x_of = |share: f64| 1.5 + 97.0 * share;
    let y_of = |value: f64| BASE - (value / top).clamp(0.0, 1.0) * (BASE - TOP);
    let share = |ms: i64| ms.saturating_sub(first_ms) as f64 / length_ms;
    let label = |(ms, text): (i64, String)| Label {
        x: place(x_of(share(ms))),
        anchor: anchor(100.0 * share(ms)),
        text,
    };
    let labels = days(first_ms, last_ms).into_iter().map(label).collect();
    let mut values = vec![0.0, top];
    values.extend(limits.iter().copied().filter(|value| *value < top));
    let rule = |value: f64| Rule {
        y: place(y_of(value)),
        text: text(value),
    };
    Some(Plot {
        about,
        heads: Vec::new(),
        rows: Vec::new(),
        rules: values.into_iter().map(rule).collect(),
        bars: Vec::new(),
        dots: points
            .into_iter()
            .map(|point| Dot {
                x: place(x_of(share(point.at_ms))),
                y: place(y_of(point.value)),
                level: point.level,
                about: point.about,
                page: point.page,
            })
            .collect(),
        limits: Vec::new(),
        labels,
        base: BASE,
    })
}

/// A line through values at equal distances, in a drawing of 100 by 20: one string of points for each stretch without a gap.
/// Nothing where fewer than three are known.
pub(super) fn spark(values: &[Option<f64>]) -> Vec<String> {
    let known = || values.iter().flatten().copied();
    if known().count() < 3 {
        return Vec::new();
    }
    let low = known().fold(f64::INFINITY, f64::min);
    let high = known().fold(f64::NEG_INFINITY, f64::max);
    let scale = if low < high { 16.0 / (high - low) } else { 0.0 };
    let step = 100.0 / (values.len() - 1) as f64;
    let middle = if low < high { 0.0 } else { 8.0 };
    let mut lines = vec![String::new()];
    for (nth, value) in values.iter().enumerate() {
        match value {
            Some(value) => {
                let y = 18.0 - middle - (value - low) * scale;
                let line = lines.last_mut().expect("there is always one");
                *line += &format!("{},{} ", place(step * nth as f64), place(y));
            }
            None => lines.push(String::new()),
        }
    }
    let lines = lines.iter().map(|line| line.trim_end());
    let lines = lines.filter(|line| !line.is_empty());
    // What stands alone is a dash, or nobody would see it.
    lines
        .map(|line| match line.split_once(',') {
            Some((x, y)) if !line.contains(' ') => {
                let x: f64 = x.parse().unwrap_or(0.0);
                let (from, to) = ((x - DASH).max(0.0), (x + DASH).min(100.0));
                format!("{},{y} {},{y}", place(from), place(to))
            }
            _ => line.to_owned(),
        })
        .collect()
}

/// Days in words: `23 Nov 2026`, `17 – 23 Nov 2026`.
pub(super) fn days(first: Date, last: Date) -> String {
    let until = last.strftime("%-d %b %Y").to_string();
    let from = match first {
        _ if first == last => return until,
        _ if (first.year(), first.month()) == (last.year(), last.month()) => "%-d",
        _ if first.year() == last.year() => "%-d %b",
        _ => "%-d %b %Y",
    };
    format!("{}{NBSP}– {until}", first.strftime(from))
}

/// Lines at nothing, half and all of `top`.
fn rules(top: f64, text: impl Fn(f64) -> String) -> Vec<Rule> {
    let rule = |share: f64| Rule {
        y: place(BASE - share * (BASE - TOP)),
        text: text(top * share),
    };
    [0.0, 0.5, 1.0].map(rule).into()
}

fn anchor(percent: f64) -> &'static str {
    match percent {
        ..1.0 => "start",
        99.0.. => "end",
        _ => "middle",
    }
}

/// As exact as a screen shows it.
fn place(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_once() {
        let date = |text: &str| -> Date { text.parse().unwrap() };
        let said = |first, last| days(date(first), date(last)).replace(NBSP, " ");
        assert_eq!(said("2026-11-23", "2026-11-23"), "23 Nov 2026");
        assert_eq!(said("2026-11-17", "2026-11-23"), "17 – 23 Nov 2026");
        assert_eq!(said("2026-10-31", "2026-11-23"), "31 Oct – 23 Nov 2026");
        assert_eq!(said("2025-12-31", "2026-01-01"), "31 Dec 2025 – 1 Jan 2026");
    }

    #[test]
    fn scores_are_counted_by_fives_and_100_is_among_the_best() {
        let plot = scores(&[100, 99, 80, 79, 60, 59, 0].map(|score| (score, 1))).unwrap();
        let bars: Vec<_> = plot
            .bars
            .iter()
            .map(|bar| (bar.parts[0].level, bar.about.replace(NBSP, " ")))
            .collect();
        assert_eq!(bars[0], ("poor", "Score 0 to 4: 1 call".to_owned()));
        assert_eq!(bars[1].0, "poor");
        assert_eq!(bars[2], ("fair", "Score 60 to 64: 1 call".to_owned()));
        let (last, before) = (&bars[bars.len() - 1], &bars[bars.len() - 2]);
        assert_eq!(*last, ("good", "Score 95 to 100: 2 calls".to_owned()));
        assert_eq!(before.0, "good");
        assert!(scores(&[(50, 1)]).is_none());
    }

    #[test]
    fn a_spark_stops_where_nothing_is_known() {
        let known = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(spark(&known(&[1.0, 3.0, 2.0])), ["0,18 50,2 100,10"]);
        assert_eq!(spark(&known(&[2.0; 3])), ["0,10 50,10 100,10"]);
        assert!(spark(&known(&[1.0, 2.0])).is_empty());
        let mut gap = known(&[1.0, 1.0, 5.0, 1.0, 1.0]);
        gap[1] = None;
        assert_eq!(spark(&gap), ["0,18 1.5,18", "50,2 75,18 100,18"]);
    }
}
