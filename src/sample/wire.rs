//! An invented call as the lines that a collector would have logged for it: what is sent when, and what gets lost. Spelling is in [`super::shapes`].

use super::link::Link;
use super::scene::{Kind, SECOND_MS, Scene, Shape, Stint};
use super::shapes::{ClientText, Columns, Event, Latest, Stats, V0, V1, WORST};
use super::state::NetworkState;
use crate::beacon::{self, Reading, Receipt};
use crate::metric::MetricId;
use fastrand::Rng;

/// Time between two readings: Daily refreshes its own as often.
const READING_MS: i64 = 2 * SECOND_MS;
/// Time between two beacons.
const BEACON_MS: i64 = 15 * SECOND_MS;
/// Longest way from the page to the log.
pub(super) const TRAVEL_MS_MAX: i64 = 900;
/// Of this many beacons one is sent again because its answer got lost, one never arrives, and one arrives after the next.
const ODD_ONE_IN: u32 = 300;
/// How late that is.
const LATE_MS: i64 = 20 * SECOND_MS;

/// One line of the log, with its newline.
pub(super) struct Line {
    pub(super) received_ms: i64,
    pub(super) text: Vec<u8>,
}

/// All lines of a call, in no order.
pub(super) fn lines(scene: &Scene, rng: &mut Rng) -> std::io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (nth, person) in scene.people.iter().enumerate() {
        for stint in &person.stints {
            Sender::new(scene, nth, stint, rng).run(&mut lines, rng)?;
        }
    }
    Ok(lines)
}

/// The page of one participant.
struct Sender<'a> {
    scene: &'a Scene,
    person: usize,
    stint: &'a Stint,
    link: Link,
    seq: u32,
    /// Since the last beacon.
    readings: Vec<Reading>,
    /// Since the last beacon.
    events: Vec<Event>,
    network: NetworkState,
    /// By position in [`WORST`].
    worst: [f64; WORST.len()],
}

impl<'a> Sender<'a> {
    fn new(scene: &'a Scene, person: usize, stint: &'a Stint, rng: &mut Rng) -> Sender<'a> {
        Sender {
            scene,
            person,
            stint,
            link: Link::new(person, rng),
            seq: 0,
            readings: Vec::new(),
            events: Vec::new(),
            network: NetworkState::default(),
            worst: [0.0; WORST.len()],
        }
    }

    fn run(mut self, lines: &mut Vec<Line>, rng: &mut Rng) -> std::io::Result<()> {
        let span = self.stint.span;
        self.event(span.start_ms, "joined-meeting");
        let measured_from_ms = span.start_ms + i64::from(self.stint.heartbeats) * BEACON_MS;
        let mut due_ms = span.start_ms
            + if 0 < self.stint.heartbeats {
                SECOND_MS
            } else {
                BEACON_MS
            };
        let mut at_ms = span.start_ms + rng.i64(1_200..2_600);
        while at_ms < span.end_ms {
            let is = |kind| {
                self.scene
                    .troubles_of(self.person, at_ms)
                    .any(|trouble| trouble.kind == kind)
            };
            if is(Kind::Gap) {
                // A page that is hidden sends what it has.
                if !self.readings.is_empty() {
                    self.send(at_ms, lines, rng)?;
                }
                due_ms = at_ms + BEACON_MS;
            } else {
                if measured_from_ms <= at_ms && !is(Kind::NothingMeasured) {
                    self.measure(at_ms, rng);
                }
                if due_ms <= at_ms {
                    self.send(at_ms, lines, rng)?;
                    due_ms += BEACON_MS;
                }
            }
            at_ms += READING_MS + rng.i64(-8..9);
        }
        // The last flush, when the page is left.
        self.event(span.end_ms, "left-meeting");
        self.send(span.end_ms, lines, rng)
    }

    fn measure(&mut self, at_ms: i64, rng: &mut Rng) {
        let reading = self.link.read(self.scene, at_ms, rng);
        for (worst, (_, metric)) in self.worst.iter_mut().zip(WORST) {
            let value = MetricId::from_wire(metric).and_then(|metric| reading.values.get(metric));
            *worst = worst.max(value.unwrap_or(0.0));
        }
        if self.network.observe(&reading) {
            self.event(at_ms, "network-quality-change");
        }
        self.readings.push(reading);
    }

    fn event(&mut self, at_ms: i64, kind: &'static str) {
        let of_network = kind == "network-quality-change";
        self.events.push(Event {
            t: at_ms + self.scene.people[self.person].clock_ahead_ms,
            kind,
            network_state: of_network.then(|| self.network.name()),
            network_state_reasons: of_network.then(|| self.network.reasons().to_vec()),
        });
    }

    fn send(&mut self, at_ms: i64, lines: &mut Vec<Line>, rng: &mut Rng) -> std::io::Result<()> {
        let received_ms = at_ms + rng.i64(30..400);
        let body = match self.scene.shape {
            Shape::V1 => serde_json::to_vec(&self.v1())?,
            Shape::V0Today | Shape::V0Of2022 => serde_json::to_vec(&self.v0())?,
        };
        self.seq += 1;
        self.readings.clear();
        self.events.clear();
        match rng.u32(0..ODD_ONE_IN) {
            0 => {
                lines.push(line(&body, at_ms + rng.i64(500..TRAVEL_MS_MAX))?);
                lines.push(line(&body, received_ms)?);
            }
            1 => {}
            2 => lines.push(line(&body, received_ms + LATE_MS)?),
            _ => lines.push(line(&body, received_ms)?),
        }
        Ok(())
    }

    fn v1(&self) -> V1<'_> {
        let person = &self.scene.people[self.person];
        V1 {
            v: 1,
            seq: self.seq,
            source: "daily",
            room: &self.scene.room,
            meeting_session_id: &self.scene.meeting_session_id,
            session_id: &self.stint.session_id,
            network_state: self.network.name(),
            stats: Stats {
                latest: self.readings.last().map(Latest::All),
                worst: &[],
            },
            samples: (!self.readings.is_empty()).then_some(Columns(&self.readings)),
            events: &self.events,
            client: ClientText {
                browser: person.client.browser,
                os: person.client.os,
            },
            name: person.name,
        }
    }

    fn v0(&self) -> V0<'_> {
        let is_new = self.scene.shape == Shape::V0Today;
        let latest = self.readings.last();
        V0 {
            room: &self.scene.room,
            meeting_session_id: &self.scene.meeting_session_id,
            session_id: &self.stint.session_id,
            threshold: is_new.then(|| self.network.threshold()),
            quality: is_new.then(|| self.network.quality()),
            network_state: is_new.then(|| self.network.name()),
            stats: Stats {
                latest: latest.map(if is_new { Latest::All } else { Latest::Of2022 }),
                worst: match (latest, is_new) {
                    (None, _) => &[],
                    (Some(_), true) => &self.worst,
                    (Some(_), false) => &self.worst[..2],
                },
            },
            network_state_reasons: Some(self.network.reasons())
                .filter(|_| is_new && self.network.has_changed()),
        }
    }
}

/// What the collector makes of `body`.
fn line(body: &[u8], received_ms: i64) -> std::io::Result<Line> {
    let receipt = Receipt {
        now_ms: u64::try_from(received_ms).unwrap_or_default(),
        synced: true,
    };
    let checked = beacon::check(body, receipt).map_err(std::io::Error::other)?;
    let mut text = checked.line;
    text.push(b'\n');
    Ok(Line { received_ms, text })
}
