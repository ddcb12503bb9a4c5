//! Rules and calls to judgements.

use super::{Aggregate, Rule, Value, Whole};
use crate::call::{Assessment, Call, Score, assess, percentile, room_name, sorted};
use crate::metric::Standards;

/// How the calls fare under one rule.
#[derive(Debug, PartialEq)]
pub struct Judgement {
    /// Calls that tell the value.
    pub judged: usize,
    /// Calls that do not.
    pub absent: usize,
    /// Those of the judged that break the rule, the worst first, of equally bad ones in the order of the calls.
    pub broken: Vec<Broken>,
}

impl Judgement {
    /// Whether no call breaks it.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }
}

/// A call that breaks a rule.
#[derive(Debug, PartialEq)]
pub struct Broken {
    /// Its place in the calls that were judged.
    pub call: usize,
    /// In the metric's unit.
    pub value: f64,
}

/// What is compared of one call, and what is told of it.
#[derive(Debug, Clone)]
pub struct Measured {
    /// As [`Call::id`].
    pub id: String,
    /// As [`Call::room`].
    pub room: String,
    /// As [`Call::meeting_session_id`].
    pub meeting_session_id: String,
    /// As [`Call::span_ms`].
    pub span_ms: Option<(i64, i64)>,
    /// For each rule. `None`: nothing tells it.
    values: Vec<Option<f64>>,
}

impl Measured {
    /// Of `call`, as far as `rules` ask for it.
    pub fn of(call: Call, rules: &[Rule], standards: &Standards) -> Measured {
        let needs_assessment = |rule: &Rule| {
            let wholes = [Whole::Score, Whole::Issues].map(Value::Whole);
            wholes.contains(&rule.value)
        };
        let is_assessed = rules.iter().any(needs_assessment);
        let assessment = is_assessed.then(|| assess(&call, standards));
        let value = |rule: &Rule| value(rule.value, &call, assessment.as_ref());
        Measured {
            values: rules.iter().map(value).collect(),
            span_ms: call.span_ms(),
            id: call.id,
            room: call.room,
            meeting_session_id: call.meeting_session_id,
        }
    }

    /// As [`Call::room_name`].
    pub fn room_name(&self) -> String {
        room_name(&self.room)
    }
}

/// A call of the logs, by when it was.
#[derive(Debug)]
pub enum Found {
    /// To be judged.
    Judged(Measured),
    /// Nobody knows when it was.
    Undated,
    /// It ended before.
    Before,
}

impl Found {
    /// Measures `call` if it ended since `since_ms`, in ms since the epoch. `None`: whenever it was.
    pub fn of(call: Call, since_ms: Option<i64>, rules: &[Rule], standards: &Standards) -> Found {
        match (since_ms, call.span_ms()) {
            (Some(_), None) => Found::Undated,
            (Some(since_ms), Some((_, end_ms))) if end_ms < since_ms => Found::Before,
            _ => Found::Judged(Measured::of(call, rules, standards)),
        }
    }
}

/// Judges all `calls` by each of `rules`, those by which they were measured: one judgement for each rule, in their order.
pub fn judge(rules: &[Rule], calls: &[Measured]) -> Vec<Judgement> {
    let new = |_| Judgement {
        judged: 0,
        absent: 0,
        broken: Vec::new(),
    };
    let mut judgements: Vec<Judgement> = rules.iter().map(new).collect();
    for (at, call) in calls.iter().enumerate() {
        let by_rule = rules.iter().zip(&mut judgements).zip(&call.values);
        for ((rule, judgement), value) in by_rule {
            match *value {
                None => judgement.absent += 1,
                Some(value) => {
                    judgement.judged += 1;
                    if !rule.comparison.holds(value, rule.limit) {
                        judgement.broken.push(Broken { call: at, value });
                    }
                }
            }
        }
    }
    for (rule, judgement) in rules.iter().zip(&mut judgements) {
        let badness = |broken: &Broken| rule.comparison.badness(broken.value, rule.limit);
        let worst_first = |a: &Broken, b: &Broken| badness(b).total_cmp(&badness(a));
        judgement.broken.sort_by(worst_first);
    }
    judgements
}

/// `None`: nothing tells it.
fn value(of: Value, call: &Call, assessment: Option<&Assessment>) -> Option<f64> {
    match of {
        Value::Of(aggregate, metric) => {
            let mut measured = Vec::new();
            call.measured_into(metric, &mut measured);
            aggregated(aggregate, measured)
        }
        Value::Whole(Whole::Participants) => Some(call.participants.len() as f64),
        Value::Whole(Whole::Duration) => {
            let (start_ms, end_ms) = call.span_ms()?;
            Some((end_ms - start_ms) as f64 / 1e3)
        }
        Value::Whole(Whole::Score) => assessment?.score.map(|score: Score| score.value().into()),
        // Without a reading nobody knows of any issue, nor that there was none.
        Value::Whole(Whole::Issues) if call.samples() == 0 => None,
        Value::Whole(Whole::Issues) => {
            let assessment = assessment?;
            Some((assessment.issues.len() + assessment.issues_left_out) as f64)
        }
    }
}

