//! The log becomes a segment: because it is due, or because another program says so; and what cuts it under us.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const DAY_MS: u64 = 86_400_000;

fn by_size(bytes: u64) -> impl FnOnce(&mut Settings) {
    move |settings| settings.rotation.size_bytes = Some(bytes)
}

#[test]
fn the_log_is_rotated_before_it_outgrows_its_size() {
    let place = Place::new();
    let (writer, script) = place.scripted_with(by_size(4));
    for line in ["a", "b", "c", "longer than that", "d"] {
        store(&writer, line).unwrap();
    }
    assert_eq!(
        place.names_with("log-"),
        [
            "beacon.log-20261123T160430Z",
            "beacon.log-20261123T160430Z-1",
            "beacon.log-20261123T160430Z-2"
        ]
    );
    assert_eq!(place.text(), "d\n");
    assert_eq!(place.lines(), ["a", "b", "c", "longer than that", "d"]);
    assert_eq!(
        script.ops()[4..10],
        [
            "rename",
            "create",
            "sync directory",
            "append 2",
            "sync",
            "rename"
        ],
        "nothing is acknowledged before the directory is synced"
    );
    let counters = writer.counters();
    assert_eq!((counters.rotations, counters.rotation_failures), (3, 0));
    assert_eq!((counters.reopens, counters.set_asides), (0, 0));
    for name in place.names_with("beacon.log") {
        let mode = fs::metadata(place.dir.path().join(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o137, 0, "{name} has {mode:o}");
    }
}

#[test]
fn each_day_has_a_log_of_its_own_whatever_the_clock_does() {
    let place = Place::new();
    let now_ms = Arc::new(AtomicU64::new(clock()));
    let clock = Arc::clone(&now_ms);
    let (writer, _) = place.scripted_at(Arc::new(move || clock.load(Relaxed)), |settings| {
        settings.rotation.daily = true;
    });
    for (n, step_days) in [0, 0, 1, 0, 366, 0, -700, 0].into_iter().enumerate() {
        let ms = now_ms
            .load(Relaxed)
            .saturating_add_signed(step_days * DAY_MS as i64);
        now_ms.store(ms, Relaxed);
        store(&writer, &n.to_string()).unwrap();
    }
    assert_eq!(writer.counters().rotations, 3);
    assert_eq!(place.lines(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    for ms in [0, u64::MAX, 1, u64::MAX / 2] {
        now_ms.store(ms, Relaxed);
        store(&writer, "any time is a time").unwrap();
    }
    assert_eq!(place.lines().len(), 12);
}

#[test]
fn a_log_of_yesterday_is_rotated_after_a_restart() {
    let place = Place::new();
    fs::write(place.log(), "old\n").unwrap();
    // The file was written today, and the clock says that today is another day.
    let (writer, _) = place.scripted_at(Arc::new(|| 4_000_000_000_000), |settings| {
        settings.rotation.daily = true;
    });
    store(&writer, "new").unwrap();
    assert_eq!(place.text(), "new\n");
    assert_eq!(place.lines(), ["old", "new"]);
}

#[test]
fn a_rotation_that_fails_costs_nothing_and_is_not_tried_with_each_line() {
    type Fault = fn(&Script);
    let faults: [(&str, Fault); 3] = [
        ("rename", |script| script.renames([EIO])),
        ("create", |script| script.creates([ENOSPC])),
        ("directory", |script| script.directories([EIO])),
    ];
    for (name, fault) in faults {
        let place = Place::new();
        let (events, heard) = mpsc::sync_channel(10);
        let (writer, script) = place.scripted_with(|settings| {
            settings.rotation.size_bytes = Some(2);
            settings.retry_gap = Duration::from_secs(3_600);
            settings.listener = Listener::new(move |event| drop(events.try_send(event)));
        });
        store(&writer, "0").unwrap();
        fault(&script);
        for n in 1..10 {
            store(&writer, &n.to_string()).expect(name);
        }
        assert_eq!(place.text().lines().count(), 10, "{name}");
        assert_eq!(place.lines().len(), 10, "{name}");
        assert_eq!(place.names_with("log-").len(), 0, "{name}");
        let counters = writer.counters();
        assert_eq!(
            (
                counters.rotations,
                counters.rotation_failures,
                counters.failures
            ),
            (0, 1, 0),
            "{name}"
        );
        let event = heard.try_recv().unwrap();
        assert!(
            event.to_string().starts_with("cannot rotate beacon log `"),
            "{event}"
        );
    }
}

#[test]
fn a_rotation_that_failed_is_tried_again() {
    let place = Place::new();
    let (writer, script) = place.scripted_with(|settings| {
        settings.rotation.size_bytes = Some(2);
        settings.retry_gap = Duration::ZERO;
    });
    store(&writer, "0").unwrap();
    script.creates([ENOSPC, ENOSPC]);
    for n in 1..4 {
        store(&writer, &n.to_string()).unwrap();
    }
    assert_eq!(place.lines(), ["0", "1", "2", "3"]);
    let counters = writer.counters();
    assert_eq!((counters.rotations, counters.rotation_failures), (1, 2));
}

#[test]
fn a_rotation_that_can_be_neither_finished_nor_undone_loses_no_line() {
    let place = Place::new();
    let (writer, script) = place.scripted_with(by_size(2));
    store(&writer, "0").unwrap();
    script.creates([ENOSPC]);
    script.renames([0, EIO]);
    store(&writer, "1").expect("the second try to make the log succeeds");
    assert_eq!(place.text(), "1\n");
    assert_eq!(place.lines(), ["0", "1"]);
}

#[test]
fn a_log_behind_a_link_is_rotated_where_it_lies() {
    let place = Place::new();
    let disk = place.dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    symlink("disk/real.log", place.log()).unwrap();
    let (writer, _) = place.scripted_with(by_size(2));
    for line in ["a", "b", "c"] {
        store(&writer, line).unwrap();
    }
    assert!(fs::symlink_metadata(place.log()).unwrap().is_symlink());
    assert_eq!(names_with(&disk, "real.log").len(), 3);
    assert_eq!(place.lines(), ["a", "b", "c"]);
}

#[test]
fn a_device_is_not_rotated() {
    let place = Place::new();
    symlink("/dev/null", place.log()).unwrap();
    let writer = Writer::open(Settings {
        durability: Durability::Written,
        rotation: Rotation {
            size_bytes: Some(1),
            daily: true,
        },
        min_free_bytes: u64::MAX,
        ..place.settings()
    })
    .unwrap();
    for _ in 0..3 {
        store(&writer, "a").unwrap();
    }
    assert_eq!(writer.counters().rotations, 0);
}

#[test]
fn a_renamed_log_is_made_again_at_once_when_told_so() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, "a").unwrap();
    for n in 1..4 {
        fs::rename(
            place.log(),
            place.dir.path().join(format!("beacon.log.{n}")),
        )
        .unwrap();
        // However short ago the last look was.
        writer.reopen();
        wait_until("the log is there again", || place.log().exists());
    }
    assert_eq!(place.text(), "");
    store(&writer, "b").unwrap();
    assert_eq!(place.lines(), ["a", "b"]);
}

#[test]
fn a_log_made_by_another_program_is_gone_on_with_when_told_so() {
    let place = Place::new();
    let writer = place.writer();
    store(&writer, "a").unwrap();
    fs::rename(place.log(), place.dir.path().join("beacon.log.1")).unwrap();
    fs::write(place.log(), "").unwrap();
    writer.reopen();
    wait_until("the writer has it", || writer.counters().reopens == 1);
    store(&writer, "b").unwrap();
    assert_eq!(place.text(), "b\n");
    assert_eq!(writer.counters().reopens, 1);
}

#[test]
fn a_log_cut_under_us_is_counted_told_and_gone_on_with() {
    let place = Place::new();
    let (events, heard) = mpsc::sync_channel(1);
    let (writer, _) = place.scripted_with(|settings| {
        settings.listener = Listener::new(move |event| drop(events.try_send(event)))
    });
    for (n, to) in [(0, 0), (1, 4), (2, 7)] {
        store(&writer, &format!("{n} is stored")).unwrap();
        let from = fs::metadata(place.log()).unwrap().len();
        let log = fs::File::options().write(true).open(place.log()).unwrap();
        log.set_len(to).unwrap();
        store(&writer, "next").unwrap();
        assert_eq!(writer.counters().truncations, n + 1);
        let event = heard.try_recv().unwrap();
        assert_eq!(
            event,
            Event::Truncated {
                path: place.log(),
                from_bytes: from,
                to_bytes: to
            }
        );
        let bytes = fs::read(place.log()).unwrap();
        assert!(
            !bytes.contains(&0) && bytes.ends_with(b"next\n"),
            "{bytes:?}"
        );
    }
    // Nobody hears, and nobody waits for that.
    for _ in 0..3 {
        fs::write(place.log(), "").unwrap();
        store(&writer, "x").unwrap();
    }
    assert_eq!(writer.counters().truncations, 6);
}

/// A script that cuts the file in the middle of a batch stands for a program that does.
#[test]
fn a_log_cut_while_a_batch_is_written_is_not_filled_up_with_zeros() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "a long line that is cut").unwrap();
    script.appends([super::script::Append::CutFirst]);
    store(&writer, "b").unwrap_err();
    store(&writer, "c").unwrap();
    let bytes = fs::read(place.log()).unwrap();
    assert!(!bytes.contains(&0), "{bytes:?}");
    assert!(bytes.ends_with(b"c\n"), "{bytes:?}");
}

