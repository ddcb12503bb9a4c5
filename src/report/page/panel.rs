//! Panels of a call's page: every metric that anybody has, over time and as a distribution, with its numbers; and the
//! data that the page's script draws them from.

use super::super::charts::{self, Frames, Range};
use super::super::data;
use super::super::thin::{self, Thinned};
use super::level;
use super::people::Badge;
use crate::call::{Assessment, Call, Person, Summary, counts, edges, percentile};
use crate::metric::{Group, MetricId, Thresholds, Unit};
use crate::units::{self, counted};
use serde::Serialize;

/// Significant digits of the points of a chart; `data/` has more.
const POINT_DIGITS: usize = 4;
/// Of the shares of a distribution.
const SHARE_DIGITS: usize = 3;
/// Of the numbers beside them.
const NUMBER_DIGITS: usize = 5;

#[derive(Serialize)]
pub(super) struct OneGroup {
    title: &'static str,
    shaded: bool,
    panels: Vec<Panel>,
}

#[derive(Serialize)]
struct Panel {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    facts: Vec<PanelFact>,
    missing: String,
    described: String,
    thresholds: String,
    rows: Vec<NumbersRow>,
}

#[derive(Serialize)]
struct PanelFact {
    title: &'static str,
    badge: Option<Badge>,
    value: String,
    level: &'static str,
}

#[derive(Serialize)]
struct NumbersRow {
    badge: Badge,
    cells: Vec<NumbersCell>,
}

#[derive(Serialize)]
struct NumbersCell {
    text: String,
    level: &'static str,
}

/// What the page's script draws from, as `call-series.js` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Charts<'a> {
    id: &'a str,
    room: &'a str,
    meeting_session_id: &'a str,
    start: i64,
    end: i64,
    frames: &'static Frames,
    people: Vec<DrawnPerson<'a>>,
    panels: Vec<DrawnPanel>,
}

#[derive(Serialize)]
struct DrawnPerson<'a> {
    #[serde(flatten)]
    badge: &'a Badge,
    gap: i64,
    session: &'a str,
    n: usize,
    t: Vec<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DrawnPanel {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    fair: Option<f64>,
    poor: Option<f64>,
    low: f64,
    top: f64,
    share_max: f64,
    p50: f64,
    p95: f64,
    edges: Vec<f64>,
    lines: Vec<DrawnLine>,
}

#[derive(Serialize)]
struct DrawnLine {
    p: usize,
    v: Points,
    s: Vec<f64>,
    stats: Vec<Option<f64>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Points {
    Numbers(Vec<Option<f64>>),
    Packed(String),
}

/// Titles of the columns of numbers.
pub(super) const COLUMNS: [&str; 11] = [
    "Count", "Missing", "Mean", "Std", "Min", "p5", "p25", "p50", "p75", "p95", "Max",
];

/// Panels of all metrics that anybody has, and the JSON that the charts' script reads: with so many points as a page may carry.
pub(super) fn groups(
    call: &Call,
    assessment: &Assessment,
    badges: &[Badge],
) -> (Vec<OneGroup>, String) {
    let people = assessment.people.iter();
    let n_series = people.map(|person| person.summaries.len()).sum();
    let (mut points, mut form) = (thin::points_max(n_series), Form::Numbers);
    loop {
        let (groups, charts) = groups_with(call, assessment, badges, (points, form));
        if form == Form::Numbers && thin::NUMBERS_BYTES_MAX < charts.len() {
            (points, form) = (thin::PACKED_FACTOR * points, Form::Packed);
            continue;
        }
        match thin::fewer(points, charts.len()) {
            Some(fewer) => points = fewer,
            None => return (groups, charts),
        }
    }
}

/// How points are written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// As they are, to some digits.
    Numbers,
    /// As [`thin::packed`] has them: where numbers weigh too much.
    Packed,
}

