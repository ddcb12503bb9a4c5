//! Which address means what. Everything but the beacons and the rooms, which are answered on their way here.

use super::app::App;
use super::asked::{Asked, Method, Segments};
use super::counters;
use super::hosts;
use super::origin::judge;
use super::pages;
use super::reply::{Bytes, Reply};
use super::rooms::is_reserved;
use super::statics::{self, Found};
use crate::daily::RoomName;

const READS: &str = "GET, HEAD";
const BEACON_METHODS: &str = "POST, OPTIONS";
const ROOT_METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// The answer to any request that is neither a beacon nor asks for a room.
pub(crate) fn answer(app: &App, asked: &Asked) -> Reply {
    // Whoever asks for its health uses any name, and learns nothing else.
    if asked.raw_path != "/healthz" && !app.hosts.admit(asked.header("host")) {
        return hosts::refusal();
    }
    if asked.raw_path == "*" {
        return Reply::empty(204).with("Allow", ROOT_METHODS);
    }
    let Some(segments) = Segments::of(&asked.raw_path) else {
        return pages::not_found();
    };
    let names: Vec<&str> = segments.names.iter().map(String::as_str).collect();
    match (names.as_slice(), segments.is_folder) {
        ([], _) => match asked.method {
            Method::Get | Method::Head => pages::start(app),
            Method::Options => preflight(app, asked, ROOT_METHODS),
            _ => Reply::wrong_method(ROOT_METHODS),
        },
        (["beacon"], false) => match asked.method {
            Method::Options => preflight(app, asked, BEACON_METHODS),
            _ => Reply::text(405, "Must send data as POST").with("Allow", BEACON_METHODS),
        },
        (["healthz"], false) => reading(asked, || health(app)),
        (["metrics"], false) => reading(asked, || {
            refusal(app, asked).unwrap_or_else(|| {
                let text = counters::render(app).into_bytes();
                Reply::with_body(200, counters::CONTENT_TYPE, Bytes::Owned(text))
                    .with("Cache-Control", "no-store")
            })
        }),
        (["api", "rooms"], false) => Reply::wrong_method("POST"),
        (["assets", digest, name], false) => {
            reading(asked, || statics::asset(app, asked, digest, name))
        }
        (["api" | "assets" | "beacon" | "healthz" | "metrics", _, ..], _) => pages::not_found(),
        (["report"], false) => reading(asked, || to_folder(asked)),
        (["report", ..], _) => reading(asked, || {
            refusal(app, asked).unwrap_or_else(|| report(app, asked, &segments))
        }),
        ([name], is_folder) => room_or_file(app, asked, &segments, name, is_folder),
        _ => file(app, asked, &segments, pages::not_found),
    }
}

/// Why a client may not see what was collected, if it may not.
fn refusal(app: &App, asked: &Asked) -> Option<Reply> {
    let client = app.client(|name| asked.header(name));
    app.access.refusal(asked, client, &app.limits)
}

/// What GET gives, for those methods that read.
fn reading(asked: &Asked, reply: impl FnOnce() -> Reply) -> Reply {
    if asked.reads() {
        reply()
    } else {
        Reply::wrong_method(READS)
    }
}

fn preflight(app: &App, asked: &Asked, allow: &'static str) -> Reply {
    let verdict = judge(
        &app.allow_origins,
        asked.header("origin"),
        asked.header("host"),
    );
    if verdict.is_refused() {
        return Reply::text(403, "this page's origin may not send beacons here")
            .because("origin-refused")
            .with_all(verdict.headers());
    }
    Reply::empty(204)
        .with("Allow", allow)
        .with_all(verdict.preflight_headers())
}

fn health(app: &App) -> Reply {
    match app.writer.health() {
        Ok(()) => Reply::text(200, "ok"),
        Err(cause) => Reply::busy(&cause, 5).because("log-failed"),
    }
}

/// The same address with a slash at its end, so that links inside lead into the folder.
fn to_folder(asked: &Asked) -> Reply {
    redirect(format!("{}/{}", asked.raw_path, asked.query))
}

fn redirect(location: String) -> Reply {
    Reply::text(308, "it is here").with("Location", location)
}

fn report(app: &App, asked: &Asked, segments: &Segments) -> Reply {
    let is_front = segments.names.len() == 1
        || matches!(segments.names.as_slice(), [_, name] if name == "index.html");
    let missing = if is_front {
        pages::report_missing
    } else {
        pages::not_found
    };
    file(app, asked, segments, missing)
}

/// A file of the document root, or what there is to say when there is none.
fn file(app: &App, asked: &Asked, segments: &Segments, missing: fn() -> Reply) -> Reply {
    match statics::find(app, segments) {
        Found::Nothing => missing(),
        _ if !asked.reads() => Reply::wrong_method(READS),
        Found::Folder => to_folder(asked),
        Found::File(path) => {
            // Through a link or another spelling, too, the report is the report, and the log the log.
            if (statics::is_of_report(app, &path) || statics::is_of_log(app, &path))
                && let Some(refusal) = refusal(app, asked)
            {
                return refusal;
            }
            statics::file(app, asked, segments, &path)
        }
    }
}

fn room_or_file(
    app: &App,
    asked: &Asked,
    segments: &Segments,
    name: &str,
    is_folder: bool,
) -> Reply {
    if is_reserved(name) {
        return pages::reserved_room_name();
    }
    if RoomName::parse(name).is_err() {
        let missing = if name.contains('.') {
            pages::not_found
        } else {
            pages::bad_room_name
        };
        return file(app, asked, segments, missing);
    }
    reading(asked, || match is_folder {
        // A name of letters and digits: nothing in it needs encoding.
        true => redirect(format!("/{name}{}", asked.query)),
        false => pages::call(app, name),
    })
}
