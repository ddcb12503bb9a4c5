//! The beacon log: one writer appends, readers follow. The only thing that the collector and the report share.

pub mod cursor;
mod file_id;
pub mod opened;
pub mod reader;
mod rotated;
pub mod segments;
pub mod writer;
