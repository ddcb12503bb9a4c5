//! What a person's browser measures: one reading after the other, with noise that hangs together.
//!
//! Only sums, products and square roots are used, which every machine rounds alike: the same seed gives the same bytes anywhere.

use super::scene::{Conditions, Scene};
use crate::beacon::{Reading, Values};
use crate::metric::{MetricId, Unit};
use fastrand::Rng;

/// Seconds between two readings, as the page takes them.
const WINDOW_S: f64 = 2.0;
/// Payload of a video packet, bits.
const VIDEO_PACKET_BITS: f64 = 8.0 * 1_100.0;
/// Audio packets a second: one every 20 ms.
const AUDIO_PACKETS_PER_SECOND: f64 = 50.0;

/// The connection of one participant.
pub(super) struct Link {
    person: usize,
    /// How much of the usual flows, about 1; wanders.
    flow: f64,
    /// How much of the usual delay there is, about 1; wanders.
    delay: f64,
    /// Who talks sends more.
    talks: bool,
}

/// Packets of one kind, one way, within one window.
#[derive(Clone, Copy)]
struct Packets {
    sent: f64,
    lost: f64,
}

impl Packets {
    /// `None` when there were none: nothing that could be lost.
    fn loss(self) -> Option<f64> {
        (1.0 <= self.sent).then(|| self.lost / self.sent)
    }

    fn and(self, other: Packets) -> Packets {
        Packets {
            sent: self.sent + other.sent,
            lost: self.lost + other.lost,
        }
    }
}

/// Audio or video, one way.
struct Flow {
    bits_per_second: f64,
    packets: Packets,
    /// `None` when nothing flows.
    jitter_s: Option<f64>,
}

impl Link {
    pub(super) fn new(person: usize, rng: &mut Rng) -> Link {
        Link {
            person,
            flow: 0.5,
            delay: 0.9 + 0.2 * rng.f64(),
            talks: rng.bool(),
        }
    }

    /// The reading at an instant of the real world; the timestamp is what the sender's clock says then.
    pub(super) fn read(&mut self, scene: &Scene, at_ms: i64, rng: &mut Rng) -> Reading {
        let person = &scene.people[self.person];
        let now = scene.conditions(self.person, at_ms);
        self.wander(rng);
        let video_send_bps = if scene.shows_video(person, at_ms) {
            person.video_bits_per_second * self.flow * now.send_rate
        } else {
            0.0
        };
        let video_recv_bps = self.video_coming_in(scene, at_ms) * now.recv_rate * noise(0.06, rng);
        let others = scene.people.iter().enumerate();
        let others = others
            .filter(|(other, who)| *other != self.person && who.is_there(at_ms))
            .count();
        let audio_send_bps = if self.talks { 31e3 } else { 14e3 } * noise(0.08, rng);
        let audio_recv_bps = (26e3 * noise(0.1, rng)) * others.min(2) as f64;

        let video_send = flow(
            video_send_bps,
            video_packets(video_send_bps),
            0.011,
            now.send_loss,
            now.send_jitter_s,
            rng,
        );
        let audio_send = flow(
            audio_send_bps,
            audio_packets(1),
            0.004,
            now.send_loss,
            now.send_jitter_s,
            rng,
        );
        let video_recv = flow(
            video_recv_bps,
            video_packets(video_recv_bps),
            0.009,
            now.recv_loss,
            now.recv_jitter_s,
            rng,
        );
        let audio_recv = flow(
            audio_recv_bps,
            audio_packets(others),
            0.0035,
            now.recv_loss,
            now.recv_jitter_s,
            rng,
        );

        let sees_upwards = !person.client.is_blind_upwards();
        let round_trip_s = person.round_trip_s * self.delay + now.round_trip_s * noise(0.12, rng);
        let available_bps = available(person.video_bits_per_second * self.flow, &now, rng);
        let mut values = Values::default();
        for metric in MetricId::all() {
            let value = match metric.def().id {
                "totalSendPacketLoss" => video_send.packets.and(audio_send.packets).loss(),
                "totalRecvPacketLoss" => video_recv.packets.and(audio_recv.packets).loss(),
                "networkRoundTripTime" => Some(round_trip_s).filter(|_| sees_upwards),
                "sendBitsPerSecond" => Some(on_the_wire(&video_send, &audio_send)),
                "recvBitsPerSecond" => Some(on_the_wire(&video_recv, &audio_recv)),
                "videoSendBitsPerSecond" => Some(video_send.bits_per_second),
                "videoRecvBitsPerSecond" => Some(video_recv.bits_per_second),
                "availableOutgoingBitrate" => Some(available_bps).filter(|_| sees_upwards),
                "videoSendPacketLoss" => video_send.packets.loss(),
                "videoRecvPacketLoss" => video_recv.packets.loss(),
                "audioSendPacketLoss" => audio_send.packets.loss().filter(|_| sees_upwards),
                "audioRecvPacketLoss" => audio_recv.packets.loss(),
                "videoSendJitter" => video_send.jitter_s.filter(|_| sees_upwards),
                "videoRecvJitter" => video_recv.jitter_s,
                "audioSendJitter" => audio_send.jitter_s.filter(|_| sees_upwards),
                "audioRecvJitter" => audio_recv.jitter_s,
                "audioSendBitsPerSecond" => Some(audio_send.bits_per_second),
                "audioRecvBitsPerSecond" => Some(audio_recv.bits_per_second),
                _ => None,
            };
            values.set(metric, value.map(|value| rounded(value, metric.def().unit)));
        }
        Reading {
            timestamp_ms: at_ms + person.clock_ahead_ms,
            values,
        }
    }

