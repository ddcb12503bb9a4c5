//! call-metrics.
pub mod beacon;
pub mod call;
pub mod cli;
pub mod config;
pub mod daily;
pub mod digest;
pub mod log;
pub mod metric;
pub mod report;
pub mod site;
pub mod units;
