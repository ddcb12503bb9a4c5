//! Clients that send or read slowly, or not at all: nobody waits for them, and they are let go.

use crate::support::http::{Client, PATIENCE, Server, hasty};
use call_metrics::collector::gate::Limits;
use std::io::Read;
use std::time::{Duration, Instant};

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
