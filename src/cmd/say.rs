//! Everything that is said to the person at the terminal. A closed or full stderr never stops the program.

use super::{Failure, written};
use std::io::{self, Write};

/// `call-metrics: error: WHAT`, and on its own line what to do about it.
pub(super) fn error(what: &str, hint: Option<&str>) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "call-metrics: error: {}", printable(what));
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "call-metrics: hint: {}", printable(hint));
    }
}

/// `call-metrics: WHAT`.
pub(super) fn note(what: &str) {
    let _ = writeln!(io::stderr().lock(), "call-metrics: {}", printable(what));
}

/// Text for stdout, as it is.
pub(super) fn on_stdout(text: &str) -> Result<(), Failure> {
    written(io::stdout().lock().write_all(text.as_bytes()))
}

/// File names and causes may hold anything; a terminal obeys control characters.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("meet-מפגש"), "meet-מפגש");
    }
}
