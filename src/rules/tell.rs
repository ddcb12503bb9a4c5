//! Judgements as people and as programs read them. Rooms are other people's text: shown without what would steer a terminal.

use super::{Broken, Judgement, Measured, Rule};
use crate::units;
use serde::Serialize;

/// Version of the layout of the JSON.
const SCHEMA_VERSION: u32 = 1;
/// Calls that the text lists under a rule; the JSON lists all.
const LISTED_MAX: usize = 20;
/// Significant digits of values in the text.
const DIGITS: usize = 6;

/// What is told.
#[derive(Debug)]
pub struct Told<'a> {
    /// In the order given.
    pub rules: &'a [Rule],
    /// One for each rule.
    pub judgements: &'a [Judgement],
    /// The calls that were judged.
    pub calls: &'a [Measured],
    /// Calls that ended before this are not among them, ms since the epoch.
    pub since_ms: Option<i64>,
    /// Of how many it is not known when they were, and so left out.
    pub undated: usize,
    /// Lines of the log.
    pub lines: u64,
    /// Lines that are no beacons.
    pub skipped: u64,
}

impl Told<'_> {
    /// Whether no rule is broken.
    pub fn holds(&self) -> bool {
        self.judgements.iter().all(Judgement::holds)
    }
}

/// For people: a line for each rule, under a broken one the calls that break it, the worst first.
pub fn text(told: &Told<'_>) -> String {
    let mut lines = Vec::new();
    for (rule, judgement) in told.rules.iter().zip(told.judgements) {
        let Judgement {
            judged,
            absent,
            broken,
        } = judgement;
        let verdict = match (judged, broken.len()) {
            (0, _) => "no call tells".to_owned(),
            (n, 0) => format!("holds in {}", calls(*n)),
            (n, broken) => format!("broken by {broken} of {}", calls(*n)),
        };
        let absent = match absent {
            0 => String::new(),
            n => format!("; not measured in {}", calls(*n)),
        };
        let word = if broken.is_empty() {
            "ok    "
        } else {
            "BROKEN"
        };
        lines.push(format!("{word}  {}: {verdict}{absent}", rule.text));
        for one in broken.iter().take(LISTED_MAX) {
            if let Some(call) = told.calls.get(one.call) {
                let start = call
                    .span_ms
                    .map_or(units::MISSING.to_owned(), |(start, _)| {
                        units::rfc3339(start)
                    });
                let value = shortened(one.value);
                lines.push(format!(
                    "        {value:<12} {start}  {}  {}",
                    call.id,
                    call.room_name()
                ));
            }
        }
        if LISTED_MAX < broken.len() {
            lines.push(format!("        and {} more", broken.len() - LISTED_MAX));
        }
    }
    let since = told
        .since_ms
        .map(|since_ms| format!(" since {}", units::rfc3339(since_ms)));
    let undated = match told.undated {
        0 => String::new(),
        n => format!(", {} of unknown time left out", calls(n)),
    };
    lines.push(format!(
        "{}{}{undated}, {} skipped",
        calls(told.calls.len()),
        since.unwrap_or_default(),
        counted(told.skipped, "line")
    ));
    lines.join("\n") + "\n"
}

/// For programs: one object.
pub fn json(told: &Told<'_>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Outcome<'a> {
        schema_version: u32,
        holds: bool,
        since: Option<i64>,
        calls: usize,
        undated: usize,
        lines: u64,
        skipped: u64,
        rules: Vec<OneRule<'a>>,
    }
    #[derive(Serialize)]
    struct OneRule<'a> {
        rule: &'a str,
        holds: bool,
        judged: usize,
        absent: usize,
        broken: Vec<OneCall<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct OneCall<'a> {
        id: &'a str,
        room: &'a str,
        meeting_session_id: &'a str,
        start: Option<i64>,
        end: Option<i64>,
        value: f64,
    }
    fn one_rule<'a>(rule: &'a Rule, judgement: &Judgement, calls: &'a [Measured]) -> OneRule<'a> {
        let one_call = |broken: &Broken| {
            let call = calls.get(broken.call)?;
            Some(OneCall {
                id: &call.id,
                room: &call.room,
                meeting_session_id: &call.meeting_session_id,
                start: call.span_ms.map(|(start, _)| start),
                end: call.span_ms.map(|(_, end)| end),
                value: broken.value,
            })
        };
        OneRule {
            rule: &rule.text,
            holds: judgement.holds(),
            judged: judgement.judged,
            absent: judgement.absent,
            broken: judgement.broken.iter().filter_map(one_call).collect(),
        }
    }
    let outcome = Outcome {
        schema_version: SCHEMA_VERSION,
        holds: told.holds(),
        since: told.since_ms,
        calls: told.calls.len(),
        undated: told.undated,
        lines: told.lines,
        skipped: told.skipped,
        rules: told
            .rules
            .iter()
            .zip(told.judgements)
            .map(|(rule, judgement)| one_rule(rule, judgement, told.calls))
            .collect(),
    };
    serde_json::to_string(&outcome).expect("strings and numbers alone") + "\n"
}

fn calls(n: usize) -> String {
    counted(n as u64, "call")
}

/// With a plain space, for `grep`.
fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn shortened(value: f64) -> String {
    let digits = format!("{value:.*e}", DIGITS - 1);
    digits.parse::<f64>().unwrap_or(value).to_string()
}
