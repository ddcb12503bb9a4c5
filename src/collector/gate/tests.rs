//! What clients outside cannot bring about: threads that cannot be had, and threads that do not go.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, channel};

/// Longest wait for a state; never reached while things work.
const PATIENCE: Duration = Duration::from_secs(60);

/// Handlers that answer everything with 204, and tell of each connection that the gate has let go.
struct Handlers {
    folder: tempfile::TempDir,
    closed: Receiver<()>,
}

impl Handlers {
    fn start() -> Handlers {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("hop")).unwrap();
        let (tell, closed) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tell) = (stream.unwrap(), tell.clone());
                thread::spawn(move || {
                    for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                        let answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
                        if line.is_empty() && (&stream).write_all(answer).is_err() {
                            break;
                        }
                    }
                    let _ = tell.send(());
                });
            }
        });
        Handlers { folder, closed }
    }

    /// A gate before them with `n_listeners`.
    fn settings(&self, n_listeners: usize) -> Settings {
        let listeners = (0..n_listeners).map(|_| Listener::tcp(&[([127, 0, 0, 1], 0).into()]));
        Settings {
            listeners: listeners.map(Result::unwrap).collect(),
            hop_socket: self.folder.path().join("hop"),
            probe_path: "/-/probe".to_owned(),
            limits: Limits {
                hops: 1,
                ..Limits::for_this_process()
            },
            refusal_headers: Box::new(|_, _| Vec::new()),
            is_exempt: Box::new(|_| true),
            is_prompt: Box::new(|_, _| false),
            on_dead: Arc::new(|cause| panic!("{cause}")),
        }
    }
}

fn address(address: &Address) -> SocketAddr {
    match address {
        Address::Tcp(address) => *address,
        Address::Unix(_) => unreachable!("none was asked for"),
    }
}

/// The whole answer to one request.
fn ask(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    // Who is turned away may find the connection closed already.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_gate_that_cannot_start_leaves_nothing_behind() {
    // Threads: the hops, the turnstile, two acceptors, the watch.
    for n_threads in 0..5 {
        let handlers = Handlers::start();
        let settings = handlers.settings(2);
        let addresses = settings.listeners.iter().map(|one| address(one.address()));
        let addresses: Vec<SocketAddr> = addresses.collect();
        let begun = AtomicUsize::new(0);
        let few = move |name: &str, body: Box<dyn FnOnce() + Send>| {
            if begun.fetch_add(1, Ordering::SeqCst) == n_threads {
                let source = io::ErrorKind::WouldBlock.into();
                return Err(Error::Thread { source });
            }
            spawn(name, body)
        };
        let outcome = Gate::start_with(settings, &few);
        assert!(matches!(outcome, Err(Error::Thread { .. })), "{n_threads}");
        // Its connections close with the last thread that knows them.
        let closed = handlers.closed.recv_timeout(PATIENCE);
        assert!(closed.is_ok(), "{n_threads} threads go on");
        for address in addresses {
            assert!(TcpStream::connect(address).is_err(), "{n_threads}: listens");
        }
    }
}

#[test]
fn while_too_many_clients_are_on_their_way_out_nobody_gets_in() {
    let handlers = Handlers::start();
    let gate = Gate::start(handlers.settings(1)).unwrap();
    let address = address(&gate.addresses()[0]);
    assert!(ask(address).starts_with("HTTP/1.1 204 "));
    let n_leaving = 2 * gate.shared.limits.connections + 1_000;
    gate.shared.peers().n_inside += n_leaving;
    let answer = ask(address);
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("too-many-connections"),
        "{answer}"
    );
    gate.shared.peers().n_inside -= n_leaving;
    assert!(ask(address).starts_with("HTTP/1.1 204 "));
    assert!(gate.stop(PATIENCE));
}
