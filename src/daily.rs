//! Finds or mints Daily rooms over the REST API.
//!
//! It must not know who asks or how the answer is served, and the token must never leave it but for Daily: not in an
//! error, not in a log, not along a redirect.
//!
//! `api` is one request and what its answer means, `retry` patience, `pace` and `rooms` restraint: a rate, and one
//! request for a name however many ask.

mod api;
mod error;
mod name;
mod pace;
mod pattern;
mod retry;
mod rooms;
mod token;

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub use error::Error;
pub use name::{InvalidRoomName, RoomName};
pub use pattern::{InvalidPattern, RoomPattern};
pub use token::{InvalidToken, Token};

use api::{Answer, Api, Method};
use pace::Pace;
use retry::Call;
use rooms::{Minted, Rooms};

/// Daily's own base URL.
pub const API_URL: &str = "https://api.daily.co/v1";
/// Longest wait for one answer, unless [`Settings`] says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// A call may take this many times the timeout of a try, pauses and tries together.
const CALL_TIMEOUTS: u32 = 2;
/// Pauses before the second and the third try. Jitter comes on top. Daily's own limit is 20 requests a second.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1000)];
/// How long the address of a room is answered without asking Daily: a room deleted there is missed for that long.
const FRESH: Duration = Duration::from_secs(300);
/// A new expiry for a room that Daily does not let go without one.
const EXPIRY: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long a meeting token opens a private room: from a page that is loaded to one that stays open over a working day.
const ENTRY: Duration = Duration::from_secs(12 * 3600);

/// How to reach Daily.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base URL, with or without a slash at its end.
    pub api_url: String,
    /// Daily's API key.
    pub token: Token,
    /// Put before every name: room `ana` is `meet-ana` at Daily. Belongs to the same alphabet as names.
    pub room_prefix: String,
    /// After this a room that is minted here, or opened again, closes for newcomers. `None`: never.
    pub room_expiry: Option<Duration>,
    /// Who may enter a room that is minted here.
    pub privacy: Privacy,
    /// Longest wait for one try. A whole call, tries and pauses together, takes at most twice as long.
    pub timeout: Duration,
}

impl Settings {
    /// Returns settings for Daily itself, with rooms named `meet-…`.
    #[must_use]
    pub fn new(token: Token) -> Settings {
        Settings {
            api_url: API_URL.into(),
            token,
            room_prefix: "meet-".into(),
            room_expiry: None,
            privacy: Privacy::Public,
            timeout: TIMEOUT,
        }
    }
}

/// Who may enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Whoever has its address.
    Public,
    /// Who has a meeting token, too.
    Private,
}

/// A room that exists at Daily.
#[derive(Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name at Daily, prefix included.
    pub name: String,
    /// Where people join; http or https.
    pub url: String,
    /// What opens it where it is private: for whoever may enter, and for no log.
    pub meeting_token: Option<String>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("meeting_token", &self.meeting_token.as_ref().map(|_| "***"))
            .finish()
    }
}

/// How rooms are made.
#[derive(Clone, Copy, Debug)]
struct Terms {
    expiry: Option<Duration>,
    privacy: Privacy,
}

/// A client of Daily's REST API. Share it between threads; its limits hold for all of them together.
#[derive(Debug)]
pub struct Daily {
    api: Api,
    room_prefix: String,
    terms: Terms,
    timeout: Duration,
    pauses: [Duration; 2],
    pace: Pace,
    rooms: Rooms,
}

impl Daily {
    /// Returns a client. Nothing is sent before the first room is asked for.
    #[must_use]
    pub fn new(settings: Settings) -> Daily {
        Daily {
            api: Api::new(&settings.api_url, settings.token, settings.timeout),
            room_prefix: settings.room_prefix,
            terms: Terms {
                expiry: settings.room_expiry,
                privacy: settings.privacy,
            },
            timeout: settings.timeout,
            pauses: PAUSES,
            pace: Pace::default(),
            rooms: Rooms::default(),
        }
    }

    /// Sets the pauses before the second and the third try; a quarter more or less is added by chance.
    #[must_use]
    pub fn with_pauses(mut self, pauses: [Duration; 2]) -> Daily {
        self.pauses = pauses;
        self
    }

    /// Returns the room `name`, made if there is none, opened again if it has expired.
    ///
    /// Blocks: at most twice the timeout of the settings, plus a moment. Who asks for a name that is already being
    /// asked for waits for that answer. An answer stays good for five minutes, an error for nobody else.
    ///
    /// # Errors
    ///
    /// See [`Error`]; each has a code of the contract and a text for a person.
    pub fn find_or_mint(&self, name: &RoomName) -> Result<Room, Error> {
        let full = self.full(name);
        let deadline = Instant::now() + self.timeout * CALL_TIMEOUTS;
        self.rooms.get_or(&full, deadline, || {
            let mut call = Call::new(&self.api, &self.pace, &self.pauses, self.timeout, deadline);
            find_or_mint(&mut call, &full, self.terms)
        })
    }

    /// Whether the room `name` would be answered without another request to Daily.
    #[must_use]
    pub fn has_at_hand(&self, name: &RoomName) -> bool {
        self.rooms.has(&self.full(name))
    }

    fn full(&self, name: &RoomName) -> String {
        format!("{}{}", self.room_prefix, name.as_str())
    }
}

