//! THE table of metrics: what is measured, in which unit, how it is titled and judged.
//!
//! Parsing, panels, axes, summary tables and the README follow from [`METRICS`]; a new metric is one row here.
//! Nothing in this module reads a file, a clock or a socket.

use serde::{Deserialize, Serialize};

/// Number of rows in [`METRICS`], and so of columns in a series.
pub const METRIC_COUNT: usize = METRICS.len();

/// A row of the table, by position. Cheap to copy, and an index into every column store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MetricId(u8);

impl From<MetricId> for u8 {
    fn from(metric: MetricId) -> u8 {
        metric.0
    }
}

impl TryFrom<u8> for MetricId {
    type Error = &'static str;

    fn try_from(row: u8) -> Result<MetricId, &'static str> {
        if usize::from(row) < METRIC_COUNT {
            Ok(MetricId(row))
        } else {
            Err("no row of the table of metrics")
        }
    }
}

impl MetricId {
    /// The metric that the wire calls `name`, by Daily's name or by a known alias. `None`: not a metric of ours.
    pub fn from_wire(name: &str) -> Option<MetricId> {
        MetricId::all().find(|id| id.def().id == name || id.def().alias == Some(name))
    }

    /// The metric of Daily's name `id`. For constants: where there is none, the program is not built.
    pub const fn named(id: &str) -> MetricId {
        let mut row = 0;
        while row < METRIC_COUNT {
            if is_same(METRICS[row].id.as_bytes(), id.as_bytes()) {
                return MetricId(row as u8);
            }
            row += 1;
        }
        panic!("no metric of that name")
    }

    /// All metrics, in the order in which pages show them.
    pub fn all() -> impl Iterator<Item = MetricId> {
        (0..METRIC_COUNT as u8).map(MetricId)
    }

    /// The row itself.
    pub fn def(self) -> &'static Metric {
        &METRICS[self.index()]
    }

    /// Position in the table, `0..METRIC_COUNT`.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// As `==`, which constants may not use.
const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// What one metric is.
#[derive(Debug)]
pub struct Metric {
    /// Daily's name in `getNetworkStats().stats.latest`, kept in every file and page.
    pub id: &'static str,
    /// Another spelling seen on the wire (daily-python and the bots built on it).
    pub alias: Option<&'static str>,
    /// What a person calls it.
    pub title: &'static str,
    /// What it says, in one line.
    pub about: &'static str,
    /// Unit on the wire and in every file.
    pub unit: Unit,
    /// Where it stands on a call page.
    pub group: Group,
    /// From where on it is fair and poor, or `None` where the value alone judges nothing.
    pub thresholds: Option<&'static Thresholds>,
}

/// Base units: what is on the wire is what is in the files. Scaling is for eyes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bits per second.
    BitPerSecond,
    /// A share, 0 to 1.
    Ratio,
    /// Seconds.
    Second,
}

impl Unit {
    /// The unit as data files spell it.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::BitPerSecond => "bit/s",
            Unit::Ratio => "ratio",
            Unit::Second => "s",
        }
    }
}

/// Sections of a call page, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What is lost or late, audio and video together.
    LossAndDelay,
    /// How much flows.
    Bitrate,
    /// The same, for audio and for video alone.
    AudioAndVideo,
}

impl Group {
    /// All groups, in page order.
    pub const ALL: [Group; 3] = [Group::LossAndDelay, Group::Bitrate, Group::AudioAndVideo];

    /// Heading of the section.
    pub fn title(self) -> &'static str {
        match self {
            Group::LossAndDelay => "Loss and delay",
            Group::Bitrate => "Bitrate",
            Group::AudioAndVideo => "Audio and video apart",
        }
    }
}

/// Where a metric stops being good. Values at or above `fair` are fair, at or above `poor` are poor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// In the metric's unit.
    pub fair: f64,
    /// In the metric's unit.
    pub poor: f64,
    /// Who says so.
    pub source: &'static str,
}

