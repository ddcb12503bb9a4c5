//! `check`: exit code 0 when all calls keep to the rules, 1 when one does not, 2 when nobody can tell.

use crate::support::program::{Folder, Run};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const NOON_MS: i64 = 1_795_449_600_000;

/// A line of the log; `latest` without its braces, a heartbeat where it is empty.
fn line(call: &str, t: i64, latest: &str) -> String {
    let stats = if latest.is_empty() {
        "{}".to_owned()
    } else {
        format!(r#"{{"latest":{{"timestamp":{t},{latest}}}}}"#)
    };
    format!(
        "{{\"room\":\"https://x.daily.co/{call}\",\"meetingSessionId\":\"m-{call}\",\"sessionId\":\"s\",\"stats\":{stats}}}\n"
    )
}

/// Three calls on one day, an hour apart: losses of 1 %, of 20 % and none told.
fn folder() -> Folder {
    let folder = Folder::new();
    let mut log = String::new();
    for beat in 0..20 {
        let t = NOON_MS + 15_000 * beat;
        log += &line("fine", t, r#""videoRecvPacketLoss":0.01"#);
        log += &line("lossy", t + 3_600_000, r#""videoRecvPacketLoss":0.2"#);
        log += &line("silent", t + 7_200_000, r#""sendBitsPerSecond":1000"#);
    }
    folder.write("beacon.log", log + "not a beacon\n");
    folder
}

/// `check` with these arguments; rules hold spaces, so they come one by one.
fn check(folder: &Folder, args: &[&str]) -> Run {
    Run::of(folder.command("check").args(args).output().unwrap())
}

fn refused(run: &Run, what: &str, hint: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(
        lines[0].contains(what) && lines[1].contains(hint),
        "{run:?}"
    );
}

#[test]
fn all_rules_hold_one_is_broken_or_nobody_can_tell() {
    let folder = folder();
    let run = check(&folder, &["--rule", "max(videoRecvPacketLoss) < 0.5"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(
        run.stdout,
        "ok      max(videoRecvPacketLoss) < 0.5: holds in 2 calls; not measured in 1 call\n3 calls, 1 line skipped\n"
    );
    let rules = [
        "--rule",
        "participants == 1",
        "--rule",
        "p95(videoRecvPacketLoss) < 0.05",
    ];
    let run = check(&folder, &rules);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "ok      participants == 1: holds in 3 calls");
    assert_eq!(
        lines[1],
        "BROKEN  p95(videoRecvPacketLoss) < 0.05: broken by 1 of 2 calls; not measured in 1 call"
    );
    assert!(
        lines[2].trim().starts_with("0.2 ")
            && lines[2].contains("2026-11-23T17:00:00Z")
            && lines[2].ends_with("lossy"),
        "{run:?}"
    );
    // Nothing measured is not all well, but no break either: it is said.
    let run = check(&folder, &["--rule", "p95(audioRecvJitter) < 1"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout
            .contains("no call tells; not measured in 3 calls"),
        "{run:?}"
    );
    assert!(
        run.stderr
            .contains("no call tells whether `p95(audioRecvJitter) < 1` holds"),
        "{run:?}"
    );
}

#[test]
fn programs_get_one_object_with_every_call_that_breaks_a_rule() {
    let folder = folder();
    let run = check(
        &folder,
        &["--json", "--rule", "mean(videoRecvPacketLoss) < 0.005"],
    );
    assert_eq!(run.code, 1);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    let counts =
        ["holds", "calls", "lines", "skipped", "undated"].map(|member| told[member].clone());
    assert_eq!(
        counts,
        [json!(false), json!(3), json!(61), json!(1), json!(0)]
    );
    let rule = &told["rules"][0];
    assert_eq!((&rule["judged"], &rule["absent"]), (&json!(2), &json!(1)));
    let broken = rule["broken"].as_array().unwrap();
    let meetings: Vec<_> = broken
        .iter()
        .map(|call| call["meetingSessionId"].clone())
        .collect();
    assert_eq!(meetings, ["m-lossy", "m-fine"], "the worst first");
    let report = folder.report("beacon.log");
    let ids: Vec<_> = report["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["id"].clone())
        .collect();
    assert!(ids.contains(&broken[0]["id"]), "as in the report");
    // In numbers as exact as those of the report.
    let detail = folder.json(&format!(
        "report/data/calls/{}.json",
        broken[0]["id"].as_str().unwrap()
    ));
    let mean = &detail["participants"][0]["metrics"]["videoRecvPacketLoss"]["mean"];
    assert_eq!(&broken[0]["value"], mean);
}

#[test]
fn since_leaves_out_calls_that_ended_before() {
    let folder = folder();
    let calls = |since: &str| {
        let run = check(
            &folder,
            &["--json", "--rule", "participants < 1", "--since", since],
        );
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(run.code == 1, told["calls"] != 0, "{run:?}");
        told["calls"].clone()
    };
    assert_eq!(calls("2026-11-23T15:00:00Z"), 3);
    // The first one ended at 16:04:45.
    assert_eq!(calls("2026-11-23T16:04:45Z"), 3);
    assert_eq!(calls("2026-11-23T16:04:46Z"), 2);
    assert_eq!(calls("2026-11-23T23:00:00+01:00"), 0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    folder.write(
        "beacon.log",
        line("now", now - 3_600_000, r#""sendBitsPerSecond":1"#) + &line("undated", 0, ""),
    );
    assert_eq!(calls("2h"), 1);
    assert_eq!(calls("30m"), 0);
    let run = check(&folder, &["--rule", "participants < 9", "--since", "1d"]);
    assert!(
        run.stdout.contains(", 1 call of unknown time left out, "),
        "{run:?}"
    );
}

#[test]
fn what_cannot_be_told_is_no_broken_rule() {
    let folder = folder();
    refused(
        &check(&folder, &[]),
        "required arguments were not provided: --rule",
        "check --help",
    );
    refused(
        &check(&folder, &["--rule", "p95(videoRecvPacketLos) < 0.05"]),
        "invalid value `p95(videoRecvPacketLos) < 0.05` for `--rule`: column 5: unknown metric `videoRecvPacketLos`",
        "the nearest are `videoRecvPacketLoss`, `",
    );
    refused(
        &check(&folder, &["--rule", "score"]),
        "column 6: a comparison expected",
        "<, <=",
    );
    refused(
        &check(&folder, &["--rule", "; "]),
        "column 1: an aggregate expected, found `;`",
        "AGGREGATE(METRIC)",
    );
    let rule = ["--rule", "score > 1"];
    let with = |more: &[&str]| check(&folder, &[&rule, more].concat());
    refused(
        &with(&["--since", "yesterday"]),
        "invalid value `yesterday` for `--since`",
        "24h or 7d",
    );
    refused(
        &with(&["--log", "nowhere.log"]),
        "nowhere.log",
        "--log PATH",
    );
    refused(
        &with(&["--log", "*.nothing"]),
        "*.nothing",
        "quote the pattern",
    );
    folder.write("else.log", "GET / HTTP/1.1\n");
    refused(
        &with(&["--log", "else.log"]),
        "no line of `else.log` is a beacon",
        "one JSON object a line",
    );
    // A log in which nothing has come yet is in order.
    folder.write("empty.log", "");
    let run = with(&["--log", "empty.log"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout.ends_with("0 calls, 0 lines skipped\n"),
        "{run:?}"
    );
}

#[test]
fn rules_come_from_the_environment_too_and_logs_from_several_files() {
    let folder = folder();
    folder.write(
        "other.log",
        line("other", NOON_MS, r#""videoRecvPacketLoss":0.3"#),
    );
    let run = Run::of(
        folder
            .command("check --log *.log")
            .env(
                "CALL_METRICS_RULE",
                "participants >= 1; max(videoRecvPacketLoss) < 0.25; ",
            )
            .env("CALL_METRICS_JSON", "true")
            .output()
            .unwrap(),
    );
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["calls"], 4);
    assert_eq!(told["rules"][0]["holds"], true);
    assert_eq!(told["rules"][1]["broken"][0]["meetingSessionId"], "m-other");
}

#[test]
fn rooms_of_other_people_do_not_steer_the_terminal() {
    let folder = Folder::new();
    let evil = r#"evil\u001b[31m\u202egpj"#;
    folder.write(
        "beacon.log",
        line(evil, NOON_MS, r#""videoRecvPacketLoss":0.3"#),
    );
    let run = check(&folder, &["--rule", "max(videoRecvPacketLoss) < 0.1"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stdout.contains("evil") && !run.stdout.contains(['\u{1b}', '\u{202e}']),
        "{run:?}"
    );
}
