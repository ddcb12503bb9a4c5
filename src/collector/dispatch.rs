//! Takes requests from tiny_http and gives each to a thread that may block for it: beacons to nobody (the writer's thread
//! answers), or, where they are large, to one that has the time to read them; rooms to a thread of their own, the rest to a
//! few workers. A panic costs one request, never a thread.

use super::app::App;
use super::asked::Asked;
use super::counters::Kind;
use super::exchange::{Exchange, internal_error};
use super::gate::LIGHT_BYTES_MAX;
use super::reply::Reply;
use super::{intake, rooms, routes};
use std::io;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Threads for pages and files. They do not wait for anything but the disk.
const WORKERS: usize = 4;
/// Threads that check large beacons: 64 KiB take a millisecond, for which a hundred small ones would wait.
const READERS: usize = 2;
/// Requests that may wait for a worker. The gate has no more than 64 in flight.
const QUEUE: usize = 64;
/// Rooms being asked for at once. Each holds one of the gate's connections for as long as Daily takes.
const ROOMS_MAX: u64 = 8;
/// After a failure to receive, which cannot come twice in tiny_http 0.12; should it, not in a hot loop.
const RECV_PAUSE: Duration = Duration::from_millis(50);

/// The threads behind the private socket.
pub(crate) struct Handlers {
    server: Arc<tiny_http::Server>,
    stopping: Arc<AtomicBool>,
    dispatcher: Mutex<Option<JoinHandle<()>>>,
}

/// Why there are no handlers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot start the HTTP server")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

struct Dispatcher {
    app: Arc<App>,
    jobs: SyncSender<Exchange>,
    large_beacons: SyncSender<Exchange>,
}

impl Handlers {
    /// Serves the connections of `listener`. `on_end` is called should the dispatcher end without being asked to.
    pub(crate) fn start(
        listener: UnixListener,
        app: Arc<App>,
        on_end: Box<dyn FnOnce(String) + Send>,
    ) -> Result<Handlers, Error> {
        let server = tiny_http::Server::from_listener(listener, None).map_err(Error::Server)?;
        let server = Arc::new(server);
        let jobs = pool("worker", WORKERS, |exchange| {
            answer_with(exchange, |app, asked, _| routes::answer(app, asked));
        })?;
        let large_beacons = pool("reader", READERS, take_beacon)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let dispatcher = Dispatcher {
            app,
            jobs,
            large_beacons,
        };
        let thread = spawn("dispatcher", {
            let server = Arc::clone(&server);
            let stopping = Arc::clone(&stopping);
            move || {
                let ended = catch_unwind(AssertUnwindSafe(|| dispatcher.run(&server, &stopping)));
                if ended.is_err() {
                    on_end("the dispatcher of requests panicked".to_owned());
                }
            }
        })?;
        Ok(Handlers {
            server,
            stopping,
            dispatcher: Mutex::new(Some(thread)),
        })
    }

    /// Ends the dispatcher; the workers end with it. What they were doing is nobody's any more: the gate has gone first.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.server.unblock();
        let thread = self
            .dispatcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(Error::Thread)
}

impl Dispatcher {
    fn run(&self, server: &tiny_http::Server, stopping: &AtomicBool) {
        loop {
            match server.recv() {
                Ok(request) => {
                    // The request answers itself when it is dropped by a panic.
                    if catch_unwind(AssertUnwindSafe(|| self.dispatch(request))).is_err() {
                        note_panic(&self.app);
                    }
                }
                Err(_) if stopping.load(Ordering::SeqCst) => return,
                Err(cause) => {
                    // Connections that are open go on; that no new one can be opened, the gate notices.
                    self.app.notices.say(
                        "accept-failed",
                        format_args!("the HTTP server accepts no connections: {cause}"),
                    );
                    thread::sleep(RECV_PAUSE);
                }
            }
        }
    }

