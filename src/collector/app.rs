//! What all handlers share: settings, the writer, Daily, counters, caches. Made once, before the first request.

use super::access::Access;
use super::client::Client;
use super::counters::Counters;
use super::gate::Gate;
use super::gzip;
use super::hosts::Hosts;
use super::limits::Limits;
use super::page_token::PageTokens;
use super::report_status::ReportStatus;
use crate::config::{CallPage, TrustedProxies};
use crate::daily::{Daily, RoomPattern};
use crate::log::writer::Writer;
use crate::notice::Notices;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
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
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
    /// `None`: beacons need none.
    pub(crate) page_tokens: Option<PageTokens>,
    /// `None`: any name may be a room.
    pub(crate) room_pattern: Option<RoomPattern>,
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
    /// Whether it was said that a proxy stands in front that nobody named.
    pub(crate) masked_said: AtomicBool,
}

impl App {
    /// Whose request it is. An operator who forgot to name the proxy in front hears of it, once: all of its clients would
    /// share one limit, or none.
    pub(crate) fn client<'a>(&self, header: impl Fn(&'static str) -> Option<&'a str>) -> Client {
        let client = Client::of(&self.trusted_proxies, header);
        if client.is_masked && !self.masked_said.swap(true, Ordering::Relaxed) {
            self.notices.say(
                "masked",
                "requests come with X-Forwarded-For from a peer that `--trusted-proxy` does not name: limits per address \
                 take all of its clients for one, or for this machine, which they do not hold for",
            );
        }
        client
    }
}
