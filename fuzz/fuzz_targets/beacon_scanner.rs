//! What must hold is in `src/fuzzing.rs`, for the replay too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| call_metrics::fuzzing::beacon_scanner(data));
