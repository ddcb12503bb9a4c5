//! One thread for all clients between their requests, and for requests that come whole, are small and are answered promptly:
//! who passes quickly costs no thread of its own, nor a switch to one. Many pass in one turn, and on one connection to the
//! handlers, so that those are woken once for many too. Whatever takes longer, is refused or is odd steps aside, to a thread
//! that may wait for it, and comes back when that is over.
//! Must never wait for one of them, nor refuse anybody itself.

use super::IsPrompt;
use super::answer::{Answer, Fault};
use super::clients::{Client, Shared, step_aside};
use super::connection::{Errand, LIGHT_BYTES_MAX, Way, connection_words, finish_request};
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

/// Bytes asked of the kernel at once: a light request and its head, or some answers.
const READ_BYTES: usize = 16 * 1024;
/// Sockets that one turn looks at.
const EVENTS: usize = 256;
/// Those whose time is up are looked for so often, or more often where a limit is short.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How late, of a limit's time, it may be noticed.
const LATE_PART: u32 = 8;
/// Half a request is waited for so long before it gets a thread.
const HALF: Duration = Duration::from_millis(50);
/// Until the next try to get a hop, where all are in others' hands. Room on one of ours is noticed at once.
const RETRY_HOP: Duration = Duration::from_millis(5);
/// Connections to the handlers that are kept here, where there are many; where there are few, one in so many.
const HOPS_MAX: usize = 4;
const HOPS_PART: usize = 2;
/// Bytes of requests that may be under way on one of them: its socket must have room for them.
const BYTES_UNDER_WAY_MAX: usize = 64 * 1024;

/// Who waits in front of it.
pub(super) struct Turnstile {
    registry: Registry,
    next_token: AtomicUsize,
    /// Connections to the handlers, and requests that may be under way on each of them.
    hops_max: usize,
    under_way_max: usize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    clients: HashMap<Token, Waiting>,
    hops: HashMap<Token, Hop>,
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

/// A connection to the handlers.
struct Hop {
    stream: UnixStream,
    /// Whose requests are under way on it, and the bytes of each. They are answered in this order.
    clients: VecDeque<(Token, usize)>,
    n_bytes: usize,
    /// Requests of this turn, to be sent at its end.
    requests: Vec<u8>,
    /// The beginning of an answer.
    answers: Vec<u8>,
}

impl Hop {
    fn has_room_for(&self, n_bytes: usize, under_way_max: usize) -> bool {
        let fits = self.n_bytes + n_bytes <= BYTES_UNDER_WAY_MAX;
        self.clients.is_empty() || fits && self.clients.len() < under_way_max
    }
}

/// What bytes of a client are.
enum Seen {
    /// A whole prompt request, as it is passed on.
    Whole(Head, Vec<u8>),
    /// The beginning of what may be one.
    Half,
    Other,
}

impl Turnstile {
    /// One with nobody in front of it, for a gate with so many connections to the handlers, and what its thread waits on.
    ///
    /// # Errors
    ///
    /// Where the system gives nothing to wait on.
    pub(super) fn new(n_hops: usize) -> io::Result<(Turnstile, Poll)> {
        let poll = Poll::new()?;
        let hops_max = (n_hops / HOPS_PART).clamp(1, HOPS_MAX);
        let turnstile = Turnstile {
            registry: poll.registry().try_clone()?,
            next_token: AtomicUsize::new(0),
            hops_max,
            // In all as many as if each had a hop of its own.
            under_way_max: n_hops / hops_max,
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

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Panics are caught before they get here: of a client, which is in no table meanwhile, or on a hop, which is given up.
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
            let token = event.token();
            if !turn.guarded(|turn| turn.hear(token, is_end)) {
                // Whose answer is next on it, if it is a hop, is not certain any more.
                turn.lose(token, NO_ANSWER);
            }
        }
        if look_every <= turn.now - looked {
            looked = turn.now;
            turn.guarded(Turn::look_at_clock);
        }
        turn.guarded(Turn::ask);
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
    /// False after a panic.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) -> bool {
        let is_done = catch_unwind(AssertUnwindSafe(|| work(self))).is_ok();
        if !is_done {
            self.shared.stats.count_panic();
        }
        is_done
    }

