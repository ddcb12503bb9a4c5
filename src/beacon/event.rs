//! What happened to a participant, as the call page tells it in `events`: the few of Daily's events that anything is concluded from.

use super::key::Key;
use super::parse::timestamp_ms;
use super::value::{FromMembers, Members};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Something that happened to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// The sender's clock, ms since the epoch.
    pub at_ms: i64,
    /// What.
    pub what: Happening,
}

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Happening {
    /// A connection was lost (`network-connection`, `interrupted`).
    Interrupted(Link),
    /// A connection is there (`network-connection`, `connected`).
    Connected(Link),
    /// The computer is too busy for the call, or not any more (`cpu-load-change`).
    CpuLoad {
        /// Whether it is.
        is_high: bool,
    },
    /// The camera was switched, as the call page notices it (`camera-state`).
    Camera {
        /// Whether its picture is there.
        is_on: bool,
    },
}

/// A connection of Daily's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Link {
    /// For what is said about the call.
    Signaling,
    /// For sound and picture: to the media server, or to each other. A call goes over from one to the other as it likes.
    Media,
}

/// One of `events`.
#[derive(Default)]
pub(super) struct Sent<'a> {
    at_ms: Option<i64>,
    name: Option<Cow<'a, str>>,
    connection: Option<Cow<'a, str>>,
    event: Option<Cow<'a, str>>,
    cpu_load_state: Option<Cow<'a, str>>,
    state: Option<Cow<'a, str>>,
}

impl Sent<'_> {
    /// `None`: not one that anything follows from.
    pub(super) fn event(&self) -> Option<Event> {
        let what = match self.name.as_deref()? {
            "network-connection" => {
                let link = match self.connection.as_deref()? {
                    "signaling" => Link::Signaling,
                    "sfu" | "peer-to-peer" => Link::Media,
                    _ => return None,
                };
                match self.event.as_deref()? {
                    "interrupted" => Happening::Interrupted(link),
                    "connected" => Happening::Connected(link),
                    _ => return None,
                }
            }
            "cpu-load-change" => match self.cpu_load_state.as_deref()? {
                "high" => Happening::CpuLoad { is_high: true },
                "low" => Happening::CpuLoad { is_high: false },
                _ => return None,
            },
            "camera-state" => Happening::Camera {
                is_on: self.state.as_deref()? == "playable",
            },
            _ => return None,
        };
        let at_ms = self.at_ms?;
        Some(Event { at_ms, what })
    }
}

impl<'de> FromMembers<'de> for Sent<'de> {
    fn from_members<M: Members<'de>>(mut members: M) -> Result<Self, M::Error> {
        let mut sent = Sent::default();
        while let Some(name) = members.name()? {
            match name {
                Key::Time => sent.at_ms = members.number()?.and_then(timestamp_ms),
                Key::Type => sent.name = members.scalar()?.text(),
                Key::Connection => sent.connection = members.scalar()?.text(),
                Key::Event => sent.event = members.scalar()?.text(),
                Key::CpuLoadState => sent.cpu_load_state = members.scalar()?.text(),
                Key::State => sent.state = members.scalar()?.text(),
                _ => members.skip()?,
            }
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scanner, parse};
    use super::*;

    const T: i64 = 1_795_449_870_000;

    /// As serde reads it, and as the scanner does.
    fn events(events: &str) -> Vec<(i64, Happening)> {
        let line = format!(
            r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{}},"events":{events}}}"#
        );
        let beacon = parse(line.as_bytes()).unwrap();
        assert_eq!(Scanner::default().read(line.as_bytes()), Ok(beacon.clone()));
        let of = |event: &Event| (event.at_ms - T, event.what);
        beacon.events.iter().map(of).collect()
    }

    fn one(members: &str) -> Option<Happening> {
        let found = events(&format!(r#"[{{"t":{T},{members}}}]"#));
        assert!(found.iter().all(|(at, _)| *at == 0));
        found.first().map(|(_, what)| *what)
    }

    #[test]
    fn the_words_are_those_of_daily_and_of_our_page() {
        let connection = |which: &str, event: &str| {
            one(&format!(
                r#""type":"network-connection","connection":"{which}","event":"{event}""#
            ))
        };
        for (which, link) in [
            ("signaling", Link::Signaling),
            ("sfu", Link::Media),
            ("peer-to-peer", Link::Media),
        ] {
            let found = connection(which, "interrupted");
            assert_eq!(found, Some(Happening::Interrupted(link)));
            let found = connection(which, "connected");
            assert_eq!(found, Some(Happening::Connected(link)));
        }
        assert_eq!(connection("carrier-pigeon", "connected"), None);
        assert_eq!(connection("sfu", "tired"), None);
        let cpu = |state: &str| {
            one(&format!(
                r#""type":"cpu-load-change","cpuLoadState":{state}"#
            ))
        };
        assert_eq!(cpu("\"high\""), Some(Happening::CpuLoad { is_high: true }));
        assert_eq!(cpu("\"low\""), Some(Happening::CpuLoad { is_high: false }));
        assert_eq!(cpu("\"?\""), None);
        assert_eq!(cpu("7"), None);
        let camera = |state: &str| one(&format!(r#""type":"camera-state","state":"{state}""#));
        assert_eq!(camera("playable"), Some(Happening::Camera { is_on: true }));
        assert_eq!(camera("off"), Some(Happening::Camera { is_on: false }));
        assert_eq!(one(r#""type":"joined-meeting""#), None);
    }

    #[test]
    fn what_is_no_event_is_left_out_and_the_beacon_stays() {
        for nothing in [
            "null",
            "7",
            "{}",
            "[]",
            r#""x""#,
            "[[]]",
            r#"[7,null,"x",{}]"#,
        ] {
            assert_eq!(events(nothing), [], "{nothing}");
        }
        let high = r#""type":"cpu-load-change","cpuLoadState":"high""#;
        for t in ["null", "\"1\"", "-1", "1e300", "{}"] {
            assert_eq!(events(&format!(r#"[{{"t":{t},{high}}}]"#)), [], "{t}");
        }
        let among = format!(r#"[7,{{"t":{T},"a":{{"b":[1]}},{high}}},[{{}}]]"#);
        assert_eq!(events(&among).len(), 1);
        let endless = format!(
            r#"[{}]"#,
            vec![format!(r#"{{"t":{T},{high}}}"#); 1_000].join(",")
        );
        assert_eq!(events(&endless).len(), super::super::value::LIST_MAX);
    }
}
