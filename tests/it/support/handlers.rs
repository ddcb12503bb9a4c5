//! A gate with made-up handlers behind it, which fail on demand.

use super::http::Client;
use call_metrics::collector::gate::{Address, Gate, Limits, Listener, Settings};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

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

pub(crate) struct Fake {
    pub(crate) gate: Gate,
    pub(crate) deaths: Receiver<String>,
    pub(crate) socket: PathBuf,
    /// The same open listener that the gate has.
    pub(crate) listener: TcpListener,
    _folder: tempfile::TempDir,
}

/// Limits that death is noticed by in a test's time.
pub(crate) fn hasty() -> Limits {
    Limits {
        hops: 3,
        answer: Duration::from_millis(500),
        hop_wait: Duration::from_secs(2),
        dead_after: Duration::from_millis(800),
        ..Limits::for_this_process()
    }
}

impl Fake {
    pub(crate) fn start() -> Fake {
        Fake::with(hasty(), |_| true)
    }

    pub(crate) fn with(
        limits: Limits,
        is_exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Fake {
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Gate::start(Settings {
            listeners: vec![Listener::inherited(listener.try_clone().unwrap().into()).unwrap()],
            hop_socket: socket.clone(),
            probe_path: "/-/probe".into(),
            limits,
            refusal_headers: Box::new(|_, _| Vec::new()),
            is_exempt: Box::new(is_exempt),
            is_prompt: Box::new(|method, path| method == "POST" && path != "/silence"),
            on_dead: Arc::new(move |cause| _ = tell.send(cause)),
        });
        Fake {
            gate: gate.unwrap(),
            deaths,
            socket,
            listener,
            _folder: folder,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self.gate.addresses() {
            [Address::Tcp(address)] => *address,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Option<String>) {
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
