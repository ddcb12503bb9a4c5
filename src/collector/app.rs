//! What all handlers share: settings, the writer, Daily, counters, caches. Made once, before the first request.

use super::access::Access;
use super::counters::Counters;
use super::gate::Gate;
use super::gzip;
use super::report_status::ReportStatus;
use crate::config::CallPage;
use crate::daily::Daily;
use crate::log::writer::Writer;
use crate::notice::Notices;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub(crate) struct App {
    pub(crate) writer: Arc<Writer>,
    /// Whether 204 means synced to disk.
    pub(crate) is_synced: bool,
    /// `None`: no token, no rooms.
    pub(crate) daily: Option<Daily>,
    pub(crate) report_status: Arc<ReportStatus>,
    pub(crate) public: PathBuf,
    pub(crate) access: Access,
    pub(crate) allow_origins: Arc<[String]>,
    pub(crate) frame_origins: Vec<String>,
    pub(crate) page: CallPage,
    /// A path that nobody outside knows, answered at once.
    pub(crate) probe_path: String,
    /// Beacons that may wait for the writer. The gate has only so many requests in flight and gives up on each after a while:
    /// many more than that means that the disk stands still, and each holds descriptors.
    pub(crate) beacons_pending_max: u64,
    pub(crate) counters: Counters,
    pub(crate) notices: Notices,
    pub(crate) packed: gzip::Cache,
    /// For its counters alone; there once it has started.
    pub(crate) gate: OnceLock<Arc<Gate>>,
}
