//! The collector that one writes in half an hour: bare tiny_http, append, 204. The control of `tests/reliability` (what it
//! withstands is no proof of anything) and the rival of `benches`. Must not get better: no sync, no gate, no repair.
//!
//! `naive LOG [ADDRESS] [FLAGS]`: `--ack-first` answers first and writes from a queue, as one does who wants to be fast;
//! `--own-offset` forgets that other programs may shorten the log, and does not open it to append; `--brake` takes no more
//! than a beacon each millisecond, by the clock on the wall; `--lock` makes `LOG.lock`, and there must be none.
//! `GET /log` is the log, for who wants to look.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write, stdout};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};
use tiny_http::{Method, Request, Response, Server};

const WORKERS: usize = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Log {
    path: String,
    file: File,
    queue: Option<Sender<Vec<u8>>>,
    /// When the next beacon may come.
    brake: Option<Mutex<SystemTime>>,
}

fn main() -> Result<(), Failure> {
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    let is_set = |flag: &str| flags.iter().any(|given| given == flag);
    let path = words.first().ok_or("usage: naive LOG [ADDRESS] [FLAGS]")?;
    let address = words.get(1).map_or("127.0.0.1:0", String::as_str);
    if is_set("--lock") {
        File::create_new(format!("{path}.lock"))?;
    }
    let mut options = OpenOptions::new();
    options.create(true);
    let mut file = if is_set("--own-offset") {
        options.write(true).truncate(false).open(path)?
    } else {
        options.append(true).open(path)?
    };
    if is_set("--own-offset") {
        file.seek(SeekFrom::End(0))?;
    }
    let queue = is_set("--ack-first").then(|| write_behind(file.try_clone()));
    let log = Arc::new(Log {
        path: path.clone(),
        file,
        queue: queue.transpose()?,
        brake: is_set("--brake").then(|| Mutex::new(SystemTime::now())),
    });
    let server = Arc::new(Server::http(address)?);
    writeln!(stdout(), "listening on http://{}", server.server_addr())?;
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (log, server) = (Arc::clone(&log), Arc::clone(&server));
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    // A client that left before its answer is no reason to stop.
                    let _ = answer(request, &log);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}

fn write_behind(log: std::io::Result<File>) -> std::io::Result<Sender<Vec<u8>>> {
    let mut log = log?;
    let (queue, lines) = channel::<Vec<u8>>();
    thread::spawn(move || lines.iter().try_for_each(|line| log.write_all(&line)));
    Ok(queue)
}

#[expect(
    clippy::print_stderr,
    reason = "as one writes it; it panics where stderr is gone"
)]
fn answer(mut request: Request, log: &Log) -> Result<(), Failure> {
    if request.method() == &Method::Get && request.url() == "/log" {
        request.respond(Response::from_file(File::open(&log.path)?))?;
        return Ok(());
    }
    if let Some(next) = &log.brake {
        let (mut next, now) = (
            next.lock().map_err(|_| "a worker panicked")?,
            SystemTime::now(),
        );
        if now < *next {
            request.respond(Response::empty(429))?;
            return Ok(());
        }
        *next = now + Duration::from_millis(1);
    }
    let mut line = Vec::new();
    request.as_reader().read_to_end(&mut line)?;
    line.push(b'\n');
    let written = match &log.queue {
        Some(queue) => queue.send(line).map_err(Failure::from),
        None => (&log.file).write_all(&line).map_err(Failure::from),
    };
    if let Err(cause) = &written {
        eprintln!("cannot write {}: {cause}", log.path);
    }
    let status = if written.is_ok() { 204 } else { 500 };
    request.respond(Response::empty(status))?;
    Ok(())
}
