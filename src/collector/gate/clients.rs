//! Letting clients in, making room, and sending away those that there is no room for.
//! An error of `accept` must never end the listener, nor may a flood fill the process with threads.

use super::connection::{self, Errand};
use super::head::Head;
use super::hop::Hops;
use super::limits::{Limits, address_space_left};
use super::listener::Listener;
use super::peers::{Key, Peer, Peers, ms_since};
use super::refusal::{ADDRESS_FULL, CONNECTIONS_FULL, Refusal};
use super::stats::Counters;
use super::turnstile::Turnstile;
use super::{IsExempt, IsPrompt, RefusalHeaders, spawn};
use socket2::{SockAddr, Socket};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// After an accept that failed: what is short (descriptors, memory) comes back only when others let go.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// When stopping: those in the backlog are let in for no longer than this, whoever keeps coming.
const DRAIN_BACKLOG: Duration = Duration::from_millis(500);
/// Clients that may still be on their way out beyond those in the table.
const LEAVING_MAX: usize = 64;

/// Where address space is limited: so much is left to those who are in. An allocation that fails, anywhere, ends the process,
/// and a thread makes some before any code of ours runs on it.
const HEADROOM_BYTES: u64 = 8 << 20;

/// What the threads of a gate share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) hops: Hops,
    pub(super) turnstile: Turnstile,
    pub(super) stats: Counters,
    pub(super) refusal_headers: Box<RefusalHeaders>,
    pub(super) is_exempt: Box<IsExempt>,
    pub(super) is_prompt: Box<IsPrompt>,
    pub(super) started: Instant,
    pub(super) stopping: AtomicBool,
    peers: Mutex<Peers>,
    /// A client has left.
    pub(super) left: Condvar,
    /// Where the gate itself connects from while it looks whether it is served.
    pub(super) own_address: Mutex<Option<SockAddr>>,
}

