//! What an operator must know, on stderr: one line a notice, no line end or escape from outside in it, never often.
//! A stderr that is closed, full or not read must hold nobody up: a thread of its own writes, and what does not fit is lost.

use crate::plain::one_line;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Notices that wait for a slow stderr.
const QUEUE: usize = 64;
/// Of one kind, at most one in this time.
const EVERY: Duration = Duration::from_secs(10);
/// Characters of a notice.
const CHARS_MAX: usize = 500;

/// The way to stderr.
#[derive(Debug)]
pub(crate) struct Notices {
    queue: Option<SyncSender<String>>,
    last: Mutex<HashMap<&'static str, Instant>>,
}

impl Notices {
    pub(crate) fn to_stderr() -> Notices {
        let (queue, lines) = sync_channel::<String>(QUEUE);
        let thread = std::thread::Builder::new()
            .name("notices".into())
            .spawn(move || {
                for line in lines {
                    let _ = writeln!(io::stderr(), "call-metrics: {line}");
                }
            });
        Notices {
            queue: thread.is_ok().then_some(queue),
            last: Mutex::default(),
        }
    }

    /// Says `text`, unless something of this `kind` was said just before.
    pub(crate) fn say(&self, kind: &'static str, text: impl std::fmt::Display) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last
            .get(kind)
            .is_some_and(|said| now.duration_since(*said) < EVERY)
        {
            return;
        }
        last.insert(kind, now);
        drop(last);
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(format!("warning: {}", shortened(&text.to_string())));
        }
    }
}

/// The beginning of `text`, on one line.
fn shortened(text: &str) -> String {
    one_line(&text.chars().take(CHARS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_line_whatever_is_in_it() {
        assert_eq!(shortened("a\nb"), "a\\nb");
        assert_eq!(shortened(&"x".repeat(9999)).len(), CHARS_MAX);
    }

    #[test]
    fn of_one_kind_one_is_said_and_nobody_waits() {
        let (queue, lines) = sync_channel(1);
        let notices = Notices {
            queue: Some(queue),
            last: Mutex::default(),
        };
        for kind in ["a", "a", "b", "c"] {
            notices.say(kind, kind);
        }
        drop(notices);
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["warning: a"]);
    }
}
