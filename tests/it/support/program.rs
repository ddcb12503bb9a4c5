//! The real binary, as a person runs it: in a folder of its own, with nothing of this environment but PATH.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a state; never reached while things work.
const PATIENCE: Duration = Duration::from_secs(20);

/// A working directory.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The command with its arguments, separated by white space, not run yet.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_call-metrics"));
        command
            .args(args.split_whitespace())
            .current_dir(self.0.path());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &str) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    /// Builds a report of `log`, whatever it was before, and gives `data/report.json`.
    pub(crate) fn report(&self, log: &str) -> Value {
        let run = self.run(&format!("build-report --log {log} --out report"));
        let starts_over = "call-metrics: `report` is built from the whole log: ";
        let mut heard = run.stderr.lines();
        assert!(heard.all(|line| line.starts_with(starts_over)), "{run:?}");
        assert_eq!(run.code, 0);
        self.json("report/data/report.json")
    }
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Run {
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Waits until `state` gives something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that stays: `serve`, or anything with `--watch`.
pub(crate) struct Running {
    child: Child,
    /// The first line of stdout.
    pub(crate) ready: String,
    rest: Option<JoinHandle<String>>,
    errors: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it and waits for its first line on stdout.
    pub(crate) fn start(command: Command) -> Running {
        Running::start_with_stderr(command, Stdio::piped())
    }

    /// The same, with a stderr of the caller's, of which nothing is known at the end.
    pub(crate) fn start_with_stderr(mut command: Command, stderr: Stdio) -> Running {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.map(|mut stderr| stderr.read_to_string(&mut text));
            text
        });
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let rest = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        let running = Running {
            child,
            ready: ready.trim_end().to_owned(),
            rest: Some(rest),
            errors: Some(errors),
        };
        assert!(!running.ready.is_empty(), "{:?}", running.stop("TERM"));
        running
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `http://HOST:PORT` of a server.
    pub(crate) fn url(&self) -> &str {
        self.ready.strip_prefix("listening on ").unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let mut kill = Command::new("kill");
        kill.args([&format!("-{signal}"), &pid]);
        assert!(kill.status().unwrap().success());
    }

    /// Sends a signal and waits for the end. `stdout` is what came after the first line.
    pub(crate) fn stop(mut self, signal: &str) -> Run {
        self.signal(signal);
        let status = wait_for("the end of the program", || self.child.try_wait().unwrap());
        Run {
            code: status.code().unwrap_or(-1),
            stdout: self.rest.take().unwrap().join().unwrap(),
            stderr: self.errors.take().unwrap().join().unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status, headers as one text, and body of a request.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE));
    config.build().into()
}

fn reply(outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut response = outcome.unwrap();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    Reply {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body_mut().read_to_string().unwrap_or_default(),
    }
}

pub(crate) fn get(url: &str) -> Reply {
    reply(agent().get(url).call())
}

pub(crate) fn post(url: &str, body: impl AsRef<[u8]>) -> Reply {
    reply(agent().post(url).send(body.as_ref()))
}

/// A beacon of the newest kind, with one reading.
pub(crate) fn beacon(room: &str, session: &str, timestamp_ms: i64) -> String {
    serde_json::json!({
        "v": 1, "seq": 0, "source": "daily", "room": room, "meetingSessionId": "m", "sessionId": session,
        "stats": {"latest": {"timestamp": timestamp_ms, "recvBitsPerSecond": 1e6, "totalSendPacketLoss": 0.01}},
        "samples": {"timestamp": [timestamp_ms], "recvBitsPerSecond": [1e6], "totalSendPacketLoss": [0.01]},
    })
    .to_string()
}

/// Files of `folder` and below, from there.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}
