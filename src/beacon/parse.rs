//! JSON to a [`Beacon`] in one pass. The one definition of what a beacon says, whoever reads the JSON.
//!
//! It is written out by hand for two reasons: what serde derives takes an array where an object is due, and would
//! refuse a whole beacon for one odd value. Here an odd value is a value not measured.

use super::event::{Event, Sent};
use super::key::Key;
use super::value::{FromMembers, Listed, Maybe, Members};
use super::{Beacon, Reading, Refusal, Values};
use crate::metric::MetricId;
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
    top.beacon()
}

fn of_this_world(value: &f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// Daily-js gives ms; its siblings in other languages give s, and µs have been seen. `None`: no instant at all.
pub(super) fn timestamp_ms(raw: f64) -> Option<i64> {
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
pub(super) struct Top<'a> {
    room: Option<Cow<'a, str>>,
    meeting_session_id: Option<Cow<'a, str>>,
    session_id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    page_token: Option<Cow<'a, str>>,
    client: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    stats: Option<Maybe<Stats>>,
    samples: Option<Maybe<Columns>>,
    seq: Option<u64>,
    events: Vec<Event>,
    received: Received,
}

impl<'a> Top<'a> {
    /// What it says altogether, or why it is no beacon.
    pub(super) fn beacon(self) -> Result<Beacon<'a>, Refusal> {
        let room = self.room.ok_or(Refusal::BadRoom)?;
        let meeting_session_id = self
            .meeting_session_id
            .ok_or(Refusal::BadMeetingSessionId)?;
        let session_id = self.session_id.ok_or(Refusal::BadSessionId)?;
        let latest = match self.stats {
            Some(Maybe::Object(Stats { latest })) => match latest {
                None | Some(Maybe::Null) => None,
                Some(Maybe::Object(latest)) => latest.reading(),
                Some(Maybe::Other) => return Err(Refusal::BadStats),
            },
            _ => return Err(Refusal::BadStats),
        };
        let mut readings = match self.samples {
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
            name: self.name,
            page_token: self.page_token,
            client: self.client,
            received_ms: self.received.t,
            synced: self.received.synced,
            seq: self.seq,
            readings,
            events: self.events,
        })
    }
}

impl<'de> FromMembers<'de> for Top<'de> {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut top = Top::default();
        while let Some(name) = members.name()? {
            match name {
                Key::Room => top.room = members.scalar()?.text(),
                Key::MeetingSessionId => top.meeting_session_id = members.scalar()?.text(),
                Key::SessionId => top.session_id = members.scalar()?.text(),
                Key::Name => top.name = members.scalar()?.text(),
                Key::PageToken => top.page_token = members.scalar()?.text(),
                Key::Seq => top.seq = members.number()?.and_then(whole_number),
                Key::Stats => top.stats = Some(members.object()?),
                Key::Samples => top.samples = Some(members.object()?),
                Key::Events => {
                    let Listed(sent) = members.objects::<Sent<'de>>()?;
                    top.events = sent.iter().filter_map(Sent::event).collect();
                }
                Key::Client => {
                    let client: Maybe<Client<'de>> = members.object()?;
                    top.client = client.into_inner().unwrap_or_default().0;
                }
                Key::Receipt => {
                    let received: Maybe<Received> = members.object()?;
                    top.received = received.into_inner().unwrap_or_default();
                }
                _ => members.skip()?,
            }
        }
        Ok(top)
    }
}

/// `stats`.
struct Stats {
    latest: Option<Maybe<Latest>>,
}

impl<'de> FromMembers<'de> for Stats {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut latest = None;
        while let Some(name) = members.name()? {
            match name {
                Key::Latest => latest = Some(members.object()?),
                _ => members.skip()?,
            }
        }
        Ok(Stats { latest })
    }
}

/// `stats.latest`.
struct Latest {
    timestamp_ms: Option<i64>,
    values: Values,
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

impl<'de> FromMembers<'de> for Latest {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut latest = Latest {
            timestamp_ms: None,
            values: Values::default(),
        };
        while let Some(name) = members.name()? {
            match name {
                Key::Metric(metric) => {
                    let number = members.number()?;
                    latest.values.set(metric, number.filter(of_this_world));
                }
                Key::Timestamp => {
                    latest.timestamp_ms = members.number()?.and_then(timestamp_ms);
                }
                _ => members.skip()?,
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
            let mut values = Values::default();
            for (metric, column) in &columns {
                let value = column.get(row).copied().flatten();
                values.set(*metric, value.filter(of_this_world));
            }
            readings.push(Reading {
                timestamp_ms,
                values,
            });
        }
        Ok(readings)
    }
}

impl<'de> FromMembers<'de> for Columns {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut columns = Columns::default();
        while let Some(name) = members.name()? {
            match name {
                Key::Metric(metric) => {
                    let column = members.numbers()?.0;
                    // The last of one name counts; keeping them all would make a short beacon a long computation.
                    columns.values.retain(|(found, _)| *found != metric);
                    columns.values.push((metric, column));
                }
                Key::Timestamp => columns.timestamps = members.numbers()?.0,
                _ => members.skip()?,
            }
        }
        Ok(columns)
    }
}

/// `client`.
#[derive(Default)]
struct Client<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de> FromMembers<'de> for Client<'de> {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut kept = Vec::new();
        while let Some(name) = members.text_name()? {
            if let Some(value) = members.scalar()?.text()
                && kept.len() < CLIENT_MEMBERS_MAX
                && name.len() <= CLIENT_BYTES_MAX
                && value.len() <= CLIENT_BYTES_MAX
            {
                kept.push((name, value));
            }
        }
        Ok(Client(kept))
    }
}

/// `_rx`.
#[derive(Default)]
struct Received {
    t: Option<i64>,
    synced: Option<bool>,
}

impl<'de> FromMembers<'de> for Received {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut received = Received::default();
        while let Some(name) = members.name()? {
            match name {
                Key::Synced => received.synced = members.scalar()?.truth(),
                Key::Time => received.t = members.number()?.and_then(instant),
                _ => members.skip()?,
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
        let recv = MetricId::from_wire("recvBitsPerSecond").unwrap();
        let beacon = parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
        beacon
            .readings
            .iter()
            .map(|r| (r.timestamp_ms, r.values.get(recv)))
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
