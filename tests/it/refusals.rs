//! Whoever is refused looks the reason up in the README: every reason there can be had, with its status, its header and its
//! counter, and a reason without a request below, or another test named for it, fails.

use crate::access::{
    SECRET, beacon_with, from, mint, now_ms, proxied, token_until, until_refused, with,
};
use crate::support::fake_daily::{FakeDaily, Fault, TOKEN};
use crate::support::http::{Answer, Server, beacon};
use call_metrics::collector::gate::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// The tables of the README, in their order, and what counts the refusals of each.
const BEACONS: usize = 0;
const ROOMS: usize = 1;
const OTHERS: usize = 2;
const GATE: usize = 3;
const COUNTERS: [&str; 4] = [
    "call_metrics_beacons_refused_total",
    "call_metrics_rooms_refused_total",
    "call_metrics_requests_refused_total",
    "call_metrics_gate_refused_total",
];

/// What needs a fault, or a client, that cannot be had here, and the test that has it.
const ELSEWHERE: &[(usize, &str, &str, &str)] = &[
    (
        BEACONS,
        "internal-error",
        "src/collector/exchange.rs",
        "fn whose_handler_fails_hears_so_in_his_own_words",
    ),
    (
        ROOMS,
        "internal-error",
        "src/collector/exchange.rs",
        "fn whose_handler_fails_hears_so_in_his_own_words",
    ),
    (
        ROOMS,
        "busy",
        "tests/it/routes.rs",
        "fn rooms_that_wait_for_daily_hold_up_neither_beacons_nor_more_than_their_share",
    ),
    (
        ROOMS,
        "daily-timeout",
        "tests/it/daily/faults.rs",
        "fn silence_ends_with_the_deadline_of_the_call",
    ),
    (
        BEACONS,
        "log-stalled",
        "tests/reliability/faults/calls.py",
        "@row(\"A9s\",",
    ),
    (
        GATE,
        "too-many-connections",
        "tests/it/gate/places.rs",
        "fn where_all_are_being_answered_the_new_one_is_told_to_come_later",
    ),
    (
        GATE,
        "busy",
        "tests/it/gate/places.rs",
        "fn what_takes_long_does_not_take_every_place_while_it_waits",
    ),
    (
        GATE,
        "no-answer",
        "tests/it/watchdog.rs",
        "fn an_answer_that_cannot_be_measured_costs_a_connection_and_no_more",
    ),
    // Clients of this machine have no limit.
    (
        GATE,
        "address-full",
        "tests/it/gate/places.rs",
        "fn an_address_has_a_limit_of_its_own_and_others_do_not_feel_it",
    ),
];

/// The statuses of each reason, by table.
fn readme() -> BTreeMap<(usize, String), BTreeSet<u16>> {
    let text = include_str!("../../README.md");
    let section = text.split("\n## Refusals\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut found: BTreeMap<(usize, String), BTreeSet<u16>> = BTreeMap::new();
    let mut n_tables = 0;
    for line in section.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.get(1) == Some(&"status") {
            n_tables += 1;
        }
        let [_, statuses, reasons, ..] = cells[..] else {
            continue;
        };
        let statuses: Result<BTreeSet<u16>, _> = statuses.split(", ").map(str::parse).collect();
        let Ok(statuses) = statuses else { continue };
        for reason in reasons.split('`').skip(1).step_by(2) {
            let of = found.entry((n_tables - 1, reason.to_owned())).or_default();
            of.extend(&statuses);
        }
    }
    assert_eq!(n_tables, COUNTERS.len());
    found
}

/// What was had so far.
struct Walk {
    readme: BTreeMap<(usize, String), BTreeSet<u16>>,
    had: BTreeSet<(usize, String)>,
}

impl Walk {
    /// `answer` came from `server` and is a refusal for this reason, and was counted.
    #[track_caller]
    fn saw(&mut self, table: usize, reason: &str, answer: &Answer, server: &Server) {
        assert_eq!(
            answer.header("X-Call-Metrics"),
            Some(reason),
            "{}",
            answer.head
        );
        let key = (table, reason.to_owned());
        let statuses = self.readme.get(&key);
        assert!(
            statuses.is_some_and(|statuses| statuses.contains(&answer.status)),
            "{reason}: {} is not in the README",
            answer.status
        );
        if table == ROOMS {
            assert_eq!(answer.json()["error"].as_str(), Some(reason));
        }
        if matches!(table, BEACONS | ROOMS) {
            assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{reason}");
        }
        if answer.status == 429 {
            assert!(answer.header("Retry-After").is_some(), "{reason}");
        }
        let row = format!("{}{{reason=\"{reason}\"}} ", COUNTERS[table]);
        assert!(1.0 <= server.counted(&row), "{row}");
        self.had.insert(key);
    }
}

