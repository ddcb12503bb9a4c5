//! Whatever bytes come in, the server serves the next client, and what is answered 204 is in the log, whole.

mod framing;
mod hostile;
mod places;
mod slow;
mod stop;
mod ways_in;

use crate::support::http::Server;
use std::sync::atomic::{AtomicBool, Ordering};

/// One request, its status; 0 where the connection was closed without a word.
fn status_of(server: &Server, bytes: &[u8]) -> u16 {
    let mut client = server.client();
    client.send_what_goes(bytes);
    client.finish_sending();
    client.answer().map_or(0, |answer| answer.status)
}

fn check(server: &Server, request: &str, expect: &[u16]) {
    let status = status_of(server, request.as_bytes());
    assert!(expect.contains(&status), "{status} for {request:?}");
}

/// Says that it is over when it is dropped, by a failed assertion too: threads of a scope would else be waited for for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
