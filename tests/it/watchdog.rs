//! Handlers that fail, as the gate sees them: one oddity costs one connection, and death is noticed, that of the listener too.

use crate::support::handlers::{Fake, hasty};
use crate::support::http::{Client, PATIENCE};
use call_metrics::collector::gate::Limits;
use std::time::{Duration, Instant};

#[test]
fn an_answer_that_cannot_be_measured_costs_a_connection_and_no_more() {
    let fake = Fake::start();
    // More oddities than there are connections: each is replaced.
    for path in [
        "/twice",
        "/unmeasured",
        "/chunked",
        "/nonsense",
        "/close",
        "/cut",
        "/silence",
        "/twice",
        "/close",
    ] {
        assert_eq!(fake.get(path), (503, Some("no-answer".into())), "{path}");
        assert_eq!(fake.get("/fine"), (200, None), "after {path}");
    }
    assert_eq!(fake.get("/huge"), (500, Some("answer-too-large".into())));
    assert_eq!(fake.get("/fine"), (200, None));
    // Silence of the clients is not death: probes go on.
    assert!(
        fake.deaths
            .recv_timeout(Duration::from_millis(2_000))
            .is_err()
    );
}

#[test]
fn an_oddity_reaches_nobody_whose_request_is_on_the_same_connection() {
    let limits = Limits { hops: 8, ..hasty() };
    let fake = Fake::with(limits, |_| true);
    let address = fake.address();
    let ask = |path: &str| {
        let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        let answer = Client::connect(address).ask(request.as_bytes());
        let reason = answer.header("X-Call-Metrics").map(str::to_owned);
        (answer.status, reason, answer.text())
    };
    std::thread::scope(|scope| {
        for i in 0..24 {
            scope.spawn(move || {
                for n in 0..10 {
                    let paths = ["/twice", "/cut", "/chunked", "/nonsense", "/huge", "/close"];
                    let is_fine = (i + n) % 3 != 0;
                    let path = if is_fine {
                        "/fine"
                    } else {
                        paths[(i + n) / 3 % 6]
                    };
                    let (status, reason, text) = ask(path);
                    match status {
                        // Those of an answer too many come with the first of the two.
                        200 => assert!((is_fine || path == "/twice") && text == "ok", "{path}"),
                        500 => {
                            assert_eq!((path, reason), ("/huge", Some("answer-too-large".into())))
                        }
                        _ => {
                            assert_eq!((status, reason), (503, Some("no-answer".into())), "{path}")
                        }
                    }
                }
            });
        }
    });
    assert_eq!(ask("/fine").0, 200);
}

#[test]
fn handlers_that_are_dead_are_noticed() {
    let fake = Fake::start();
    assert_eq!(fake.get("/fine").0, 200);
    let started = Instant::now();
    assert_eq!(fake.get("/die").0, 503);
    let cause = fake.deaths.recv_timeout(PATIENCE).unwrap();
    assert!(cause.contains("do not answer"), "{cause}");
    assert!(Duration::from_millis(700) < started.elapsed(), "too hasty");
    // Clients are told, in bounded time, rather than left waiting.
    let started = Instant::now();
    assert_eq!(fake.get("/fine").0, 503);
    assert!(started.elapsed() < Duration::from_secs(4));
    assert!(fake.socket.exists());
}

fn watchful() -> Limits {
    Limits {
        watch_every: Duration::from_millis(200),
        ..Limits::for_this_process()
    }
}

#[test]
fn a_listener_that_has_gone_deaf_is_noticed() {
    let fake = Fake::with(watchful(), |_| true);
    assert_eq!(fake.get("/fine").0, 200);
    // From now on nobody is accepted, though the process and its handlers are well.
    socket2::SockRef::from(&fake.listener)
        .shutdown(std::net::Shutdown::Both)
        .unwrap();
    let cause = fake.deaths.recv_timeout(PATIENCE).unwrap();
    assert!(
        cause.contains(&fake.address().to_string()) && cause.contains("does not answer"),
        "{cause}"
    );
}

#[test]
fn the_look_at_the_listener_takes_no_place_and_is_not_counted() {
    let limits = Limits {
        connections: 2,
        connections_per_address: 2,
        answer: Duration::from_secs(60),
        ..watchful()
    };
    let fake = Fake::with(limits, |_| false);
    let mut held = [fake.client(), fake.client()];
    for client in &mut held {
        client.send(b"GET /silence HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    let deadline = Instant::now() + PATIENCE;
    while fake.gate.stats().requests < 2 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    // Time for ten looks, four of which in vain would be death.
    assert!(fake.deaths.recv_timeout(Duration::from_secs(2)).is_err());
    let stats = fake.gate.stats();
    assert_eq!(
        (stats.connections, stats.requests, stats.connections_open),
        (2, 2, 2)
    );
    assert!(stats.refused.is_empty(), "{:?}", stats.refused);
}