/// The thresholds in force: those of the table, unless others were set.
#[derive(Debug, Clone, PartialEq)]
pub struct Standards([Option<Thresholds>; METRIC_COUNT]);

impl Default for Standards {
    fn default() -> Standards {
        Standards(std::array::from_fn(|row| METRICS[row].thresholds.copied()))
    }
}

impl Standards {
    /// Those of a metric. `None`: its value alone judges nothing.
    pub fn of(&self, metric: MetricId) -> Option<&Thresholds> {
        self.0[metric.index()].as_ref()
    }

    /// Sets others for a metric that the table judges.
    ///
    /// # Errors
    ///
    /// In words, where they make no sense.
    pub fn set(&mut self, metric: MetricId, fair: f64, poor: f64) -> Result<(), &'static str> {
        let Some(thresholds) = &mut self.0[metric.index()] else {
            return Err("its value alone judges nothing: a low bitrate may be a muted camera");
        };
        if !(fair.is_finite() && poor.is_finite() && 0.0 < fair) {
            return Err("thresholds are above 0");
        }
        if poor < fair {
            return Err("`poor` is below `fair`");
        }
        *thresholds = Thresholds {
            fair,
            poor,
            source: "set by --thresholds",
        };
        Ok(())
    }
}

/// Daily's own limits of packet loss, as its call-quality test uses them.
const LOSS: Thresholds = Thresholds {
    fair: 0.05,
    poor: 0.10,
    source: "Daily testCallQuality()",
};
/// Daily's own limits of the round-trip time, as its call-quality test uses them.
const ROUND_TRIP: Thresholds = Thresholds {
    fair: 0.300,
    poor: 0.600,
    source: "Daily testCallQuality()",
};
/// No published limit for jitter is Daily's; these follow Microsoft's call quality dashboard (30 ms is poor audio) and rtcstats (50 ms).
const JITTER: Thresholds = Thresholds {
    fair: 0.030,
    poor: 0.050,
    source: "derived from Microsoft CQD and rtcstats",
};

const fn row(
    id: &'static str,
    title: &'static str,
    about: &'static str,
    unit: Unit,
    group: Group,
    thresholds: Option<&'static Thresholds>,
) -> Metric {
    Metric {
        id,
        alias: None,
        title,
        about,
        unit,
        group,
        thresholds,
    }
}

use Group::{AudioAndVideo, Bitrate, LossAndDelay};
use Unit::{BitPerSecond, Ratio, Second};

