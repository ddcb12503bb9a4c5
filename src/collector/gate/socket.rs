//! A client's socket, read and written under deadlines that are totals.
//! Must not know what the bytes mean.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Bytes asked of the kernel at once. On the stack of the connection's thread: an idle client costs no buffer.
const READ_BYTES: usize = 8 * 1024;
/// A request's bytes of which more than this were kept are given back before the next wait.
const KEEP_BYTES: usize = 4 * 1024;

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    Some,
    End,
    Late,
}

/// The reading half with what has been read but not been used, and the writing half.
pub(super) struct Socket<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl<'a> Socket<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Socket<'a> {
        Socket {
            stream,
            buffer: Vec::new(),
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

    /// Reads more of a request that has begun.
    pub(super) fn fill_until(&mut self, deadline: Instant) -> Fill {
        match left_until(deadline) {
            Some(left) if self.set_read_timeout(left).is_ok() => self.read_once(),
            Some(_) => Fill::End,
            None => Fill::Late,
        }
    }

    fn read_once(&mut self) -> Fill {
        let mut chunk = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Fill::End,
                Ok(n_bytes) => {
                    self.buffer.extend_from_slice(&chunk[..n_bytes]);
                    return Fill::Some;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Fill::Late,
                Err(_) => return Fill::End,
            }
        }
    }

    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.read_timeout = Some(timeout);
        self.stream.set_read_timeout(Some(timeout))
    }

    /// Writes everything within `limit`; false where the client did not take it.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], limit: Duration) -> bool {
        // A send timeout covers the whole call, so that the usual answer, one call, needs no clock and no further one.
        if self.write_timeout != Some(limit) {
            if self.stream.set_write_timeout(Some(limit)).is_err() {
                return false;
            }
            self.write_timeout = Some(limit);
        }
        let mut stream = self.stream;
        let mut deadline = None;
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(0) => return false,
                Ok(n_bytes) => bytes = bytes.get(n_bytes..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
            if !bytes.is_empty() {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
                let Some(left) = left_until(deadline) else {
                    return false;
                };
                self.write_timeout = Some(left);
                if stream.set_write_timeout(Some(left)).is_err() {
                    return false;
                }
            }
        }
        true
    }

    /// Hangs up so that an answer sent before is read: a close with unread bytes would reset the connection and may take
    /// the answer with it. Bounded in bytes and in time.
    pub(super) fn linger(&mut self, n_bytes_max: usize, limit: Duration) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let deadline = Instant::now() + limit;
        let mut n_bytes = 0;
        while n_bytes < n_bytes_max {
            self.buffer = Vec::new();
            if self.fill_until(deadline) != Fill::Some {
                return;
            }
            n_bytes += self.buffer.len();
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
