//! Every limit of the gate in one value, and how many descriptors and how much address space there are to share out.
//! Must not decide what happens at a limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::time::Duration;

/// Deadlines are totals, not times between two bytes: a byte per second does not stretch them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Clients at once; above it whoever has been silent, slow or deaf for longest has to go, or else the new one.
    pub connections: usize,
    /// Clients at once from one address (of IPv6 a /64) that is not exempt; 0: no such limit.
    pub connections_per_address: usize,
    /// Warm connections to the handlers, most of them with one request in flight; as many may be on the few of the turnstile.
    pub hops: usize,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Between two requests, and before the first.
    pub idle: Duration,
    /// Writing an answer, to which comes a second for each [`Limits::write_bytes_per_second`] that were taken.
    pub write: Duration,
    /// The slowest reader that a large answer is written for to its end.
    pub write_bytes_per_second: usize,
    /// Waiting for a free connection to the handlers.
    pub hop_wait: Duration,
    /// From passing a request on to the end of its answer.
    pub answer: Duration,
    /// Without any answer from the handlers, probes included, for this long: they are taken for dead.
    pub dead_after: Duration,
    /// How often the gate looks whether it is served at its own port.
    pub watch_every: Duration,
    /// Bytes of one answer.
    pub answer_bytes: usize,
    /// Bytes of all answers that are on their way.
    pub answers_bytes: usize,
}

/// Clients at once where descriptors allow.
const CONNECTIONS_MAX: usize = 4096;
/// Clients at once from one address: people behind one router, each with the six connections of a browser.
const CONNECTIONS_PER_ADDRESS: usize = 256;
/// Descriptors that are asked for where a process may have more. Far more than needed: some systems allow a billion, and
/// walk them all when a child starts.
const DESCRIPTORS_MAX: u64 = 65_536;
const HOPS_MIN: usize = 4;
const HOPS_MAX: usize = 64;
/// Descriptors of a hop: ours, tiny_http's, and tiny_http's clone of it.
const DESCRIPTORS_A_HOP: usize = 3;
/// Descriptors for the log, files being served, Daily, standard streams.
const DESCRIPTORS_RESERVED: usize = 48;

/// Lets this process open as many files as the system allows it, within reason. The usual 1,024 are a default for programs
/// that do not ask.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .unwrap_or(DESCRIPTORS_MAX)
        .min(DESCRIPTORS_MAX);
    if limit.current.is_some_and(|current| current < wanted) {
        // Where it is refused, there are fewer connections.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                ..limit
            },
        );
    }
}

/// Bytes of address space that this process may still take; `None` where it is not limited, as usual. Asked for, not tried:
/// what a trial took would be missing elsewhere meanwhile.
pub(super) fn address_space_left() -> Option<u64> {
    let allowed = getrlimit(Resource::As).current?;
    let taken = size_bytes(&fs::read_to_string("/proc/self/status").ok()?)?;
    Some(allowed.saturating_sub(taken))
}

/// The size of a process, out of its `status`.
fn size_bytes(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let size = lines.find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = size.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

impl Limits {
    /// The limits that fit the descriptors this process may open.
    pub fn for_this_process() -> Limits {
        let n_descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Limits::for_descriptors(usize::try_from(n_descriptors).unwrap_or(usize::MAX))
    }

    fn for_descriptors(n_descriptors: usize) -> Limits {
        let hops = (n_descriptors / 16).clamp(HOPS_MIN, HOPS_MAX);
        let taken = hops * DESCRIPTORS_A_HOP + DESCRIPTORS_RESERVED.min(n_descriptors / 3);
        Limits {
            connections: n_descriptors
                .saturating_sub(taken)
                .clamp(8, CONNECTIONS_MAX),
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            hops,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            write_bytes_per_second: 64 * 1024,
            hop_wait: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            dead_after: Duration::from_secs(30),
            watch_every: Duration::from_secs(10),
            answer_bytes: 64 * 1024 * 1024,
            answers_bytes: 256 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_hops_fit_the_descriptors() {
        for n_descriptors in [64, 80, 256, 1024, 4096, 1 << 20, usize::MAX] {
            let limits = Limits::for_descriptors(n_descriptors);
            let sum = limits.connections + limits.hops * DESCRIPTORS_A_HOP;
            assert!(sum < n_descriptors, "{n_descriptors}: {limits:?}");
            assert!(8 <= limits.connections && HOPS_MIN <= limits.hops);
        }
        assert_eq!(
            Limits::for_descriptors(usize::MAX).connections,
            CONNECTIONS_MAX
        );
    }

    #[test]
    fn address_space_is_counted_where_it_is_limited() {
        let status = "Name:\tcall-metrics\nVmPeak:\t 9 kB\nVmSize:\t    1234 kB\nVmLck:\t 0 kB\n";
        assert_eq!(size_bytes(status), Some(1234 * 1024));
        assert_eq!(size_bytes("Name:\tx\n"), None);
        let is_limited = getrlimit(Resource::As).current.is_some();
        assert_eq!(address_space_left().is_some(), is_limited);
    }

    #[test]
    fn this_process_gets_what_the_system_allows() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        let allowed = limit.maximum.unwrap_or(u64::MAX).min(DESCRIPTORS_MAX);
        assert!(
            limit.current.is_none_or(|current| allowed <= current),
            "{limit:?}"
        );
    }
}
