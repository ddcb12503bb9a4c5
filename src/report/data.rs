//! The files under `data/`: what a program reads of the report. Their keys are a contract (README, "Report files").

use super::gather::LogStats;
use super::holes::fill;
use super::numbers::Numbers;
use crate::beacon::Number;
use crate::call::{
    self, Assessment, Call, CallSummary, Cause, Clock, Delivery, Issue, Participant, Person,
    Presence, Quality, Score, Summary,
};
use crate::digest::fingerprint;
use crate::metric::MetricId;
use crate::units;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

mod numbers;
mod rounded;
mod series;

use numbers::OneNumbers;
pub(super) use rounded::rounded;

/// Version of the layout of both files.
const SCHEMA_VERSION: u32 = 1;

/// What stands for the readings of a participant until all else is written, see [`fill`]. No text can look like it: quotes in it are escaped, and what a
/// page says of its browser, names included, are texts and never lists.
const HOLE: &str = "\"series\":[]";
const SERIES: &str = "\"series\":";
/// What a value of a series takes, about.
const VALUE_BYTES: usize = 8;

/// Where the page of a call lies, from the report's folder.
pub(super) fn page_path(call_id: &str) -> String {
    format!("calls/{call_id}.html")
}

/// Where the page of a room lies, from the report's folder. Rooms are other people's text, so its name is a fingerprint.
pub(super) fn room_path(room: &str) -> String {
    format!("rooms/{}.html", fingerprint([room.as_bytes()]))
}

/// Where the data of a call lie, from the report's folder.
pub(super) fn data_path(call_id: &str) -> String {
    format!("data/calls/{call_id}.json")
}

/// How `data/report.json` ends behind its calls.
pub(super) const END: &[u8] = b"]}\n";

/// `data/report.json` up to its first call; behind the last one comes [`END`].
pub(super) fn report(log: &LogStats, numbers: &Numbers<'_>, generated_ms: i64) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Report<'a> {
        schema_version: u32,
        generated_at: String,
        log: Log<'a>,
        totals: OneTotals,
        thresholds: BTreeMap<&'static str, OneThresholds>,
        numbers: OneNumbers<'a>,
        /// Last: see [`END`].
        calls: [(); 0],
    }
    #[derive(Serialize)]
    struct OneThresholds {
        fair: f64,
        poor: f64,
        source: &'static str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Log<'a> {
        files: usize,
        bytes: u64,
        lines: u64,
        beacons: u64,
        samples: usize,
        duplicates: u64,
        clock_skewed: usize,
        skipped: Skipped<'a>,
        delivery: Option<OneDelivery>,
        synced: OneSynced,
    }
    #[derive(Serialize)]
    struct OneSynced {
        yes: u64,
        no: u64,
        unknown: u64,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Skipped<'a> {
        total: u64,
        by_reason: &'a BTreeMap<&'static str, u64>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct OneTotals {
        calls: usize,
        participants: usize,
        participant_seconds: f64,
    }
    let totals = &numbers.all.totals;
    let thresholds = |metric: MetricId| {
        let thresholds = numbers.standards.of(metric)?;
        let one = OneThresholds {
            fair: thresholds.fair,
            poor: thresholds.poor,
            source: thresholds.source,
        };
        Some((metric.def().id, one))
    };
    let report = Report {
        schema_version: SCHEMA_VERSION,
        generated_at: units::rfc3339(generated_ms),
        log: Log {
            files: log.files,
            bytes: log.bytes,
            lines: log.lines,
            beacons: log.beacons,
            samples: totals.samples,
            duplicates: totals.duplicates,
            clock_skewed: totals.clock_skewed,
            skipped: Skipped {
                total: log.skipped_total(),
                by_reason: &log.skipped,
            },
            delivery: totals.delivery.map(OneDelivery::from),
            synced: OneSynced {
                yes: log.synced.yes,
                no: log.synced.no,
                unknown: log.synced.unknown,
            },
        },
        totals: OneTotals {
            calls: totals.calls,
            participants: totals.participants,
            participant_seconds: totals.participant_ms() as f64 / 1e3,
        },
        thresholds: MetricId::all().filter_map(thresholds).collect(),
        numbers: OneNumbers::from(numbers),
        calls: [],
    };
    let mut head = bytes(&report);
    head.truncate(head.len() - END.trim_ascii_end().len());
    head
}

/// What `data/report.json` says of a call.
pub(super) fn entry(call: &CallSummary) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry<'a> {
        id: &'a str,
        room: &'a str,
        meeting_session_id: &'a str,
        start: Option<i64>,
        end: Option<i64>,
        participants: usize,
        samples: usize,
        quality: &'static str,
        score: Option<u8>,
        delivery: Option<OneDelivery>,
        page: String,
        data: String,
    }
    let entry = Entry {
        id: &call.id,
        room: &call.room,
        meeting_session_id: &call.meeting_session_id,
        start: call.span_ms.map(|(start, _)| start),
        end: call.span_ms.map(|(_, end)| end),
        participants: call.n_participants,
        samples: call.n_samples,
        quality: call.quality().word(),
        score: call.score.map(Score::value),
        delivery: call.delivery.map(OneDelivery::from),
        page: page_path(&call.id),
        data: data_path(&call.id),
    };
    serde_json::to_string(&entry).expect("made of finite numbers and string keys")
}

