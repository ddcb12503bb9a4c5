//! The pages a person opens, and their headers. Words from outside reach them through the templates' escaping alone.

use super::app::App;
use super::reply::{Bytes, Reply};
use super::rooms::RESERVED;
use crate::plain::with_causes;
use crate::site;
use serde::Serialize;
use std::borrow::Cow;

/// After this a page that is still joining says so.
const JOIN_TIMEOUT_MS: u64 = 20_000;
/// Where Daily's rooms live.
const DAILY_FRAMES: &str = "https://*.daily.co https://*.dailywebrtc.com https://*.dailywebrtc.net";
/// Where daily-js comes from when it is not inside the binary.
const CDN: &str = "https://unpkg.com";
/// What every page may do; the call page adds to it.
const CSP_COMMON: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                          base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(Serialize)]
struct StartPage {
    assets: String,
    version: &'static str,
    token_missing: bool,
    report_url: &'static str,
    reserved: &'static [&'static str],
}

#[derive(Serialize)]
struct CallPage<'a> {
    assets: String,
    version: &'static str,
    room: &'a str,
    daily_js: DailyJs,
    sample_interval_ms: u64,
    beacon_interval_ms: u64,
    join_timeout_ms: u64,
    participant_names: bool,
}

#[derive(Serialize)]
struct DailyJs {
    src: String,
    /// Empty where it comes from this server.
    integrity: &'static str,
}

/// The start page.
pub(crate) fn start(app: &App) -> Reply {
    let page = StartPage {
        assets: assets_url(),
        version: env!("CARGO_PKG_VERSION"),
        token_missing: app.daily.is_none(),
        report_url: "/report/",
        reserved: &RESERVED,
    };
    rendered(app, "start.html", page)
        .with("Content-Security-Policy", plain_csp())
        .with("Referrer-Policy", "no-referrer")
}

/// The call page of a room, whose name is valid.
pub(crate) fn call(app: &App, room: &str) -> Reply {
    let integrity = site::daily_js_integrity();
    let ms =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let page = CallPage {
        assets: assets_url(),
        version: env!("CARGO_PKG_VERSION"),
        room,
        daily_js: match integrity {
            Some((url, hash)) => DailyJs {
                src: url.to_owned(),
                integrity: hash,
            },
            None => DailyJs {
                src: format!("{}daily.js", assets_url()),
                integrity: "",
            },
        },
        sample_interval_ms: ms(app.page.sample_interval),
        beacon_interval_ms: ms(app.page.beacon_interval),
        join_timeout_ms: JOIN_TIMEOUT_MS,
        participant_names: app.page.participant_names,
    };
    let mut csp = String::from("script-src 'self'");
    if integrity.is_some() {
        csp.push(' ');
        csp.push_str(CDN);
    }
    csp.push_str("; connect-src 'self'");
    let beacon_origin = origin_of(&app.page.beacon_url);
    if let Some(origin) = beacon_origin {
        csp.push(' ');
        csp.push_str(origin);
    }
    csp.push_str("; frame-src ");
    csp.push_str(DAILY_FRAMES);
    for origin in &app.frame_origins {
        csp.push(' ');
        csp.push_str(origin);
    }
    // `no-referrer` would make browsers send `Origin: null` with sendBeacon, which then could not be told from a stranger's.
    let referrer = match beacon_origin {
        Some(_) => "strict-origin",
        None => "same-origin",
    };
    rendered(app, "call.html", page)
        .with("Content-Security-Policy", format!("{csp}; {CSP_COMMON}"))
        .with("Referrer-Policy", referrer)
}

/// The policy of every page but the call page.
pub(crate) fn plain_csp() -> Cow<'static, str> {
    Cow::Owned(format!(
        "script-src 'self'; connect-src 'self'; {CSP_COMMON}"
    ))
}

/// The prefix of the assets' addresses.
pub(crate) fn assets_url() -> String {
    format!("/assets/{}/", site::assets_digest())
}

/// Scheme, host and port of a whole URL; `None` for a path of this server.
fn origin_of(url: &str) -> Option<&str> {
    let scheme_end = url.find("://")? + 3;
    let rest = &url[scheme_end..];
    let host_length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(&url[..scheme_end + host_length])
}

fn rendered(app: &App, template: &'static str, context: impl Serialize) -> Reply {
    match site::render(template, context) {
        Ok(page) => html(200, page),
        Err(cause) => {
            app.notices.say("page-failed", with_causes(&cause));
            Reply::text(500, "internal error")
        }
    }
}

fn html(status: u16, page: String) -> Reply {
    Reply::with_body(
        status,
        "text/html; charset=utf-8",
        Bytes::Owned(page.into_bytes()),
    )
    .with("Cache-Control", "no-cache")
}

/// A page of our own words, none from outside: a title and sentences, where there is nothing else to show.
fn words(status: u16, title: &str, sentences: &[&str]) -> Reply {
    let assets = assets_url();
    let text: String = sentences
        .iter()
        .map(|sentence| format!("<p>{sentence}</p>\n"))
        .collect();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} · call-metrics</title>\n\
         <link rel=\"icon\" href=\"{assets}mark.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"{assets}tokens.css\">\n<link rel=\"stylesheet\" href=\"{assets}base.css\">\n\
         <script src=\"{assets}theme.js\"></script>\n</head>\n<body>\n<main class=\"words\">\n<h1>{title}</h1>\n{text}</main>\n</body>\n</html>\n"
    );
    html(status, page)
        .with("Content-Security-Policy", plain_csp())
        .with("Referrer-Policy", "no-referrer")
}

const TO_START: &str = "<a class=\"button button-primary\" href=\"/\">Back to the start page</a>";

/// Nothing here.
pub(crate) fn not_found() -> Reply {
    words(
        404,
        "Nothing here",
        &["This address leads nowhere.", TO_START],
    )
}

/// What could be a room, were its name one.
pub(crate) fn bad_room_name() -> Reply {
    words(
        404,
        "Not a room name",
        &["A room name has 1 to 64 letters (A to Z, a to z), digits, <code>-</code> and <code>_</code>.", TO_START],
    )
    .because("invalid-room-name")
}

/// A name that the server needs for itself.
pub(crate) fn reserved_room_name() -> Reply {
    words(
        404,
        "This name is taken",
        &["The server uses this address for itself, so no room can have it. Please choose another name.", TO_START],
    )
    .because("reserved-room-name")
}

/// The report's address, and no report yet.
pub(crate) fn report_missing() -> Reply {
    words(
        404,
        "No report yet",
        &[
            "Nobody has built the report. Run <code>call-metrics build-report</code>, or start the server with \
             <code>call-metrics serve --watch</code>, which keeps it up to date.",
            TO_START,
        ],
    )
    .because("report-missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_foreign_collector_is_found() {
        assert_eq!(origin_of("/beacon"), None);
        assert_eq!(
            origin_of("https://c.example:8443/b?x"),
            Some("https://c.example:8443")
        );
        assert_eq!(origin_of("https://c.example"), Some("https://c.example"));
    }
}
