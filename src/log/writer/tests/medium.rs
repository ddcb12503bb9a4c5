//! The disk fails: nothing half-written stays, nothing doubtful is acknowledged, and work goes on.

use super::script::Append;
use super::*;

const EIO: i32 = 5;
const EACCES: i32 = 13;
const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

#[test]
fn a_short_write_is_cut_back_and_fails() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "good").unwrap();
    for n in 0..5 {
        script.appends([Append::Short(n)]);
        let error = store(&writer, "lost").unwrap_err();
        assert!(
            matches!(error, WriteError::Short { written, wanted: 5, .. } if written == n as u64),
            "{error:?}"
        );
        assert_eq!(place.text(), "good\n", "{n} bytes");
    }
    store(&writer, "next").unwrap();
    assert_eq!(place.text(), "good\nnext\n");
    let counters = writer.counters();
    assert_eq!(
        (
            counters.lines,
            counters.failures,
            counters.failed_lines,
            counters.reopens
        ),
        (2, 5, 5, 0)
    );
}

#[test]
fn a_short_write_that_claims_to_be_whole_is_found_out() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "good").unwrap();
    for n in [0, 3, 4] {
        script.appends([Append::Lie(n)]);
        assert!(
            matches!(store(&writer, "lost"), Err(WriteError::Short { .. })),
            "{n}"
        );
        assert_eq!(place.text(), "good\n");
    }
}

#[test]
fn errors_of_a_write_are_sorted_and_leave_nothing_behind() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    for (error, full) in [
        (ENOSPC, true),
        (EDQUOT, true),
        (EFBIG, true),
        (EIO, false),
        (EACCES, false),
        (EROFS, false),
    ] {
        script.appends([Append::Fails(3, error)]);
        let failure = store(&writer, "lost").unwrap_err();
        assert_eq!(
            matches!(failure, WriteError::DiskFull { .. }),
            full,
            "{failure:?}"
        );
        assert_eq!(
            matches!(failure, WriteError::Append { .. }),
            !full,
            "{failure:?}"
        );
        assert_eq!(place.text(), "");
    }
    store(&writer, "next").unwrap();
    assert_eq!(place.text(), "next\n");
}

#[test]
fn every_line_of_a_failed_batch_hears_of_it_and_none_stays() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.hold();
    let first = queue(&writer, "first");
    script.wait_until_held();
    let batch: Vec<_> = (0..10).map(|n| queue(&writer, &n.to_string())).collect();
    script.appends([Append::Fine, Append::Fails(15, ENOSPC)]);
    script.release();
    first.recv_timeout(PATIENCE).unwrap().unwrap();
    for fate in batch {
        assert!(matches!(
            fate.recv_timeout(PATIENCE).unwrap(),
            Err(WriteError::DiskFull { .. })
        ));
    }
    assert_eq!(place.text(), "first\n");
    assert_eq!(
        (writer.counters().failures, writer.counters().failed_lines),
        (1, 10)
    );
}

#[test]
fn what_cannot_be_cut_back_is_sealed_before_the_next_line() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "good").unwrap();
    script.appends([Append::Fails(3, EIO)]);
    script.truncates([EIO]);
    store(&writer, "lost").unwrap_err();
    assert_eq!(place.text(), "good\nlos", "the disk refused to cut");
    store(&writer, "next").unwrap();
    assert_eq!(place.text(), "good\nnext\n");
    assert_eq!(place.names_with("torn"), ["beacon.log.torn-1795449870771"]);
    let counters = writer.counters();
    assert_eq!((counters.reopens, counters.sealed_tails), (1, 1));
}

#[test]
fn after_a_failed_sync_lines_go_into_a_fresh_file_that_was_tried_out() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "a").unwrap();
    script.syncs([EIO]);
    let error = store(&writer, "b").unwrap_err();
    assert!(matches!(error, WriteError::Sync { .. }), "{error:?}");
    assert!(writer.health().is_err());
    store(&writer, "c").unwrap();
    assert_eq!(writer.health(), Ok(()));
    assert_eq!(place.text(), "c\n");
    // The doubtful line is whole and stays, unacknowledged, where a reader finds it.
    assert_eq!(place.lines(), ["a", "b", "c"]);
    assert_eq!(place.names_with("log-"), ["beacon.log-20261123T160430Z"]);
    let expect = [
        "append 2",
        "sync",
        "append 2",
        "sync",
        "rename",
        "create",
        "sync directory",
        "append 65536",
        "sync",
        "truncate 0",
        "append 2",
        "sync",
    ];
    assert_eq!(script.ops(), expect);
    let counters = writer.counters();
    assert_eq!((counters.lines, counters.syncs), (2, 3));
    assert_eq!((counters.sync_failures, counters.set_asides), (1, 1));
    assert_eq!(counters.reopens, 1);
}

