//! A fake of Daily's REST API on a port of its own, made from `tests/fixtures/fake-daily-api.json`.
//!
//! It keeps rooms, checks the key, records requests, and misbehaves on demand: one [`Fault`] a request, first in,
//! first out. It must answer as the fixture says, not as would be convenient for a test.

mod api;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// The key that the fake accepts. Unlike any other text, so that a leak is found by searching for it.
pub(crate) const TOKEN: &str = "fake-daily-key-7f3a91c2e4";
/// Longest wait for a state; never reached while things work.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens to a request instead of the usual.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing: to let one pass.
    Pass,
    /// The answer of the fixture's case of this name.
    Case(&'static str),
    /// 429 with this `Retry-After`.
    TooMany(&'static str),
    /// This status with a page of HTML.
    Html(u16),
    /// This status with this body.
    Body(u16, String),
    /// The connection is closed without a byte.
    Close,
    /// No answer before [`FakeDaily::release`], then the usual one.
    Hold,
    /// 200 and more bytes than anyone should read.
    Huge,
    /// This status and `Location`.
    Redirect(u16, String),
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the `/v1`.
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    /// `Null` when there was none.
    pub(crate) body: Value,
}

impl Request {
    /// `POST /v1/rooms`, to compare many at once.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// The fake; dropping it ends it.
pub(crate) struct FakeDaily {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    cases: Vec<Value>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rooms: BTreeMap<String, Value>,
    /// A room that cannot lose its expiry, see [`FakeDaily::keep_expiries`].
    keep_expiries: bool,
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    requests: Vec<Request>,
    held: usize,
    released: bool,
    stopping: bool,
    connections: Vec<TcpStream>,
}

impl FakeDaily {
    pub(crate) fn start() -> FakeDaily {
        let fixture: Value =
            serde_json::from_str(include_str!("../../fixtures/fake-daily-api.json")).unwrap();
        let cases = fixture["cases"].as_array().unwrap().clone();
        let shared = Arc::new(Shared {
            cases,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        FakeDaily {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// The base URL, as `DAILY_API_URL` takes it.
    pub(crate) fn api_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The address that the fake gives a room.
    pub(crate) fn room_url(&self, name: &str) -> String {
        format!("https://api-demo.daily.co/{name}")
    }

    /// The meeting token that the fake gives out.
    pub(crate) fn meeting_token(&self) -> Value {
        self.shared.case("meeting token")["body"]["token"].clone()
    }

    /// Adds a room that exists before anyone asks, with this `config`.
    pub(crate) fn add_room(&self, name: &str, config: Value) {
        let mut room = self.shared.case("get room, exists")["body"].clone();
        room["name"] = json!(name);
        room["url"] = json!(self.room_url(name));
        room["config"] = config;
        self.shared.lock().rooms.insert(name.into(), room);
    }

    /// Returns a room's `config`.
    pub(crate) fn room_config(&self, name: &str) -> Value {
        self.shared.lock().rooms[name]["config"].clone()
    }

    /// Refuses `"exp": null` from now on. Whether the real one takes it is not established.
    pub(crate) fn keep_expiries(&self) {
        self.shared.lock().keep_expiries = true;
    }

    /// Queues faults, one a request.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.lock().faults.extend(faults);
    }

    /// Sets the fault of every request that finds no queued one.
    pub(crate) fn always(&self, fault: Fault) {
        self.shared.lock().always = Some(fault);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// The requests so far as `METHOD PATH`.
    pub(crate) fn request_lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }

    /// Waits until this many requests are being held.
    pub(crate) fn wait_until_held(&self, count: usize) {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.held < count)
            .unwrap();
        assert!(count <= state.held, "only {} requests came", state.held);
    }

    /// Lets go what is held, now and later.
    pub(crate) fn release(&self) {
        self.shared.lock().released = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for FakeDaily {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            for connection in state.connections.drain(..) {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
        // Wakes the accept loop.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The answer of a case of the fixture.
    fn case(&self, name: &str) -> &Value {
        let case = self.cases.iter().find(|case| {
            case["name"]
                .as_str()
                .is_some_and(|found| found.starts_with(name))
        });
        &case.unwrap_or_else(|| panic!("the fixture has no case `{name}`"))["res"]
    }

    /// The answer of a case, its example name replaced.
    fn answer(&self, case: &str, example: &str, name: &str) -> Reply {
        let case = self.case(case);
        let text = case.get("raw").map_or_else(
            || case["body"].to_string(),
            |raw| raw.as_str().unwrap().into(),
        );
        Reply::new(
            case["status"].as_u64().unwrap() as u16,
            text.replace(example, name),
        )
    }
}

struct Reply {
    status: u16,
    headers: String,
    body: String,
}

impl Reply {
    fn new(status: u16, body: impl Into<String>) -> Reply {
        Reply {
            status,
            headers: String::new(),
            body: body.into(),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        let Ok(connection) = connection else { continue };
        {
            let mut state = shared.lock();
            if state.stopping {
                return;
            }
            state.connections.push(connection.try_clone().unwrap());
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that hangs up early is none of the fake's business.
            let _ = serve(&connection, &shared);
            let _ = connection.shutdown(Shutdown::Both);
        });
    }
}

fn serve(connection: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(request) = read_request(&mut reader)? {
        let fault = {
            let mut state = shared.lock();
            state.requests.push(request.clone());
            state
                .faults
                .pop_front()
                .or_else(|| state.always.clone())
                .unwrap_or(Fault::Pass)
        };
        let reply = match fault {
            Fault::Pass => shared.usual(&request),
            Fault::Case(name) => shared.answer(name, "", ""),
            Fault::TooMany(after) => shared
                .answer("rate limited", "", "")
                .header("Retry-After", after),
            Fault::Html(status) => {
                Reply::new(status, "<html>bad gateway</html>").header("Content-Type", "text/html")
            }
            Fault::Body(status, body) => Reply::new(status, body),
            Fault::Close => return Ok(()),
            Fault::Hold => {
                if !shared.hold() {
                    return Ok(());
                }
                shared.usual(&request)
            }
            Fault::Huge => Reply::new(
                200,
                format!(
                    "{{\"url\":\"https://x/y\",\"pad\":\"{}\"}}",
                    "x".repeat(10 << 20)
                ),
            ),
            Fault::Redirect(status, location) => {
                Reply::new(status, "").header("Location", &location)
            }
        };
        write_reply(connection, &reply)?;
    }
    Ok(())
}

/// Reads a request; `None` at the end of the connection.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "authorization" => authorization = Some(value.trim().to_owned()),
            "transfer-encoding" => return Err(io::Error::other("the fake wants a length")),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).map_err(io::Error::other)?
    };
    Ok(Some(Request {
        method,
        path,
        authorization,
        body,
    }))
}

fn write_reply(mut connection: &TcpStream, reply: &Reply) -> io::Result<()> {
    let Reply {
        status,
        headers,
        body,
    } = reply;
    let length = body.len();
    let kind = if headers.contains("Content-Type") {
        ""
    } else {
        "Content-Type: application/json\r\n"
    };
    // One write, or a client that waits for the rest meets Nagle.
    let text =
        format!("HTTP/1.1 {status} Fake\r\n{kind}{headers}Content-Length: {length}\r\n\r\n{body}");
    connection.write_all(text.as_bytes())
}
