//! THE table of issues: how data files spell them, how people say them, what their value is.

use crate::metric::{MetricId, Unit};
use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IssueType {
    /// Outgoing packets do not arrive.
    SendPacketLoss,
    /// Incoming packets do not arrive.
    RecvPacketLoss,
    /// The way to the media server and back takes long.
    RoundTripTime,
    /// Packets arrive unevenly.
    Jitter,
    /// Nothing arrives, although others send: losses read 0 then.
    NoMedia,
    /// Somebody is not heard of, while others are.
    Outage,
    /// Daily had lost a connection and was getting it back.
    Reconnect,
    /// The camera is on, and hardly any video is sent.
    VideoSendBitrate,
    /// The computer is too busy for the call.
    CpuLoad,
    /// The clock of the computer is wrong, or was set.
    ClockSkew,
}

/// What an issue is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// The record of the call, not the call: never told as trouble.
    Record,
    /// A person's computer or camera: told where no line was in trouble, and nobody else's doing.
    Device,
    /// A line, the room or the service: what blame is about.
    Line,
}

/// A row of the table.
struct Kind {
    id: &'static str,
    title: &'static str,
    about: About,
    /// The metrics that show it; the first that was measured counts.
    metrics: &'static [MetricId],
    unit: Unit,
    /// Its value is how long it lasted.
    is_duration: bool,
}

const fn by_metric(
    id: &'static str,
    title: &'static str,
    unit: Unit,
    metrics: &'static [MetricId],
) -> Kind {
    Kind {
        id,
        title,
        about: About::Line,
        metrics,
        unit,
        is_duration: false,
    }
}

const fn by_time(
    id: &'static str,
    title: &'static str,
    about: About,
    metrics: &'static [MetricId],
) -> Kind {
    Kind {
        id,
        title,
        about,
        metrics,
        unit: Unit::Second,
        is_duration: true,
    }
}

const SEND_LOSS: &[MetricId] = &[
    MetricId::named("totalSendPacketLoss"),
    MetricId::named("videoSendPacketLoss"),
];
const RECV_LOSS: &[MetricId] = &[
    MetricId::named("totalRecvPacketLoss"),
    MetricId::named("videoRecvPacketLoss"),
];
const ROUND_TRIP: &[MetricId] = &[MetricId::named("networkRoundTripTime")];
const JITTER: &[MetricId] = &[
    MetricId::named("audioRecvJitter"),
    MetricId::named("videoRecvJitter"),
];
const RECEIVED: &[MetricId] = &[MetricId::named("recvBitsPerSecond")];
const VIDEO_SENT: &[MetricId] = &[MetricId::named("videoSendBitsPerSecond")];

/// In the order of [`IssueType`].
#[rustfmt::skip] // a table is read by the column
static KINDS: [Kind; IssueType::ALL.len()] = [
    by_metric("send-packet-loss", "Upload loss", Unit::Ratio, SEND_LOSS),
    by_metric("recv-packet-loss", "Download loss", Unit::Ratio, RECV_LOSS),
    by_metric("round-trip-time", "Round-trip time", Unit::Second, ROUND_TRIP),
    by_metric("jitter", "Jitter", Unit::Second, JITTER),
    by_time("no-media", "Nothing received", About::Line, RECEIVED),
    by_time("outage", "Not heard of", About::Line, &[]),
    by_time("reconnect", "Reconnecting", About::Line, &[]),
    Kind {
        about: About::Device,
        ..by_metric("video-send-bitrate", "Little video sent", Unit::BitPerSecond, VIDEO_SENT)
    },
    by_time("cpu-load", "Computer too busy", About::Device, &[]),
    Kind { is_duration: false, ..by_time("clock-skew", "Clock is wrong", About::Record, &[]) },
];

impl IssueType {
    /// All of them, in their order.
    pub const ALL: [IssueType; 10] = [
        IssueType::SendPacketLoss,
        IssueType::RecvPacketLoss,
        IssueType::RoundTripTime,
        IssueType::Jitter,
        IssueType::NoMedia,
        IssueType::Outage,
        IssueType::Reconnect,
        IssueType::VideoSendBitrate,
        IssueType::CpuLoad,
        IssueType::ClockSkew,
    ];

    fn kind(self) -> &'static Kind {
        &KINDS[self as usize]
    }

    /// As data files spell it.
    pub fn id(self) -> &'static str {
        self.kind().id
    }

    /// As a person says it.
    pub fn title(self) -> &'static str {
        self.kind().title
    }

    /// What it is about.
    pub(super) fn about(self) -> About {
        self.kind().about
    }

    /// Whether it is told as trouble: of the record of the call it is not.
    pub fn is_trouble(self) -> bool {
        self.about() != About::Record
    }

    /// Whether it is a line's, and somebody may be to blame.
    pub(super) fn is_of_line(self) -> bool {
        self.about() == About::Line
    }

    /// The metrics that show it; the first that was measured counts.
    pub fn metrics(self) -> &'static [MetricId] {
        self.kind().metrics
    }

    /// The metric that stands for it on a page.
    pub fn metric(self) -> Option<MetricId> {
        self.metrics().first().copied()
    }

    /// Of [`super::Issue::value`].
    pub fn unit(self) -> Unit {
        self.kind().unit
    }

    /// Whether [`super::Issue::value`] is how long it lasted, which every place that names an issue says anyway.
    pub fn is_duration(self) -> bool {
        self.kind().is_duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_has_a_row_for_each_in_order() {
        for (at, issue_type) in IssueType::ALL.into_iter().enumerate() {
            assert_eq!(issue_type as usize, at);
            let words = issue_type.id().replace('-', "").to_lowercase();
            assert_eq!(words, format!("{issue_type:?}").to_lowercase());
        }
        let titles: BTreeSet<_> = IssueType::ALL.map(IssueType::title).into_iter().collect();
        assert_eq!(titles.len(), IssueType::ALL.len());
    }

    #[test]
    fn metrics_have_thresholds_where_those_show_the_issue() {
        for issue_type in IssueType::ALL {
            for metric in issue_type.metrics() {
                let metric = metric.def();
                let id = metric.id;
                let is_by_threshold =
                    !issue_type.is_duration() && issue_type.about() == About::Line;
                assert_eq!(metric.thresholds.is_some(), is_by_threshold, "{id}");
                assert!(
                    issue_type.is_duration() || metric.unit == issue_type.unit(),
                    "{id}"
                );
            }
        }
    }
}
