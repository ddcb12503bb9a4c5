//! Who may see the report and the counters: everyone on loopback, elsewhere whoever knows the password.
//! Must not tell how much of a password was right, by words or by time.

use super::asked::Asked;
use super::reply::Reply;
use crate::config::Password;
use crate::digest::fingerprint;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::net::IpAddr;

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
            Access::Open if is_local(asked.header("host")) => None,
            // Somebody's name that leads to loopback: a proxy that shows the report to the world, or a page that had its own
            // name point here to read it (DNS rebinding).
            Access::Open | Access::Closed => refuse(
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

/// Whether a request was addressed to this machine by a name that can mean no other. HTTP/1.0 may leave the name out.
fn is_local(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
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
    fn only_names_that_mean_this_machine_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8080",
        ] {
            assert!(is_local(Some(host)), "{host}");
        }
        assert!(is_local(None));
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "0.0.0.0",
            "10.0.0.1:80",
            "",
            ":80",
        ] {
            assert!(!is_local(Some(host)), "{host}");
        }
    }

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
