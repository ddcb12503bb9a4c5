//! What a call's page draws: every metric that anybody has, over time and as a distribution, with its numbers.
//! `call-series.js` reads it, `call-panels.js` and `charts.js` show it.

use super::super::charts::{self, Frames, Range};
use super::super::data;
use super::super::thin::{self, Form, Thinned};
use super::people::Badge;
use crate::beacon::Number;
use crate::call::{Assessment, Call, Summary, counts, edges, percentiles};
use crate::metric::{Group, MetricId};
use serde::Serialize;

/// Significant digits of the numbers beside the charts; `data/` has more.
const NUMBER_DIGITS: usize = 5;

/// What the page's scripts draw from, as `call-series.js` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Charts<'a> {
    id: &'a str,
    room: &'a str,
    meeting_session_id: &'a str,
    start: i64,
    end: i64,
    /// Of each value in `v`.
    digits: usize,
    /// The report's.
    zone: &'a str,
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
    /// ms since the one before; the first one since the start of the call.
    t: Vec<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DrawnPanel {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    group: &'static str,
    unit: &'static str,
    fair: Option<f64>,
    poor: Option<f64>,
    source: Option<&'static str>,
    low: f64,
    top: f64,
    p50: f64,
    p95: f64,
    lines: Vec<DrawnLine>,
}

#[derive(Serialize)]
struct DrawnLine {
    p: usize,
    /// Packed, from `low` to `top` of the panel.
    v: String,
    /// Share of the readings in each of 20 bins from `low` to `top`, packed from 0 to 1.
    s: String,
    /// Count, missing, mean, std, min, p5, p25, p50, p75, p95, max.
    stats: [Option<Number>; 11],
}

/// Panels of all metrics that anybody has, as the JSON that the scripts read: with so many points as a page may carry.
/// `None`: nobody has any.
pub(super) fn panels(
    call: &Call,
    assessment: &Assessment,
    badges: &[Badge],
    zone: &str,
) -> Option<String> {
    let people = assessment.people.iter();
    let n_series = people.map(|person| person.summaries.len()).sum();
    let longest = call.participants.iter().map(|one| one.series.len()).max();
    let (mut points, form) = thin::points_max(n_series, longest.unwrap_or(0));
    loop {
        let charts = panels_with(call, assessment, badges, zone, (points, form))?;
        match thin::fewer(points, charts.len()) {
            Some(fewer) => points = fewer,
            None => return Some(charts),
        }
    }
}

fn panels_with(
    call: &Call,
    assessment: &Assessment,
    badges: &[Badge],
    zone: &str,
    (points, form): (usize, Form),
) -> Option<String> {
    let (start_ms, end_ms) = call.span_ms().unwrap_or_default();
    let thinned: Vec<Thinned> = call
        .participants
        .iter()
        .map(|participant| Thinned::new(&participant.series, points))
        .collect();
    let of = |group| MetricId::all().filter(move |metric| metric.def().group == group);
    let panels: Vec<DrawnPanel> = Group::ALL
        .into_iter()
        .flat_map(of)
        .filter_map(|metric| panel(metric, call, assessment, (&thinned, form)))
        .collect();
    if panels.is_empty() {
        return None;
    }
    let people = badges.iter().zip(&thinned).zip(&call.participants);
    let people = people.map(|((badge, thinned), participant)| {
        let mut last = start_ms;
        let since = |&t: &i64| t - std::mem::replace(&mut last, t);
        DrawnPerson {
            badge,
            gap: thinned.gap_ms,
            session: &participant.session_id,
            n: participant.series.len(),
            t: thinned.timestamps_ms.iter().map(since).collect(),
        }
    });
    let charts = Charts {
        id: &call.id,
        room: &call.room,
        meeting_session_id: &call.meeting_session_id,
        start: start_ms,
        end: end_ms,
        digits: form.digits(),
        zone,
        frames: charts::frames(),
        people: people.collect(),
        panels,
    };
    Some(data::json(&charts))
}

fn panel(
    metric: MetricId,
    call: &Call,
    assessment: &Assessment,
    (thinned, form): (&[Thinned], Form),
) -> Option<DrawnPanel> {
    let def = metric.def();
    let theirs = || {
        assessment
            .people
            .iter()
            .enumerate()
            .filter_map(|(at, person)| {
                let mut summaries = person.summaries.iter();
                Some((at, &summaries.find(|(found, _)| *found == metric)?.1))
            })
    };
    let min = theirs().map(|(_, s)| s.min).min_by(f64::total_cmp)?;
    let max = theirs().map(|(_, s)| s.max).max_by(f64::total_cmp)?;
    let thresholds = assessment.standards.of(metric);
    let range = Range::of(thresholds, min, max);
    let bins = edges(range.low, range.top);

    let mut pooled = Vec::new();
    let mut lines = Vec::new();
    for (at, summary) in theirs() {
        let series = &call.participants[at].series;
        let measured = series.column(metric)?.measured();
        let counts = counts(measured.iter().copied(), &bins);
        let share = |n| Some(n as f64 / summary.count as f64);
        let points = thinned[at].values(series, metric);
        lines.push(DrawnLine {
            p: at,
            v: form.packed(points.into_iter(), range.low, range.top),
            s: Form::Coarse.packed(counts.into_iter().map(share), 0.0, 1.0),
            stats: numbers(summary),
        });
        pooled.extend(measured);
    }
    let [p50, p95] = percentiles(&mut pooled, [0.50, 0.95]);
    Some(DrawnPanel {
        id: def.id,
        title: def.title,
        about: def.about,
        group: def.group.title(),
        unit: def.unit.symbol(),
        fair: thresholds.map(|t| t.fair),
        poor: thresholds.map(|t| t.poor),
        source: thresholds.map(|t| t.source),
        low: range.low,
        top: range.top,
        p50: data::rounded(p50, NUMBER_DIGITS),
        p95: data::rounded(p95, NUMBER_DIGITS),
        lines,
    })
}

fn numbers(s: &Summary) -> [Option<Number>; 11] {
    let rounded = |value| Some(Number(data::rounded(value, NUMBER_DIGITS)));
    [
        Some(Number(s.count as f64)),
        Some(Number(s.missing as f64)),
        rounded(s.mean),
        s.std.and_then(rounded),
        rounded(s.min),
        rounded(s.p5),
        rounded(s.p25),
        rounded(s.p50),
        rounded(s.p75),
        rounded(s.p95),
        rounded(s.max),
    ]
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
                values: std::array::from_fn::<_, METRIC_COUNT, _>(|metric| Some(value(metric)))
                    .into(),
            });
        }
        Participant {
            session_id: format!("s{n}"),
            name: None,
            series,
            ..Participant::default()
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
        panels(&call, &assessment, &badges, "UTC").unwrap().len()
    }

    #[test]
    fn a_page_stays_small_however_long_the_call() {
        for (n_people, hours) in [(1, 9), (3, 9), (25, 2)] {
            let bytes = bytes_of(n_people, hours);
            assert!(
                (80_000..=thin::PAGE_BYTES_MAX).contains(&bytes),
                "{n_people} people, {hours} h: {bytes} bytes"
            );
        }
    }
}