fn groups_with(
    call: &Call,
    assessment: &Assessment,
    badges: &[Badge],
    (points, form): (usize, Form),
) -> (Vec<OneGroup>, String) {
    let (start_ms, end_ms) = call.span_ms().unwrap_or_default();
    let thinned: Vec<Thinned> = call
        .participants
        .iter()
        .map(|participant| Thinned::new(&participant.series, points))
        .collect();
    let mut groups = Vec::new();
    let mut drawn = Vec::new();
    for group in Group::ALL {
        let mut panels = Vec::new();
        for metric in MetricId::all().filter(|metric| metric.def().group == group) {
            if let Some((panel, charts)) = panel(metric, call, assessment, badges, (&thinned, form))
            {
                panels.push(panel);
                drawn.push(charts);
            }
        }
        if !panels.is_empty() {
            groups.push(OneGroup {
                title: group.title(),
                shaded: panels.iter().any(|panel| !panel.thresholds.is_empty()),
                panels,
            });
        }
    }
    let people = badges.iter().zip(&thinned).zip(&call.participants);
    let people = people.map(|((badge, thinned), participant)| DrawnPerson {
        badge,
        gap: thinned.gap_ms,
        session: &participant.session_id,
        n: participant.series.len(),
        t: thinned.timestamps_ms.iter().map(|t| t - start_ms).collect(),
    });
    let charts = Charts {
        id: &call.id,
        room: &call.room,
        meeting_session_id: &call.meeting_session_id,
        start: start_ms,
        end: end_ms,
        frames: charts::frames(),
        people: people.collect(),
        panels: drawn,
    };
    // Keys are texts and numbers are finite (beacon::VALUE_MAX), so there is nothing that JSON can't hold.
    let charts = serde_json::to_string(&charts).expect("made of finite numbers and text keys");
    (groups, charts)
}

fn panel(
    metric: MetricId,
    call: &Call,
    assessment: &Assessment,
    badges: &[Badge],
    (thinned, form): (&[Thinned], Form),
) -> Option<(Panel, DrawnPanel)> {
    let def = metric.def();
    let summary = |person: &'_ Person| {
        person
            .summaries
            .iter()
            .find(|(found, _)| *found == metric)
            .map(|(_, s)| s.clone())
    };
    let theirs: Vec<(usize, Summary)> = assessment
        .people
        .iter()
        .enumerate()
        .filter_map(|(at, person)| Some((at, summary(person)?)))
        .collect();
    let min = theirs.iter().map(|(_, s)| s.min).min_by(f64::total_cmp)?;
    let max = theirs.iter().map(|(_, s)| s.max).max_by(f64::total_cmp)?;
    let thresholds = assessment.standards.of(metric);
    let range = Range::of(thresholds, min, max);
    let bins = edges(range.low, range.top);

    let mut pooled = Vec::new();
    let mut lines = Vec::new();
    for (at, summary) in &theirs {
        let series = &call.participants[*at].series;
        let measured = series.column(metric)?.measured();
        let share = counts(measured.iter().copied(), &bins)
            .into_iter()
            .map(|n| n as f64 / summary.count as f64);
        let points = thinned[*at].values(series, metric);
        lines.push(DrawnLine {
            p: *at,
            v: match form {
                Form::Numbers => {
                    let round = |value: f64| data::rounded(value, POINT_DIGITS);
                    Points::Numbers(points.iter().map(|value| value.map(round)).collect())
                }
                Form::Packed => Points::Packed(thin::packed(&points, range.low, range.top)),
            },
            s: share
                .map(|share| data::rounded(share, SHARE_DIGITS))
                .collect(),
            stats: numbers(summary),
        });
        pooled.extend(measured);
    }
    pooled.sort_by(f64::total_cmp);
    let shares = lines.iter().flat_map(|line| &line.s);
    let share_max = shares.copied().fold(0.0, f64::max);
    let (p50, p95) = (percentile(&pooled, 0.50), percentile(&pooled, 0.95));
    let drawn = DrawnPanel {
        id: def.id,
        title: def.title,
        unit: def.unit.symbol(),
        fair: thresholds.map(|t| t.fair),
        poor: thresholds.map(|t| t.poor),
        low: range.low,
        top: range.top,
        share_max,
        p50,
        p95,
        edges: bins
            .iter()
            .map(|edge| data::rounded(*edge, POINT_DIGITS))
            .collect(),
        lines,
    };

    let quantity = |value| units::quantity(def.unit, value);
    // Of a bitrate the low end hurts, of everything else the high one.
    let (extreme_title, extreme) = if def.unit == Unit::BitPerSecond {
        (
            "lowest",
            theirs
                .iter()
                .min_by(|a, b| a.1.p50.total_cmp(&b.1.p50))
                .map(|(at, s)| (*at, s.p50)),
        )
    } else {
        (
            "worst",
            theirs
                .iter()
                .max_by(|a, b| a.1.p95.total_cmp(&b.1.p95))
                .map(|(at, s)| (*at, s.p95)),
        )
    };
    let fact = |title, value| PanelFact {
        title,
        badge: None,
        value: quantity(value),
        level: level(thresholds, value),
    };
    let mut facts = vec![fact("median", p50), fact("p95", p95)];
    if let Some((at, value)) = extreme.filter(|_| 1 < theirs.len()) {
        facts.push(PanelFact {
            badge: Some(badges[at].clone()),
            ..fact(extreme_title, value)
        });
    }
    let n_missing = call
        .participants
        .iter()
        .filter(|participant| !participant.series.is_empty())
        .count()
        - theirs.len();
    let panel = Panel {
        id: def.id,
        title: def.title,
        about: def.about,
        missing: if n_missing == 0 {
            String::new()
        } else {
            format!("not reported by {n_missing}")
        },
        described: format!(
            "{} of {} over the call: median {}, 95th percentile {}, largest {}.",
            def.title,
            counted(theirs.len() as u64, "person", "people"),
            quantity(p50),
            quantity(p95),
            quantity(max)
        ),
        thresholds: thresholds.map_or_else(String::new, |t| {
            format!(
                "fair from {}, poor from {} ({})",
                quantity(t.fair),
                quantity(t.poor),
                t.source
            )
        }),
        facts,
        rows: theirs
            .iter()
            .map(|(at, summary)| numbers_row(metric, thresholds, &badges[*at], summary))
            .collect(),
    };
    Some((panel, drawn))
}

