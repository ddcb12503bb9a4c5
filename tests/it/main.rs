//! The integration tests, one binary, a module for each behaviour.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod daily;
mod gate;
mod routes;
mod support;
