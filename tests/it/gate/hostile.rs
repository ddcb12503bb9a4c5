//! Crowds, resets and garbage: the next client is served, and nothing is left behind.

use crate::support::http::{Client, Server, beacon, beacon_of, post};
use std::time::Duration;

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
