//! Tests of the writer: what callers see, on a real file system, with faults where only a disk could put them.

mod files;
mod follow;
mod keep;
mod limits;
mod medium;
mod model;
mod rotation;
mod script;
mod tails;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::log::opened;
use crate::log::reader::{self, Line};
use script::Script;

/// Longest wait for a state; never reached while things work.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory of its own with a log in it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("beacon.log")
    }

    fn settings(&self) -> Settings {
        Settings::new(self.log())
    }

    fn writer(&self) -> Writer {
        Writer::open_on(self.settings(), Box::new(Disk), Arc::new(clock)).unwrap()
    }

    fn scripted(&self) -> (Writer, Script) {
        self.scripted_with(|_| {})
    }

    fn scripted_with(&self, change: impl FnOnce(&mut Settings)) -> (Writer, Script) {
        self.scripted_at(Arc::new(clock), change)
    }

    fn scripted_at(&self, clock: Clock, change: impl FnOnce(&mut Settings)) -> (Writer, Script) {
        let script = Script::default();
        let mut settings = self.settings();
        change(&mut settings);
        let writer = Writer::open_on(settings, Box::new(script.clone()), clock).unwrap();
        script.forget_ops();
        (writer, script)
    }

    /// All lines that a reader finds, in its order.
    fn lines(&self) -> Vec<String> {
        lines_of(&self.log())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// Names in the directory that hold `part`, sorted.
    fn names_with(&self, part: &str) -> Vec<String> {
        names_with(self.dir.path(), part)
    }
}

fn names_with(dir: &Path, part: &str) -> Vec<String> {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains(part)).collect();
    names.sort();
    names
}

fn lines_of(log: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let Ok(files) = opened::open(&[log.display().to_string()]) else {
        return lines;
    };
    for file in files {
        reader::read_lines(&file, .., |line| match line {
            Line::Whole(text) => lines.push(String::from_utf8(text.to_vec()).unwrap()),
            Line::TooLong => panic!("a line that nobody sent"),
        })
        .unwrap();
    }
    lines
}

fn clock() -> u64 {
    1_795_449_870_771
}

/// Appends a line and waits for its fate.
fn store(writer: &Writer, line: &str) -> Result<(), WriteError> {
    queue(writer, line)
        .recv_timeout(PATIENCE)
        .expect("every callback is called")
}

/// Appends a line; its fate comes out of the channel.
fn queue(writer: &Writer, line: &str) -> mpsc::Receiver<Result<(), WriteError>> {
    let (send, fate) = mpsc::channel();
    writer
        .append(line.into(), Box::new(move |result| drop(send.send(result))))
        .expect("the queue has room");
    fate
}

fn wait_until(what: &str, mut state: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !state() {
        assert!(begin.elapsed() < PATIENCE, "still waiting until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_writer_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Writer>();
}

#[test]
fn stored_lines_are_in_the_log_with_their_newlines() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, r#"{"a":1}"#).unwrap();
    store(&writer, "").unwrap();
    store(&writer, "ü").unwrap();
    assert_eq!(place.text(), "{\"a\":1}\n\nü\n");
    let counters = writer.counters();
    assert_eq!((counters.lines, counters.bytes), (3, 12));
    assert_eq!(
        (
            counters.batches,
            counters.syncs,
            counters.commit_seconds.count()
        ),
        (3, 3, 3)
    );
    assert_eq!((counters.failures, counters.queue_depth), (0, 0));
    assert_eq!(writer.health(), Ok(()));
    assert_eq!(writer.path(), place.log());
}

#[test]
fn lines_are_appended_to_what_was_there() {
    let place = Place::new();
    fs::write(place.log(), "old\n").unwrap();
    store(&place.writer(), "new").unwrap();
    store(&place.writer(), "newer").unwrap();
    assert_eq!(place.text(), "old\nnew\nnewer\n");
}

#[test]
fn written_durability_does_not_sync_before_it_answers() {
    let place = Place::new();
    let (writer, script) =
        place.scripted_with(|settings| settings.durability = Durability::Written);
    store(&writer, "a").unwrap();
    assert_eq!(writer.counters().syncs, 0);
    writer.stop();
    assert_eq!(script.ops(), ["append 2", "sync"], "the stop syncs");
}

#[test]
fn synced_durability_answers_after_a_sync_that_followed_the_write() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    let (send, fate) = mpsc::channel();
    let seen = script.clone();
    writer
        .append(
            b"a".to_vec(),
            Box::new(move |_| send.send(seen.ops()).unwrap()),
        )
        .unwrap();
    assert_eq!(fate.recv_timeout(PATIENCE).unwrap(), ["append 2", "sync"]);
}

