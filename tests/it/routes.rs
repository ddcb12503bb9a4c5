//! What each address answers, to whom, and with which headers.

use crate::support::fake_daily::{FakeDaily, Fault, TOKEN};
use crate::support::http::{Answer, PATIENCE, Server, beacon};
use call_metrics::collector::gate::Limits;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant, SystemTime};

fn usual() -> Limits {
    Limits::for_this_process()
}

fn with(args: &[&str]) -> Server {
    Server::with(args, &[], usual())
}

#[test]
fn methods_and_addresses_are_told_apart() {
    let server = Server::start();
    server.publish("robots.txt", "User-agent: *\n");
    server.publish("report/index.html", "<!doctype html>");
    let check = |request: &str, status: u16, allow: Option<&str>| {
        let answer = server.ask(&format!(
            "{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(
            (answer.status, answer.header("Allow")),
            (status, allow),
            "{request}"
        );
        if request.starts_with("HEAD ") {
            assert!(answer.body.is_empty());
        }
    };
    let reads = Some("GET, HEAD");
    for path in [
        "/",
        "/ana",
        "/healthz",
        "/metrics",
        "/report/",
        "/report/index.html",
        "/robots.txt",
    ] {
        check(&format!("GET {path}"), 200, None);
        check(&format!("HEAD {path}"), 200, None);
    }
    for path in [
        "/ana",
        "/healthz",
        "/metrics",
        "/report/",
        "/robots.txt",
        "/report",
    ] {
        for method in ["POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH"] {
            check(&format!("{method} {path}"), 405, reads);
        }
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "TRACE"] {
        check(&format!("{method} /beacon"), 405, Some("POST, OPTIONS"));
    }
    check("PUT /", 405, Some("GET, HEAD, POST, OPTIONS"));
    check("GET /api/rooms", 405, Some("POST"));
    for path in [
        "/nothing.txt",
        "/a/b",
        "/beacon/",
        "/api",
        "/api/other",
        "/assets/",
        "/assets/x/y.js",
        "/public",
        "/report/nothing",
    ] {
        check(&format!("GET {path}"), 404, None);
    }
    assert_eq!(server.get("/beacon").text(), "Must send data as POST\n");
    assert_eq!(server.get("/healthz").text(), "ok\n");
    let redirect = server.get("/report?x=1");
    assert_eq!(
        (redirect.status, redirect.header("Location")),
        (308, Some("/report/?x=1"))
    );
    assert_eq!(server.get("/ana/").header("Location"), Some("/ana"));
}

#[test]
fn beacons_are_stored_and_refusals_say_why() {
    let server = Server::start();
    for path in ["/beacon", "/", "/beacon?x=y"] {
        for kind in [
            "text/plain;charset=UTF-8",
            "application/json",
            "application/x-www-form-urlencoded",
        ] {
            let answer =
                server.post_with(path, &format!("Content-Type: {kind}\r\n"), &beacon(kind));
            assert_eq!(
                (
                    answer.status,
                    answer.body.len(),
                    answer.header("Content-Length")
                ),
                (204, 0, None)
            );
        }
    }
    let log = server.log();
    assert_eq!(log.lines().count(), 9);
    assert!(
        log.lines().all(|line| line.contains(r#""_rx":{"t":"#)),
        "{log}"
    );
    for (body, reason) in [
        ("", "empty"),
        ("nonsense", "not-json"),
        ("[]", "not-an-object"),
        ("{}", "bad-room"),
        (
            r#"{"room":"a","meetingSessionId":"m","sessionId":"s"}"#,
            "bad-stats",
        ),
        ("{} {}", "not-json"),
    ] {
        let answer = server.post_with("/beacon", "", body);
        let text = answer.text();
        assert_eq!(
            (answer.status, answer.header("X-Call-Metrics")),
            (400, Some(reason)),
            "{body}"
        );
        assert!(
            text.ends_with('\n') && text.lines().count() == 1,
            "{text:?}"
        );
    }
    assert_eq!(server.log().lines().count(), 9);
    assert_eq!(server.counted("call_metrics_beacons_accepted_total "), 9.0);
    assert_eq!(
        server.counted("call_metrics_beacons_refused_total{reason=\"not-json\"} "),
        2.0
    );
    assert_eq!(
        server.counted("call_metrics_request_duration_seconds_count{kind=\"beacon\"} "),
        15.0
    );
    assert_eq!(server.counted("call_metrics_log_lines_total "), 9.0);
}

#[test]
fn beacons_come_from_our_own_pages_and_from_listed_origins() {
    let server = with(&["--allow-origin", "https://app.example.com"]);
    let send = |headers: &str| server.post_with("/beacon", headers, &beacon("o"));
    let own = send("Origin: http://localhost\r\n");
    assert_eq!(
        (own.status, own.header("Access-Control-Allow-Origin")),
        (204, None)
    );
    assert_eq!(send("").status, 204);

    let listed = send("Origin: https://app.example.com\r\n");
    assert_eq!(listed.status, 204);
    let readable = |answer: &Answer| {
        assert_eq!(
            answer.header("Access-Control-Allow-Origin"),
            Some("https://app.example.com")
        );
        assert_eq!(answer.header("Vary"), Some("Origin"));
        assert_eq!(
            answer.header("Access-Control-Expose-Headers"),
            Some("X-Call-Metrics, Retry-After")
        );
    };
    readable(&listed);
    // Refusals too, those of the gate among them: else every error looks like a broken network, and is tried again.
    let listed = "Origin: https://app.example.com\r\n";
    let malformed = server.post_with("/beacon", listed, "nonsense");
    assert_eq!(malformed.status, 400);
    readable(&malformed);
    let large = server.post_with("/beacon", listed, &"x".repeat(70_000));
    assert_eq!(large.status, 413);
    readable(&large);

    for origin in [
        "null",
        "https://app.example.com.evil",
        "https://evil-app.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "http://localhost:81",
        "x",
    ] {
        let answer = send(&format!("Origin: {origin}\r\n"));
        assert_eq!(
            (answer.status, answer.header("X-Call-Metrics")),
            (403, Some("origin-refused")),
            "{origin}"
        );
        assert_eq!(
            (
                answer.header("Access-Control-Allow-Origin"),
                answer.header("Vary")
            ),
            (None, Some("Origin"))
        );
    }
    assert_eq!(server.log().lines().count(), 3);
}

#[test]
fn preflights_are_answered_for_listed_origins_alone() {
    let server = with(&["--allow-origin", "https://app.example.com"]);
    let ask = |origin: &str| {
        server.ask(&format!(
            "OPTIONS /beacon HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: content-type\r\n\r\n"
        ))
    };
    let listed = ask("https://app.example.com");
    assert_eq!(listed.status, 204);
    for (name, value) in [
        ("Access-Control-Allow-Origin", "https://app.example.com"),
        ("Access-Control-Allow-Methods", "POST"),
        ("Access-Control-Allow-Headers", "Content-Type"),
        ("Vary", "Origin"),
    ] {
        assert_eq!(listed.header(name), Some(value), "{name}");
    }
    assert!(listed.header("Access-Control-Max-Age").is_some());
    for origin in ["https://evil.example", "null"] {
        let refused = ask(origin);
        assert_eq!(
            (
                refused.status,
                refused.header("Access-Control-Allow-Origin")
            ),
            (403, None),
            "{origin}"
        );
    }
}

#[test]
fn pages_carry_their_settings_and_a_strict_policy() {
    let server = Server::with(
        &[
            "--beacon-url",
            "https://c.example/b",
            "--frame-origin",
            "https://f.example",
            "--sample-interval",
            "3s",
            "--participant-names",
        ],
        &[("DAILY_TOKEN", TOKEN)],
        usual(),
    );
    let start = server.get("/");
    assert_eq!(
        start.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    let call = server.get("/ana");
    let page = call.text();
    for part in [
        "data-room=\"ana\"",
        "data-sample-interval-ms=\"3000\"",
        "data-beacon-interval-ms=\"15000\"",
        "data-participant-names=\"true\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let policy = call.header("Content-Security-Policy").unwrap();
    for part in [
        "default-src 'none'",
        "connect-src 'self' https://c.example;",
        "https://*.daily.co",
        " https://f.example;",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    for answer in [
        &start,
        &call,
        &server.get("/a%20b"),
        &server.get("/report/"),
    ] {
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(
            !policy.contains("unsafe") && policy.contains("form-action 'self'"),
            "{policy}"
        );
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        assert!(answer.header("Referrer-Policy").is_some());
        assert_eq!(
            (answer.header("Permissions-Policy"), answer.header("Server")),
            (None, None)
        );
        assert!(!answer.text().contains(TOKEN) && !answer.head.contains(TOKEN));
    }
    // `Origin: null` is what sendBeacon would say under `no-referrer`.
    assert_eq!(
        Server::start().get("/ana").header("Referrer-Policy"),
        Some("same-origin")
    );
    // Every script and style of the pages is there, under an address that is good for ever.
    for page in [start.text(), page] {
        let links: Vec<&str> = page
            .split(['"', ' '])
            .filter(|part| part.starts_with("/assets/"))
            .collect();
        assert!(5 <= links.len(), "{links:?} in {page}");
        for link in links {
            let asset = server.get(link);
            assert_eq!(asset.status, 200, "{link}");
            assert!(asset.header("Cache-Control").unwrap().contains("immutable"));
            let kind = asset.header("Content-Type").unwrap();
            let expect = match link.rsplit_once('.').unwrap().1 {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                other => panic!("{other}"),
            };
            assert_eq!(kind, expect);
        }
    }
}

#[test]
fn assets_of_the_binary_are_compressed_and_known_by_their_digest_alone() {
    let server = Server::start();
    let digest = call_metrics::site::assets_digest();
    let path = format!("/assets/{digest}/echarts.js");
    let plain = server.get(&path);
    let packed = server.get_with(&path, "Accept-Encoding: gzip\r\n");
    assert!(packed.body.len() < plain.body.len() / 2);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice())
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
    for (answer, headers) in [(&plain, ""), (&packed, "Accept-Encoding: gzip\r\n")] {
        let tag = answer.header("ETag").unwrap();
        let same = server.get_with(&path, &format!("{headers}If-None-Match: {tag}\r\n"));
        assert_eq!(same.status, 304);
    }
    // What an older page asks for may be another file by now: better none than the wrong one, for a year.
    assert_eq!(server.get("/assets/0123456789ab/echarts.js").status, 404);
    assert_eq!(
        server.get(&format!("/assets/{digest}/nothing.js")).status,
        404
    );
}

#[test]
fn names_that_are_no_rooms_are_told_so_in_words() {
    let server = Server::start();
    for path in [
        "/a%20b",
        &format!("/{}", "x".repeat(200)),
        &format!("/{}", "x".repeat(65)),
        "/caf%C3%A9",
        "/%3Cscript%3E",
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.header("X-Call-Metrics")),
            (404, Some("invalid-room-name")),
            "{path}"
        );
        assert!(
            answer.text().contains("room name") && !answer.text().contains("<script>"),
            "{path}"
        );
    }
    for name in ["api", "assets", "public"] {
        let answer = server.get(&format!("/{name}"));
        assert_eq!(
            (answer.status, answer.header("X-Call-Metrics")),
            (404, Some("reserved-room-name")),
            "{name}"
        );
    }
    for name in ["a", "A-b_9", &"x".repeat(64)] {
        assert_eq!(server.get(&format!("/{name}")).status, 200, "{name}");
    }
}

fn room_server(fake: &FakeDaily) -> Server {
    Server::with(
        &[],
        &[("DAILY_TOKEN", TOKEN), ("DAILY_API_URL", &fake.api_url())],
        usual(),
    )
}

#[test]
fn rooms_are_given_to_our_own_pages() {
    let fake = FakeDaily::start();
    let server = room_server(&fake);
    let ask = |headers: &str, body: &str| server.post_with("/api/rooms", headers, body);
    let own = ask(
        "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n",
        r#"{"name":"ana"}"#,
    );
    assert_eq!(own.status, 200, "{}", own.text());
    assert_eq!(own.header("Content-Type"), Some("application/json"));
    assert_eq!(
        own.json(),
        serde_json::json!({"name": "meet-ana", "url": fake.room_url("meet-ana"), "beaconUrl": "/beacon"})
    );
    let check = |headers: &str, body: &str, status: u16, code: &str| {
        let answer = ask(headers, body);
        let json = answer.json();
        assert_eq!(
            (answer.status, json["error"].as_str()),
            (status, Some(code)),
            "{headers}{body}"
        );
        assert!(!json["message"].as_str().unwrap().is_empty());
        assert!(!answer.text().contains(TOKEN));
    };
    let good = r#"{"name":"ana"}"#;
    check(
        "Origin: https://evil.example\r\n",
        good,
        403,
        "origin-refused",
    );
    check("Origin: null\r\n", good, 403, "origin-refused");
    check(
        "Sec-Fetch-Site: cross-site\r\n",
        good,
        403,
        "origin-refused",
    );
    check("", "nonsense", 400, "invalid-request");
    check("", "", 400, "invalid-request");
    check("", "[]", 400, "invalid-request");
    check("", "{}", 400, "invalid-room-name");
    check("", r#"{"name":7}"#, 400, "invalid-room-name");
    for name in [
        "",
        "a b",
        "../x",
        "meet/x",
        "a\\r\\nb",
        "report",
        "api",
        &"x".repeat(65),
    ] {
        check(
            "",
            &format!(r#"{{"name":"{name}"}}"#),
            400,
            "invalid-room-name",
        );
    }
    assert_eq!(
        fake.request_lines().len(),
        1,
        "only the good name reached Daily"
    );
}

#[test]
fn what_goes_wrong_at_daily_has_a_code() {
    let check = |fault: Fault, status: u16, code: &str| {
        let fake = FakeDaily::start();
        fake.always(fault);
        let server = room_server(&fake);
        let answer = server.post_with("/api/rooms", "", r#"{"name":"ana"}"#);
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(code))
        );
        assert_eq!(answer.header("Retry-After").is_some(), status == 429);
        assert!(!answer.text().contains(TOKEN));
    };
    check(Fault::Body(401, "{}".into()), 502, "daily-auth-failed");
    check(Fault::Html(400), 502, "daily-error");
    check(Fault::Body(200, "[]".into()), 502, "daily-error");

    let server = Server::start();
    let answer = server.post_with("/api/rooms", "", r#"{"name":"ana"}"#);
    let json = answer.json();
    assert_eq!(
        (answer.status, json["error"].as_str()),
        (503, Some("daily-token-missing"))
    );
    let message = json["message"].as_str().unwrap();
    assert!(
        message.contains("DAILY_TOKEN")
            && message.contains("https://dashboard.daily.co/developers"),
        "{message}"
    );
}

#[test]
fn rooms_that_wait_for_daily_hold_up_neither_beacons_nor_more_than_their_share() {
    let fake = FakeDaily::start();
    fake.always(Fault::Hold);
    let server = room_server(&fake);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..8)
            .map(|i| {
                let server = &server;
                scope.spawn(move || {
                    server
                        .post_with("/api/rooms", "", &format!(r#"{{"name":"r{i}"}}"#))
                        .status
                })
            })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        while server.counted("call_metrics_rooms_pending ") < 8.0 {
            assert!(Instant::now() < deadline, "they did not come");
        }
        let ninth = server.post_with("/api/rooms", "", r#"{"name":"ninth"}"#);
        assert_eq!(ninth.status, 503);
        assert_eq!(
            (ninth.json()["error"].as_str(), ninth.header("Retry-After")),
            (Some("busy"), Some("2"))
        );
        server.assert_serves();
        assert_eq!(server.get("/").status, 200);
        fake.release();
        for room in waiting {
            room.join().unwrap();
        }
    });
}

#[test]
fn files_are_validated_by_their_tags_and_compressed_for_those_who_can() {
    let server = Server::start();
    let text = "<!doctype html><p>report</p>".repeat(200);
    let path = server.publish("report/index.html", &text);
    server.publish("report/data/report.json", "{}");
    let plain = server.get("/report/");
    assert_eq!(
        (
            plain.status,
            plain.text() == text,
            plain.header("Content-Encoding")
        ),
        (200, true, None)
    );
    assert_eq!(
        (plain.header("Cache-Control"), plain.header("Vary")),
        (Some("no-cache"), Some("Accept-Encoding"))
    );
    let packed = server.get_with("/report/", "Accept-Encoding: br, gzip\r\n");
    assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut unpacked)
        .unwrap();
    assert!(unpacked == text && packed.body.len() < text.len() / 4);
    let tags = [
        plain.header("ETag").unwrap(),
        packed.header("ETag").unwrap(),
    ];
    assert_ne!(tags[0], tags[1]);
    for (tag, headers) in tags.iter().zip(["", "Accept-Encoding: gzip\r\n"]) {
        let same = server.get_with(
            "/report/",
            &format!("{headers}If-None-Match: \"x\", {tag}\r\n"),
        );
        assert_eq!(
            (same.status, same.body.len(), same.header("ETag")),
            (304, 0, Some(*tag))
        );
        assert_eq!(same.header("Cache-Control"), Some("no-cache"));
    }
    let head = server
        .client()
        .ask(b"HEAD /report/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(
        head.header("Content-Length"),
        Some(text.len().to_string().as_str())
    );
    // A new report has a new tag.
    std::fs::write(&path, "new").unwrap();
    let new = server.get_with("/report/", &format!("If-None-Match: {}\r\n", tags[0]));
    assert_eq!((new.status, new.text().as_str()), (200, "new"));
    assert_eq!(
        server
            .get("/report/data/report.json")
            .header("Content-Type"),
        Some("application/json")
    );
    assert_eq!(
        server.get("/report/data").header("Location"),
        Some("/report/data/")
    );
    // Larger than what tiny_http would send in chunks.
    server.publish("report/large.bin", vec![1; 3_000_000]);
    assert_eq!(server.get("/report/large.bin").body.len(), 3_000_000);
}

#[test]
fn a_report_that_is_not_built_yet_says_how_to_build_it() {
    let server = Server::start();
    for path in ["/report/", "/report/index.html"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404);
        assert!(
            answer.text().contains("call-metrics build-report"),
            "{path}"
        );
    }
    assert!(
        !server
            .get("/report/calls/x.html")
            .text()
            .contains("build-report")
    );
}

#[test]
fn no_path_leads_out_of_the_document_root() {
    let server = Server::start();
    let secret = server.folder.path().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::create_dir(server.folder.path().join("public-evil")).unwrap();
    std::fs::write(server.folder.path().join("public-evil/a.txt"), "secret").unwrap();
    server.publish("report/index.html", "fine");
    server.publish(".env", "secret");
    server.publish("report/.git/config", "secret");
    symlink(&secret, server.public().join("report/link.txt")).unwrap();
    symlink(server.folder.path(), server.public().join("report/up")).unwrap();
    symlink(
        server.public().join("report/index.html"),
        server.public().join("inside.html"),
    )
    .unwrap();
    // What is hidden stays so by another name.
    symlink(
        server.public().join(".env"),
        server.public().join("visible.txt"),
    )
    .unwrap();
    symlink(
        server.public().join("report/.git"),
        server.public().join("report/git"),
    )
    .unwrap();
    for path in [
        "/../secret.txt",
        "/report/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/report/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/report/..%2f..%2fsecret.txt",
        "/report/..%5c..%5csecret.txt",
        "/report/..\\..\\secret.txt",
        "//secret.txt",
        "/report//index.html",
        "/report/./index.html",
        "/%2e%2e%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/report/link.txt",
        "/report/up/secret.txt",
        "/report/up/public/report/../../secret.txt",
        "/../public-evil/a.txt",
        "/.env",
        "/visible.txt",
        "/report/.git/config",
        "/report/git/config",
        "/report/index.html%00.txt",
        "/report/index.html/",
        "/%c0%ae%c0%ae/secret.txt",
        "/report/%ef%bc%8e%ef%bc%8e/secret.txt",
        "/etc/passwd",
        "//etc/passwd",
        "/file:///etc/passwd",
        "/%",
        "/beacon.log",
        "/../beacon.log",
    ] {
        let answer = server.get(path);
        assert!(
            matches!(answer.status, 400 | 404),
            "{} for {path}",
            answer.status
        );
        assert!(!answer.text().contains("secret"), "{path}");
    }
    assert_eq!(server.get("/inside.html").text(), "fine");
    // A pipe is no file: opening it would wait for ever.
    let pipe = server.public().join("report/pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(server.get("/report/pipe").status, 404);
    }
    server.assert_serves();
}

#[test]
fn nothing_from_a_request_becomes_a_header() {
    let server = with(&["--allow-origin", "https://app.example.com"]);
    server.publish("report/a b/index.html", "x");
    for request in [
        "GET /report/%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /ana/?x=%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /report/a%20b?x=%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /report?%0aSet-Cookie:a=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /beacon HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\rSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
        "POST /beacon HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(
            server.ask(request).header("Set-Cookie"),
            None,
            "{request:?}"
        );
    }
}

#[test]
fn beyond_loopback_the_report_needs_a_password() {
    let everywhere = ["--listen", "0.0.0.0:0"];
    let closed = with(&everywhere);
    closed.publish("report/index.html", "report");
    symlink(
        closed.public().join("report"),
        closed.public().join("r.port"),
    )
    .unwrap();
    for path in [
        "/report/",
        "/report/index.html",
        "/metrics",
        "/%72eport/",
        "/r.port/",
    ] {
        let answer = closed.get(path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("--report-password"));
    }
    for path in ["/", "/ana", "/healthz"] {
        assert_eq!(closed.get(path).status, 200, "{path}");
    }
    assert_eq!(closed.post_with("/beacon", "", &beacon("x")).status, 204);

    // Right is `pass`, whoever the user.
    for listen in [&everywhere[..], &["--listen", "127.0.0.1:0"]] {
        let guarded = with(&[listen, &["--report-password", "pass"]].concat());
        guarded.publish("report/index.html", "report");
        for (credentials, status) in [
            ("", 401),
            ("Authorization: Basic dXNlcjpwYXNz\r\n", 200), // user:pass
            ("Authorization: Basic OnBhc3M=\r\n", 200),     // :pass
            ("Authorization: Basic dXNlcjpwYXN6\r\n", 401), // user:pasz
            ("Authorization: Basic dXNlcjo=\r\n", 401),     // user:
            ("Authorization: Bearer pass\r\n", 401),
        ] {
            for path in ["/report/", "/metrics"] {
                let answer = guarded.get_with(path, credentials);
                assert_eq!(answer.status, status, "{credentials} {path}");
                assert_eq!(answer.header("WWW-Authenticate").is_some(), status == 401);
            }
        }
    }
}

#[test]
fn counters_are_as_prometheus_wants_them() {
    let server = Server::start();
    server
        .report_status
        .built(SystemTime::now(), Duration::from_millis(1500), true);
    let answer = server.get("/metrics");
    assert!(
        answer
            .header("Content-Type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let text = answer.text();
    let mut families = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(
                families.insert(rest.split(' ').next().unwrap().to_owned()),
                "twice: {line}"
            );
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name);
            assert!(
                families.contains(family) || families.contains(name),
                "{line}"
            );
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert_eq!(
        server.counted("call_metrics_report_last_build_duration_seconds "),
        1.5
    );
    assert_eq!(server.counted("call_metrics_report_last_build_ok "), 1.0);
}

#[test]
fn health_follows_the_log() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").status, 200);
    server.writer.stop();
    let answer = server.get("/healthz");
    assert_eq!(answer.status, 503);
    assert!(answer.header("Retry-After").is_some());
    let refused = server.post_with("/beacon", "", &beacon("too late"));
    assert_eq!(
        (
            refused.status,
            refused.header("Retry-After"),
            refused.header("X-Call-Metrics")
        ),
        (503, Some("1"), Some("busy"))
    );
}

#[test]
fn an_address_in_use_is_an_error_with_a_hint() {
    let server = Server::start();
    let address = server.address().to_string();
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["call-metrics", "serve", "--listen", &address, "--public"].map(std::ffi::OsString::from);
    let args = args
        .into_iter()
        .chain([folder.path().join("p").into_os_string()]);
    let call_metrics::cli::Command::Serve(args) = call_metrics::cli::parse(args).unwrap().command
    else {
        panic!("serve was asked for");
    };
    let config = call_metrics::config::Serve::check(*args, Default::default()).unwrap();
    let settings = call_metrics::log::writer::Settings::new(folder.path().join("b.log"));
    let writer = std::sync::Arc::new(call_metrics::log::writer::Writer::open(settings).unwrap());
    let parts = call_metrics::collector::Parts::new(writer, None, Default::default());
    let error = call_metrics::collector::Collector::start(&config, parts)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on `{address}`: the address is in use")
    );
    assert!(error.hint().is_some());
}
