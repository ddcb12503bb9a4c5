//! One thread for all clients between their requests, and for requests that come whole, are light and are answered in one
//! piece: who passes quickly costs no thread of its own, nor a switch to one, and many pass in one turn. Whatever takes
//! longer, is refused or is odd steps aside, to a thread that may wait for it, and comes back when that is over.
//! Must never wait for one of them, nor refuse anybody itself.

use super::answer::Answer;
use super::clients::{Client, Shared, step_aside};
use super::connection::{Errand, LIGHT_BYTES_MAX, connection_words, finish_request};
use super::head::{Framing, Head, Scan, parse};
use super::peers::{Peer, Phase};
use super::refusal::{BUSY, NO_ANSWER, Refusal};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes asked of the kernel at once: a light request and its head, or its answer.
const READ_BYTES: usize = 16 * 1024;
/// Sockets that one turn looks at.
const EVENTS: usize = 256;
/// Those whose time is up are looked for so often, or more often where a limit is short.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How late, of a limit's time, it may be noticed.
const LATE_PART: u32 = 8;
/// Half a request is waited for so long before it gets a thread.
const HALF: Duration = Duration::from_millis(50);
/// Until the next try to get a hop, where all are in others' hands. One of ours that comes free is noticed at once.
const RETRY_HOP: Duration = Duration::from_millis(5);
/// Of the connections to the handlers one in so many may be kept here.
const HOPS_PART: usize = 2;

/// Who waits in front of it.
pub(super) struct Turnstile {
    registry: Registry,
    next_token: AtomicUsize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    clients: HashMap<Token, Waiting>,
    hops: HashMap<Token, Hop>,
    /// Hops without a request; some may be gone.
    free: Vec<Token>,
    /// Clients whose request waits for a hop, as they came; some may be gone.
    queue: VecDeque<Token>,
}

struct Waiting {
    client: Client,
    stage: Stage,
    /// There may be something to read that no event will tell of.
    has_more: bool,
    /// It will send nothing after what it has sent.
    has_ended: bool,
}

/// What a client waits for, or is waited for.
enum Stage {
    /// The first byte of a request.
    Idle,
    /// The rest of one that began then. It has one more read to come whole: browsers send head and body one after the other.
    Half(Vec<u8>, Instant),
    /// A hop for the request, since then.
    Queued(Head, Vec<u8>, Instant),
    /// The answer, since then.
    Asked(Head, Instant),
}

/// A connection to the handlers, and the client whose request is on it.
struct Hop {
    stream: UnixStream,
    client: Option<Token>,
}

/// What bytes of a client are.
enum Seen {
    /// A whole light request, as it is passed on.
    Whole(Head, Vec<u8>),
    /// The beginning of what may be one.
    Half,
    Other,
}

impl Turnstile {
    /// One with nobody in front of it, and what its thread waits on.
    ///
    /// # Errors
    ///
    /// Where the system gives nothing to wait on.
    pub(super) fn new() -> io::Result<(Turnstile, Poll)> {
        let poll = Poll::new()?;
        let turnstile = Turnstile {
            registry: poll.registry().try_clone()?,
            next_token: AtomicUsize::new(0),
            inside: Mutex::default(),
        };
        Ok((turnstile, poll))
    }

    /// Lets a client wait here for its next request.
    ///
    /// # Errors
    ///
    /// Where the system cannot tell when it comes; the client has left then.
    pub(super) fn let_wait(&self, mut client: Client) -> io::Result<()> {
        // An event is not looked at before its client is in the table.
        let mut inside = self.lock();
        let (fd, interest) = (client.peer.stream.as_raw_fd(), Interest::READABLE);
        let token = match client.token {
            Some(token) => {
                let again = &mut SourceFd(&fd);
                self.registry.reregister(again, token, interest)?;
                token
            }
            None => self.watch(&client.peer.stream)?,
        };
        client.token = Some(token);
        let waiting = Waiting {
            client,
            stage: Stage::Idle,
            has_more: false,
            has_ended: false,
        };
        inside.clients.insert(token, waiting);
        Ok(())
    }

    fn watch(&self, socket: &impl AsFd) -> io::Result<Token> {
        // Never used again, so that no event reaches somebody else.
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        let fd = socket.as_fd().as_raw_fd();
        let registered = self
            .registry
            .register(&mut SourceFd(&fd), token, Interest::READABLE);
        registered.map(|()| token)
    }