fn aggregated(aggregate: Aggregate, measured: Vec<f64>) -> Option<f64> {
    let values = sorted(measured);
    let (first, last) = (*values.first()?, *values.last()?);
    Some(match aggregate {
        Aggregate::Percentile(percent) => percentile(&values, f64::from(percent) / 100.0),
        Aggregate::Min => first,
        Aggregate::Max => last,
        Aggregate::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Aggregate::Count => values.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;
    use crate::call::Calls;

    /// Calls whose one person had such round-trip times, one reading each 2 s; newest first.
    fn calls(of: &[&[f64]]) -> Vec<Call> {
        let mut calls = Calls::default();
        for (nth, values) in of.iter().enumerate() {
            for (at, value) in values.iter().enumerate() {
                let t = 1_795_449_870_000 - 1_000_000 * nth as i64 + 2_000 * at as i64;
                let line = format!(
                    r#"{{"room":"r","meetingSessionId":"{nth}","sessionId":"s","stats":{{"latest":{{"timestamp":{t},"networkRoundTripTime":{value}}}}}}}"#
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
            if values.is_empty() {
                let line = format!(
                    r#"{{"room":"r","meetingSessionId":"{nth}","sessionId":"s","stats":{{}}}}"#
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
        }
        calls.finish()
    }

    /// `(judged, absent, broken calls with their values)`.
    fn judged(rule: &str, calls: &[Call]) -> (usize, usize, Vec<(usize, f64)>) {
        let rule = Rule::parse(rule).unwrap();
        let rules = [rule];
        let measured = |call: &Call| Measured::of(call.clone(), &rules, &Standards::default());
        let calls: Vec<Measured> = calls.iter().map(measured).collect();
        let judgement = judge(&rules, &calls).remove(0);
        let broken = judgement.broken.iter().map(|one| (one.call, one.value));
        (judgement.judged, judgement.absent, broken.collect())
    }

    #[test]
    fn a_call_without_the_value_neither_holds_nor_breaks() {
        let calls = calls(&[&[0.1, 0.2], &[]]);
        for rule in [
            "max(networkRoundTripTime) < 9",
            "score > 0",
            "issues == 0",
            "duration >= 0",
        ] {
            assert_eq!(judged(rule, &calls), (1, 1, vec![]), "{rule}");
        }
        let none = "count(audioRecvJitter) > 5";
        assert_eq!(judged(none, &calls), (0, 2, vec![]));
        assert_eq!(judged("participants == 1", &calls), (2, 0, vec![]));
    }

    #[test]
    fn the_worst_comes_first_and_the_limit_itself_decides_by_the_comparison() {
        let calls = calls(&[&[0.3], &[0.1], &[0.5], &[0.3]]);
        let time = |rule: &str| judged(&format!("max(networkRoundTripTime) {rule}"), &calls).2;
        assert_eq!(time("< 0.3"), [(2, 0.5), (0, 0.3), (3, 0.3)]);
        assert_eq!(time("<= 0.3"), [(2, 0.5)]);
        assert_eq!(time("> 0.3"), [(1, 0.1), (0, 0.3), (3, 0.3)]);
        assert_eq!(time(">= 0.3"), [(1, 0.1)]);
        // 0.5 is further from 0.3 than 0.1 is, as numbers of a machine go.
        assert_eq!(time("== 0.3"), [(2, 0.5), (1, 0.1)]);
        assert_eq!(time("!= 0.3"), [(0, 0.3), (3, 0.3)]);
    }

    #[test]
    fn aggregates_are_exact() {
        let calls = calls(&[&[0.4, 0.1, 0.2, 0.3]]);
        for (aggregate, expect) in [
            ("min", 0.1),
            ("max", 0.4),
            ("mean", 0.25),
            ("median", 0.25),
            ("count", 4.0),
            ("p25", 0.175),
            ("p99", 0.397),
        ] {
            let rule = format!("{aggregate}(networkRoundTripTime) < -1");
            let (_, _, broken) = judged(&rule, &calls);
            assert!(
                (broken[0].1 - expect).abs() < 1e-12,
                "{aggregate} {broken:?}"
            );
        }
        assert_eq!(judged("duration < 0", &calls).2, [(0, 6.0)]);
    }
}
