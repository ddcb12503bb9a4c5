//! Who is connected: letting clients in, making room, and sending away those that there is no room for.
//! An error of `accept` must never end the listener, nor may a flood fill the process with threads.

use super::connection;
use super::hop::Hops;
use super::limits::Limits;
use super::refusal::CONNECTIONS_FULL;
use super::stats::Counters;
use super::{RefusalHeaders, spawn};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// After an accept that failed: what is short (descriptors, memory) comes back only when others let go.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Silence that makes a client one that may be evicted. Below it its request may be on the way.
const EVICT_AFTER: Duration = Duration::from_secs(1);

/// What the threads of a gate share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) hops: Hops,
    pub(super) stats: Counters,
    pub(super) refusal_headers: Box<RefusalHeaders>,
    pub(super) started: Instant,
    pub(super) stopping: AtomicBool,
    pub(super) peers: Mutex<Peers>,
    /// The last thread of a connection has ended.
    pub(super) emptied: Condvar,
}

#[derive(Default)]
pub(super) struct Peers {
    pub(super) by_id: HashMap<u64, Arc<Peer>>,
    pub(super) next_id: u64,
    /// Threads, among them those of clients that were evicted and are not in the map any more.
    pub(super) n_threads: usize,
}

/// A client, as others than its own thread see it.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) phase: AtomicU8,
    pub(super) started: Instant,
    pub(super) idle_since_ms: AtomicU64,
}

/// What a client's thread is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle = 0,
    Reading = 1,
    Answering = 2,
}

impl Peer {
    pub(super) fn enter(&self, phase: Phase) {
        if phase == Phase::Idle {
            let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.idle_since_ms.store(now_ms, Ordering::Relaxed);
        }
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    pub(super) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) == phase as u8
    }
}

impl Shared {
    pub(super) fn new(limits: Limits, hops: Hops, refusal_headers: Box<RefusalHeaders>) -> Shared {
        Shared {
            limits,
            hops,
            stats: Counters::default(),
            refusal_headers,
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            peers: Mutex::default(),
            emptied: Condvar::new(),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn peers(&self) -> MutexGuard<'_, Peers> {
        // Nothing that panics runs under this lock.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets clients in until the gate stops, and then those that are in the backlog.
pub(super) fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut is_draining = false;
    loop {
        if !is_draining && shared.is_stopping() {
            is_draining = listener.set_nonblocking(true).is_ok();
            if !is_draining {
                return;
            }
        }
        match listener.accept() {
            Ok((stream, address)) => admit(shared, stream, address),
            Err(_) if is_draining => return,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                ) => {}
            Err(_) => {
                // Most likely out of descriptors: whoever is idle can come back.
                shared.stats.count_accept_error();
                evict(&mut shared.peers(), shared);
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr) {
    // BSD hands the listener's mode on.
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_nodelay(true);
    let peer = Arc::new(Peer {
        stream,
        address,
        phase: AtomicU8::new(Phase::Idle as u8),
        started: shared.started,
        idle_since_ms: AtomicU64::new(0),
    });
    peer.enter(Phase::Idle);
    let id = {
        let mut peers = shared.peers();
        if shared.limits.connections <= peers.by_id.len() && !evict(&mut peers, shared) {
            drop(peers);
            turn_away(shared, &peer.stream);
            return;
        }
        let id = peers.next_id;
        peers.next_id += 1;
        peers.by_id.insert(id, Arc::clone(&peer));
        peers.n_threads += 1;
        id
    };
    let thread = {
        let shared = Arc::clone(shared);
        let peer = Arc::clone(&peer);
        move || {
            if catch_unwind(AssertUnwindSafe(|| connection::serve(&shared, &peer))).is_err() {
                shared.stats.count_panic();
            }
            // The socket closes with the last reference, before the count says that this client is gone.
            drop(peer);
            leave(&shared, id);
        }
    };
    if spawn("client", thread).is_err() {
        shared.stats.count_accept_error();
        turn_away(shared, &peer.stream);
        leave(shared, id);
        thread::sleep(ACCEPT_PAUSE);
        return;
    }
    shared.stats.count_connection();
}

fn leave(shared: &Shared, id: u64) {
    let mut peers = shared.peers();
    peers.by_id.remove(&id);
    peers.n_threads -= 1;
    if peers.n_threads == 0 {
        shared.emptied.notify_all();
    }
}

/// Sends the client away that has been idle for longest; false where none has been idle for long enough.
fn evict(peers: &mut Peers, shared: &Shared) -> bool {
    let now_ms = u64::try_from(shared.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let newest_ms = now_ms.saturating_sub(EVICT_AFTER.as_millis() as u64);
    let since = |peer: &Peer| peer.idle_since_ms.load(Ordering::Relaxed);
    let oldest = peers
        .by_id
        .iter()
        .filter(|(_, peer)| peer.is_in(Phase::Idle) && since(peer) <= newest_ms)
        .min_by_key(|(id, peer)| (since(peer), **id))
        .map(|(id, _)| *id);
    let Some(peer) = oldest.and_then(|id| peers.by_id.remove(&id)) else {
        return false;
    };
    let _ = peer.stream.shutdown(Shutdown::Both);
    shared.stats.count_eviction();
    true
}

/// One answer and the end, without waiting for anything.
fn turn_away(shared: &Shared, mut stream: &TcpStream) {
    shared.stats.count_refusal(CONNECTIONS_FULL.reason);
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write(&CONNECTIONS_FULL.to_bytes(&[], true));
        let _ = stream.shutdown(Shutdown::Write);
        // What has come is read, since a close with unread bytes may take the answer along.
        let _ = stream.read(&mut [0; 4096]);
    }
}