#[test]
fn a_nearly_full_disk_is_refused_until_there_is_room_again() {
    let place = Place::new();
    let (writer, script) = place.scripted_with(|settings| settings.min_free_bytes = 64 << 20);
    script.free(Some(64 << 20));
    store(&writer, "a").unwrap();
    assert_eq!(writer.counters().free_bytes, Some(64 << 20));
    script.free(Some((64 << 20) - 1));
    wait_until("health knows without traffic", || writer.health().is_err());
    let error = store(&writer, "b").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "disk nearly full, cannot append to beacon log `{}`: 63 MiB are free, 64 are to stay so",
            place.log().display()
        )
    );
    assert_eq!(writer.health(), Err(error.to_string()));
    assert_eq!(place.text(), "a\n");
    script.free(Some(64 << 20));
    wait_until("health knows that there is room", || {
        writer.health().is_ok()
    });
    store(&writer, "c").unwrap();
    script.free(None);
    store(&writer, "d").unwrap();
    assert_eq!(place.text(), "a\nc\nd\n");
}

#[test]
fn lines_alone_find_that_there_is_room_again() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.free(Some(0));
    let mut n_refused = 0;
    wait_until("a line is refused", || store(&writer, "a").is_err());
    script.free(None);
    wait_until("one is taken again", || {
        n_refused += 1;
        store(&writer, "b").is_ok()
    });
    assert!(0 < n_refused);
    assert!(place.text().ends_with("b\n"));
}

#[test]
fn the_real_disk_says_what_is_free() {
    let place = Place::new();
    let writer = Writer::open(Settings {
        min_free_bytes: u64::MAX,
        ..place.settings()
    })
    .unwrap();
    let error = store(&writer, "a").unwrap_err();
    assert!(matches!(error, WriteError::NearlyFull { free_bytes, .. } if 0 < free_bytes));
    drop(writer);
    let writer = Writer::open(Settings {
        min_free_bytes: 0,
        ..place.settings()
    })
    .unwrap();
    store(&writer, "a").unwrap();
    assert!(writer.counters().free_bytes.is_some_and(|free| 0 < free));
}
