//! What a beacon is: one JSON object that a browser sent, in one of two shapes.
//!
//! - **v0**: one reading, as Daily's `getNetworkStats()` gives it, in `stats.latest`;
//! - **v1**: the same, plus every reading since the last beacon as columns in `samples`.
//!
//! [`check`] is what the collector makes of a body: a line with a [`Receipt`]. [`read`] is what the report makes of a line. [`Scanner`]
//! does the same for many lines, faster. All
//! call [`parse`], so nothing is logged that is not read later. Units stay the source's own. Absent, `null` and not-a-number are `None`, never 0.
//! A member named twice counts with its last value, as in `JSON.parse`. No file, socket or clock in here.

mod check;
mod event;
mod key;
mod parse;
mod reading;
mod receipt;
mod scan;
mod value;

pub use check::{Checked, DEPTH_MAX, check};
pub use event::{Event, Happening, Link};
pub use parse::{SEQ_MAX, VALUE_MAX, parse};
pub use reading::{Number, Reading, Values};
pub use receipt::{Receipt, read};
pub use scan::{POWERS, Scanner};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One line of the log, or one body of a POST.
#[derive(Debug, Clone, PartialEq)]
pub struct Beacon<'a> {
    /// The room as the sender names it, usually its URL. Any text.
    pub room: Cow<'a, str>,
    /// Daily's id of the meeting session. Any text.
    pub meeting_session_id: Cow<'a, str>,
    /// Daily's id of the participant in it. Any text.
    pub session_id: Cow<'a, str>,
    /// The name the person joined with, where the page was told to send it.
    pub name: Option<Cow<'a, str>>,
    /// What the page shows to be let in. No line of the log has it.
    pub page_token: Option<Cow<'a, str>>,
    /// What the page says of its browser: names and values as sent, few and short.
    pub client: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// When the collector accepted it, ms since the epoch (`_rx.t`). `None` in logs of older collectors.
    pub received_ms: Option<i64>,
    /// Whether 204 meant synced to disk (`_rx.synced`). `None` in logs of older collectors.
    pub synced: Option<bool>,
    /// Its number among the beacons of this session, from 0. `None`: the page does not number them.
    pub seq: Option<u64>,
    /// Readings in the order sent. Empty: a heartbeat.
    pub readings: Vec<Reading>,
    /// What happened meanwhile, in the order sent.
    pub events: Vec<Event>,
}

/// Why something is not a beacon.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    thiserror::Error,
    Serialize,
    Deserialize,
)]
pub enum Refusal {
    /// Nothing there.
    #[error("empty: a beacon is a JSON object")]
    Empty,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("not JSON")]
    NotJson,
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// `room` is missing or no string.
    #[error("`room` must be a string")]
    BadRoom,
    /// `meetingSessionId` is missing or no string.
    #[error("`meetingSessionId` must be a string")]
    BadMeetingSessionId,
    /// `sessionId` is missing or no string.
    #[error("`sessionId` must be a string")]
    BadSessionId,
    /// `stats` is missing or no object, or its `latest` is neither object nor null.
    #[error("`stats` must be an object, and `stats.latest` too where it is there")]
    BadStats,
    /// `samples` is there, but is no object of arrays with a `timestamp`.
    #[error("`samples` must be an object of arrays, `timestamp` among them")]
    BadSamples,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A line of the log longer than the reader takes.
    #[error("longer than a line may be")]
    TooLong,
    /// A line of the log whose bytes are not those that were summed up when it was written.
    #[error("changed since it was written")]
    ChecksumMismatch,
}

impl Refusal {
    /// The reason as `X-Call-Metrics`, the counters and `skipped.byReason` spell it.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Empty => "empty",
            Refusal::NotUtf8 => "not-utf8",
            Refusal::NotJson => "not-json",
            Refusal::NotAnObject => "not-an-object",
            Refusal::BadRoom => "bad-room",
            Refusal::BadMeetingSessionId => "bad-meeting-session-id",
            Refusal::BadSessionId => "bad-session-id",
            Refusal::BadStats => "bad-stats",
            Refusal::BadSamples => "bad-samples",
            Refusal::TooDeep => "too-deep",
            Refusal::TooLong => "too-long",
            Refusal::ChecksumMismatch => "checksum-mismatch",
        }
    }
}
