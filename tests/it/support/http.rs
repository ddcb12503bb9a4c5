//! A collector on a free port with a log and a document root of its own, and a client that sends bytes as they are.
//! Every read has a deadline: what hangs, fails.

use call_metrics::cli::{self, Command};
use call_metrics::collector::gate::{Address, Limits};
use call_metrics::collector::{Collector, Parts, ReportStatus};
use call_metrics::config::{Environment, Serve};
use call_metrics::daily::Daily;
use call_metrics::log::writer::{Settings, Writer};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for an answer; never reached while things work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Dropping it stops it.
pub(crate) struct Server {
    pub(crate) collector: Collector,
    pub(crate) writer: Arc<Writer>,
    pub(crate) report_status: Arc<ReportStatus>,
    pub(crate) folder: TempDir,
}

/// Deadlines short enough to be waited for.
pub(crate) fn hasty() -> Limits {
    Limits {
        head: Duration::from_millis(400),
        body: Duration::from_millis(400),
        idle: Duration::from_millis(600),
        ..Limits::for_this_process()
    }
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(&[], &[], Limits::for_this_process())
    }

    /// With arguments of `serve` and variables of the environment.
    pub(crate) fn with(args: &[&str], environment: &[(&str, &str)], limits: Limits) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("public");
        let log = folder.path().join("beacon.log");
        let mut all: Vec<OsString> = ["call-metrics", "serve", "--public"]
            .map(OsString::from)
            .into();
        all.extend([
            public.into_os_string(),
            "--log".into(),
            log.clone().into_os_string(),
        ]);
        if !args.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"].map(OsString::from));
        }
        all.extend(args.iter().map(OsString::from));
        let Command::Serve(args) = cli::parse(all).unwrap().command else {
            panic!("serve was asked for");
        };
        let environment = Environment::read(|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let config = Serve::check(*args, environment).unwrap();
        let writer = Arc::new(Writer::open(Settings::new(&log)).unwrap());
        let report_status = Arc::new(ReportStatus::default());
        let daily = config.rooms.daily.clone().map(Daily::new);
        let mut parts = Parts::new(Arc::clone(&writer), daily, Arc::clone(&report_status));
        parts.limits = limits;
        let collector = Collector::start(&config, parts).unwrap();
        Server {
            collector,
            writer,
            report_status,
            folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self.collector.addresses() {
            [Address::Tcp(address)] => *address,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        self.client().ask(request.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    /// `headers` end in CRLF each.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        ))
    }

    pub(crate) fn post_with(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.ask(&post(path, headers, body))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("beacon.log")).unwrap()
    }

    /// Writes a file below the document root.
    pub(crate) fn publish(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.public().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    /// The value of a row of `/metrics`, 0 where it is not there.
    pub(crate) fn counted(&self, row: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(row));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// The server does its work: the last assertion of every attack.
    pub(crate) fn assert_serves(&self) {
        let started = Instant::now();
        assert_eq!(
            self.post_with("/beacon", "", &beacon("still there")).status,
            204
        );
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(self.collector.failed(), None);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.collector.stop(Duration::from_secs(5));
        self.writer.stop();
    }
}

pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// A beacon that can be told from others by `id`.
pub(crate) fn beacon(id: &str) -> String {
    format!(r#"{{"room":"ana","meetingSessionId":"m","sessionId":"{id}","stats":{{}}}}"#)
}

/// A beacon of exactly this many bytes.
pub(crate) fn beacon_of(n_bytes: usize) -> String {
    let filler = "x".repeat(n_bytes - beacon("").len());
    beacon(&filler)
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::of(TcpStream::connect(address).unwrap())
    }

    fn of(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            read: Vec::new(),
        }
    }

    /// Connects from another of the machine's own addresses.
    pub(crate) fn connect_from(ip: [u8; 4], address: SocketAddr) -> Client {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Client::of(socket.into())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// As much of it as the server takes.
    pub(crate) fn send_what_goes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> Answer {
        self.send_what_goes(request);
        let has_no_body = request.starts_with(b"HEAD ");
        self.answer_of(has_no_body).expect("an answer")
    }

    /// The next answer; `None` where the server closes without one.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.answer_of(false)
    }

    fn answer_of(&mut self, has_no_body: bool) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            if !self.fill() {
                assert!(
                    self.read.is_empty(),
                    "cut short: {:?}",
                    String::from_utf8_lossy(&self.read)
                );
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..head_end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        if has_no_body || matches!(status, 100 | 204 | 304) {
            return Some(answer);
        }
        let length: usize = answer
            .header("Content-Length")
            .expect("a length")
            .parse()
            .unwrap();
        while self.read.len() < length {
            assert!(self.fill(), "body cut short: {}", answer.head);
        }
        answer.body = self.read.drain(..length).collect();
        Some(answer)
    }

    /// True where the server has closed, and had nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill()
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n_bytes) => {
                self.read.extend_from_slice(&chunk[..n_bytes]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer within {PATIENCE:?}: {error}"),
        }
    }
}
