//! Handlers that fail, as the gate sees them: one oddity costs one connection, and death is noticed.

use crate::support::http::{Client, PATIENCE};
use call_metrics::collector::gate::{Address, Gate, Limits, Listener, Settings};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Handlers that answer a path with what it stands for, and the probe with 204; `/die` ends them all.
fn handle(stream: UnixStream, dead: &Arc<std::sync::atomic::AtomicBool>) {
    use std::sync::atomic::Ordering;
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut path = None;
        loop {
            let mut line = String::new();
            if !matches!(lines.read_line(&mut line), Ok(1..)) || dead.load(Ordering::SeqCst) {
                return;
            }
            path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
            if line == "\r\n" {
                break;
            }
        }
        let answer = match path.as_deref().unwrap() {
            "/-/probe" => "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "/fine" => OK,
            "/twice" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokok",
            "/unmeasured" => "HTTP/1.1 200 OK\r\n\r\nok",
            "/chunked" => {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
            }
            "/nonsense" => "what?\r\n\r\n",
            "/close" => return,
            "/cut" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
                return;
            }
            "/silence" => "",
            "/huge" => "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
            "/die" => {
                dead.store(true, Ordering::SeqCst);
                return;
            }
            other => panic!("{other}"),
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

struct Fake {
    gate: Gate,
    deaths: Receiver<String>,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Fake {
    fn start() -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let dead = Arc::default();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let dead = Arc::clone(&dead);
                std::thread::spawn(move || handle(stream, &dead));
            }
        });
        let (tell, deaths) = channel();
        let gate = Gate::start(Settings {
            listeners: vec![Listener::tcp(&["127.0.0.1:0".parse().unwrap()]).unwrap()],
            hop_socket: socket.clone(),
            probe_path: "/-/probe".into(),
            limits: Limits {
                hops: 3,
                answer: Duration::from_millis(500),
                hop_wait: Duration::from_secs(2),
                dead_after: Duration::from_millis(800),
                ..Limits::for_this_process()
            },
            refusal_headers: Box::new(|_, _| Vec::new()),
            is_exempt: Box::new(|_| true),
            on_dead: Arc::new(move |cause| _ = tell.send(cause)),
        });
        Fake {
            gate: gate.unwrap(),
            deaths,
            socket,
            _folder: folder,
        }
    }

    fn address(&self) -> SocketAddr {
        match self.gate.addresses() {
            [Address::Tcp(address)] => *address,
            other => panic!("{other:?}"),
        }
    }

    fn get(&self, path: &str) -> (u16, Option<String>) {
        let mut client = Client::connect(self.address());
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        let reason = answer.header("X-Call-Metrics").map(str::to_owned);
        (answer.status, reason)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.gate.stop(Duration::from_secs(2));
    }
}

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
