//! The table of all calls: a row for each, and beside the rows what a script sorts and filters them by. Texts alone are the
//! template's; what is in the data of a script is the same numbers, not yet words.

use super::super::Error;
use super::super::brief::worst_p95;
use super::ribbon::{Ribbon, ribbon};
use super::{Cell, Verdict, for_script, verdict};
use crate::call::{CallSummary, IssueType};
use crate::metric::Standards;
use crate::report::data;
use crate::report::measure::{LOSS, Measure, ROUND_TRIP};
use crate::site;
use crate::units::{self, counted};
use jiff::tz::TimeZone;
use serde::Serialize;

/// Names in a row of the table.
const NAMES_IN_ROW_MAX: usize = 3;

#[derive(Serialize)]
struct Row<'a> {
    page: String,
    room: String,
    verdict: Verdict,
    started: String,
    started_iso: String,
    duration: String,
    people: usize,
    /// Names of some who gave one, and how many there are besides, in words; empty for none.
    names: &'a [String],
    others: String,
    loss: Cell,
    round_trip: Cell,
    issue: String,
    ribbon: Option<Ribbon>,
}

/// What scripts know of a call: a list, whose places `overview-state.js` knows by name. What is not known is null.
#[derive(Serialize)]
struct Data<'a>(
    /// Its id.
    &'a str,
    /// Its room as it is shown.
    String,
    /// ms since the epoch.
    Option<i64>,
    /// The day in the calendar on which it began, such as `2026-11-23`.
    Option<String>,
    /// ms.
    Option<i64>,
    /// People.
    usize,
    Option<u8>,
    /// Its quality.
    &'static str,
    /// Loss and round-trip time of whoever fared worst.
    Option<f64>,
    Option<f64>,
    /// Ids of its issues, the worst first.
    Vec<&'static str>,
    /// The share of the call in which somebody was in trouble, 0–1.
    Option<f64>,
    /// Names of those who gave one.
    &'a [String],
);

/// `zone`: whose clock tells when it began.
fn row<'a>(call: &'a CallSummary, standards: &Standards, zone: &TimeZone) -> Row<'a> {
    let span = call.span_ms;
    let missing = || units::MISSING.to_owned();
    let (names, others) = who(call);
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
        names,
        others,
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

/// Some names of a call, and how many people besides, in words.
fn who(call: &CallSummary) -> (&[String], String) {
    let names = &call.names[..call.names.len().min(NAMES_IN_ROW_MAX)];
    let n_others = call.n_participants.saturating_sub(names.len());
    let others = match (names, n_others) {
        ([], n) => counted(n as u64, "person", "people"),
        (_, 0) => String::new(),
        (_, n) => format!("{n} more"),
    };
    (names, others)
}

/// What scripts know of a call, as JSON that can stand inside a `<script>`. `zone`: where days begin.
pub(in crate::report) fn for_scripts(call: &CallSummary, zone: &TimeZone) -> String {
    let p95 = |measure| rounded(worst_p95(call, measure)?.1);
    let issues = issue_types(call).into_iter();
    let data = Data(
        &call.id,
        call.room_name(),
        call.span_ms.map(|(start, _)| start),
        call.span_ms
            .and_then(|(start, _)| units::day_of(start, zone))
            .map(|(date, _)| date.to_string()),
        call.span_ms.map(|(start, end)| end - start),
        call.n_participants,
        call.score.map(|score| score.value()),
        call.quality().word(),
        p95(LOSS),
        p95(ROUND_TRIP),
        issues.map(IssueType::id).collect(),
        trouble(call),
        &call.names,
    );
    for_script(serde_json::to_string(&data).unwrap_or_default())
}

/// Ids and titles of all issues, as JSON.
pub(super) fn issue_titles() -> String {
    let types = IssueType::ALL.into_iter().filter(|one| one.is_trouble());
    let types: Vec<(&str, &str)> = types.map(|one| (one.id(), one.title())).collect();
    serde_json::to_string(&types).unwrap_or_default()
}

/// What was wrong in a call, each once, the worst first.
fn issue_types(call: &CallSummary) -> Vec<IssueType> {
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

fn cell(call: &CallSummary, measure: Measure, standards: &Standards) -> Cell {
    match worst_p95(call, measure) {
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
    fn scripts_get_numbers_of_a_call_and_null_for_what_is_not_known() {
        let data = |call: &CallSummary| -> serde_json::Value {
            let json = for_scripts(call, &TimeZone::UTC);
            assert!(!json.contains('<'), "{json}");
            serde_json::from_str(&json).unwrap()
        };
        let mut losses = vec![0.0; 51];
        losses[10..30].fill(0.5);
        let mut lossy = summary("</script>a", &losses);
        lossy.names = vec!["<b>".to_owned()];
        let found = data(&lossy);
        let trouble = found[11].as_f64().unwrap();
        assert!((0.3..0.6).contains(&trouble), "{trouble}");
        let score = lossy.score.map(|score| score.value());
        let expected = serde_json::json!([
            lossy.id,
            "</script>a",
            START_MS,
            "2026-11-23",
            100_000,
            1,
            score,
            "poor",
            0.5,
            null,
            ["send-packet-loss"],
            trouble,
            ["<b>"]
        ]);
        assert_eq!(found, expected);
        let unknown = summary("r", &[]);
        let expected = serde_json::json!([
            unknown.id,
            "r",
            null,
            null,
            null,
            1,
            null,
            "unknown",
            null,
            null,
            [],
            null,
            []
        ]);
        assert_eq!(data(&unknown), expected);
    }

    #[test]
    fn a_row_names_some_people_and_counts_the_others() {
        let said = |names: &[&str], n_participants| {
            let call = CallSummary {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                n_participants,
                ..CallSummary::default()
            };
            let (names, others) = who(&call);
            (names.join(" "), others.replace(units::NBSP, " "))
        };
        let expect = |names: &str, others: &str| (names.to_owned(), others.to_owned());
        assert_eq!(said(&[], 1), expect("", "1 person"));
        assert_eq!(said(&["Ana"], 1), expect("Ana", ""));
        assert_eq!(said(&["A", "B", "C", "D"], 6), expect("A B C", "3 more"));
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
