//! Changes that must be noticed, and what must not count as one.
//!
//! No test sleeps to let another thread get ready: a watch answers for what changed since it was made or last answered.

use super::*;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// So long that only an event can be what woke us.
const NEVER: Duration = Duration::from_secs(3_600);
/// Time after which a test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn eager(events: Events) -> Settings {
    Settings {
        poll: Duration::from_millis(10),
        min_interval: Duration::ZERO,
        events,
    }
}

/// A folder with a log of one line, and a watch on it.
fn log_and_watch(settings: Settings) -> (tempfile::TempDir, PathBuf, Watch, Stop) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("beacon.log");
    fs::write(&log, "one\n").unwrap();
    let stop = Stop::new();
    let path = log.clone();
    let watch = Watch::new(move || vec![path.clone()], settings, &stop);
    (folder, log, watch, stop)
}

fn append(log: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(log)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Answers of `watch`, from a thread of its own.
fn answers(mut watch: Watch) -> mpsc::Receiver<Wake> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        loop {
            let wake = watch.wait();
            if sender.send(wake).is_err() || wake == Wake::Stopped {
                break;
            }
        }
    });
    receiver
}

/// What `change` does is noticed: by events alone, by polling alone, and when it is done before the wait.
fn check(change: impl Fn(&Path)) {
    for events in [Events::Native, Events::Off] {
        let (_folder, log, mut watch, _stop) = log_and_watch(eager(events));
        change(&log);
        assert_ne!(watch.look(), watch.known, "before the wait, {events:?}");
        assert_eq!(watch.wait(), Wake::Changed);
        assert_eq!(watch.look(), watch.known, "one change, one answer");

        let (_folder, log, watch, stop) = log_and_watch(eager(events));
        let answers = answers(watch);
        change(&log);
        assert_eq!(
            answers.recv_timeout(PATIENCE),
            Ok(Wake::Changed),
            "during the wait, {events:?}"
        );
        stop.stop();
    }
    let (_folder, log, watch, stop) = log_and_watch(eager(Events::Native));
    let seen = stop.0.signals().hints;
    change(&log);
    let begun = Instant::now();
    stop.0.sleep(PATIENCE, Some(seen));
    assert!(begun.elapsed() < PATIENCE, "no event came");
    drop(watch);
}

/// Gives a file the time of change that another had: clocks of file systems tick slowly.
fn set_modified(log: &Path, modified: std::time::SystemTime) {
    fs::File::options()
        .append(true)
        .open(log)
        .unwrap()
        .set_modified(modified)
        .unwrap();
}

#[test]
fn an_append_is_noticed_even_within_one_tick_of_the_clock() {
    check(|log| {
        let modified = fs::metadata(log).unwrap().modified().unwrap();
        append(log, "two\n");
        set_modified(log, modified);
    });
}

#[test]
fn a_writer_who_keeps_the_file_open_is_noticed() {
    let (_folder, log, _watch, stop) = log_and_watch(eager(Events::Native));
    let mut file = fs::File::options().append(true).open(&log).unwrap();
    let seen = stop.0.signals().hints;
    file.write_all(b"two\n").unwrap();
    let begun = Instant::now();
    stop.0.sleep(PATIENCE, Some(seen));
    assert!(begun.elapsed() < PATIENCE, "no event came");
}

#[test]
fn another_text_of_the_same_length_is_noticed() {
    check(|log| {
        let modified = fs::metadata(log).unwrap().modified().unwrap();
        fs::write(log, "ONE\n").unwrap();
        set_modified(log, modified + Duration::from_millis(4));
    });
}

#[test]
fn a_truncation_is_noticed() {
    check(|log| drop(fs::File::create(log).unwrap()));
}

#[test]
fn a_removal_is_noticed() {
    check(|log| fs::remove_file(log).unwrap());
}

#[test]
fn a_rotation_is_noticed_even_if_the_new_file_looks_the_same() {
    check(|log| {
        let modified = fs::metadata(log).unwrap().modified().unwrap();
        fs::rename(log, log.with_extension("log.1")).unwrap();
        fs::write(log, "ONE\n").unwrap();
        set_modified(log, modified);
    });
}

#[test]
fn a_folder_that_is_replaced_is_listened_to_again() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    let log = folder.join("beacon.log");
    let stop = Stop::new();
    let path = log.clone();
    // Missing at first, folder and all.
    let mut watch = Watch::new(move || vec![path.clone()], eager(Events::Native), &stop);
    assert!(watch.take_warning().is_none());
    fs::create_dir(&folder).unwrap();
    append(&log, "one\n");
    assert_eq!(watch.wait(), Wake::Changed);
    fs::rename(&folder, outer.path().join("old")).unwrap();
    fs::create_dir(&folder).unwrap();
    append(&log, "one\n");
    assert_eq!(watch.wait(), Wake::Changed);
    assert_eq!(watch.folders.get(&folder), identity_of(&folder).as_ref());
    let seen = stop.0.signals().hints;
    append(&log, "two\n");
    stop.0.sleep(PATIENCE, Some(seen));
    assert_ne!(stop.0.signals().hints, seen, "no event from the new folder");
    assert_eq!(watch.wait(), Wake::Changed);
}

#[test]
fn a_missing_file_that_comes_wakes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("beacon.log");
    let stop = Stop::new();
    let path = log.clone();
    let settings = Settings {
        poll: NEVER,
        min_interval: Duration::ZERO,
        events: Events::Native,
    };
    let answers = answers(Watch::new(move || vec![path.clone()], settings, &stop));
    append(&log, "one\n");
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(Wake::Changed));
    stop.stop();
}

