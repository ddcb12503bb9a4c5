//! Daily's own judgement of a line, as far as a sample log needs it: `networkState` and its reasons from the last readings.

use crate::beacon::Reading;
use crate::metric::MetricId;

/// Share of the newest reading in the running mean; about ten readings back still count, near Daily's window of 30 s.
const NEWEST: f64 = 0.2;

/// What is judged: metric, Daily's word for it as a reason, from where on it is a warning and bad
/// (<https://docs.daily.co/reference/daily-js/instance-methods/test-call-quality>).
const JUDGED: [(&str, &str, f64, f64); 3] = [
    ("totalSendPacketLoss", "sendPacketLoss", 0.05, 0.10),
    ("totalRecvPacketLoss", "recvPacketLoss", 0.05, 0.10),
    ("networkRoundTripTime", "roundTripTime", 0.30, 0.60),
];

/// The running judgement of one participant's line.
#[derive(Default)]
pub(super) struct NetworkState {
    means: [f64; JUDGED.len()],
    /// 0 unknown, 1 good, 2 warning, 3 bad.
    level: usize,
    reasons: Vec<&'static str>,
    changed: bool,
}

impl NetworkState {
    /// Takes a reading in. Says whether the judgement is another one now, the first one aside.
    pub(super) fn observe(&mut self, reading: &Reading) -> bool {
        let mut level = 1;
        let mut reasons = Vec::new();
        for (mean, (metric, reason, warning, bad)) in self.means.iter_mut().zip(JUDGED) {
            let value = MetricId::from_wire(metric).and_then(|metric| reading.values.get(metric));
            if let Some(value) = value {
                *mean += NEWEST * (value - *mean);
            }
            if warning <= *mean {
                level = level.max(if bad <= *mean { 3 } else { 2 });
                reasons.push(reason);
            }
        }
        let is_first = self.level == 0;
        let is_other = (level, &reasons) != (self.level, &self.reasons);
        (self.level, self.reasons) = (level, reasons);
        let tell = is_other && !(is_first && level == 1);
        self.changed |= tell;
        tell
    }

    /// `networkState`.
    pub(super) fn name(&self) -> &'static str {
        ["unknown", "good", "warning", "bad"][self.level]
    }

    /// `networkStateReasons`; Daily leaves it out until [`NetworkState::has_changed`].
    pub(super) fn reasons(&self) -> &[&'static str] {
        &self.reasons
    }

    /// Whether it was ever another than at the beginning.
    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    /// `threshold`, the word of old.
    pub(super) fn threshold(&self) -> &'static str {
        ["good", "good", "low", "very-low"][self.level]
    }

    /// `quality`, the number of old, 1–100.
    pub(super) fn quality(&self) -> u8 {
        [100, 100, 62, 20][self.level]
    }
}
