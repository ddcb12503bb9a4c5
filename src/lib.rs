//! call-metrics.
pub mod daily;
pub mod log;
