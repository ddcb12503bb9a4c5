//! The one door to stderr: what an operator must know, a notice a line, for people or as JSON.
//! A stderr that is closed, full or not read must hold nobody up: a thread of its own writes, and what does not fit is dropped
//! and counted. Must never be given an address of a client, a token or a password.

use crate::plain::one_line;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Notices that wait for a slow stderr.
const QUEUE: usize = 64;
/// Of one kind, at most one in this time.
const EVERY: Duration = Duration::from_secs(10);
/// Characters of a text: enough for a path of some length and its cause.
const CHARS_MAX: usize = 2_000;
/// Characters of what a panic says: it may quote text from outside.
const PANIC_CHARS_MAX: usize = 200;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `call-metrics: warning: …`, for people.
    #[default]
    Text,
    /// One object a line, for collectors of logs.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Info,
    Warning,
    Error,
}

/// Something to be told.
#[derive(Debug)]
pub struct Notice {
    level: Level,
    /// What happened, in kebab-case: for programs, so it stays as it is.
    event: &'static str,
    message: String,
    hint: Option<String>,
    members: Vec<(&'static str, Value)>,
}

impl Notice {
    fn new(level: Level, event: &'static str, message: impl Display) -> Notice {
        Notice {
            level,
            event,
            message: message.to_string(),
            hint: None,
            members: Vec::new(),
        }
    }

    /// As it should be.
    pub fn info(event: &'static str, message: impl Display) -> Notice {
        Notice::new(Level::Info, event, message)
    }

    /// Not as it should be; the program goes on.
    pub fn warning(event: &'static str, message: impl Display) -> Notice {
        Notice::new(Level::Warning, event, message)
    }

    /// Something was not done.
    pub fn error(event: &'static str, message: impl Display) -> Notice {
        Notice::new(Level::Error, event, message)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: Option<&str>) -> Notice {
        self.hint = hint.map(str::to_owned);
        self
    }

    /// A member of the JSON object, beside those that each has. People read the message.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Notice {
        self.members.push((name, value.into()));
        self
    }

    /// As text: one line, or two with the hint.
    fn text(&self, n_held: u64) -> String {
        let level = match self.level {
            Level::Info => "",
            Level::Warning => "warning: ",
            Level::Error => "error: ",
        };
        let mut line = format!("call-metrics: {level}{}", harmless(&self.message));
        if 0 < n_held {
            let _ = write!(line, " ({n_held} more)");
        }
        if let Some(hint) = &self.hint {
            let _ = write!(line, "\ncall-metrics: hint: {}", harmless(hint));
        }
        line + "\n"
    }

    fn json(&self, n_held: u64) -> String {
        // Fixed width, always UTC: lines sort as text.
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let level = match self.level {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let mut line = format!("{{\"time\":\"{time}\"");
        let mut member = |name: &str, value: &Value| {
            let _ = write!(line, ",\"{name}\":{value}");
        };
        member("level", &level.into());
        member("event", &self.event.into());
        member("message", &harmless(&self.message).into());
        if let Some(hint) = &self.hint {
            member("hint", &harmless(hint).into());
        }
        for (name, value) in &self.members {
            match value {
                Value::String(text) => member(name, &harmless(text).into()),
                value => member(name, value),
            }
        }
        if 0 < n_held {
            member("more", &n_held.into());
        }
        line + "}\n"
    }
}

/// The beginning of `text` on one line, with nothing in it that a terminal or a reader of logs would obey.
fn harmless(text: &str) -> String {
    shortened(text, CHARS_MAX)
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => one_line(text),
        Some((end, _)) => one_line(&text[..end]) + "…",
    }
}

/// Where notices go. Clones share one queue and one thread, which starts with the first notice.
#[derive(Clone, Debug)]
pub struct Notices(Arc<Door>);

