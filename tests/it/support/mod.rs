//! What tests stand on: fakes of the world outside. It must not test anything itself.

pub(crate) mod fake_daily;
pub(crate) mod handlers;
pub(crate) mod http;
pub(crate) mod program;