impl Shared {
    pub(super) fn new(
        limits: Limits,
        hops: Hops,
        turnstile: Turnstile,
        refusal_headers: Box<RefusalHeaders>,
        is_exempt: Box<IsExempt>,
        is_prompt: Box<IsPrompt>,
    ) -> Shared {
        Shared {
            limits,
            hops,
            turnstile,
            stats: Counters::default(),
            refusal_headers,
            is_exempt,
            is_prompt,
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            peers: Mutex::default(),
            left: Condvar::new(),
            own_address: Mutex::default(),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn peers(&self) -> MutexGuard<'_, Peers> {
        // Nothing that panics runs under this lock.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now_ms(&self) -> u64 {
        ms_since(self.started)
    }

    /// Memory for answers is short: whoever has left one lying for longest makes room for the next.
    pub(super) fn evict_stalled(&self) {
        if self.peers().evict_stalled(self.now_ms()) {
            self.stats.count_eviction();
        }
    }

    fn is_own(&self, address: &SockAddr) -> bool {
        let own = self.own_address.lock();
        own.unwrap_or_else(PoisonError::into_inner).as_ref() == Some(address)
    }

    /// Waits until no more than `n_max` clients are left, until `deadline` at most. True where it is so.
    pub(super) fn wait_for_leaving(&self, n_max: usize, deadline: Instant) -> bool {
        let mut peers = self.peers();
        while n_max < peers.n_inside {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            let waited = self.left.wait_timeout(peers, left);
            peers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Lets clients in until the gate stops, and then those that are in the backlog.
pub(super) fn accept(shared: &Arc<Shared>, listener: &Listener) {
    let mut drained_at = None;
    loop {
        if shared.is_stopping() {
            let at = *drained_at.get_or_insert_with(|| Instant::now() + DRAIN_BACKLOG);
            if listener.socket.set_nonblocking(true).is_err() || at <= Instant::now() {
                return;
            }
        }
        match listener.socket.accept() {
            Ok((stream, address)) => admit(shared, stream, &address),
            Err(_) if drained_at.is_some() => return,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                ) => {}
            Err(_) => {
                // Most likely out of descriptors: whoever is idle can come back.
                shared.stats.count_accept_error();
                let has_room = shared.peers().evict_one(shared.now_ms());
                if has_room {
                    shared.stats.count_eviction();
                }
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, stream: Socket, address: &SockAddr) {
    // Reset while it waited: no thread for it, or a flood of such holds up those who wait behind it.
    if matches!(stream.take_error(), Ok(Some(_))) {
        return;
    }
    // BSD hands the listener's mode on.
    let _ = stream.set_nonblocking(false);
    if !address.is_unix() {
        let _ = stream.set_tcp_nodelay(true);
    }
    let peer = Peer::new(stream, address, shared.is_own(address), shared.started);
    let peer = Arc::new(peer);
    if !peer.is_own && address_space_left().is_some_and(|left| left < HEADROOM_BYTES) {
        shared.stats.count_accept_error();
        if shared.peers().evict_one(shared.now_ms()) {
            shared.stats.count_eviction();
        }
        turn_away(shared, &peer.stream, CONNECTIONS_FULL);
        return;
    }
    let n_inside_max = shared.limits.connections + LEAVING_MAX;
    let has_room = shared.wait_for_leaving(n_inside_max, Instant::now() + ACCEPT_PAUSE);
    // The gate itself must get in, or it would be taken for dead.
    if !has_room && !peer.is_own {
        turn_away(shared, &peer.stream, CONNECTIONS_FULL);
        return;
    }
    let id = match find_place(shared, &peer) {
        Ok(id) => id,
        Err(refusal) => {
            turn_away(shared, &peer.stream, refusal);
            return;
        }
    };
    let client = Client {
        peer: Arc::clone(&peer),
        token: None,
        _place: Place {
            shared: Arc::clone(shared),
            id,
        },
    };
    if shared.turnstile.let_wait(client).is_err() {
        shared.stats.count_accept_error();
        turn_away(shared, &peer.stream, CONNECTIONS_FULL);
        thread::sleep(ACCEPT_PAUSE);
        return;
    }
    if !peer.is_own {
        shared.stats.count_connection();
    }
}

/// A client that was let in. Dropping it hangs up.
pub(super) struct Client {
    // The first to be dropped: the socket closes before the count says that its client is gone.
    pub(super) peer: Arc<Peer>,
    /// What the turnstile knows it by.
    pub(super) token: Option<mio::Token>,
    _place: Place,
}

/// A place among the clients, given back on drop.
struct Place {
    shared: Arc<Shared>,
    /// In the table.
    id: Option<u64>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut peers = self.shared.peers();
        let peer = self.id.and_then(|id| peers.remove(id));
        peers.n_inside -= 1;
        drop(peers);
        drop(peer);
        self.shared.left.notify_all();
    }
}

/// Gives a client a thread for its errand, after which it waits at the turnstile again. Where there is no thread, it is sent
/// away.
pub(super) fn step_aside(shared: &Arc<Shared>, client: Client, head: Option<Head>, errand: Errand) {
    let peer = Arc::clone(&client.peer);
    let has_room = peer.is_own || address_space_left().is_none_or(|left| HEADROOM_BYTES <= left);
    let thread = {
        let shared = Arc::clone(shared);
        move || {
            let serve = || connection::serve(&shared, &client.peer, head, errand);
            match catch_unwind(AssertUnwindSafe(serve)) {
                // Where it cannot wait there, it is hung up on.
                Ok(true) => _ = shared.turnstile.let_wait(client),
                Ok(false) => {}
                Err(_) => shared.stats.count_panic(),
            }
        }
    };
    if !has_room || spawn("client", thread).is_err() {
        shared.stats.count_accept_error();
        turn_away(shared, &peer.stream, CONNECTIONS_FULL);
    }
}

/// A place in the table, if need be that of another. The gate itself needs none: it must get in when all are taken.
fn find_place(shared: &Shared, peer: &Arc<Peer>) -> Result<Option<u64>, Refusal> {
    let mut peers = shared.peers();
    if peer.is_own {
        peers.n_inside += 1;
        return Ok(None);
    }
    let now_ms = shared.now_ms();
    if is_over_share(shared, &peers, peer.key) {
        if !peers.evict_idle_of(peer.key, now_ms) {
            return Err(ADDRESS_FULL);
        }
        shared.stats.count_eviction();
    }
    if shared.limits.connections <= peers.len() {
        if !peers.evict_one(now_ms) {
            return Err(CONNECTIONS_FULL);
        }
        shared.stats.count_eviction();
    }
    peers.n_inside += 1;
    Ok(Some(peers.add(peer)))
}

/// Whether the address of `key` holds as many connections as one may. Those behind a Unix socket are not told apart.
fn is_over_share(shared: &Shared, peers: &Peers, key: Key) -> bool {
    let most = shared.limits.connections_per_address;
    let is_full = 0 < most && most <= peers.held_by(key);
    is_full && key.ip().is_some_and(|ip| !(shared.is_exempt)(ip))
}

/// One answer and the end, without waiting for anything.
fn turn_away(shared: &Shared, mut stream: &Socket, refusal: Refusal) {
    shared.stats.count_refusal(refusal.reason);
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write(&refusal.to_bytes(&[], true));
        let _ = stream.shutdown(Shutdown::Write);
        // What has come is read, since a close with unread bytes may take the answer along.
        let _ = stream.read(&mut [0; 4096]);
    }
}
