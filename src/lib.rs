//! call-metrics.
pub mod beacon;
pub mod call;
pub mod cli;
pub mod cmd;
pub mod collector;
pub mod config;
pub mod daily;
pub mod digest;
pub mod log;
pub mod metric;
pub mod report;
pub mod sample;
pub mod site;
pub mod units;
pub mod watch;
