//! A client's socket, read and written under deadlines that are totals.
//! Must not know what the bytes mean.

use super::peers::{Peer, Phase};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// Bytes asked of the kernel at once. On the stack of the connection's thread: an idle client costs no buffer.
const READ_BYTES: usize = 8 * 1024;
/// Bytes asked of it at once for a large body, as far as the client has shown that it sends one.
const READ_BYTES_MAX: usize = 64 * 1024;
/// A read may be late by this much: for a smaller difference the timeout is not set anew.
const LATE_BY: Duration = Duration::from_millis(100);
/// One call of a write waits no longer, so that others see whether the client takes anything.
const WRITE_SLICE: Duration = Duration::from_secs(1);
/// A request's bytes of which more than this were kept are given back before the next wait.
const KEEP_BYTES: usize = 4 * 1024;

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    Some,
    End,
    Late,
    /// There is no memory for more.
    NoMemory,
}

/// The reading half with what has been read but not been used, and the writing half.
pub(super) struct Socket<'a> {
    peer: &'a Peer,
    buffer: Vec<u8>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// How long a client may take to take an answer: a time, and a second more for each so many bytes that it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) patience: Duration,
    pub(super) bytes_per_second: usize,
}

impl<'a> Socket<'a> {
    /// With what has been read already.
    pub(super) fn new(peer: &'a Peer, buffer: Vec<u8>) -> Socket<'a> {
        Socket {
            peer,
            buffer,
            read_timeout: None,
            write_timeout: None,
        }
    }

    /// What was read and not yet taken.
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes bytes off the front of the buffer.
    pub(super) fn consume(&mut self, n_bytes: usize) {
        if n_bytes == self.buffer.len() && KEEP_BYTES < self.buffer.capacity() {
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..n_bytes);
        }
    }

    /// Waits for the first byte of a request. The same timeout again and again: no system call to set it.
    pub(super) fn fill_within(&mut self, timeout: Duration) -> Fill {
        if self.read_timeout != Some(timeout) && self.set_read_timeout(timeout).is_err() {
            return Fill::End;
        }
        self.read_once()
    }

    /// Reads more of a request that has begun, of which at least `n_missing` bytes are still to come.
    pub(super) fn fill_until(&mut self, deadline: Instant, n_missing: usize) -> Fill {
        let Some(left) = left_until(deadline) else {
            return Fill::Late;
        };
        let fits = self
            .read_timeout
            .is_some_and(|set| left <= set + LATE_BY && set <= left + LATE_BY);
        if !fits && self.set_read_timeout(left).is_err() {
            return Fill::End;
        }
        match n_missing.min(self.buffer.len()) {
            n_bytes if n_bytes <= READ_BYTES => self.read_once(),
            n_bytes => self.read_into_buffer(n_bytes.min(READ_BYTES_MAX)),
        }
    }

    fn read_once(&mut self) -> Fill {
        let mut chunk = [0; READ_BYTES];
        let fill = read(self.peer, &mut chunk);
        if let Ok(n_bytes) = fill {
            if self.buffer.try_reserve(n_bytes).is_err() {
                return Fill::NoMemory;
            }
            self.buffer.extend_from_slice(&chunk[..n_bytes]);
        }
        fill.map_or_else(|end| end, |_| Fill::Some)
    }

    fn read_into_buffer(&mut self, n_bytes_max: usize) -> Fill {
        let n_before = self.buffer.len();
        if self.buffer.try_reserve(n_bytes_max).is_err() {
            return Fill::NoMemory;
        }
        self.buffer.resize(n_before + n_bytes_max, 0);
        let fill = read(self.peer, &mut self.buffer[n_before..]);
        self.buffer.truncate(n_before + fill.unwrap_or(0));
        fill.map_or_else(|end| end, |_| Fill::Some)
    }

    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.read_timeout = Some(timeout);
        self.peer.stream.set_read_timeout(Some(timeout))
    }

    /// Writes everything; false where the client did not take it in time.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], pace: Pace) -> bool {
        let slice = WRITE_SLICE.min(pace.patience);
        if self.write_timeout != Some(slice) {
            if self.peer.stream.set_write_timeout(Some(slice)).is_err() {
                return false;
            }
            self.write_timeout = Some(slice);
        }
        // Before the first call, which for the usual answer is the last: others see since when it waits.
        self.peer.enter(Phase::Writing);
        let mut stream = &self.peer.stream;
        let mut deadline = None;
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(0) => return false,
                Ok(n_bytes) => {
                    bytes = bytes.get(n_bytes..).unwrap_or_default();
                    if bytes.is_empty() {
                        return true;
                    }
                    self.peer.enter(Phase::Writing);
                    let n_ms = n_bytes.saturating_mul(1_000) / pace.bytes_per_second.max(1);
                    *deadline.get_or_insert_with(|| Instant::now() + pace.patience) +=
                        Duration::from_millis(n_ms as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {}
                Err(_) => return false,
            }
            // Counted from the end of the first call, which is a slice late: the usual answer needs no clock.
            if *deadline.get_or_insert_with(|| Instant::now() + pace.patience) < Instant::now() {
                return false;
            }
        }
        true
    }

    /// Hangs up so that an answer sent before is read: a close with unread bytes would reset the connection and may take
    /// the answer with it. Bounded in bytes and in time.
    pub(super) fn linger(&mut self, n_bytes_max: usize, limit: Duration) {
        let _ = self.peer.stream.shutdown(Shutdown::Write);
        // Where places are short, this one is free to be had.
        self.peer.enter(Phase::Reading);
        let deadline = Instant::now() + limit;
        let mut n_bytes = 0;
        while n_bytes < n_bytes_max {
            self.buffer = Vec::new();
            if self.fill_until(deadline, 0) != Fill::Some {
                return;
            }
            n_bytes += self.buffer.len();
        }
    }
}

/// Reads once; how it ended where nothing came.
fn read(peer: &Peer, buffer: &mut [u8]) -> Result<usize, Fill> {
    loop {
        match (&peer.stream).read(buffer) {
            Ok(0) => return Err(Fill::End),
            Ok(n_bytes) => return Ok(n_bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(Fill::Late),
            Err(_) => return Err(Fill::End),
        }
    }
}

/// Time until `deadline`, never zero (which the kernel takes for "no timeout"); `None` once it has passed.
pub(super) fn left_until(deadline: Instant) -> Option<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .map(|left| left.max(Duration::from_millis(1)))
}

/// Both names that platforms have for a timeout of the socket.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
