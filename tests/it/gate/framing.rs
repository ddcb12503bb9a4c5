//! Where a request begins and ends: what is whole and plain is taken, anything else is refused and closed.

use super::{check, status_of};
use crate::support::http::{Server, beacon, beacon_of, post};
use call_metrics::collector::gate::Limits;

#[test]
fn lengths_that_kill_tiny_http_are_turned_away() {
    let server = Server::start();
    for length in [
        "99999999999999",
        "9000000000000000000",
        "18446744073709551615",
        "18446744073709551616",
        "65537",
    ] {
        for path in ["/beacon", "/", "/ana", "/api/rooms", "/nowhere"] {
            check(
                &server,
                &format!(
                    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nabc"
                ),
                &[413],
            );
            check(
                &server,
                &format!(
                    "GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nabc"
                ),
                &[413],
            );
        }
    }
    for length in [
        "-1",
        "",
        "5, 5",
        "+2",
        "0x10",
        "1e3",
        "5\r\nContent-Length: 6",
    ] {
        check(
            &server,
            &format!(
                "POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nabcde"
            ),
            &[400],
        );
    }
    server.assert_serves();
}

#[test]
fn what_two_readers_could_see_differently_is_refused_and_closed() {
    let server = Server::start();
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (framing, status) in [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", 400),
        ("Transfer-Encoding: identity\r\nContent-Length: 7\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 501),
        ("Content-Length : 5\r\n", 400),
        ("Content-Length: 5\n", 400),
        ("X: a\0b\r\nContent-Length: 5\r\n", 400),
        ("X: a\r\n b\r\nContent-Length: 5\r\n", 400),
        ("Host: h2\r\nContent-Length: 5\r\n", 400),
        ("Expect: a-miracle\r\nContent-Length: 5\r\n", 417),
        ("", 411),
    ] {
        let mut client = server.client();
        client.send(
            format!("POST /beacon HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n0\r\n\r\n{smuggled}")
                .as_bytes(),
        );
        let answer = client.answer().expect("an answer");
        assert_eq!(answer.status, status, "{framing:?}");
        assert_eq!(answer.header("Connection"), Some("close"), "{framing:?}");
        assert!(answer.header("X-Call-Metrics").is_some(), "{framing:?}");
        assert!(client.is_closed(), "{framing:?}: a second answer");
    }
    for (request, expect) in [
        ("GET / HTTP/9.9\r\n\r\n", &[505][..]),
        ("GET / HTTP/2.0\r\n\r\n", &[505]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[505]),
        ("GET /\r\n", &[400]),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", &[400]),
        ("GET / HTTP/1.1\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\nHost: h\n\n", &[400]),
        ("GET /\u{e9} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (
            "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[200],
        ),
        (
            "GET http://localhost/healthz HTTP/1.1\r\nHost: other\r\n\r\n",
            &[200],
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", &[204]),
        ("GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("CONNECT h:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("GET /healthz HTTP/1.0\r\n\r\n", &[200]),
    ] {
        check(&server, request, expect);
    }
    server.assert_serves();
}

#[test]
fn heads_have_a_limit() {
    let server = Server::start();
    let endless = "x".repeat(1024 * 1024);
    check(
        &server,
        &format!("GET /{endless} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        &[414],
    );
    check(
        &server,
        &format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {endless}\r\n\r\n"),
        &[431],
    );
    check(
        &server,
        &format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(10_000)
        ),
        &[431],
    );
    check(
        &server,
        &format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(100)
        ),
        &[431],
    );
    server.assert_serves();
}

#[test]
fn bodies_up_to_the_limit_are_taken_and_no_byte_more() {
    let server = Server::start();
    for (n_bytes, status) in [(65_535, 204), (65_536, 204), (65_537, 413)] {
        let body = beacon_of(n_bytes);
        let answer = server.post_with("/beacon", "", &body);
        assert_eq!(answer.status, status, "{n_bytes}");
        let chunked = format!(
            "POST /beacon HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{n_bytes:x}\r\n{body}\r\n0\r\n\r\n"
        );
        assert_eq!(server.ask(&chunked).status, status, "{n_bytes} chunked");
    }
    let large = server.post_with("/beacon", "", &beacon_of(200_000));
    assert_eq!(
        (large.status, large.header("X-Call-Metrics")),
        (413, Some("body-too-large"))
    );
    assert_eq!(server.log().lines().count(), 4);
    server.assert_serves();
}

#[test]
fn chunks_become_a_beacon() {
    let server = Server::start();
    let body = beacon("chunked");
    let (front, back) = body.split_at(10);
    let chunked = |rest: &str| {
        format!(
            "POST /beacon HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{rest}"
        )
    };
    let (n_front, n_back) = (front.len(), back.len());
    let good = format!(
        "{n_front:x};ext=\"1\"\r\n{front}\r\n{n_back:X}\r\n{back}\r\n0\r\nTrailer: x\r\n\r\n"
    );
    check(&server, &chunked(&good), &[204]);
    check(
        &server,
        &chunked(&format!("zz\r\n{body}\r\n0\r\n\r\n")),
        &[400],
    );
    check(
        &server,
        &chunked(&format!("10000000000000000\r\n{body}\r\n0\r\n\r\n")),
        &[400],
    );
    check(
        &server,
        &chunked(&format!("{:x}\r\n{body}", body.len() + 1)),
        &[400],
    );
    check(
        &server,
        &chunked(&good.replace("0\r\nTrailer: x\r\n\r\n", "")),
        &[400],
    );
    // What follows a chunked body is the next request.
    let mut client = server.client();
    client.send(format!("{}{}", chunked(&good), post("/beacon", "", &beacon("next"))).as_bytes());
    assert_eq!(client.answer().map(|answer| answer.status), Some(204));
    assert_eq!(client.answer().map(|answer| answer.status), Some(204));
    assert_eq!(server.log().lines().count(), 3);
}

#[test]
fn a_request_cut_short_at_any_byte_is_never_stored() {
    let server = Server::start();
    let small = post("/beacon", "", &beacon_of(900));
    let large = post("/beacon", "", &beacon_of(2_000));
    let chunked = format!(
        "POST /beacon HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n{}\r\n0\r\n\r\n",
        beacon_of(900)
    );
    for request in [small, large, chunked] {
        let body_start = request.find("\r\n\r\n").unwrap() + 4;
        let ends = (0..request.len()).filter(|end| {
            body_start.abs_diff(*end) < 12 || end % 97 == 0 || request.len() - end < 12
        });
        for end in ends {
            let status = status_of(&server, &request.as_bytes()[..end]);
            assert!(
                matches!(status, 0 | 400),
                "{status} after {end} of {} bytes",
                request.len()
            );
        }
        assert_eq!(status_of(&server, request.as_bytes()), 204);
    }
    assert_eq!(server.log().lines().count(), 3);
}

#[test]
fn fifty_pipelined_beacons_are_answered_in_order_and_all_stored() {
    let server = Server::start();
    let mut client = server.client();
    let mut requests = String::new();
    for i in 0..50 {
        requests.push_str(&post("/beacon", "", &beacon(&format!("n{i:02}"))));
        requests.push_str(&format!(
            "GET /nothing.{i} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ));
    }
    client.send(requests.as_bytes());
    for i in 0..50 {
        assert_eq!(
            client.answer().map(|answer| answer.status),
            Some(204),
            "beacon {i}"
        );
        assert_eq!(
            client.answer().map(|answer| answer.status),
            Some(404),
            "page {i}"
        );
    }
    let log = server.log();
    let ids: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split("\"sessionId\":\"").nth(1)?.get(..3))
        .collect();
    let expect: Vec<String> = (0..50).map(|i| format!("n{i:02}")).collect();
    assert_eq!(ids, expect);
}

#[test]
fn expect_is_met_before_the_body_and_upgrades_are_not() {
    let server = Server::start();
    let body = beacon("expected");
    let mut client = server.client();
    let length = body.len();
    client.send(format!("POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nExpect: 100-Continue\r\n\r\n").as_bytes());
    assert_eq!(client.answer().map(|answer| answer.status), Some(100));
    client.send(body.as_bytes());
    assert_eq!(client.answer().map(|answer| answer.status), Some(204));
    // Too large is said before any of it is sent.
    client.send(b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().map(|answer| answer.status), Some(413));

    let upgrade = server.post_with(
        "/beacon",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
        &body,
    );
    assert_eq!(upgrade.status, 204);
    server.assert_serves();
}

#[test]
fn connections_are_kept_as_each_version_has_it() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..3 {
        let answer = client.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!((answer.status, answer.header("Connection")), (200, None));
    }
    let last =
        client.ask(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(
        (
            last.status,
            last.header("Connection"),
            last.header("Content-Length")
        ),
        (200, Some("close"), Some("3"))
    );
    assert!(client.is_closed());

    let mut client = server.client();
    let answer = client.ask(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(answer.header("Connection"), Some("keep-alive"));
    assert_eq!(
        client
            .ask(b"GET /healthz HTTP/1.0\r\n\r\n")
            .header("Connection"),
        Some("close")
    );
    assert!(client.is_closed());
}

#[test]
fn packed_bodies_are_not_unpacked() {
    let allowed = ["--allow-origin", "https://app.example.com"];
    let server = Server::with(&allowed, &[], Limits::for_this_process());
    // The first bytes of a bomb are enough to know that it is packed; nobody waits for the rest.
    let bomb = "POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\nContent-Encoding: gzip\r\n\r\n\u{1f}";
    for coding in ["gzip", "deflate", "br", "x-gzip", "identity, gzip"] {
        let answer = server.ask(&bomb.replace("gzip", coding));
        assert_eq!(
            (answer.status, answer.header("X-Call-Metrics")),
            (415, Some("unknown-content-coding")),
            "{coding}"
        );
    }
    // As with every refusal of a whole head, a page that may send may read it.
    let origin = "Content-Encoding: gzip\r\nOrigin: https://app.example.com\r\n";
    let answer = server.post_with("/beacon", origin, "x");
    assert_eq!(
        answer.header("Access-Control-Allow-Origin"),
        Some("https://app.example.com")
    );
    let plain = server.post_with("/beacon", "Content-Encoding: identity\r\n", &beacon("a"));
    assert_eq!(plain.status, 204);
    assert_eq!(server.log().lines().count(), 1);
}

#[test]
fn bytes_that_come_one_by_one_are_the_same_request() {
    let server = Server::start();
    let mut client = server.client();
    for id in ["one", "two"] {
        for byte in post("/beacon", "", &beacon(id)).as_bytes() {
            client.send(&[*byte]);
        }
        assert_eq!(client.answer().map(|answer| answer.status), Some(204));
    }
    assert_eq!(server.log().lines().count(), 2);
}

#[test]
fn methods_are_as_the_standard_has_them() {
    let server = Server::start();
    for (request, expect) in [
        ("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[405][..]),
        ("DELETE /beacon HTTP/1.1\r\nHost: localhost\r\n\r\n", &[405]),
        ("PUT /beacon HTTP/1.1\r\nHost: localhost\r\n\r\n", &[411]),
        ("PATCH /beacon HTTP/1.1\r\nHost: localhost\r\n\r\n", &[411]),
        (
            "PUT /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
            &[405],
        ),
        ("get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", &[405]),
        ("G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
            &[200],
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n\r\n",
            &[417],
        ),
        // HTTP/1.0 knows no Expect and no chunks.
        (
            "GET /healthz HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
            &[200],
        ),
        (
            "POST /beacon HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400],
        ),
        ("POST /beacon HTTP/1.0\r\n\r\n", &[411]),
        (
            "GET https://localhost:8080/healthz HTTP/1.1\r\nHost: other\r\n\r\n",
            &[200],
        ),
        ("GET http://localhost HTTP/1.1\r\nHost: x\r\n\r\n", &[200]),
        ("GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
        ("GET ftp://h/ HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
        ("GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", &[400]),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
            &[400],
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: \u{7}\r\n\r\n",
            &[400],
        ),
    ] {
        check(&server, request, expect);
    }
    server.assert_serves();
}
