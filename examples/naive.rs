//! The collector that one writes in half an hour: bare tiny_http, append, 204. The control of `tests/reliability` (what it
//! withstands is no proof of anything) and the rival of `benches`. Must not get better: no sync, no gate, no repair.
//!
//! `naive LOG [--ack-first]`: with the flag it answers before it writes, as a server does that hands over to a queue.

use std::fs::OpenOptions;
use std::io::{Write, stdout};
use std::sync::Arc;
use std::thread;
use tiny_http::{Request, Response, Server};

const WORKERS: usize = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: naive LOG [--ack-first]")?;
    let ack_first = args.next().is_some_and(|flag| flag == "--ack-first");
    let log = Arc::new(OpenOptions::new().create(true).append(true).open(path)?);
    let server = Arc::new(Server::http("127.0.0.1:0")?);
    writeln!(stdout(), "listening on http://{}", server.server_addr())?;
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (log, server) = (Arc::clone(&log), Arc::clone(&server));
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    // A client that left before its answer is no reason to stop.
                    let _ = answer(request, &log, ack_first);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}

fn answer(mut request: Request, mut log: &std::fs::File, ack_first: bool) -> Result<(), Failure> {
    let mut line = Vec::new();
    request.as_reader().read_to_end(&mut line)?;
    line.push(b'\n');
    if ack_first {
        request.respond(Response::empty(204))?;
        log.write_all(&line)?;
    } else {
        let status = if log.write_all(&line).is_ok() { 204 } else { 500 };
        request.respond(Response::empty(status))?;
    }
    Ok(())
}
