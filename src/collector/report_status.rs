//! What became of the last build of the report: told by whoever builds, shown among the counters.
//! Must not know how a report is built.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Shared between the builder and the collector.
#[derive(Debug, Default)]
pub struct ReportStatus {
    last: Mutex<Option<LastBuild>>,
}

/// The last build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastBuild {
    /// When it ended, seconds since the epoch.
    pub finished_s: f64,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Whether there is a new report.
    pub is_ok: bool,
    /// Builds so far, this one too.
    pub n_builds: u64,
    /// Those that failed.
    pub n_failed: u64,
}

impl ReportStatus {
    /// Takes note of a build that ended at `finished`.
    pub fn built(&self, finished: SystemTime, duration: Duration, is_ok: bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since_epoch = finished.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (n_builds, n_failed) = last.map_or((0, 0), |last| (last.n_builds, last.n_failed));
        *last = Some(LastBuild {
            finished_s: since_epoch.as_secs_f64(),
            duration_s: duration.as_secs_f64(),
            is_ok,
            n_builds: n_builds + 1,
            n_failed: n_failed + u64::from(!is_ok),
        });
    }

    /// The last build; `None` before the first.
    pub fn last(&self) -> Option<LastBuild> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
