//! Takes beacons: origin, body, check, and into the log; the writer's thread answers once the line is as safe as was asked
//! for. Must never say 204 for anything else, and never wait.

use super::app::App;
use super::exchange::Exchange;
use super::origin::{Header, judge};
use super::reply::Reply;
use crate::beacon::{self, Receipt};
use crate::log::writer::{Busy, WriteError};
use crate::plain::with_causes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a beacon. The gate has seen to it; a second look costs nothing.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Seconds until another try, when the queue is full and when the log cannot be written.
const BUSY_RETRY_S: u64 = 1;
const FAILED_RETRY_S: u64 = 5;

/// Takes one beacon.
pub(crate) fn take(mut exchange: Exchange) {
    let app = Arc::clone(&exchange.app);
    let request = exchange.request();
    let header = |name: &'static str| {
        let headers = request.headers().iter();
        let mut found = headers.filter(move |header| header.field.equiv(name));
        found.next().map(|header| header.value.as_str())
    };
    let verdict = judge(&app.allow_origins, header("Origin"), header("Host"));
    let headers = verdict.headers();
    if verdict.is_refused() {
        let words = "this page's origin may not send beacons here";
        return refuse(exchange, headers, 403, "origin-refused", words);
    }
    let length = request.body_length().unwrap_or_default();
    if BODY_BYTES_MAX < length {
        return refuse(
            exchange,
            headers,
            413,
            "body-too-large",
            "the body is over 64 KiB",
        );
    }
    let mut body = vec![0; length];
    if request.as_reader().read_exact(&mut body).is_err() {
        return refuse(
            exchange,
            headers,
            400,
            "cut-short",
            "the body is shorter than was said",
        );
    }
    if app.beacons_pending_max <= app.counters.beacons_pending.load(Ordering::Relaxed) {
        app.notices.say(
            "log-stalled",
            "the log is not being written: is the disk stuck?",
        );
        return later(
            exchange,
            headers,
            "log-stalled",
            "the log is not being written",
            FAILED_RETRY_S,
        );
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let synced = app.is_synced;
    match beacon::check(&body, Receipt { now_ms, synced }) {
        Ok(line) => store(exchange, headers, line, length),
        Err(refusal) => refuse(
            exchange,
            headers,
            400,
            refusal.reason(),
            &refusal.to_string(),
        ),
    }
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
                    later(
                        exchange,
                        headers,
                        "busy",
                        "too many beacons at once",
                        BUSY_RETRY_S,
                    );
                }
                Err(cause) => {
                    exchange.app.notices.say("log-failed", with_causes(&cause));
                    let words = "the beacon could not be stored";
                    later(exchange, headers, "log-failed", words, FAILED_RETRY_S);
                }
            }
        }
    };
    if let Err(Busy(done)) = app.writer.append(line, Box::new(done)) {
        is_busy.store(true, Ordering::Relaxed);
        done(Err(WriteError::Internal));
    }
}

fn refuse(
    exchange: Exchange,
    headers: Vec<Header>,
    status: u16,
    reason: &'static str,
    words: &str,
) {
    exchange.app.counters.refuse(reason);
    let reply = Reply::text(status, words).with("X-Call-Metrics", reason);
    exchange.answer(reply.with_all(headers));
}

fn later(
    exchange: Exchange,
    headers: Vec<Header>,
    reason: &'static str,
    words: &str,
    retry_s: u64,
) {
    exchange.app.counters.refuse(reason);
    let reply = Reply::busy(words, retry_s).with("X-Call-Metrics", reason);
    exchange.answer(reply.with_all(headers));
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