/// Creates first, since most names are new; only a refusal is worth a look at what is there. What is there is taken as
/// it is: who made it chose its privacy and its expiry.
fn find_or_mint(call: &mut Call<'_>, name: &str, terms: Terms) -> Result<Minted, Error> {
    let created = call.send(Method::Post, "/rooms", Some(&new_room(name, terms)))?;
    if created.status != 400 {
        let fresh = terms.expiry.map_or(FRESH, |expiry| expiry.min(FRESH));
        return minted(call, name, &created.or_refused()?, fresh);
    }
    // 400 means taken, or lost to a concurrent create, or really wrong. Whether the room is there tells them apart;
    // the text of the answer is for people and may change.
    let path = format!("/rooms/{}", encoded(name));
    let found = call.send(Method::Get, &path, None)?;
    if found.status == 404 {
        return Err(created.refused());
    }
    let found = found.or_refused()?;
    let fresh = match expiry(&found.body) {
        Some(left) if left.is_zero() => {
            revive(call, &path, terms)?;
            terms.expiry.map_or(FRESH, |expiry| expiry.min(FRESH))
        }
        Some(left) => left.min(FRESH),
        None => FRESH,
    };
    minted(call, name, &found, fresh)
}

fn new_room(name: &str, terms: Terms) -> Value {
    let mut room = json!({ "name": name });
    if terms.privacy == Privacy::Private {
        room["privacy"] = json!("private");
    }
    if let Some(expiry) = terms.expiry {
        room["properties"] = json!({ "exp": (now() + expiry).as_secs() });
    }
    room
}

/// Opens an expired room again, on the terms of a new one; where it may not be without an expiry, with a late one.
fn revive(call: &mut Call<'_>, path: &str, terms: Terms) -> Result<(), Error> {
    let mut open_until = |exp: Option<u64>| {
        call.send(
            Method::Post,
            path,
            Some(&json!({ "properties": { "exp": exp } })),
        )
    };
    if let Some(expiry) = terms.expiry {
        let opened = open_until(Some((now() + expiry).as_secs()))?;
        return opened.or_refused().map(drop);
    }
    let opened = match open_until(None)? {
        refused if refused.status == 400 => open_until(Some((now() + EXPIRY).as_secs()))?,
        opened => opened,
    };
    opened.or_refused().map(drop)
}

fn minted(
    call: &mut Call<'_>,
    name: &str,
    answer: &Answer,
    fresh: Duration,
) -> Result<Minted, Error> {
    let member = |key: &str| answer.body.get(key).and_then(Value::as_str);
    let url = member("url").unwrap_or_default();
    if !is_web_address(url) {
        return Err(Error::BadAnswer {
            reason: "no address of a room in it".into(),
        });
    }
    let meeting_token = match member("privacy") {
        Some("private") => Some(meeting_token(call, name)?),
        _ => None,
    };
    Ok(Minted {
        room: Room {
            name: name.into(),
            url: url.into(),
            meeting_token,
        },
        fresh,
    })
}

/// What opens a private room: for this room alone, and not for ever. It tells nobody apart, so it may be given to many.
fn meeting_token(call: &mut Call<'_>, name: &str) -> Result<String, Error> {
    let exp = (now() + ENTRY).as_secs();
    let wanted = json!({ "properties": { "room_name": name, "exp": exp } });
    let answer = call.send(Method::Post, "/meeting-tokens", Some(&wanted))?;
    let answer = answer.or_refused()?;
    let token = answer.body.get("token").and_then(Value::as_str);
    // A JWT: it goes into the address of Daily's frame.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match token {
        Some(token) if !token.is_empty() && token.len() <= 4096 && token.bytes().all(plain) => {
            Ok(token.into())
        }
        _ => Err(Error::BadAnswer {
            reason: "no meeting token in it".into(),
        }),
    }
}

/// Returns the time left until the room closes, zero when that is past; `None` when it does not close.
fn expiry(room: &Value) -> Option<Duration> {
    let exp = room.get("config")?.get("exp")?.as_f64()?;
    Some(Duration::try_from_secs_f64(exp - now().as_secs_f64()).unwrap_or_default())
}

/// A browser is sent there: only a plain http or https address will do.
fn is_web_address(url: &str) -> bool {
    let Some(rest) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`');
    url.len() <= 2048 && !host.is_empty() && !host.contains('@') && url.chars().all(plain)
}

/// Names need no encoding, a prefix from a configuration file may.
fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => text.push(byte as char),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// Time since the epoch: expiries are wall-clock times. Everything else here runs on [`Instant`].
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_web_address_is_passed_on() {
        let check = |url: &str, expect: bool| assert_eq!(is_web_address(url), expect, "{url}");
        check("https://x.daily.co/meet-ana", true);
        check("http://127.0.0.1:8080/meet-ana", true);
        check("https://x.daily.co", true);
        check("", false);
        check("https://", false);
        check("https:///meet", false);
        check("javascript:alert(1)", false);
        check("ftp://x/y", false);
        check("//x.daily.co/meet", false);
        check("https://user:pass@x/y", false);
        check("https://x/\"><script>", false);
        check("https://x/a b", false);
        check("https://x/a\r\nSet-Cookie: a", false);
        check(&format!("https://x/{}", "a".repeat(2048)), false);
    }

    #[test]
    fn a_room_without_expiry_never_closes_and_a_past_one_has_no_time_left() {
        let check = |config: Value| expiry(&json!({ "config": config }));
        assert_eq!(check(json!({})), None);
        assert_eq!(check(json!({ "exp": null })), None);
        assert_eq!(check(json!({ "exp": 1 })), Some(Duration::ZERO));
        assert_eq!(check(json!({ "exp": -1e300 })), Some(Duration::ZERO));
        let hour = check(json!({ "exp": now().as_secs() + 3600 })).unwrap();
        assert!((3590..=3600).contains(&hour.as_secs()), "{hour:?}");
    }

    #[test]
    fn a_prefix_cannot_leave_its_path_segment() {
        assert_eq!(encoded("meet-Ana_1"), "meet-Ana_1");
        assert_eq!(encoded("../a b?é"), "%2E%2E%2Fa%20b%3F%C3%A9");
    }
}