    fn unwatch(&self, socket: &impl AsFd) -> io::Result<()> {
        let fd = socket.as_fd().as_raw_fd();
        self.registry.deregister(&mut SourceFd(&fd))
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Whoever is dealt with is in no table meanwhile: a panic costs that one, and the tables are whole.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets them pass until the gate has stopped. Returns why it cannot go on, if it cannot.
pub(super) fn run(shared: &Arc<Shared>, mut poll: Poll) -> Option<String> {
    let limits = &shared.limits;
    let limits = [limits.head, limits.idle, limits.hop_wait, limits.answer].into_iter();
    let look_every = limits.fold(LOOK_EVERY, |least, limit| least.min(limit / LATE_PART));
    let mut events = Events::with_capacity(EVENTS);
    let mut buffer = vec![0; READ_BYTES];
    let mut looked = Instant::now();
    let mut is_short_of_hops = false;
    loop {
        let patience = if is_short_of_hops {
            RETRY_HOP
        } else {
            look_every
        };
        match poll.poll(&mut events, Some(patience)) {
            Err(cause) if cause.kind() != io::ErrorKind::Interrupted => {
                return Some(format!("cannot wait for clients: {cause}"));
            }
            _ => {}
        }
        let mut inside = shared.turnstile.lock();
        let mut turn = Turn {
            shared,
            inside: &mut inside,
            buffer: &mut buffer,
            now: Instant::now(),
        };
        for event in &events {
            let is_end = event.is_read_closed() || event.is_error();
            turn.guarded(|turn| turn.hear(event.token(), is_end));
        }
        if look_every <= turn.now - looked {
            looked = turn.now;
            turn.guarded(Turn::look_at_clock);
        }
        turn.guarded(Turn::ask_queued);
        is_short_of_hops = !inside.queue.is_empty();
        if shared.is_stopping() && shared.hops.is_stopping() {
            // Those that are left have had their time.
            *inside = Inside::default();
            return None;
        }
    }
}

/// Everybody of whom something has been heard since the last turn.
struct Turn<'a> {
    shared: &'a Arc<Shared>,
    inside: &'a mut Inside,
    buffer: &'a mut [u8],
    now: Instant,
}

impl Turn<'_> {
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.shared.stats.count_panic();
        }
    }

    fn hear(&mut self, token: Token, is_end: bool) {
        if let Some(hop) = self.inside.hops.remove(&token) {
            self.hear_hop(token, hop);
        } else if let Some(mut waiting) = self.inside.clients.remove(&token) {
            waiting.has_ended |= is_end;
            match waiting.stage {
                Stage::Idle | Stage::Half(..) => self.read(token, waiting),
                // One request after the other.
                Stage::Queued(..) | Stage::Asked(..) => {
                    waiting.has_more = true;
                    self.inside.clients.insert(token, waiting);
                }
            }
        }
    }

    /// Reads once what a client has sent, and sees to it.
    fn read(&mut self, token: Token, mut waiting: Waiting) {
        let peer = &waiting.client.peer;
        let n_bytes = match receive(&peer.stream, self.buffer) {
            Some(n_bytes) => n_bytes,
            None => {
                waiting.has_more = false;
                self.inside.clients.insert(token, waiting);
                return;
            }
        };
        // The next event tells of what comes from now on.
        waiting.has_more = waiting.has_ended || n_bytes == self.buffer.len();
        let (mut bytes, mut begun) = (&self.buffer[..n_bytes], self.now);
        if n_bytes == 0 {
            let is_ours = peer.is_evicted() || self.shared.is_stopping();
            if is_ours || !matches!(waiting.stage, Stage::Half(..)) {
                return;
            }
        }
        let is_first = match &mut waiting.stage {
            Stage::Half(half, since) => {
                half.extend_from_slice(bytes);
                (bytes, begun) = (half, *since);
                false
            }
            _ => true,
        };
        peer.enter(Phase::Reading);
        match look(bytes, peer) {
            Seen::Whole(head, request) => {
                peer.enter(Phase::Answering);
                if !peer.is_own {
                    self.shared.stats.count_request();
                }
                waiting.stage = Stage::Queued(head, request, self.now);
                self.inside.clients.insert(token, waiting);
                self.inside.queue.push_back(token);
                self.ask_queued();
            }
            Seen::Half if is_first && !waiting.has_more => {
                waiting.stage = Stage::Half(bytes.to_vec(), begun);
                self.inside.clients.insert(token, waiting);
            }
            _ => {
                let bytes = bytes.to_vec();
                let errand = Errand::Read { bytes, begun };
                step_aside(self.shared, waiting.client, None, errand);
            }
        }
    }

    /// Passes on as many requests as there are hops for.
    fn ask_queued(&mut self) {
        while let Some(&token) = self.inside.queue.front() {
            let Some((hop_token, mut hop)) = self.take_hop() else {
                return;
            };
            self.inside.queue.pop_front();
            let Some(mut waiting) = self.inside.clients.remove(&token) else {
                self.keep(hop_token, hop);
                continue;
            };
            if let Stage::Queued(head, request, _) = waiting.stage {
                if !send_all(&hop.stream, &request) {
                    // There is room for more than a request, so it is dead.
                    self.lose(hop);
                    self.refuse(waiting.client, head, NO_ANSWER);
                    continue;
                }
                hop.client = Some(token);
                waiting.stage = Stage::Asked(head, self.now);
                self.inside.hops.insert(hop_token, hop);
            } else {
                self.keep(hop_token, hop);
            }
            self.inside.clients.insert(token, waiting);
        }
    }

    fn take_hop(&mut self) -> Option<(Token, Hop)> {
        while let Some(token) = self.inside.free.pop() {
            if let Some(hop) = self.inside.hops.remove(&token) {
                return Some((token, hop));
            }
        }
        if self.shared.limits.hops / HOPS_PART <= self.inside.hops.len() {
            return None;
        }
        let stream = self.shared.hops.take_now()?;
        match self.shared.turnstile.watch(&stream) {
            Ok(token) => {
                let client = None;
                Some((token, Hop { stream, client }))
            }
            Err(_) => {
                self.shared.hops.put_back(stream);
                None
            }
        }
    }

    fn keep(&mut self, token: Token, hop: Hop) {
        self.inside.hops.insert(token, hop);
        self.inside.free.push(token);
    }

    fn lose(&mut self, hop: Hop) {
        drop(hop);
        self.shared.hops.lost_one();
    }

    /// Reads the answer on a hop, and gives it to whoever waits for it.
    fn hear_hop(&mut self, token: Token, mut hop: Hop) {
        let Some(n_bytes) = receive(&hop.stream, self.buffer) else {
            self.inside.hops.insert(token, hop);
            return;
        };
        let asking = hop.client.take();
        let asking = asking.and_then(|token| Some((token, self.inside.clients.remove(&token)?)));
        let Some((client_token, waiting)) = asking else {
            // It has ended, or speaks without having been asked.
            self.lose(hop);
            return;
        };
        let Waiting { client, stage, .. } = waiting;
        let Stage::Asked(head, _) = stage else {
            self.lose(hop);
            return;
        };
        let bytes = &self.buffer[..n_bytes];
        match Answer::whole(bytes, head.is_head_method) {
            Ok(Some(answer)) => {
                self.shared.hops.has_answered();
                self.keep(token, hop);
                let waiting = Waiting {
                    client,
                    stage: Stage::Idle,
                    ..waiting
                };
                self.give(client_token, waiting, &head, answer);
                self.ask_queued();
            }
            Ok(None) if 0 < n_bytes && self.shared.turnstile.unwatch(&hop.stream).is_ok() => {
                let bytes = bytes.to_vec();
                let hop = hop.stream;
                let errand = Errand::Answer { hop, bytes };
                step_aside(self.shared, client, Some(head), errand);
            }
            Ok(None) => {
                self.lose(hop);
                self.refuse(client, head, NO_ANSWER);
            }
            Err(fault) => {
                self.lose(hop);
                self.refuse(client, head, fault.into());
            }
        }
    }

    fn give(&mut self, token: Token, waiting: Waiting, head: &Head, answer: Answer) {
        let is_kept = head.keep_alive && !self.shared.is_stopping();
        let words = connection_words(is_kept, head.is_http10);
        let (mut bytes, body, _share) = answer.into_head_and_body(words);
        bytes.extend_from_slice(&body);
        let peer = &waiting.client.peer;
        match send(&peer.stream, &bytes, SEND) {
            Ok(n_bytes) if n_bytes == bytes.len() => {
                // First idle, then the look at the stop: the stop looks the other way round.
                peer.enter(Phase::Idle);
                if !is_kept || self.shared.is_stopping() {
                    return;
                }
                if waiting.has_more {
                    self.read(token, waiting);
                } else {
                    self.inside.clients.insert(token, waiting);
                }
            }
            Err(cause) if cause != Errno::AGAIN && cause != Errno::INTR => {}
            sent => {
                bytes.drain(..sent.unwrap_or(0));
                let errand = Errand::Send { bytes, is_kept };
                step_aside(self.shared, waiting.client, None, errand);
            }
        }
    }

    fn refuse(&mut self, client: Client, head: Head, refusal: Refusal) {
        step_aside(self.shared, client, Some(head), Errand::Refuse(refusal));
    }

    /// Sends away those whose time is up.
    fn look_at_clock(&mut self) {
        let limits = &self.shared.limits;
        let is_late = |waiting: &Waiting| match waiting.stage {
            Stage::Idle => waiting.client.peer.is_idle_for(limits.idle),
            Stage::Half(_, since) => HALF <= self.now - since,
            Stage::Queued(.., since) => limits.hop_wait <= self.now - since,
            Stage::Asked(_, since) => limits.answer <= self.now - since,
        };
        let late = self.inside.clients.iter();
        let late = late.filter(|(_, waiting)| is_late(waiting));
        let late: Vec<Token> = late.map(|(token, _)| *token).collect();
        for token in late {
            let Some(Waiting { client, stage, .. }) = self.inside.clients.remove(&token) else {
                continue;
            };
            match stage {
                Stage::Idle => {}
                Stage::Half(bytes, begun) => {
                    let errand = Errand::Read { bytes, begun };
                    step_aside(self.shared, client, None, errand);
                }
                Stage::Queued(head, ..) => self.refuse(client, head, BUSY),
                Stage::Asked(head, _) => {
                    // Its answer may still come, and must not become that of another.
                    let hops = &mut self.inside.hops;
                    let on = hops.extract_if(|_, hop| hop.client == Some(token));
                    let on: Vec<(Token, Hop)> = on.collect();
                    for (_, hop) in on {
                        self.lose(hop);
                    }
                    self.refuse(client, head, NO_ANSWER);
                }
            }
        }
    }
}

