//! What the collector counts, and how it is shown to Prometheus (text format 0.0.4).
//! Must not hold anything from a request but its kind and the reason it was refused for.

use super::app::App;
use crate::log::writer::{Durability, SECONDS_BOUNDS};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The type of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Kinds of requests whose durations are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Beacon = 0,
    Room = 1,
    Other = 2,
}

const KINDS: [&str; 3] = ["beacon", "room", "other"];

#[derive(Debug, Default)]
pub(crate) struct Counters {
    beacons_accepted: AtomicU64,
    beacon_bytes: AtomicU64,
    /// By kind, then by reason.
    refused: [Mutex<BTreeMap<Cow<'static, str>, u64>>; KINDS.len()],
    /// Beacons whose fate the writer has not told yet.
    pub(crate) beacons_pending: AtomicU64,
    /// Rooms that Daily is being asked for.
    pub(crate) rooms_pending: AtomicU64,
    pub(crate) panics: AtomicU64,
    durations: [Durations; KINDS.len()],
}

#[derive(Debug, Default)]
struct Durations {
    counts: [AtomicU64; SECONDS_BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

impl Counters {
    pub(crate) fn accept(&self, n_bytes: usize) {
        self.beacons_accepted.fetch_add(1, Ordering::Relaxed);
        self.beacon_bytes
            .fetch_add(n_bytes as u64, Ordering::Relaxed);
    }

    /// `reason` is one of ours, never a text from outside.
    pub(crate) fn refuse(&self, kind: Kind, reason: Cow<'static, str>) {
        let refused = self.refused[kind as usize].lock();
        *refused
            .unwrap_or_else(PoisonError::into_inner)
            .entry(reason)
            .or_default() += 1;
    }

    pub(crate) fn time(&self, kind: Kind, duration: Duration) {
        let durations = &self.durations[kind as usize];
        let bucket = SECONDS_BOUNDS.partition_point(|bound| *bound < duration.as_secs_f64());
        durations.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        durations.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// The text under `/metrics`.
pub(crate) fn render(app: &App) -> String {
    let mut page = Page::default();
    let counters = &app.counters;
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);

    page.family("build_info", "gauge", "Version of the program.");
    let version = env!("CARGO_PKG_VERSION");
    page.row("build_info", &[("version", version)], 1);
    page.one(
        "beacons_accepted_total",
        "counter",
        "Beacons stored and acknowledged.",
        get(&counters.beacons_accepted),
    );
    page.one(
        "beacon_bytes_total",
        "counter",
        "Bytes of accepted beacons as received.",
        get(&counters.beacon_bytes),
    );
    for (kind, name, help) in [
        (
            Kind::Beacon,
            "beacons_refused_total",
            "Beacons refused, by reason.",
        ),
        (
            Kind::Room,
            "rooms_refused_total",
            "Rooms not given, by reason.",
        ),
        (
            Kind::Other,
            "requests_refused_total",
            "Other requests refused, by reason.",
        ),
    ] {
        page.family(name, "counter", help);
        let refused = counters.refused[kind as usize].lock();
        for (reason, count) in refused.unwrap_or_else(PoisonError::into_inner).iter() {
            page.row(name, &[("reason", reason)], *count);
        }
    }
    page.one(
        "beacons_pending",
        "gauge",
        "Beacons handed to the log writer and not answered yet.",
        get(&counters.beacons_pending),
    );
    page.one(
        "rooms_pending",
        "gauge",
        "Rooms that Daily is being asked for.",
        get(&counters.rooms_pending),
    );
    page.one(
        "handler_panics_total",
        "counter",
        "Requests that failed by a fault of the program.",
        get(&counters.panics),
    );
    page.one(
        "notices_dropped_total",
        "counter",
        "Notices lost because stderr was closed, full or not read.",
        app.notices.n_dropped(),
    );

    page.family(
        "log_info",
        "gauge",
        "When a beacon is acknowledged: synced or written.",
    );
    let durability = match app.writer.durability() {
        Durability::Synced => "synced",
        Durability::Written => "written",
    };
    page.row("log_info", &[("durability", durability)], 1);
    let log = app.writer.counters();
    page.one(
        "log_lines_total",
        "counter",
        "Lines stored in the log.",
        log.lines,
    );
    page.one(
        "log_bytes_total",
        "counter",
        "Bytes stored in the log.",
        log.bytes,
    );
    page.one(
        "log_syncs_total",
        "counter",
        "Syncs of the log that succeeded.",
        log.syncs,
    );
    page.one(
        "log_batches_total",
        "counter",
        "Batches stored.",
        log.batches,
    );
    page.one(
        "log_failures_total",
        "counter",
        "Batches that could not be stored.",
        log.failures,
    );
    page.one(
        "log_busy_total",
        "counter",
        "Lines turned away because the queue was full.",
        log.busy,
    );
    page.one(
        "log_queue_depth",
        "gauge",
        "Lines waiting for the log writer.",
        log.queue_depth,
    );
    page.one(
        "log_sealed_tails_total",
        "counter",
        "Torn last lines moved out of the log.",
        log.sealed_tails,
    );
    page.one(
        "log_reopens_total",
        "counter",
        "Times the log was opened again.",
        log.reopens,
    );
    page.one(
        "log_sync_failures_total",
        "counter",
        "Syncs of the log that failed.",
        log.sync_failures,
    );
    page.one(
        "log_set_asides_total",
        "counter",
        "Times the log was set aside for a fresh file after a failed sync.",
        log.set_asides,
    );
    page.one(
        "log_rotations_total",
        "counter",
        "Times the log was rotated because it was due.",
        log.rotations,
    );
    page.one(
        "log_rotation_failures_total",
        "counter",
        "Times it was due and could not be.",
        log.rotation_failures,
    );
    page.one(
        "log_truncations_total",
        "counter",
        "Times another program cut the log.",
        log.truncations,
    );
    page.one(
        "log_segments_compressed_total",
        "counter",
        "Rotated segments compressed.",
        log.segments_compressed,
    );
    page.one(
        "log_compression_failures_total",
        "counter",
        "Tries to compress one that failed.",
        log.compression_failures,
    );
    page.one(
        "log_segments_removed_total",
        "counter",
        "Rotated segments removed for their age.",
        log.segments_removed,
    );
    if let Some(free_bytes) = log.free_bytes {
        page.one(
            "log_free_bytes",
            "gauge",
            "What the file system of the log had free when last looked at.",
            free_bytes,
        );
    }
    page.family(
        "log_commit_seconds",
        "histogram",
        "Write and sync of a batch.",
    );
    page.histogram(
        "log_commit_seconds",
        &[],
        &log.commit_seconds.counts,
        log.commit_seconds.sum,
    );

    page.family(
        "request_duration_seconds",
        "histogram",
        "From a whole request to its answer.",
    );
    for (kind, durations) in KINDS.iter().zip(&counters.durations) {
        let counts: Vec<u64> = durations.counts.iter().map(get).collect();
        let sum = get(&durations.sum_us) as f64 / 1e6;
        page.histogram("request_duration_seconds", &[("kind", kind)], &counts, sum);
    }
    if let Some(gate) = app.gate.get() {
        let gate = gate.stats();
        page.one(
            "connections_open",
            "gauge",
            "Clients connected.",
            gate.connections_open,
        );
        page.one(
            "connections_total",
            "counter",
            "Clients let in.",
            gate.connections,
        );
        page.one(
            "connections_evicted_total",
            "counter",
            "Clients that had to make room.",
            gate.connections_evicted,
        );
        page.one(
            "requests_total",
            "counter",
            "Requests admitted.",
            gate.requests,
        );
        page.one(
            "accept_errors_total",
            "counter",
            "Failures to accept a client.",
            gate.accept_errors,
        );
        page.one(
            "connection_panics_total",
            "counter",
            "Connections ended by a fault of the program.",
            gate.panics,
        );
        page.family(
            "gate_refused_total",
            "counter",
            "Requests and clients refused before any handler, by reason.",
        );
        for (reason, count) in &gate.refused {
            page.row("gate_refused_total", &[("reason", reason)], *count);
        }
    }
    if let Some(last) = app.report_status.last() {
        page.one(
            "report_builds_total",
            "counter",
            "Builds of the report.",
            last.n_builds,
        );
        page.one(
            "report_build_failures_total",
            "counter",
            "Builds of the report that failed.",
            last.n_failed,
        );
        page.one(
            "report_last_build_timestamp_seconds",
            "gauge",
            "When the last build of the report ended.",
            last.finished_s,
        );
        page.one(
            "report_last_build_duration_seconds",
            "gauge",
            "How long it took.",
            last.duration_s,
        );
        page.one(
            "report_last_build_ok",
            "gauge",
            "1 where it gave a report.",
            u8::from(last.is_ok),
        );
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP call_metrics_{name} {help}"));
        self.line(format_args!("# TYPE call_metrics_{name} {kind}"));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.row(name, &[], value);
    }

    /// Label values are ours: none needs escaping.
    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        if labels.is_empty() {
            self.line(format_args!("call_metrics_{name} {value}"));
        } else {
            self.line(format_args!(
                "call_metrics_{name}{{{}}} {value}",
                labels.join(",")
            ));
        }
    }

    /// `counts` are those of each bucket alone; Prometheus wants them added up.
    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], counts: &[u64], sum: f64) {
        let mut total = 0;
        let bounds = SECONDS_BOUNDS
            .iter()
            .map(f64::to_string)
            .chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(counts) {
            total += count;
            let labels: Vec<(&str, &str)> = labels
                .iter()
                .copied()
                .chain([("le", bound.as_str())])
                .collect();
            self.row(&format!("{name}_bucket"), &labels, total);
        }
        self.row(&format!("{name}_sum"), labels, sum);
        self.row(&format!("{name}_count"), labels, total);
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up_to_its_count() {
        let mut page = Page::default();
        page.histogram("x", &[("kind", "a")], &[1; SECONDS_BOUNDS.len() + 1], 2.5);
        let lines: Vec<&str> = page.text.lines().collect();
        assert_eq!(
            lines[0],
            "call_metrics_x_bucket{kind=\"a\",le=\"0.0005\"} 1"
        );
        assert_eq!(
            lines[12],
            "call_metrics_x_bucket{kind=\"a\",le=\"+Inf\"} 13"
        );
        assert_eq!(lines[13], "call_metrics_x_sum{kind=\"a\"} 2.5");
        assert_eq!(lines[14], "call_metrics_x_count{kind=\"a\"} 13");
    }
}