struct Door {
    format: Format,
    /// Taken by the thread.
    out: Mutex<Option<Box<dyn Write + Send>>>,
    /// `None` within: no thread could be had.
    queue: OnceLock<Option<SyncSender<Item>>>,
    said: Mutex<HashMap<(&'static str, u32), Said>>,
    n_dropped: Arc<AtomicU64>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

enum Item {
    Line(String),
    /// Answered once all before it is written.
    Flush(SyncSender<()>),
}

/// When something of a kind was told last, and how much was held back since.
#[derive(Clone, Copy)]
struct Said {
    at: Instant,
    n_held: u64,
}

impl Notices {
    /// Notices on stderr.
    pub fn to_stderr(format: Format) -> Notices {
        Notices::to(format, Box::new(io::stderr()))
    }

    fn to(format: Format, out: Box<dyn Write + Send>) -> Notices {
        Notices(Arc::new(Door {
            format,
            out: Mutex::new(Some(out)),
            queue: OnceLock::new(),
            said: Mutex::default(),
            n_dropped: Arc::default(),
        }))
    }

    /// Warns of `text`, unless something of this `kind` was said just before: that is counted, and said with the next.
    pub fn say(&self, kind: &'static str, text: impl Display) {
        self.tell_limited(0, Notice::warning(kind, text));
    }

    /// Tells `notice`, however often: for what happens rarely by its nature.
    pub fn tell(&self, notice: Notice) {
        self.put(&notice, 0);
    }

    /// Whether notices are text for people, not JSON for programs.
    pub fn are_words(&self) -> bool {
        self.0.format == Format::Text
    }

    /// [`Notices::tell`], but at most one of an event and `place` in some seconds.
    fn tell_limited(&self, place: u32, notice: Notice) {
        if let Some(n_held) = self.admit((notice.event, place), Instant::now()) {
            self.put(&notice, n_held);
        }
    }

    /// Panics are told through this door instead of through Rust's own, which would wait for stderr.
    pub fn tell_panics(&self) {
        let notices = self.clone();
        std::panic::set_hook(Box::new(move |panic| notices.tell_panic(panic)));
    }

    fn tell_panic(&self, panic: &PanicHookInfo<'_>) {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        let line = panic.location().map_or(0, std::panic::Location::line);
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let payload = panic.payload();
        let says = payload.downcast_ref::<&str>().copied();
        let says = says.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let says = says.unwrap_or("no words");
        let says = shortened(says, PANIC_CHARS_MAX);
        let message = format!("thread `{name}` panicked at {place}: {says}");
        let notice = Notice::error("panic", message)
            .with("thread", name)
            .with("location", place);
        self.tell_limited(line, notice);
    }

    /// Notices that nobody could read: stderr was closed, full, or did not take them in time.
    pub fn n_dropped(&self) -> u64 {
        self.0.n_dropped.load(Ordering::Relaxed)
    }

    /// Waits until what was told is written, for `patience` at most: before the process ends.
    pub fn flush(&self, patience: Duration) {
        let Some(Some(queue)) = self.0.queue.get() else {
            return;
        };
        let (tell, flushed) = sync_channel(1);
        if queue.try_send(Item::Flush(tell)).is_ok() {
            let _ = flushed.recv_timeout(patience);
        }
    }

    /// Whether something of this kind may be told now, and how much of it was held back before.
    fn admit(&self, kind: (&'static str, u32), now: Instant) -> Option<u64> {
        // Not waited for: a panic may come out of the very lines below, and a notice is not worth a wait.
        let Ok(mut said) = self.0.said.try_lock() else {
            self.0.n_dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        match said.get_mut(&kind) {
            Some(last) if now.saturating_duration_since(last.at) < EVERY => {
                last.n_held += 1;
                None
            }
            _ => {
                let before = said.insert(kind, Said { at: now, n_held: 0 });
                Some(before.map_or(0, |before| before.n_held))
            }
        }
    }

    fn put(&self, notice: &Notice, n_held: u64) {
        let line = match self.0.format {
            Format::Text => notice.text(n_held),
            Format::Json => notice.json(n_held),
        };
        let is_taken = match self.0.queue.get_or_init(|| self.0.start()) {
            Some(queue) => queue.try_send(Item::Line(line)).is_ok(),
            // A process that cannot have a thread ends at once, and this says why.
            None => io::stderr().write_all(line.as_bytes()).is_ok(),
        };
        if !is_taken {
            self.0.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Door {
    fn start(&self) -> Option<SyncSender<Item>> {
        let mut out = self.out.try_lock().ok()?.take()?;
        let (queue, items) = sync_channel(QUEUE);
        let n_dropped = Arc::clone(&self.n_dropped);
        let write = move || {
            for item in items {
                match item {
                    // In one piece: other programs may write to the same stderr.
                    Item::Line(line) if out.write_all(line.as_bytes()).is_err() => {
                        n_dropped.fetch_add(1, Ordering::Relaxed);
                    }
                    Item::Line(_) => {}
                    Item::Flush(tell) => _ = tell.send(()),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("notices".into())
            .spawn(write);
        thread.is_ok().then_some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::PoisonError;

    /// What was written, for a look from outside.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, say: impl FnOnce(&Notices)) -> String {
        let paper = Paper::default();
        let notices = Notices::to(format, Box::new(paper.clone()));
        say(&notices);
        notices.flush(Duration::from_secs(20));
        assert_eq!(notices.n_dropped(), 0);
        let bytes = paper.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }

    const NASTY: &str = "a\nb\u{1b}[2J\u{2028}\u{202e}\"\u{0}";

    #[test]
    fn text_is_a_line_a_notice_whatever_is_in_it() {
        let text = written(Format::Text, |notices| {
            notices.tell(Notice::info("x", "ready"));
            notices.say("y", NASTY);
            notices.tell(Notice::error("z", "it broke").hint(Some("mend\nit")));
        });
        let expect = "call-metrics: ready\n\
                      call-metrics: warning: a\\nb\\u{1b}[2J\\u{2028}\\u{202e}\"\\u{0}\n\
                      call-metrics: error: it broke\n\
                      call-metrics: hint: mend\\nit\n";
        assert_eq!(text, expect);
    }

    #[test]
    fn json_is_an_object_a_notice_whatever_is_in_it() {
        let text = written(Format::Json, |notices| {
            let notice = Notice::error("it-broke", NASTY).hint(Some(NASTY));
            notices.tell(notice.with("n", 3).with("thread", NASTY));
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(
            !text.trim_end().chars().any(crate::plain::is_hostile),
            "{text:?}"
        );
        let line: Value = serde_json::from_str(&text).unwrap();
        let spelled = "a\\nb\\u{1b}[2J\\u{2028}\\u{202e}\"\\u{0}";
        assert_eq!(
            (&line["level"], &line["event"], &line["n"]),
            (&"error".into(), &"it-broke".into(), &3.into())
        );
        for member in ["message", "hint", "thread"] {
            assert_eq!(line[member], spelled, "{member}");
        }
        let time = line["time"].as_str().unwrap();
        assert!(
            time.parse::<jiff::Timestamp>().is_ok() && time.len() == 24,
            "{time}"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = written(Format::Text, |notices| notices.say("x", "é".repeat(9_999)));
        assert_eq!(
            text,
            format!("call-metrics: warning: {}…\n", "é".repeat(CHARS_MAX))
        );
    }

    #[test]
    fn of_one_kind_one_is_said_and_the_next_tells_how_many_were_held_back() {
        let notices = Notices::to(Format::Text, Box::new(io::sink()));
        let begin = Instant::now();
        let admit = |kind, after| notices.admit((kind, 0), begin + after);
        assert_eq!(admit("a", Duration::ZERO), Some(0));
        assert_eq!(admit("a", EVERY / 2), None);
        assert_eq!(admit("b", EVERY / 2), Some(0));
        assert_eq!(admit("a", EVERY - Duration::from_millis(1)), None);
        assert_eq!(admit("a", EVERY), Some(2));
        assert_eq!(admit("a", EVERY * 2), Some(0));
        assert_eq!(
            Notice::warning("a", "x").text(2),
            "call-metrics: warning: x (2 more)\n"
        );
        assert!(
            Notice::warning("a", "x")
                .json(2)
                .ends_with(",\"more\":2}\n")
        );
        let text = written(Format::Text, |notices| {
            (0..5).for_each(|_| notices.say("a", "x"))
        });
        assert_eq!(text, "call-metrics: warning: x\n");
    }

    /// A stderr that takes nothing until it is let go.
    struct Stuck(std::sync::mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_stderr_that_is_stuck_and_what_is_lost_is_counted() {
        let (let_go, stuck) = sync_channel(0);
        let notices = Notices::to(Format::Text, Box::new(Stuck(stuck)));
        let n_told = 2 * QUEUE as u64;
        for _ in 0..n_told {
            notices.tell(Notice::info("x", "x"));
        }
        notices.flush(Duration::from_secs(20));
        // One may be in the thread's hands.
        let n_dropped = notices.n_dropped();
        assert!(
            (n_told - QUEUE as u64 - 1..=n_told - QUEUE as u64).contains(&n_dropped),
            "{n_dropped}"
        );
        drop(let_go);
    }

    #[test]
    fn a_stderr_that_refuses_loses_notices_and_nothing_else() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let notices = Notices::to(Format::Json, Box::new(Full));
        notices.tell(Notice::info("x", "x"));
        notices.flush(Duration::from_secs(20));
        assert_eq!(notices.n_dropped(), 1);
    }

    #[test]
    fn a_panic_amid_the_counting_of_kinds_waits_for_nothing() {
        let notices = Notices::to(Format::Text, Box::new(io::sink()));
        let _held = notices.0.said.lock().unwrap();
        notices.say("panic", "x");
        assert_eq!(notices.n_dropped(), 1);
    }

    #[test]
    fn a_panic_is_one_line_that_tells_the_thread_and_the_place() {
        let before = std::panic::take_hook();
        let text = written(Format::Text, |notices| {
            notices.tell_panics();
            let thread = std::thread::Builder::new().name("clumsy".into());
            let panics = || panic!("no `{}`\n{}", NASTY, "x".repeat(PANIC_CHARS_MAX));
            assert!(thread.spawn(panics).unwrap().join().is_err());
        });
        std::panic::set_hook(before);
        // Tests beside this one may panic too.
        let line = text.lines().find(|line| line.contains("`clumsy`")).unwrap();
        assert!(
            line.starts_with("call-metrics: error: thread `clumsy` panicked at src/notice.rs:"),
            "{line}"
        );
        assert!(
            line.contains("no `a\\nb\\u{1b}[2J") && line.ends_with("xx…"),
            "{line}"
        );
        assert!(line.len() < 400, "{line}");
    }
}