    /// Takes the state one step on: back towards the usual, with a push to either side.
    fn wander(&mut self, rng: &mut Rng) {
        self.flow += 0.18 * (1.0 - self.flow) + 0.05 * (2.0 * rng.f64() - 1.0);
        self.delay += 0.25 * (1.0 - self.delay) + 0.07 * (2.0 * rng.f64() - 1.0);
        if rng.f64() < 0.12 {
            self.talks = !self.talks;
        }
    }

    /// Video of the others, bit/s: a big picture of one, smaller ones of many. Who has a bad uplink sends less to all.
    fn video_coming_in(&self, scene: &Scene, at_ms: i64) -> f64 {
        let seen =
            scene.people.iter().enumerate().filter(|(other, person)| {
                *other != self.person && scene.shows_video(person, at_ms)
            });
        let (mut total, mut count) = (0.0, 0.0);
        for (other, person) in seen {
            total += person.video_bits_per_second * scene.conditions(other, at_ms).send_rate;
            count += 1.0;
        }
        let share = if count <= 1.0 {
            0.95
        } else {
            0.75 / f64::sqrt(count)
        };
        total * share * (0.4 + 0.6 * self.flow)
    }
}

fn flow(
    bits_per_second: f64,
    packets: f64,
    usual_jitter_s: f64,
    loss: f64,
    more_jitter_s: f64,
    rng: &mut Rng,
) -> Flow {
    let flows = 1.0 <= packets;
    // Now and then a burst of loss hits even a good line.
    let background = if rng.f64() < 0.03 { 0.012 } else { 0.0004 };
    let lost = drawn(packets * (background + loss * noise(0.12, rng)), rng).min(packets);
    let jitter_s = usual_jitter_s * noise(0.35, rng) + more_jitter_s * noise(0.2, rng);
    Flow {
        bits_per_second: if flows { bits_per_second } else { 0.0 },
        packets: Packets {
            sent: packets,
            lost,
        },
        jitter_s: flows.then_some(jitter_s),
    }
}

fn video_packets(bits_per_second: f64) -> f64 {
    (bits_per_second * WINDOW_S / VIDEO_PACKET_BITS).round()
}

fn audio_packets(senders: usize) -> f64 {
    AUDIO_PACKETS_PER_SECOND * WINDOW_S * senders.min(2) as f64
}

/// Payload, and what packets, repairs and reports put on top.
fn on_the_wire(video: &Flow, audio: &Flow) -> f64 {
    9e3 + 1.035 * video.bits_per_second + 1.25 * audio.bits_per_second
}

fn available(usual_bps: f64, now: &Conditions, rng: &mut Rng) -> f64 {
    let room = if now.send_rate < 1.0 { 1.15 } else { 1.9 };
    (60e3 + usual_bps * now.send_rate * room * noise(0.05, rng)).round()
}

/// A count of rare things with the given mean.
fn drawn(mean: f64, rng: &mut Rng) -> f64 {
    if mean < 1.0 {
        return if rng.f64() < mean { 1.0 } else { 0.0 };
    }
    // Three uniform draws are near enough to a bell with a spread of one.
    let bell = 2.0 * (rng.f64() + rng.f64() + rng.f64()) - 3.0;
    (mean + bell * mean.sqrt()).round().max(0.0)
}

/// A factor about 1, at most `spread` away from it.
fn noise(spread: f64, rng: &mut Rng) -> f64 {
    1.0 + spread * (2.0 * rng.f64() - 1.0)
}

/// No more digits than mean something: a beacon goes over somebody's mobile plan.
fn rounded(value: f64, unit: Unit) -> f64 {
    let steps = match unit {
        Unit::BitPerSecond => 10.0,
        Unit::Ratio => 100_000.0,
        Unit::Second => 10_000.0,
    };
    (value * steps).round() / steps
}
