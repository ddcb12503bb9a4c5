//! Who may see the report and the counters: everyone on loopback, elsewhere whoever knows the password.
//! Must not tell how much of a password was right, by words or by time.

use super::asked::Asked;
use super::reply::Reply;
use crate::config::Password;
use crate::digest::fingerprint;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

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
    Password {
        fingerprint: String,
    },
}

impl Access {
    pub(crate) fn new(is_loopback: bool, password: Option<&Password>) -> Access {
        match password {
            Some(password) => Access::Password {
                fingerprint: fingerprint([password.as_bytes()]),
            },
            None if is_loopback => Access::Open,
            None => Access::Closed,
        }
    }

    /// `None` where the request may go on, else its answer.
    pub(crate) fn refusal(&self, asked: &Asked) -> Option<Reply> {
        let refuse = |status, words: &str, reason| {
            Some(Reply::text(status, words).with("X-Call-Metrics", reason))
        };
        match self {
            Access::Open => None,
            Access::Closed => refuse(
                403,
                "the report and the counters are served on loopback alone; to serve them here, set `--report-password` \
                 (or CALL_METRICS_REPORT_PASSWORD) and restart",
                "report-password-missing",
            ),
            Access::Password { fingerprint: right } => {
                let given = asked.header("authorization").and_then(basic_password);
                match given {
                    // Fingerprints of one length, all of it compared: time says nothing of the password.
                    Some(given) if is_equal(&fingerprint([given.as_slice()]), right) => None,
                    _ => refuse(
                        401,
                        "this needs the report password, with any user name",
                        "password-wrong",
                    )
                    .map(|reply| reply.with("WWW-Authenticate", REALM)),
                }
            }
        }
    }
}

fn is_equal(a: &str, b: &str) -> bool {
    let differences = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
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
