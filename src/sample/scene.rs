//! One invented call: who is there, when, with which browser and line, and what trouble makes of a reading.
//!
//! Holds what [`super::plot`] came up with; draws nothing itself and does not know how a beacon is written.

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;

/// One call.
pub(super) struct Scene {
    pub(super) room: String,
    pub(super) meeting_session_id: String,
    pub(super) shape: Shape,
    /// In the order in which they come in.
    pub(super) people: Vec<Person>,
    pub(super) troubles: Vec<Trouble>,
}

/// How the beacons of a call are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As our own page sends them.
    V1,
    /// One reading a beacon, in Daily's words of today.
    V0Today,
    /// One reading a beacon, with what Daily measured in 2022.
    V0Of2022,
}

/// One human being, who may come back as another participant.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) client: &'static Client,
    pub(super) stints: Vec<Stint>,
    pub(super) camera_off: Option<Span>,
    /// Video that the uplink carries on a quiet day, bit/s.
    pub(super) video_bits_per_second: f64,
    /// To the media server and back on a quiet day, seconds.
    pub(super) round_trip_s: f64,
    /// The sender's clock is ahead by this much, ms.
    pub(super) clock_ahead_ms: i64,
}

/// Browser and operating system, as the page's `client` names them.
pub(super) struct Client {
    pub(super) browser: &'static str,
    pub(super) os: &'static str,
}

impl Client {
    /// Firefox gives Daily no round-trip time, no figures of what it sends and no estimate of the bandwidth.
    pub(super) fn is_blind_upwards(&self) -> bool {
        self.browser.starts_with("Firefox")
    }
}

/// From coming in to leaving; a participant in Daily's sense.
pub(super) struct Stint {
    pub(super) span: Span,
    pub(super) session_id: String,
    /// Beacons at the beginning for which Daily has no data yet.
    pub(super) heartbeats: u32,
}

/// Ms since the epoch; the end is outside.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Span {
    pub(super) fn contains(&self, at_ms: i64) -> bool {
        self.start_ms <= at_ms && at_ms < self.end_ms
    }
}

/// Something that goes wrong for a while.
pub(super) struct Trouble {
    pub(super) kind: Kind,
    /// Index of the person, or `None` for everybody.
    pub(super) person: Option<usize>,
    pub(super) span: Span,
    /// 0–1, from the mild to the bad end of what its kind does.
    pub(super) strength: f64,
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a person sends gets lost, and congestion control sends less.
    Uplink,
    /// What a person receives gets lost.
    Downlink,
    /// The way to the media server and back takes long.
    RoundTrip,
    /// Packets arrive unevenly.
    Jitter,
    /// The service itself: everybody loses packets both ways.
    Service,
    /// No beacon comes: the laptop was shut for a moment.
    Gap,
    /// Daily measures nothing; all beacons are heartbeats.
    NothingMeasured,
}

/// What trouble makes of a reading.
pub(super) struct Conditions {
    /// Share of packets.
    pub(super) send_loss: f64,
    /// Share of packets.
    pub(super) recv_loss: f64,
    /// Of what would flow otherwise.
    pub(super) send_rate: f64,
    /// Of what would flow otherwise.
    pub(super) recv_rate: f64,
    /// Seconds on top.
    pub(super) round_trip_s: f64,
    /// Seconds on top.
    pub(super) send_jitter_s: f64,
    /// Seconds on top.
    pub(super) recv_jitter_s: f64,
}

impl Scene {
    /// The troubles that a person has at an instant.
    pub(super) fn troubles_of(&self, person: usize, at_ms: i64) -> impl Iterator<Item = &Trouble> {
        self.troubles.iter().filter(move |trouble| {
            trouble.span.contains(at_ms) && trouble.person.is_none_or(|who| who == person)
        })
    }

    /// What they come to.
    pub(super) fn conditions(&self, person: usize, at_ms: i64) -> Conditions {
        let mut now = Conditions {
            send_loss: 0.0,
            recv_loss: 0.0,
            send_rate: 1.0,
            recv_rate: 1.0,
            round_trip_s: 0.0,
            send_jitter_s: 0.0,
            recv_jitter_s: 0.0,
        };
        for trouble in self.troubles_of(person, at_ms) {
            let between = |mild: f64, bad: f64| mild + (bad - mild) * trouble.strength;
            match trouble.kind {
                Kind::Uplink => {
                    now.send_loss += between(0.095, 0.135);
                    now.send_rate *= between(0.45, 0.22);
                    now.send_jitter_s += between(0.004, 0.012);
                    now.round_trip_s += between(0.02, 0.06);
                }
                Kind::Downlink => {
                    now.recv_loss += between(0.08, 0.16);
                    now.recv_rate *= between(0.6, 0.35);
                    now.recv_jitter_s += between(0.003, 0.009);
                }
                Kind::RoundTrip => {
                    now.round_trip_s += between(0.35, 0.60);
                    now.send_rate *= between(0.9, 0.75);
                }
                Kind::Jitter => now.recv_jitter_s += between(0.045, 0.095),
                Kind::Service => {
                    now.send_loss += between(0.05, 0.09);
                    now.recv_loss += between(0.07, 0.13);
                    now.round_trip_s += between(0.12, 0.28);
                    now.send_rate *= between(0.7, 0.45);
                    now.recv_rate *= between(0.7, 0.45);
                    now.recv_jitter_s += between(0.006, 0.018);
                }
                Kind::Gap | Kind::NothingMeasured => {}
            }
        }
        now
    }

    /// Whether a person can be seen: there, with the camera on.
    pub(super) fn shows_video(&self, person: &Person, at_ms: i64) -> bool {
        person.is_there(at_ms) && person.camera_off.is_none_or(|off| !off.contains(at_ms))
    }
}

impl Person {
    pub(super) fn is_there(&self, at_ms: i64) -> bool {
        self.stints.iter().any(|stint| stint.span.contains(at_ms))
    }
}
