//! JSON text to a [`Beacon`], by serde_json in one pass. The one definition of what a beacon says.
//!
//! The visitors are written out by hand for two reasons: derived ones take an array where an object is due, and would
//! refuse a whole beacon for one odd value. Here an odd value is a value not measured.

use super::value::{FromMap, Maybe, Numbers, Scalar, Text};
use super::{Beacon, Reading, Refusal};
use crate::metric::{METRIC_COUNT, MetricId};
use serde::de::{IgnoredAny, MapAccess};
use std::borrow::Cow;

/// Values beyond this, either way, count as not measured: no bitrate, loss or delay of this world is there, and sums stay finite.
pub const VALUE_MAX: f64 = 1e15;
/// A `seq` beyond this is none: JavaScript counts no further in whole numbers.
pub const SEQ_MAX: u64 = (1 << 53) - 1;
/// 1 January 2200: no clock of ours is that far off, and a time axis that reached further would show nothing else.
const INSTANT_MS_MAX: f64 = 7_258_118_400_000.0;
/// Members of `client` that are kept, each at most [`CLIENT_BYTES_MAX`] long.
const CLIENT_MEMBERS_MAX: usize = 8;
/// Longest name or value within `client`, in bytes.
const CLIENT_BYTES_MAX: usize = 128;

/// Reads one beacon.
///
/// # Errors
///
/// Says why it is none. Any member that we do not know is no reason, nor is a metric of the wrong type.
pub fn parse(text: &[u8]) -> Result<Beacon<'_>, Refusal> {
    let text = std::str::from_utf8(text).map_err(|_| Refusal::NotUtf8)?;
    if text.trim_ascii().is_empty() {
        return Err(Refusal::Empty);
    }
    let top: Maybe<Top<'_>> = serde_json::from_str(text).map_err(|_| Refusal::NotJson)?;
    let Maybe::Object(top) = top else {
        return Err(Refusal::NotAnObject);
    };
    let room = top.room.ok_or(Refusal::BadRoom)?;
    let meeting_session_id = top.meeting_session_id.ok_or(Refusal::BadMeetingSessionId)?;
    let session_id = top.session_id.ok_or(Refusal::BadSessionId)?;
    let latest = match top.stats {
        Some(Maybe::Object(Stats { latest })) => match latest {
            None | Some(Maybe::Null) => None,
            Some(Maybe::Object(latest)) => latest.reading(),
            Some(Maybe::Other) => return Err(Refusal::BadStats),
        },
        _ => return Err(Refusal::BadStats),
    };
    let mut readings = match top.samples {
        None | Some(Maybe::Null) => Vec::new(),
        Some(Maybe::Object(columns)) => columns.into_readings()?,
        Some(Maybe::Other) => return Err(Refusal::BadSamples),
    };
    // `stats.latest` of a v1 beacon is its last column over again, not a reading of its own.
    if let Some(latest) = latest {
        match readings
            .iter_mut()
            .rev()
            .find(|reading| reading.timestamp_ms == latest.timestamp_ms)
        {
            Some(same) => same.fill_from(&latest),
            None => readings.push(latest),
        }
    }
    Ok(Beacon {
        room,
        meeting_session_id,
        session_id,
        name: top.name,
        page_token: top.page_token,
        client: top.client,
        received_ms: top.received.t,
        synced: top.received.synced,
        seq: top.seq,
        readings,
    })
}

fn of_this_world(value: &f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// Daily-js gives ms; its siblings in other languages give s, and µs have been seen. `None`: no instant at all.
fn timestamp_ms(raw: f64) -> Option<i64> {
    let ms = if raw > 1e14 {
        raw / 1e3
    } else if raw > 1e11 {
        raw
    } else {
        raw * 1e3
    };
    instant(ms)
}

/// A number of ms that can be an instant.
fn instant(ms: f64) -> Option<i64> {
    (0.0 < ms && ms <= INSTANT_MS_MAX).then_some(ms.round() as i64)
}

/// A number that can be a `seq`.
fn whole_number(raw: f64) -> Option<u64> {
    (raw.fract() == 0.0 && 0.0 <= raw && raw <= SEQ_MAX as f64).then_some(raw as u64)
}

/// The members of a beacon that we read.
#[derive(Default)]
struct Top<'a> {
    room: Option<Cow<'a, str>>,
    meeting_session_id: Option<Cow<'a, str>>,
    session_id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    page_token: Option<Cow<'a, str>>,
    client: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    stats: Option<Maybe<Stats>>,
    samples: Option<Maybe<Columns>>,
    seq: Option<u64>,
    received: Received,
}

