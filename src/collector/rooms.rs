//! `POST /api/rooms`: a name in, a Daily room out, JSON both ways. For our own pages alone.
//! Must not let a word of Daily's key out, nor repeat what Daily said to strangers beyond its meaning.

use super::app::App;
use super::asked::Asked;
use super::counters::Kind;
use super::exchange::{internal_error, now_ms};
use super::hosts;
use super::origin::{Verdict, judge};
use super::page_token;
use super::reply::{Reply, whole_seconds};
use crate::daily::{Error, Room, RoomName};
use crate::plain::with_causes;
use serde_json::{Value, json};
use std::io::Read;
use std::time::Instant;

/// First segments that the server needs for itself: no room can have these names.
pub(crate) const RESERVED: [&str; 7] = [
    "api", "assets", "beacon", "healthz", "metrics", "public", "report",
];
/// Where a key is to be had.
const KEYS_URL: &str = "https://dashboard.daily.co/developers";
/// Bytes of a request: a name, and room for members of later versions.
const BODY_BYTES_MAX: u64 = 8 * 1024;
/// Where Daily does not say when to come back.
const RETRY_AFTER_S: u64 = 2;

/// Whether a room cannot be called `name`.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Answers one request; blocks for as long as Daily takes.
pub(crate) fn answer(app: &App, asked: &Asked, request: &mut tiny_http::Request) -> Reply {
    let verdict = judge(
        &app.allow_origins,
        asked.header("origin"),
        asked.header("host"),
    );
    let is_foreign = !matches!(verdict, Verdict::NoOrigin | Verdict::Same)
        || asked
            .header("sec-fetch-site")
            .is_some_and(|site| site != "same-origin");
    if is_foreign {
        return error(
            403,
            "origin-refused",
            "rooms are opened from this server's own pages only",
        );
    }
    let client = app.client(|name| asked.header(name));
    let host = asked.header("host");
    if !app.hosts.admit(host) || !app.hosts.admit_minting(host, client.is_proxied) {
        return error(421, hosts::REASON, hosts::WORDS);
    }
    let mut body = Vec::new();
    let read = request
        .as_reader()
        .take(BODY_BYTES_MAX + 1)
        .read_to_end(&mut body);
    if read.is_err() || BODY_BYTES_MAX < body.len() as u64 {
        return error(
            400,
            "invalid-request",
            "send a short JSON object such as {\"name\":\"ana\"}",
        );
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(&body) else {
        return error(
            400,
            "invalid-request",
            "send a JSON object such as {\"name\":\"ana\"}",
        );
    };
    let name = members
        .get("name")
        .and_then(Value::as_str)
        .map(RoomName::parse);
    let name = match name {
        Some(Ok(name)) if is_reserved(name.as_str()) => {
            return error(
                400,
                "invalid-room-name",
                "this name is an address of the server; choose another",
            );
        }
        Some(Ok(name)) => name,
        Some(Err(cause)) => return error(400, "invalid-room-name", &cause.to_string()),
        None => {
            return error(
                400,
                "invalid-room-name",
                "`name` is missing, or not a string",
            );
        }
    };
    if app
        .room_pattern
        .as_ref()
        .is_some_and(|pattern| !pattern.has(&name))
    {
        return error(
            403,
            "room-not-allowed",
            "this server opens rooms of other names only",
        );
    }
    let Some(daily) = &app.daily else {
        let message = format!(
            "this server has no Daily API key: set DAILY_TOKEN in its environment or in `.env` and restart it; a key is at {KEYS_URL}"
        );
        return error(503, "daily-token-missing", &message);
    };
    // What Daily need not be asked for costs nothing: a whole office behind one address may join one room.
    if !daily.has_at_hand(&name)
        && let Err(wait) = app.limits.room(client, Instant::now())
    {
        let message = "too many rooms are being opened; try again in a moment";
        return error(429, "too-many-rooms", message)
            .with("Retry-After", whole_seconds(wait).to_string());
    }
    match daily.find_or_mint(&name) {
        Ok(room) => given(app, &room),
        Err(cause) => failed(app, &cause),
    }
}

fn given(app: &App, room: &Room) -> Reply {
    let mut answer =
        json!({ "name": room.name, "url": room.url, "beaconUrl": app.page.beacon_url });
    if let Some(token) = &room.meeting_token {
        answer["meetingToken"] = json!(token);
    }
    if let Some(tokens) = &app.page_tokens {
        match tokens.make(&room.url, now_ms()) {
            Ok(token) => answer["pageToken"] = json!(token),
            Err(cause) => {
                app.notices.say("page-token", with_causes(&cause));
                return internal_error(Kind::Room);
            }
        }
        answer["pageTokenLifeMs"] = json!(page_token::LIFE.as_millis() as u64);
    }
    Reply::json(200, &answer)
}

fn failed(app: &App, cause: &Error) -> Reply {
    app.notices.say(
        cause.code(),
        format_args!("no room: {}", with_causes(cause)),
    );
    let code = cause.code();
    match cause {
        Error::Auth => {
            let message = format!(
                "Daily refused this server's API key: set DAILY_TOKEN to a valid one, from {KEYS_URL}, and restart"
            );
            error(502, code, &message)
        }
        Error::Timeout => error(504, code, "Daily did not answer in time; try again"),
        Error::RateLimited { retry_after } => {
            let seconds = retry_after.map_or(RETRY_AFTER_S, whole_seconds);
            error(
                429,
                code,
                "too many rooms are being asked for; try again in a moment",
            )
            .with("Retry-After", seconds.to_string())
        }
        Error::Refused { .. } => error(
            502,
            code,
            "Daily refused to open this room; the server's log says why",
        ),
        Error::Unreachable { .. } => error(
            502,
            code,
            "Daily cannot be reached from this server; try again",
        ),
        Error::BadAnswer { .. } => error(
            502,
            code,
            "Daily gave an answer that makes no sense; try again",
        ),
    }
}

/// All places are taken.
pub(crate) fn busy() -> Reply {
    error(
        503,
        "busy",
        "many rooms are being opened just now; try again in a moment",
    )
    .with("Retry-After", RETRY_AFTER_S.to_string())
}

pub(crate) fn error(status: u16, code: &'static str, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": code, "message": message })).because(code)
}
