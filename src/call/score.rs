//! How good it was, 0 to 100, from what was measured and from nothing else.
//!
//! Each reading is scored in parts, audio, video and network, as far as any input of a part is there; a participant and a call
//! are as good as half their mean and half their worst tenth, and never good where somebody's worst twentieth was poor: who had to
//! leave the room to be heard does not call that good. The audio part has the shape and constants of ITU-T G.107
//! (the E-model) and is an estimate. Bitrates are no input: a muted camera is not a fault. No input at all: unknown.

use super::describe::{percentile, sorted};
use super::series::Series;
use crate::metric::MetricId;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::LazyLock;

/// From this score on it was good.
pub const GOOD_MIN: u8 = 80;
/// From this score on it was fair, below poor.
pub const FAIR_MIN: u8 = 60;

/// One reading of so many that is poor keeps the whole from being good.
const POOR_SHARE: usize = 20;

/// 0 (unusable) to 100; the audio scale ends at 4.5 of 5, so that 98 is the best there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Score(u8);

impl Score {
    /// The number.
    pub fn value(self) -> u8 {
        self.0
    }

    /// The same, but not good.
    pub(super) fn fair_at_most(self) -> Score {
        Score(self.0.min(GOOD_MIN - 1))
    }
}

/// A score in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Nothing was measured.
    Unknown,
    /// From [`GOOD_MIN`].
    Good,
    /// From [`FAIR_MIN`].
    Fair,
    /// Below.
    Poor,
}

impl Quality {
    /// Band of a score; the rounded one, so that a page never shows "80, fair".
    pub fn of(score: Option<Score>) -> Quality {
        match score {
            None => Quality::Unknown,
            Some(Score(value)) if GOOD_MIN <= value => Quality::Good,
            Some(Score(value)) if FAIR_MIN <= value => Quality::Fair,
            Some(_) => Quality::Poor,
        }
    }

    /// As data files spell it.
    pub fn word(self) -> &'static str {
        match self {
            Quality::Unknown => "unknown",
            Quality::Good => "good",
            Quality::Fair => "fair",
            Quality::Poor => "poor",
        }
    }
}

/// Scores of the readings of a participant that hold any input, 0–100 each.
pub(super) fn readings(series: &Series) -> Vec<f64> {
    readings_of(series, 0..series.len()).collect()
}

/// The same, of those between two instants.
pub(super) fn readings_within(
    series: &Series,
    start_ms: i64,
    end_ms: i64,
) -> impl Iterator<Item = f64> {
    readings_of(series, series.within(start_ms, end_ms))
}

fn readings_of(series: &Series, range: Range<usize>) -> impl Iterator<Item = f64> {
    let inputs = &*INPUTS;
    range.filter_map(move |at| {
        let get = |metric: MetricId| series.value(metric, at);
        let rtt_s = get(inputs.round_trip);
        overall(&[
            lower(
                audio(
                    get(inputs.audio_recv_loss).or(get(inputs.recv_loss)),
                    get(inputs.audio_recv_jitter),
                    rtt_s,
                ),
                audio(
                    get(inputs.audio_send_loss).or(get(inputs.send_loss)),
                    get(inputs.audio_send_jitter),
                    rtt_s,
                ),
            ),
            lower(
                video(get(inputs.video_recv_loss)),
                video(get(inputs.video_send_loss)),
            ),
            network(
                higher(get(inputs.recv_loss), get(inputs.send_loss)),
                rtt_s,
                higher(get(inputs.audio_recv_jitter), get(inputs.audio_send_jitter)),
            ),
        ])
    })
}

/// The score of many readings together, of one person or of all: half their mean, half their 10th percentile.
pub(super) fn together(readings: Vec<f64>) -> Option<Score> {
    if readings.is_empty() {
        return None;
    }
    let mean = readings.iter().sum::<f64>() / readings.len() as f64;
    let value = 0.5 * mean + 0.5 * percentile(&sorted(readings), 0.10);
    Some(Score((value + 0.5).floor().clamp(0.0, 100.0) as u8))
}

/// Whether a twentieth of one person's readings or more was poor: too much for a call to be called good.
pub(super) fn is_poor_at_times(readings: &[f64]) -> bool {
    let n_poor = readings.iter().filter(|&&one| one < f64::from(FAIR_MIN));
    !readings.is_empty() && readings.len() <= POOR_SHARE * n_poor.count()
}

