//! The table of all calls: a row for each, and beside the rows what a script sorts and filters them by. Texts alone are the
//! template's; what is in the data of a script is the same numbers, not yet words.

use super::super::Error;
use super::ribbon::{Ribbon, ribbon};
use super::{Cell, Verdict, for_script, verdict};
use crate::call::{CallSummary, IssueType};
use crate::metric::{MetricId, Standards};
use crate::report::data;
use crate::report::periods::{LOSS, ROUND_TRIP};
use crate::site;
use crate::units::{self, counted};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

/// Names in a row of the table.
const NAMES_IN_ROW_MAX: usize = 3;

#[derive(Serialize)]
struct Row {
    page: String,
    room: String,
    verdict: Verdict,
    started: String,
    started_iso: String,
    duration: String,
    people: usize,
    who: String,
    loss: Cell,
    round_trip: Cell,
    issue: String,
    ribbon: Option<Ribbon>,
}

/// What scripts know of the calls, in the order of the rows. Each list has one entry a call; what is not known is null.
#[derive(Serialize)]
struct Data<'a> {
    id: Vec<&'a str>,
    /// Places in `rooms`.
    room: Vec<usize>,
    rooms: Vec<String>,
    /// ms since the epoch.
    start: Vec<Option<i64>>,
    /// The day in the calendar on which it began: a place in `days`.
    day: Vec<Option<usize>>,
    /// Such as `2026-11-23`.
    days: Vec<String>,
    duration: Vec<Option<i64>>,
    people: Vec<usize>,
    score: Vec<Option<u8>>,
    quality: Vec<&'static str>,
    loss: Vec<Option<f64>>,
    rtt: Vec<Option<f64>>,
    /// Places in `types`, the worst issue first.
    issues: Vec<Vec<usize>>,
    /// The share of the call in which somebody was in trouble, 0–1.
    trouble: Vec<Option<f64>>,
    /// Places in `names` of those who gave one.
    who: Vec<Vec<usize>>,
    names: Vec<&'a str>,
    /// Ids and titles of all issues that any call has.
    types: Vec<(&'static str, &'static str)>,
}

/// `zone`: whose clock tells when it began.
fn row(call: &CallSummary, standards: &Standards, zone: &TimeZone) -> Row {
    let span = call.span_ms;
    let missing = || units::MISSING.to_owned();
    Row {
        page: data::page_path(&call.id),
        room: call.room_name(),
        verdict: verdict(call.score),
        started: span.map_or_else(missing, |(start, _)| units::day_and_clock_in(start, zone)),
        started_iso: span
            .map(|(start, _)| units::rfc3339(start))
            .unwrap_or_default(),
        duration: span.map_or_else(missing, |(start, end)| units::duration(end - start)),
        people: call.n_participants,
        who: who(call),
        loss: cell(call, LOSS, standards),
        round_trip: cell(call, ROUND_TRIP, standards),
        issue: match (call.worst_issue, call.score) {
            (Some(issue_type), _) => issue_type.title().to_owned(),
            (None, None) => "nothing measured".to_owned(),
            (None, Some(_)) => missing(),
        },
        ribbon: span.map(|span| {
            let spells = call.spells.iter().copied();
            ribbon(span, span, spells, call.score.is_some())
        }),
    }
}

/// A call as a row of a table, as HTML, cut where the tables of all calls and of one room differ.
#[derive(Debug)]
pub(in crate::report) struct CutRow {
    html: String,
}

impl CutRow {
    /// Its first cell, what follows in the table of all calls, what follows in that of one room, all the other cells.
    pub(in crate::report) fn parts(&self) -> [&str; 4] {
        let mut parts = self.html.split(CUT);
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    }
}

/// Where the template cuts a row. Nobody's text can look like it: there `<` is escaped.
const CUT: &str = "<cut>";

/// A call's row.
pub(in crate::report) fn table_row(
    call: &CallSummary,
    standards: &Standards,
    zone: &TimeZone,
) -> Result<CutRow, Error> {
    let mut html = site::render("report-row.html", row(call, standards, zone))?;
    html.push('\n');
    Ok(CutRow { html })
}

/// Some names of a call, and how many people besides.
fn who(call: &CallSummary) -> String {
    let named: Vec<&str> = call
        .names
        .iter()
        .take(NAMES_IN_ROW_MAX)
        .map(String::as_str)
        .collect();
    match (named.len(), call.n_participants.saturating_sub(named.len())) {
        (0, n) => counted(n as u64, "person", "people"),
        (_, 0) => named.join(", "),
        (_, n) => format!("{}, {n} more", named.join(", ")),
    }
}

