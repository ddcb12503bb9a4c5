//! Every limit of the gate in one value, and how many descriptors there are to share out.
//! Must not decide what happens at a limit.

use std::time::Duration;

/// Deadlines are totals, not times between two bytes: a byte per second does not stretch them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Clients at once; above it the longest idle one has to go, and where none is idle the new one.
    pub connections: usize,
    /// Warm connections to the handlers, each with one request in flight.
    pub hops: usize,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Between two requests, and before the first.
    pub idle: Duration,
    /// Writing an answer, to which comes a second for each [`Limits::write_bytes_per_second`].
    pub write: Duration,
    /// The slowest reader that a large answer is written for.
    pub write_bytes_per_second: usize,
    /// Waiting for a free connection to the handlers.
    pub hop_wait: Duration,
    /// From passing a request on to the end of its answer.
    pub answer: Duration,
    /// Without any answer from the handlers, probes included, for this long: they are taken for dead.
    pub dead_after: Duration,
    /// Bytes of one answer.
    pub answer_bytes: usize,
    /// Bytes of all answers that are on their way.
    pub answers_bytes: usize,
}

/// Clients at once where descriptors allow.
const CONNECTIONS_MAX: usize = 1024;
const HOPS_MIN: usize = 4;
const HOPS_MAX: usize = 64;
/// Descriptors of a hop: ours, tiny_http's, and tiny_http's clone of it.
const DESCRIPTORS_A_HOP: usize = 3;
/// Descriptors for the log, files being served, Daily, standard streams.
const DESCRIPTORS_RESERVED: usize = 48;
/// What a process usually gets, assumed where it cannot be read.
const DESCRIPTORS_USUAL: usize = 1024;

impl Default for Limits {
    fn default() -> Limits {
        Limits::for_descriptors(DESCRIPTORS_USUAL)
    }
}

impl Limits {
    /// The limits that fit the descriptors this process may open.
    pub fn for_this_process() -> Limits {
        let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Limits::for_descriptors(open_files(&text).unwrap_or(DESCRIPTORS_USUAL))
    }

    fn for_descriptors(n_descriptors: usize) -> Limits {
        let hops = (n_descriptors / 16).clamp(HOPS_MIN, HOPS_MAX);
        let taken = hops * DESCRIPTORS_A_HOP + DESCRIPTORS_RESERVED.min(n_descriptors / 3);
        Limits {
            connections: n_descriptors
                .saturating_sub(taken)
                .clamp(8, CONNECTIONS_MAX),
            hops,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            write_bytes_per_second: 64 * 1024,
            hop_wait: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            dead_after: Duration::from_secs(30),
            answer_bytes: 64 * 1024 * 1024,
            answers_bytes: 256 * 1024 * 1024,
        }
    }
}

/// The soft limit of open files in the words of `/proc/self/limits`.
fn open_files(text: &str) -> Option<usize> {
    let line = text
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    match line.split_whitespace().nth(3)? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
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
    fn the_limit_of_open_files_is_read() {
        let line =
            "Max open files            1024                 524288               files     \n";
        assert_eq!(
            open_files(&format!("Limit  Soft Limit\n{line}")),
            Some(1024)
        );
        assert_eq!(
            open_files(&line.replace("1024 ", "unlimited ")),
            Some(usize::MAX)
        );
        assert_eq!(open_files(""), None);
    }
}
