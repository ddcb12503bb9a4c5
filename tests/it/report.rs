//! `build-report`: logs as people have them in, a site out.

use crate::support::program::{Folder, Running, beacon, files, wait_for};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const T: i64 = 1_795_449_870_000;
const SAMPLE_2022: &str = include_str!("../fixtures/sample-2022.json");
const SAMPLE_TODAY: &str = include_str!("../fixtures/sample-today.json");

/// A fixture as one line of a log.
fn line(fixture: &str) -> String {
    serde_json::from_str::<Value>(fixture).unwrap().to_string() + "\n"
}

#[test]
fn the_summary_is_one_line_and_the_site_is_complete() {
    let folder = Folder::new();
    folder.write(
        "beacon.log",
        line(SAMPLE_2022) + &line(SAMPLE_TODAY) + "nonsense\n",
    );
    let run = folder.run("build-report --out site");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout
            .starts_with("2 calls, 2 participants, 2 samples, 1 lines skipped -> site ("),
        "{}",
        run.stdout
    );
    assert_eq!(run.stdout.lines().count(), 1);
    let report = folder.json("site/data/report.json");
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["log"]["lines"], 3);
    assert_eq!(
        report["log"]["skipped"],
        json!({"total": 1, "byReason": {"not-json": 1}})
    );
    let calls = report["calls"].as_array().unwrap();
    assert_eq!(
        calls[0]["meetingSessionId"], "008c1f0f-6fc5-4e5f-b872-1b9623cb1e7a",
        "the newest comes first"
    );
    for call in calls {
        let id = call["id"].as_str().unwrap();
        assert_eq!(call["page"], format!("calls/{id}.html"));
        let page = folder.read(&format!("site/calls/{id}.html"));
        assert!(
            page.contains("meet-seth") && page.contains("Bitrate, received"),
            "{id}"
        );
        let data = folder.json(&format!("site/{}", call["data"].as_str().unwrap()));
        let metrics = &data["participants"][0]["metrics"];
        assert_eq!(metrics["recvBitsPerSecond"]["unit"], "bit/s");
        assert_eq!(metrics["recvBitsPerSecond"]["std"], Value::Null);
        assert_eq!(
            metrics["recvBitsPerSecond"]["histogram"]["counts"]
                .as_array()
                .unwrap()
                .len(),
            20
        );
    }
    // What the browsers of 2022 did not measure is absent, not zero.
    let old = folder.json(&format!("site/{}", calls[1]["data"].as_str().unwrap()));
    assert_eq!(
        old["participants"][0]["metrics"].get("networkRoundTripTime"),
        None
    );
    let overview = folder.read("site/index.html");
    assert!(
        overview.contains("2 of 2") || overview.contains("calls were good"),
        "{overview}"
    );
}

#[test]
fn everything_but_the_time_of_building_is_the_same_on_every_rebuild() {
    let folder = Folder::new();
    folder.write("beacon.log", folder.run("sample-log --calls 3").stdout);
    folder.report("beacon.log");
    let stamp = |name: &str| {
        fs::metadata(folder.path(&format!("report/{name}")))
            .unwrap()
            .ino()
    };
    let names = files(&folder.path("report"));
    let before: Vec<(u64, String)> = names
        .iter()
        .map(|name| (stamp(name), folder.read(&format!("report/{name}"))))
        .collect();
    folder.report("beacon.log");
    for (name, (inode, content)) in names.iter().zip(&before) {
        if name != "index.html" && name != "data/report.json" {
            assert_eq!(stamp(name), *inode, "{name} was written without need");
            assert_eq!(folder.read(&format!("report/{name}")), *content, "{name}");
        }
    }
    let without_time = |text: &str| {
        let mut report: Value = serde_json::from_str(text).unwrap();
        report["generatedAt"] = Value::Null;
        report.to_string()
    };
    let at = names
        .iter()
        .position(|name| name == "data/report.json")
        .unwrap();
    assert_eq!(
        without_time(&before[at].1),
        without_time(&folder.read("report/data/report.json"))
    );
    let run = folder.run("build-report --full --out report");
    assert_eq!(run.code, 0);
    assert_ne!(stamp(&names[0]), before[0].0, "--full writes every file");
}

