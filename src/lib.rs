//! Call quality, collected and shown by one small binary.
//!
//! ```text
//! browser ─► gate ─► tiny_http ─► beacon::check ─► log::writer ─► beacon.log          serve
//!    ▲  start and call page, rooms (ureq ─► Daily), static files ◄──┘                    │
//!    │                                                                      watch (notify + stat)
//!    └── public/report/ ◄── site (minijinja) ◄── report (charming) ◄── call ◄── log::reader   build-report
//! ```
//!
//! Data flow one way. The log is the only thing that the two halves share: each can be killed, moved or replaced without the
//! other noticing. Modules name only those below them in this list; a test (`tests/it/tidy.rs`) holds them to it.
//!
//! - [`cmd`]: one file a subcommand; wires parts together, adds what to do to errors. [`cli`] is the shape of the command line,
//!   [`config`] what is made of it: settings that the rest may rely on.
//! - [`collector`]: HTTP. A gate owns the public port and admits only whole, bounded, unambiguous requests; behind it tiny_http
//!   serves routes over a private socket. The gate knows nothing of beacons, the routes nothing of the gate.
//! - [`report`]: what pages show, how charts look, how files are replaced.
//! - [`site`]: templates and assets, all inside the binary.
//! - [`log`]: one writer thread (group commit, one fsync for many beacons; rotation), one that compresses and removes segments,
//!   and readers that open all segments, plain or compressed, as one consistent set.
//! - [`rules`]: what calls are held to, and which break it. Pure.
//! - [`daily`]: find or mint a room. [`watch`]: tell when files change. [`sample`]: a made-up log.
//! - [`call`]: beacons to calls, participants and series; summary numbers, score, issues, verdict. Pure.
//! - [`beacon`]: what a beacon is. Pure. [`metric`]: the table that parsing, panels, axes and units follow from.
//!   [`units`]: quantities as people read them. [`notice`]: the one door to stderr. [`plain`]: text made harmless.
//!   [`digest`]: fingerprints, checksums.
//!
//! What holds everywhere:
//!
//! - **204 means on disk.** What cannot be stored is refused, and the sender keeps it.
//! - **Absent is not zero**: from the wire to the page a value that was not measured is `None`, a gap, a dash.
//! - **Text from outside is hostile**: it reaches pages through minijinja's escaping or as escaped JSON, never as script or HTML.
//! - **Only `cmd` asks the environment**, only `notice` writes to stderr. The clock is asked by `cmd`, the collector,
//!   `notice`, the log's writer (names of segments) and `daily` (when a room expires); all else is told the time.
//! - There is no database, no async runtime, no state that could not be rebuilt from the log, and no request from a report to
//!   another host.

pub mod beacon;
pub mod call;
pub mod cli;
pub mod cmd;
pub mod collector;
pub mod config;
pub mod daily;
pub mod digest;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod log;
pub mod metric;
pub mod notice;
pub mod plain;
pub mod report;
pub mod rules;
pub mod sample;
pub mod site;
pub mod units;
pub mod watch;
