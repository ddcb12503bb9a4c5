//! The way to the handlers: a few dozen warm connections over a private Unix socket. The turnstile keeps a few, with several
//! requests on each; on the others one is in flight. They are opened one at a time and probed, since bursts are what leaves
//! some of tiny_http's connections unserved, and replaced on any oddity. Must not retry a request: it may have been handled.

use super::answer::{Answer, Budget, Fault};
use super::limits::Limits;
use super::peers::{Key, ms_since};
use super::refusal::{ANSWER_TOO_LARGE, ANSWERS_FULL, BUSY, NO_ANSWER, Refusal};
use super::socket::left_until;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Passing a request on: the other side has nothing to do but read it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The answer to a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// Silence after which a probe is due; sooner where death comes sooner.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Before the next try to open a connection, doubled from one failure to the next.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Tries in a row before silence counts as death: a process that was stopped for a while is not dead.
const FAILURES_MIN: u32 = 3;

/// Of the connections one in so many is left to light requests: however many files and large bodies are on their way, a
/// beacon does not queue behind them.
const RESERVED_PART: usize = 4;

/// A request to be passed on.
pub(super) struct Call<'a> {
    /// Whole.
    pub(super) request: &'a [u8],
    /// It was HEAD: its answer has no body.
    pub(super) to_head: bool,
    /// It takes little to answer.
    pub(super) is_light: bool,
    pub(super) from: Key,
}

/// The pool.
pub(super) struct Hops {
    path: PathBuf,
    probe: Vec<u8>,
    limits: Limits,
    probe_every: Duration,
    budget: Arc<Budget>,
    started: Instant,
    /// Milliseconds from `started` to the last answer.
    last_answer_ms: AtomicU64,
    state: Mutex<State>,
    /// Connections that are left to light requests.
    n_reserved: usize,
    /// A connection is free for a light request; for any.
    freed_for_light: Condvar,
    freed_for_all: Condvar,
    /// A connection is missing, or it is time to stop.
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    free: Vec<UnixStream>,
    n_light_waiting: usize,
    n_heavy_waiting: usize,
    n_missing: usize,
    is_stopping: bool,
}

impl Hops {
    /// Opens the first connection, so that whoever asked knows that the handlers answer; [`Hops::keep`] opens the others.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened, or the probe is not answered.
    pub(super) fn open(path: PathBuf, probe_path: &str, limits: &Limits) -> io::Result<Hops> {
        let hops = Hops {
            path,
            probe: format!("GET {probe_path} HTTP/1.1\r\nhost: gate\r\n\r\n").into_bytes(),
            limits: limits.clone(),
            probe_every: PROBE_EVERY.min(limits.dead_after / 4),
            budget: Budget::new(limits.answers_bytes),
            started: Instant::now(),
            last_answer_ms: AtomicU64::new(0),
            state: Mutex::default(),
            n_reserved: limits.hops / RESERVED_PART,
            freed_for_light: Condvar::new(),
            freed_for_all: Condvar::new(),
            wanted: Condvar::new(),
        };
        let first = hops.open_one()?;
        let mut state = hops.lock();
        state.free.push(first);
        state.n_missing = limits.hops - 1;
        drop(state);
        Ok(hops)
    }

    /// Passes a whole request on and waits for its answer.
    ///
    /// # Errors
    ///
    /// What to tell the client where there is none.
    pub(super) fn exchange(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let stream = self.take(call.is_light).ok_or(BUSY)?;
        match self.exchange_on(&stream, call, self.limits.answer) {
            Ok(answer) => {
                self.put_back(stream);
                Ok(answer)
            }
            Err(fault) => {
                drop(stream);
                self.lost_one();
                Err(fault.into())
            }
        }
    }

    fn exchange_on(
        &self,
        mut stream: &UnixStream,
        call: &Call<'_>,
        timeout: Duration,
    ) -> Result<Answer, Fault> {
        stream.write_all(call.request).map_err(Fault::Io)?;
        let mut reader = DeadlineReader {
            stream,
            deadline: Instant::now() + timeout,
            n_reads: 0,
        };
        let answer_bytes_max = self.limits.answer_bytes;
        let answer = Answer::read(&mut reader, call, answer_bytes_max, &self.budget)?;
        if 1 < reader.n_reads {
            let standing = Some(self.limits.answer);
            stream.set_read_timeout(standing).map_err(Fault::Io)?;
        }
        self.has_answered();
        Ok(answer)
    }

    /// Notes a sign of life.
    pub(super) fn has_answered(&self) {
        self.last_answer_ms
            .store(ms_since(self.started), Ordering::Relaxed);
    }

    /// A connection for the turnstile, if one is free now. It keeps it, puts it back or loses it.
    pub(super) fn take_now(&self) -> Option<UnixStream> {
        self.lock().free.pop()
    }

