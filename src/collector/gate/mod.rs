//! The gate: owns the public port and admits only whole, bounded, unambiguous requests, which it passes one at a time
//! to the HTTP handlers behind a private Unix socket. Knows nothing of beacons, routes or tiny_http: whatever speaks
//! HTTP/1.1 with `Content-Length` may stand behind it.

mod answer;
mod chunked;
mod clients;
mod connection;
mod head;
mod hop;
mod limits;
#[cfg(any(test, fuzzing))]
pub mod oracle;
mod refusal;
mod socket;
mod stats;

pub use connection::PEER_HEADER;
pub use limits::Limits;
pub use stats::Stats;

use clients::{ACCEPT_PAUSE, Peer, Phase, Shared, accept};
use hop::Hops;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Clients that may wait to be accepted: std's 128 lets bursts wait for a second.
const BACKLOG: i32 = 4096;
/// Stack of a connection's thread.
const STACK_BYTES: usize = 128 * 1024;
/// When stopping: how long a request that has begun may take to become whole.
const STOP_READING: Duration = Duration::from_secs(2);

/// Headers for a refusal of the gate, by the request's `Origin` and `Host`: a page of another origin cannot see even the
/// status without them.
pub type RefusalHeaders =
    dyn Fn(Option<&str>, Option<&str>) -> Vec<(&'static str, String)> + Send + Sync;

/// What a gate needs.
pub struct Settings {
    /// Addresses to listen on, the first that can be had.
    pub listen: Vec<SocketAddr>,
    /// Socket of the handlers. Its directory must be private.
    pub hop_socket: PathBuf,
    /// A path that handlers answer with 204 at once, and that nobody outside knows.
    pub probe_path: String,
    /// Limits.
    pub limits: Limits,
    /// Headers on refusals.
    pub refusal_headers: Box<RefusalHeaders>,
    /// Called once, from a thread of the gate, when the handlers are dead.
    pub on_dead: Box<dyn FnOnce(String) + Send>,
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or not ours to have.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The last address tried.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The handlers do not answer.
    #[error("cannot reach the HTTP handlers")]
    Handlers {
        /// What went wrong with the probe.
        source: io::Error,
    },
    /// No thread.
    #[error("cannot start a thread")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
}

/// A running gate. Dropping it does not stop it: [`Gate::stop`] does.
pub struct Gate {
    shared: Arc<Shared>,
    local_address: SocketAddr,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

impl Gate {
    /// Listens, reaches the handlers, and lets clients in.
    ///
    /// # Errors
    ///
    /// Where the address cannot be had or the handlers do not answer.
    pub fn start(settings: Settings) -> Result<Gate, Error> {
        let listener = listen(&settings.listen)?;
        let local_address = listener.local_addr().map_err(|source| Error::Listen {
            address: format!("{:?}", settings.listen),
            source,
        })?;
        let hops = Hops::open(settings.hop_socket, &settings.probe_path, &settings.limits)
            .map_err(|source| Error::Handlers { source })?;
        let shared = Arc::new(Shared::new(settings.limits, hops, settings.refusal_headers));
        let on_dead = settings.on_dead;
        spawn("hops", {
            let shared = Arc::clone(&shared);
            move || {
                let kept = catch_unwind(AssertUnwindSafe(|| shared.hops.keep()));
                let cause = kept.unwrap_or_else(|_| Some("the keeper of the hops panicked".into()));
                if let Some(cause) = cause {
                    on_dead(cause);
                }
            }
        })?;
        let acceptor = spawn("accept", {
            let shared = Arc::clone(&shared);
            move || {
                // A panic here must not leave the process deaf: the same listener, again.
                while catch_unwind(AssertUnwindSafe(|| accept(&shared, &listener))).is_err() {
                    shared.stats.count_panic();
                    thread::sleep(ACCEPT_PAUSE);
                }
            }
        })?;
        Ok(Gate {
            shared,
            local_address,
            acceptor: Mutex::new(Some(acceptor)),
        })
    }

    /// The address that clients connect to, its port never 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_address
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let n_open = self.shared.peers().by_id.len();
        self.shared.stats.read(n_open)
    }

    /// Stops accepting, answers what was accepted, closes the rest; returns within about `deadline`. True where every
    /// client was served to the end.
    pub fn stop(&self, deadline: Duration) -> bool {
        let deadline = Instant::now() + deadline;
        self.shared.stopping.store(true, Ordering::SeqCst);
        let acceptor = self
            .acceptor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(acceptor) = acceptor {
            wake(self.local_address);
            let _ = acceptor.join();
        }
        // An idle client's thread reads the end and goes. One whose request has just come answers it first.
        self.shut(Shutdown::Read, |peer| peer.is_in(Phase::Idle));
        let reading_deadline = deadline.min(Instant::now() + STOP_READING);
        if !self.wait_until_empty(reading_deadline) {
            self.shut(Shutdown::Read, |peer| !peer.is_in(Phase::Answering));
        }
        let is_drained = self.wait_until_empty(deadline);
        if !is_drained {
            self.shut(Shutdown::Both, |_| true);
        }
        self.shared.hops.stop();
        is_drained
    }

    fn shut(&self, how: Shutdown, is_chosen: impl Fn(&Peer) -> bool) {
        for peer in self.shared.peers().by_id.values() {
            if is_chosen(peer) {
                let _ = peer.stream.shutdown(how);
            }
        }
    }

    fn wait_until_empty(&self, deadline: Instant) -> bool {
        let mut peers = self.shared.peers();
        while 0 < peers.n_threads {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            let waited = self.shared.emptied.wait_timeout(peers, left);
            peers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

fn listen(addresses: &[SocketAddr]) -> Result<TcpListener, Error> {
    let bind = |address: SocketAddr| -> io::Result<TcpListener> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        // A restart must not wait for connections of the last run to be forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    let mut failure = ("nothing".to_owned(), io::ErrorKind::AddrNotAvailable.into());
    for &address in addresses {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(cause) => failure = (address.to_string(), cause),
        }
    }
    let (address, source) = failure;
    Err(Error::Listen { address, source })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map_err(|source| Error::Thread { source })
}

/// Wakes an accept that waits. Should it fail, the backlog is full and the accept awake.
fn wake(mut address: SocketAddr) {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
}
