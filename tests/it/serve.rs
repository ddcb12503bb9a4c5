//! `serve`: what a person, a browser and a supervisor see of the running program.

use crate::support::fake_daily::{FakeDaily, Fault, TOKEN};
use crate::support::program::{Folder, Reply, Run, Running, beacon, get, post, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

const T: i64 = 1_795_449_870_000;

fn serve(folder: &Folder, args: &str) -> Running {
    Running::start(folder.command(&format!("serve --listen 127.0.0.1:0 {args}")))
}

fn log(folder: &Folder) -> Vec<Value> {
    folder
        .read("beacon.log")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn one_line_says_that_it_is_ready_and_sigterm_ends_it() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let server = serve(&folder, "");
        assert!(
            server.ready.starts_with("listening on http://127.0.0.1:"),
            "{}",
            server.ready
        );
        assert_eq!(get(&format!("{}/healthz", server.url())).body.trim(), "ok");
        assert!(folder.path("public").is_dir(), "the document root is made");
        let run = server.stop(signal);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
        assert!(
            run.stderr.contains("DAILY_TOKEN") && run.stderr.contains("make demo"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn what_was_answered_with_204_is_in_the_log_as_it_was_sent() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    let sent = "{ \"room\" : \"r\",\n\"meetingSessionId\":\"m\",\"sessionId\":\"s\",\"stats\":{ },\"n\":1.50,\"t\":\"a\\nb\",\"_rx\":{\"t\":1} }";
    let reply = post(&format!("{}/beacon", server.url()), sent);
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(
        post(&format!("{}/", server.url()), beacon("r", "s", T)).status,
        204
    );
    let text = folder.read("beacon.log");
    let first = text.lines().next().unwrap();
    let kept = r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{},"n":1.50,"t":"a\nb","_rx":{"t":"#;
    assert!(first.starts_with(kept), "{first}");
    let received = log(&folder)[0]["_rx"]["t"].as_i64().unwrap();
    assert!(1_700_000_000_000 < received, "{received}");
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_line_says_how_safe_it_was_and_whether_it_is_still_what_was_written() {
    let folder = Folder::new();
    for (flags, synced) in [("", true), ("--durability written", false)] {
        let server = serve(&folder, flags);
        let reply = post(&format!("{}/beacon", server.url()), beacon("r", "s", T));
        assert_eq!(reply.status, 204);
        drop(server);
        let line = log(&folder).pop().unwrap();
        assert_eq!(line["_rx"]["synced"], synced, "{line}");
        assert_eq!(line["_rx"]["crc"].as_str().unwrap().len(), 8, "{line}");
    }
    let report = folder.report("beacon.log");
    assert_eq!(
        (
            &report["log"]["beacons"],
            &report["log"]["skipped"]["total"]
        ),
        (&json!(2), &json!(0))
    );
    let text = folder.read("beacon.log");
    folder.write(
        "beacon.log",
        text.replacen("\"sessionId\":\"s\"", "\"sessionId\":\"t\"", 1),
    );
    let report = folder.report("beacon.log");
    assert_eq!(report["log"]["beacons"], 1);
    assert_eq!(
        report["log"]["skipped"]["byReason"],
        json!({"checksum-mismatch": 1})
    );
    let overview = folder.read("report/index.html");
    assert!(
        overview.contains("changed after being written"),
        "{overview}"
    );
}

#[test]
fn what_is_no_beacon_is_refused_with_a_reason_and_leaves_nothing() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    let url = format!("{}/beacon", server.url());
    let big = |bytes: usize| {
        let frame = r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{},"x":""}"#;
        frame.replace(
            "\"\"}",
            &format!("\"{}\"}}", "x".repeat(bytes - frame.len())),
        )
    };
    let check = |body: &[u8], status: u16, reason: &str| {
        let Reply {
            status: found,
            headers,
            body: text,
        } = post(&url, body);
        assert_eq!(found, status, "{reason}: {text}");
        if status != 204 {
            assert!(
                headers.contains(&format!("x-call-metrics: {reason}")),
                "{reason}: {headers}"
            );
            assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        }
    };
    check(b"", 400, "empty");
    check(b"nope", 400, "not-json");
    check(b"[]", 400, "not-an-object");
    check(b"{\"room\":\"\xff\"}", 400, "not-utf8");
    check(br#"{"room":7}"#, 400, "bad-room");
    check(
        br#"{"room":"r","meetingSessionId":"m","sessionId":"s"}"#,
        400,
        "bad-stats",
    );
    check(big(64 * 1_024).as_bytes(), 204, "");
    check(big(64 * 1_024 + 1).as_bytes(), 413, "body-too-large");
    check(br#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{"latest":{"recvBitsPerSecond":null}},"new":[]}"#, 204, "");
    assert_eq!(log(&folder).len(), 2);
}

#[test]
fn a_second_server_on_the_same_log_is_refused_with_exit_code_2() {
    let folder = Folder::new();
    let first = serve(&folder, "");
    let run = folder.run("serve --listen 127.0.0.1:0");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    assert!(
        run.stderr.contains("beacon.log") && run.stderr.contains("call-metrics: hint: "),
        "{}",
        run.stderr
    );
    // And one on the same port, with a log of its own, with 1.
    let port = first.url().rsplit(':').next().unwrap();
    let run = folder.run(&format!("serve --log other.log --listen 127.0.0.1:{port}"));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stderr.contains("in use") && run.stderr.contains("--listen"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_log_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    fs::create_dir(folder.path("beacon.log")).unwrap();
    let run = folder.run("serve --listen 127.0.0.1:0");
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(
        run.stderr.starts_with("call-metrics: error: ") && run.stderr.contains("`beacon.log`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_killed_server_leaves_a_log_that_the_next_one_goes_on_with() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    assert_eq!(
        post(&format!("{}/beacon", server.url()), beacon("r", "a", T)).status,
        204
    );
    server.stop("KILL");
    let torn = folder.read("beacon.log") + "{\"room\":\"torn";
    folder.write("beacon.log", torn);
    let server = serve(&folder, "");
    assert_eq!(
        post(&format!("{}/beacon", server.url()), beacon("r", "b", T)).status,
        204
    );
    let sessions: Vec<_> = log(&folder)
        .iter()
        .map(|line| line["sessionId"].clone())
        .collect();
    assert_eq!(sessions, ["a", "b"]);
    let kept = fs::read_dir(folder.path(""))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert!(
        kept.into_iter()
            .any(|name| name.starts_with("beacon.log.torn-")),
        "the torn tail is kept aside"
    );
}

#[test]
fn the_dashboard_rebuilds_by_itself() {
    let folder = Folder::new();
    let server = serve(&folder, "--watch");
    let report = format!("{}/report/data/report.json", server.url());
    let calls = |n: usize| {
        wait_for("the report", || {
            let reply = get(&report);
            let report: Value = serde_json::from_str(&reply.body).ok()?;
            (report["totals"]["calls"] == n).then_some(report)
        })
    };
    calls(0);
    assert!(
        get(&format!("{}/report/", server.url()))
            .body
            .contains("No calls yet.")
    );
    post(
        &format!("{}/beacon", server.url()),
        beacon("https://x.daily.co/meet-ana", "s", T),
    );
    let report = calls(1);
    let page = get(&format!(
        "{}/report/{}",
        server.url(),
        report["calls"][0]["page"].as_str().unwrap()
    ));
    assert_eq!(page.status, 200);
    assert!(
        page.headers.contains("default-src 'none'"),
        "{}",
        page.headers
    );
    assert!(page.body.contains("meet-ana"));
    let counters = get(&format!("{}/metrics", server.url())).body;
    assert!(
        counters.contains("call_metrics_beacons_accepted_total 1"),
        "{counters}"
    );
}

/// With too few descriptors for all segments at once.
#[test]
fn a_log_of_many_segments_is_built_and_beacons_go_on() {
    const SEGMENTS: usize = 300;
    let folder = Folder::new();
    for n in 0..SEGMENTS {
        let line = beacon("old", "s", 1_795_449_000_000 + 2_000 * n as i64);
        folder.write(&format!("beacon.log.{}", 1 + n), line + "\n");
    }
    let mut command = folder.command("serve --listen 127.0.0.1:0 --watch");
    let program = command.get_program().to_owned();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 96 && exec \"$0\" \"$@\""]);
    limited.arg(program).args(command.get_args());
    limited.current_dir(folder.path("")).env_clear();
    command = limited;
    let server = Running::start(command);
    for n in 1.. {
        let newer = beacon("new", "s", 1_795_449_870_000 + 2_000 * n);
        let stored = post(&format!("{}/beacon", server.url()), newer);
        assert_eq!(stored.status, 204, "{}", stored.body);
        let report = fs::read_to_string(folder.path("public/report/data/report.json"));
        let report = report.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        if report.is_ok_and(|report| (SEGMENTS as u64) < report["log"]["beacons"].as_u64().unwrap())
        {
            break;
        }
        assert!(n < 2_000, "no report");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let run = server.stop("TERM");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stderr.contains("cannot"), "{run:?}");
}

fn with_daily(folder: &Folder, fake: &FakeDaily, token: &str) -> Running {
    let mut command = folder.command("serve --listen 127.0.0.1:0");
    command
        .env("DAILY_TOKEN", token)
        .env("DAILY_API_URL", fake.api_url());
    Running::start(command)
}

fn mint(server: &Running, name: &str) -> (u16, Value) {
    let reply = post(
        &format!("{}/api/rooms", server.url()),
        json!({"name": name}).to_string(),
    );
    (
        reply.status,
        serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{}", reply.body)),
    )
}

#[test]
fn a_room_is_minted_once_and_the_token_is_seen_by_daily_alone() {
    let folder = Folder::new();
    let fake = FakeDaily::start();
    let server = with_daily(&folder, &fake, TOKEN);
    let (status, room) = mint(&server, "ana");
    assert_eq!(status, 200, "{room}");
    assert_eq!(
        (&room["name"], &room["beaconUrl"]),
        (&json!("meet-ana"), &json!("/beacon"))
    );
    assert_eq!(room["url"], fake.room_url("meet-ana"));
    assert_eq!(mint(&server, "ana").0, 200);
    assert_eq!(fake.request_lines(), ["POST /v1/rooms"]);
    for name in [
        "a/b",
        "a b",
        "</script>",
        "",
        &"x".repeat(65),
        "report",
        "api",
    ] {
        let (status, error) = mint(&server, name);
        assert_eq!(
            (status, &error["error"]),
            (400, &json!("invalid-room-name")),
            "{name}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    assert_eq!(fake.request_lines().len(), 1, "a wrong name never leaves");
    let mut seen = String::new();
    for path in ["/", "/ana", "/metrics", "/healthz", "/report/"] {
        let reply = get(&format!("{}{path}", server.url()));
        seen += &reply.headers;
        seen += &reply.body;
    }
    let Run { stdout, stderr, .. } = server.stop("TERM");
    assert!(!format!("{seen}{stdout}{stderr}").contains(TOKEN));
}

#[test]
fn a_wrong_key_is_told_from_other_troubles() {
    let folder = Folder::new();
    let fake = FakeDaily::start();
    let server = with_daily(&folder, &fake, "a-wrong-key");
    let (status, error) = mint(&server, "ana");
    assert_eq!(
        (status, &error["error"]),
        (502, &json!("daily-auth-failed")),
        "{error}"
    );
    drop(server);
    let folder = Folder::new();
    let server = with_daily(&folder, &fake, TOKEN);
    fake.always(Fault::Html(502));
    let (status, error) = mint(&server, "bo");
    assert_eq!(
        (status, &error["error"]),
        (502, &json!("daily-error")),
        "{error}"
    );
}

#[test]
fn without_a_token_the_pages_say_so_and_everything_else_works() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    let (status, error) = mint(&server, "ana");
    assert_eq!(
        (status, &error["error"]),
        (503, &json!("daily-token-missing"))
    );
    assert!(error["message"].as_str().unwrap().contains("DAILY_TOKEN"));
    assert!(
        get(&format!("{}/", server.url()))
            .body
            .contains("DAILY_TOKEN")
    );
    assert_eq!(get(&format!("{}/ana", server.url())).status, 200);
    assert_eq!(
        post(&format!("{}/beacon", server.url()), beacon("r", "s", T)).status,
        204
    );
}

#[test]
fn the_report_and_the_log_are_for_this_machine_alone_unless_there_is_a_password() {
    let folder = Folder::new();
    let server = serve(&folder, "--public .");
    let url = server.url();
    assert_eq!(
        post(&format!("{url}/beacon"), beacon("r", "s", T)).status,
        204
    );
    // A page of a stranger, whose name leads here, asks in that name.
    let as_stranger = |path: &str| {
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        std::io::read_to_string(stream).unwrap()
    };
    for path in ["/report/", "/metrics", "/beacon.log"] {
        assert!(as_stranger(path).starts_with("HTTP/1.1 403"), "{path}");
    }
    assert!(as_stranger("/healthz").starts_with("HTTP/1.1 200"));
    assert_eq!(
        get(&format!("{url}/beacon.log")).status,
        200,
        "in a folder that its owner chose to serve"
    );
    drop(server);
    let mut command = folder.command("serve --listen 127.0.0.1:0 --public .");
    command.env("CALL_METRICS_REPORT_PASSWORD", "sesame");
    let server = Running::start(command);
    for path in ["report/", "metrics", "beacon.log", "beacon.log.lock"] {
        assert_eq!(
            get(&format!("{}/{path}", server.url())).status,
            401,
            "{path}"
        );
    }
}

/// The lines of stderr as JSON, each checked for what all have.
#[track_caller]
fn objects(stderr: &str) -> Vec<Value> {
    let lines = stderr.lines().map(|line| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{stderr}"));
        for member in ["time", "level", "event", "message"] {
            assert!(object[member].is_string(), "{member}: {line}");
        }
        object
    });
    lines.collect()
}

#[test]
fn with_json_every_line_on_stderr_is_an_object() {
    let folder = Folder::new();
    let mut command = folder.command("serve --listen 127.0.0.1:0 --log-format json");
    command
        .env("CALL_METRICS_LISTN", "x\u{1b}")
        .env("DAILY_KEY", "sekret");
    let server = Running::start(command);
    let run = server.stop("TERM");
    assert_eq!(run.code, 0, "{run:?}");
    let lines = objects(&run.stderr);
    let events: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events.first(), Some(&"unknown-setting"), "{events:?}");
    assert_eq!(events.last(), Some(&"stopped"), "{events:?}");
    let of = |event: &str| &lines[events.iter().position(|found| *found == event).unwrap()];
    for event in ["listening", "report-address", "log-file", "stopping"] {
        assert_eq!(of(event)["level"], "info", "{event}");
    }
    assert_eq!(of("unknown-setting")["level"], "warning");
    assert_eq!(of("unknown-setting")["variable"], "CALL_METRICS_LISTN");
    let hint = &of("unknown-setting")["hint"];
    assert_eq!(hint, "`CALL_METRICS_LISTEN` may be meant");
    let hint = of("no-daily-token")["hint"].as_str().unwrap();
    assert!(hint.contains("`DAILY_KEY` is set"), "{hint}");
    assert_eq!(of("stopped")["drained"], true);
    assert!(of("stopped")["seconds"].is_number());
    assert!(
        !run.stderr.contains("sekret") && !run.stderr.contains("\\u{1b}"),
        "{}",
        run.stderr
    );
}

#[test]
fn with_json_an_error_is_an_object_whatever_the_error() {
    let folder = Folder::new();
    fs::create_dir(folder.path("beacon.log")).unwrap();
    for (args, code, event) in [
        ("--listen 127.0.0.1:0", 1, "failed"),
        ("--listen nowhere", 2, "wrong-usage"),
        ("--lissten 127.0.0.1:0", 2, "wrong-usage"),
    ] {
        let run = folder.run(&format!("serve --log-format=json {args}"));
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{run:?}");
        let lines = objects(&run.stderr);
        assert_eq!(lines.len(), 1, "{run:?}");
        assert_eq!(
            (&lines[0]["level"], &lines[0]["event"]),
            (&json!("error"), &json!(event))
        );
        assert!(lines[0]["hint"].is_string(), "{run:?}");
    }
}

#[test]
fn a_stderr_that_is_closed_full_or_never_read_holds_nobody_up() {
    let check = |what: &str, stderr: Stdio, n_dropped_min: u64| {
        let folder = Folder::new();
        let redirect = if what == "closed" { "2>&-" } else { "" };
        let script = format!("exec \"$0\" serve --listen 127.0.0.1:0 {redirect}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_call-metrics")]);
        shell.current_dir(folder.path(""));
        let server = Running::start_with_stderr(shell, stderr);
        let beacon = beacon("r", "s", T);
        let reply = post(&format!("{}/beacon", server.url()), beacon);
        assert_eq!(reply.status, 204, "{what}");
        wait_for("the count of lost notices", || {
            let counters = get(&format!("{}/metrics", server.url())).body;
            let mut lines = counters.lines();
            let n =
                lines.find_map(|line| line.strip_prefix("call_metrics_notices_dropped_total "))?;
            (n_dropped_min <= n.parse().unwrap()).then_some(())
        });
        assert_eq!(server.stop("TERM").code, 0, "{what}");
    };
    check("closed", Stdio::null(), 0);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    check("full", full.into(), 3);
    // It takes no byte more, and nobody reads it.
    let (mut stuck, _unread) = UnixStream::pair().unwrap();
    stuck.set_nonblocking(true).unwrap();
    while stuck.write(&[b'x'; 4_096]).is_ok() {}
    while stuck.write(b"x").is_ok() {}
    stuck.set_nonblocking(false).unwrap();
    check("never read", OwnedFd::from(stuck).into(), 0);
}

/// A supervisor's end of the line.
fn supervisor(folder: &Folder) -> UnixDatagram {
    let socket = UnixDatagram::bind(folder.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket
}

fn message(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4_096];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn systemd_hears_when_it_is_ready_that_it_lives_and_when_it_stops() {
    let folder = Folder::new();
    let socket = supervisor(&folder);
    let mut command = folder.command("serve --listen 127.0.0.1:0");
    command
        .env("NOTIFY_SOCKET", folder.path("notify"))
        .env("WATCHDOG_USEC", "150000");
    let server = Running::start(command);
    assert_eq!(message(&socket), "READY=1\n");
    assert_eq!(get(&format!("{}/healthz", server.url())).status, 200);
    let first = message(&socket);
    assert!(
        first.contains("WATCHDOG=1\n")
            && first.contains(&format!("STATUS=listening on {}", server.url())),
        "{first}"
    );
    for _ in 0..3 {
        assert_eq!(message(&socket), "WATCHDOG=1\n");
    }
    let run = server.stop("TERM");
    assert_eq!(run.code, 0, "{run:?}");
    let last = std::iter::repeat_with(|| message(&socket)).find(|text| text != "WATCHDOG=1\n");
    assert_eq!(last.unwrap(), "STOPPING=1\nSTATUS=stopping\n");
}

#[test]
fn a_collector_that_does_not_come_up_is_never_ready() {
    let folder = Folder::new();
    let socket = supervisor(&folder);
    fs::create_dir(folder.path("beacon.log")).unwrap();
    let mut command = folder.command("serve --listen 127.0.0.1:0");
    command.env("NOTIFY_SOCKET", folder.path("notify"));
    assert_eq!(Run::of(command.output().unwrap()).code, 1);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err());
}

#[test]
fn a_log_renamed_before_sighup_is_gone_on_with_in_a_new_one() {
    let folder = Folder::new();
    let server = serve(&folder, "");
    let send = |session: &str| post(&format!("{}/beacon", server.url()), beacon("r", session, T));
    assert_eq!(send("a").status, 204);
    fs::rename(folder.path("beacon.log"), folder.path("beacon.log.1")).unwrap();
    server.signal("HUP");
    wait_for("a beacon in the new log", || {
        (send("b").status == 204 && folder.path("beacon.log").exists()).then_some(())
    });
    assert_eq!(server.stop("TERM").code, 0);
    let old = folder.read("beacon.log.1") + &folder.read("beacon.log");
    assert!(old.lines().count() >= 2 && old.contains("\"a\"") && old.contains("\"b\""));
}

#[test]
fn a_second_signal_ends_at_once_what_the_first_lets_finish() {
    let folder = Folder::new();
    let socket = supervisor(&folder);
    let fake = FakeDaily::start();
    fake.always(Fault::Hold);
    let mut command = folder.command("serve --listen 127.0.0.1:0");
    command
        .env("NOTIFY_SOCKET", folder.path("notify"))
        .env("DAILY_TOKEN", TOKEN)
        .env("DAILY_API_URL", fake.api_url());
    let server = Running::start(command);
    // A request that Daily does not answer keeps the first signal's end waiting.
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let mut client = std::net::TcpStream::connect(&address).unwrap();
    let body = r#"{"name":"ana"}"#;
    let head = format!(
        "POST /api/rooms HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    wait_for("the request at Daily", || {
        (!fake.request_lines().is_empty()).then_some(())
    });
    server.signal("TERM");
    while !message(&socket).starts_with("STOPPING=1") {}
    let run = server.stop("TERM");
    assert_eq!(run.code, 1, "{run:?}");
    // Whether the words on the first one got out before the end is nobody's promise.
    assert!(!run.stderr.contains("stopped after"), "{run:?}");
    fake.release();
}
