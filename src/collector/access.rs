//! Who may see the report and the counters: everyone on loopback, elsewhere whoever knows the password.
//! Must not tell how much of a password was right, by words or by time.

use super::asked::Asked;
use super::client::Client;
use super::hosts::is_local;
use super::limits::Limits;
use super::reply::Reply;
use crate::config::Secret;
use crate::digest::{Key, MARK_BYTES};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::io;
use std::time::Instant;

const REALM: &str = "Basic realm=\"call-metrics report\", charset=\"UTF-8\"";

/// As RFC 7617 has it; some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The rule.
#[derive(Debug)]
pub(crate) enum Access {
    Open,
    /// Listening beyond loopback without a password.
    Closed,
    /// A password is set: then it counts on loopback too, since a proxy in front of us makes every client a local one.
    /// Kept and compared as a mark under a key that ends with the process: time says nothing of the password.
    Password {
        key: Key,
        mark: [u8; MARK_BYTES],
    },
}

impl Access {
    /// # Errors
    ///
    /// Where the system has nothing random to give.
    pub(crate) fn new(is_loopback: bool, password: Option<&Secret>) -> io::Result<Access> {
        Ok(match password {
            Some(password) => {
                let key = Key::random()?;
                let mark = key.mark([password.as_bytes()]);
                Access::Password { key, mark }
            }
            None if is_loopback => Access::Open,
            None => Access::Closed,
        })
    }

    /// `None` where the request may go on, else its answer and the reason in it.
    pub(crate) fn refusal(&self, asked: &Asked, client: Client, limits: &Limits) -> Option<Reply> {
        let refuse = |status, words: &str, reason| Some(Reply::text(status, words).because(reason));
        let (key, mark) = match self {
            Access::Open if client.is_here() && is_local(asked.header("host")) => return None,
            // Somebody behind a proxy, whatever the name; or somebody's name that leads to loopback: a proxy that shows the
            // report to the world, or a page that had its own name point here to read it (DNS rebinding).
            Access::Open | Access::Closed => {
                return refuse(
                    403,
                    "the report and the counters are served on loopback alone; to serve them here, set `--report-password` \
                     (or CALL_METRICS_REPORT_PASSWORD) and restart",
                    "report-password-missing",
                );
            }
            Access::Password { key, mark } => (key, mark),
        };
        let wrong = || {
            let words = "this needs the report password, with any user name";
            let reply = refuse(401, words, "password-wrong");
            reply.map(|reply| reply.with("WWW-Authenticate", REALM))
        };
        let Some(given) = asked.header("authorization") else {
            // Browsers ask without one first: no guess.
            return wrong();
        };
        let now = Instant::now();
        if let Err(wait) = limits.may_guess(client, now) {
            let words = "too many wrong passwords; try again later";
            return Some(Reply::too_many(words, wait).because("password-guesses"));
        }
        if basic_password(given).is_some_and(|given| key.is_mark([given.as_slice()], mark)) {
            return None;
        }
        limits.guessed_wrong(client, now);
        wrong()
    }
}

/// The password of `Basic …`, whatever the user's name.
fn basic_password(value: &str) -> Option<Vec<u8>> {
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64.decode(credentials.trim()).ok()?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_read_whatever_the_user() {
        let check = |value: &str, expect: Option<&str>| {
            let got =
                basic_password(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(got.as_deref(), expect, "{value}");
        };
        check("Basic dXNlcjpwYXNz", Some("pass"));
        check("basic OnBhOnNz", Some("pa:ss"));
        check("Basic YTpww6Q=", Some("pä"));
        check("Basic YTo=", Some(""));
        check("Basic YQ==", None);
        check("Basic !!!!", None);
        check("Basic", None);
        check("Bearer dXNlcjpwYXNz", None);
    }
}
