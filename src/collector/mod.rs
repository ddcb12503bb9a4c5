//! The collector.
pub mod gate;