/// Every metric of `getNetworkStats().stats.latest` (daily-js 0.92.2), in page order.
/// Source of names, units and meanings: <https://docs.daily.co/reference/daily-js/instance-methods/get-network-stats>.
#[rustfmt::skip] // a table is read by the column
pub static METRICS: [Metric; 18] = [
    row("totalSendPacketLoss", "Packet loss, sent", "Share of outgoing packets that did not arrive", Ratio, LossAndDelay, Some(&LOSS)),
    row("totalRecvPacketLoss", "Packet loss, received", "Share of incoming packets that did not arrive", Ratio, LossAndDelay, Some(&LOSS)),
    row("networkRoundTripTime", "Round-trip time", "To the media server and back", Second, LossAndDelay, Some(&ROUND_TRIP)),
    row("sendBitsPerSecond", "Bitrate, sent", "Audio, video and screen, with their overhead", BitPerSecond, Bitrate, None),
    Metric {
        alias: Some("receiveBitsPerSecond"),
        ..row("recvBitsPerSecond", "Bitrate, received", "Audio, video and screen, with their overhead", BitPerSecond, Bitrate, None)
    },
    row("videoSendBitsPerSecond", "Video bitrate, sent", "Camera and screen, payload alone", BitPerSecond, Bitrate, None),
    row("videoRecvBitsPerSecond", "Video bitrate, received", "Cameras and screens, payload alone", BitPerSecond, Bitrate, None),
    row("availableOutgoingBitrate", "Available to send", "What congestion control would let through", BitPerSecond, Bitrate, None),
    row("videoSendPacketLoss", "Video loss, sent", "Share of outgoing video packets that did not arrive", Ratio, AudioAndVideo, Some(&LOSS)),
    row("videoRecvPacketLoss", "Video loss, received", "Share of incoming video packets that did not arrive", Ratio, AudioAndVideo, Some(&LOSS)),
    row("audioSendPacketLoss", "Audio loss, sent", "Share of outgoing audio packets that did not arrive", Ratio, AudioAndVideo, Some(&LOSS)),
    row("audioRecvPacketLoss", "Audio loss, received", "Share of incoming audio packets that did not arrive", Ratio, AudioAndVideo, Some(&LOSS)),
    row("videoSendJitter", "Video jitter, sent", "Unevenness of arrival at the media server", Second, AudioAndVideo, Some(&JITTER)),
    row("videoRecvJitter", "Video jitter, received", "Unevenness of arrival", Second, AudioAndVideo, Some(&JITTER)),
    row("audioSendJitter", "Audio jitter, sent", "Unevenness of arrival at the media server", Second, AudioAndVideo, Some(&JITTER)),
    row("audioRecvJitter", "Audio jitter, received", "Unevenness of arrival", Second, AudioAndVideo, Some(&JITTER)),
    row("audioSendBitsPerSecond", "Audio bitrate, sent", "Payload alone", BitPerSecond, AudioAndVideo, None),
    row("audioRecvBitsPerSecond", "Audio bitrate, received", "Payload alone", BitPerSecond, AudioAndVideo, None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_name_and_by_its_alias() {
        let recv = MetricId::from_wire("recvBitsPerSecond").unwrap();
        assert_eq!(MetricId::from_wire("receiveBitsPerSecond"), Some(recv));
        assert_eq!(recv.def().id, "recvBitsPerSecond");
        assert_eq!(MetricId::from_wire("timestamp"), None);
        assert_eq!(MetricId::from_wire("__proto__"), None);
    }

    #[test]
    fn names_and_titles_are_unique() {
        for (i, a) in METRICS.iter().enumerate() {
            for b in &METRICS[i + 1..] {
                assert_ne!(a.id, b.id);
                assert_ne!(a.title, b.title);
            }
        }
    }

    #[test]
    fn limits_are_those_of_the_table_until_others_are_set() {
        let metric = |id| MetricId::from_wire(id).unwrap();
        let mut standards = Standards::default();
        let of = |standards: &Standards, id| standards.of(metric(id)).map(|t| (t.fair, t.poor));
        assert_eq!(of(&standards, "totalSendPacketLoss"), Some((0.05, 0.10)));
        assert_eq!(of(&standards, "sendBitsPerSecond"), None);
        standards
            .set(metric("totalSendPacketLoss"), 0.02, 0.02)
            .unwrap();
        assert_eq!(of(&standards, "totalSendPacketLoss"), Some((0.02, 0.02)));
        assert_eq!(of(&standards, "totalRecvPacketLoss"), Some((0.05, 0.10)));
        for (id, fair, poor) in [
            ("sendBitsPerSecond", 1.0, 2.0),
            ("totalSendPacketLoss", 0.2, 0.1),
            ("totalSendPacketLoss", 0.0, 0.1),
            ("totalSendPacketLoss", f64::NAN, 0.1),
            ("totalSendPacketLoss", 0.1, f64::INFINITY),
        ] {
            assert!(
                standards.set(metric(id), fair, poor).is_err(),
                "{id} {fair} {poor}"
            );
        }
    }

    #[test]
    fn fair_comes_before_poor() {
        for t in METRICS.iter().filter_map(|m| m.thresholds) {
            assert!(0.0 < t.fair && t.fair < t.poor, "{t:?}");
        }
    }
}
