//! A thread that is waited for with a limit: the disk that it waits for may never answer.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use super::error::OpenError;

/// A thread of the writer's.
#[derive(Debug)]
pub(super) struct Worker {
    id: ThreadId,
    end: Mutex<End>,
}

#[derive(Debug)]
struct End {
    /// Closed once the thread has ended and let go of all that it had.
    ended: Receiver<Infallible>,
    /// Somebody waited as long as there was time for.
    was_late: bool,
}

impl Worker {
    pub(super) fn start(
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<Worker, OpenError> {
        let (alive, ended) = channel();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                let _alive = alive;
                run();
            })
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Worker {
            id: thread.thread().id(),
            end: Mutex::new(End {
                ended,
                was_late: false,
            }),
        })
    }

    /// Waits until the thread has ended, until `deadline` at most where there is one; `true` once it has. Nobody waits again
    /// for one that was late, nor does the thread for itself.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        if std::thread::current().id() == self.id {
            return false;
        }
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let left = match deadline {
            _ if end.was_late => Some(Duration::ZERO),
            None => None,
            Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
        };
        let has_ended = match left {
            None => end.ended.recv().is_err(),
            Some(left) => end.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected),
        };
        end.was_late = !has_ended;
        has_ended
    }
}