#[test]
fn several_files_rotated_and_compressed_are_one_log() {
    let folder = Folder::new();
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    writeln!(gz, "{}", beacon("r", "a", T)).unwrap();
    folder.write("beacon.log.2.gz", gz.finish().unwrap());
    folder.write("beacon.log.1", beacon("r", "b", T + 2_000) + "\n");
    folder.write(
        "beacon.log",
        beacon("r", "c", T + 4_000) + "\n" + &beacon("r", "torn", T),
    );
    folder.write("other.log", beacon("r", "c", T + 4_000) + "\n");
    let report = folder.report("beacon.log --log oth*.log");
    assert_eq!(
        (&report["log"]["files"], &report["log"]["lines"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(report["log"]["samples"], 3);
    assert_eq!(report["log"]["duplicates"], 1);
    let data = folder.json(&format!(
        "report/{}",
        report["calls"][0]["data"].as_str().unwrap()
    ));
    let people: Vec<_> = data["participants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["sessionId"].as_str().unwrap())
        .collect();
    assert_eq!(people, ["a", "b", "c"], "the last line has no newline yet");
}

#[test]
fn lines_that_are_no_beacons_are_counted_and_stop_nothing() {
    let folder = Folder::new();
    let mut log = Vec::new();
    for bad in [
        "",
        "{\"half\": ",
        "[]",
        "{}",
        r#"{"room":1}"#,
        r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":7}"#,
    ] {
        log.extend_from_slice(bad.as_bytes());
        log.push(b'\n');
    }
    log.extend_from_slice(b"\xff\xfe\n");
    log.extend(vec![b'x'; 2 << 20]);
    log.extend_from_slice(format!("\n{}\r\n", beacon("</script><b>", "<i>", T)).as_bytes());
    folder.write("beacon.log", log);
    let report = folder.report("beacon.log");
    assert_eq!(
        (&report["log"]["lines"], &report["log"]["beacons"]),
        (&json!(9), &json!(1))
    );
    let expect = json!({"empty": 1, "not-json": 1, "not-an-object": 1, "bad-room": 2, "bad-stats": 1, "not-utf8": 1, "too-long": 1});
    assert_eq!(report["log"]["skipped"]["byReason"], expect);
    assert_eq!(report["log"]["skipped"]["total"], 8);
    let overview = folder.read("report/index.html");
    assert!(
        !overview.contains("</script><b>") && overview.contains("&lt;/script&gt;"),
        "{overview}"
    );
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_and_the_old_report_stays() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    folder.report("beacon.log");
    let before = folder.read("report/index.html");
    fs::create_dir(folder.path("folder.log")).unwrap();
    folder.write("secret.log", "");
    fs::set_permissions(folder.path("secret.log"), fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything.
    let is_root = fs::read(folder.path("secret.log")).is_ok();
    for (log, what) in [
        (
            "gone.log",
            "cannot read beacon log `gone.log`: No such file or directory",
        ),
        (
            "no*.log",
            "cannot read beacon log `no*.log`: no file matches",
        ),
        (
            "folder.log",
            "cannot read beacon log `folder.log`: Is a directory",
        ),
        (
            "secret.log",
            "cannot open beacon log `secret.log`: Permission denied",
        ),
    ] {
        if log == "secret.log" && is_root {
            continue;
        }
        let run = folder.run(&format!("build-report --log {log} --out report"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{log}");
        let mut lines = run.stderr.lines();
        let error = lines.next().unwrap();
        assert!(
            error.starts_with("call-metrics: error: ") && error.contains(what),
            "{error}"
        );
        assert!(
            lines.next().unwrap().starts_with("call-metrics: hint: "),
            "{log}"
        );
        assert_eq!(folder.read("report/index.html"), before);
    }
    folder.write("file", "");
    let run = folder.run("build-report --out file/report");
    assert!(
        run.code == 1 && run.stderr.contains("cannot write `file/report/"),
        "{run:?}"
    );
}

#[test]
fn an_empty_log_gives_a_page_that_says_how_to_get_the_first_call() {
    let folder = Folder::new();
    folder.write("beacon.log", "");
    let report = folder.report("beacon.log");
    assert_eq!(
        report["totals"],
        json!({"calls": 0, "participants": 0, "participantSeconds": 0.0})
    );
    let page = folder.read("report/index.html");
    assert!(page.contains("No calls yet.") && page.contains("How to see the first one"));
}

#[test]
fn heartbeats_alone_are_unknown_and_never_good() {
    let folder = Folder::new();
    let beat = |t: i64| {
        json!({"room": "r", "meetingSessionId": "m", "sessionId": "s", "stats": {}, "_rx": {"t": t}}).to_string() + "\n"
    };
    folder.write("beacon.log", beat(T) + &beat(T + 15_000));
    let report = folder.report("beacon.log");
    let call = &report["calls"][0];
    assert_eq!(
        (&call["quality"], &call["score"]),
        (&json!("unknown"), &Value::Null)
    );
    assert_eq!(
        (&call["start"], &call["end"]),
        (&json!(T), &json!(T + 15_000))
    );
    let page = folder.read(&format!("report/{}", call["page"].as_str().unwrap()));
    assert!(
        page.contains("nothing is known") && page.contains("Nothing was measured"),
        "{page}"
    );
    assert!(page.contains("beacons not numbered"), "{page}");
    assert_eq!(
        (&report["log"]["delivery"], &call["delivery"]),
        (&Value::Null, &Value::Null)
    );
    let overview = folder.read("report/index.html");
    assert!(
        overview.contains("whether all of them arrived is not known"),
        "{overview}"
    );
}

/// A line of the log: beacon `seq` of a session, with one reading.
fn numbered(session: &str, seq: i64, received_ms: i64, synced: Option<bool>) -> String {
    let mut receipt = json!({"t": received_ms});
    if let Some(synced) = synced {
        receipt["synced"] = synced.into();
    }
    let latest = json!({"timestamp": T + 15_000 * seq, "recvBitsPerSecond": 1});
    let beacon = json!({
        "v": 1, "seq": seq, "room": "r", "meetingSessionId": "m", "sessionId": session,
        "stats": {"latest": latest}, "_rx": receipt,
    });
    beacon.to_string() + "\n"
}

#[test]
fn beacons_that_never_came_came_twice_or_late_are_told() {
    let folder = Folder::new();
    let lines = [
        numbered("a", 0, T, Some(true)),
        numbered("a", 1, T + 15_000, Some(true)),
        // 2 and 3 never came; 5 came before 4; the answer to 6 was lost.
        numbered("a", 5, T + 75_000, Some(true)),
        numbered("a", 4, T + 76_000, Some(false)),
        numbered("a", 6, T + 90_000, Some(true)),
        numbered("a", 6, T + 91_000, Some(true)),
        numbered("b", 0, T, None),
        // Claims a loss that nobody can have had.
        numbered("b", 9_000_000_000_000, T, None),
        beacon("r", "c", T).replace("\"seq\":0,", "") + "\n",
    ];
    let expect = json!({"numbered": 7, "missing": 2, "repeated": 1, "late": 1});
    let told = |report: &Value| {
        let call = &report["calls"][0];
        let data = folder.json(&format!("report/{}", call["data"].as_str().unwrap()));
        assert_eq!(report["log"]["delivery"], expect);
        assert_eq!(call["delivery"], expect);
        assert_eq!(data["delivery"], expect);
        let theirs = |session: &str| {
            let people = data["participants"].as_array().unwrap();
            let found = people.iter().find(|person| person["sessionId"] == session);
            found.unwrap()["delivery"].clone()
        };
        assert_eq!(
            theirs("a"),
            json!({"numbered": 6, "missing": 2, "repeated": 1, "late": 1})
        );
        assert_eq!(
            theirs("b"),
            json!({"numbered": 1, "missing": 0, "repeated": 0, "late": 0})
        );
        assert_eq!(theirs("c"), Value::Null, "absent is not zero");
        assert_eq!(
            report["log"]["synced"],
            json!({"yes": 5, "no": 1, "unknown": 3})
        );
        let shows = |name: &str, wanted: &[&str]| {
            let page = folder.read(&format!("report/{name}"));
            let page = page.replace('\u{a0}', " ");
            for words in wanted {
                assert!(page.contains(words), "{words}: {page}");
            }
        };
        shows(
            "index.html",
            &[
                "6 of 8 numbered beacons arrived (75.0 %): 2 missing, 1 repeated, 1 late.",
                "2 more carry no number",
                "5 of 9 beacons were synced to disk",
            ],
        );
        shows(
            call["page"].as_str().unwrap(),
            &[
                "6 of 8 beacons arrived",
                "2 of 7 beacons missing",
                "not the network's",
            ],
        );
    };
    folder.write("beacon.log", lines.concat());
    told(&folder.report("beacon.log"));
    // In whatever order, and over however many files.
    let mut turned = lines;
    turned.reverse();
    folder.write("beacon.log.1", turned[..4].concat());
    folder.write("beacon.log", turned[4..].concat());
    told(&folder.report("beacon.log"));
}

#[test]
fn a_made_up_log_is_the_same_for_the_same_arguments() {
    let folder = Folder::new();
    let log = folder.run("sample-log --calls 2 --seed 7").stdout;
    assert_eq!(log, folder.run("sample-log --calls 2 --seed 7").stdout);
    assert_ne!(log, folder.run("sample-log --calls 2 --seed 8").stdout);
    folder.write("sample.log", log);
    let report = folder.report("sample.log");
    assert_eq!(report["totals"]["calls"], 2);
    assert_eq!(report["log"]["skipped"]["total"], 0);
}

#[test]
fn watching_rebuilds_when_the_log_comes_grows_rotates_and_shrinks() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    let watching = Running::start(folder.command("build-report --watch --out site"));
    assert!(
        watching
            .ready
            .starts_with("1 calls, 1 participants, 1 samples"),
        "{}",
        watching.ready
    );
    let wait = |what: &str, participants: u64| {
        wait_for(what, || {
            (folder.json("site/data/report.json")["totals"]["participants"] == participants)
                .then_some(())
        });
    };
    let append = |line: String| {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.path("beacon.log"))
            .unwrap();
        file.write_all(line.as_bytes()).unwrap();
    };
    append(beacon("r", "b", T) + "\n");
    wait("growth", 2);
    fs::rename(folder.path("beacon.log"), folder.path("beacon.log.1")).unwrap();
    append(beacon("r", "c", T) + "\n");
    wait("rotation", 3);
    fs::remove_file(folder.path("beacon.log.1")).unwrap();
    folder.write("beacon.log", "");
    wait("truncation", 0);
    fs::remove_file(folder.path("beacon.log")).unwrap();
    append(beacon("r", "d", T) + "\n");
    wait("return", 1);
    let run = watching.stop("TERM");
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn one_call_as_one_file_and_an_id_that_no_call_has() {
    let folder = Folder::new();
    folder.write("beacon.log", beacon("r", "a", T) + "\n");
    let single = |id: &str| {
        folder.run(&format!(
            "build-report --log beacon.log --out mail --single-file {id}"
        ))
    };
    let run = single("../../nope");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("no call with the id `../../nope`"));
    assert!(run.stderr.contains("the name of the call's page"));
    assert!(!folder.path("mail").exists());
    assert_eq!(single("x --watch").code, 2);

    let report = folder.report("beacon.log");
    let id = report["calls"][0]["id"].as_str().unwrap();
    let run = single(id);
    assert_eq!(run.stdout, format!("1 call -> mail/single/{id}.html\n"));
    let page = folder.read(&format!("mail/single/{id}.html"));
    assert!(!page.contains("<script src") && !page.contains("<link "));
    assert_eq!(fs::read_dir(folder.path("mail")).unwrap().count(), 1);
}

#[test]
fn days_begin_where_the_reader_says() {
    let folder = Folder::new();
    // Half past eleven in the evening, UTC.
    folder.write("beacon.log", beacon("r", "a", 1_795_476_600_000) + "\n");
    let day = |arguments: &str| {
        let run = folder.run(&format!(
            "build-report --log beacon.log --out report {arguments}"
        ));
        assert_eq!(run.code, 0, "{run:?}");
        let report: Value = serde_json::from_str(&folder.read("report/data/report.json")).unwrap();
        let numbers = &report["numbers"];
        (
            numbers["timeZone"].clone(),
            numbers["days"][0]["day"].clone(),
        )
    };
    assert_eq!(day(""), (json!("UTC"), json!("2026-11-23")));
    // Nothing is new in the log.
    let berlin = (json!("Europe/Berlin"), json!("2026-11-24"));
    assert_eq!(day("--tz Europe/Berlin"), berlin);
    assert_eq!(day("--tz europe/berlin"), berlin);
    assert_eq!(day(""), (json!("UTC"), json!("2026-11-23")));
    for command in ["build-report", "serve"] {
        let run = folder.run(&format!("{command} --tz Mars/Olympus"));
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("`Mars/Olympus`") && run.stderr.contains("hint: write a name"));
    }
}

#[test]
fn thresholds_are_those_of_the_file_everywhere() {
    let folder = Folder::new();
    let one = |at: i64| {
        let t = T + at * 2_000;
        format!(
            r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{"latest":{{"timestamp":{t},"networkRoundTripTime":0.25}}}}}}"#
        ) + "\n"
    };
    folder.write("beacon.log", (0..20).map(one).collect::<String>());
    let thresholds = r#"{"networkRoundTripTime": {"fair": 0.1, "poor": 0.2}}"#;
    folder.write("own.json", thresholds);
    let issues = |arguments: &str| {
        let run = folder.run(&format!("build-report --out site {arguments}"));
        assert_eq!(run.code, 0, "{run:?}");
        let report = folder.json("site/data/report.json");
        let call = &report["calls"][0];
        let page = folder.read(&format!("site/{}", call["page"].as_str().unwrap()));
        let data = folder.json(&format!("site/{}", call["data"].as_str().unwrap()));
        let theirs = data["issues"].as_array().unwrap().iter();
        let kinds: Vec<_> = theirs.map(|issue| issue["severity"].clone()).collect();
        let says = page.contains(r#""fair":0.1,"poor":0.2,"source":"set by --thresholds""#);
        (
            kinds,
            says,
            report["thresholds"]["networkRoundTripTime"].clone(),
        )
    };
    let daily = json!({"fair": 0.3, "poor": 0.6, "source": "Daily testCallQuality()"});
    assert_eq!(issues(""), (vec![], false, daily.clone()));
    // Nothing is new in the log.
    let own = json!({"fair": 0.1, "poor": 0.2, "source": "set by --thresholds"});
    assert_eq!(
        issues("--thresholds own.json"),
        (vec![json!("bad")], true, own)
    );
    assert_eq!(issues(""), (vec![], false, daily));
    let check = |arguments: &str| {
        let rule = "check --rule issues<1";
        folder.run(&format!("{rule} {arguments}")).code
    };
    assert_eq!((check(""), check("--thresholds own.json")), (0, 1));
    folder.write("wrong.json", "{\"networkRoundTripTime\": 1}");
    for command in ["build-report", "serve", "check --rule issues<1"] {
        for file in ["wrong.json", "none.json"] {
            let run = folder.run(&format!("{command} --thresholds {file}"));
            assert_eq!(run.code, 2, "{run:?}");
            assert!(
                run.stderr.contains(file) && run.stderr.contains("hint: "),
                "{run:?}"
            );
        }
    }
}

#[test]
fn what_a_build_remembers_is_not_published() {
    let folder = Folder::new();
    folder.write("beacon.log", line(SAMPLE_TODAY));
    fs::create_dir(folder.path("site")).unwrap();
    std::os::unix::fs::symlink("site", folder.path("link")).unwrap();
    for state in ["site", "./site/", "site/of/builds", "link"] {
        let run = folder.run(&format!("build-report --out site --state {state}"));
        assert_eq!(run.code, 2, "{run:?}");
        assert!(
            run.stderr.contains("it lies in the folder of the report")
                && run.stderr.contains("outside of `--out`"),
            "{run:?}"
        );
    }
    assert!(files(&folder.path("site")).is_empty());
    let run = folder.run("build-report --out site --state site.state");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn nobody_is_drawn_as_well_of_whom_nothing_is_known() {
    let folder = Folder::new();
    let lines = |session: &str, values: &str| -> String {
        let beacon = |nth| {
            let t = T + 2_000 * nth;
            format!(
                r#"{{"room":"r","meetingSessionId":"m","sessionId":"{session}","stats":{{"latest":{{"timestamp":{t},{values}}}}}}}"#
            ) + "\n"
        };
        (0..30_i64).map(beacon).collect()
    };
    let bases = |log: String| {
        folder.write("beacon.log", log);
        let run = folder.run("build-report --full --out site");
        assert_eq!(run.code, 0, "{run:?}");
        let report = folder.json("site/data/report.json");
        let page = folder.read(&format!(
            "site/{}",
            report["calls"][0]["page"].as_str().unwrap()
        ));
        let n = |what: &str| page.matches(what).count();
        (
            n("class=\"base\" x=\"0.0\""),
            n("class=\"base-unknown\" x=\"0.0\""),
            n(">not measured<"),
        )
    };
    let unknown = lines("a", r#""recvBitsPerSecond":1e6"#);
    let good = lines("b", r#""totalRecvPacketLoss":0"#);
    assert_eq!(bases(good.clone()), (1, 0, 0));
    assert_eq!(bases(unknown.clone()), (0, 1, 1));
    assert_eq!(bases(unknown + &good), (1, 1, 1));
}
