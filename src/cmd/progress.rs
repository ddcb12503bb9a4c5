//! How far a build is, on one line of a terminal that is gone afterwards. The door to `indicatif`.

use crate::report::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What takes no longer is not worth a line.
const QUIET: Duration = Duration::from_secs(1);

/// The line. Nothing where stderr is no terminal.
pub(super) struct Bar {
    begin: Instant,
    is_wanted: bool,
    /// Once something took long.
    line: OnceLock<ProgressBar>,
}

impl Bar {
    /// `is_wanted`: whether somebody looks on who wants words.
    pub(super) fn new(is_wanted: bool) -> Bar {
        Bar {
            begin: Instant::now(),
            is_wanted: is_wanted && std::io::stderr().is_terminal(),
            line: OnceLock::new(),
        }
    }

    pub(super) fn show(&self, progress: Progress) {
        if !self.is_wanted || self.begin.elapsed() < QUIET {
            return;
        }
        let line = self.line.get_or_init(|| {
            let style = ProgressStyle::with_template("{elapsed:>4} [{bar:24}] {msg}");
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let line = line.with_elapsed(self.begin.elapsed());
            line.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        if let Progress::Written { calls, of } = progress {
            line.set_length(of as u64);
            line.set_position(calls as u64);
        }
        line.set_message(words(progress));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(line) = self.line.get() {
            line.finish_and_clear();
        }
    }
}

/// As in the line at the end, the nouns stay as they are, also after a 1.
fn words(progress: Progress) -> String {
    match progress {
        Progress::Read { beacons } => format!("reading: {beacons} beacons"),
        Progress::Written { calls, of } => format!("writing: {calls} of {of} calls"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_numbers() {
        let read = words(Progress::Read { beacons: 20_000 });
        assert_eq!(read, "reading: 20000 beacons");
        let written = words(Progress::Written { calls: 3, of: 12 });
        assert_eq!(written, "writing: 3 of 12 calls");
    }
}
