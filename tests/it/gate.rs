//! Whatever bytes come in, the server serves the next client, and what is answered 204 is in the log, whole.

use crate::support::http::{Answer, Client, PATIENCE, Server, beacon, beacon_of, hasty, post};
use call_metrics::collector::gate::Limits;
use std::io::Read;
use std::time::{Duration, Instant};

/// One request, its status; 0 where the connection was closed without a word.
fn status_of(server: &Server, bytes: &[u8]) -> u16 {
    let mut client = server.client();
    client.send_what_goes(bytes);
    client.finish_sending();
    client.answer().map_or(0, |answer| answer.status)
}

fn check(server: &Server, request: &str, expect: &[u16]) {
    let status = status_of(server, request.as_bytes());
    assert!(expect.contains(&status), "{status} for {request:?}");
}

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

/// Forty clients that stop in the middle of something, in four ways.
fn slow_clients(server: &Server) -> Vec<Client> {
    let start = |i: usize| {
        let mut client = server.client();
        client.send(match i % 4 {
            0 => b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n{".as_slice(),
            1 => b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\nExpect: 100-continue\r\n\r\n",
            2 => b"GET / HT",
            _ => b"",
        });
        client
    };
    (0..40).map(start).collect()
}

#[test]
fn slow_clients_hold_up_nobody() {
    // Their deadlines are far longer than anyone else may have to wait here.
    let server = Server::start();
    let slow = slow_clients(&server);
    for _ in 0..20 {
        server.assert_serves();
    }
    drop(slow);
}

#[test]
fn slow_clients_are_let_go_at_the_deadline() {
    let server = Server::with(&[], &[], hasty());
    for (i, mut client) in slow_clients(&server).into_iter().enumerate() {
        let mut answer = client.answer();
        if answer.as_ref().is_some_and(|answer| answer.status == 100) {
            answer = client.answer();
        }
        // A client that never said anything is not told anything either.
        let expect = (i % 4 != 3).then_some(408);
        assert_eq!(answer.map(|answer| answer.status), expect, "{i}");
        assert!(client.is_closed());
    }
    server.assert_serves();
}

#[test]
fn a_deadline_is_a_total_and_not_stretched_by_drops() {
    let server = Server::with(&[], &[], hasty());
    let mut client = server.client();
    let started = Instant::now();
    client.send(b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n");
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    // A byte every 20 ms, as the read's timeout paces it, until there is an answer.
    let mut answer = Vec::new();
    while answer.is_empty() {
        client.send_what_goes(b"x");
        let mut chunk = [0; 1024];
        if let Ok(n_bytes) = client.stream.read(&mut chunk) {
            answer.extend_from_slice(&chunk[..n_bytes]);
        }
        assert!(started.elapsed() < Duration::from_secs(3), "still reading");
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[test]
fn clients_that_do_not_read_hold_up_nobody() {
    let limits = Limits {
        write: Duration::from_millis(500),
        write_bytes_per_second: usize::MAX,
        ..hasty()
    };
    let server = Server::with(&[], &[], limits);
    server.publish("large.bin", vec![7; 8 * 1024 * 1024]);
    let mut greedy: Vec<Client> = (0..8)
        .map(|_| {
            let mut client = server.client();
            client.send(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        })
        .collect();
    // And one that pipelines without reading: bounded by its own socket, not by our memory.
    let mut pipeline = server.client();
    pipeline
        .stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    pipeline.send_what_goes(
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
            .repeat(100_000)
            .as_bytes(),
    );
    for _ in 0..20 {
        server.assert_serves();
    }
    let whole = server.get("/large.bin");
    assert_eq!(whole.body.len(), 8 * 1024 * 1024);
    // They are hung up on at the deadline: what is read afterwards ends before it is whole.
    let deadline = Instant::now() + PATIENCE;
    while 2.0 < server.counted("call_metrics_connections_open ") {
        assert!(Instant::now() < deadline, "still connected");
    }
    let mut rest = Vec::new();
    let _ = greedy[0].stream.read_to_end(&mut rest);
    assert!(rest.len() < 8 * 1024 * 1024);
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
fn bursts_of_keep_alive_connections_leave_nobody_unanswered() {
    let server = Server::start();
    for round in 0..10 {
        let barrier = std::sync::Barrier::new(64);
        let address = server.address();
        let answered = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..64)
                .map(|i| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        let mut client = Client::connect(address);
                        let statuses = [0, 1].map(|n| {
                            client
                                .ask(
                                    post("/beacon", "", &beacon(&format!("{round}-{i}-{n}")))
                                        .as_bytes(),
                                )
                                .status
                        });
                        (client, statuses)
                    })
                })
                .collect();
            // All stay connected until the last is answered.
            let clients: Vec<_> = clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect();
            clients
                .iter()
                .filter(|(_, statuses)| *statuses == [204, 204])
                .count()
        });
        assert_eq!(answered, 64, "round {round}");
    }
    assert_eq!(server.log().lines().count(), 10 * 64 * 2);
}