#[test]
fn a_new_match_of_a_glob_is_noticed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = folder.path().join("*.log");
    let stop = Stop::new();
    let text = pattern.display().to_string();
    let paths = move || {
        let found = glob::glob(&text).unwrap().map(Result::unwrap);
        found.chain([PathBuf::from(&text)]).collect()
    };
    let settings = Settings {
        poll: NEVER,
        min_interval: Duration::ZERO,
        events: Events::Native,
    };
    let answers = answers(Watch::new(paths, settings, &stop));
    append(&folder.path().join("a.log"), "one\n");
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(Wake::Changed));
    stop.stop();
}

#[test]
fn reading_is_no_change_and_no_hint() {
    let (folder, log, mut watch, stop) = log_and_watch(eager(Events::Native));
    let seen = stop.0.signals().hints;
    assert_eq!(fs::read(&log).unwrap(), b"one\n");
    // Events come in order: the first hint that arrives would be the reading's.
    fs::create_dir(folder.path().join("later")).unwrap();
    stop.0.sleep(PATIENCE, Some(seen));
    assert_eq!(stop.0.signals().hints, seen + 1);
    assert_eq!(watch.look(), watch.known);
}

#[test]
fn idle_rounds_give_no_answer_and_a_stop_ends_them() {
    for settings in [eager(Events::Off), eager(Events::Native)] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("beacon.log");
        append(&log, "one\n");
        let rounds = Arc::new(AtomicUsize::new(0));
        let (count, path, stop) = (Arc::clone(&rounds), log.clone(), Stop::new());
        let paths = move || {
            count.fetch_add(1, Ordering::Relaxed);
            vec![path.clone()]
        };
        let answers = answers(Watch::new(paths, settings, &stop));
        while rounds.load(Ordering::Relaxed) < 6 {
            assert_eq!(fs::read(&log).unwrap(), b"one\n");
        }
        stop.stop();
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(Wake::Stopped));
    }
}

#[test]
fn a_stop_wakes_at_once_and_for_good() {
    let settings = Settings {
        poll: NEVER,
        min_interval: NEVER,
        events: Events::Off,
    };
    let (_folder, log, mut watch, stop) = log_and_watch(settings);
    append(&log, "two\n");
    assert_eq!(watch.wait(), Wake::Changed);
    // Held back by the interval: the stop must end that sleep too.
    append(&log, "three\n");
    let answers = answers(watch);
    stop.clone().stop();
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(Wake::Stopped));
    assert!(stop.is_stopped());

    let settings = Settings {
        poll: NEVER,
        min_interval: Duration::ZERO,
        events: Events::Off,
    };
    let (_folder, _log, mut watch, stop) = log_and_watch(settings);
    stop.stop();
    assert_eq!(watch.wait(), Wake::Stopped);
    assert_eq!(watch.wait(), Wake::Stopped);
}

#[test]
fn a_stop_wakes_whoever_sleeps() {
    // Several tries, so that some of them find the watch asleep, held back by the interval.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("beacon.log");
        let (looks, looked) = mpsc::channel();
        let path = log.clone();
        let paths = move || {
            let _ = looks.send(());
            vec![path.clone()]
        };
        let settings = Settings {
            poll: NEVER,
            min_interval: NEVER,
            events: Events::Off,
        };
        let stop = Stop::new();
        let mut watch = Watch::new(paths, settings, &stop);
        append(&log, "one\n");
        assert_eq!(watch.wait(), Wake::Changed);
        append(&log, "two\n");
        assert_eq!(looked.try_iter().count(), 2);
        let answers = answers(watch);
        looked.recv_timeout(PATIENCE).unwrap();
        for _ in 0..1_000 {
            thread::yield_now();
        }
        stop.stop();
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(Wake::Stopped));
    }
}

#[test]
fn answers_keep_their_distance_and_the_last_change_gets_one() {
    let interval = Duration::from_millis(300);
    let (_folder, log, mut watch, _stop) = log_and_watch(Settings {
        min_interval: interval,
        ..eager(Events::Native)
    });
    append(&log, "two\n");
    let begun = Instant::now();
    assert_eq!(watch.wait(), Wake::Changed);
    assert!(
        begun.elapsed() < interval,
        "the first answer is not held back"
    );
    let first = Instant::now();
    append(&log, "three\n");
    append(&log, "four\n");
    assert_eq!(watch.wait(), Wake::Changed);
    assert!(interval - Duration::from_millis(5) <= first.elapsed());
    assert_eq!(watch.look(), watch.known, "both changes are in one answer");
}

#[test]
fn a_neighbour_is_no_change() {
    let (folder, _log, mut watch, _stop) = log_and_watch(eager(Events::Off));
    fs::write(folder.path().join("beacon.log.lock"), "").unwrap();
    assert_eq!(watch.look(), watch.known);
}

#[test]
fn the_first_warning_is_given_once() {
    let (_folder, _log, mut watch, _stop) = log_and_watch(eager(Events::Off));
    let warning = |folder: &str| Warning::NoWatch {
        folder: folder.into(),
        source: notify::Error::new(notify::ErrorKind::MaxFilesWatch),
    };
    watch.warn(warning("a"));
    watch.warn(warning("b"));
    assert!(
        watch
            .take_warning()
            .unwrap()
            .to_string()
            .contains("folder `a`")
    );
    watch.warn(warning("c"));
    assert!(watch.take_warning().is_none());
}
