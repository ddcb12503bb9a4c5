//! Builds that go on where the last one ended give the same bytes as one from the beginning, whatever happened to the logs.

use crate::support::program::{Folder, beacon, files, wait_for};
use call_metrics::metric::Standards;
use call_metrics::report::{self, Note, Settings};
use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{LazyLock, Mutex};

const T: i64 = 1_795_449_870_000;
static ZONES: LazyLock<[TimeZone; 3]> = LazyLock::new(|| {
    let fixed = |hours| TimeZone::fixed(jiff::tz::offset(hours));
    [TimeZone::UTC, fixed(7), fixed(-9)]
});

/// Builds `out` of `logs`; gives what the user hears.
fn build(
    folder: &Folder,
    logs: &[&str],
    out: &str,
    change: impl FnOnce(&mut Settings<'_>),
) -> Vec<String> {
    let standards = Standards::default();
    let logs: Vec<String> = logs
        .iter()
        .map(|log| folder.path(log).display().to_string())
        .collect();
    let out = folder.path(out);
    let mut settings = Settings {
        logs: &logs,
        out: &out,
        state: None,
        full: false,
        prune: false,
        zone: &ZONES[0],
        standards: &standards,
        now_ms: T,
    };
    change(&mut settings);
    let heard = Mutex::new(Vec::new());
    report::build(&settings, &|note| heard.lock().unwrap().extend(said(note))).unwrap();
    heard.into_inner().unwrap()
}

fn said(note: Note) -> Option<String> {
    Some(match note {
        Note::Progress(_) => return None,
        // A test beside this one that starts a program holds our lock, too, until that program runs.
        Note::Waiting => return None,
        Note::StartOver(reason) => reason,
        other => format!("{other:?}"),
    })
}

/// All files of a folder with their content, but for what a build that was killed left half written: it is swept later.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.display().to_string().contains("/.new-") {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What a person's clock shows at `at_ms`: one has the right one, one is hours off, one sets theirs in the middle.
fn clock_of(person: u8, at_ms: i64) -> i64 {
    match person {
        0 => at_ms,
        1 => at_ms + 5_000_000,
        _ if at_ms < T + 240_000 => at_ms,
        _ => at_ms - 7_000_000,
    }
}

/// A beacon as they come every 15 s, most of them at once and some late, with events of the same clock.
fn timely(rng: &mut Rng) -> String {
    let person = rng.u8(..3);
    let at_ms = T + 15_000 * rng.i64(0..30);
    let shown_ms = clock_of(person, at_ms);
    let late_ms = if rng.u8(..6) == 0 {
        rng.i64(0..300_000)
    } else {
        rng.i64(0..3_000)
    };
    let (event, cpu) = (
        ["connected", "interrupted"][rng.usize(..2)],
        ["high", "low"][rng.usize(..2)],
    );
    format!(
        "{{\"room\":\"r0\",\"meetingSessionId\":\"clocks{}\",\"sessionId\":\"s{person}\",\"stats\":{{\"latest\":{{\"timestamp\":{shown_ms},\"videoSendBitsPerSecond\":{}}}}},\
         \"events\":[{{\"t\":{shown_ms},\"type\":\"network-connection\",\"connection\":\"sfu\",\"event\":\"{event}\"}},\
         {{\"t\":{shown_ms},\"type\":\"cpu-load-change\",\"cpuLoadState\":\"{cpu}\"}},{{\"t\":{shown_ms},\"type\":\"camera-state\",\"state\":\"playable\"}}],\
         \"_rx\":{{\"t\":{}}}}}\n",
        rng.u8(..2),
        rng.i64(0..300_000),
        at_ms + late_ms,
    )
}

/// A beacon of one of many calls, of several rooms and days. Some calls turn out to have begun on the day before, or never.
fn spread(rng: &mut Rng) -> String {
    let nth = rng.usize(0..24);
    let day_ms = 86_400_000 * (nth as i64 % 5);
    let at_ms = match rng.u8(..12) {
        0 => T - day_ms - 86_400_000,
        1 => 9_000_000_000_000_000,
        _ => T - day_ms + rng.i64(0..100_000),
    };
    meeting(["r0", "x", "y", "z"][nth % 4], nth, at_ms)
}

/// A line that meets others: few rooms, meetings, people and instants; some are no beacons.
fn line(rng: &mut Rng) -> String {
    if rng.u8(..12) == 0 {
        return ["", "nonsense", "{}", "[1]"][rng.usize(..4)].to_owned() + "\n";
    }
    match rng.u8(..4) {
        0 | 1 => return timely(rng),
        2 => return spread(rng),
        _ => {}
    }
    let mut some = |name: &str, below: i64| match rng.bool() {
        true => format!(r#","{name}":{}"#, rng.i64(0..below)),
        false => String::new(),
    };
    let stats = some("totalRecvPacketLoss", 2) + &some("recvBitsPerSecond", 900);
    let members = some("seq", 6);
    let received = match rng.bool() {
        true => format!(r#","_rx":{{"t":{}}}"#, T + rng.i64(0..90_000)),
        false => String::new(),
    };
    let latest = match rng.u8(..5) {
        0 => String::new(),
        _ => format!(
            r#""latest":{{"timestamp":{}{stats}}}"#,
            T + 2_000 * rng.i64(0..30)
        ),
    };
    format!(
        "{{\"room\":\"r{}\",\"meetingSessionId\":\"m{}\",\"sessionId\":\"s{}\",\"stats\":{{{latest}}}{members}{received}}}\n",
        rng.u8(..2),
        rng.u8(..3),
        rng.u8(..3),
    )
}

fn append(path: &Path, bytes: &[u8]) {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn gzip(path: &Path) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(format!("{}.gz", path.display()), encoder.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

/// Something that happens to one of two logs. Whether a build has to see it before anything else does: a log that is written anew,
/// rotated and compressed between two builds looks like one that was removed, and calls of those stay.
fn happen(folder: &Folder, rng: &mut Rng, n_segments: &mut u32) -> bool {
    let name = ["a.log", "b.log"][rng.usize(..2)];
    let log = folder.path(name);
    match rng.u8(..10) {
        0 => {
            *n_segments += 1;
            let segment = folder.path(&format!("{name}-20261123T1700{n_segments:02}Z"));
            fs::rename(&log, &segment).unwrap();
            append(&log, b"");
            if rng.bool() {
                append(&segment, line(rng).as_bytes());
            }
        }
        1 => {
            let mut segments: Vec<_> = fs::read_dir(folder.path(""))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            segments.retain(|path| {
                path.extension()
                    .is_some_and(|it| it.to_string_lossy().ends_with('Z'))
            });
            segments.sort();
            if let Some(segment) = segments.first() {
                gzip(segment);
            }
        }
        // As `copytruncate` does.
        2 => {
            *n_segments += 1;
            fs::copy(
                &log,
                folder.path(&format!("{name}-20261123T1700{n_segments:02}Z")),
            )
            .unwrap();
            fs::write(&log, "").unwrap();
        }
        // Half a line, which the next one completes to nonsense or to a beacon.
        3 => append(&log, &line(rng).as_bytes()[..1]),
        4 => {
            fs::write(&log, line(rng)).unwrap();
            return true;
        }
        _ => (0..rng.u8(1..40)).for_each(|_| append(&log, line(rng).as_bytes())),
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn builds_that_go_on_give_the_bytes_of_one_from_the_beginning(seed in any::<u64>()) {
        let folder = Folder::new();
        let mut rng = Rng::with_seed(seed);
        let mut n_segments = 0;
        folder.write("a.log", "");
        folder.write("b.log", line(&mut rng));
        let zone = &ZONES[rng.usize(..ZONES.len())];
        for step in 0..8 {
            for _ in 0..rng.u8(..4) {
                if happen(&folder, &mut rng, &mut n_segments) {
                    break;
                }
            }
            for out in ["kept", &format!("fresh-{step}")] {
                build(&folder, &["a.log", "b.log"], out, |settings| settings.zone = zone);
            }
            let kept = tree(&folder.path("kept"));
            for (name, bytes) in tree(&folder.path(&format!("fresh-{step}"))) {
                prop_assert!(
                    kept.get(&name) == Some(&bytes),
                    "step {step}, {name}:\n{}\n{}",
                    kept.get(&name).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default(),
                    String::from_utf8_lossy(&bytes)
                );
            }
            fs::remove_dir_all(folder.path(&format!("fresh-{step}"))).unwrap();
        }
    }
}

#[test]
fn clocks_are_judged_by_all_beacons_however_they_were_read() {
    let mut rng = Rng::with_seed(7);
    let mut lines: Vec<String> = (0..600).map(|_| timely(&mut rng)).collect();
    let folder = Folder::new();
    folder.write("a.log", "");
    for part in lines.chunks(60) {
        append(&folder.path("a.log"), part.concat().as_bytes());
        build(&folder, &["a.log"], "kept", |_| ());
    }
    folder.write("b.log", lines.concat());
    build(&folder, &["b.log"], "fresh", |_| ());
    let calls = |out: &str| {
        let of = files(&folder.path(&format!("{out}/data/calls"))).into_iter();
        let calls: Vec<_> = of
            .map(|name| folder.json(&format!("{out}/data/calls/{name}")))
            .collect();
        calls
    };
    let (kept, fresh) = (calls("kept"), calls("fresh"));
    assert_eq!((&kept, kept.len()), (&fresh, 2));
    let report = folder.json("fresh/data/report.json");
    assert_eq!(report["log"]["clockSkewed"], 4);
    for call in &fresh {
        for person in call["participants"].as_array().unwrap() {
            let id = person["sessionId"].as_str().unwrap();
            let (offset, jumps) = (
                person["clockOffsetMs"].as_i64(),
                person["clockJumps"].as_u64(),
            );
            match id {
                "s0" => assert_eq!((offset, jumps), (None, None)),
                "s1" => {
                    assert!((-5_000_000..-4_990_000).contains(&offset.unwrap()) && jumps.is_none())
                }
                _ => assert_eq!((offset, jumps), (None, Some(1))),
            }
            if id != "s2" {
                let (start, end) = (
                    person["start"].as_i64().unwrap(),
                    person["end"].as_i64().unwrap(),
                );
                assert!(T - 10_000 <= start && end <= T + 460_000, "{person}");
            }
        }
        let issues = call["issues"].as_array().unwrap().iter();
        let skewed = issues.filter(|issue| issue["type"] == "clock-skew");
        let whose: Vec<_> = skewed
            .map(|issue| issue["sessionId"].as_str().unwrap())
            .collect();
        assert!(
            whose.len() == 2 && whose.contains(&"s1") && whose.contains(&"s2"),
            "{whose:?}"
        );
    }
    // And in any order.
    rng.shuffle(&mut lines);
    folder.write("c.log", lines.concat());
    build(&folder, &["c.log"], "shuffled", |_| ());
    let start = |call: &serde_json::Value| {
        (
            call["id"].clone(),
            call["start"].clone(),
            call["end"].clone(),
        )
    };
    assert_eq!(
        calls("shuffled").iter().map(start).collect::<Vec<_>>(),
        fresh.iter().map(start).collect::<Vec<_>>()
    );
}

/// Names, inodes and instants of change of all files of a report.
fn stamps(folder: &Folder, out: &str) -> BTreeMap<String, (u64, i64, i64)> {
    let names = tree(&folder.path(out)).into_keys();
    let stamp = |name: String| {
        let meta = fs::metadata(folder.path(out).join(&name)).unwrap();
        (name, (meta.ino(), meta.mtime(), meta.mtime_nsec()))
    };
    names.map(stamp).collect()
}

#[test]
fn only_what_has_changed_is_written() {
    let folder = Folder::new();
    folder.write(
        "beacon.log",
        beacon("r", "a", T) + "\n" + &beacon("s", "b", T) + "\n",
    );
    assert!(build(&folder, &["beacon.log"], "site", |_| ()).is_empty());
    let first = stamps(&folder, "site");
    assert!(build(&folder, &["beacon.log"], "site", |_| ()).is_empty());
    assert_eq!(stamps(&folder, "site"), first, "nothing is new");
    append(
        &folder.path("beacon.log"),
        (beacon("s", "c", T) + "\n").as_bytes(),
    );
    build(&folder, &["beacon.log"], "site", |settings| {
        settings.now_ms = T + 1
    });
    let second = stamps(&folder, "site");
    let changed: Vec<_> = second
        .iter()
        .filter(|(name, stamp)| first.get(*name) != Some(stamp))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(changed.len(), 6, "{changed:?}");
    for name in [
        "calls/s-",
        "data/calls/s-",
        "data/report.json",
        "index.html",
        "rooms/index.html",
    ] {
        assert!(
            changed.iter().any(|it| it.starts_with(name)),
            "{name}: {changed:?}"
        );
    }
}

#[test]
fn a_report_without_calls_writes_only_what_has_changed_too() {
    let folder = Folder::new();
    folder.write("beacon.log", "no beacon\n");
    build(&folder, &["beacon.log"], "site", |_| ());
    let first = stamps(&folder, "site");
    append(&folder.path("beacon.log"), b"nor this\n");
    build(&folder, &["beacon.log"], "site", |_| ());
    let second = stamps(&folder, "site");
    let changed = second.iter();
    let changed = changed.filter(|(name, stamp)| first.get(*name) != Some(stamp));
    let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
    assert_eq!(changed, ["data/report.json", "index.html"]);
}

#[test]
fn calls_whose_logs_are_gone_stay_until_they_are_pruned() {
    let folder = Folder::new();
    folder.write("beacon.log-20261120T000000Z", beacon("old", "a", T) + "\n");
    folder.write("beacon.log", beacon("new", "b", T) + "\n");
    let calls = |change: fn(&mut Settings<'_>)| {
        build(&folder, &["beacon.log"], "site", change);
        let report = folder.json("site/data/report.json");
        let calls = report["calls"].as_array().unwrap().iter();
        let mut rooms: Vec<_> = calls
            .map(|call| call["room"].as_str().unwrap().to_owned())
            .collect();
        rooms.sort();
        (rooms.join(" "), report["log"]["files"].as_u64().unwrap())
    };
    let pages =
        || files(&folder.path("site/calls")).len() + files(&folder.path("site/data/calls")).len();
    assert_eq!(calls(|_| ()), ("new old".to_owned(), 2));
    fs::remove_file(folder.path("beacon.log-20261120T000000Z")).unwrap();
    assert_eq!(calls(|_| ()), ("new old".to_owned(), 1));
    assert_eq!(
        calls(|settings| settings.full = true),
        ("new old".to_owned(), 1)
    );
    append(
        &folder.path("beacon.log"),
        (beacon("newer", "b", T) + "\n").as_bytes(),
    );
    assert_eq!(calls(|_| ()), ("new newer old".to_owned(), 1));
    // A log that was written anew takes its own calls with it, and no others.
    folder.write("beacon.log", beacon("newest", "b", T) + "\n");
    assert_eq!(calls(|_| ()), ("newest old".to_owned(), 1));
    // Nobody remembers which files there were: what is known of calls stays.
    let states = tree(&folder.path("beacon.log.state"));
    let manifest = states
        .keys()
        .find(|name| name.ends_with("manifest"))
        .unwrap();
    folder.write(&format!("beacon.log.state/{manifest}"), "damaged");
    assert_eq!(calls(|_| ()), ("newest old".to_owned(), 1));
    assert_eq!(
        calls(|settings| settings.full = true),
        ("newest old".to_owned(), 1)
    );
    assert_eq!(pages(), 8);
    assert_eq!(
        calls(|settings| settings.prune = true),
        ("newest".to_owned(), 1)
    );
    assert_eq!(pages(), 2);
    let rooms = files(&folder.path("site/rooms"));
    assert_eq!(rooms.len(), 2, "one room and the list: {rooms:?}");
    assert_eq!(calls(|_| ()), ("newest".to_owned(), 1));
}

#[test]
fn a_state_that_is_not_to_be_trusted_means_a_full_build_and_is_told() {
    let folder = Folder::new();
    folder.write(
        "beacon.log",
        beacon("r", "a", T) + "\n" + &beacon("r", "b", T + 9) + "\n",
    );
    assert!(build(&folder, &["beacon.log"], "site", |_| ()).is_empty());
    let expect = tree(&folder.path("site"));
    let state = folder.path("beacon.log.state");
    let kept = tree(&state);
    let restore = || {
        for (name, bytes) in &kept {
            fs::write(state.join(name), bytes).unwrap();
        }
    };
    let again = |what: &str| {
        append(&folder.path("beacon.log"), b"");
        let heard = build(&folder, &["beacon.log"], "site", |_| ());
        assert!(
            heard.len() == 1 && heard[0].contains(what),
            "{what}: {heard:?}"
        );
        assert!(build(&folder, &["beacon.log"], "site", |_| ()).is_empty());
        assert_eq!(tree(&folder.path("site")), expect);
        restore();
    };
    for name in kept.keys().filter(|name| !name.ends_with("lock")) {
        let bytes = &kept[name];
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 0x20;
            fs::write(state.join(name), &other).unwrap();
            if name.ends_with("manifest") {
                again("");
            }
        }
        fs::write(state.join(name), &bytes[..bytes.len() / 2]).unwrap();
        again("cannot be read");
    }
    fs::remove_dir_all(&state).unwrap();
    let heard = build(&folder, &["beacon.log"], "site", |_| ());
    assert_eq!(heard, ["nothing is remembered of the builds before"]);
    fs::remove_dir_all(folder.path("site/calls")).unwrap();
    let heard = build(&folder, &["beacon.log"], "site", |_| ());
    assert_eq!(heard, ["pages of it are not there any more"]);
    assert_eq!(tree(&folder.path("site")), expect);
}

#[test]
fn damage_that_shows_only_when_a_call_is_read_back_costs_a_full_build() {
    // Of the call itself, which comes first, where it goes on; of its shelf, which comes last, where the day or the room has another.
    shows_damage(|_| 20, "r");
    shows_damage(|n_bytes| n_bytes - 1, "r");
    shows_damage(|n_bytes| n_bytes - 1, "another room");
}

fn shows_damage(place: impl Fn(usize) -> usize, room: &str) {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    build(&folder, &["beacon.log"], "site", |_| ());
    let state = folder.path("beacon.log.state");
    let names = tree(&state).into_keys();
    let store = names
        .into_iter()
        .find(|name| name.contains("calls-"))
        .unwrap();
    let mut bytes = fs::read(state.join(&store)).unwrap();
    let place = place(bytes.len());
    bytes[place] ^= 1;
    fs::write(state.join(&store), bytes).unwrap();
    append(
        &folder.path("beacon.log"),
        (beacon(room, "b", T) + "\n").as_bytes(),
    );
    let heard = build(&folder, &["beacon.log"], "site", |_| ());
    assert_eq!(heard, ["what is remembered of it: it is damaged"]);
    build(&folder, &["beacon.log"], "fresh", |_| ());
    assert_eq!(tree(&folder.path("site")), tree(&folder.path("fresh")));
}

fn meetings(folder: &Folder) -> BTreeSet<String> {
    let report = folder.json("site/data/report.json");
    let calls = report["calls"].as_array().unwrap().iter();
    let meetings = calls.map(|call| call["meetingSessionId"].as_str().unwrap().to_owned());
    meetings.collect()
}

#[test]
fn damage_to_one_call_whose_log_is_gone_costs_no_other() {
    let folder = Folder::new();
    folder.write("beacon.log", meeting("r4", 4, T));
    let segments = [0, 1, 2, 3].map(|nth| format!("beacon.log-2026112{nth}T000000Z"));
    for (nth, segment) in segments.iter().enumerate() {
        folder.write(segment, meeting(&format!("r{nth}"), nth, T));
        build(&folder, &["beacon.log"], "site", |_| ());
    }
    for segment in &segments {
        fs::remove_file(folder.path(segment)).unwrap();
    }
    let state = folder.path("beacon.log.state");
    let whole = tree(&state);
    let store = whole.keys().find(|name| name.contains("calls-")).unwrap();
    let all = meetings(&folder);
    assert_eq!(all.len(), 5);
    let mut n_lost = 0;
    for at in (0..whole[store].len()).step_by(61) {
        for name in tree(&state).keys() {
            fs::remove_file(state.join(name)).unwrap();
        }
        for (name, bytes) in &whole {
            fs::write(state.join(name), bytes).unwrap();
        }
        let mut bytes = whole[store].clone();
        bytes[at] ^= 1;
        fs::write(state.join(store), bytes).unwrap();
        let heard = build(&folder, &["beacon.log"], "site", |settings| {
            settings.full = true;
        });
        let left = meetings(&folder);
        let lost = all.difference(&left).count();
        assert!(lost <= 1 && left.is_subset(&all), "byte {at}: {left:?}");
        let told = heard.iter().any(|note| note == "Lost { calls: 1 }");
        assert_eq!(told, lost == 1, "byte {at}: {heard:?}");
        n_lost += lost;
    }
    assert!((1..20).contains(&n_lost), "{n_lost}");
}

#[test]
fn half_written_files_are_looked_for_after_a_build_that_did_not_end() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    build(&folder, &["beacon.log"], "site", |_| ());
    let state = folder.path("beacon.log.state");
    let lock = tree(&state).into_keys().find(|name| name.ends_with("lock"));
    let lock = state.join(lock.unwrap());
    assert_eq!(fs::read(&lock).unwrap(), b"", "a build that ended says so");
    let left = folder.path("site/calls/.new-left");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_300);
    fs::write(&left, "<!doct").unwrap();
    let file = fs::File::options().write(true).open(&left).unwrap();
    file.set_modified(long_ago).unwrap();
    fs::write(&lock, "x").unwrap();
    append(
        &folder.path("beacon.log"),
        (beacon("r", "b", T) + "\n").as_bytes(),
    );
    build(&folder, &["beacon.log"], "site", |_| ());
    assert!(!left.exists());
    assert_eq!(fs::read(&lock).unwrap(), b"");

    fs::write(&left, "<!doct").unwrap();
    let file = fs::File::options().write(true).open(&left).unwrap();
    file.set_modified(long_ago).unwrap();
    fs::remove_dir_all(&state).unwrap();
    build(&folder, &["beacon.log"], "site", |_| ());
    assert!(!left.exists(), "a state that is new has no mark");
}

#[test]
fn what_cannot_be_remembered_is_told_and_the_report_is_built() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    folder.write("beacon.log.state", "a file where a folder should be");
    let run = folder.run("build-report --out site");
    assert_eq!(run.code, 0);
    assert!(
        run.stderr
            .starts_with("call-metrics: warning: cannot remember in `beacon.log.state/"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("call-metrics: hint: pass `--state DIR`"),
        "{}",
        run.stderr
    );
    assert_eq!(folder.json("site/data/report.json")["totals"]["calls"], 1);
    let run = folder.run("build-report --out site --state elsewhere");
    assert_eq!(
        (run.code, run.stderr.contains("warning")),
        (0, false),
        "{}",
        run.stderr
    );
    let mode = fs::metadata(folder.path("elsewhere"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(
        mode & 0o077,
        0,
        "who was in calls is nobody else's business"
    );
}

#[test]
fn a_second_builder_waits_for_the_first() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    build(&folder, &["beacon.log"], "site", |_| ());
    let names = tree(&folder.path("beacon.log.state")).into_keys();
    let lock = names
        .into_iter()
        .find(|name| name.ends_with("lock"))
        .unwrap();
    let held = fs::File::open(folder.path("beacon.log.state").join(lock)).unwrap();
    held.lock().unwrap();
    let stderr = fs::File::create(folder.path("stderr")).unwrap();
    let mut second = folder
        .command("build-report --out site")
        .stderr(stderr)
        .spawn()
        .unwrap();
    wait_for("the second one to say that it waits", || {
        folder
            .read("stderr")
            .contains("another build of `site` is at work")
            .then_some(())
    });
    assert!(second.try_wait().unwrap().is_none());
    drop(held);
    assert!(second.wait().unwrap().success());
}

#[test]
fn a_build_that_was_killed_anywhere_leaves_the_next_one_right() {
    let folder = Folder::new();
    let mut rng = Rng::with_seed(3);
    let log: String = (0..400).map(|_| line(&mut rng)).collect();
    let third = log.match_indices('\n').nth(130).unwrap().0 + 1;
    folder.write("beacon.log", &log[..third]);
    build(&folder, &["beacon.log"], "site", |_| ());
    append(&folder.path("beacon.log"), &log.as_bytes()[third..]);
    build(&folder, &["beacon.log"], "fresh", |_| ());
    let expect = tree(&folder.path("fresh/data/calls"));
    for delay_us in (0..12).map(|n| n * n * 700) {
        let mut child = folder.command("build-report --out site").spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(delay_us));
        // It may have ended by now.
        let _ = child.kill();
        child.wait().unwrap();
    }
    let run = folder.run("build-report --out site");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(tree(&folder.path("site/data/calls")), expect);
}

/// A beacon of a meeting of its own.
fn meeting(room: &str, nth: usize, at_ms: i64) -> String {
    format!(
        "{{\"room\":\"{room}\",\"meetingSessionId\":\"m{nth}\",\"sessionId\":\"s{nth}\",\"stats\":{{\"latest\":{{\"timestamp\":{at_ms},\"totalRecvPacketLoss\":0.01}}}}}}\n"
    )
}

/// Files of older calls, and what the overview says of them.
fn older(folder: &Folder, out: &str) -> Vec<String> {
    let files = tree(&folder.path(out)).into_keys();
    let files: Vec<String> = files.filter(|name| name.starts_with("older/")).collect();
    let overview = folder.read(&format!("{out}/index.html"));
    for name in &files {
        assert!(overview.contains(&**name), "nothing leads to {name}");
    }
    assert_eq!(overview.matches("\"older/").count(), files.len());
    files
}

#[test]
fn older_calls_leave_the_overview_and_only_those_with_news_are_written() {
    const DAY_MS: i64 = 86_400_000;
    let folder = Folder::new();
    let month = |n: usize, from: usize, days: i64| -> String {
        let of_month = (from..from + n).map(|nth| {
            let at_ms = T - days * DAY_MS - nth as i64 % 19 * DAY_MS - nth as i64 * 1_000;
            meeting(["r", "s"][nth % 2], nth, at_ms)
        });
        of_month.collect()
    };
    // September, October, November.
    let log = month(420, 2_000, 61) + &month(400, 1_000, 31) + &month(350, 0, 0);
    folder.write("beacon.log", log);
    let go_on = |add: &str| {
        append(&folder.path("beacon.log"), add.as_bytes());
        build(&folder, &["beacon.log"], "site", |_| ());
        build(&folder, &["beacon.log"], "whole", |settings| {
            settings.full = true
        });
        assert!(tree(&folder.path("site")) == tree(&folder.path("whole")));
        (older(&folder, "site"), stamps(&folder, "site"))
    };
    let (september, _) = go_on("");
    let [calls, rows] = &september[..] else {
        panic!("{september:?}");
    };
    assert!(calls.starts_with("older/2026-09-") && rows.starts_with("older/2026-09-rows-"));
    let script = folder.read(&format!("site/{calls}"));
    assert!(script.starts_with("callMetricsOlder([\n[\"") && script.ends_with("]\n]);\n"));
    assert_eq!(script.lines().count(), 420 + 2);

    // News of a call in the page.
    let (same, first) = go_on(&meeting("r", 0, T + 2_000));
    assert_eq!(same, september);
    // More calls than the page holds: October leaves it.
    let (both, second) = go_on(&month(300, 400, 0));
    assert_eq!(both.len(), 4);
    assert!(both[2].starts_with("older/2026-10-") || both[0].starts_with("older/2026-09-"));
    for name in &september {
        assert_eq!(first[name], second[name], "left alone");
    }
    // A late beacon of a call of September.
    let late = T - 61 * DAY_MS - 2_000 % 19 * DAY_MS - 2_000 * 1_000;
    let (after, third) = go_on(&meeting("r", 2_000, late + 2_000));
    assert!(!after.contains(calls) && !third.contains_key(calls));
    let october = both
        .iter()
        .filter(|name| name.starts_with("older/2026-10-"));
    for name in october {
        assert_eq!(second[name], third[name], "left alone");
    }
}

#[test]
fn a_listing_that_somebody_has_changed_is_made_from_what_is_kept() {
    let folder = Folder::new();
    folder.write("beacon.log", meeting("r", 0, T) + &meeting("r", 1, T + 1));
    build(&folder, &["beacon.log"], "site", |_| ());
    let report = folder.path("site/data/report.json");
    let whole = fs::read_to_string(&report).unwrap();
    let changes: [&dyn Fn(); 3] = [
        &|| fs::write(&report, whole.replace("\"m0\"", "\"m9\"")).unwrap(),
        &|| fs::write(&report, &whole[..whole.len() / 2]).unwrap(),
        &|| {
            fs::remove_file(&report).unwrap();
            fs::write(&report, "{}").unwrap();
        },
    ];
    for (nth, change) in changes.iter().enumerate() {
        change();
        let more = meeting("s", 10 + nth, T + 9);
        append(&folder.path("beacon.log"), more.as_bytes());
        let heard = build(&folder, &["beacon.log"], "site", |_| ());
        assert!(heard.is_empty(), "no reason to start over: {heard:?}");
        build(&folder, &["beacon.log"], "whole", |settings| {
            settings.full = true
        });
        assert!(
            tree(&folder.path("site")) == tree(&folder.path("whole")),
            "{nth}"
        );
    }
}

#[test]
fn files_of_older_calls_that_somebody_has_removed_come_back() {
    let folder = Folder::new();
    let of_day = |n: usize, days: i64| -> String {
        let calls = (0..n).map(|nth| meeting("r", nth, T - days * 86_400_000 - nth as i64 * 1_000));
        calls.collect()
    };
    let log = of_day(1_001, 0) + &of_day(9, 60).replace("\"m", "\"old");
    folder.write("beacon.log", log);
    build(&folder, &["beacon.log"], "site", |_| ());
    let before = older(&folder, "site");
    assert!(!before.is_empty());
    for harm in [
        &|path: &Path| fs::remove_file(path).unwrap() as (),
        &|path: &Path| fs::write(path, "").unwrap(),
    ] as [&dyn Fn(&Path); 2]
    {
        before
            .iter()
            .for_each(|name| harm(&folder.path("site").join(name)));
        append(
            &folder.path("beacon.log"),
            meeting("r", 0, T + 2_000).as_bytes(),
        );
        build(&folder, &["beacon.log"], "site", |_| ());
        build(&folder, &["beacon.log"], "whole", |settings| {
            settings.full = true
        });
        assert!(tree(&folder.path("site")) == tree(&folder.path("whole")));
    }
}

#[test]
fn what_a_killed_build_from_the_beginning_left_is_not_taken_for_what_is_remembered() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    build(&folder, &["beacon.log"], "site", |_| ());
    let state = folder.path("beacon.log.state");
    let store = tree(&state)
        .into_keys()
        .find(|name| name.contains("calls-"));
    let store = state.join(store.unwrap());
    let later = store.display().to_string();
    let (stem, number) = later.rsplit_once('-').unwrap();
    let later = format!("{stem}-{}", number.parse::<u64>().unwrap() + 1);
    for settings in [true, false] {
        fs::write(&later, "").unwrap();
        let heard = build(&folder, &["beacon.log"], "site", |change| match settings {
            true => change.full = true,
            false => {
                change.zone = TOKYO.get_or_init(|| jiff::tz::TimeZone::fixed(jiff::tz::offset(9)))
            }
        });
        assert!(heard.len() < 2, "{heard:?}");
    }
}

static TOKYO: std::sync::OnceLock<jiff::tz::TimeZone> = std::sync::OnceLock::new();
