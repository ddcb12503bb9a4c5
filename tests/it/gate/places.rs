//! Who gets a place when there are few.

use super::Over;
use crate::support::handlers::{Fake, hasty};
use crate::support::http::{Answer, Client, PATIENCE, Server, beacon, post};
use call_metrics::collector::gate::Limits;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const FINE: &[u8] = b"GET /fine HTTP/1.1\r\nHost: h\r\n\r\n";

fn told(answer: Option<Answer>) -> (u16, String) {
    let answer = answer.expect("an answer");
    assert!(answer.header("Retry-After").is_some());
    let reason = answer.header("X-Call-Metrics").unwrap_or_default();
    (answer.status, reason.to_owned())
}

#[test]
fn where_all_are_being_answered_the_new_one_is_told_to_come_later() {
    let limits = Limits {
        connections: 3,
        answer: Duration::from_secs(3),
        ..hasty()
    };
    let fake = Fake::with(limits, |_| true);
    let mut busy: Vec<Client> = (0..3).map(|_| fake.client()).collect();
    for client in &mut busy {
        client.send(b"GET /silence HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    let deadline = Instant::now() + PATIENCE;
    while fake.gate.stats().requests < 3 {
        assert!(Instant::now() < deadline);
    }
    let full = told(fake.client().answer());
    assert_eq!(full, (503, "too-many-connections".to_owned()));
    assert_eq!(fake.gate.stats().connections_evicted, 0);
    // What was being answered was not touched.
    for client in &mut busy {
        assert_eq!(client.answer().map(|answer| answer.status), Some(503));
    }
}

#[test]
fn whoever_has_been_idle_for_longest_makes_room() {
    let limits = Limits {
        connections: 4,
        ..Limits::for_this_process()
    };
    let server = Server::with(&[], &[], limits);
    let mut idle: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for client in &mut idle {
        let healthy = client.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(healthy.status, 200);
    }
    server.assert_serves();
    assert!(idle[0].is_closed());
    let healthy = idle[3].ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(healthy.status, 200);
}

#[test]
fn an_address_has_a_limit_of_its_own_and_others_do_not_feel_it() {
    let limits = Limits {
        connections_per_address: 3,
        ..Limits::for_this_process()
    };
    let fake = Fake::with(limits, |ip| ip.is_ipv6());
    let client = |last| Client::connect_from([127, 0, 0, last], fake.address());
    let mut first: Vec<Client> = (0..3).map(|_| client(2)).collect();
    for client in &mut first {
        assert_eq!(client.ask(FINE).status, 200);
        client.send(b"GET /fi");
    }
    let full = (429, "address-full".to_owned());
    assert_eq!(told(client(2).answer()), full);
    assert_eq!(client(3).ask(FINE).status, 200);
    assert_eq!(client(4).ask(FINE).status, 200);
    assert_eq!(fake.gate.stats().refused.get("address-full"), Some(&1));
    // One of its own that has been idle makes room.
    first[1].send(b"ne HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(first[1].answer().map(|answer| answer.status), Some(200));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut late = client(2);
        late.send_what_goes(FINE);
        if late.answer().is_some_and(|answer| answer.status == 200) {
            break;
        }
        assert!(Instant::now() < deadline, "nobody made room");
    }
    assert!(first[1].is_closed());
    // And with the last connection it is forgotten.
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while 0 < fake.gate.stats().connections_open {
        assert!(Instant::now() < deadline);
    }
    let again: Vec<u16> = (0..3).map(|_| client(2).ask(FINE).status).collect();
    assert_eq!(again, [200; 3]);
}

#[test]
fn exempt_addresses_have_any_number_and_0_is_no_limit() {
    for (connections_per_address, is_exempt) in [(3, true), (0, false)] {
        let limits = Limits {
            connections_per_address,
            ..Limits::for_this_process()
        };
        let fake = Fake::with(limits, move |_| is_exempt);
        let mut clients: Vec<Client> = (0..10).map(|_| fake.client()).collect();
        assert!(
            clients
                .iter_mut()
                .all(|client| client.ask(FINE).status == 200)
        );
    }
    // This machine's own are exempt in the collector.
    let server = Server::with(
        &["--connections-per-address", "1"],
        &[],
        Limits::for_this_process(),
    );
    let clients = [server.client(), server.client()];
    server.assert_serves();
    drop(clients);
}

/// Holds `n` connections that are half-way through something, one kind after the other, and opens each anew that is closed.
fn hold(server: &Server, n: usize, is_over: &AtomicBool) {
    let open = |i: usize| {
        let mut client = server.client();
        let start: &[u8] = match i % 4 {
            0 => b"GET / HT",
            1 => b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{",
            2 => b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n",
            _ => b"",
        };
        client.send_what_goes(start);
        client.stream.set_nonblocking(true).unwrap();
        client
    };
    let mut held: Vec<Client> = (0..n).map(open).collect();
    while !is_over.load(Ordering::SeqCst) {
        for (i, client) in held.iter_mut().enumerate() {
            if i % 4 == 1 {
                client.send_what_goes(b"x");
            }
            // Those of the large file do not read: that they were hung up on shows elsewhere.
            let is_gone = match i % 4 {
                2 => !matches!(client.stream.take_error(), Ok(None)),
                _ => match client.stream.peek(&mut [0]) {
                    Ok(_) => true,
                    Err(cause) => cause.kind() != std::io::ErrorKind::WouldBlock,
                },
            };
            if is_gone {
                *client = open(i);
            }
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_crowd_that_holds_every_place_keeps_nobody_out() {
    let limits = Limits {
        connections: 96,
        ..Limits::for_this_process()
    };
    let server = Server::with(&[], &[], limits);
    server.publish("large.bin", vec![7; 8 * 1024 * 1024]);
    let is_over = AtomicBool::new(false);
    let times = std::thread::scope(|scope| {
        let _over = Over(&is_over);
        for _ in 0..2 {
            scope.spawn(|| hold(&server, 100, &is_over));
        }
        let deadline = Instant::now() + PATIENCE;
        while server.collector.gate_stats().connections_evicted < 200 {
            assert!(Instant::now() < deadline, "no crowd");
            std::thread::yield_now();
        }
        (0..50)
            .map(|i| {
                let started = Instant::now();
                let mut client = Client::connect_from([127, 0, 0, 9], server.address());
                client.send_what_goes(post("/beacon", "", &beacon(&format!("in-{i}"))).as_bytes());
                let answer = client.answer();
                (answer?.status == 204).then(|| started.elapsed())
            })
            .collect::<Vec<Option<Duration>>>()
    });
    let mut served: Vec<Duration> = times.into_iter().flatten().collect();
    served.sort();
    assert_eq!(served.len(), 50, "the crowd's own address pays");
    assert!(served[45] < Duration::from_secs(1), "{served:?}");
}

#[test]
fn a_beacon_does_not_queue_behind_what_takes_long() {
    let limits = Limits {
        hops: 8,
        answer: Duration::from_secs(8),
        hop_wait: Duration::from_secs(8),
        dead_after: Duration::from_secs(60),
        ..Limits::for_this_process()
    };
    let fake = Fake::with(limits, |_| true);
    let mut slow: Vec<Client> = (0..10).map(|_| fake.client()).collect();
    for (i, client) in slow.iter_mut().enumerate() {
        // Reading something, and sending something large.
        let length = if i % 2 == 0 { 0 } else { 9_000 };
        let method = if i % 2 == 0 { "GET" } else { "POST" };
        let body = "x".repeat(length);
        let request = format!(
            "{method} /silence HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        client.send(request.as_bytes());
    }
    let deadline = Instant::now() + PATIENCE;
    while fake.gate.stats().requests < 10 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let started = Instant::now();
    for _ in 0..20 {
        let light = b"POST /fine HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(fake.client().ask(light).status, 200);
    }
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn what_takes_long_does_not_take_every_place_while_it_waits() {
    let limits = Limits {
        hops: 4,
        connections: 12,
        answer: Duration::from_secs(8),
        hop_wait: Duration::from_secs(8),
        dead_after: Duration::from_secs(60),
        ..Limits::for_this_process()
    };
    let fake = Fake::with(limits, |_| true);
    let mut slow: Vec<Client> = (0..12).map(|_| fake.client()).collect();
    for client in &mut slow {
        client.send(b"GET /silence HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    // Three on their way and four that wait; the others are told at once.
    let deadline = Instant::now() + PATIENCE;
    while fake.gate.stats().refused.get("busy").copied() < Some(5) {
        assert!(Instant::now() < deadline, "{:?}", fake.gate.stats());
        std::thread::yield_now();
    }
    let started = Instant::now();
    let light = b"POST /fine HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(fake.client().ask(light).status, 200);
    assert!(started.elapsed() < Duration::from_secs(6));
}
