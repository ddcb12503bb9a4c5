//! One client's connection as long as it has a thread of its own: requests in, one at a time and in order, answers out.
//! Must not pass on anything but whole requests, nor wait for anything without a deadline.

use super::chunked::{BODY_BYTES_MAX, Decoder};
use super::clients::Shared;
use super::head::{Framing, Head, Scan, parse};
use super::hop::Call;
use super::peers::{Peer, Phase};
use super::refusal::{
    ANSWERS_FULL, BAD_CHUNK, BODY_TOO_LARGE, BUSY, CODED_BODY, CUT_SHORT, MALFORMED, Refusal,
    TOO_SLOW,
};
use super::socket::{Fill, Pace, Socket};
use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The header in which handlers find the client's address, or [`PEER_UNIX`]. Never taken from a client: only headers on the gate's list are.
pub const PEER_HEADER: &str = "x-call-metrics-peer";
/// What [`PEER_HEADER`] says of a client on a Unix socket, which has no address.
pub const PEER_UNIX: &str = "unix";
/// The header of a request that is the only one under way on its connection to the handlers: they need not wait for others
/// with its answer. Not taken from a client either.
pub const ALONE_HEADER: &str = "x-call-metrics-alone";

/// Empty lines before a request, which some old clients send after a body.
const EMPTY_LINES_MAX: usize = 4;
/// After an error: how much of what the client is still sending is read, so that it gets to read the answer.
const LINGER_BYTES_MAX: usize = 256 * 1024;
const LINGER: Duration = Duration::from_secs(1);
/// Answers up to this size leave in one write.
const ONE_WRITE_BYTES: usize = 16 * 1024;
/// What writes no more than this is soon done with, and does not stand in line with what may take long.
pub const LIGHT_BYTES_MAX: usize = 8 * 1024;
/// Silence after which a client goes back to the turnstile: whoever asks for a page asks for what is on it as well.
const STAY: Duration = Duration::from_secs(1);
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a client steps aside for.
pub(super) enum Errand {
    /// A request, of which this has come since then.
    Read { bytes: Vec<u8>, begun: Instant },
    /// The rest of an answer, which the client has yet to take.
    Send { bytes: Vec<u8>, is_kept: bool },
    /// To be told no.
    Refuse(Refusal),
}

/// Sees to an errand, and serves the client until it falls silent or it or the gate has enough. True where it may go back to
/// the turnstile. `head` is that of the request at hand.
pub(super) fn serve(shared: &Shared, peer: &Peer, head: Option<Head>, errand: Errand) -> bool {
    let mut connection = Connection {
        shared,
        peer,
        socket: Socket::new(peer, Vec::new()),
        head,
        begun: None,
    };
    let mut next = connection.see_to(errand);
    while next == Next::Request {
        next = connection.serve_one();
    }
    next == Next::Turnstile
}

struct Connection<'a> {
    shared: &'a Shared,
    peer: &'a Peer,
    socket: Socket<'a>,
    /// The head of the request at hand: a refusal is dressed for its origin, and without a body for HEAD.
    head: Option<Head>,
    /// Since when the request comes that had begun before it got here.
    begun: Option<Instant>,
}

/// What becomes of a client.
#[derive(PartialEq, Eq)]
enum Next {
    /// Its next request is waited for, or has begun.
    Request,
    Turnstile,
    End,
}

/// A whole body.
enum Body {
    /// Where it lies in the socket's buffer, behind its head.
    Buffered(Range<usize>),
    /// Out of its chunks; head and chunks are off the buffer.
    Decoded(Vec<u8>),
}

/// Why there is no request.
enum Stop {
    Silently,
    Saying(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Saying(refusal)
    }
}

