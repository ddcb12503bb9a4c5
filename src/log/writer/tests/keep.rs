//! Segments are compressed and, when old enough, removed; nothing else is touched, and a crash is taken up again.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::super::compress::{Refusal, compress};
use super::super::keep::Rounds;
use super::super::queue::Queue;
use super::*;
use crate::log::rotated;

const DAY_S: u64 = 86_400;

/// A keeper without a thread, and the clock it looks at.
struct Stage {
    place: Place,
    rounds: Rounds,
    queue: Arc<Queue>,
    bell: Arc<Bell>,
    now_ms: Arc<AtomicU64>,
    heard: mpsc::Receiver<Event>,
}

impl Stage {
    fn new(keep: Keep) -> Stage {
        Stage::start(keep, 0)
    }

    /// As if the clock were `ahead_s` ahead of when the log last changed.
    fn start(keep: Keep, ahead_s: u64) -> Stage {
        let place = Place::new();
        fs::write(place.log(), "live\n").unwrap();
        changed_at(&place.log(), clock());
        let (events, heard) = mpsc::sync_channel(100);
        let settings = Settings {
            keep,
            min_free_bytes: 0,
            listener: Listener::new(move |event| drop(events.try_send(event))),
            ..place.settings()
        };
        let (queue, bell) = (Arc::new(Queue::new(&settings)), Arc::new(Bell::default()));
        let now_ms = Arc::new(AtomicU64::new(clock() + ahead_s * 1_000));
        let at = Arc::clone(&now_ms);
        let rounds = Rounds::new(
            &settings,
            Arc::clone(&queue),
            Arc::clone(&bell),
            Arc::new(move || at.load(Relaxed)),
        );
        Stage {
            place,
            rounds,
            queue,
            bell,
            now_ms,
            heard,
        }
    }

    fn gzip() -> Stage {
        Stage::new(Keep {
            gzip: true,
            retain_days: None,
        })
    }

    fn retain(days: u32) -> Stage {
        Stage::new(Keep {
            gzip: false,
            retain_days: Some(days),
        })
    }

    fn path(&self, suffix: &str) -> PathBuf {
        rotated::with_suffix(&self.place.log(), suffix)
    }

    fn put(&self, suffix: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(suffix), bytes).unwrap();
        changed_at(&self.path(suffix), clock());
    }

    fn names(&self) -> Vec<String> {
        let names = self.place.names_with("beacon.log").into_iter();
        names
            .map(|name| name["beacon.log".len()..].to_owned())
            .collect()
    }
}

fn changed_at(path: &Path, ms: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    let at = std::time::UNIX_EPOCH + Duration::from_millis(ms);
    file.set_modified(at).unwrap();
}

