//! Page tokens: proof that a beacon comes from a page that this server, or one that shares its secret, gave a room to.
//! A token is base64url(expiry, room, nonce, mark): who has one cannot make another, for another room or a later time.
//! Must not store tokens, nor tell by words or time how much of a wrong one was right.

use super::limits::Nonce;
use crate::config::PageTokens as Setting;
use crate::digest::{self, Key, MARK_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::io;
use std::time::Duration;

/// How long a token is good.
pub(crate) const LIFE: Duration = Duration::from_secs(6 * 3600);
/// What is marked, so that no other use of the secret can be taken for a token.
const PURPOSE: &[u8] = b"call-metrics page token 1";
const ROOM: &[u8] = b"call-metrics room 1";

/// 8 bytes of expiry (ms since the epoch, big end first), 12 of the room, 12 of the nonce, then the mark.
const ROOM_AT: usize = 8;
const NONCE_AT: usize = ROOM_AT + 12;
const MARK_AT: usize = NONCE_AT + size_of::<Nonce>();
const BYTES: usize = MARK_AT + MARK_BYTES;

/// Makes and checks them.
#[derive(Debug)]
pub(crate) struct PageTokens(Key);

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Invalid,
    Expired,
    WrongRoom,
}

impl Refusal {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Refusal::Missing => "page-token-missing",
            Refusal::Invalid => "page-token-invalid",
            Refusal::Expired => "page-token-expired",
            Refusal::WrongRoom => "page-token-wrong-room",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Refusal::Missing => {
                "this server takes beacons of its own call page alone: `pageToken` is missing"
            }
            Refusal::Invalid => "`pageToken` is none of this server",
            Refusal::Expired => "`pageToken` has expired; a new one comes with the room",
            Refusal::WrongRoom => "`pageToken` is for another room",
        }
    }
}

impl PageTokens {
    /// `None` where none are needed.
    ///
    /// # Errors
    ///
    /// Where the system has nothing random for a secret.
    pub(crate) fn new(setting: &Setting) -> io::Result<Option<PageTokens>> {
        Ok(match setting {
            Setting::Off => None,
            Setting::OfThisProcess => Some(PageTokens(Key::random()?)),
            Setting::Of(secret) => Some(PageTokens(Key::new(secret.as_bytes()))),
        })
    }

    /// A token for the room of this URL.
    ///
    /// # Errors
    ///
    /// Where the system has nothing random for a nonce.
    pub(crate) fn make(&self, room: &str, now_ms: u64) -> io::Result<String> {
        let nonce: Nonce = digest::random()?;
        let expiry_ms = now_ms.saturating_add(LIFE.as_millis() as u64);
        let mut token = Vec::with_capacity(BYTES);
        token.extend(expiry_ms.to_be_bytes());
        token.extend(self.short(room));
        token.extend(nonce);
        token.extend(self.0.mark([PURPOSE, &token]));
        Ok(BASE64.encode(token))
    }

    /// Whether a beacon of `room` may come with this token; gives what tells it from others.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub(crate) fn check(
        &self,
        token: Option<&str>,
        room: &str,
        now_ms: u64,
    ) -> Result<Nonce, Refusal> {
        let token = token.ok_or(Refusal::Missing)?;
        let mut bytes = [0; BYTES];
        match BASE64.decode_slice(token, &mut bytes) {
            Ok(BYTES) => {}
            _ => return Err(Refusal::Invalid),
        }
        let (marked, mark) = bytes.split_at(MARK_AT);
        if !self.0.is_mark([PURPOSE, marked], mark) {
            return Err(Refusal::Invalid);
        }
        // From here on the token is ours, and what it says may be told.
        let expiry_ms = marked[..ROOM_AT].try_into().map_or(0, u64::from_be_bytes);
        if expiry_ms <= now_ms {
            return Err(Refusal::Expired);
        }
        if marked[ROOM_AT..NONCE_AT] != self.short(room) {
            return Err(Refusal::WrongRoom);
        }
        marked[NONCE_AT..].try_into().map_err(|_| Refusal::Invalid)
    }

    /// A room of any length in a few bytes.
    fn short(&self, room: &str) -> [u8; NONCE_AT - ROOM_AT] {
        let mark = self.0.mark([ROOM, room.as_bytes()]);
        std::array::from_fn(|at| mark[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "https://x.daily.co/meet-ana";
    const NOW_MS: u64 = 1_795_449_870_771;
    const LIFE_MS: u64 = 6 * 3_600_000;

    fn of(secret: &[u8]) -> PageTokens {
        PageTokens(Key::new(secret))
    }

    #[test]
    fn a_token_is_good_for_its_room_and_its_time_on_every_server_of_the_secret() {
        let (one, other) = (of(b"secret"), of(b"secret"));
        let token = one.make(ROOM, NOW_MS).unwrap();
        assert_eq!(token.len(), 86, "{token}");
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        let check = |room: &str, at_ms: u64| other.check(Some(&token), room, at_ms).map(drop);
        assert_eq!(check(ROOM, NOW_MS), Ok(()));
        assert_eq!(check(ROOM, NOW_MS + LIFE_MS - 1), Ok(()));
        assert_eq!(check(ROOM, 0), Ok(()), "a server whose clock is behind");
        assert_eq!(check(ROOM, NOW_MS + LIFE_MS), Err(Refusal::Expired));
        assert_eq!(
            check("https://x.daily.co/meet-an", NOW_MS),
            Err(Refusal::WrongRoom)
        );
        let nonce = |token: &str| one.check(Some(token), ROOM, NOW_MS).unwrap();
        assert_eq!(nonce(&token), nonce(&token));
        assert_ne!(nonce(&token), nonce(&one.make(ROOM, NOW_MS).unwrap()));
    }

    #[test]
    fn nobody_else_makes_one() {
        let tokens = of(b"secret");
        let token = tokens.make(ROOM, NOW_MS).unwrap();
        let check = |token: &str| tokens.check(Some(token), ROOM, NOW_MS).map(drop);
        assert_eq!(tokens.check(None, ROOM, NOW_MS), Err(Refusal::Missing));
        let foreign = of(b"Secret").make(ROOM, NOW_MS).unwrap();
        for wrong in [
            "",
            "x",
            &token[1..],
            &token[..85],
            &format!("{token}A"),
            &format!("{token}=="),
            &format!(" {token}"),
            &foreign,
            &"A".repeat(86),
            &"x".repeat(60_000),
        ] {
            assert_eq!(check(wrong), Err(Refusal::Invalid), "{wrong:.100}");
        }
        // Every bit counts, the last character's unused ones too.
        for at in 0..token.len() {
            for other in [b'A', b'B', b'C', b'w', b'_'] {
                let mut bytes = token.clone().into_bytes();
                if bytes[at] != other {
                    bytes[at] = other;
                    let wrong = String::from_utf8(bytes).unwrap();
                    assert_eq!(check(&wrong), Err(Refusal::Invalid), "{at}");
                }
            }
        }
    }
}
