//! The report generator: logs in, a static site out. Pages by [`crate::site`], charts by `charts`, files by `publish`.
//!
//! What is measured and concluded comes from [`crate::call`]; in here it is only shown. Data files first, pages after them,
//! the overview last: whoever follows a link finds what it leads to.

mod charts;
mod data;
mod gather;
mod page;
mod publish;
mod thin;
mod totals;

pub use gather::LogStats;
pub use publish::Rewrite;

use crate::call::{self, Assessment, Call, CallSummary};
use crate::log::{reader, segments};
use crate::site;
use std::io;
use std::path::{Path, PathBuf};
use totals::Totals;

/// Assets that pages of the report use, of all that are in the binary.
const ASSETS: &[&str] = &[
    "tokens.css",
    "base.css",
    "report.css",
    "report-call.css",
    "theme.js",
    "refresh.js",
    "format.js",
    "call-state.js",
    "call-series.js",
    "call-export.js",
    "charts.js",
    "call-tip.js",
    "call-view.js",
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
    /// A page cannot be rendered.
    #[error(transparent)]
    Render(#[from] site::Error),
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

/// Reads `logs` (files and globs) and writes the site into `out`. `now_ms`: when this is, ms since the epoch.
///
/// # Errors
///
/// Where a log cannot be read or a file cannot be written. Lines that are no beacons are counted, never an error.
pub fn build(logs: &[String], out: &Path, rewrite: Rewrite, now_ms: i64) -> Result<Built, Error> {
    let (calls, log) = gather::gather(logs)?;
    let calls: Vec<(Call, Assessment)> = calls
        .into_iter()
        .map(|call| {
            let assessment = call::assess(&call);
            (call, assessment)
        })
        .collect();
    publish::sweep(out);
    let site = publish::Site { out, rewrite };
    for name in ASSETS {
        let asset = site::asset(name).ok_or_else(|| Error::Write {
            path: out.join(name),
            source: io::Error::from(io::ErrorKind::NotFound),
        })?;
        site.put(
            &format!("assets/{}/{name}", site::assets_digest()),
            asset.bytes,
        )?;
    }
    let summaries: Vec<CallSummary> = calls
        .iter()
        .map(|(call, assessment)| CallSummary::of(call, assessment))
        .collect();
    let rooms = page::Rooms::new(&summaries);
    for (call, assessment) in &calls {
        site.put(&data::data_path(&call.id), &data::call(call, assessment))?;
        site.put(
            &data::page_path(&call.id),
            page::call(call, assessment, &rooms)?.as_bytes(),
        )?;
    }
    let totals = Totals::new(&summaries);
    site.put(
        "data/report.json",
        &data::report(&log, &summaries, &totals, now_ms),
    )?;
    site.put(
        "index.html",
        page::overview(&log, &summaries, &totals, now_ms)?.as_bytes(),
    )?;
    Ok(Built {
        calls: summaries.len(),
        participants: totals.participants,
        samples: totals.samples,
        log,
    })
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
