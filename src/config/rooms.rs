//! Checked settings of rooms: how they are minted at Daily, which, and how many.

use super::serve::given;
use super::values::{duration, origin_of, origins};
use super::{Environment, Error, error};
use crate::cli::{RoomArgs, RoomPrivacyArg};
use crate::daily;
use std::time::Duration;

/// A room name has at most 64 characters and Daily takes 128 with the prefix.
const ROOM_PREFIX_BYTES_MAX: usize = 64;
/// A room that closes sooner closes before everybody has joined; one that closes later might as well stay.
const EXPIRY_MIN: Duration = Duration::from_secs(60);
const EXPIRY_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Rooms at Daily.
#[derive(Debug)]
pub struct Rooms {
    /// How to reach Daily. `None`: no token, no rooms.
    pub daily: Option<daily::Settings>,
    /// Where there is no token: another name of it that is set.
    pub daily_token_misnamed: Option<&'static str>,
    /// Origins besides Daily's own whose rooms the call page may show.
    pub frame_origins: Vec<String>,
    /// Rooms that one address may have opened in a minute; 0: no limit.
    pub per_minute: u32,
    /// Rooms that all together may have opened in a minute; 0: no limit.
    pub per_minute_total: u32,
    /// What names have to match. `None`: anything.
    pub pattern: Option<daily::RoomPattern>,
}

pub(super) fn rooms(args: RoomArgs, environment: &Environment) -> Result<Rooms, Error> {
    let api_url = given(args.daily_api_url)
        .or_else(|| environment.daily_api_url.clone())
        .unwrap_or_else(|| daily::API_URL.to_owned());
    origin_of("--daily-api-url", &api_url)?;
    let room_prefix = args.room_prefix;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !room_prefix.bytes().all(plain) || ROOM_PREFIX_BYTES_MAX < room_prefix.len() {
        return Err(error(
            "--room-prefix",
            &room_prefix,
            "Daily takes letters, digits, `-` and `_`",
            format!("use at most {ROOM_PREFIX_BYTES_MAX} of them, or \"\" for no prefix"),
        ));
    }
    let room_expiry = given(args.room_expiry)
        .map(|text| expiry(&text))
        .transpose()?;
    let pattern = given(args.room_pattern)
        .map(|text| pattern(&text))
        .transpose()?;
    let daily = match &environment.daily_token {
        None => None,
        Some(token) => Some(daily::Settings {
            api_url: api_url.trim_end_matches('/').to_owned(),
            token: daily::Token::new(token.trim()).map_err(|cause| {
                error(
                    "DAILY_TOKEN",
                    "***",
                    cause,
                    "copy the API key anew from https://dashboard.daily.co/developers",
                )
            })?,
            room_prefix,
            room_expiry,
            privacy: match args.room_privacy {
                RoomPrivacyArg::Public => daily::Privacy::Public,
                RoomPrivacyArg::Private => daily::Privacy::Private,
            },
            timeout: daily::TIMEOUT,
        }),
    };
    Ok(Rooms {
        daily,
        daily_token_misnamed: environment.daily_token_misnamed,
        frame_origins: origins("--frame-origin", &args.frame_origin)?,
        per_minute: args.rooms_per_minute,
        per_minute_total: args.rooms_per_minute_total,
        pattern,
    })
}

fn expiry(text: &str) -> Result<Duration, Error> {
    const SETTING: &str = "--room-expiry";
    let hint = "write a time such as 24h or 90m";
    let expiry = duration(SETTING, text, hint)?;
    if expiry < EXPIRY_MIN || EXPIRY_MAX < expiry {
        return Err(error(
            SETTING,
            text,
            "not between a minute and a year",
            hint,
        ));
    }
    Ok(expiry)
}

fn pattern(text: &str) -> Result<daily::RoomPattern, Error> {
    daily::RoomPattern::parse(text).map_err(|cause| {
        let hint = "write a regular expression for whole names, such as 'team-[a-z]+|standup'";
        error("--room-pattern", text, cause, hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::serve::tests::serve;

    #[test]
    fn a_room_may_close_after_a_while() {
        let expiry = |text: &str| {
            let settings = serve(
                &format!("--room-expiry {text}"),
                &[("DAILY_TOKEN", "key-1")],
            )?;
            Ok::<_, Error>(settings.rooms.daily.and_then(|daily| daily.room_expiry))
        };
        let hours = |n: u64| Some(Duration::from_secs(n * 3600));
        assert_eq!(expiry("24h").unwrap(), hours(24));
        assert_eq!(expiry("7200").unwrap(), hours(2));
        for wrong in ["59s", "9000h", "soon", "0"] {
            assert!(expiry(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_is_a_regular_expression() {
        let pattern = |text: &str| serve(&format!("--room-pattern {text}"), &[]);
        assert!(
            pattern("team-[a-z]+|standup")
                .unwrap()
                .rooms
                .pattern
                .is_some()
        );
        assert!(serve("", &[]).unwrap().rooms.pattern.is_none());
        for wrong in ["(", "[a", "a{5000000}", "a)|(b"] {
            assert!(pattern(wrong).is_err(), "{wrong}");
        }
    }
}
