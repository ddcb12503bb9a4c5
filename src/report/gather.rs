//! Log files to calls, with an account of every line.

use super::Error;
use crate::beacon::{self, Refusal};
use crate::call::{Call, Calls};
use crate::log::opened;
use crate::log::reader::{self, Line};
use std::collections::BTreeMap;

/// What the logs held, apart from the calls. `lines` = `beacons` + all that was skipped.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LogStats {
    /// Files read.
    pub files: usize,
    /// Their size on disk.
    pub bytes: u64,
    /// Lines that end in a newline, blank ones too.
    pub lines: u64,
    /// Lines that are beacons.
    pub beacons: u64,
    /// Lines that are not, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Beacons by what their 204 meant.
    pub synced: Synced,
    /// Compressed files that ended early, with the cause. What came before was read.
    pub broken: Vec<String>,
}

/// Beacons by what their 204 meant (`_rx.synced`).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Synced {
    /// Synced to disk.
    pub yes: u64,
    /// Handed to the operating system.
    pub no: u64,
    /// The log does not say.
    pub unknown: u64,
}

impl Synced {
    fn count(&mut self, synced: Option<bool>) {
        *match synced {
            Some(true) => &mut self.yes,
            Some(false) => &mut self.no,
            None => &mut self.unknown,
        } += 1;
    }
}

impl LogStats {
    /// Lines that are no beacons.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }
}

/// Reads all `logs`.
///
/// # Errors
///
/// Where a log is missing or cannot be read. A line that is no beacon is counted, never an error.
pub(super) fn gather(logs: &[String]) -> Result<(Vec<Call>, LogStats), Error> {
    let mut stats = LogStats::default();
    let mut calls = Calls::default();
    for (file, number) in opened::open(logs)?.into_iter().zip(0..) {
        let extent = reader::read_lines(&file, 0, |line| {
            stats.lines += 1;
            let parsed = match line {
                Line::Whole(text) => beacon::read(text),
                Line::TooLong => Err(Refusal::TooLong),
            };
            match parsed {
                Ok(beacon) => {
                    stats.beacons += 1;
                    stats.synced.count(beacon.synced);
                    calls.add(&beacon, number);
                }
                Err(refusal) => *stats.skipped.entry(refusal.reason()).or_default() += 1,
            }
        })?;
        stats.files += 1;
        stats.bytes += extent.bytes;
        if let Some(cause) = extent.broken {
            stats
                .broken
                .push(format!("`{}`: {cause}", file.path.display()));
        }
    }
    Ok((calls.finish(), stats))
}
