//! Whether somebody was there all the time, and how much of what was sent has come: silences, returns, coverage.
//!
//! By the readings' own instants and the numbers of beacons alone. Where those do not tell, nothing is said: `None`, not 0.

use super::{Call, Participant};
use std::collections::BTreeMap;

/// A silence so many times the usual interval is a gap.
const GAP_INTERVALS: i64 = 3;
/// No shorter silence is a gap.
const GAP_MIN_MS: i64 = 10_000;
/// Between fewer readings nobody knows what is usual.
const READINGS_MIN: usize = 3;

/// How continuously one participant was there.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// Silences, by start: the last instant before and the first one after, ms since the epoch. `None`: too few readings to tell.
    pub gaps: Option<Vec<(i64, i64)>>,
    /// How often the same name had been in the call before, under sessions that ended before this one began. `None`: no name.
    pub rejoins: Option<usize>,
    /// Beacons that arrived, of those that were sent as far as their numbers tell. 0–1. `None`: not numbered.
    pub coverage_by_seq: Option<f64>,
    /// Readings that are there, of those that the usual interval would have put between the first and the last. 0–1.
    /// `None`: too few readings to tell.
    pub coverage_by_time: Option<f64>,
}

/// One for each of [`Call::participants`], in their order.
pub fn presence(call: &Call) -> Vec<Presence> {
    let mut ends_ms: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for participant in &call.participants {
        if let (Some(name), Some((_, end_ms))) = (&participant.name, participant.span_ms()) {
            ends_ms.entry(name).or_default().push(end_ms);
        }
    }
    for ends_ms in ends_ms.values_mut() {
        ends_ms.sort_unstable();
    }
    let rejoins = |participant: &Participant| {
        let ends_ms = ends_ms.get(participant.name.as_deref()?)?;
        let (start_ms, _) = participant.span_ms()?;
        Some(ends_ms.partition_point(|end_ms| *end_ms < start_ms))
    };
    let one = |participant: &Participant| {
        let timestamps_ms = participant.series.timestamps_ms();
        Presence {
            gaps: gaps(timestamps_ms),
            rejoins: rejoins(participant),
            coverage_by_seq: participant
                .delivery
                .map(|delivery| delivery.arrived() as f64 / delivery.sent() as f64),
            coverage_by_time: coverage(timestamps_ms),
        }
    };
    call.participants.iter().map(one).collect()
}

/// A longer silence between two of these readings is a gap, in ms.
pub fn gap_ms(timestamps_ms: &[i64]) -> i64 {
    // Daily's own interval where nothing tells another.
    let usual_ms = usual_interval_ms(timestamps_ms).unwrap_or(2_000);
    (GAP_INTERVALS * usual_ms).max(GAP_MIN_MS)
}

/// The median time between two readings.
fn usual_interval_ms(timestamps_ms: &[i64]) -> Option<i64> {
    let pairs = timestamps_ms.windows(2);
    let mut intervals_ms: Vec<i64> = pairs.map(|pair| pair[1] - pair[0]).collect();
    intervals_ms.sort_unstable();
    intervals_ms.get(intervals_ms.len() / 2).copied()
}

fn gaps(timestamps_ms: &[i64]) -> Option<Vec<(i64, i64)>> {
    if timestamps_ms.len() < READINGS_MIN {
        return None;
    }
    let gap_ms = gap_ms(timestamps_ms);
    let pairs = timestamps_ms.windows(2).map(|pair| (pair[0], pair[1]));
    Some(
        pairs
            .filter(|(before, after)| gap_ms < after - before)
            .collect(),
    )
}

fn coverage(timestamps_ms: &[i64]) -> Option<f64> {
    if timestamps_ms.len() < READINGS_MIN {
        return None;
    }
    let span_ms = timestamps_ms.last()? - timestamps_ms.first()?;
    let usual_ms = usual_interval_ms(timestamps_ms)?.max(1);
    let expected = (span_ms as f64 / usual_ms as f64 + 0.5).floor() + 1.0;
    Some((timestamps_ms.len() as f64 / expected).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::super::Calls;
    use super::*;
    use crate::beacon::parse;

    const T: i64 = 1_795_449_870_000;

    /// `(session, name, seconds of readings)`.
    fn present(people: &[(&str, Option<&str>, &[i64])]) -> Vec<Presence> {
        let mut calls = Calls::default();
        for (session, name, seconds) in people {
            for (seq, second) in seconds.iter().enumerate() {
                let name = name.map_or(String::new(), |name| format!(r#","name":"{name}""#));
                let line = format!(
                    r#"{{"room":"r","meetingSessionId":"m","sessionId":"{session}"{name},"seq":{},"stats":{{"latest":{{"timestamp":{}}}}}}}"#,
                    2 * seq,
                    T + 1_000 * second
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
        }
        presence(&calls.finish()[0])
    }

    #[test]
    fn a_silence_far_longer_than_usual_is_a_gap() {
        let seconds = [0, 15, 30, 75, 90, 136, 151];
        let one = &present(&[("s", None, &seconds)])[0];
        // Three times the usual 15 s is not longer than that.
        assert_eq!(one.gaps, Some(vec![(T + 90_000, T + 136_000)]));
        assert_eq!(one.coverage_by_time, Some(7.0 / 11.0));
        assert_eq!(one.rejoins, None);
        // Readings every 2 s: 10 s are needed.
        let one = &present(&[("s", None, &[0, 2, 4, 14, 16, 27])])[0];
        assert_eq!(one.gaps, Some(vec![(T + 16_000, T + 27_000)]));
    }

    #[test]
    fn two_readings_tell_of_no_gap_and_every_other_number_of_one_lost() {
        let one = &present(&[("s", None, &[0, 3_600])])[0];
        assert_eq!((one.gaps.clone(), one.coverage_by_time), (None, None));
        assert_eq!(one.coverage_by_seq, Some(2.0 / 3.0));
        let steady = &present(&[("s", None, &[0, 2, 4])])[0];
        assert_eq!(steady.gaps, Some(vec![]));
        assert_eq!(steady.coverage_by_time, Some(1.0));
    }

    #[test]
    fn who_comes_back_under_the_same_name_has_rejoined() {
        let people = present(&[
            ("a", Some("Ana"), &[0, 2]),
            ("b", Some("Ana"), &[10, 12]),
            // At the same time as the second: somebody else of that name, or another window.
            ("c", Some("Ana"), &[11, 20]),
            ("d", Some("Ana"), &[40]),
            ("e", Some("Bob"), &[50]),
            ("f", None, &[60]),
        ]);
        let rejoins: Vec<_> = people.iter().map(|one| one.rejoins).collect();
        assert_eq!(rejoins, [Some(0), Some(1), Some(1), Some(3), Some(0), None]);
    }

    #[test]
    fn without_numbers_and_readings_nothing_is_said() {
        let mut calls = Calls::default();
        let line = r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{}}"#;
        calls.add(&parse(line.as_bytes()).unwrap(), 0);
        let nothing = Presence {
            gaps: None,
            rejoins: None,
            coverage_by_seq: None,
            coverage_by_time: None,
        };
        assert_eq!(presence(&calls.finish()[0]), [nothing]);
        assert_eq!(gap_ms(&[]), 10_000);
    }
}