    fn dispatch(&self, request: tiny_http::Request) {
        let app = Arc::clone(&self.app);
        let url = request.url();
        let path = url.split('?').next().unwrap_or_default();
        let is_post = *request.method() == tiny_http::Method::Post;
        match path {
            _ if intake::takes(request.method().as_str(), path) => {
                // Handing it over costs a switch of threads, more than checking a small one does; and of small ones the gate may
                // have sent several on one connection, whose answers must come in order.
                let is_large = request.body_length().is_some_and(|n| LIGHT_BYTES_MAX < n);
                let exchange = Exchange::new(request, app, Kind::Beacon);
                if !is_large {
                    intake::take(exchange);
                    return;
                }
                // There is room for all that the gate lets through at once; should there be none, it is taken here.
                match self.large_beacons.try_send(exchange) {
                    Ok(()) => {}
                    Err(TrySendError::Full(exchange) | TrySendError::Disconnected(exchange)) => {
                        intake::take(exchange);
                    }
                }
            }
            "/api/rooms" if is_post => self.give_room(Exchange::new(request, app, Kind::Room)),
            _ if path == app.probe_path => Reply::empty(204).send(request),
            _ => match self.jobs.try_send(Exchange::new(request, app, Kind::Other)) {
                Ok(()) => {}
                Err(TrySendError::Full(exchange) | TrySendError::Disconnected(exchange)) => {
                    exchange.answer(Reply::busy("too many requests at once", 1).because("busy"));
                }
            },
        }
    }

    /// A thread for each: they are rare, and wait for Daily for seconds.
    fn give_room(&self, exchange: Exchange) {
        let Some(place) = Place::take(&self.app) else {
            exchange.answer(rooms::busy());
            return;
        };
        let thread = spawn("room", move || {
            let _place = place;
            answer_with(exchange, rooms::answer);
        });
        // Where there is no thread, the exchange was dropped, and with that answered.
        if thread.is_err() {
            self.app
                .notices
                .say("thread-failed", "cannot start a thread for a room");
        }
    }
}

/// One of the places for rooms, given back on drop.
struct Place(Arc<App>);

impl Place {
    fn take(app: &Arc<App>) -> Option<Place> {
        let place = Place(Arc::clone(app));
        let n_taken = app.counters.rooms_pending.fetch_add(1, Ordering::SeqCst);
        (n_taken < ROOMS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.counters.rooms_pending.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Threads that do the same with whatever is put into their queue, until nobody is left to do so.
fn pool(name: &str, n_threads: usize, handle: fn(Exchange)) -> Result<SyncSender<Exchange>, Error> {
    let (queue, waiting) = sync_channel(QUEUE);
    let waiting: Arc<Mutex<Receiver<Exchange>>> = Arc::new(Mutex::new(waiting));
    for _ in 0..n_threads {
        let waiting = Arc::clone(&waiting);
        spawn(name, move || {
            loop {
                let next = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .recv();
                let Ok(exchange) = next else { return };
                handle(exchange);
            }
        })?;
    }
    Ok(queue)
}

fn take_beacon(exchange: Exchange) {
    let app = Arc::clone(&exchange.app);
    if catch_unwind(AssertUnwindSafe(|| intake::take(exchange))).is_err() {
        note_panic(&app);
    }
}

/// Answers with what `handle` makes of it, or with 500 where it panics.
fn answer_with(
    mut exchange: Exchange,
    handle: impl FnOnce(&App, &Asked, &mut tiny_http::Request) -> Reply,
) {
    let app = Arc::clone(&exchange.app);
    let asked = Asked::of(exchange.request());
    let kind = exchange.kind;
    let request = exchange.request();
    let replied = catch_unwind(AssertUnwindSafe(|| handle(&app, &asked, request)));
    exchange.answer(replied.unwrap_or_else(|_| {
        note_panic(&app);
        internal_error(kind)
    }));
}

fn note_panic(app: &App) {
    app.counters.panics.fetch_add(1, Ordering::Relaxed);
    app.notices.say(
        "handler-panic",
        "a handler panicked, this is a bug; its request was answered with 500",
    );
}
