//! What the gate answers by itself: a status, a reason in kebab-case and one line of text, after which it hangs up.
//! Must not hold anything that the client sent.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// Why the gate turned a request away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) text: &'static str,
    /// Seconds after which another try makes sense.
    pub(super) retry_after: Option<u32>,
}

const fn refusal(status: u16, reason: &'static str, text: &'static str) -> Refusal {
    Refusal {
        status,
        reason,
        text,
        retry_after: None,
    }
}

const fn later(reason: &'static str, text: &'static str, seconds: u32) -> Refusal {
    Refusal {
        status: 503,
        reason,
        text,
        retry_after: Some(seconds),
    }
}

/// The head is not HTTP as RFC 9112 has it.
pub(super) const MALFORMED: Refusal = refusal(400, "malformed-request", "malformed request");
pub(super) const BAD_HOST: Refusal =
    refusal(400, "bad-host", "exactly one well-formed Host is needed");
pub(super) const BAD_TARGET: Refusal = refusal(400, "bad-target", "malformed request target");
pub(super) const REPEATED_HEADER: Refusal = refusal(
    400,
    "repeated-header",
    "a header that counts is there twice",
);
pub(super) const BAD_LENGTH: Refusal = refusal(400, "bad-length", "malformed Content-Length");
/// Two framings, or one that cannot be trusted: the way requests are smuggled.
pub(super) const BAD_FRAMING: Refusal =
    refusal(400, "bad-framing", "ambiguous length of the request body");
pub(super) const BAD_CHUNK: Refusal = refusal(400, "bad-chunk", "malformed chunked body");
pub(super) const CUT_SHORT: Refusal =
    refusal(400, "cut-short", "the request ended before it was whole");
pub(super) const TOO_SLOW: Refusal = refusal(408, "too-slow", "the request took too long");
pub(super) const LENGTH_NEEDED: Refusal =
    refusal(411, "length-needed", "a Content-Length is needed");
pub(super) const BODY_TOO_LARGE: Refusal =
    refusal(413, "body-too-large", "the body is over 64 KiB");
pub(super) const TARGET_TOO_LONG: Refusal =
    refusal(414, "target-too-long", "the request target is over 2 KiB");
/// A small body may unpack to a large one; nothing here unpacks any.
pub(super) const CODED_BODY: Refusal = refusal(
    415,
    "unknown-content-coding",
    "the body must not be compressed",
);
pub(super) const BAD_EXPECT: Refusal = refusal(
    417,
    "unknown-expectation",
    "only `Expect: 100-continue` is met",
);
pub(super) const HEAD_TOO_LARGE: Refusal = refusal(
    431,
    "head-too-large",
    "the head is over 16 KiB or 100 headers",
);
pub(super) const UNKNOWN_CODING: Refusal = refusal(
    501,
    "unknown-transfer-coding",
    "only `Transfer-Encoding: chunked` is known",
);
pub(super) const UNKNOWN_METHOD: Refusal = refusal(501, "unknown-method", "unknown method");
pub(super) const BAD_VERSION: Refusal = refusal(
    505,
    "unknown-version",
    "only HTTP/1.0 and HTTP/1.1 are spoken",
);
pub(super) const CONNECTIONS_FULL: Refusal =
    later("too-many-connections", "too many connections", 5);
pub(super) const ADDRESS_FULL: Refusal = Refusal {
    status: 429,
    ..later("address-full", "too many connections from one address", 5)
};
/// The answers on their way to slow readers leave no room for another large one.
pub(super) const ANSWERS_FULL: Refusal = later("answers-full", "too many large answers at once", 1);
pub(super) const BUSY: Refusal = later("busy", "too many requests at once", 1);
pub(super) const NO_ANSWER: Refusal = later("no-answer", "no answer in time", 5);
pub(super) const ANSWER_TOO_LARGE: Refusal = refusal(
    500,
    "answer-too-large",
    "internal error: the answer is too large",
);

/// The words of a status line.
pub(super) fn status_words(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

impl Refusal {
    /// The whole answer. `extra` are headers that whoever runs the gate wants on it; `with_body` is false for HEAD.
    pub(super) fn to_bytes(self, extra: &[(&'static str, String)], with_body: bool) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nX-Call-Metrics: {}\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n",
            self.status,
            status_words(self.status),
            self.text.len() + 1,
            self.reason,
        );
        if let Some(seconds) = self.retry_after {
            head.push_str(&format!("Retry-After: {seconds}\r\n"));
        }
        for (name, value) in extra {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&date_line());
        head.push_str("Connection: close\r\n\r\n");
        if with_body {
            head.push_str(self.text);
            head.push('\n');
        }
        head.into_bytes()
    }
}

/// `Date: …` with its line end; nothing where the clock is beyond what a date can say.
pub(super) fn date_line() -> String {
    match DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()) {
        Ok(date) => format!("Date: {date}\r\n"),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_whole_answer_that_says_why_and_closes() {
        let text = String::from_utf8(
            BUSY.to_bytes(&[("Access-Control-Allow-Origin", "https://a".into())], true),
        )
        .expect("ASCII");
        assert!(
            text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{text}"
        );
        for part in [
            "\r\nX-Call-Metrics: busy\r\n",
            "\r\nRetry-After: 1\r\n",
            "\r\nConnection: close\r\n",
            "\r\nDate: ",
            " GMT\r\n",
            "\r\nAccess-Control-Allow-Origin: https://a\r\n",
            "\r\nContent-Length: 26\r\n",
            "\r\n\r\ntoo many requests at once\n",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
}