/// The data of all calls as JSON that can stand inside a `<script>`. `zone`: where days begin.
pub(super) fn for_scripts(calls: &[&CallSummary], zone: &TimeZone) -> String {
    let types: BTreeSet<IssueType> = calls.iter().copied().flat_map(issue_types).collect();
    let types: Vec<IssueType> = types.into_iter().collect();
    let all = calls.iter().flat_map(|call| &call.names);
    let all: HashSet<&str> = all.map(String::as_str).collect();
    let mut names: Vec<&str> = all.into_iter().collect();
    names.sort_unstable();
    let places: HashMap<&str, usize> = names.iter().copied().zip(0..).collect();
    let who = |call: &CallSummary| {
        let theirs = call.names.iter();
        let theirs = theirs.filter_map(|name| places.get(name.as_str()));
        theirs.copied().collect()
    };
    let column = |metrics| {
        calls
            .iter()
            .map(move |call| rounded(worst_p95(call, metrics)?.1))
    };
    let (mut rooms, mut days) = (Places::default(), Places::default());
    let day = |call: &&CallSummary| {
        let (date, start_ms) = units::day_of(call.span_ms?.0, zone)?;
        Some(days.of(start_ms, || date.to_string()))
    };
    let data = Data {
        id: calls.iter().map(|call| call.id.as_str()).collect(),
        room: calls
            .iter()
            .map(|call| rooms.of(call.room.as_str(), || call.room_name()))
            .collect(),
        rooms: rooms.values,
        start: calls.iter().map(|call| Some(call.span_ms?.0)).collect(),
        day: calls.iter().map(day).collect(),
        days: days.values,
        duration: calls
            .iter()
            .map(|call| call.span_ms.map(|(start, end)| end - start))
            .collect(),
        people: calls.iter().map(|call| call.n_participants).collect(),
        score: calls
            .iter()
            .map(|call| call.score.map(|score| score.value()))
            .collect(),
        quality: calls.iter().map(|call| call.quality().word()).collect(),
        loss: column(LOSS).collect(),
        rtt: column(ROUND_TRIP).collect(),
        issues: calls
            .iter()
            .map(|call| {
                let theirs = issue_types(call).into_iter();
                theirs
                    .filter_map(|one| types.binary_search(&one).ok())
                    .collect()
            })
            .collect(),
        trouble: calls.iter().copied().map(trouble).collect(),
        who: calls.iter().copied().map(who).collect(),
        names,
        types: types.iter().map(|one| (one.id(), one.title())).collect(),
    };
    for_script(serde_json::to_string(&data).unwrap_or_default())
}

/// What many calls have in common, each once, in the order in which it was met.
#[derive(Debug)]
struct Places<K> {
    by_key: HashMap<K, usize>,
    values: Vec<String>,
}

