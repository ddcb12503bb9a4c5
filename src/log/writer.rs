//! Appends lines to the beacon log.