const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// Reads without waiting: how many bytes, 0 at the end; `None` where nothing is there.
fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Option<usize> {
    match recv(socket, buffer, RecvFlags::DONTWAIT) {
        Ok((_, n_bytes)) => Some(n_bytes),
        Err(Errno::AGAIN | Errno::INTR) => None,
        Err(_) => Some(0),
    }
}

/// Writes without waiting; false where not all of it could be.
fn send_all(socket: impl AsFd, bytes: &[u8]) -> bool {
    send(socket, bytes, SEND) == Ok(bytes.len())
}

/// Must not decide what a refusal is: whatever is not plainly a light request, a thread looks at again.
fn look(bytes: &[u8], peer: &Peer) -> Seen {
    let head_length = match Scan::default().advance(bytes) {
        Ok(Some(length)) => length,
        Ok(None) => return Seen::Half,
        Err(_) => return Seen::Other,
    };
    let Ok(mut head) = parse(&bytes[..head_length]) else {
        return Seen::Other;
    };
    let length = match head.framing {
        Framing::None => Some(0),
        Framing::Length(length) => usize::try_from(length).ok(),
        Framing::Chunked => None,
    };
    let is_light = !head.is_safe_method || peer.is_own;
    let Some(length) = length.filter(|length| is_light && *length <= LIGHT_BYTES_MAX) else {
        return Seen::Other;
    };
    match bytes[head_length..].len() {
        n_bytes if n_bytes == length && !head.is_coded => {
            let mut request = std::mem::take(&mut head.forward);
            let body = &bytes[head_length..];
            finish_request(&mut request, head.framing, body, peer.address);
            Seen::Whole(head, request)
        }
        n_bytes if n_bytes < length && !head.expects_continue => Seen::Half,
        // More than one, or one that waits for a word of ours.
        _ => Seen::Other,
    }
}
