//! The collector: HTTP in, lines in the log out; the call page, rooms and the finished report on the side.
//!
//! A request passes [`gate`], which owns the public port, then tiny_http on a private Unix socket, then `dispatch`,
//! which gives it to `intake` (beacons), `rooms` (`POST /api/rooms`) or `routes` (all else). The door to `tiny_http`,
//! `httparse`, `socket2` and `rustix::process`. Must not know how a report is built.

pub mod gate;

mod access;
mod app;
mod asked;
mod brake;
mod client;
mod counters;
mod dispatch;
mod exchange;
mod gzip;
mod hosts;
mod intake;
mod limits;
mod media;
mod origin;
mod page_token;
mod pages;
mod private_socket;
mod reply;
mod report_status;
mod rooms;
mod routes;
mod statics;

pub use report_status::{LastBuild, ReportStatus};

use crate::config;
use crate::daily::Daily;
use crate::log::writer::{Durability, Writer};
use crate::notice::{Format, Notices};
use app::App;
use dispatch::Handlers;
use gate::{Address, Gate, Listener};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Beacons that may wait for the writer, for each request that may be in flight.
const PENDING_A_HOP: u64 = 2;
/// Of the time for a stop, what is left to the handlers once the clients are gone.
const HANDLERS_SHARE: u32 = 10;

/// Hears why the collector cannot go on.
pub type OnFailure = Box<dyn FnOnce(String) + Send>;

/// What a collector works with, besides its settings.
pub struct Parts {
    /// The log.
    pub writer: Arc<Writer>,
    /// Daily; `None`: no rooms.
    pub daily: Option<Daily>,
    /// What whoever builds the report tells.
    pub report_status: Arc<ReportStatus>,
    /// Where an operator is told of trouble.
    pub notices: Notices,
    /// Limits of the gate; how many connections one address may have is a setting.
    pub limits: gate::Limits,
    /// Sockets that listen already. Where there are any, they count instead of the address in the settings.
    pub inherited: Vec<OwnedFd>,
    /// Called at most once, should the collector be unable to go on; it serves nobody any more.
    pub on_failure: OnFailure,
}

impl Parts {
    /// Parts with the usual limits and notices as text; a failure is only to be asked for.
    pub fn new(
        writer: Arc<Writer>,
        daily: Option<Daily>,
        report_status: Arc<ReportStatus>,
    ) -> Parts {
        Parts {
            writer,
            daily,
            report_status,
            notices: Notices::to_stderr(Format::Text),
            limits: gate::Limits::for_this_process(),
            inherited: Vec::new(),
            on_failure: Box::new(|_| {}),
        }
    }
}

/// Why there is no collector.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error("cannot listen on `{address}`: the address is in use")]
    AddressInUse {
        /// The address.
        address: String,
    },
    /// The address cannot be had for another reason.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// What a supervisor handed over cannot be listened on.
    #[error("cannot use an inherited socket")]
    Inherited {
        /// What is wrong with it.
        source: io::Error,
    },
    /// The document root cannot be made.
    #[error("cannot make the folder `{}`", path.display())]
    Public {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No place for the private socket between the gate and the handlers.
    #[error("cannot make a socket in a temporary folder")]
    Socket {
        /// What the system says.
        source: io::Error,
    },
    /// The inside did not come up.
    #[error("cannot start the HTTP server")]
    Start {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// What to do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::AddressInUse { .. } => {
                Some("stop the other program, or pass another `--listen`")
            }
            Error::Listen { .. } => Some(
                "pass `--listen HOST:PORT` with an address of this machine and a port above 1023, or `--listen unix:PATH` \
                 with a path in a folder that can be written",
            ),
            Error::Inherited { .. } => {
                Some("hand over stream sockets that listen, or none (LISTEN_FDS)")
            }
            Error::Public { .. } => Some("pass `--public DIR` with a folder that can be written"),
            Error::Socket { .. } => Some("set TMPDIR to a folder that can be written"),
            Error::Start { .. } => None,
        }
    }
}

/// A running collector.
pub struct Collector {
    gate: Arc<Gate>,
    handlers: Handlers,
    failure: Arc<Failure>,
    /// Holds the private socket; goes with the collector.
    _folder: TempDir,
}

/// Why the collector cannot go on, once.
struct Failure {
    cause: OnceLock<String>,
    on_failure: Mutex<Option<OnFailure>>,
}

impl Failure {
    fn tell(&self, cause: String) {
        let _ = self.cause.set(cause.clone());
        let mut on_failure = self
            .on_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(on_failure) = on_failure.take() {
            on_failure(cause);
        }
    }
}

