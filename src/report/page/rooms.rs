//! The list of all rooms, those in which people spent most time first.

use super::super::Error;
use super::super::data::room_path;
use super::super::numbers::Numbers;
use super::super::rooms::Room;
use crate::call::{Quality, room_name};
use crate::digest::fingerprint;
use crate::metric::Unit;
use crate::site;
use crate::units::{self, counted};
use jiff::tz::TimeZone;
use serde::Serialize;

/// Its name in the folder of rooms' pages.
pub(in crate::report) const FILE: &str = "index.html";
/// Rooms that are listed; the overview finds the calls of all.
const LISTED_MAX: usize = 2_000;

#[derive(Serialize)]
struct Page {
    assets: String,
    version: &'static str,
    digest: String,
    n_rooms: String,
    rooms: Vec<OneRoom>,
    /// How many more there are; empty for none.
    rest: String,
}

#[derive(Serialize)]
struct OneRoom {
    page: String,
    room: String,
    calls: String,
    participants: String,
    time: String,
    /// The good share of what was measured, in words and in percent for the bar.
    good: String,
    shares: Vec<Share>,
    last: String,
}

/// A part of a bar, in percent.
#[derive(Serialize)]
struct Share {
    level: &'static str,
    x: f64,
    width: f64,
}

/// `rooms/index.html`.
pub(in crate::report) fn rooms(numbers: &Numbers<'_>) -> Result<String, Error> {
    let listed = &numbers.rooms[..numbers.rooms.len().min(LISTED_MAX)];
    let rooms: Vec<OneRoom> = listed
        .iter()
        .map(|room| one(room, numbers.time_zone))
        .collect();
    let texts = rooms
        .iter()
        .flat_map(|room| [&room.page, &room.time, &room.good, &room.calls]);
    let page = Page {
        assets: format!("../assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        digest: fingerprint(texts.map(|text| text.as_bytes())),
        n_rooms: counted(numbers.rooms.len() as u64, "room", "rooms"),
        rest: match numbers.rooms.len() - listed.len() {
            0 => String::new(),
            n => counted(n as u64, "more room", "more rooms"),
        },
        rooms,
    };
    Ok(site::render("report-rooms.html", page)?)
}

fn one(room: &Room, zone: &TimeZone) -> OneRoom {
    let of = |quality: Quality| room.quality_ms[quality as usize] as f64;
    let measured = of(Quality::Good) + of(Quality::Fair) + of(Quality::Poor);
    let mut x = 0.0;
    let mut shares = Vec::new();
    for (quality, level) in [
        (Quality::Poor, "poor"),
        (Quality::Fair, "fair"),
        (Quality::Good, "good"),
    ] {
        if 0.0 < of(quality) {
            let width = (of(quality) / measured * 1e4).round() / 1e2;
            shares.push(Share { level, x, width });
            x += width;
        }
    }
    OneRoom {
        page: room_path(&room.name).replacen("rooms/", "", 1),
        room: room_name(&room.name),
        calls: units::count(room.calls as u64),
        participants: units::count(room.participants as u64),
        time: units::duration(room.participant_ms()),
        good: match 0.0 < measured {
            true => units::quantity(Unit::Ratio, of(Quality::Good) / measured),
            false => units::MISSING.to_owned(),
        },
        shares,
        last: room
            .last_ms
            .and_then(|ms| units::day_of(ms, zone))
            .map_or_else(
                || units::MISSING.to_owned(),
                |(date, _)| date.strftime("%-d %b %Y").to_string(),
            ),
    }
}
