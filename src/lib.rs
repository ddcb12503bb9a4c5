//! call-metrics.
pub mod beacon;
pub mod call;
pub mod cli;
pub mod daily;
pub mod digest;
pub mod log;
pub mod metric;
pub mod sample;
pub mod units;
pub mod watch;