impl Connection<'_> {
    fn see_to(&mut self, errand: Errand) -> Next {
        match errand {
            Errand::Read { bytes, begun } => {
                self.socket = Socket::new(self.peer, bytes);
                self.begun = Some(begun);
                Next::Request
            }
            Errand::Send { bytes, is_kept } => {
                let is_written = self.socket.write_all(&bytes, self.pace());
                self.after_answer(is_written, is_kept)
            }
            Errand::Refuse(refusal) => self.settle(Err(refusal.into())),
        }
    }

    /// One request and its answer.
    fn serve_one(&mut self) -> Next {
        self.head = None;
        let answered = self.answer_one();
        self.settle(answered)
    }

    fn settle(&mut self, answered: Result<Next, Stop>) -> Next {
        match answered {
            Ok(next) => next,
            Err(Stop::Silently) => Next::End,
            Err(Stop::Saying(refusal)) => {
                self.refuse(refusal);
                Next::End
            }
        }
    }

    fn answer_one(&mut self) -> Result<Next, Stop> {
        let next = self.wait_for_first_byte()?;
        if next != Next::Request {
            return Ok(next);
        }
        self.peer.enter(Phase::Reading);
        let head_length = self.read_head()?;
        let parsed = parse(&self.socket.buffer()[..head_length])?;
        let head = self.head.insert(parsed);
        if head.is_coded {
            return Err(CODED_BODY.into());
        }
        let (framing, keep_alive) = (head.framing, head.keep_alive);
        let (is_http10, to_head) = (head.is_http10, head.is_head_method);
        let mut request = std::mem::take(&mut head.forward);
        let (expects_continue, is_safe) = (head.expects_continue, head.is_safe_method);

        let address = self.peer.address;
        let n_body_bytes = match self.read_body(head_length, framing, expects_continue)? {
            Body::Buffered(range) => {
                let body = range.clone();
                finish_request(
                    &mut request,
                    framing,
                    &self.socket.buffer()[body],
                    address,
                    Way::Alone,
                );
                self.socket.consume(range.end);
                range.len()
            }
            Body::Decoded(body) => {
                finish_request(&mut request, framing, &body, address, Way::Alone);
                body.len()
            }
        };

        self.peer.enter(Phase::Answering);
        if !self.peer.is_own {
            self.shared.stats.count_request();
        }
        let call = Call {
            request: &request,
            to_head,
            is_light: !is_safe && n_body_bytes <= LIGHT_BYTES_MAX || self.peer.is_own,
            from: self.peer.key,
        };
        let answer = self.shared.hops.exchange(&call);
        if answer.as_ref().err() == Some(&ANSWERS_FULL) {
            self.shared.evict_stalled();
        }
        let is_kept = keep_alive && !self.shared.is_stopping();
        let words = connection_words(is_kept, is_http10);
        let (mut head, body, _share) = answer?.into_head_and_body(words);
        let is_written = if head.len() + body.len() <= ONE_WRITE_BYTES {
            head.extend_from_slice(&body);
            self.socket.write_all(&head, self.pace())
        } else {
            self.socket.write_all(&head, self.pace()) && self.socket.write_all(&body, self.pace())
        };
        Ok(self.after_answer(is_written, is_kept))
    }

    fn after_answer(&mut self, is_written: bool, is_kept: bool) -> Next {
        if is_written && !is_kept && !self.socket.buffer().is_empty() {
            self.socket.linger(LINGER_BYTES_MAX, LINGER);
        }
        match is_written && is_kept {
            true => Next::Request,
            false => Next::End,
        }
    }

    /// Until a request has begun, or the client left, or has been silent for a while, or the gate stops.
    fn wait_for_first_byte(&mut self) -> Result<Next, Stop> {
        let mut n_empty_lines = 0;
        loop {
            while self.socket.buffer().starts_with(b"\r\n") {
                n_empty_lines += 1;
                if EMPTY_LINES_MAX < n_empty_lines {
                    return Err(MALFORMED.into());
                }
                self.socket.consume(2);
            }
            if !matches!(self.socket.buffer(), b"" | b"\r") {
                return Ok(Next::Request);
            }
            // First idle, then the look at the stop: the stop looks the other way round, so one of the two sees the other.
            self.peer.enter(Phase::Idle);
            if self.shared.is_stopping() {
                return Ok(Next::End);
            }
            let idle = self.shared.limits.idle;
            let is_empty = self.socket.buffer().is_empty();
            match self
                .socket
                .fill_within(if is_empty { STAY.min(idle) } else { idle })
            {
                Fill::Some => {}
                Fill::Late if is_empty => return Ok(Next::Turnstile),
                _ => return Ok(Next::End),
            }
        }
    }

    fn read_head(&mut self) -> Result<usize, Stop> {
        let mut scan = Scan::default();
        let mut deadline = None;
        loop {
            if let Some(length) = scan.advance(self.socket.buffer())? {
                return Ok(length);
            }
            // The clock is read only for a head that did not come in one piece.
            let begun = &mut self.begun;
            let deadline = *deadline.get_or_insert_with(|| {
                begun.take().unwrap_or_else(Instant::now) + self.shared.limits.head
            });
            self.fill(deadline, 0)?;
        }
    }

    fn fill(&mut self, deadline: Instant, n_missing: usize) -> Result<(), Stop> {
        match self.socket.fill_until(deadline, n_missing) {
            Fill::Some => Ok(()),
            Fill::Late => Err(TOO_SLOW.into()),
            Fill::End if self.shared.is_stopping() || self.peer.is_evicted() => Err(Stop::Silently),
            Fill::End => Err(CUT_SHORT.into()),
            Fill::NoMemory => Err(BUSY.into()),
        }
    }

    /// The body, whole.
    fn read_body(
        &mut self,
        head_length: usize,
        framing: Framing,
        expects_continue: bool,
    ) -> Result<Body, Stop> {
        let begun = self.begun.take().unwrap_or_else(Instant::now);
        let deadline = begun + self.shared.limits.body;
        match framing {
            Framing::None => Ok(Body::Buffered(head_length..head_length)),
            Framing::Length(length) => {
                // Known before a byte of it is read: nothing that large is ever waited for.
                let length = usize::try_from(length).map_err(|_| BODY_TOO_LARGE)?;
                if BODY_BYTES_MAX < length {
                    return Err(BODY_TOO_LARGE.into());
                }
                let end = head_length + length;
                if self.socket.buffer().len() < end {
                    self.send_continue(expects_continue)?;
                }
                while let Some(n_missing @ 1..) = end.checked_sub(self.socket.buffer().len()) {
                    self.fill(deadline, n_missing)?;
                }
                Ok(Body::Buffered(head_length..end))
            }
            Framing::Chunked => {
                let mut decoder = Decoder::new();
                let mut at = head_length;
                if self.socket.buffer().len() == at {
                    self.send_continue(expects_continue)?;
                }
                loop {
                    at += decoder.push(&self.socket.buffer()[at..])?;
                    if let Some(body) = decoder.finish() {
                        self.socket.consume(at);
                        return Ok(Body::Decoded(body));
                    }
                    if at < self.socket.buffer().len() {
                        return Err(BAD_CHUNK.into());
                    }
                    self.socket.consume(at);
                    at = 0;
                    self.fill(deadline, 0)?;
                }
            }
        }
    }

    fn send_continue(&mut self, expects_continue: bool) -> Result<(), Stop> {
        if expects_continue {
            if !self.socket.write_all(CONTINUE, self.pace()) {
                return Err(Stop::Silently);
            }
            self.peer.enter(Phase::Reading);
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace {
            patience: self.shared.limits.write,
            bytes_per_second: self.shared.limits.write_bytes_per_second,
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        if !self.peer.is_own {
            self.shared.stats.count_refusal(refusal.reason);
        }
        let (extra, with_body) = match &self.head {
            Some(head) => {
                let dress = &self.shared.refusal_headers;
                let extra = dress(head.origin.as_deref(), head.host.as_deref());
                (extra, !head.is_head_method)
            }
            None => (Vec::new(), true),
        };
        let bytes = refusal.to_bytes(&extra, with_body);
        if self.socket.write_all(&bytes, self.pace()) {
            self.socket.linger(LINGER_BYTES_MAX, LINGER);
        }
    }
}

/// What `Connection` has to say; empty where it goes without saying.
pub(super) fn connection_words(is_kept: bool, is_http10: bool) -> &'static str {
    match (is_kept, is_http10) {
        (false, _) => "close",
        (true, true) => "keep-alive",
        (true, false) => "",
    }
}

/// How a request goes to the handlers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// On a connection of its own for as long as it takes.
    Alone,
    /// Behind others and before others.
    Shared,
}

/// Adds to a head that is passed on what the gate has to say, and the body.
pub(super) fn finish_request(
    request: &mut Vec<u8>,
    framing: Framing,
    body: &[u8],
    address: Option<SocketAddr>,
    way: Way,
) {
    // Writing to a vector does not fail.
    let _ = match address {
        Some(address) => write!(request, "{PEER_HEADER}: {address}\r\n"),
        None => write!(request, "{PEER_HEADER}: {PEER_UNIX}\r\n"),
    };
    if way == Way::Alone {
        let _ = write!(request, "{ALONE_HEADER}: 1\r\n");
    }
    if framing != Framing::None {
        let _ = write!(request, "content-length: {}\r\n", body.len());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
}
