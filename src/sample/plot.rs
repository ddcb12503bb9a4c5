//! Comes up with calls: what each is about, how long it lasts, who takes part, and what goes wrong for whom.
//!
//! All of it follows from the generator's seed; nothing here looks at a clock.

use super::scene::{
    Client, Kind, MINUTE_MS, Person, SECOND_MS, Scene, Shape, Span, Stint, Trouble,
};
use fastrand::Rng;

/// What a call is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    /// Nothing happens.
    Good,
    /// One trouble, for one person or, if it is the service's, for all.
    One(Kind),
    /// A round-trip spike for one person, a jitter spike for another.
    TwoSpikes,
}

/// Stories of the twelve newest calls, newest first, so that a short log holds everything that can happen.
const OPENING: [Story; 12] = [
    Story::One(Kind::Uplink),
    Story::Good,
    Story::One(Kind::Gap),
    Story::One(Kind::Downlink),
    Story::Good,
    Story::Good,
    Story::One(Kind::Service),
    Story::Good,
    Story::TwoSpikes,
    Story::One(Kind::NothingMeasured),
    Story::Good,
    Story::Good,
];

/// The story of call number `index`, 0 the newest.
pub(super) fn story(index: u32, rng: &mut Rng) -> Story {
    let opening = usize::try_from(index).ok().and_then(|i| OPENING.get(i));
    match opening {
        Some(story) => *story,
        None if rng.f64() < 0.78 => Story::Good,
        None => match rng.u8(0..8) {
            0 | 1 => Story::One(Kind::Uplink),
            2 | 3 => Story::One(Kind::Downlink),
            4 => Story::One(Kind::Service),
            5 => Story::TwoSpikes,
            6 => Story::One(Kind::Gap),
            _ => Story::One(Kind::NothingMeasured),
        },
    }
}

/// How long a call with this story lasts, ms.
pub(super) fn duration_ms(story: Story, rng: &mut Rng) -> i64 {
    let minutes = match story {
        // Short ones are many, an hour is rare.
        Story::Good => 3.0 + 47.0 * rng.f64() * rng.f64(),
        Story::One(Kind::NothingMeasured) => 3.0 + 5.0 * rng.f64(),
        Story::One(_) | Story::TwoSpikes => 14.0 + 24.0 * rng.f64(),
    };
    (minutes * MINUTE_MS as f64) as i64
}

/// Fills a call that lasts for `span` with people and trouble.
pub(super) fn scene(index: u32, story: Story, span: Span, rng: &mut Rng) -> Scene {
    let shape = match index % 12 {
        5 => Shape::V0Today,
        11 => Shape::V0Of2022,
        _ => Shape::V1,
    };
    let troubled = !matches!(story, Story::Good);
    let head_count = match rng.u8(0..100) {
        0..35 => 2,
        35..65 => 3,
        65..84 => 4,
        84..95 => 5,
        _ => 6,
    };
    let people = people(
        if troubled {
            head_count.max(3)
        } else {
            head_count
        },
        span,
        rng,
    );
    let troubles = troubles(story, &people, span, rng);
    Scene {
        room: format!("https://example.daily.co/{}", pick(&ROOMS, rng)),
        meeting_session_id: uuid(rng),
        shape,
        people,
        troubles,
    }
}

fn people(head_count: usize, span: Span, rng: &mut Rng) -> Vec<Person> {
    let length_ms = span.end_ms - span.start_ms;
    let mut names = NAMES;
    rng.shuffle(&mut names);
    let mut people = Vec::with_capacity(head_count);
    for (nth, name) in names.into_iter().take(head_count).enumerate() {
        // The one who invited is there first; the others drop in over the first minutes.
        let late_ms = if nth == 0 {
            0
        } else {
            rng.i64(0..(length_ms / 4).min(5 * MINUTE_MS))
        };
        // All leave within some seconds; the scene's end is the last of them.
        let early_ms = if nth == 0 {
            0
        } else {
            rng.i64(0..20 * SECOND_MS)
        };
        let mut whole = Span {
            start_ms: span.start_ms + late_ms,
            end_ms: span.end_ms - early_ms,
        };
        let stint = |span, rng: &mut Rng| Stint {
            span,
            session_id: uuid(rng),
            heartbeats: if rng.f64() < 0.3 { rng.u32(1..3) } else { 0 },
        };
        let mut stints = Vec::new();
        if 0 < nth && rng.f64() < 0.12 {
            whole.end_ms -= length_ms * rng.i64(20..50) / 100;
        } else if 0 < nth && 6 * MINUTE_MS < length_ms && rng.f64() < 0.12 {
            let gone_ms = whole.start_ms + length_ms * rng.i64(30..60) / 100;
            stints.push(stint(
                Span {
                    end_ms: gone_ms,
                    ..whole
                },
                rng,
            ));
            whole.start_ms = gone_ms + rng.i64(15..75) * SECOND_MS;
        }
        stints.push(stint(whole, rng));
        let camera_off = (rng.f64() < 0.25).then(|| {
            let from = span.start_ms + length_ms * rng.i64(0..70) / 100;
            let to = from + length_ms * rng.i64(20..100) / 100;
            Span {
                start_ms: from,
                end_ms: to,
            }
        });
        people.push(Person {
            name,
            client: pick(&CLIENTS, rng),
            stints,
            camera_off,
            video_bits_per_second: 900e3 + 1_100e3 * rng.f64(),
            round_trip_s: 0.022 + 0.09 * rng.f64() * rng.f64(),
            clock_ahead_ms: rng.i64(-150..150),
        });
    }
    people
}