#[test]
fn an_acknowledged_beacon_is_in_the_log_when_the_answer_arrives() {
    let server = Server::start();
    let path = server.folder.path().join("beacon.log");
    std::thread::scope(|scope| {
        for i in 0..8 {
            let (server, path) = (&server, &path);
            scope.spawn(move || {
                let mut client = server.client();
                for n in 0..25 {
                    let id = format!("ack-{i}-{n}.");
                    assert_eq!(
                        client
                            .ask(post("/beacon", "", &beacon(&id)).as_bytes())
                            .status,
                        204
                    );
                    assert!(std::fs::read_to_string(path).unwrap().contains(&id), "{id}");
                }
            });
        }
    });
    assert_eq!(server.log().lines().count(), 200);
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
fn peers_that_reset_or_flood_leave_the_server_serving() {
    let server = Server::start();
    for i in 0..200 {
        let client = server.client();
        socket2::SockRef::from(&client.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        let mut client = client;
        if i % 2 == 0 {
            client.send_what_goes(
                post("/beacon", "", &beacon_of(3_000))
                    .as_bytes()
                    .split_at(i)
                    .0,
            );
        } else {
            client.send_what_goes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
    }
    server.assert_serves();
    assert_eq!(server.counted("call_metrics_connection_panics_total "), 0.0);
}

#[test]
fn over_the_cap_an_idle_client_makes_room_and_else_the_new_one_is_told() {
    let limits = Limits {
        connections: 4,
        ..Limits::for_this_process()
    };
    let server = Server::with(&[], &[], limits);
    // Four that are in the middle of something: nobody is idle, so a fifth has to wait for another day.
    let mut busy: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for client in &mut busy {
        assert_eq!(
            client
                .ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .status,
            200
        );
        client.send(b"GET /healthz HTTP/1.1\r\n");
    }
    let answer = server.client().answer().expect("an answer");
    assert_eq!(
        (answer.status, answer.header("X-Call-Metrics")),
        (503, Some("too-many-connections"))
    );
    assert!(answer.header("Retry-After").is_some());
    // Once they are idle, the one that has been so for longest makes room.
    for client in &mut busy {
        client.send(b"Host: localhost\r\n\r\n");
        assert_eq!(client.answer().map(|answer| answer.status), Some(200));
    }
    let deadline = Instant::now() + PATIENCE;
    let served = loop {
        let mut client = server.client();
        let answer = client.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if answer.status == 200 {
            break client;
        }
        assert!(Instant::now() < deadline, "nobody made room");
    };
    drop(served);
    assert!(busy[0].is_closed());
}

#[test]
fn a_stop_answers_what_was_accepted_and_ends_in_time() {
    let server = Server::start();
    let mut idle = server.client();
    assert_eq!(
        idle.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .status,
        200
    );
    let mut half = server.client();
    half.send(b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n{");
    let address = server.address();
    let body = beacon("last words");
    let (front, back) = body.split_at(20);
    let mut late = server.client();
    late.send(
        format!(
            "POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{front}",
            body.len()
        )
        .as_bytes(),
    );
    // All three are known to the gate before the stop begins.
    let deadline = Instant::now() + PATIENCE;
    while server.counted("call_metrics_connections_open ") < 4.0 {
        assert!(Instant::now() < deadline);
    }
    let started = Instant::now();
    let (is_drained, answer) = std::thread::scope(|scope| {
        let stop = scope.spawn(|| server.collector.stop(Duration::from_secs(8)));
        // Idle connections go first: then the stop has begun.
        assert!(idle.is_closed());
        late.send(back.as_bytes());
        let answer: Option<Answer> = late.answer();
        (stop.join().unwrap(), answer)
    });
    let answer = answer.expect("an answer");
    assert_eq!(
        (answer.status, answer.header("Connection")),
        (204, Some("close"))
    );
    assert!(server.log().contains("last words"));
    assert!(
        is_drained && started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(half.is_closed());
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "still listening"
    );
}
