//! The shapes of a beacon, spelled as on the wire. Nothing is decided here.

use crate::beacon::{Number, Reading};
use crate::metric::MetricId;
use serde::Serialize as DeriveSerialize;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What Daily measured in 2022.
const METRICS_OF_2022: [&str; 8] = [
    "recvBitsPerSecond",
    "sendBitsPerSecond",
    "videoRecvBitsPerSecond",
    "videoRecvPacketLoss",
    "videoSendBitsPerSecond",
    "videoSendPacketLoss",
    "totalSendPacketLoss",
    "totalRecvPacketLoss",
];
/// Maxima over the whole call, beside the metric that they are the maximum of.
pub(super) const WORST: [(&str, &str); 8] = [
    ("worstVideoRecvPacketLoss", "videoRecvPacketLoss"),
    ("worstVideoSendPacketLoss", "videoSendPacketLoss"),
    ("worstAudioRecvPacketLoss", "audioRecvPacketLoss"),
    ("worstAudioSendPacketLoss", "audioSendPacketLoss"),
    ("worstVideoRecvJitter", "videoRecvJitter"),
    ("worstVideoSendJitter", "videoSendJitter"),
    ("worstAudioRecvJitter", "audioRecvJitter"),
    ("worstAudioSendJitter", "audioSendJitter"),
];

#[derive(DeriveSerialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V1<'a> {
    pub(super) v: u8,
    pub(super) seq: u32,
    pub(super) source: &'a str,
    pub(super) room: &'a str,
    pub(super) meeting_session_id: &'a str,
    pub(super) session_id: &'a str,
    pub(super) network_state: &'a str,
    pub(super) stats: Stats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) samples: Option<Columns<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) events: &'a [Event],
    pub(super) client: ClientText<'a>,
    pub(super) name: &'a str,
}

#[derive(DeriveSerialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct V0<'a> {
    pub(super) room: &'a str,
    pub(super) meeting_session_id: &'a str,
    pub(super) session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quality: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_state: Option<&'a str>,
    pub(super) stats: Stats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_state_reasons: Option<&'a [&'static str]>,
}

#[derive(DeriveSerialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) t: i64,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_state_reasons: Option<Vec<&'static str>>,
}

#[derive(DeriveSerialize)]
pub(super) struct ClientText<'a> {
    pub(super) browser: &'a str,
    pub(super) os: &'a str,
}

pub(super) struct Stats<'a> {
    pub(super) latest: Option<Latest<'a>>,
    /// The first so many of [`WORST`].
    pub(super) worst: &'a [f64],
}

impl Serialize for Stats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(latest) = &self.latest {
            map.serialize_entry("latest", latest)?;
        }
        for (value, (name, _)) in self.worst.iter().zip(WORST) {
            map.serialize_entry(name, &Number(*value))?;
        }
        map.end()
    }
}

pub(super) enum Latest<'a> {
    All(&'a Reading),
    Of2022(&'a Reading),
}

impl Serialize for Latest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (Latest::All(reading) | Latest::Of2022(reading)) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &reading.timestamp_ms)?;
        for metric in MetricId::all() {
            let name = metric.def().id;
            if matches!(self, Latest::All(_)) || METRICS_OF_2022.contains(&name) {
                map.serialize_entry(name, &reading.values.get(metric).map(Number))?;
            }
        }
        map.end()
    }
}

/// Readings as columns.
pub(super) struct Columns<'a>(pub(super) &'a [Reading]);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let timestamps: Vec<i64> = self.0.iter().map(|reading| reading.timestamp_ms).collect();
        map.serialize_entry("timestamp", &timestamps)?;
        for metric in MetricId::all() {
            let column: Vec<Option<Number>> = self
                .0
                .iter()
                .map(|reading| reading.values.get(metric).map(Number))
                .collect();
            map.serialize_entry(metric.def().id, &column)?;
        }
        map.end()
    }
}