impl Collector {
    /// Starts it; when this returns, clients are served.
    ///
    /// # Errors
    ///
    /// Where the address cannot be had, or the document root or the private socket cannot be made.
    pub fn start(config: &config::Serve, parts: Parts) -> Result<Collector, Error> {
        std::fs::create_dir_all(&config.public).map_err(|source| Error::Public {
            path: config.public.clone(),
            source,
        })?;
        let (folder, socket, listener) =
            private_socket::make().map_err(|source| Error::Socket { source })?;
        let failure = Arc::new(Failure {
            cause: OnceLock::new(),
            on_failure: Mutex::new(Some(parts.on_failure)),
        });
        let listeners = listeners(&config.listen, parts.inherited)?;
        let is_loopback = listeners
            .iter()
            .all(|listener| listener.address().is_loopback());
        let limits = gate::Limits {
            connections_per_address: config.limits.connections_per_address,
            ..parts.limits
        };
        let allow_origins: Arc<[String]> = config.send.allow_origins.clone().into();
        let unstarted = |source: io::Error| Error::Start {
            source: source.into(),
        };
        let trusted_proxies = config.reach.trusted_proxies.clone();
        let app = Arc::new(App {
            writer: parts.writer,
            is_synced: config.log.durability == Durability::Synced,
            daily: parts.daily,
            report_status: parts.report_status,
            public: config.public.clone(),
            access: access::Access::new(is_loopback, config.look.report_password.as_ref())
                .map_err(unstarted)?,
            trusted_proxies: trusted_proxies.clone(),
            hosts: hosts::Hosts {
                public: config.reach.public_hosts.clone(),
                listen: listeners
                    .iter()
                    .filter_map(|listener| listener.address().ip())
                    .collect(),
                is_loopback,
            },
            limits: limits::Limits::new(&config.send, &config.rooms),
            page_tokens: page_token::PageTokens::new(&config.send.page_tokens)
                .map_err(unstarted)?,
            room_pattern: config.rooms.pattern.clone(),
            allow_origins: Arc::clone(&allow_origins),
            frame_origins: config.rooms.frame_origins.clone(),
            page: config.page.clone(),
            probe_path: format!("/-/{:016x}", fastrand::u64(..)),
            beacons_pending_max: limits.hops as u64 * PENDING_A_HOP,
            counters: counters::Counters::default(),
            notices: parts.notices,
            packed: gzip::Cache::default(),
            gate: OnceLock::new(),
            masked_said: AtomicBool::new(false),
        });
        let on_end = {
            let failure = Arc::clone(&failure);
            Box::new(move |cause| failure.tell(cause))
        };
        let handlers =
            Handlers::start(listener, Arc::clone(&app), on_end).map_err(|source| Error::Start {
                source: source.into(),
            })?;
        let gate = Gate::start(gate::Settings {
            listeners,
            hop_socket: socket,
            probe_path: app.probe_path.clone(),
            limits,
            refusal_headers: Box::new(move |origin, host| {
                let headers = origin::judge(&allow_origins, origin, host)
                    .headers()
                    .into_iter();
                headers
                    .map(|(name, value)| (name, value.into_owned()))
                    .collect()
            }),
            // All clients of a proxy come from its address.
            is_exempt: Box::new(move |ip| ip.is_loopback() || trusted_proxies.has(ip)),
            // While the disk is stuck nobody shares a way with those that wait for it, so each can be told so at once.
            is_prompt: {
                let writer = Arc::clone(&app.writer);
                Box::new(move |method, path| intake::takes(method, path) && !writer.is_stuck())
            },
            on_dead: {
                let failure = Arc::clone(&failure);
                Arc::new(move |cause| failure.tell(cause))
            },
        });
        let gate = match gate {
            Ok(gate) => Arc::new(gate),
            Err(cause) => {
                handlers.stop();
                return Err(cause.into());
            }
        };
        let _ = app.gate.set(Arc::clone(&gate));
        Ok(Collector {
            gate,
            handlers,
            failure,
            _folder: folder,
        })
    }

    /// Where clients connect to; one address, or those of the inherited sockets.
    pub fn addresses(&self) -> &[Address] {
        self.gate.addresses()
    }

    /// What the gate has counted.
    pub fn gate_stats(&self) -> gate::Stats {
        self.gate.stats()
    }

    /// Why it serves nobody any more; `None` while it does.
    pub fn failed(&self) -> Option<&str> {
        self.failure.cause.get().map(String::as_str)
    }

    /// Asks what serves whether it still does. Where that is stuck for good this does not return, so whoever asks should be
    /// somebody whose silence is noticed.
    ///
    /// # Errors
    ///
    /// Why it serves nobody any more.
    pub fn check(&self) -> Result<(), String> {
        // Reading them takes the lock that each client's coming and going takes.
        let _ = self.gate.stats();
        self.failed().map_or(Ok(()), |cause| Err(cause.to_owned()))
    }

    /// Stops accepting, answers what was accepted, and returns within about `deadline`. The writer must outlive this: it
    /// answers the last beacons. True where every client was served to the end.
    pub fn stop(&self, deadline: Duration) -> bool {
        let started = Instant::now();
        let is_drained = self.gate.stop(deadline - deadline / HANDLERS_SHARE);
        self.handlers.stop();
        is_drained && started.elapsed() <= deadline
    }
}

impl From<gate::Error> for Error {
    fn from(error: gate::Error) -> Error {
        Error::Start {
            source: error.into(),
        }
    }
}

fn listeners(listen: &config::Listen, inherited: Vec<OwnedFd>) -> Result<Vec<Listener>, Error> {
    if !inherited.is_empty() {
        let listeners = inherited.into_iter().map(Listener::inherited);
        let listeners: io::Result<Vec<Listener>> = listeners.collect();
        return listeners.map_err(|source| Error::Inherited { source });
    }
    let opened = match listen {
        config::Listen::Tcp(addresses) => Listener::tcp(addresses),
        config::Listen::Unix(path) => Listener::unix(path),
    };
    opened
        .map(|listener| vec![listener])
        .map_err(|(address, source)| {
            let address = match address {
                Address::Tcp(address) => address.to_string(),
                unix => unix.to_string(),
            };
            match source.kind() {
                io::ErrorKind::AddrInUse => Error::AddressInUse { address },
                _ => Error::Listen { address, source },
            }
        })
}