#[test]
fn while_syncs_fail_nothing_is_acknowledged_and_no_second_file_begun() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "before").unwrap();
    script.syncs([EIO; 20]);
    for n in 0..20 {
        let error = store(&writer, &n.to_string()).unwrap_err();
        assert!(matches!(error, WriteError::Sync { .. }), "{error:?}");
    }
    assert_eq!(place.names_with("log-").len(), 1);
    assert_eq!(
        place.text(),
        "",
        "nothing is left behind of a file that fails"
    );
    store(&writer, "at last").unwrap();
    assert_eq!(place.lines(), ["before", "0", "at last"]);
    assert_eq!(writer.counters().lines, 2);
    assert!(place.names_with("torn").is_empty());
}

#[test]
fn health_alone_finds_the_way_into_a_fresh_file() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.syncs([EIO, EIO]);
    store(&writer, "a").unwrap_err();
    wait_until("a fresh file was synced", || writer.health().is_ok());
    assert_eq!(writer.counters().sync_failures, 2);
    assert_eq!(place.text(), "");
    assert_eq!(place.lines(), ["a"]);
}

#[test]
fn a_disk_that_fails_now_and_then_gets_no_fresh_file_each_time() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.syncs([EIO]);
    store(&writer, "a").unwrap_err();
    store(&writer, "b").unwrap();
    script.syncs([EIO]);
    store(&writer, "c").unwrap_err();
    for _ in 0..3 {
        let error = store(&writer, "d").unwrap_err();
        assert!(matches!(error, WriteError::Resting { .. }), "{error:?}");
    }
    assert!(writer.health().is_err());
    assert_eq!(writer.counters().set_asides, 1);
    assert_eq!(place.lines(), ["a", "b", "c"]);
}

#[test]
fn a_doubted_log_that_cannot_be_set_aside_takes_no_line() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "a").unwrap();
    script.syncs([EIO]);
    store(&writer, "b").unwrap_err();
    script.renames([EROFS]);
    store(&writer, "c").unwrap_err();
    script.creates([ENOSPC]);
    store(&writer, "d").unwrap_err();
    script.directories([EIO]);
    store(&writer, "e").unwrap_err();
    store(&writer, "f").unwrap();
    assert_eq!(place.lines(), ["a", "b", "f"]);
    assert_eq!(place.names_with("log-").len(), 1);
}

#[test]
fn a_doubted_log_that_another_program_moved_is_not_sought() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.syncs([EIO]);
    store(&writer, "a").unwrap_err();
    fs::rename(place.log(), place.dir.path().join("beacon.log.1")).unwrap();
    fs::write(place.log(), "theirs\n").unwrap();
    script.syncs([EIO]);
    store(&writer, "b").unwrap_err();
    store(&writer, "c").unwrap();
    assert_eq!(place.text(), "theirs\nc\n");
    assert_eq!(writer.counters().set_asides, 0);
}

#[test]
fn a_panic_below_fails_the_batch_and_the_thread_lives() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.appends([Append::Panics]);
    assert!(matches!(store(&writer, "a"), Err(WriteError::Internal)));
    store(&writer, "b").unwrap();
    assert_eq!(place.text(), "b\n");
}

#[test]
fn health_says_why_and_recovers_without_traffic() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    store(&writer, "a").unwrap();
    // The first probe still finds the disk full, the second does not.
    script.appends([Append::Fails(1, ENOSPC), Append::Fails(9, ENOSPC)]);
    store(&writer, "b").unwrap_err();
    let reason = writer.health().unwrap_err();
    assert_eq!(
        reason,
        format!(
            "disk full, cannot append to beacon log `{}`: No space left on device (os error 28)",
            place.log().display()
        )
    );
    wait_until("the log is sound again", || writer.health().is_ok());
    let ops = script.ops();
    assert_eq!(
        ops[2..],
        [
            "append 2",
            "truncate 2",
            "append 65536",
            "truncate 2",
            "append 65536",
            "sync",
            "truncate 2"
        ]
    );
    assert_eq!(place.text(), "a\n", "probes leave nothing behind");
    store(&writer, "c").unwrap();
    assert_eq!(place.text(), "a\nc\n");
}

#[test]
fn a_stored_line_is_as_good_as_a_probe() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.appends([Append::Fails(0, EROFS)]);
    store(&writer, "a").unwrap_err();
    store(&writer, "b").unwrap();
    assert_eq!(writer.health(), Ok(()));
}
