//! The end: what was accepted is answered, and nobody can hold it up.

use super::Over;
use crate::support::handlers::{self, Fake};
use crate::support::http::{Answer, Client, PATIENCE, Server, beacon};
use call_metrics::collector::gate::Limits;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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

/// Clients that hang in every way there is; some go on with it, slowly, until told otherwise.
fn hang(server: &Server, is_over: &AtomicBool) {
    let mut trickling: Vec<Client> = (0..12)
        .map(|i| {
            let mut client = server.client();
            client.send(match i % 4 {
                0 => b"GET / HTTP/1.1\r\nX: ".as_slice(),
                1 => b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{",
                2 => b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                // And one that reads its answer a few bytes at a time.
                _ => b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n",
            });
            client
                .stream
                .set_read_timeout(Some(Duration::from_millis(10)))
                .unwrap();
            client
        })
        .collect();
    while !is_over.load(Ordering::SeqCst) {
        for (i, client) in trickling.iter_mut().enumerate() {
            match i % 4 {
                3 => _ = client.stream.read(&mut [0; 100]),
                _ => client.send_what_goes(b"1"),
            }
        }
        // Slowly: no request comes to its end, nor any answer.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stop_does_not_wait_for_clients_that_trickle() {
    let server = Server::start();
    server.publish("large.bin", vec![7; 8 * 1024 * 1024]);
    let is_over = AtomicBool::new(false);
    let took = std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| hang(&server, &is_over));
        let deadline = Instant::now() + PATIENCE;
        while server.collector.gate_stats().requests < 3 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        let started = Instant::now();
        assert!(server.collector.stop(Duration::from_secs(9)));
        started.elapsed()
    });
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_stop_does_not_wait_for_handlers_beyond_its_deadline() {
    let limits = Limits {
        answer: Duration::from_secs(60),
        dead_after: Duration::from_secs(60),
        ..handlers::hasty()
    };
    let fake = Fake::with(limits, |_| true);
    let mut client = fake.client();
    client.send(b"GET /silence HTTP/1.1\r\nHost: h\r\n\r\n");
    let deadline = Instant::now() + PATIENCE;
    while fake.gate.stats().requests < 1 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let started = Instant::now();
    assert!(!fake.gate.stop(Duration::from_secs(3)));
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
    assert!(client.is_closed());
}
