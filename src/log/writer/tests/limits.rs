//! Limits: of the queue, of a batch, of the disk and of the process.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::script::Append;
use super::*;

#[test]
fn a_full_queue_gives_the_callback_back() {
    let place = Place::new();
    let (writer, script) = place.scripted_with(|settings| settings.queue_records_max = 3);
    script.hold();
    let mut fates = vec![queue(&writer, "under way")];
    script.wait_until_held();
    fates.extend(["1", "2", "3"].map(|line| queue(&writer, line)));
    assert_eq!(writer.counters().queue_depth, 3);

    let (send, called) = mpsc::channel();
    let Err(Busy(done)) = writer.append(
        b"4".to_vec(),
        Box::new(move |_| send.send("called").unwrap()),
    ) else {
        panic!("the queue is full");
    };
    assert_eq!(
        called.try_recv(),
        Err(mpsc::TryRecvError::Empty),
        "given back uncalled"
    );
    done(Ok(()));
    assert_eq!(called.try_recv(), Ok("called"), "and it is the same one");

    script.release();
    for fate in fates {
        fate.recv_timeout(PATIENCE).unwrap().unwrap();
    }
    store(&writer, "5").expect("there is room again");
    assert_eq!(place.text(), "under way\n1\n2\n3\n5\n");
    assert_eq!(writer.counters().busy, 1);
}

#[test]
fn what_is_told_in_order_with_lines_waits_for_those_before_it() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.appends([Append::Fine, Append::Fails(0, 5)]);
    script.hold();
    let (send, told) = mpsc::channel();
    let tell = |word: &'static str| {
        let send = send.clone();
        Box::new(move |fate: Result<(), WriteError>| send.send((word, fate.is_ok())).unwrap())
    };
    writer.append(b"1".to_vec(), tell("first")).unwrap();
    script.wait_until_held();
    writer.after_all(tell("second"));
    writer.append(b"2".to_vec(), tell("third")).unwrap();
    writer.after_all(tell("fourth"));
    assert!(told.try_recv().is_err(), "the first is not stored yet");
    script.release();
    let heard: Vec<(&str, bool)> = told.iter().take(4).collect();
    assert_eq!(
        heard,
        [
            ("first", true),
            ("second", true),
            ("third", false),
            ("fourth", true)
        ]
    );
    writer.stop();
    writer.after_all(tell("after the end"));
    assert_eq!(told.try_recv(), Ok(("after the end", true)));
    assert_eq!(place.text(), "1\n");
}

#[test]
fn a_disk_that_does_not_answer_is_told_until_it_does() {
    let place = Place::new();
    let stuck_after = Duration::from_millis(20);
    let (writer, script) = place.scripted_with(|settings| settings.stuck_after = stuck_after);
    script.hold();
    let (send, told) = mpsc::channel();
    let done = Box::new(move |fate: Result<(), WriteError>| send.send(fate).unwrap());
    writer.append(b"1".to_vec(), done).unwrap();
    wait_until("the disk counts as stuck", || writer.is_stuck());
    let reason = writer.health().unwrap_err();
    assert!(reason.starts_with("the disk of the log has not answered for "));
    script.release();
    assert!(told.recv_timeout(PATIENCE).unwrap().is_ok());
    wait_until("it is not stuck any more", || {
        !writer.is_stuck() && writer.health().is_ok()
    });
    assert_eq!(place.text(), "1\n");
}

#[test]
fn a_queue_of_large_lines_is_bounded_in_bytes() {
    let place = Place::new();
    let (writer, script) = place.scripted();
    script.hold();
    queue(&writer, "under way");
    script.wait_until_held();
    let line = vec![b'x'; (1 << 20) - 1];
    let taken = (0..100)
        .take_while(|_| writer.append(line.clone(), Box::new(|_| {})).is_ok())
        .count();
    script.release();
    assert_eq!(taken, 16, "16 MiB, newlines counted");
}

#[test]
fn batches_keep_to_their_limits() {
    let place = Place::new();
    let (writer, script) = place.scripted_with(|settings| {
        settings.batch_records_max = 3;
        settings.batch_bytes_max = 10;
    });
    script.hold();
    let mut fates = vec![queue(&writer, "-")];
    script.wait_until_held();
    let lines = [
        "1",
        "2",
        "3",
        "4",
        "sixteen bytes...",
        "5",
        "seven..",
        "four",
        "abcde",
        "x",
    ];
    fates.extend(lines.map(|line| queue(&writer, line)));
    script.release();
    for fate in fates {
        fate.recv_timeout(PATIENCE).unwrap().unwrap();
    }
    let appends: Vec<String> = script
        .ops()
        .into_iter()
        .filter(|op| op.starts_with("append"))
        .collect();
    assert_eq!(
        appends,
        [
            "append 2",  // -
            "append 6",  // three records
            "append 2",  // the next is too long to go with it
            "append 17", // too long for any batch, goes alone
            "append 10", // fits exactly
            "append 5",  // the next is one byte too long to go with it
            "append 8",
        ]
    );
    assert_eq!(place.text(), format!("-\n{}\n", lines.join("\n")));
}

#[test]
fn a_device_that_is_always_full_is_a_full_disk() {
    let place = Place::new();
    symlink("/dev/full", place.log()).unwrap();
    for durability in [Durability::Synced, Durability::Written] {
        let writer = Writer::open(Settings {
            durability,
            ..place.settings()
        })
        .unwrap();
        for _ in 0..3 {
            let error = store(&writer, "a").unwrap_err();
            assert!(matches!(error, WriteError::DiskFull { .. }), "{error:?}");
            assert!(writer.health().unwrap_err().starts_with("disk full"));
        }
        assert_eq!(
            (writer.counters().lines, writer.counters().failures),
            (0, 3)
        );
        // Long enough for a check to come and go: what cannot be probed is not called sound.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(100) {
            assert!(writer.health().is_err());
        }
    }
    assert!(place.names_with("torn").is_empty());
}

/// The limit is set by a shell for a child: this very test, told by the variable to play the writer's part.
#[test]
fn at_the_limit_of_a_files_size_lines_fail_until_the_log_is_rotated() {
    const CHILD: &str = "CALL_METRICS_TEST_LIMITED_LOG";
    if let Some(path) = std::env::var_os(CHILD) {
        return write_up_to_the_limit(Path::new(&path));
    }
    let place = Place::new();
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new("sh")
        // Without the trap the signal that comes with the limit ends the process; `serve` ignores it likewise.
        .args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, place.log())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(place.text(), "after\n", "the child did its part");
}

fn write_up_to_the_limit(path: &Path) {
    let writer = Writer::open(Settings::new(path)).unwrap();
    let line = "x".repeat(9_000);
    let mut stored = 0;
    let error = loop {
        match store(&writer, &line) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "no limit in force");
    };
    assert!(0 < stored);
    assert!(
        matches!(
            error,
            WriteError::Short { .. } | WriteError::DiskFull { .. }
        ),
        "{error:?}"
    );
    for _ in 0..3 {
        store(&writer, &line).unwrap_err();
        assert_eq!(
            fs::metadata(path).unwrap().len(),
            stored * 9_001,
            "whole lines only"
        );
    }
    store(&writer, "small").expect("what fits is taken");
    store(&writer, &line).unwrap_err();
    fs::rename(path, path.with_extension("1")).unwrap();
    store(&writer, "after").unwrap();
}
