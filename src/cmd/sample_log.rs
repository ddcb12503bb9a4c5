//! `sample-log`: a made-up log on stdout.

use super::{Failure, written};
use crate::config::SampleLog;
use crate::sample;
use std::io::{self, BufWriter, Write};

pub(super) fn run(settings: &SampleLog) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = sample::write(
        settings.calls,
        settings.seed,
        settings.days,
        settings.until_ms,
        &mut out,
    );
    written(outcome.and_then(|()| out.flush()))
}