fn troubles(story: Story, people: &[Person], span: Span, rng: &mut Rng) -> Vec<Trouble> {
    let length_ms = span.end_ms - span.start_ms;
    let mut trouble =
        |kind, person, from_percent: std::ops::Range<i64>, seconds: std::ops::Range<i64>| {
            let start_ms = span.start_ms + length_ms * rng.i64(from_percent) / 100;
            let end_ms = start_ms + rng.i64(seconds) * SECOND_MS;
            Trouble {
                kind,
                person,
                span: Span { start_ms, end_ms },
                strength: rng.f64(),
            }
        };
    // The first one sees the whole call; somebody else who does, where there is one.
    let stays = |person: &Person| {
        person.stints.len() == 1 && span.end_ms - MINUTE_MS < person.stints[0].span.end_ms
    };
    let other = people.iter().rposition(stays).unwrap_or(0);
    match story {
        Story::Good => Vec::new(),
        Story::One(Kind::NothingMeasured) => vec![Trouble {
            kind: Kind::NothingMeasured,
            person: None,
            span,
            strength: 1.0,
        }],
        Story::One(Kind::Service) => vec![trouble(Kind::Service, None, 35..50, 150..260)],
        Story::One(Kind::Gap) => vec![trouble(Kind::Gap, Some(0), 40..60, 70..150)],
        Story::One(kind) => vec![trouble(kind, Some(0), 35..50, 180..340)],
        Story::TwoSpikes => vec![
            trouble(Kind::RoundTrip, Some(0), 30..40, 60..130),
            trouble(Kind::Jitter, Some(other), 55..65, 60..130),
        ],
    }
}

fn pick<'a, T>(from: &'a [T], rng: &mut Rng) -> &'a T {
    &from[rng.usize(0..from.len())]
}

/// As random as the seed allows, in the form of a version 4 UUID.
fn uuid(rng: &mut Rng) -> String {
    let bits = rng.u128(..);
    let bits = (bits & !(0xf << 76)) | (0x4 << 76);
    let bits = (bits & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

const ROOMS: [&str; 7] = [
    "meet-standup",
    "meet-design-review",
    "meet-support",
    "meet-ana",
    "meet-interview",
    "meet-all-hands",
    "meet-1on1",
];

/// Invented, and of every kind that a page has to show: long, right to left, with marks, with pictures.
const NAMES: [&str; 12] = [
    "Priya N.",
    "דנה לוי",
    "🦊 Robin",
    "Maximiliane-Alexandra von Hohenfels-Wiesenburg (Facilities, 3rd floor)",
    "Tomás Ó Súilleabháin",
    "王小明",
    "Sam",
    "Amara O.",
    "Jürgen W.",
    "نور حداد",
    "Nadia <support>",
    "Lena & Ole",
];

const CLIENTS: [Client; 8] = [
    Client {
        browser: "Chrome 156",
        os: "macOS",
    },
    Client {
        browser: "Chrome 156",
        os: "Windows",
    },
    Client {
        browser: "Chrome 155",
        os: "ChromeOS",
    },
    Client {
        browser: "Edge 156",
        os: "Windows",
    },
    Client {
        browser: "Safari 26.1",
        os: "macOS",
    },
    Client {
        browser: "Firefox 153",
        os: "Linux",
    },
    Client {
        browser: "Firefox 153",
        os: "Windows",
    },
    Client {
        browser: "Chrome 156",
        os: "Android",
    },
];
