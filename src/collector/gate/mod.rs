//! The gate: owns the public port and admits only whole, bounded, unambiguous requests, which it passes
//! to the HTTP handlers behind a private Unix socket. Knows nothing of beacons, routes or tiny_http: whatever speaks
//! HTTP/1.1 with `Content-Length` may stand behind it.
//!
//! Clients wait at the `turnstile`, one thread for all; requests that are small and answered promptly pass there, many on one
//! connection to the handlers (`hop`). For anything else a client steps aside to a thread of its own (`connection`).

mod answer;
mod chunked;
mod clients;
mod connection;
mod head;
mod hop;
mod limits;
mod listener;
#[cfg(any(test, fuzzing))]
pub mod oracle;
mod peers;
mod refusal;
mod socket;
mod stats;
#[cfg(test)]
mod tests;
mod turnstile;
mod watch;

pub use connection::{ALONE_HEADER, LIGHT_BYTES_MAX, PEER_HEADER, PEER_UNIX};
pub use limits::{Limits, raise_open_files};
pub use listener::{Address, Listener};
pub use stats::Stats;

use clients::{ACCEPT_PAUSE, Shared, accept};
use hop::Hops;
use peers::{Peer, Phase};
use std::io;
use std::net::{IpAddr, Shutdown};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use turnstile::Turnstile;
use watch::{Bell, watch};

/// Stack of a connection's thread.
const STACK_BYTES: usize = 128 * 1024;
/// When stopping: how long a request that has begun may take to become whole.
const STOP_READING: Duration = Duration::from_secs(2);
/// When stopping: who takes nothing of an answer for this long is not waited for.
const STOP_STALLED: Duration = Duration::from_secs(1);
/// When stopping: how long somebody may go on taking an answer.
const STOP_WRITING: Duration = Duration::from_secs(4);
/// How often a stop looks who is left.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// Waiting for clients that were hung up on.
const STOP_LEAVING: Duration = Duration::from_millis(500);