    fn take(&self, is_light: bool) -> Option<UnixStream> {
        let n_spared = if is_light { 0 } else { self.n_reserved };
        let mut state = self.lock();
        let mut deadline = None;
        loop {
            if n_spared < state.free.len()
                && let Some(stream) = state.free.pop()
            {
                return Some(stream);
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.limits.hop_wait);
            let left = deadline.checked_duration_since(Instant::now())?;
            // Whoever waits here keeps a place among the clients, and is not sent away: few may, of what takes long.
            if !is_light && self.limits.hops <= state.n_heavy_waiting {
                return None;
            }
            let (freed, light, heavy) = match is_light {
                true => (&self.freed_for_light, 1, 0),
                false => (&self.freed_for_all, 0, 1),
            };
            state.n_light_waiting += light;
            state.n_heavy_waiting += heavy;
            state = freed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.n_light_waiting -= light;
            state.n_heavy_waiting -= heavy;
        }
    }

    pub(super) fn put_back(&self, stream: UnixStream) {
        let mut state = self.lock();
        state.free.push(stream);
        // To notify is a system call also where nobody waits.
        let is_for_light = 0 < state.n_light_waiting;
        let is_for_heavy = 0 < state.n_heavy_waiting && self.n_reserved < state.free.len();
        drop(state);
        if is_for_light {
            self.freed_for_light.notify_one();
        } else if is_for_heavy {
            self.freed_for_all.notify_one();
        }
    }

    pub(super) fn lost_one(&self) {
        self.lock().n_missing += 1;
        self.wanted.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics runs under this lock, so what a poisoned one guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// Ends [`Hops::keep`].
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
        self.wanted.notify_all();
    }

    /// Keeps the pool full until it is stopped. Returns why the handlers must be taken for dead, if they must.
    pub(super) fn keep(&self) -> Option<String> {
        let mut n_failures: u32 = 0;
        let mut pause = RETRY_MIN;
        loop {
            let is_missing = {
                let mut state = self.lock();
                if !state.is_stopping {
                    // After a failure a pause, whatever is missing; otherwise until something is, or a probe is due.
                    let (wait, wakes) = match n_failures {
                        0 => (self.probe_every, 0 < state.n_missing),
                        _ => (pause, false),
                    };
                    if !wakes {
                        let waited = self.wanted.wait_timeout(state, wait);
                        state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    }
                }
                if state.is_stopping {
                    return None;
                }
                0 < state.n_missing
            };
            let tried = if is_missing {
                self.open_one().map(|stream| {
                    self.lock().n_missing -= 1;
                    self.put_back(stream);
                })
            } else if self.probe_every <= self.silence() {
                self.probe_one()
            } else {
                Ok(())
            };
            match tried {
                Ok(()) => {
                    n_failures = 0;
                    pause = RETRY_MIN;
                }
                Err(cause) => {
                    n_failures += 1;
                    pause = (pause * 2).min(RETRY_MAX);
                    if FAILURES_MIN <= n_failures && self.limits.dead_after <= self.silence() {
                        return Some(format!("the HTTP handlers do not answer: {cause}"));
                    }
                }
            }
        }
    }

    /// Time since the last answer.
    fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last_answer_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    /// Probes a free connection, or a new one where all are busy.
    fn probe_one(&self) -> io::Result<()> {
        let free = self.lock().free.pop();
        let Some(stream) = free else {
            return self.open_one().map(drop);
        };
        match self.probe(&stream) {
            Ok(()) => {
                self.put_back(stream);
                Ok(())
            }
            Err(cause) => {
                drop(stream);
                self.lost_one();
                Err(cause)
            }
        }
    }

    fn open_one(&self) -> io::Result<UnixStream> {
        // Not `UnixStream::connect`: it waits for ever on a full backlog, and the keeper must not.
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&socket2::SockAddr::unix(&self.path)?)?;
        socket.set_nonblocking(false)?;
        let stream = UnixStream::from(OwnedFd::from(socket));
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        self.probe(&stream)?;
        Ok(stream)
    }

    fn probe(&self, stream: &UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        let call = Call {
            request: &self.probe,
            to_head: false,
            is_light: true,
            from: Key::Local,
        };
        let answered = self.exchange_on(stream, &call, PROBE_TIMEOUT);
        stream.set_read_timeout(Some(self.limits.answer))?;
        match answered {
            Ok(_) => Ok(()),
            Err(Fault::Io(cause)) => Err(cause),
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        match fault {
            Fault::TooLarge => ANSWER_TOO_LARGE,
            Fault::OverBudget => ANSWERS_FULL,
            Fault::Io(_) | Fault::Odd => NO_ANSWER,
        }
    }
}

/// Reads under a total deadline. The first read counts on the timeout that the connection has anyway, which spares the
/// usual answer, one read, a system call.
struct DeadlineReader<'a> {
    stream: &'a UnixStream,
    deadline: Instant,
    n_reads: u32,
}

impl Read for DeadlineReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if 0 < self.n_reads {
            let left = left_until(self.deadline).ok_or(io::ErrorKind::TimedOut)?;
            self.stream.set_read_timeout(Some(left))?;
        }
        self.n_reads = self.n_reads.saturating_add(1);
        self.stream.read(buffer)
    }
}