struct Inputs {
    audio_recv_loss: MetricId,
    audio_send_loss: MetricId,
    video_recv_loss: MetricId,
    video_send_loss: MetricId,
    recv_loss: MetricId,
    send_loss: MetricId,
    audio_recv_jitter: MetricId,
    audio_send_jitter: MetricId,
    round_trip: MetricId,
}

static INPUTS: LazyLock<Inputs> = LazyLock::new(|| {
    let metric = |id| MetricId::from_wire(id).expect("a row of the table, as a test asserts");
    Inputs {
        audio_recv_loss: metric("audioRecvPacketLoss"),
        audio_send_loss: metric("audioSendPacketLoss"),
        video_recv_loss: metric("videoRecvPacketLoss"),
        video_send_loss: metric("videoSendPacketLoss"),
        recv_loss: metric("totalRecvPacketLoss"),
        send_loss: metric("totalSendPacketLoss"),
        audio_recv_jitter: metric("audioRecvJitter"),
        audio_send_jitter: metric("audioSendJitter"),
        round_trip: metric("networkRoundTripTime"),
    }
});

fn lower(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).min_by(f64::total_cmp)
}

fn higher(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).max_by(f64::total_cmp)
}

/// Half the worst part, half their mean, of the parts that are known.
fn overall(parts: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = parts.iter().copied().flatten().collect();
    let worst = known.iter().copied().min_by(f64::total_cmp)?;
    Some(0.5 * worst + 0.5 * known.iter().sum::<f64>() / known.len() as f64)
}

/// Audio of one direction, 0–100: [`audio_mos`] on a percent scale.
fn audio(loss: Option<f64>, jitter_s: Option<f64>, rtt_s: Option<f64>) -> Option<f64> {
    if loss.is_none() && jitter_s.is_none() && rtt_s.is_none() {
        return None;
    }
    // Without the jitter buffer's own figure: 40 ms and twice the jitter, or 60 ms where that is unknown too.
    let buffer_ms = jitter_s.map_or(60.0, |s| 40.0 + 2.0 * ms(s));
    Some((audio_mos(loss, buffer_ms, rtt_s.map_or(0.0, ms)) - 1.0) / 3.5 * 100.0)
}

/// Mean opinion score, 1 to 4.5, by the E-model (ITU-T G.107): base 93.2, delay impairment, and loss with Bpl 20.
fn audio_mos(loss: Option<f64>, buffer_ms: f64, rtt_ms: f64) -> f64 {
    let delay_ms = 20.0 + buffer_ms + rtt_ms / 2.0;
    let by_delay = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
    let percent = loss.map_or(0.0, percent);
    let by_loss = 95.0 * percent / (percent + 20.0);
    mos(93.2 - by_delay - by_loss)
}

/// The E-model's rating R as a mean opinion score; outside 0–100 its cubic is not to be trusted.
fn mos(r: f64) -> f64 {
    if r <= 0.0 {
        1.0
    } else if 100.0 <= r {
        4.5
    } else {
        (1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r)).clamp(1.0, 4.5)
    }
}

/// Video of one direction, 0–100. Daily gives its loss alone: neither freezes nor frame rates.
fn video(loss: Option<f64>) -> Option<f64> {
    let value = 5.0 - (percent(loss?) / 10.0).min(1.0);
    Some((value - 1.0) / 4.0 * 100.0)
}

/// The network itself, 0–100.
fn network(loss: Option<f64>, rtt_s: Option<f64>, jitter_s: Option<f64>) -> Option<f64> {
    if loss.is_none() && rtt_s.is_none() && jitter_s.is_none() {
        return None;
    }
    let percent = loss.map_or(0.0, percent);
    let by_loss = 50.0 * percent / (percent + 5.0);
    let by_delay = 30.0 * ((rtt_s.map_or(0.0, ms) - 100.0) / 500.0).clamp(0.0, 1.0);
    let by_jitter = 20.0 * ((jitter_s.map_or(0.0, ms) - 20.0) / 80.0).clamp(0.0, 1.0);
    Some((100.0 - by_loss - by_delay - by_jitter).max(0.0))
}

fn percent(share: f64) -> f64 {
    (share * 100.0).clamp(0.0, 100.0)
}