impl<K> Default for Places<K> {
    fn default() -> Places<K> {
        Places {
            by_key: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl<K: Eq + Hash> Places<K> {
    /// The place of what `key` stands for, which is asked for once.
    fn of(&mut self, key: K, value: impl FnOnce() -> String) -> usize {
        *self.by_key.entry(key).or_insert_with(|| {
            self.values.push(value());
            self.values.len() - 1
        })
    }
}

/// What was wrong in a call, each once, the worst first.
pub(super) fn issue_types(call: &CallSummary) -> Vec<IssueType> {
    let mut types: Vec<IssueType> = call.worst_issue.into_iter().collect();
    for spell in &call.spells {
        if !types.contains(&spell.issue_type) {
            types.push(spell.issue_type);
        }
    }
    let n_worst = usize::from(call.worst_issue.is_some());
    types[n_worst..].sort_unstable();
    types
}

/// The share of the call in which somebody was in trouble. `None`: nothing was measured.
fn trouble(call: &CallSummary) -> Option<f64> {
    let (start_ms, end_ms) = call.span_ms?;
    call.score?;
    let mut spells: Vec<(i64, i64)> = call
        .spells
        .iter()
        .map(|spell| (spell.start_ms, spell.end_ms))
        .collect();
    spells.sort_unstable();
    let (mut sum_ms, mut until_ms) = (0_i64, i64::MIN);
    for (from_ms, to_ms) in spells {
        let from_ms = from_ms.max(until_ms);
        sum_ms = sum_ms.saturating_add(to_ms.saturating_sub(from_ms).max(0));
        until_ms = until_ms.max(to_ms);
    }
    rounded(sum_ms as f64 / end_ms.saturating_sub(start_ms).max(1) as f64)
}

/// As exact as anybody needs it, in few digits.
fn rounded(value: f64) -> Option<f64> {
    let value = (value * 1e6).round() / 1e6;
    value.is_finite().then_some(value)
}

/// Of a call: the largest p95 of any participant in any of `metrics`.
pub(super) fn worst_p95(call: &CallSummary, metrics: &[MetricId]) -> Option<(MetricId, f64)> {
    let theirs = call.worst_p95.iter().copied();
    let theirs = theirs.filter(|(metric, _)| metrics.contains(metric));
    theirs.max_by(|a, b| a.1.total_cmp(&b.1))
}

fn cell(call: &CallSummary, metrics: &[MetricId], standards: &Standards) -> Cell {
    match worst_p95(call, metrics) {
        Some((metric, value)) => Cell::of(metric, value, standards),
        None => Cell::missing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;
    use crate::call::{self, Calls};

    const START_MS: i64 = 1_795_435_200_000;

    /// One call: readings every 2 s with this loss.
    fn summary(room: &str, losses: &[f64]) -> CallSummary {
        let mut calls = Calls::default();
        for (nth, loss) in losses.iter().enumerate() {
            let t = START_MS + 2_000 * nth as i64;
            let line = format!(
                r#"{{"room":{},"meetingSessionId":"m","sessionId":"s","stats":{{"latest":{{"timestamp":{t},"totalSendPacketLoss":{loss}}}}}}}"#,
                serde_json::to_string(room).unwrap()
            );
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        }
        let line = r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{}}"#;
        if losses.is_empty() {
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        }
        let call = &calls.finish()[0];
        CallSummary::of(call, &call::assess(call, &Standards::default()))
    }

    #[test]
    fn scripts_get_a_row_of_numbers_for_each_call_and_null_for_what_is_not_known() {
        let mut losses = vec![0.0; 51];
        losses[10..30].fill(0.5);
        let again = summary("</script>a", &losses);
        let calls = [summary("</script>a", &losses), summary("r", &[]), again];
        let json = for_scripts(&calls.each_ref(), &TimeZone::UTC);
        assert!(!json.contains('<'), "{json}");
        let data: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(data["room"], serde_json::json!([0, 1, 0]));
        assert_eq!(data["rooms"], serde_json::json!(["</script>a", "r"]));
        assert_eq!(data["day"], serde_json::json!([0, null, 0]));
        assert_eq!(data["days"], serde_json::json!(["2026-11-23"]));
        assert_eq!(data["loss"], serde_json::json!([0.5, null, 0.5]));
        assert_eq!(
            data["duration"],
            serde_json::json!([100_000, null, 100_000])
        );
        assert_eq!(data["quality"][1], "unknown");
        assert_eq!(
            data["types"],
            serde_json::json!([["send-packet-loss", "Upload loss"]])
        );
        assert_eq!(data["issues"], serde_json::json!([[0], [], [0]]));
        let trouble = data["trouble"][0].as_f64().unwrap();
        assert!((0.3..0.6).contains(&trouble), "{trouble}");
        assert!(data["trouble"][1].is_null());
    }

    #[test]
    fn a_row_names_some_people_and_counts_the_others() {
        let said = |names: &[&str], n_participants| {
            let call = CallSummary {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                n_participants,
                ..CallSummary::default()
            };
            who(&call).replace(units::NBSP, " ")
        };
        assert_eq!(said(&[], 1), "1 person");
        assert_eq!(said(&["Ana"], 1), "Ana");
        assert_eq!(said(&["A", "B", "C", "D"], 6), "A, B, C, 3 more");
    }

    #[test]
    fn a_row_is_whole_in_each_table_whatever_people_are_called() {
        let mut call = summary("<cut><cut>", &[0.5; 51]);
        call.names = vec!["<cut></td>".to_owned()];
        let row = table_row(&call, &Standards::default(), &TimeZone::UTC).unwrap();
        let [first, of_all, of_room, others] = row.parts();
        assert!(first.starts_with("<tr><td>") && first.ends_with("</td>"));
        assert!(others.starts_with("<td ") && others.ends_with("</td></tr>\n"));
        for (middle, named) in [
            (of_all, "&lt;cut&gt;&lt;cut&gt;"),
            (of_room, "&lt;cut&gt;&lt;/td&gt;"),
        ] {
            assert!(
                middle.starts_with("<th ") && middle.ends_with("</td>"),
                "{middle}"
            );
            assert!(middle.contains(named), "{middle}");
        }
    }

    #[test]
    fn spells_of_several_people_at_once_are_one_time_of_trouble() {
        let mut losses = vec![0.0; 51];
        losses[10..30].fill(0.5);
        let mut call = summary("r", &losses);
        let alone = trouble(&call);
        call.spells = call.spells.repeat(3);
        assert_eq!(trouble(&call), alone);
    }
}