#[test]
fn eight_threads_find_every_line_stored_once_and_in_their_order() {
    const THREADS: usize = 8;
    const LINES: usize = 400;
    let place = Place::new();
    let writer = place.writer();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let writer = &writer;
            scope.spawn(move || {
                let fates: Vec<_> = (0..LINES)
                    .map(|n| queue(writer, &format!("{thread} {n}")))
                    .collect();
                for fate in fates {
                    fate.recv_timeout(PATIENCE).unwrap().unwrap();
                }
            });
        }
    });
    let mut next = [0; THREADS];
    for line in place.text().lines() {
        let (thread, n) = line.split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(
            n.parse::<usize>().unwrap(),
            *next,
            "order of thread {thread}"
        );
        *next += 1;
    }
    assert_eq!(next, [LINES; THREADS]);
    let counters = writer.counters();
    assert_eq!(counters.lines, (THREADS * LINES) as u64);
    assert_eq!(counters.syncs, counters.batches);
    assert!(
        counters.batches < counters.lines,
        "batches gather while one is synced: {counters:?}"
    );
}

#[test]
fn stop_stores_what_is_queued_and_takes_no_more() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.hold();
    let fates: Vec<_> = (0..100).map(|n| queue(&writer, &n.to_string())).collect();
    script.wait_until_held();
    std::thread::scope(|scope| {
        let stops = [scope.spawn(|| writer.stop()), scope.spawn(|| writer.stop())];
        wait_until("the stop began", || writer.health().is_err());
        assert!(writer.append(b"late".to_vec(), Box::new(|_| {})).is_err());
        script.release();
        for stop in stops {
            stop.join().unwrap();
        }
    });
    for fate in fates {
        fate.try_recv()
            .expect("stop returns after the last callback")
            .unwrap();
    }
    writer.stop();
    let expect: String = (0..100).map(|n| format!("{n}\n")).collect();
    assert_eq!(place.text(), expect);
}

#[test]
fn a_stop_does_not_wait_for_ever_for_a_disk_that_does_not_answer() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "a").unwrap();
    script.hold_syncs();
    let error = writer.stop_within(Duration::ZERO).unwrap_err();
    assert!(matches!(error, Unfinished::Late { path } if path == place.log()));
    script.wait_until_held();
    // Nor do those who come later, the last owner among them.
    assert!(writer.stop_within(PATIENCE * 1_000).is_err());
    writer.stop();
    drop(writer);
    let second = Writer::open(place.settings());
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );
    script.release();
    wait_until("the thread ended", || {
        Writer::open(place.settings()).is_ok()
    });
    assert_eq!(place.text(), "a\n");
}

#[test]
fn a_last_sync_that_fails_is_told() {
    let place = Place::new();
    let (writer, script) =
        place.scripted_with(|settings| settings.durability = Durability::Written);
    store(&writer, "a").unwrap();
    let eio = 5;
    script.syncs([eio]);
    let error = writer.stop_within(PATIENCE).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the last sync of beacon log `{0}` failed: cannot sync beacon log `{0}`: Input/output error (os error 5)",
            place.log().display()
        )
    );
    // Also to those who ask later.
    assert!(writer.stop_within(Duration::ZERO).is_err());
}

#[test]
fn a_stop_in_time_has_stored_everything() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    let fate = queue(&writer, "a");
    assert!(writer.stop_within(PATIENCE).is_ok());
    fate.try_recv().unwrap().unwrap();
    assert_eq!(script.ops(), ["append 2", "sync", "sync"]);
    assert!(writer.stop_within(Duration::ZERO).is_ok());
}

#[test]
fn the_last_owner_stops_the_writer_even_from_a_callback() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.hold();
    let writer = Arc::new(writer);
    let (send, dropped) = mpsc::channel();
    let owner = Arc::clone(&writer);
    writer
        .append(
            b"a".to_vec(),
            Box::new(move |result| {
                drop(owner);
                send.send(result).unwrap();
            }),
        )
        .unwrap();
    let in_flight = Arc::strong_count(&writer);
    drop(writer);
    assert_eq!(in_flight, 2, "the callback holds the last reference");
    script.release();
    dropped.recv_timeout(PATIENCE).unwrap().unwrap();
    // The lock goes with the thread: only then can another writer have the log.
    wait_until("the thread ended", || {
        Writer::open(place.settings()).is_ok()
    });
    assert_eq!(place.text(), "a\n");
}

#[test]
fn a_callback_that_panics_harms_nobody_else() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.hold();
    queue(&writer, "first");
    script.wait_until_held();
    writer
        .append(b"a".to_vec(), Box::new(|_| panic!("on purpose")))
        .unwrap();
    let same_batch = queue(&writer, "b");
    script.release();
    same_batch.recv_timeout(PATIENCE).unwrap().unwrap();
    store(&writer, "c").unwrap();
    assert_eq!(place.text(), "first\na\nb\nc\n");
    assert_eq!(writer.counters().callback_panics, 1);
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "must not hold a newline")]
fn a_raw_newline_is_a_bug_of_the_caller() {
    let _ = Place::new()
        .writer()
        .append(b"a\nb".to_vec(), Box::new(|_| {}));
}

#[cfg(not(debug_assertions))]
#[test]
fn a_line_with_a_raw_newline_is_refused_on_the_writers_thread() {
    let place = Place::new();
    let writer = place.writer();
    assert!(matches!(
        store(&writer, "a\nb"),
        Err(WriteError::RawNewline)
    ));
    assert_eq!(
        (place.text().as_str(), writer.counters().failed_lines),
        ("", 1)
    );
}