#[test]
fn segments_of_ours_are_compressed_and_nothing_else() {
    let mut stage = Stage::gzip();
    let others = [
        ".1",
        "-20261122",
        "-20261122T170000",
        "-20261122T170000Z-0",
        "-20261122T170000Z.bak",
        ".torn-1795449870771",
        ".lock",
    ];
    for other in others {
        stage.put(other, "theirs\n");
    }
    symlink(stage.place.log(), stage.path("-20261122T180000Z")).unwrap();
    fs::create_dir(stage.path("-20261122T190000Z")).unwrap();
    stage.put("-20261122T170000Z", "1\n");
    // More than one step of everything, and not easily compressed.
    let mut random = fastrand::Rng::with_seed(1);
    let long: String = (0..60_000)
        .map(|_| format!("{}\n", random.u64(..)))
        .collect();
    stage.put("-20261122T170000Z-1", &long);
    stage.put("-20261122T170000Z-2", "");
    let before = stage.place.lines();
    stage.rounds.round();

    let mut expect: Vec<String> = ["", "-20261122T180000Z", "-20261122T190000Z"]
        .into_iter()
        .chain(others)
        .map(str::to_owned)
        .collect();
    expect.extend(["", "-1", "-2"].map(|n| format!("-20261122T170000Z{n}.gz")));
    expect.sort();
    assert_eq!(stage.names(), expect);
    assert_eq!(stage.place.lines(), before);
    assert_eq!(stage.queue.counters().segments_compressed, 3);
    let mode = fs::metadata(stage.path("-20261122T170000Z.gz"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    stage.rounds.round();
    assert_eq!(
        stage.queue.counters().segments_compressed,
        3,
        "once is enough"
    );
    assert!(stage.heard.try_recv().is_err());
}

#[test]
fn a_crash_anywhere_is_taken_up_again() {
    let mut stage = Stage::gzip();
    // While the copy was made; after it was named, before the plain one was removed, with a copy cut by the crash.
    stage.put("-20261122T170000Z", "1\n");
    stage.put("-20261122T170000Z.gz.tmp", "half a co");
    stage.put("-20261122T180000Z", "2\n");
    stage.put("-20261122T180000Z.gz", "\u{1f}half a co");
    stage.put("-20261122T190000Z.gz.tmp", "of a segment that is gone");
    assert_eq!(stage.place.lines(), ["1", "2", "live"]);
    stage.rounds.round();
    assert_eq!(
        stage.names(),
        ["", "-20261122T170000Z.gz", "-20261122T180000Z.gz"]
    );
    assert_eq!(stage.place.lines(), ["1", "2", "live"]);
}

#[test]
fn a_segment_stays_where_there_is_no_room_or_no_time_for_its_copy() {
    let mut stage = Stage::gzip();
    stage.put("-20261122T170000Z", "1\n");
    let settings = Settings {
        keep: Keep {
            gzip: true,
            retain_days: None,
        },
        min_free_bytes: u64::MAX,
        ..stage.place.settings()
    };
    let clock: Clock = Arc::new(clock);
    let mut full = Rounds::new(&settings, Arc::clone(&stage.queue), Arc::default(), clock);
    full.round();
    assert_eq!(stage.names(), ["", "-20261122T170000Z"]);
    assert_eq!(stage.queue.counters().compression_failures, 1);

    // A folder has the name of the copy.
    fs::create_dir(stage.path("-20261122T170000Z.gz")).unwrap();
    stage.rounds.round();
    let event = stage.heard.try_recv().unwrap();
    assert!(matches!(event, Event::CompressionFailed { .. }), "{event}");
    assert_eq!(
        stage.names(),
        ["", "-20261122T170000Z", "-20261122T170000Z.gz"]
    );
    fs::remove_dir(stage.path("-20261122T170000Z.gz")).unwrap();

    stage.bell.begin_stop();
    stage.rounds.round();
    assert_eq!(stage.names(), ["", "-20261122T170000Z"]);
    assert_eq!(stage.place.lines(), ["1", "live"]);
}

/// Somebody still writes to it, under whatever name.
#[test]
fn a_segment_that_is_not_what_was_copied_stays() {
    let stage = Stage::gzip();
    stage.put("-20261122T170000Z", "1\n");
    let (segments, _) = rotated::list(&stage.place.log()).unwrap();
    for change_at in 3..5 {
        let n_steps = std::cell::Cell::new(0);
        let outcome = compress(&segments[0], 0, || {
            n_steps.set(n_steps.get() + 1);
            if n_steps.get() == change_at {
                let mut log = fs::File::options()
                    .append(true)
                    .open(&segments[0].path)
                    .unwrap();
                std::io::Write::write_all(&mut log, b"2\n").unwrap();
            }
            false
        });
        assert!(matches!(outcome, Err(Refusal::Failed(_))), "at {change_at}");
        assert_eq!(stage.names(), ["", "-20261122T170000Z"]);
    }
}

#[test]
fn a_copy_that_holds_another_segment_is_not_replaced() {
    let stage = Stage::gzip();
    stage.put("-20261122T170000Z", "1\n2\n");
    let (segments, _) = rotated::list(&stage.place.log()).unwrap();
    let copy = segments[0].compressed_path();
    let pack = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for another in ["3\n", "1\n2\n3\n"] {
        let packed = pack(another);
        fs::write(&copy, &packed).unwrap();
        let outcome = compress(&segments[0], 0, || false);
        assert!(matches!(outcome, Err(Refusal::Failed(_))), "{another:?}");
        assert_eq!(fs::read(&copy).unwrap(), packed);
        assert!(segments[0].path.exists());
    }
    // Its maker came no further, or all the way.
    for own in [&pack("1\n")[..], &pack("1\n2\n")[..9], &pack("1\n2\n")] {
        fs::write(&segments[0].path, "1\n2\n").unwrap();
        fs::write(&copy, own).unwrap();
        assert!(matches!(compress(&segments[0], 0, || false), Ok(())));
        assert_eq!(stage.place.lines(), ["1", "2", "live"]);
        assert!(!segments[0].path.exists());
    }
}

#[test]
fn old_segments_of_ours_are_removed_and_nothing_else() {
    let mut stage = Stage::retain(7);
    // It is 2026-11-23T16:04:30Z.
    let kept = [
        "-20261116T160430Z",
        "-20261116T160430Z-1.gz",
        "-20991231T235959Z",
        ".1",
        "-20200101",
        "-20200101T000000Z.zst",
        "-20200101T000000Z.bak",
        ".torn-1577836800000",
        ".lock",
    ];
    for name in kept {
        stage.put(name, "1\n");
    }
    fs::create_dir(stage.path("-20200101T000001Z")).unwrap();
    for name in [
        "-20261116T160429Z",
        "-20261116T160429Z-12.gz",
        "-20200101T000000Z",
        "-20200101T000000Z.gz",
        "-19700101T000000Z",
    ] {
        stage.put(name, "2\n");
    }
    stage.rounds.round();
    let mut expect: Vec<&str> = kept.to_vec();
    expect.extend(["", "-20200101T000001Z"]);
    expect.sort_unstable();
    assert_eq!(stage.names(), expect);
    assert_eq!(stage.queue.counters().segments_removed, 4);
}

#[test]
fn a_clock_that_is_ahead_from_the_start_removes_nothing() {
    let retain = Keep {
        gzip: false,
        retain_days: Some(7),
    };
    for (ahead_s, n_left) in [(DAY_S - 60, 1), (DAY_S + 60, 2), (366 * DAY_S, 2)] {
        let mut stage = Stage::start(retain.clone(), ahead_s);
        stage.put("-20261101T000000Z", "1\n");
        stage.rounds.round();
        assert_eq!(stage.names().len(), n_left, "{ahead_s}");
    }
}

#[test]
fn a_name_from_a_clock_that_was_ahead_keeps_nothing_for_ever() {
    let mut stage = Stage::retain(7);
    for (name, days) in [("-20991231T235959Z", 8), ("-20991231T235959Z-1", 6)] {
        stage.put(name, "1\n");
        changed_at(&stage.path(name), clock() - days * DAY_S * 1_000);
    }
    stage.rounds.round();
    assert_eq!(stage.names(), ["", "-20991231T235959Z-1"]);
}

#[test]
fn a_clock_that_was_just_set_removes_nothing() {
    let mut stage = Stage::retain(7);
    stage.put("-20261120T000000Z", "1\n");
    stage.rounds.round();
    for jump_s in [366 * DAY_S as i64, -800 * DAY_S as i64, i64::MAX / 2_000] {
        let ms = clock().saturating_add_signed(jump_s * 1_000);
        stage.now_ms.store(ms, Relaxed);
        stage.rounds.round();
        stage.rounds.round();
        assert_eq!(stage.names(), ["", "-20261120T000000Z"], "{jump_s}");
    }
}

#[test]
fn the_keeper_works_beside_the_writer_and_ends_with_it() {
    let place = Place::new();
    let settings = || Settings {
        rotation: Rotation {
            size_bytes: Some(4),
            daily: false,
        },
        keep: Keep {
            gzip: true,
            retain_days: Some(30),
        },
        min_free_bytes: 0,
        ..place.settings()
    };
    fs::write(place.dir.path().join("beacon.log-20200101T000000Z.gz"), "x").unwrap();
    // A log of just now: the clock is believed from the start.
    fs::write(place.log(), "0\n").unwrap();
    let writer = Writer::open(settings()).unwrap();
    for line in ["a", "b", "c", "d"] {
        store(&writer, line).unwrap();
    }
    wait_until(
        "both segments are compressed and the old one is gone",
        || {
            let counters = writer.counters();
            (counters.segments_compressed, counters.segments_removed) == (2, 1)
        },
    );
    assert_eq!(place.lines(), ["0", "a", "b", "c", "d"]);
    assert_eq!(place.names_with(".gz").len(), 2);
    writer.stop();
    // The lock is let go by both threads: otherwise this would be refused.
    drop(Writer::open(settings()).unwrap());
}

/// A keeper whose round does not end before the sender that comes with it is dropped. The writer has opened its log anew
/// `meanwhile`.
fn busy_keeper(place: &Place, meanwhile: impl FnOnce()) -> (Writer, mpsc::Sender<()>) {
    let ((tell, heard), (release, held)) = (mpsc::channel(), mpsc::channel());
    let (tell, held) = (Mutex::new(tell), Mutex::new(held));
    let settings = Settings {
        keep: Keep {
            gzip: true,
            retain_days: None,
        },
        min_free_bytes: 0,
        listener: Listener::new(move |_| {
            let _ = tell.lock().unwrap().send(());
            let _: Result<(), _> = held.lock().unwrap().recv();
        }),
        ..place.settings()
    };
    // It cannot be compressed: a folder has the name of the copy.
    let segment = rotated::with_suffix(&place.log(), "-20261122T170000Z");
    fs::write(&segment, "1\n").unwrap();
    fs::create_dir(rotated::with_suffix(&segment, ".gz")).unwrap();
    let writer = Writer::open(settings).unwrap();
    heard.recv_timeout(PATIENCE).unwrap();
    meanwhile();
    store(&writer, "a").unwrap();
    (writer, release)
}

/// Until it is released; then nobody has.
fn the_keeper_has_the_lock(place: &Place, release: mpsc::Sender<()>) {
    let second = Writer::open(place.settings());
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );
    drop(release);
    wait_until("the keeper ended", || {
        Writer::open(place.settings()).is_ok()
    });
}

#[test]
fn a_stop_does_not_wait_for_a_keeper_that_is_stuck() {
    let place = Place::new();
    let (writer, release) = busy_keeper(&place, || ());
    wait_until("the writer ended", || {
        writer.stop_within(Duration::ZERO).is_ok()
    });
    drop(writer);
    the_keeper_has_the_lock(&place, release);
}

#[test]
fn a_lock_that_was_taken_anew_is_held_by_the_keeper_too() {
    let place = Place::new();
    let (writer, release) = busy_keeper(&place, || {
        // As it goes with the folder of the log.
        fs::remove_file(rotated::with_suffix(&place.log(), ".lock")).unwrap();
        fs::rename(place.log(), place.dir.path().join("moved")).unwrap();
    });
    wait_until("the writer ended", || {
        writer.stop_within(Duration::ZERO).is_ok()
    });
    the_keeper_has_the_lock(&place, release);
}