#[test]
fn every_reason_in_the_readme_can_be_had_and_is_counted() {
    let mut walk = Walk {
        readme: readme(),
        had: BTreeSet::new(),
    };
    beacons(&mut walk);
    rooms(&mut walk);
    pages(&mut walk);
    framing(&mut walk);

    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (table, reason, file, test) in ELSEWHERE {
        let text = std::fs::read_to_string(top.join(file)).unwrap();
        assert!(text.contains(test), "{file}: {test}");
        let is_new = walk.had.insert((*table, (*reason).to_owned()));
        assert!(is_new, "{reason} is had here");
    }
    let all: BTreeSet<_> = walk.readme.into_keys().collect();
    let missing: Vec<_> = all.difference(&walk.had).collect();
    assert!(missing.is_empty(), "no request for {missing:?}");
}

fn beacons(walk: &mut Walk) {
    let fake = FakeDaily::start();
    let server = proxied(
        &fake,
        &[
            "--page-token",
            "required",
            "--rate-per-token",
            "1",
            "--rate-per-address",
            "1",
            "--public-host",
            "calls.example.com",
        ],
    );
    let deep = format!(
        r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{}},"x":{}{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    let ask = |headers: &str, body: &[u8]| {
        let head = format!(
            "POST /beacon HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        server.client().ask(&[head.as_bytes(), body].concat())
    };
    let mut check = |headers: &str, body: &[u8], reason: &str| {
        walk.saw(BEACONS, reason, &ask(headers, body), &server);
    };
    const HOST: &str = "Host: localhost\r\n";
    for (body, reason) in [
        ("", "empty"),
        ("nonsense", "not-json"),
        ("[]", "not-an-object"),
        ("{}", "bad-room"),
        (r#"{"room":"r"}"#, "bad-meeting-session-id"),
        (r#"{"room":"r","meetingSessionId":"m"}"#, "bad-session-id"),
        (
            r#"{"room":"r","meetingSessionId":"m","sessionId":"s"}"#,
            "bad-stats",
        ),
        (
            r#"{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{},"samples":7}"#,
            "bad-samples",
        ),
        (&deep, "too-deep"),
    ] {
        check(HOST, body.as_bytes(), reason);
    }
    check(HOST, b"\"\xff\"", "not-utf8");
    let evil = format!("{HOST}Origin: https://evil.example\r\n");
    check(&evil, b"{}", "origin-refused");
    check("Host: evil.example\r\n", b"{}", "host-refused");
    let good = |token: Option<&str>| beacon_with("r", token).into_bytes();
    let far = now_ms() + 3_600_000;
    check(HOST, &good(None), "page-token-missing");
    check(HOST, &good(Some("x")), "page-token-invalid");
    let expired = token_until("r", 1, SECRET);
    check(HOST, &good(Some(&expired)), "page-token-expired");
    let elsewhere = token_until("q", far, SECRET);
    check(HOST, &good(Some(&elsewhere)), "page-token-wrong-room");
    let token = token_until("r", far, SECRET);
    let flood = until_refused(|| ask(HOST, &good(Some(&token))));
    walk.saw(BEACONS, "token-rate", &flood, &server);
    let garbage = || ask(&format!("{HOST}{}", from("198.51.100.7")), b"garbage");
    walk.saw(BEACONS, "address-rate", &until_refused(garbage), &server);

    // A folder where the log was.
    let server = Server::start();
    let log = server.folder.path().join("beacon.log");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    let failed = server.post_with("/beacon", "", &beacon("s"));
    walk.saw(BEACONS, "log-failed", &failed, &server);
    let ill = server.get("/healthz");
    walk.saw(OTHERS, "log-failed", &ill, &server);
    server.writer.stop();
    let late = server.post_with("/beacon", "", &beacon("s"));
    walk.saw(BEACONS, "busy", &late, &server);
}

fn rooms(walk: &mut Walk) {
    let fake = FakeDaily::start();
    let args = [
        "--public-host",
        "calls.example.com",
        "--room-pattern",
        "r.*",
        "--rooms-per-minute",
        "1",
    ];
    let server = proxied(&fake, &args);
    for (headers, body, reason) in [
        ("", "nonsense", "invalid-request"),
        ("", r#"{"name":"a b"}"#, "invalid-room-name"),
        ("", r#"{"name":"ana"}"#, "room-not-allowed"),
        (
            "Origin: https://evil.example\r\n",
            r#"{"name":"r"}"#,
            "origin-refused",
        ),
    ] {
        let answer = server.post_with("/api/rooms", headers, body);
        walk.saw(ROOMS, reason, &answer, &server);
    }
    let elsewhere = server.ask(
        "POST /api/rooms HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 12\r\n\r\n{\"name\":\"r\"}",
    );
    walk.saw(ROOMS, "host-refused", &elsewhere, &server);
    let mut n = 0;
    let many = until_refused(|| {
        n += 1;
        mint(&server, &from("198.51.100.7"), &format!("r{n}"))
    });
    walk.saw(ROOMS, "too-many-rooms", &many, &server);

    for (fault, reason) in [
        (Fault::TooMany("600"), "daily-rate-limited"),
        (Fault::Body(401, "{}".into()), "daily-auth-failed"),
        (Fault::Html(400), "daily-error"),
    ] {
        let fake = FakeDaily::start();
        fake.always(fault);
        let server = proxied(&fake, &[]);
        walk.saw(ROOMS, reason, &mint(&server, "", "ana"), &server);
    }
    let server = Server::start();
    let answer = mint(&server, "", "ana");
    assert!(!answer.text().contains(TOKEN));
    walk.saw(ROOMS, "daily-token-missing", &answer, &server);
}

fn pages(walk: &mut Walk) {
    let server = with(&["--public-host", "calls.example.com"]);
    for (path, reason) in [
        ("/a%20b", "invalid-room-name"),
        ("/api", "reserved-room-name"),
        ("/report/", "report-missing"),
    ] {
        walk.saw(OTHERS, reason, &server.get(path), &server);
    }
    let elsewhere = server.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    walk.saw(OTHERS, "host-refused", &elsewhere, &server);

    let stranger = from("198.51.100.7");
    let server = with(&["--trusted-proxy", "127.0.0.1"]);
    let closed = server.get_with("/metrics", &stranger);
    walk.saw(OTHERS, "report-password-missing", &closed, &server);

    let server = with(&["--trusted-proxy", "127.0.0.1", "--report-password", "pass"]);
    let guess = || {
        server.get_with(
            "/metrics",
            &format!("{stranger}Authorization: Basic dXNlcjpwYXN6\r\n"),
        )
    };
    // This machine needs it too, to see the counters.
    let counted = |reason: &str| {
        let metrics = server.get_with("/metrics", "Authorization: Basic dXNlcjpwYXNz\r\n");
        let row = format!("{}{{reason=\"{reason}\"}} ", COUNTERS[OTHERS]);
        assert!(metrics.text().contains(&row), "{row}");
    };
    for (answer, status, reason) in [
        (guess(), 401, "password-wrong"),
        (until_refused(guess), 429, "password-guesses"),
    ] {
        assert_eq!(answer.header("X-Call-Metrics"), Some(reason));
        let key = (OTHERS, reason.to_owned());
        assert!(answer.status == status && walk.readme[&key].contains(&status));
        counted(reason);
        walk.had.insert(key);
    }
}

fn framing(walk: &mut Walk) {
    let limits = Limits {
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        answer_bytes: 100_000,
        answers_bytes: 90_000,
        ..Limits::for_this_process()
    };
    let server = Server::with(&[], &[], limits);
    let posting = |headers: &str| format!("POST /beacon HTTP/1.1\r\nHost: localhost\r\n{headers}");
    let long = "x".repeat(20_000);
    for (request, reason) in [
        ("nonsense\r\n\r\n".to_owned(), "malformed-request"),
        ("GET / HTTP/1.1\r\n\r\n".into(), "bad-host"),
        (
            "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
            "bad-target",
        ),
        (
            posting("Origin: http://a\r\nOrigin: http://b\r\n\r\n"),
            "repeated-header",
        ),
        (posting("Content-Length: +5\r\n\r\n{"), "bad-length"),
        (
            posting("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "bad-framing",
        ),
        (
            posting("Transfer-Encoding: chunked\r\n\r\nx\r\n"),
            "bad-chunk",
        ),
        (posting("\r\n"), "length-needed"),
        (posting("Content-Length: 70000\r\n\r\n"), "body-too-large"),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "target-too-long",
        ),
        (posting(&format!("X: {long}\r\n\r\n")), "head-too-large"),
        (
            posting("Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
            "unknown-content-coding",
        ),
        (
            posting("Expect: a-miracle\r\nContent-Length: 2\r\n\r\n{}"),
            "unknown-expectation",
        ),
        (
            format!(
                "{} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "BREW".repeat(20)
            ),
            "unknown-method",
        ),
        (
            posting("Transfer-Encoding: xchunked\r\n\r\n"),
            "unknown-transfer-coding",
        ),
        ("GET / HTTP/2.0\r\n\r\n".into(), "unknown-version"),
        // Of these no more comes.
        (posting(""), "too-slow"),
        (posting("Content-Length: 9\r\n\r\n{"), "too-slow"),
    ] {
        walk.saw(GATE, reason, &server.ask(&request), &server);
    }
    let mut half = server.client();
    half.send(posting("Content-Length: 9\r\n\r\n{").as_bytes());
    half.finish_sending();
    walk.saw(GATE, "cut-short", &half.answer().unwrap(), &server);
    for (n_bytes, reason) in [(200_000, "answer-too-large"), (95_000, "answers-full")] {
        server.publish("file.bin", vec![7; n_bytes]);
        walk.saw(GATE, reason, &server.get("/file.bin"), &server);
    }
}
