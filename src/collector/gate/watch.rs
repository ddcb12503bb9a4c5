//! The gate looks at itself from outside: now and then it connects to its own listener as any client does, and asks for
//! something. Whatever made the listener deaf, without an answer several times in a row the process had better end.
//! Must not take anybody's place, nor show in any counter.

use super::clients::Shared;
use super::listener::Address;
use socket2::{SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without an answer for so many times, the listener is dead. Counted, not timed: a process that was stopped for a while
/// and goes on is not dead.
const MISSES_MAX: u32 = 4;
/// How an answer begins. Any: one that says "later" comes from a listener that lives.
const ANSWER: &[u8] = b"HTTP/1.1 ";
/// The file of our own end, where the listener is a Unix socket; beside the socket of the handlers.
const OWN_FILE: &str = "watch";

/// Ends the watch.
#[derive(Default)]
pub(super) struct Bell {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rings.notify_all();
    }

    /// Waits for it, `limit` at most. True where it rang.
    fn wait(&self, limit: Duration) -> bool {
        let rung = self.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rings.wait_timeout_while(rung, limit, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Watches until the bell rings. Returns why the listener must be taken for dead, if it must.
///
/// It has to have answered once before: there are machines that may not connect to themselves.
pub(super) fn watch(
    shared: &Arc<Shared>,
    addresses: &[Address],
    probe_path: &str,
    private_folder: &Path,
    bell: &Bell,
) -> Option<String> {
    let every = shared.limits.watch_every;
    let mut n_misses = vec![None; addresses.len()];
    loop {
        let started = Instant::now();
        for (address, n_misses) in addresses.iter().zip(&mut n_misses) {
            match ask(shared, address, probe_path, private_folder, every) {
                Ok(()) => *n_misses = Some(0),
                Err(cause) => {
                    *n_misses = n_misses.map(|n: u32| n + 1);
                    if bell.wait(Duration::ZERO) {
                        return None;
                    }
                    if *n_misses == Some(MISSES_MAX) {
                        return Some(format!("`{address}` does not answer any more: {cause}"));
                    }
                }
            }
        }
        if bell.wait(every.saturating_sub(started.elapsed())) {
            return None;
        }
    }
}

/// One request on a connection of its own.
fn ask(
    shared: &Shared,
    address: &Address,
    probe_path: &str,
    private_folder: &Path,
    limit: Duration,
) -> io::Result<()> {
    let target = address.reached_from_here()?;
    let mut socket = Socket::new(target.domain(), Type::STREAM, None)?;
    let own_file = private_folder.join(OWN_FILE);
    // Known before it connects, so that the acceptor knows it.
    match target.as_socket() {
        Some(target) => socket.bind(&std::net::SocketAddr::new(target.ip(), 0).into())?,
        None => {
            let _ = std::fs::remove_file(&own_file);
            socket.bind(&SockAddr::unix(&own_file)?)?;
        }
    }
    *own_address(shared) = Some(socket.local_addr()?);
    let answered = (|| {
        socket.connect_timeout(&target, limit)?;
        socket.set_read_timeout(Some(limit))?;
        socket.set_write_timeout(Some(limit))?;
        let request =
            format!("GET {probe_path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes())?;
        let mut answer = [0; ANSWER.len()];
        socket.read_exact(&mut answer)?;
        match answer == ANSWER {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    })();
    *own_address(shared) = None;
    if target.is_unix() {
        let _ = std::fs::remove_file(&own_file);
    }
    answered
}

fn own_address(shared: &Shared) -> std::sync::MutexGuard<'_, Option<SockAddr>> {
    let own = shared.own_address.lock();
    own.unwrap_or_else(PoisonError::into_inner)
}