    fn hear(&mut self, token: Token, is_end: bool) {
        if self.inside.hops.contains_key(&token) {
            self.hear_hop(token);
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
        match look(bytes, peer, &self.shared.is_prompt) {
            Seen::Whole(head, request) => {
                peer.enter(Phase::Answering);
                if !peer.is_own {
                    self.shared.stats.count_request();
                }
                waiting.stage = Stage::Queued(head, request, self.now);
                self.inside.clients.insert(token, waiting);
                self.inside.queue.push_back(token);
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

    /// Passes on as many requests as there is room for on the hops: those of one turn together, as far as they fit.
    fn ask(&mut self) {
        let mut chosen = None;
        while let Some(&token) = self.inside.queue.front() {
            let n_bytes = match self.inside.clients.get(&token) {
                Some(Waiting {
                    stage: Stage::Queued(_, request, _),
                    ..
                }) => request.len(),
                _ => 0,
            };
            let (hops, most) = (&self.inside.hops, self.shared.turnstile.under_way_max);
            let has_room = |token: &Token| {
                let hop = hops.get(token);
                hop.is_some_and(|hop| hop.has_room_for(n_bytes, most))
            };
            chosen = chosen.filter(has_room).or_else(|| self.choose_hop(n_bytes));
            let Some(hop_token) = chosen else {
                break;
            };
            self.inside.queue.pop_front();
            let (clients, hops) = (&mut self.inside.clients, &mut self.inside.hops);
            let (Some(waiting), Some(hop)) = (clients.get_mut(&token), hops.get_mut(&hop_token))
            else {
                continue;
            };
            waiting.stage = match std::mem::replace(&mut waiting.stage, Stage::Idle) {
                Stage::Queued(head, request, _) => {
                    hop.requests.extend_from_slice(&request);
                    hop.clients.push_back((token, n_bytes));
                    hop.n_bytes += n_bytes;
                    Stage::Asked(head, self.now)
                }
                other => other,
            };
        }
        let hops = self.inside.hops.iter_mut();
        let mut dead = Vec::new();
        for (token, hop) in hops.filter(|(_, hop)| !hop.requests.is_empty()) {
            // There is room for more than may be under way: where it does not fit, the hop is dead.
            if send(&hop.stream, &hop.requests, SendFlags::DONTWAIT) != Ok(hop.requests.len()) {
                dead.push(*token);
            }
            hop.requests.clear();
        }
        for token in dead {
            self.lose(token, NO_ANSWER);
        }
    }

    /// One with nothing under way, which may be a new one, or else the one with the least.
    fn choose_hop(&mut self, n_bytes: usize) -> Option<Token> {
        let hops = self.inside.hops.iter();
        let most = self.shared.turnstile.under_way_max;
        let with_room = hops.filter(|(_, hop)| hop.has_room_for(n_bytes, most));
        let least = with_room.min_by_key(|(_, hop)| hop.clients.len());
        let least = least.map(|(token, hop)| (*token, hop.clients.is_empty()));
        match least {
            Some((token, true)) => Some(token),
            _ => self.take_hop().or(least.map(|(token, _)| token)),
        }
    }

    fn take_hop(&mut self) -> Option<Token> {
        if self.shared.turnstile.hops_max <= self.inside.hops.len() {
            return None;
        }
        let stream = self.shared.hops.take_now()?;
        let Ok(token) = self.shared.turnstile.watch(&stream) else {
            self.shared.hops.put_back(stream);
            return None;
        };
        let hop = Hop {
            stream,
            clients: VecDeque::new(),
            n_bytes: 0,
            requests: Vec::new(),
            answers: Vec::new(),
        };
        self.inside.hops.insert(token, hop);
        Some(token)
    }

    /// Gives a hop up. What comes on it is no one's: the first who waits for it hears why, the others are sent away as well.
    fn lose(&mut self, token: Token, mut refusal: Refusal) {
        let Some(hop) = self.inside.hops.remove(&token) else {
            return;
        };
        self.shared.hops.lost_one();
        for (token, _) in hop.clients {
            if let Some(Waiting {
                client,
                stage: Stage::Asked(head, _),
                ..
            }) = self.inside.clients.remove(&token)
            {
                self.refuse(client, head, std::mem::replace(&mut refusal, NO_ANSWER));
            }
        }
    }

    /// Reads the answers on a hop, and gives each to whoever waits for it.
    fn hear_hop(&mut self, token: Token) {
        loop {
            let Some(hop) = self.inside.hops.get_mut(&token) else {
                return;
            };
            let n_bytes = match receive(&hop.stream, self.buffer) {
                Some(0) => return self.lose(token, NO_ANSWER),
                Some(n_bytes) => n_bytes,
                None => return,
            };
            hop.answers.extend_from_slice(&self.buffer[..n_bytes]);
            let is_all = n_bytes < self.buffer.len();
            if let Err(fault) = self.give_all(token) {
                return self.lose(token, fault.into());
            }
            if is_all {
                return;
            }
        }
    }

    fn give_all(&mut self, token: Token) -> Result<(), Fault> {
        let mut n_given = 0;
        while let Some(hop) = self.inside.hops.get_mut(&token) {
            let bytes = &hop.answers[n_given..];
            if bytes.is_empty() {
                hop.answers.clear();
                break;
            }
            // An answer that nobody waits for is an oddity.
            let (client, n_bytes) = *hop.clients.front().ok_or(Fault::Odd)?;
            let waiting = self.inside.clients.get(&client);
            let Some(Waiting {
                stage: Stage::Asked(head, _),
                ..
            }) = waiting
            else {
                return Err(Fault::Odd);
            };
            let Some((answer, length)) = Answer::first(bytes, head.is_head_method)? else {
                hop.answers.drain(..n_given);
                break;
            };
            n_given += length;
            hop.clients.pop_front();
            hop.n_bytes -= n_bytes;
            self.give(client, answer);
        }
        if 0 < n_given {
            self.shared.hops.has_answered();
        }
        Ok(())
    }

    fn give(&mut self, token: Token, answer: Answer) {
        let Some(mut waiting) = self.inside.clients.remove(&token) else {
            return;
        };
        let Stage::Asked(head, _) = std::mem::replace(&mut waiting.stage, Stage::Idle) else {
            return;
        };
        let is_kept = head.keep_alive && !self.shared.is_stopping();
        let words = connection_words(is_kept, head.is_http10);
        let (mut bytes, body, _share) = answer.into_head_and_body(words);
        bytes.extend_from_slice(&body);
        let peer = &waiting.client.peer;
        match send(&peer.stream, &bytes, SendFlags::DONTWAIT) {
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
                    let mut hops = self.inside.hops.iter();
                    let on = hops.find(|(_, hop)| hop.clients.iter().any(|(on, _)| *on == token));
                    if let Some(hop) = on.map(|(token, _)| *token) {
                        self.lose(hop, NO_ANSWER);
                    }
                    self.refuse(client, head, NO_ANSWER);
                }
            }
        }
    }
}

/// Reads without waiting: how many bytes, 0 at the end; `None` where nothing is there.
fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Option<usize> {
    match recv(socket, buffer, RecvFlags::DONTWAIT) {
        Ok((_, n_bytes)) => Some(n_bytes),
        Err(Errno::AGAIN | Errno::INTR) => None,
        Err(_) => Some(0),
    }
}

/// Must not decide what a refusal is: whatever is not plainly a prompt request, a thread looks at again.
fn look(bytes: &[u8], peer: &Peer, is_prompt: &IsPrompt) -> Seen {
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
    let Some(length) = length.filter(|length| *length <= LIGHT_BYTES_MAX) else {
        return Seen::Other;
    };
    let (method, path) = head.method_and_path();
    if !is_prompt(method, path) {
        return Seen::Other;
    }
    match bytes[head_length..].len() {
        n_bytes if n_bytes == length && !head.is_coded => {
            let mut request = std::mem::take(&mut head.forward);
            let body = &bytes[head_length..];
            finish_request(&mut request, head.framing, body, peer.address, Way::Shared);
            Seen::Whole(head, request)
        }
        n_bytes if n_bytes < length && !head.expects_continue => Seen::Half,
        // More than one, or one that waits for a word of ours.
        _ => Seen::Other,
    }
}