/// Headers for a refusal of the gate, by the request's `Origin` and `Host`: a page of another origin cannot see even the
/// status without them.
pub type RefusalHeaders =
    dyn Fn(Option<&str>, Option<&str>) -> Vec<(&'static str, String)> + Send + Sync;

/// Whether an address may have any number of connections.
pub type IsExempt = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Whether requests of a method for a path, with a body of [`LIGHT_BYTES_MAX`] at most, are answered without waiting for anything
/// but their like, and in the order in which they come: several of them may be under way on one connection to the handlers.
pub type IsPrompt = dyn Fn(&str, &str) -> bool + Send + Sync;

/// What a gate needs.
pub struct Settings {
    /// Where clients come in; at least one.
    pub listeners: Vec<Listener>,
    /// Socket of the handlers. Its directory must be private.
    pub hop_socket: PathBuf,
    /// A path that handlers answer with 204 at once, and that nobody outside knows.
    pub probe_path: String,
    /// Limits.
    pub limits: Limits,
    /// Headers on refusals.
    pub refusal_headers: Box<RefusalHeaders>,
    /// Addresses to which [`Limits::connections_per_address`] does not apply: this machine, and proxies in front.
    pub is_exempt: Box<IsExempt>,
    /// Which requests are worth a way of their own.
    pub is_prompt: Box<IsPrompt>,
    /// Called from threads of the gate, when the handlers are dead or a listener is.
    pub on_dead: Arc<dyn Fn(String) + Send + Sync>,
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The handlers do not answer.
    #[error("cannot reach the HTTP handlers")]
    Handlers {
        /// What went wrong with the probe.
        source: io::Error,
    },
    /// Nothing to wait for clients on.
    #[error("cannot wait for clients")]
    Wait {
        /// What the system says.
        source: io::Error,
    },
    /// No thread.
    #[error("cannot start a thread")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
}

/// A listener and the thread that lets clients in at it.
type Acceptor = (Arc<Listener>, JoinHandle<()>);

/// Starts a thread of this name.
type Spawn = dyn Fn(&str, Box<dyn FnOnce() + Send>) -> Result<JoinHandle<()>, Error>;

/// A running gate. Dropping it does not stop it: [`Gate::stop`] does.
pub struct Gate {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    acceptors: Mutex<Vec<Acceptor>>,
    bell: Arc<Bell>,
}

impl Gate {
    /// Reaches the handlers, and lets clients in.
    ///
    /// # Errors
    ///
    /// Where the handlers do not answer.
    pub fn start(settings: Settings) -> Result<Gate, Error> {
        Gate::start_with(settings, &|name, body| spawn(name, body))
    }

    /// [`Gate::start`] with threads that may not be had, on purpose.
    fn start_with(settings: Settings, spawn: &Spawn) -> Result<Gate, Error> {
        let private_folder = settings.hop_socket.parent().map(Path::to_owned);
        let hops = Hops::open(settings.hop_socket, &settings.probe_path, &settings.limits)
            .map_err(|source| Error::Handlers { source })?;
        let (turnstile, poll) =
            Turnstile::new(settings.limits.hops).map_err(|source| Error::Wait { source })?;
        let shared = Arc::new(Shared::new(
            settings.limits,
            hops,
            turnstile,
            settings.refusal_headers,
            settings.is_exempt,
            settings.is_prompt,
        ));
        let listeners = settings.listeners.into_iter().map(Arc::new);
        let listeners: Vec<Arc<Listener>> = listeners.collect();
        let addresses = listeners.iter().map(|listener| listener.address().clone());
        let addresses: Vec<Address> = addresses.collect();
        let gate = Gate {
            shared,
            addresses,
            acceptors: Mutex::default(),
            bell: Arc::default(),
        };
        let begun = (|| {
            guard(spawn, "hops", &settings.on_dead, {
                let shared = Arc::clone(&gate.shared);
                move || shared.hops.keep()
            })?;
            guard(spawn, "turnstile", &settings.on_dead, {
                let shared = Arc::clone(&gate.shared);
                move || turnstile::run(&shared, poll)
            })?;
            for listener in listeners {
                let acceptor = let_in(spawn, &gate.shared, Arc::clone(&listener))?;
                gate.acceptors().push((listener, acceptor));
            }
            guard(spawn, "watch", &settings.on_dead, {
                let (shared, addresses) = (Arc::clone(&gate.shared), gate.addresses.clone());
                let (bell, probe_path) = (Arc::clone(&gate.bell), settings.probe_path);
                let folder = private_folder.unwrap_or_default();
                move || watch(&shared, &addresses, &probe_path, &folder, &bell)
            })
        })();
        match begun {
            Ok(()) => Ok(gate),
            Err(error) => {
                // Whoever has come in meanwhile is answered: what has begun must not go on without anybody who could end it.
                gate.stop(STOP_READING);
                Err(error)
            }
        }
    }

    /// Where clients come in, in the order of [`Settings::listeners`].
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let n_open = self.shared.peers().len();
        self.shared.stats.read(n_open)
    }

    /// Stops accepting, answers what was accepted, closes the rest; returns within about `deadline`. True where every
    /// client was served to the end, or would not take it.
    pub fn stop(&self, deadline: Duration) -> bool {
        let deadline = Instant::now() + deadline;
        self.bell.ring();
        self.shared.stopping.store(true, Ordering::SeqCst);
        let acceptors = std::mem::take(&mut *self.acceptors());
        for (listener, acceptor) in acceptors {
            listener.wake();
            let _ = acceptor.join();
        }
        // An idle client is read to its end and goes. One whose request has just come answers it first.
        self.shut(Shutdown::Read, |peer| peer.phase() == Phase::Idle);
        let started = Instant::now();
        let mut is_drained = self
            .shared
            .wait_for_leaving(0, deadline.min(started + STOP_READING));
        while !is_drained && Instant::now() < deadline {
            let is_late = started + STOP_WRITING < Instant::now();
            self.shut(Shutdown::Read, |peer| {
                matches!(peer.phase(), Phase::Idle | Phase::Reading)
            });
            self.shut(Shutdown::Both, |peer| match peer.phase() {
                Phase::Writing => is_late || peer.is_stalled(STOP_STALLED),
                _ => false,
            });
            is_drained = self
                .shared
                .wait_for_leaving(0, deadline.min(Instant::now() + STOP_LOOK));
        }
        if !is_drained {
            self.shut(Shutdown::Both, |_| true);
        }
        self.shared.hops.stop();
        if !is_drained {
            self.shared
                .wait_for_leaving(0, Instant::now() + STOP_LEAVING);
        }
        is_drained
    }

    fn acceptors(&self) -> MutexGuard<'_, Vec<Acceptor>> {
        self.acceptors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self, how: Shutdown, is_chosen: impl Fn(&Peer) -> bool) {
        for peer in self.shared.peers().iter() {
            if is_chosen(peer) {
                let _ = peer.stream.shutdown(how);
            }
        }
    }
}

/// A thread that lets clients in at `listener`.
fn let_in(
    spawn: &Spawn,
    shared: &Arc<Shared>,
    listener: Arc<Listener>,
) -> Result<JoinHandle<()>, Error> {
    let shared = Arc::clone(shared);
    let body = move || {
        // A panic here must not leave the process deaf: the same listener, again.
        while catch_unwind(AssertUnwindSafe(|| accept(&shared, &listener))).is_err() {
            shared.stats.count_panic();
            thread::sleep(ACCEPT_PAUSE);
        }
    };
    spawn("accept", Box::new(body))
}

/// A thread that ends with why the process had better end, if so; so does its panic.
fn guard(
    spawn: &Spawn,
    name: &'static str,
    on_dead: &Arc<dyn Fn(String) + Send + Sync>,
    body: impl FnOnce() -> Option<String> + Send + 'static,
) -> Result<(), Error> {
    let on_dead = Arc::clone(on_dead);
    let body = move || {
        let ended = catch_unwind(AssertUnwindSafe(body));
        if let Some(cause) = ended.unwrap_or_else(|_| Some(format!("the thread `{name}` panicked")))
        {
            on_dead(cause);
        }
    };
    spawn(name, Box::new(body)).map(drop)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map_err(|source| Error::Thread { source })
}