/// In the order of [`COLUMNS`].
fn numbers(s: &Summary) -> Vec<Option<f64>> {
    let all = [
        s.mean,
        f64::NAN,
        s.min,
        s.p5,
        s.p25,
        s.p50,
        s.p75,
        s.p95,
        s.max,
    ];
    let mut numbers = vec![Some(s.count as f64), Some(s.missing as f64)];
    numbers.extend(all.map(|value| (!value.is_nan()).then(|| data::rounded(value, NUMBER_DIGITS))));
    numbers[3] = s.std.map(|std| data::rounded(std, NUMBER_DIGITS));
    numbers
}

fn numbers_row(
    metric: MetricId,
    thresholds: Option<&Thresholds>,
    badge: &Badge,
    s: &Summary,
) -> NumbersRow {
    let plain = |text: String| NumbersCell { text, level: "" };
    let number = |value: f64| NumbersCell {
        text: units::quantity(metric.def().unit, value),
        level: level(thresholds, value),
    };
    let count = |value: usize| {
        if value == 0 {
            units::MISSING.to_owned()
        } else {
            units::count(value as u64)
        }
    };
    NumbersRow {
        badge: badge.clone(),
        cells: vec![
            plain(count(s.count)),
            plain(count(s.missing)),
            number(s.mean),
            plain(s.std.map_or_else(
                || units::MISSING.to_owned(),
                |std| units::quantity(metric.def().unit, std),
            )),
            number(s.min),
            number(s.p5),
            number(s.p25),
            number(s.p50),
            number(s.p75),
            number(s.p95),
            number(s.max),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::people;
    use super::*;
    use crate::beacon::Reading;
    use crate::call::{Participant, Series, assess};
    use crate::metric::METRIC_COUNT;
    use crate::metric::Standards;

    /// Everything measured, nothing alike: as heavy as readings get.
    fn participant(n: usize, hours: i64) -> Participant {
        let mut series = Series::default();
        for at in 0..hours * 1_800 {
            let value =
                |metric: usize| ((at * 7_919 + metric as i64 * 104_729) % 99_991) as f64 / 1e6;
            series.push(&Reading {
                timestamp_ms: 1_795_449_870_000 + at * 2_000 + n as i64,
                values: std::array::from_fn::<_, METRIC_COUNT, _>(|metric| Some(value(metric))),
            });
        }
        Participant {
            session_id: format!("s{n}"),
            name: None,
            client: Vec::new(),
            received_ms: None,
            delivery: None,
            clock_off_ms: None,
            series,
        }
    }

    fn bytes_of(n_people: usize, hours: i64) -> usize {
        let call = Call {
            id: "id".to_owned(),
            room: "room".to_owned(),
            meeting_session_id: "m".to_owned(),
            participants: (0..n_people).map(|n| participant(n, hours)).collect(),
            duplicates: 0,
        };
        let assessment = assess(&call, &Standards::default());
        let badges = people::badges(&call, &assessment);
        groups(&call, &assessment, &badges).1.len()
    }

    #[test]
    fn a_page_stays_small_however_long_the_call() {
        for (n_people, hours) in [(1, 9), (3, 9), (25, 2)] {
            let bytes = bytes_of(n_people, hours);
            assert!(
                (100_000..=thin::PAGE_BYTES_MAX).contains(&bytes),
                "{n_people} people, {hours} h: {bytes} bytes"
            );
        }
    }
}