impl<'de> FromMap<'de> for Top<'de> {
    fn from_map<M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut top = Top::default();
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "room" => top.room = map.next_value::<Scalar<'de>>()?.text(),
                "meetingSessionId" => {
                    top.meeting_session_id = map.next_value::<Scalar<'de>>()?.text()
                }
                "sessionId" => top.session_id = map.next_value::<Scalar<'de>>()?.text(),
                "name" => top.name = map.next_value::<Scalar<'de>>()?.text(),
                "pageToken" => top.page_token = map.next_value::<Scalar<'de>>()?.text(),
                "seq" => {
                    top.seq = map
                        .next_value::<Scalar<'de>>()?
                        .number()
                        .and_then(whole_number)
                }
                "stats" => top.stats = Some(map.next_value()?),
                "samples" => top.samples = Some(map.next_value()?),
                "client" => {
                    top.client = map
                        .next_value::<Maybe<Client<'de>>>()?
                        .into_inner()
                        .unwrap_or_default()
                        .0
                }
                "_rx" => {
                    top.received = map
                        .next_value::<Maybe<Received>>()?
                        .into_inner()
                        .unwrap_or_default()
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(top)
    }
}

/// `stats`.
struct Stats {
    latest: Option<Maybe<Latest>>,
}

impl<'de> FromMap<'de> for Stats {
    fn from_map<M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut latest = None;
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "latest" => latest = Some(map.next_value()?),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Stats { latest })
    }
}

/// `stats.latest`.
struct Latest {
    timestamp_ms: Option<i64>,
    values: [Option<f64>; METRIC_COUNT],
}

impl Latest {
    /// `None` without a timestamp: Daily has no data yet.
    fn reading(self) -> Option<Reading> {
        let Latest {
            timestamp_ms,
            values,
        } = self;
        timestamp_ms.map(|timestamp_ms| Reading {
            timestamp_ms,
            values,
        })
    }
}

impl<'de> FromMap<'de> for Latest {
    fn from_map<M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut latest = Latest {
            timestamp_ms: None,
            values: [None; METRIC_COUNT],
        };
        while let Some(Text(key)) = map.next_key()? {
            if let Some(metric) = MetricId::from_wire(&key) {
                latest.values[metric.index()] = map
                    .next_value::<Scalar<'de>>()?
                    .number()
                    .filter(of_this_world);
            } else if key == "timestamp" {
                latest.timestamp_ms = map
                    .next_value::<Scalar<'de>>()?
                    .number()
                    .and_then(timestamp_ms);
            } else {
                let _ = map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(latest)
    }
}

/// `samples`: one array a metric, equally long. A shorter one is not measured at its end.
#[derive(Default)]
struct Columns {
    timestamps: Option<Vec<Option<f64>>>,
    values: Vec<(MetricId, Option<Vec<Option<f64>>>)>,
}

impl Columns {
    fn into_readings(self) -> Result<Vec<Reading>, Refusal> {
        let timestamps = self.timestamps.ok_or(Refusal::BadSamples)?;
        let mut readings = Vec::with_capacity(timestamps.len());
        let mut columns = Vec::with_capacity(self.values.len());
        for (metric, column) in self.values {
            columns.push((metric, column.ok_or(Refusal::BadSamples)?));
        }
        for (row, timestamp) in timestamps.into_iter().enumerate() {
            // An instant that is no instant takes its row with it: there is no place on a time axis for it.
            let Some(timestamp_ms) = timestamp.and_then(timestamp_ms) else {
                continue;
            };
            let mut values = [None; METRIC_COUNT];
            for (metric, column) in &columns {
                let value = column.get(row).copied().flatten();
                values[metric.index()] = value.filter(of_this_world);
            }
            readings.push(Reading {
                timestamp_ms,
                values,
            });
        }
        Ok(readings)
    }
}

impl<'de> FromMap<'de> for Columns {
    fn from_map<M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut columns = Columns::default();
        while let Some(Text(key)) = map.next_key()? {
            if let Some(metric) = MetricId::from_wire(&key) {
                let column = map.next_value::<Numbers>()?.0;
                // The last of one name counts; keeping them all would make a short beacon a long computation.
                columns.values.retain(|(found, _)| *found != metric);
                columns.values.push((metric, column));
            } else if key == "timestamp" {
                columns.timestamps = map.next_value::<Numbers>()?.0;
            } else {
                let _ = map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(columns)
    }
}

/// `client`.
#[derive(Default)]
struct Client<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de> FromMap<'de> for Client<'de> {
    fn from_map<M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut members = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            if let Some(value) = map.next_value::<Scalar<'de>>()?.text()
                && members.len() < CLIENT_MEMBERS_MAX
                && key.len() <= CLIENT_BYTES_MAX
                && value.len() <= CLIENT_BYTES_MAX
            {
                members.push((key, value));
            }
        }
        Ok(Client(members))
    }
}

