//! Crowds, resets and garbage: the next client is served, and nothing is left behind.

use crate::support::http::{Client, Server, beacon, beacon_of, post};
use crate::support::program::{Folder, Running, wait_for};
use call_metrics::collector::gate::Limits;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
fn who_sends_good_and_bad_beacons_side_by_side_hears_of_his_own() {
    let server = Server::start();
    send_side_by_side(&server);
}

#[test]
fn so_it_is_where_there_are_few_connections_to_the_handlers() {
    let limits = Limits {
        hops: 4,
        ..Limits::for_this_process()
    };
    send_side_by_side(&Server::with(&[], &[], limits));
}

fn send_side_by_side(server: &Server) {
    // More than may be under way at once, in one piece and in two, small and not so small, asked for and not.
    std::thread::scope(|scope| {
        for i in 0..120 {
            scope.spawn(move || {
                let mut client = server.client();
                for n in 0..10 {
                    let (body, expect) = match (i + n) % 4 {
                        0 => ("{}".to_owned(), 400),
                        1 => (beacon_of(6_000), 204),
                        2 => (String::new(), 400),
                        _ => (beacon(&format!("side-{i}-{n}.")), 204),
                    };
                    let request = post("/beacon", "", &body);
                    let (front, back) = request.split_at(request.len() - body.len() * (n % 2));
                    client.send(front.as_bytes());
                    client.send(back.as_bytes());
                    let status = client.answer().map(|answer| answer.status);
                    assert_eq!(status, Some(expect), "{i} {n}");
                }
            });
        }
    });
    assert_eq!(server.log().lines().count(), 600);
    assert_eq!(server.counted("call_metrics_connection_panics_total"), 0.0);
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

/// Threads, descriptors and resident KiB of a process.
fn resources(pid: u32) -> (usize, usize, usize) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse::<usize>().unwrap()
    };
    let n_descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    (number("Threads:"), n_descriptors, number("VmRSS:"))
}

/// Every kind of malice that costs the sender little; what is kept open is given back.
fn attacks(address: SocketAddr) -> Vec<Client> {
    let long = "x".repeat(300_000);
    let beacon = post("/beacon", "", &beacon_of(40_000));
    let openings: [&[u8]; 14] = [
        b"",
        b"GET / HT",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n",
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"\0\0\0\0\0\0\0\0",
        b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n{",
        b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n{",
        b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
        b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\nExpect: 100-continue\r\n\r\n",
        b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n",
        long.as_bytes(),
        beacon.as_bytes(),
    ];
    let open = |i: usize| {
        let mut client = Client::connect(address);
        client.send_what_goes(openings[i % openings.len()]);
        if i.is_multiple_of(3) {
            // Closes with a reset.
            let socket = socket2::SockRef::from(&client.stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        client
    };
    (0..700).map(open).collect()
}

#[test]
fn after_an_attack_everything_is_where_it_was() {
    let folder = Folder::new();
    fs::create_dir(folder.path("public")).unwrap();
    folder.write("public/large.bin", vec![7; 4 * 1024 * 1024]);
    let server = Running::start(folder.command("serve --listen 127.0.0.1:0"));
    let address: SocketAddr = server.url()["http://".len()..].parse().unwrap();
    let serves = || {
        let answer = Client::connect(address).ask(post("/beacon", "", &beacon("well")).as_bytes());
        answer.status == 204
    };
    // Once before, so that what is kept for good is there: the connections to the handlers, the allocator's own.
    for _ in 0..2 {
        drop(attacks(address));
    }
    // The connections to the handlers are opened one by one: until nothing changes for a while.
    let mut last = (0, 0, Instant::now());
    wait_for("the server to come to rest", || {
        let (n_threads, n_descriptors, _) = resources(server.pid());
        if (last.0, last.1) != (n_threads, n_descriptors) {
            last = (n_threads, n_descriptors, Instant::now());
        }
        (Duration::from_secs(2) < last.2.elapsed()).then_some(())
    });
    assert!(serves());
    let (n_threads, n_descriptors, kib) = resources(server.pid());
    for _ in 0..3 {
        let held = attacks(address);
        assert!(serves());
        drop(held);
        assert!(serves());
    }
    // A few threads come and go with the load on the handlers.
    wait_for("threads and descriptors to be given back", || {
        let (n_threads_now, n_descriptors_now, _) = resources(server.pid());
        let is_back = n_threads_now <= n_threads + 4 && n_descriptors_now <= n_descriptors + 4;
        is_back.then_some(())
    });
    // Each wave asked for 200 MB of answers; the allocator may keep a few of those it has read from disk.
    let (.., kib_after) = resources(server.pid());
    assert!(kib_after < kib + 40 * 1024, "{kib} KiB, then {kib_after}");
    assert_eq!(server.stop("TERM").code, 0);
}
