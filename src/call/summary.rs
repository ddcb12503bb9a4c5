//! What is kept of a call once its readings are let go: enough for the overview and for numbers over all calls.

use super::verdict::NAME_CHARS_MAX;
use super::{
    Assessment, Call, Delivery, Issue, IssueType, Participant, Quality, Score, Severity, Sketch,
};
use super::{room_name, shown, worst};
use crate::metric::MetricId;
use serde::{Deserialize, Serialize};

/// Names that are kept of a call.
const NAMES_MAX: usize = 12;

/// A call without its readings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallSummary {
    /// As [`Call::id`].
    pub id: String,
    /// As [`Call::room`]: any text.
    pub room: String,
    /// As [`Call::meeting_session_id`]: any text.
    pub meeting_session_id: String,
    /// As [`Call::span_ms`].
    pub span_ms: Option<(i64, i64)>,
    /// People.
    pub n_participants: usize,
    /// Time that they spent in the call, in all.
    pub participant_ms: i64,
    /// Distinct readings.
    pub n_samples: usize,
    /// Readings that were sent more than once.
    pub duplicates: u64,
    /// People whose clock was wrong or was set.
    pub clock_skewed: usize,
    /// As [`Call::delivery`].
    pub delivery: Option<Delivery>,
    /// As [`Assessment::score`].
    pub score: Option<Score>,
    /// When somebody was in trouble, in the order of [`Assessment::issues`]. A wrong clock is none.
    pub spells: Vec<Spell>,
    /// What the worst of the issues is.
    pub worst_issue: Option<IssueType>,
    /// The verdict's sentence. Any text: it may name people.
    pub sentence: String,
    /// The largest p95 of any participant, of each metric that anybody has.
    pub worst_p95: Vec<(MetricId, f64)>,
    /// Names of people who have one, each once, in order of arrival; the first of many. Any text.
    pub names: Vec<String>,
    /// Time that people of each [`Quality`] spent in the call, in the order of its variants; `participant_ms` together.
    pub quality_ms: [i64; 4],
}

/// A spell of trouble: an issue without whose it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spell {
    /// What was wrong.
    pub issue_type: IssueType,
    /// How wrong.
    pub severity: Severity,
    /// First reading of it, ms since the epoch.
    pub start_ms: i64,
    /// Last reading of it.
    pub end_ms: i64,
}

impl From<&Issue> for Spell {
    fn from(issue: &Issue) -> Spell {
        Spell {
            issue_type: issue.issue_type,
            severity: issue.severity,
            start_ms: issue.start_ms,
            end_ms: issue.end_ms,
        }
    }
}

impl CallSummary {
    /// What is kept of `call`.
    pub fn of(call: &Call, assessment: &Assessment) -> CallSummary {
        let trouble = assessment.issues.iter();
        let trouble = trouble.filter(|issue| issue.issue_type.is_trouble());
        let spans = call.participants.iter().filter_map(Participant::span_ms);
        CallSummary {
            id: call.id.clone(),
            room: call.room.clone(),
            meeting_session_id: call.meeting_session_id.clone(),
            span_ms: call.span_ms(),
            n_participants: call.participants.len(),
            participant_ms: spans
                .map(|(start, end)| end - start)
                .fold(0, i64::saturating_add),
            n_samples: call.samples(),
            duplicates: call.duplicates,
            clock_skewed: call
                .participants
                .iter()
                .filter(|participant| participant.clock.is_skewed())
                .count(),
            delivery: call.delivery(),
            score: assessment.score,
            spells: trouble.map(Spell::from).collect(),
            worst_issue: worst(&assessment.issues).map(|issue| issue.issue_type),
            sentence: assessment.verdict.sentence.clone(),
            worst_p95: worst_p95(assessment),
            names: names(call),
            quality_ms: quality_ms(call, assessment),
        }
    }

    /// The score in a word.
    pub fn quality(&self) -> Quality {
        Quality::of(self.score)
    }

    /// As [`Call::room_name`].
    pub fn room_name(&self) -> String {
        room_name(&self.room)
    }
}

fn names(call: &Call) -> Vec<String> {
    let people = call.participants.iter();
    let named = people.filter_map(|one| Some(shown(one.name.as_deref()?, NAME_CHARS_MAX)));
    let mut names: Vec<String> = Vec::new();
    for name in named.filter(|name| !name.is_empty()) {
        if names.len() < NAMES_MAX && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn quality_ms(call: &Call, assessment: &Assessment) -> [i64; 4] {
    let mut quality_ms = [0_i64; 4];
    for (participant, person) in call.participants.iter().zip(&assessment.people) {
        if let Some((start, end)) = participant.span_ms() {
            let sum = &mut quality_ms[Quality::of(person.score) as usize];
            *sum = sum.saturating_add(end - start);
        }
    }
    quality_ms
}

/// All readings of all people, of each metric that anybody has, in the order of the table.
pub fn sketches(call: &Call) -> Vec<(MetricId, Sketch)> {
    let mut measured = Vec::with_capacity(call.samples());
    let sketch = |metric: MetricId| {
        measured.clear();
        call.measured_into(metric, &mut measured);
        Some((metric, Sketch::of(&measured)?))
    };
    MetricId::all().filter_map(sketch).collect()
}

fn worst_p95(assessment: &Assessment) -> Vec<(MetricId, f64)> {
    let people = || assessment.people.iter();
    let largest = |metric: MetricId| {
        people()
            .flat_map(|person| &person.summaries)
            .filter(|(theirs, _)| *theirs == metric)
            .map(|(_, summary)| summary.p95)
            .max_by(f64::total_cmp)
    };
    MetricId::all()
        .filter_map(|metric| Some((metric, largest(metric)?)))
        .collect()
}
