//! Everything that is said to the person at the terminal. A closed or full stderr never stops the program.

use super::{Failure, written};
use crate::plain::one_line;
use std::io::{self, Write};

/// `call-metrics: error: WHAT`, and on its own line what to do about it.
pub(super) fn error(what: &str, hint: Option<&str>) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "call-metrics: error: {}", one_line(what));
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "call-metrics: hint: {}", one_line(hint));
    }
}

/// `call-metrics: WHAT`.
pub(super) fn note(what: &str) {
    let _ = writeln!(io::stderr().lock(), "call-metrics: {}", one_line(what));
}

/// Text for stdout, as it is.
pub(super) fn on_stdout(text: &str) -> Result<(), Failure> {
    written(io::stdout().lock().write_all(text.as_bytes()))
}
