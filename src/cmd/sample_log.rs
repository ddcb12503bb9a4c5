//! `sample-log`: a made-up log on stdout.

use super::{Failure, written};
use crate::config::SampleLog;
use crate::sample;
use std::io::{self, BufWriter, Write};

pub(super) fn run(settings: &SampleLog) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let wanted = sample::Wanted {
        calls: settings.calls,
        seed: settings.seed,
        days: settings.days,
        until_ms: settings.until_ms,
        one_reading: settings.one_reading,
    };
    let outcome = sample::write(&wanted, &mut out);
    written(outcome.and_then(|()| out.flush()))
}
