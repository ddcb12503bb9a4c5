//! Takes beacons: host, origin, rate, body, check, page token, and into the log; the writer's thread answers once the line is as safe as was asked
//! for. Must never say 204 for anything else, and never wait.

use super::app::App;
use super::client::Client;
use super::exchange::{Exchange, now_ms};
use super::gate::ALONE_HEADER;
use super::hosts;
use super::origin::{Header, judge};
use super::reply::{Reply, whole_seconds};
use crate::beacon::{self, Receipt};
use crate::log::writer::{Busy, WriteError};
use crate::plain::with_causes;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes of a beacon. The gate has seen to it; a second look costs nothing.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Until another try, when the queue is full and when the log cannot be written.
const BUSY_RETRY: Duration = Duration::from_secs(1);
const FAILED_RETRY: Duration = Duration::from_secs(5);

/// Whether a request is a beacon, or would be one. The gate may have several of them on one connection to tiny_http, which lets
/// whoever answers wait until those before are answered: so all of those are answered by the writer's thread, in the order of
/// coming.
pub(crate) fn takes(method: &str, path: &str) -> bool {
    method == "POST" && matches!(path, "/beacon" | "/")
}

/// Takes one beacon.
pub(crate) fn take(mut exchange: Exchange) {
    let app = Arc::clone(&exchange.app);
    let request = exchange.request();
    let header = |name: &'static str| {
        let headers = request.headers().iter();
        let mut found = headers.filter(move |header| header.field.equiv(name));
        found.next().map(|header| header.value.as_str())
    };
    let host = header("Host");
    let is_alone = header(ALONE_HEADER).is_some();
    let verdict = judge(&app.allow_origins, header("Origin"), host);
    let headers = verdict.headers();
    let client = app.client(header);
    let is_known = app.hosts.admit(host);
    let checked = if !is_known {
        Err(Refused::new(421, hosts::REASON, hosts::WORDS))
    } else if verdict.is_refused() {
        let words = "this page's origin may not send beacons here";
        Err(Refused::new(403, "origin-refused", words))
    } else {
        check(&app, client, request)
    };
    exchange.let_go_of_request();
    match checked {
        Ok((line, n_bytes)) => store(exchange, headers, line, n_bytes),
        Err(refused) => {
            let reply = refused.reply().with_all(headers);
            if is_alone {
                exchange.answer(reply);
            } else {
                let done = Box::new(move |_| exchange.answer(reply));
                app.writer.after_all(done);
            }
        }
    }
}

/// What the log gets, and the bytes that came, from a client whose page may send.
fn check(
    app: &App,
    client: Client,
    request: &mut tiny_http::Request,
) -> Result<(Vec<u8>, usize), Refused> {
    let too_many = |reason, words| move |wait| Refused::new(429, reason, words).after(wait);
    let now = Instant::now();
    app.limits.beacon(client, now).map_err(too_many(
        "address-rate",
        "too many beacons from one address",
    ))?;
    let length = request.body_length().unwrap_or_default();
    if BODY_BYTES_MAX < length {
        return Err(Refused::new(
            413,
            "body-too-large",
            "the body is over 64 KiB",
        ));
    }
    let mut body = vec![0; length];
    if request.as_reader().read_exact(&mut body).is_err() {
        let words = "the body is shorter than was said";
        return Err(Refused::new(400, "cut-short", words));
    }
    let n_pending = app.counters.beacons_pending.load(Ordering::Relaxed);
    if app.writer.is_stuck() || app.beacons_pending_max <= n_pending {
        app.notices.say(
            "log-stalled",
            "the log is not being written: is the disk stuck?",
        );
        let refused = Refused::new(503, "log-stalled", "the log is not being written");
        return Err(refused.after(FAILED_RETRY));
    }
    let now_ms = now_ms();
    let receipt = Receipt {
        now_ms,
        synced: app.is_synced,
    };
    let checked = beacon::check(&body, receipt)
        .map_err(|refusal| Refused::new(400, refusal.reason(), refusal.to_string()))?;
    if let Some(tokens) = &app.page_tokens {
        let nonce = tokens
            .check(checked.page_token.as_deref(), &checked.room, now_ms)
            .map_err(|refusal| Refused::new(403, refusal.reason(), refusal.words()))?;
        app.limits
            .beacon_of_page(nonce, now)
            .map_err(too_many("token-rate", "too many beacons from one page"))?;
    }
    Ok((checked.line, length))
}

fn store(exchange: Exchange, headers: Vec<Header>, line: Vec<u8>, n_bytes: usize) {
    let app = Arc::clone(&exchange.app);
    let pending = Pending::new(&app);
    // The callback comes back uncalled when the queue is full, and then has to say something else.
    let is_busy = Arc::new(AtomicBool::new(false));
    let done = {
        let is_busy = Arc::clone(&is_busy);
        move |stored: Result<(), WriteError>| {
            let _pending = pending;
            match stored {
                Ok(()) => {
                    exchange.app.counters.accept(n_bytes);
                    exchange.answer(Reply::empty(204).with_all(headers));
                }
                Err(_) if is_busy.load(Ordering::Relaxed) => {
                    let refused = Refused::new(503, "busy", "too many beacons at once");
                    let reply = refused.after(BUSY_RETRY).reply();
                    exchange.answer(reply.with_all(headers));
                }
                Err(cause) => {
                    exchange.app.notices.say("log-failed", with_causes(&cause));
                    let words = "the beacon could not be stored";
                    let refused = Refused::new(503, "log-failed", words);
                    let reply = refused.after(FAILED_RETRY).reply();
                    exchange.answer(reply.with_all(headers));
                }
            }
        }
    };
    if let Err(Busy(done)) = app.writer.append(line, Box::new(done)) {
        is_busy.store(true, Ordering::Relaxed);
        done(Err(WriteError::Internal));
    }
}

/// Why a beacon is not taken.
struct Refused {
    status: u16,
    reason: &'static str,
    words: Cow<'static, str>,
    /// When another try makes sense.
    retry_after: Option<Duration>,
}

impl Refused {
    fn new(status: u16, reason: &'static str, words: impl Into<Cow<'static, str>>) -> Refused {
        Refused {
            status,
            reason,
            words: words.into(),
            retry_after: None,
        }
    }

    fn after(self, wait: Duration) -> Refused {
        Refused {
            retry_after: Some(wait),
            ..self
        }
    }

    fn reply(&self) -> Reply {
        let reply = Reply::text(self.status, &self.words).because(self.reason);
        match self.retry_after {
            Some(wait) => reply.with("Retry-After", whole_seconds(wait).to_string()),
            None => reply,
        }
    }
}

/// A beacon that the writer has, counted.
struct Pending(Arc<App>);

impl Pending {
    fn new(app: &Arc<App>) -> Pending {
        app.counters.beacons_pending.fetch_add(1, Ordering::Relaxed);
        Pending(Arc::clone(app))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0
            .counters
            .beacons_pending
            .fetch_sub(1, Ordering::Relaxed);
    }
}
