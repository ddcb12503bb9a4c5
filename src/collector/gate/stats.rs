//! What the gate counts. Plain numbers; must not know how they are shown.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters, from the start of the gate.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Clients connected now.
    pub connections_open: u64,
    /// Clients that were let in.
    pub connections: u64,
    /// Clients that had to make room.
    pub connections_evicted: u64,
    /// Requests that were passed on.
    pub requests: u64,
    /// Requests and connections that the gate turned away, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Failures to accept, or to start a thread.
    pub accept_errors: u64,
    /// Threads that panicked: faults of ours.
    pub panics: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    connections: AtomicU64,
    evicted: AtomicU64,
    requests: AtomicU64,
    accept_errors: AtomicU64,
    panics: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_eviction(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_accept_error(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refusal(&self, reason: &'static str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(reason).or_default() += 1;
    }

    pub(super) fn read(&self, connections_open: usize) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            connections_open: connections_open as u64,
            connections: load(&self.connections),
            connections_evicted: load(&self.evicted),
            requests: load(&self.requests),
            refused: self
                .refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            accept_errors: load(&self.accept_errors),
            panics: load(&self.panics),
        }
    }
}
