//! Whose pages may talk to us: the same origin, and the origins on the list. Exact matches, never patterns.
//! Must not echo what was sent: what a header says comes from the list.

use std::borrow::Cow;

/// A header to add.
pub(crate) type Header = (&'static str, Cow<'static, str>);

/// What pages of other origins may read besides the status.
const EXPOSED: &str = "X-Call-Metrics, Retry-After";
/// Seconds for which a browser may remember a preflight; more than this none does.
const MAX_AGE_S: &str = "86400";

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// No page, or a browser's own request.
    NoOrigin,
    /// Our own page.
    Same,
    /// A page of this origin, which is on the list.
    Listed(&'a str),
    /// Anyone else's page.
    Refused,
}

impl Verdict<'_> {
    pub(crate) fn is_refused(self) -> bool {
        self == Verdict::Refused
    }

    /// Headers that let the page read the answer, and keep caches from handing it to another.
    pub(crate) fn headers(self) -> Vec<Header> {
        let mut headers = vec![
            ("Vary", Cow::Borrowed("Origin")),
            // sendBeacon asks without CORS; it shall not see a failure where there is none.
            (
                "Cross-Origin-Resource-Policy",
                Cow::Borrowed("cross-origin"),
            ),
        ];
        if let Verdict::Listed(origin) = self {
            headers.push(("Access-Control-Allow-Origin", Cow::Owned(origin.to_owned())));
            headers.push(("Access-Control-Expose-Headers", Cow::Borrowed(EXPOSED)));
        }
        headers
    }

    /// The same for the answer to a preflight.
    pub(crate) fn preflight_headers(self) -> Vec<Header> {
        let mut headers = self.headers();
        if let Verdict::Listed(_) = self {
            headers.push(("Access-Control-Allow-Methods", Cow::Borrowed("POST")));
            headers.push((
                "Access-Control-Allow-Headers",
                Cow::Borrowed("Content-Type"),
            ));
            headers.push(("Access-Control-Max-Age", Cow::Borrowed(MAX_AGE_S)));
        }
        headers
    }
}

/// Judges by the list of other origins, the `Origin` of a request and its `Host`.
pub(crate) fn judge<'a>(
    listed: &'a [String],
    origin: Option<&str>,
    host: Option<&str>,
) -> Verdict<'a> {
    let Some(origin) = origin else {
        return Verdict::NoOrigin;
    };
    if let Some(listed) = listed.iter().find(|listed| listed.as_str() == origin) {
        return Verdict::Listed(listed);
    }
    match host {
        Some(host) if is_same(origin, host) => Verdict::Same,
        _ => Verdict::Refused,
    }
}

/// Whether a page of `origin` was served under `host`. The scheme is not compared: TLS may end in front of us.
fn is_same(origin: &str, host: &str) -> bool {
    let default_port = match origin.split_once("://") {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return false,
    };
    let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
    let bare = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix(default_port)
            .map(str::to_owned)
            .unwrap_or(text)
    };
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_exactly_or_not_at_all() {
        let listed = ["https://a.com".to_owned(), "http://b:8080".to_owned()];
        let check = |origin: &str, host: &str, expect: Verdict<'_>| {
            let origin = (!origin.is_empty()).then_some(origin);
            assert_eq!(
                judge(&listed, origin, Some(host)),
                expect,
                "{origin:?} at {host}"
            );
        };
        check("", "h", Verdict::NoOrigin);
        check("http://h:8080", "h:8080", Verdict::Same);
        check("https://h", "h", Verdict::Same);
        check("https://h", "h:443", Verdict::Same);
        check("https://h:443", "H", Verdict::Same);
        check("http://h", "h:80", Verdict::Same);
        check("http://[::1]:8080", "[::1]:8080", Verdict::Same);
        check("https://a.com", "h", Verdict::Listed("https://a.com"));
        check("http://b:8080", "h", Verdict::Listed("http://b:8080"));
        for origin in [
            "null",
            "http://a.com",
            "https://a.com:444",
            "https://evil-a.com",
            "https://a.com.evil",
            "https://a.co",
            "https://A.com",
            "https://a.com/",
            "https://sub.a.com",
            "a.com",
            "http://h:81",
            "ftp://h",
            "h",
            "//h",
            "http://",
            "*",
            "https://a.com, https://h",
        ] {
            check(origin, "h", Verdict::Refused);
        }
        check("http://h", "h:443", Verdict::Refused);
        assert_eq!(judge(&listed, Some("http://"), Some("")), Verdict::Refused);
        assert_eq!(judge(&listed, Some("http://h"), None), Verdict::Refused);
    }
}
