//! The collector that one writes in half an hour: bare tiny_http, append, 204. The control of `tests/reliability` (what it
//! withstands is no proof of anything) and the rival of `benches`. Must not get better: no sync, no gate, no repair.
//!
//! `naive LOG [--ack-first]`: with the flag it answers first and writes from a queue, as one does who wants to be fast.

use std::fs::{File, OpenOptions};
use std::io::{Write, stdout};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tiny_http::{Request, Response, Server};

const WORKERS: usize = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: naive LOG [--ack-first]")?;
    let log = Arc::new(OpenOptions::new().create(true).append(true).open(path)?);
    let queue = args
        .next()
        .is_some_and(|flag| flag == "--ack-first")
        .then(|| write_behind(Arc::clone(&log)));
    let server = Arc::new(Server::http("127.0.0.1:0")?);
    writeln!(stdout(), "listening on http://{}", server.server_addr())?;
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (log, queue, server) = (Arc::clone(&log), queue.clone(), Arc::clone(&server));
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    // A client that left before its answer is no reason to stop.
                    let _ = answer(request, &log, queue.as_ref());
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}

fn write_behind(log: Arc<File>) -> Sender<Vec<u8>> {
    let (queue, lines) = channel::<Vec<u8>>();
    thread::spawn(move || lines.iter().try_for_each(|line| (&*log).write_all(&line)));
    queue
}

fn answer(
    mut request: Request,
    mut log: &File,
    queue: Option<&Sender<Vec<u8>>>,
) -> Result<(), Failure> {
    let mut line = Vec::new();
    request.as_reader().read_to_end(&mut line)?;
    line.push(b'\n');
    let is_kept = match queue {
        Some(queue) => queue.send(line).is_ok(),
        None => log.write_all(&line).is_ok(),
    };
    request.respond(Response::empty(if is_kept { 204 } else { 500 }))?;
    Ok(())
}
