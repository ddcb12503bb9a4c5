//! The names of members that a beacon may have and that we read.

use crate::metric::MetricId;

/// The name of a member, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Room,
    MeetingSessionId,
    SessionId,
    Name,
    PageToken,
    Seq,
    Stats,
    Latest,
    Samples,
    Client,
    Receipt,
    Time,
    Synced,
    Timestamp,
    Events,
    Type,
    Connection,
    Event,
    CpuLoadState,
    State,
    Metric(MetricId),
    /// One that we do not read.
    Other,
}

/// All but those of metrics.
const SPELLINGS: [(&str, Key); 20] = [
    ("room", Key::Room),
    ("meetingSessionId", Key::MeetingSessionId),
    ("sessionId", Key::SessionId),
    ("name", Key::Name),
    ("pageToken", Key::PageToken),
    ("seq", Key::Seq),
    ("stats", Key::Stats),
    ("latest", Key::Latest),
    ("samples", Key::Samples),
    ("client", Key::Client),
    ("_rx", Key::Receipt),
    ("t", Key::Time),
    ("synced", Key::Synced),
    ("timestamp", Key::Timestamp),
    ("events", Key::Events),
    ("type", Key::Type),
    ("connection", Key::Connection),
    ("event", Key::Event),
    ("cpuLoadState", Key::CpuLoadState),
    ("state", Key::State),
];

impl Key {
    /// What `text` names.
    pub(super) fn of(text: &str) -> Key {
        let fixed = SPELLINGS.iter().find(|(spelling, _)| *spelling == text);
        match fixed {
            Some((_, name)) => *name,
            None => MetricId::from_wire(text).map_or(Key::Other, Key::Metric),
        }
    }

    /// Every spelling that there is.
    pub(super) fn spellings() -> impl Iterator<Item = (&'static str, Key)> {
        let metrics = MetricId::all().flat_map(|metric| {
            let spellings = [Some(metric.def().id), metric.def().alias];
            let named = move |spelling| (spelling, Key::Metric(metric));
            spellings.into_iter().flatten().map(named)
        });
        SPELLINGS.into_iter().chain(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_known_and_no_other() {
        for (spelling, name) in Key::spellings() {
            assert_eq!(Key::of(spelling), name, "{spelling}");
            assert_eq!(Key::of(&spelling.to_uppercase()), Key::Other);
        }
        assert_eq!(Key::of(""), Key::Other);
    }
}
