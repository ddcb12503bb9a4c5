//! One request to Daily and what its answer means. The only file that knows the HTTP client.
//!
//! It must not try twice, and must not let the token out: not to where a redirect leads, not in a text.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use ureq::http::{HeaderMap, HeaderValue, Request};
use ureq::{Agent, Body};

use super::error::Error;
use super::token::Token;

/// Bytes of an answer that are read; rooms take some hundred.
const BODY_BYTES_MAX: u64 = 64 * 1024;
/// Characters of someone else's text that are passed on.
const MESSAGE_CHARS_MAX: usize = 200;
/// Longest pause that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
pub(super) enum Method {
    Get,
    Post,
}

/// An answer in Daily's own terms: a success, or a refusal that another try would not change.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    /// What Daily says about it, fit to be shown.
    message: String,
}

impl Answer {
    /// Returns a success, turns anything else into an error.
    pub(super) fn or_refused(self) -> Result<Answer, Error> {
        if (200..300).contains(&self.status) {
            Ok(self)
        } else {
            Err(self.refused())
        }
    }

    pub(super) fn refused(self) -> Error {
        Error::Refused {
            status: self.status,
            message: self.message,
        }
    }
}

/// Why there is no answer, and whether another try makes sense.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) again: bool,
    /// The pause Daily asked for.
    pub(super) retry_after: Option<Duration>,
}

impl Failed {
    fn for_good(error: Error) -> Failed {
        Failed {
            error,
            again: false,
            retry_after: None,
        }
    }

