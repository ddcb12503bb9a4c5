//! The report generator: logs in, a static site out. Pages by [`crate::site`], charts by `charts`, files by `publish`.
//!
//! What is measured and concluded comes from [`crate::call`]; in here it is only shown. Data files first, pages after them,
//! the overview last: whoever follows a link finds what it leads to.

mod brief;
mod build;
mod charts;
mod cores;
mod data;
mod days;
mod gather;
mod holes;
mod listing;
mod lists;
mod measure;
mod neighbours;
mod numbers;
mod older;
mod page;
mod periods;
mod publish;
mod rooms;
mod single;
mod state;
mod thin;
mod totals;

pub use gather::LogStats;
use publish::Rewrite;
pub use single::single_file;

use crate::call::Call;
use crate::digest::fingerprint;
use crate::log::{reader, segments};
use crate::metric::Standards;
use crate::site;
use crate::units;
use jiff::tz::TimeZone;
use std::io;
use std::path::{Path, PathBuf};

/// Assets that pages of the report use, of all that are in the binary.
const ASSETS: &[&str] = &[
    "tokens.css",
    "base.css",
    "report.css",
    "report-call.css",
    "report-period.css",
    "report-overview.css",
    "theme.js",
    "refresh.js",
    "format.js",
    "call-state.js",
    "call-series.js",
    "call-export.js",
    "call-panels.js",
    "charts.js",
    "call-tip.js",
    "call-view.js",
    "saving.js",
    "address.js",
    "picture.js",
    "overview-state.js",
    "overview-view.js",
    "echarts.js",
    "mark.svg",
    "NOTICE.txt",
];

/// Why there is no new report. The old one, if there was one, is still there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A log is not there.
    #[error(transparent)]
    Find(#[from] segments::Error),
    /// A log cannot be read.
    #[error(transparent)]
    Read(#[from] reader::Error),
    /// What the builds before remembered cannot be read, or that of this one not be written.
    #[error("cannot keep calls beside the log")]
    Remembered(#[source] io::Error),
    /// A page cannot be rendered.
    #[error(transparent)]
    Render(#[from] site::Error),
    /// No call has this id.
    #[error("no call with the id `{0}`")]
    NoCall(String),
    /// A file of the site cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Calls.
    pub calls: usize,
    /// Participants of all calls.
    pub participants: usize,
    /// Distinct readings.
    pub samples: usize,
    /// The log's account.
    pub log: LogStats,
}

/// What to build, and from what.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Files and globs.
    pub logs: &'a [String],
    /// Folder of the site.
    pub out: &'a Path,
    /// Folder for what builds remember. `None`: beside the first log.
    pub state: Option<&'a Path>,
    /// Whether to read everything and write everything, as if for the first time.
    pub full: bool,
    /// Whether calls that no log holds any more leave the report. Reads everything.
    pub prune: bool,
    /// Where days begin.
    pub zone: &'a TimeZone,
    /// From where on metrics are an issue.
    pub standards: &'a Standards,
    /// When this is, ms since the epoch.
    pub now_ms: i64,
}

impl Settings<'_> {
    /// Of everything that a report depends on besides its logs and the program.
    fn digest(&self) -> String {
        let (zone, rules) = (units::zone_name(self.zone), units::zone_rules(self.zone));
        let rules = fingerprint(rules.iter().map(|rule| rule.as_bytes()));
        format!("{zone} {rules} {:?}", self.standards)
    }

    /// Whether not to go on where the last build ended.
    fn starts_over(&self) -> bool {
        self.full || self.prune
    }

    fn rewrite(&self) -> Rewrite {
        // Where nothing is there is nothing to compare with.
        if self.full || !self.out.exists() {
            Rewrite::All
        } else {
            Rewrite::Changed
        }
    }
}

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Beacons that were read.
    Read {
        /// Until now.
        beacons: u64,
    },
    /// Calls that were written.
    Written {
        /// Until now.
        calls: usize,
        /// Of all that have to be.
        of: usize,
    },
}

/// What the user should hear of while a report is built.
#[derive(Debug)]
pub enum Note {
    /// Another build of the same report is at work: this one comes after it.
    Waiting,
    /// So far.
    Progress(Progress),
    /// All logs are read, for this reason.
    StartOver(String),
    /// Calls that no log holds any more cannot be read back: they leave the report, but for their pages.
    Lost {
        /// How many.
        calls: usize,
    },
    /// Nothing can be remembered for the next build.
    NotKept {
        /// Where it should have been.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Reads `logs` (files and globs) from their beginning: what `of` makes of each call, newest first, and the account of every line.
///
/// # Errors
///
/// Where a log is missing or cannot be read.
pub fn read<T: Send>(
    logs: &[String],
    of: impl Fn(Call) -> T + Sync,
) -> Result<(Vec<T>, LogStats), Error> {
    gather::gather(logs, of)
}

/// Brings the report up to date with its logs.
///
/// # Errors
///
/// Where a log cannot be read or a file cannot be written. Lines that are no beacons are counted, never an error.
pub fn build(settings: &Settings<'_>, tell: &(dyn Fn(Note) + Sync)) -> Result<Built, Error> {
    match build::build(settings, tell) {
        Err(Error::Remembered(cause)) if !settings.starts_over() => {
            tell(Note::StartOver(format!(
                "what is remembered of it: {cause}"
            )));
            let settings = Settings {
                full: true,
                ..*settings
            };
            build::build(&settings, tell)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_of_the_report_is_in_the_binary() {
        for name in ASSETS {
            assert!(site::asset(name).is_some(), "{name}");
        }
    }
}
