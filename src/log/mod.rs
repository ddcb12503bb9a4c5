//! The beacon log: one writer appends, readers follow. The only thing that the collector and the report share.

pub mod reader;
pub mod segments;
pub mod writer;
