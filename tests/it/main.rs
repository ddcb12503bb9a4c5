//! The integration tests, one binary, a module for each behaviour.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod access;
mod check;
mod cli;
mod daily;
mod gate;
mod headers;
mod incremental;
mod refusals;
mod report;
mod rotation;
mod routes;
mod serve;
mod support;
mod tidy;
mod watchdog;