fn ms(seconds: f64) -> f64 {
    (seconds * 1_000.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::Reading;
    use crate::beacon::Values;

    fn near(got: f64, expect: f64) {
        assert!((got - expect).abs() < 0.005, "{got} is not {expect}");
    }

    #[test]
    fn audio_follows_the_worked_values_by_loss() {
        for (loss, expect) in [
            (0.0, 4.361),
            (0.01, 4.241),
            (0.02, 4.107),
            (0.03, 3.967),
            (0.05, 3.686),
            (0.10, 3.061),
            (0.20, 2.235),
            (0.50, 1.348),
        ] {
            near(audio_mos(Some(loss), 50.0, 50.0), expect);
        }
    }

    #[test]
    fn audio_follows_the_worked_values_by_round_trip() {
        for (rtt_ms, expect) in [
            (0.0, 4.374),
            (150.0, 4.332),
            (160.0, 4.329),
            (170.0, 4.326),
            (300.0, 4.140),
            (400.0, 3.886),
            (600.0, 3.260),
            (1_000.0, 1.888),
            (1_500.0, 1.0),
        ] {
            near(audio_mos(None, 50.0, rtt_ms), expect);
        }
    }

    #[test]
    fn ratings_follow_the_worked_values() {
        for (r, expect) in [
            (93.2, 4.409),
            (80.0, 4.024),
            (70.0, 3.597),
            (60.0, 3.1),
            (50.0, 2.575),
            (0.0, 1.0),
            (-20.0, 1.0),
            (100.0, 4.5),
            (130.0, 4.5),
        ] {
            near(mos(r), expect);
        }
    }

    #[test]
    fn network_follows_the_worked_values() {
        for (loss, expect) in [
            (0.0, 100.0),
            (0.01, 91.67),
            (0.02, 85.71),
            (0.03, 81.25),
            (0.05, 75.0),
            (0.10, 66.67),
            (0.20, 60.0),
            (0.50, 54.55),
        ] {
            near(network(Some(loss), None, None).unwrap(), expect);
        }
        for (rtt_s, expect) in [
            (0.0, 100.0),
            (0.15, 97.0),
            (0.16, 96.4),
            (0.17, 95.8),
            (0.3, 88.0),
            (0.4, 82.0),
            (0.6, 70.0),
            (1.0, 70.0),
            (1.5, 70.0),
        ] {
            near(network(None, Some(rtt_s), None).unwrap(), expect);
        }
        for (jitter_s, expect) in [(0.03, 97.5), (0.05, 92.5), (0.1, 80.0)] {
            near(network(None, None, Some(jitter_s)).unwrap(), expect);
        }
    }

    /// Without a figure of the jitter buffer. Video by its loss alone: nobody tells us of freezes.
    #[test]
    fn whole_calls_follow_the_worked_values() {
        for (rtt_s, jitter_s, loss, of_audio, of_network) in [
            (0.040, 0.005, 0.001, 4.353, 99.02),
            (0.060, 0.015, 0.05, 3.658, 75.0),
            (0.620, 0.030, 0.005, 2.721, 62.95),
            (0.300, 0.060, 0.25, 1.139, 36.33),
        ] {
            let percent_of = |mos: f64| (mos - 1.0) / 3.5 * 100.0;
            let got = audio(Some(loss), Some(jitter_s), Some(rtt_s)).unwrap();
            assert!(
                (got - percent_of(of_audio)).abs() < 0.02,
                "{got} {of_audio}"
            );
            near(
                network(Some(loss), Some(rtt_s), Some(jitter_s)).unwrap(),
                of_network,
            );
        }
        let whole = |rtt_s, jitter_s, loss| {
            let values = [
                ("networkRoundTripTime", rtt_s),
                ("audioRecvJitter", jitter_s),
                ("audioRecvPacketLoss", loss),
                ("videoRecvPacketLoss", loss),
                ("totalRecvPacketLoss", loss),
            ];
            one(&values).unwrap()
        };
        near(whole(0.040, 0.005, 0.001), 96.99);
        let satellite = whole(0.620, 0.030, 0.005);
        near(satellite, 59.72);
        assert_eq!(
            Quality::of(together(vec![satellite])),
            Quality::Fair,
            "shown as 60"
        );
    }

    /// Each is an answer of somebody else's score that is wrong, and ours.
    #[test]
    fn known_wrong_answers_are_not_ours() {
        // A misplaced bracket in the delay: from 2.16 to 4.50.
        near(audio_mos(Some(0.2), 50.0, 160.0), 2.168);
        near(audio_mos(Some(0.2), 50.0, 170.0), 2.162);
        // Video that no loss hurts.
        near(video(Some(0.0)).unwrap(), 100.0);
        near(video(Some(0.5)).unwrap(), 75.0);
        // A share fed to a formula in percent: 4.13 at a loss of 90 %.
        for (loss, expect) in [(0.0, 4.374), (0.1, 3.092), (0.5, 1.369), (0.9, 1.098)] {
            near(audio_mos(Some(loss), 50.0, 0.0), expect);
        }
        // Counts instead of shares: two lost packets are not the same of 100 and of 752.
        near(audio_mos(Some(2.0 / 100.0), 50.0, 50.0), 4.107);
        near(audio_mos(Some(2.0 / 752.0), 50.0, 50.0), 4.331);
        // A delay that hardly matters: 3.93 at 600 ms, 5.00 at 1,500.
        near(audio_mos(None, 40.0 + 2.0 * 30.0, 600.0), 2.913);
        near(audio_mos(None, 50.0, 600.0), 3.260);
        near(audio_mos(None, 40.0 + 2.0 * 50.0, 1_500.0), 1.0);
        // Silence taken for a fault: 0 at 6 kbit/s.
        let quiet = |bps| {
            one(&[
                ("audioSendBitsPerSecond", bps),
                ("totalSendPacketLoss", 0.0),
            ])
        };
        assert_eq!(quiet(6_000.0), quiet(32_000.0));
        // Seconds taken for milliseconds: 600 ms would be as good as none.
        assert!(one(&[("networkRoundTripTime", 0.6)]).unwrap() < 80.0);
    }

    #[test]
    fn many_readings_are_as_bad_as_their_worst_tenth() {
        let scores = |good: usize, bad: usize| [vec![97.0; good], vec![7.0; bad]].concat();
        assert_eq!(together(scores(19, 1)).unwrap().value(), 95);
        assert_eq!(together(scores(15, 5)).unwrap().value(), 41);
        assert_eq!(together(vec![]), None);
    }

    #[test]
    fn a_twentieth_of_poor_readings_is_too_much() {
        let scores = |good: usize, bad: usize| [vec![97.0; good], vec![55.0; bad]].concat();
        assert!(!is_poor_at_times(&[]));
        assert!(!is_poor_at_times(&scores(20, 1)));
        assert!(is_poor_at_times(&scores(19, 1)));
        assert!(
            is_poor_at_times(&scores(1_900, 100)),
            "however often it was measured"
        );
        let capped = |good, bad| together(scores(good, bad)).unwrap().fair_at_most().value();
        assert_eq!((capped(19, 1), capped(1, 19)), (GOOD_MIN - 1, 56));
    }

    fn one(values: &[(&str, f64)]) -> Option<f64> {
        let mut reading = Reading {
            timestamp_ms: 1,
            values: Values::default(),
        };
        for (id, value) in values {
            reading
                .values
                .set(MetricId::from_wire(id).unwrap(), Some(*value));
        }
        let mut series = Series::default();
        series.push(&reading);
        readings(&series).first().copied()
    }

    #[test]
    fn nothing_measured_is_unknown_and_bitrates_judge_nothing() {
        assert_eq!(one(&[]), None);
        assert_eq!(
            one(&[("sendBitsPerSecond", 0.0), ("videoSendBitsPerSecond", 0.0)]),
            None
        );
        assert_eq!(Quality::of(None), Quality::Unknown);
    }

    #[test]
    fn rows_of_2022_are_judged_by_their_total_loss() {
        let lossless = one(&[("totalRecvPacketLoss", 0.0), ("videoRecvPacketLoss", 0.0)]).unwrap();
        let lossy = one(&[("totalRecvPacketLoss", 0.2), ("videoRecvPacketLoss", 0.2)]).unwrap();
        assert!(95.0 < lossless && lossy < 60.0, "{lossless} {lossy}");
    }

    #[test]
    fn bands_go_by_the_number_that_is_shown() {
        let quality = |value: f64| Quality::of(together(vec![value]));
        assert_eq!(quality(79.5), Quality::Good);
        assert_eq!(quality(79.4), Quality::Fair);
        assert_eq!(quality(59.4), Quality::Poor);
    }

    proptest::proptest! {
        #[test]
        fn scores_are_bounded_and_never_rise_with_what_is_worse(loss in -0.5..1.5_f64, rtt in -1.0..5.0_f64, jitter in -1.0..2.0_f64, more in 0.0..0.5_f64) {
            let score = |loss, rtt, jitter| one(&[("totalRecvPacketLoss", loss), ("networkRoundTripTime", rtt), ("audioRecvJitter", jitter)]).unwrap();
            let here = score(loss, rtt, jitter);
            proptest::prop_assert!((0.0..=100.0).contains(&here));
            for worse in [score(loss + more, rtt, jitter), score(loss, rtt + more, jitter), score(loss, rtt, jitter + more)] {
                proptest::prop_assert!(worse <= here + 1e-9, "{} {}", worse, here);
            }
        }
    }
}
