//! The page of one call: the verdict, who was there when, every metric over time and as a distribution, and the numbers.

use super::super::charts::{self, Range};
use super::super::thin::{self, Thinned};
use super::super::{Error, data};
use super::ribbon::{Ribbon, ribbon};
use super::{Verdict, delivery, for_script, in_words, level, verdict};
use crate::call::{
    Assessment, Call, FAIR_MIN, GOOD_MIN, Issue, Participant, Person, Spell, Summary, counts,
    edges, percentile,
};
use crate::digest::fingerprint;
use crate::metric::{Group, MetricId, Unit};
use crate::site;
use crate::units::{self, counted};
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Participants with a colour of their own; everybody else shares one.
const COLOURS: usize = 8;
/// Significant digits of the points of a chart; `data/` has more.
const POINT_DIGITS: usize = 4;

/// The calls of each room in order of time, to go from one to the next.
pub(in crate::report) struct Neighbours(HashMap<String, (Option<String>, Option<String>)>);

impl Neighbours {
    /// `calls`: room, start and id of all calls.
    pub(in crate::report) fn new<'a>(
        calls: impl Iterator<Item = (&'a str, Option<i64>, &'a str)>,
    ) -> Neighbours {
        // By time, of the same time as in the list of calls.
        type Place<'a> = (Option<i64>, Reverse<&'a str>);
        let mut by_room: HashMap<&str, Vec<Place<'_>>> = HashMap::new();
        for (room, start, id) in calls {
            by_room.entry(room).or_default().push((start, Reverse(id)));
        }
        let mut neighbours = HashMap::new();
        for mut calls in by_room.into_values() {
            calls.sort_unstable();
            let id = |at: usize| calls.get(at).map(|(_, Reverse(id))| (*id).to_owned());
            for (at, (_, Reverse(own))) in calls.iter().enumerate() {
                let earlier = at.checked_sub(1).and_then(id);
                neighbours.insert((*own).to_owned(), (earlier, id(at + 1)));
            }
        }
        Neighbours(neighbours)
    }

    /// Ids of the calls before and after it in its room.
    pub(in crate::report) fn of(&self, call_id: &str) -> (Option<String>, Option<String>) {
        self.0.get(call_id).cloned().unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Page<'a> {
    root: &'static str,
    assets: String,
    version: &'static str,
    digest: String,
    room: String,
    meeting_session_id: &'a str,
    verdict: Verdict,
    sentence: &'a str,
    good_min: u8,
    fair_min: u8,
    day: String,
    span: String,
    duration: String,
    start_iso: String,
    n_people: String,
    n_samples: String,
    arrived: String,
    /// The rest of it: what was missing, repeated or late.
    arrived_odd: String,
    has_missing: bool,
    earlier: Option<String>,
    later: Option<String>,
    data_path: String,
    people: Vec<OnePerson>,
    issues: Vec<OneIssue>,
    issues_left_out: usize,
    groups: Vec<OneGroup>,
    columns: [&'static str; 11],
    charts: String,
}

/// A number badge and a name: how a page refers to a person.
#[derive(Serialize, Clone)]
struct Badge {
    /// By arrival, from 1.
    number: usize,
    /// `p1` to `p8`, or `p-rest`: names a class.
    slot: String,
    /// Any text.
    label: String,
}

#[derive(Serialize)]
struct OnePerson {
    badge: Badge,
    session_id: String,
    client: String,
    verdict: Verdict,
    present: String,
    span: String,
    ribbon: Option<Ribbon>,
    /// Beacons that never came; empty for none.
    missing: String,
    /// And what else was odd about them.
    odd: String,
}

#[derive(Serialize)]
struct OneIssue {
    time: String,
    severity: Verdict,
    badge: Badge,
    title: &'static str,
    value: String,
    lasted: String,
}

#[derive(Serialize)]
struct OneGroup {
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

/// `calls/<call-id>.html`.
pub(in crate::report) fn call(
    call: &Call,
    assessment: &Assessment,
    neighbours: &(Option<String>, Option<String>),
) -> Result<String, Error> {
    let badges: Vec<Badge> = call
        .participants
        .iter()
        .enumerate()
        .map(|(at, participant)| badge(at, participant))
        .collect();
    let (groups, charts) = groups(call, assessment, &badges);
    let charts = for_script(&charts.to_string());
    let page_of = |id: &Option<String>| id.as_ref().map(|id| format!("{id}.html"));
    let (earlier, later) = (page_of(&neighbours.0), page_of(&neighbours.1));
    let span = call.span_ms();
    let deliveries: Vec<_> = call.participants.iter().map(|p| p.delivery).collect();
    let page = Page {
        root: "../",
        assets: format!("../assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        digest: fingerprint([
            charts.as_bytes(),
            format!("{earlier:?} {later:?} {assessment:?} {deliveries:?}").as_bytes(),
        ]),
        room: call.room_name(),
        meeting_session_id: &call.meeting_session_id,
        verdict: verdict(assessment.score),
        sentence: &assessment.verdict.sentence,
        good_min: GOOD_MIN,
        fair_min: FAIR_MIN,
        day: span.map_or_else(|| units::MISSING.to_owned(), |(start, _)| units::day(start)),
        span: span.map(clock_span).unwrap_or_default(),
        duration: span.map_or_else(
            || units::MISSING.to_owned(),
            |(start, end)| units::duration(end - start),
        ),
        start_iso: span
            .map(|(start, _)| units::rfc3339(start))
            .unwrap_or_default(),
        n_people: counted(call.participants.len() as u64, "person", "people"),
        n_samples: counted(call.samples() as u64, "reading", "readings"),
        arrived: delivery::of_call(call.delivery()),
        arrived_odd: call.delivery().map(delivery::odd).unwrap_or_default(),
        has_missing: call.delivery().is_some_and(|delivery| 0 < delivery.missing),
        earlier,
        later,
        data_path: format!("../{}", data::data_path(&call.id)),
        people: people(call, assessment, &badges),
        issues: assessment
            .issues
            .iter()
            .map(|issue| one_issue(issue, &badges))
            .collect(),
        issues_left_out: assessment.issues_left_out,
        groups,
        columns: [
            "Count", "Missing", "Mean", "Std", "Min", "p5", "p25", "p50", "p75", "p95", "Max",
        ],
        charts,
    };
    Ok(site::render("report-call.html", page)?)
}

fn badge(at: usize, participant: &Participant) -> Badge {
    Badge {
        number: at + 1,
        slot: if at < COLOURS {
            format!("p{}", at + 1)
        } else {
            "p-rest".to_owned()
        },
        label: participant.label(),
    }
}

fn clock_span((start_ms, end_ms): (i64, i64)) -> String {
    format!("{}–{} UTC", units::clock(start_ms), units::clock(end_ms))
}

fn people(call: &Call, assessment: &Assessment, badges: &[Badge]) -> Vec<OnePerson> {
    let everyone = call
        .participants
        .iter()
        .zip(&assessment.people)
        .zip(badges)
        .enumerate();
    let call_ms = call.span_ms();
    let ribbon_of = |at: usize, own_ms: Option<(i64, i64)>, known: bool| {
        let theirs = assessment.issues.iter();
        let theirs = theirs.filter(|issue| issue.participant == at);
        let theirs = theirs.map(Spell::from);
        Some(ribbon(call_ms?, own_ms?, theirs, known))
    };
    everyone
        .map(|(at, ((participant, person), badge))| OnePerson {
            badge: badge.clone(),
            session_id: participant.session_id.clone(),
            client: participant
                .client
                .iter()
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join(" · "),
            verdict: verdict(person.score),
            present: participant.span_ms().map_or_else(
                || units::MISSING.to_owned(),
                |(start, end)| units::duration(end - start),
            ),
            span: participant.span_ms().map(clock_span).unwrap_or_default(),
            ribbon: ribbon_of(at, participant.span_ms(), person.score.is_some()),
            missing: delivery::missing(participant.delivery),
            odd: participant.delivery.map(delivery::odd).unwrap_or_default(),
        })
        .collect()
}

fn one_issue(issue: &Issue, badges: &[Badge]) -> OneIssue {
    let unit = issue
        .issue_type
        .metric()
        .map_or(Unit::Ratio, |metric| metric.def().unit);
    OneIssue {
        time: units::clock(issue.start_ms),
        severity: in_words(issue.severity.quality(), None),
        badge: badges[issue.participant].clone(),
        title: issue.issue_type.title(),
        value: units::quantity(unit, issue.value),
        lasted: units::duration(issue.end_ms - issue.start_ms),
    }
}

/// Panels of all metrics that anybody has, and what the charts' script reads.
fn groups(call: &Call, assessment: &Assessment, badges: &[Badge]) -> (Vec<OneGroup>, Value) {
    let n_series = assessment
        .people
        .iter()
        .map(|person| person.summaries.len())
        .sum();
    let (start_ms, end_ms) = call.span_ms().unwrap_or_default();
    let thinned: Vec<Thinned> = call
        .participants
        .iter()
        .map(|participant| Thinned::new(&participant.series, thin::points_max(n_series)))
        .collect();
    let mut groups = Vec::new();
    let mut panels_json = Vec::new();
    for group in Group::ALL {
        let mut panels = Vec::new();
        for metric in MetricId::all().filter(|metric| metric.def().group == group) {
            if let Some((panel, json)) = panel(
                metric,
                call,
                assessment,
                badges,
                &thinned,
                (start_ms, end_ms),
            ) {
                panels.push(panel);
                panels_json.push(json);
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
    let people = badges.iter().zip(&thinned).map(|(badge, thinned)| {
        json!({
            "label": badge.label, "slot": badge.slot, "number": badge.number, "gap": thinned.gap_ms,
            "t": thinned.timestamps_ms.iter().map(|t| t - start_ms).collect::<Vec<_>>(),
        })
    });
    let charts = json!({"start": start_ms, "end": end_ms, "people": people.collect::<Vec<_>>(), "panels": panels_json});
    (groups, charts)
}

fn panel(
    metric: MetricId,
    call: &Call,
    assessment: &Assessment,
    badges: &[Badge],
    thinned: &[Thinned],
    (start_ms, end_ms): (i64, i64),
) -> Option<(Panel, Value)> {
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
    let range = Range::of(def, min, max);
    let bins = edges(range.low, range.top);

    let mut pooled = Vec::new();
    let (mut lines, mut shares) = (Vec::new(), Vec::new());
    for (at, summary) in &theirs {
        let series = &call.participants[*at].series;
        let measured = series.column(metric)?.measured();
        let share = counts(measured.iter().copied(), &bins)
            .into_iter()
            .map(|n| n as f64 / summary.count as f64);
        shares.push((
            *at,
            share
                .map(|share| data::rounded(share, POINT_DIGITS))
                .collect::<Vec<f64>>(),
        ));
        let points = thinned[*at].values(series, metric).into_iter();
        let points: Vec<Option<f64>> = points
            .map(|value| value.map(|value| data::rounded(value, POINT_DIGITS)))
            .collect();
        lines.push((*at, points));
        pooled.extend(measured);
    }
    pooled.sort_by(f64::total_cmp);
    let share_max = shares
        .iter()
        .flat_map(|(_, share)| share)
        .copied()
        .fold(0.0, f64::max);
    let json = json!({
        "id": def.id, "title": def.title, "unit": def.unit.symbol(),
        "time": charts::time_series(def, range, lines.len(), start_ms, end_ms),
        "spread": charts::spread(def, range, lines.len(), share_max),
        "edges": bins.iter().map(|edge| data::rounded(*edge, POINT_DIGITS)).collect::<Vec<_>>(),
        "lines": lines.iter().zip(&shares).map(|((at, points), (_, share))| json!({"p": at, "v": points, "s": share})).collect::<Vec<_>>(),
    });

    let quantity = |value| units::quantity(def.unit, value);
    let (p50, p95) = (percentile(&pooled, 0.50), percentile(&pooled, 0.95));
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
        level: level(def.thresholds, value),
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
        thresholds: def.thresholds.map_or_else(String::new, |t| {
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
            .map(|(at, summary)| numbers_row(metric, &badges[*at], summary))
            .collect(),
    };
    Some((panel, json))
}

fn numbers_row(metric: MetricId, badge: &Badge, s: &Summary) -> NumbersRow {
    let plain = |text: String| NumbersCell { text, level: "" };
    let number = |value: f64| NumbersCell {
        text: units::quantity(metric.def().unit, value),
        level: level(metric.def().thresholds, value),
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