/// `data/calls/<call-id>.json`, in parts.
pub(super) fn call(call: &Call, assessment: &Assessment) -> Vec<Cow<'static, [u8]>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct File<'a> {
        schema_version: u32,
        id: &'a str,
        room: &'a str,
        meeting_session_id: &'a str,
        start: Option<i64>,
        end: Option<i64>,
        quality: &'static str,
        score: Option<u8>,
        delivery: Option<OneDelivery>,
        participants: Vec<OneParticipant<'a>>,
        issues: Vec<OneIssue<'a>>,
        verdict: Verdict<'a>,
    }
    #[derive(Serialize)]
    struct OneIssue<'a> {
        #[serde(rename = "type")]
        issue_type: &'static str,
        #[serde(rename = "sessionId")]
        session_id: &'a str,
        start: i64,
        end: i64,
        severity: &'static str,
        value: f64,
        cause: OneCause<'a>,
    }
    #[derive(Serialize)]
    struct OneCause<'a> {
        side: &'static str,
        #[serde(rename = "sessionId")]
        session_id: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Verdict<'a> {
        sentence: &'a str,
        cause: OneCause<'a>,
    }
    let session = |at: usize| {
        call.participants
            .get(at)
            .map(|participant| participant.session_id.as_str())
    };
    let cause = |cause: Cause| OneCause {
        side: cause.side.id(),
        session_id: cause.participant.and_then(session),
    };
    let issue = |issue: &Issue| OneIssue {
        issue_type: issue.issue_type.id(),
        session_id: session(issue.participant).unwrap_or_default(),
        start: issue.start_ms,
        end: issue.end_ms,
        severity: issue.severity.id(),
        value: issue.value,
        cause: cause(issue.cause),
    };
    let people = call.participants.iter().zip(&assessment.people);
    let people = people.zip(call::presence(call));
    let mut whole = json(&File {
        schema_version: SCHEMA_VERSION,
        id: &call.id,
        room: &call.room,
        meeting_session_id: &call.meeting_session_id,
        start: call.span_ms().map(|(start, _)| start),
        end: call.span_ms().map(|(_, end)| end),
        quality: Quality::of(assessment.score).word(),
        score: assessment.score.map(Score::value),
        delivery: call.delivery().map(OneDelivery::from),
        participants: people
            .map(|((participant, person), presence)| one_participant(participant, person, presence))
            .collect(),
        issues: assessment.issues.iter().map(issue).collect(),
        verdict: Verdict {
            sentence: &assessment.verdict.sentence,
            cause: cause(assessment.verdict.cause),
        },
    });
    whole.push('\n');
    let series = |participant| {
        let filling = [SERIES.as_bytes().into(), series_of(participant).into()];
        (HOLE, filling.into())
    };
    fill(&whole, call.participants.iter().map(series))
}

fn series_of(participant: &Participant) -> Vec<u8> {
    let series = &participant.series;
    let n_values = series.len() * (1 + series.metrics().count());
    let mut json = Vec::with_capacity(VALUE_BYTES * n_values);
    series::put(&mut json, series);
    json
}

#[derive(Serialize)]
struct OneDelivery {
    numbered: u64,
    missing: u64,
    repeated: u64,
    late: u64,
}

