//! One request and the duty to answer it: whatever becomes of the thread that holds it, the client hears something, and
//! what it was refused for is counted.

use super::app::App;
use super::counters::Kind;
use super::reply::Reply;
use super::rooms;
use std::io::Write;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) struct Exchange {
    /// `None` once answered.
    to: Option<To>,
    pub(crate) app: Arc<App>,
    pub(crate) kind: Kind,
    started: Instant,
}

/// Where the answer goes.
enum To {
    Request(tiny_http::Request),
    /// Without the request, which holds up the next on its connection as long as it could still be read.
    Writer(Box<dyn Write + Send>),
}

impl Exchange {
    pub(crate) fn new(request: tiny_http::Request, app: Arc<App>, kind: Kind) -> Exchange {
        Exchange {
            to: Some(To::Request(request)),
            app,
            kind,
            started: Instant::now(),
        }
    }

    pub(crate) fn request(&mut self) -> &mut tiny_http::Request {
        match &mut self.to {
            Some(To::Request(request)) => request,
            _ => unreachable!("whoever lets go of it or answers does not ask for it again"),
        }
    }

    /// Of the request nothing is wanted any more.
    pub(crate) fn let_go_of_request(&mut self) {
        self.to = match self.to.take() {
            Some(To::Request(request)) => Some(To::Writer(request.into_writer())),
            other => other,
        };
    }

    pub(crate) fn answer(mut self, reply: Reply) {
        self.send(reply);
    }

    fn send(&mut self, reply: Reply) {
        if let Some(to) = self.to.take() {
            let counters = &self.app.counters;
            counters.time(self.kind, self.started.elapsed());
            if let Some(reason) = reply.reason() {
                counters.refuse(self.kind, reason.clone());
            }
            match to {
                To::Request(request) => reply.send(request),
                To::Writer(writer) => reply.send_by(writer),
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.send(internal_error(self.kind));
    }
}

/// What a request hears whose handler failed; who asks for a room reads JSON.
pub(crate) fn internal_error(kind: Kind) -> Reply {
    match kind {
        Kind::Room => rooms::error(
            500,
            "internal-error",
            "something failed inside the server; try again",
        ),
        _ => Reply::text(500, "internal error").because("internal-error"),
    }
}

/// The clock, ms since the epoch. One before 1970 was never set.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_handler_fails_hears_so_in_his_own_words() {
        for kind in [Kind::Beacon, Kind::Room, Kind::Other] {
            let reply = internal_error(kind);
            assert_eq!(reply.status, 500);
            assert_eq!(reply.reason().unwrap(), "internal-error");
            let is_json = serde_json::from_slice::<serde_json::Value>(reply.body.as_ref())
                .is_ok_and(|value| value["error"] == "internal-error");
            assert_eq!(is_json, matches!(kind, Kind::Room));
        }
    }
}