    fn for_now(error: Error) -> Failed {
        Failed {
            error,
            again: true,
            retry_after: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Api {
    agent: Agent,
    base: String,
    token: Token,
}

impl Api {
    pub(super) fn new(base: &str, token: Token, timeout: Duration) -> Api {
        let config = Agent::config_builder()
            // The body of an error says why.
            .http_status_as_error(false)
            // Daily does not redirect. Whoever does gets no token, and no request either.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .redirect_auth_headers(ureq::config::RedirectAuthHeaders::Never)
            .user_agent(concat!("call-metrics/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(timeout))
            .timeout_resolve(Some(timeout))
            .timeout_connect(Some(timeout))
            .timeout_send_request(Some(timeout))
            .timeout_send_body(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .build();
        Api {
            agent: config.new_agent(),
            base: base.trim_end_matches('/').into(),
            token,
        }
    }

    /// Sends one request and waits for its answer, at most `timeout`.
    pub(super) fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<Answer, Failed> {
        let answer = self
            .request(method, path, body, timeout)
            .map_err(|error| self.failed(error))?;
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers());
        match status {
            401 | 403 => return Err(Failed::for_good(Error::Auth)),
            429 => {
                return Err(Failed {
                    error: Error::RateLimited { retry_after },
                    again: true,
                    retry_after,
                });
            }
            300..=399 => {
                let reason = format!("a redirect (status {status}), where Daily's API has none");
                return Err(Failed::for_good(Error::BadAnswer { reason }));
            }
            _ => {}
        }
        let bytes = answer
            .into_body()
            .with_config()
            .limit(BODY_BYTES_MAX)
            .read_to_vec();
        let parsed = bytes.map_err(|error| self.failed(error)).and_then(|bytes| {
            serde_json::from_slice(&bytes).map_err(|_| {
                let reason = format!("not JSON (status {status}, {} bytes)", bytes.len());
                Failed::for_now(Error::BadAnswer { reason })
            })
        });
        if status >= 500 {
            // A gateway's page of HTML is as good a reason to come back as Daily's own words.
            let message = parsed.map_or_else(|_| "server error".into(), |body| self.message(&body));
            return Err(Failed {
                error: Error::Refused { status, message },
                again: true,
                retry_after,
            });
        }
        let body: Value = parsed?;
        if status == 400
            && body.get("error").and_then(Value::as_str) == Some("authorization-header-error")
        {
            return Err(Failed::for_good(Error::Auth));
        }
        let message = self.message(&body);
        Ok(Answer {
            status,
            body,
            message,
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<ureq::http::Response<Body>, ureq::Error> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.secret()))
            .map_err(ureq::http::Error::from)?;
        bearer.set_sensitive(true);
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, bearer);
        match body {
            Some(body) => {
                let request = request
                    .header(CONTENT_TYPE, "application/json")
                    .body(body.to_string())?;
                self.agent.run(
                    self.agent
                        .configure_request(request)
                        .timeout_global(Some(timeout))
                        .build(),
                )
            }
            None => {
                let request = request.body(())?;
                self.agent.run(
                    self.agent
                        .configure_request(request)
                        .timeout_global(Some(timeout))
                        .build(),
                )
            }
        }
    }

    fn failed(&self, error: ureq::Error) -> Failed {
        use std::io::ErrorKind::{TimedOut, WouldBlock};
        match error {
            ureq::Error::Timeout(_) => Failed::for_now(Error::Timeout),
            ureq::Error::Io(error) if matches!(error.kind(), TimedOut | WouldBlock) => {
                Failed::for_now(Error::Timeout)
            }
            ureq::Error::BodyExceedsLimit(_) => {
                let reason = format!("more than {BODY_BYTES_MAX} bytes");
                Failed::for_now(Error::BadAnswer { reason })
            }
            // These are about our own settings: the address of the API, a proxy.
            error @ (ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::InvalidProxyUrl) => Failed::for_good(Error::Unreachable {
                reason: self.clean(&error.to_string()),
            }),
            error => Failed::for_now(Error::Unreachable {
                reason: self.clean(&error.to_string()),
            }),
        }
    }

    /// Returns what Daily says for people, or its word for programs where it says nothing else.
    fn message(&self, body: &Value) -> String {
        let said = ["info", "error"]
            .iter()
            .find_map(|key| body.get(key)?.as_str());
        self.clean(said.unwrap_or("no reason given"))
    }

    /// Makes a text of others fit to be shown: one short line, and no token even if it was echoed.
    fn clean(&self, text: &str) -> String {
        let text = text.replace(self.token.secret(), "***");
        let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut short: String = chars.by_ref().take(MESSAGE_CHARS_MAX).collect();
        if chars.next().is_some() {
            short.push('…');
        }
        short
    }
}

/// Reads `Retry-After`: seconds, or a date, measured by the answer's own clock rather than ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let parser = DateTimeParser::new();
            let date = |text| parser.parse_timestamp(text).ok();
            let seconds = date(value)?.as_second() - date(text(DATE)?)?.as_second();
            Duration::from_secs(seconds.try_into().unwrap_or(0))
        }
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_in_seconds_and_as_a_date() {
        let check = |value: &str, expect: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(
                DATE,
                HeaderValue::from_static("Mon, 23 Nov 2026 17:00:00 GMT"),
            );
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            assert_eq!(
                retry_after(&headers),
                expect.map(Duration::from_secs),
                "{value}"
            );
        };
        check("0", Some(0));
        check(" 7 ", Some(7));
        check("99999999999", Some(3600));
        check("Mon, 23 Nov 2026 17:00:09 GMT", Some(9));
        check("Mon, 23 Nov 2026 16:59:00 GMT", Some(0));
        check("-1", None);
        check("1.5", None);
        check("soon", None);
        check("", None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn texts_of_others_are_one_short_line_without_the_token() {
        let api = Api::new(
            "http://x/",
            Token::new("s3cret").unwrap(),
            Duration::from_secs(1),
        );
        assert_eq!(api.base, "http://x");
        let check = |text: &str, expect: &str| assert_eq!(api.clean(text), expect);
        check("a room named x", "a room named x");
        check("bad key s3cret, s3cret!", "bad key ***, ***!");
        check("a\r\nb\u{1b}[31m", "a  b [31m");
        check(&"é".repeat(200), &"é".repeat(200));
        check(&"é".repeat(201), &format!("{}…", "é".repeat(200)));
        assert!(!format!("{api:?}").contains("s3cret"));
    }
}