/// `_rx`.
#[derive(Default)]
struct Received {
    t: Option<i64>,
    synced: Option<bool>,
}

impl<'de> FromMap<'de> for Received {
    fn from_map<M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut received = Received::default();
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "synced" => received.synced = map.next_value::<Scalar<'de>>()?.truth(),
                "t" => received.t = map.next_value::<Scalar<'de>>()?.number().and_then(instant),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beacon(rest: &str) -> String {
        format!(r#"{{"room":"r","meetingSessionId":"m","sessionId":"s",{rest}}}"#)
    }

    fn check(text: &str, expect: Refusal) {
        assert_eq!(parse(text.as_bytes()).unwrap_err(), expect, "{text}");
    }

    /// Timestamps, with the value of `recvBitsPerSecond` at each.
    fn readings(text: &str) -> Vec<(i64, Option<f64>)> {
        let recv = MetricId::from_wire("recvBitsPerSecond").unwrap().index();
        let beacon = parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
        beacon
            .readings
            .iter()
            .map(|r| (r.timestamp_ms, r.values[recv]))
            .collect()
    }

    #[test]
    fn what_is_no_beacon_says_why() {
        check("", Refusal::Empty);
        check(" \t", Refusal::Empty);
        check("{", Refusal::NotJson);
        check("nope", Refusal::NotJson);
        check(r#"{"room":"r"} {}"#, Refusal::NotJson);
        check("[]", Refusal::NotAnObject);
        check("null", Refusal::NotAnObject);
        check("7", Refusal::NotAnObject);
        check("{}", Refusal::BadRoom);
        check(r#"{"room":7}"#, Refusal::BadRoom);
        check(r#"{"room":"r"}"#, Refusal::BadMeetingSessionId);
        check(
            r#"{"room":"r","meetingSessionId":"m","sessionId":null}"#,
            Refusal::BadSessionId,
        );
        check(
            r#"{"room":"r","meetingSessionId":"m","sessionId":"s"}"#,
            Refusal::BadStats,
        );
        for stats in ["null", "[]", "\"x\"", r#"{"latest":[]}"#, r#"{"latest":7}"#] {
            check(&beacon(&format!(r#""stats":{stats}"#)), Refusal::BadStats);
        }
        for samples in [
            "[]",
            "7",
            "{}",
            r#"{"timestamp":7}"#,
            r#"{"timestamp":[1],"recvBitsPerSecond":7}"#,
        ] {
            check(
                &beacon(&format!(r#""stats":{{}},"samples":{samples}"#)),
                Refusal::BadSamples,
            );
        }
        assert_eq!(parse(b"{\"room\":\"\xff\"}").unwrap_err(), Refusal::NotUtf8);
    }

    #[test]
    fn a_heartbeat_has_no_readings() {
        for stats in [
            "{}",
            r#"{"latest":null}"#,
            r#"{"latest":{}}"#,
            r#"{"latest":{"recvBitsPerSecond":1}}"#,
        ] {
            assert_eq!(readings(&beacon(&format!(r#""stats":{stats}"#))), []);
        }
    }

    #[test]
    fn what_is_no_number_is_not_measured() {
        for (value, expect) in [
            ("0", Some(0.0)),
            ("-1.5", Some(-1.5)),
            ("1e15", Some(1e15)),
            ("null", None),
            ("\"7\"", None),
            ("[7]", None),
            ("{\"a\":[{}]}", None),
            ("true", None),
            ("1e16", None),
        ] {
            let text = beacon(&format!(
                r#""stats":{{"latest":{{"timestamp":1667805615412,"recvBitsPerSecond":{value}}}}}"#
            ));
            assert_eq!(readings(&text), [(1_667_805_615_412, expect)], "{value}");
        }
    }

    #[test]
    fn columns_are_readings_and_latest_is_the_last_of_them() {
        let text = beacon(
            r#""stats":{"latest":{"timestamp":1795449872000,"recvBitsPerSecond":9,"networkRoundTripTime":0.07}},
               "samples":{"timestamp":[1795449870000,null,1795449872000],"recvBitsPerSecond":[1,2,null],"unknown":[{}]}"#,
        );
        assert_eq!(
            readings(&text),
            [
                (1_795_449_870_000, Some(1.0)),
                (1_795_449_872_000, Some(9.0))
            ]
        );
        let text = beacon(
            r#""stats":{},"samples":{"timestamp":[1795449870000,1795449871000],"receiveBitsPerSecond":[1]}"#,
        );
        assert_eq!(
            readings(&text),
            [(1_795_449_870_000, Some(1.0)), (1_795_449_871_000, None)]
        );
    }

    #[test]
    fn timestamps_in_seconds_and_microseconds_are_told_apart() {
        for (raw, expect) in [
            (1_795_449_870.771, Some(1_795_449_870_771)),
            (1_795_449_870_771.0, Some(1_795_449_870_771)),
            (1_795_449_870_771_000.0, Some(1_795_449_870_771)),
            (0.0, None),
            (-5.0, None),
            (1e300, None),
            (7_258_118_400.0, Some(7_258_118_400_000)),
            (7_258_118_400_001.0, None),
        ] {
            assert_eq!(timestamp_ms(raw), expect, "{raw}");
        }
    }

    #[test]
    fn a_member_named_twice_counts_with_its_last_value() {
        let text = r#"{"room":"a","room":"b","meetingSessionId":"m","sessionId":"s","stats":7,"stats":{}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap().room, "b");
    }

    #[test]
    fn a_number_is_whole_and_not_negative_or_none_at_all() {
        for (raw, expect) in [
            ("0", Some(0)),
            ("41", Some(41)),
            ("41.0", Some(41)),
            ("9007199254740991", Some(SEQ_MAX)),
            ("9007199254740992", None),
            ("1e300", None),
            ("-1", None),
            ("0.5", None),
            ("\"7\"", None),
            ("true", None),
            ("null", None),
        ] {
            let text = beacon(&format!(r#""stats":{{}},"seq":{raw}"#));
            assert_eq!(parse(text.as_bytes()).unwrap().seq, expect, "{raw}");
        }
        assert_eq!(parse(beacon(r#""stats":{}"#).as_bytes()).unwrap().seq, None);
    }

    #[test]
    fn the_receipt_and_the_client_are_read() {
        let text = beacon(
            r#""stats":{},"client":{"browser":"Chrome 156","os":7},"name":"Ana","_rx":{"t":1795449870771,"n":1,"synced":false}"#,
        );
        let beacon = parse(text.as_bytes()).unwrap();
        assert_eq!(beacon.synced, Some(false));
        assert_eq!(beacon.received_ms, Some(1_795_449_870_771));
        assert_eq!(beacon.client, [("browser".into(), "Chrome 156".into())]);
        assert_eq!(beacon.name.as_deref(), Some("Ana"));
    }
}