impl From<Delivery> for OneDelivery {
    fn from(delivery: Delivery) -> OneDelivery {
        let Delivery {
            numbered,
            missing,
            repeated,
            late,
        } = delivery;
        OneDelivery {
            numbered,
            missing,
            repeated,
            late,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneParticipant<'a> {
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    client: Members<'a>,
    start: Option<i64>,
    end: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_jumps: Option<usize>,
    samples: usize,
    quality: &'static str,
    score: Option<u8>,
    delivery: Option<OneDelivery>,
    presence: OnePresence,
    metrics: Metrics<'a>,
    /// A hole.
    series: [(); 0],
}

fn one_participant<'a>(
    participant: &'a Participant,
    person: &'a Person,
    presence: Presence,
) -> OneParticipant<'a> {
    let (clock_offset_ms, clock_jumps) = match participant.clock {
        Clock::Unsuspected => (None, None),
        Clock::Off { added_ms } => (Some(added_ms), None),
        Clock::Jumping { jumps, .. } => (None, Some(jumps)),
    };
    OneParticipant {
        session_id: &participant.session_id,
        name: participant.name.as_deref(),
        client: Members(&participant.client),
        start: participant.span_ms().map(|(start, _)| start),
        end: participant.span_ms().map(|(_, end)| end),
        clock_offset_ms,
        clock_jumps,
        samples: participant.series.len(),
        quality: Quality::of(person.score).word(),
        score: person.score.map(Score::value),
        delivery: participant.delivery.map(OneDelivery::from),
        presence: OnePresence::from(presence),
        metrics: Metrics(person),
        series: [],
    }
}

#[derive(Serialize)]
struct OnePresence {
    gaps: Option<Vec<OneGap>>,
    rejoins: Option<usize>,
    coverage: OneCoverage,
}

#[derive(Serialize)]
struct OneGap {
    start: i64,
    end: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneCoverage {
    by_seq: Option<f64>,
    by_time: Option<f64>,
}

impl From<Presence> for OnePresence {
    fn from(presence: Presence) -> OnePresence {
        let gap = |(start, end)| OneGap { start, end };
        OnePresence {
            gaps: presence
                .gaps
                .map(|gaps| gaps.into_iter().map(gap).collect()),
            rejoins: presence.rejoins,
            coverage: OneCoverage {
                by_seq: presence.coverage_by_seq,
                by_time: presence.coverage_by_time,
            },
        }
    }
}

struct Members<'a>(&'a [(String, String)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct Metrics<'a>(&'a Person);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a> {
            unit: &'static str,
            count: usize,
            missing: usize,
            mean: Number,
            std: Option<Number>,
            min: Number,
            p5: Number,
            p25: Number,
            p50: Number,
            p75: Number,
            p95: Number,
            max: Number,
            histogram: Histogram<'a>,
        }
        #[derive(Serialize)]
        struct Histogram<'a> {
            edges: Vec<Number>,
            counts: &'a [u64],
        }
        let mut map = serializer.serialize_map(Some(self.0.summaries.len()))?;
        for (metric, summary) in &self.0.summaries {
            let Summary {
                count,
                missing,
                mean,
                std,
                min,
                p5,
                p25,
                p50,
                p75,
                p95,
                max,
                histogram,
            } = summary;
            let one = One {
                unit: metric.def().unit.symbol(),
                count: *count,
                missing: *missing,
                mean: Number(*mean),
                std: std.map(Number),
                min: Number(*min),
                p5: Number(*p5),
                p25: Number(*p25),
                p50: Number(*p50),
                p75: Number(*p75),
                p95: Number(*p95),
                max: Number(*max),
                histogram: Histogram {
                    edges: histogram.edges.iter().copied().map(Number).collect(),
                    counts: &histogram.counts,
                },
            };
            map.serialize_entry(metric.def().id, &one)?;
        }
        map.end()
    }
}

/// `value` as JSON. Numbers are finite (beacon::VALUE_MAX) and keys are strings, so there is nothing that JSON can't hold.
pub(super) fn json(value: &impl Serialize) -> String {
    String::from_utf8(bytes(value)).expect("JSON is UTF-8")
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    // About what a call takes: growing from nothing copies it several times.
    let mut bytes = Vec::with_capacity(64 << 10);
    serde_json::to_writer(&mut bytes, value).expect("made of finite numbers and string keys");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;
    use crate::call::{Calls, assess};
    use crate::metric::Standards;

    #[test]
    fn readings_stand_where_they_belong_whatever_people_send() {
        let odd = r#"\"series\":[]"#;
        let mut calls = Calls::default();
        for (nth, session) in ["a", "b", odd].into_iter().enumerate() {
            let t = 1_795_449_870_000 + nth as i64;
            let line = format!(
                r#"{{"room":"{odd}","meetingSessionId":"{odd}","sessionId":"{session}","name":"{odd}","client":{{"series":"[]","{odd}":"{odd}"}},"stats":{{"latest":{{"timestamp":{t},"recvBitsPerSecond":{nth}}}}}}}"#
            );
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        }
        let found = &calls.finish()[0];
        let bytes = call(found, &assess(found, &Standards::default())).concat();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["room"], r#""series":[]"#);
        for (nth, person) in json["participants"].as_array().unwrap().iter().enumerate() {
            assert_eq!(person["client"]["series"], "[]");
            let values = &person["series"]["recvBitsPerSecond"];
            assert_eq!(*values, serde_json::json!([nth]));
        }
    }
}
