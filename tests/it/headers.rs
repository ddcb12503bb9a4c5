//! Every answer carries what keeps a browser from harm, whatever the route and whatever became of the request.

use crate::support::fake_daily::{FakeDaily, TOKEN};
use crate::support::http::{Server, beacon};
use call_metrics::collector::gate::Limits;

/// What a row must say of caches.
const NEVER: &str = "no-store";
const ASK: &str = "no-cache";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[test]
fn every_answer_is_dressed_for_a_hostile_world() {
    let fake = FakeDaily::start();
    let server = Server::with(
        &["--report-password", "pass"],
        &[("DAILY_TOKEN", TOKEN), ("DAILY_API_URL", &fake.api_url())],
        Limits::for_this_process(),
    );
    let page = "<!doctype html><p>words</p>".repeat(100);
    server.publish("report/index.html", &page);
    server.publish("report/data/report.json", "{}");
    server.publish("report/assets/0123456789ab/x.js", "x");
    server.publish("robots.txt", "User-agent: *\n");
    let digest = call_metrics::site::assets_digest();
    let asset = format!("GET /assets/{digest}/call.js");
    let password = "Authorization: Basic OnBhc3M=\r\n";
    let beacon = beacon("x");
    let good = r#"{"name":"ana"}"#;
    let rows: &[(&str, &str, &str, u16, &str)] = &[
        ("GET /", "", "", 200, ASK),
        ("HEAD /", "", "", 200, ASK),
        ("GET /ana", "", "", 200, ASK),
        ("GET /ana/", "", "", 308, NEVER),
        ("GET /a%20b", "", "", 404, ASK),
        ("GET /api", "", "", 404, ASK),
        ("GET /nothing.txt", "", "", 404, ASK),
        ("GET /robots.txt", "", "", 200, ASK),
        (&asset, "", "", 200, FOR_EVER),
        (&asset, "Accept-Encoding: gzip\r\n", "", 200, FOR_EVER),
        (&asset, "If-None-Match: *\r\n", "", 304, FOR_EVER),
        ("GET /assets/x/call.js", "", "", 404, ASK),
        ("GET /report", "", "", 308, NEVER),
        ("GET /report/", "", "", 401, NEVER),
        ("GET /report/", "Authorization: Basic x\r\n", "", 401, NEVER),
        ("GET /report/", password, "", 200, ASK),
        ("HEAD /report/index.html", password, "", 200, ASK),
        ("GET /report/data/report.json", password, "", 200, ASK),
        (
            "GET /report/assets/0123456789ab/x.js",
            password,
            "",
            200,
            FOR_EVER,
        ),
        ("GET /report/nothing", password, "", 404, ASK),
        ("GET /metrics", "", "", 401, NEVER),
        ("GET /metrics", password, "", 200, NEVER),
        ("GET /healthz", "", "", 200, NEVER),
        ("PUT /", "", "", 405, NEVER),
        ("OPTIONS *", "", "", 204, ""),
        (
            "OPTIONS /beacon",
            "Origin: http://localhost\r\n",
            "",
            204,
            "",
        ),
        (
            "OPTIONS /beacon",
            "Origin: https://evil.example\r\n",
            "",
            403,
            NEVER,
        ),
        ("GET /beacon", "", "", 405, NEVER),
        ("POST /beacon", "", &beacon, 204, ""),
        ("POST /beacon", "", "nonsense", 400, NEVER),
        ("POST /beacon", "Origin: null\r\n", &beacon, 403, NEVER),
        ("POST /api/rooms", "", good, 200, NEVER),
        ("POST /api/rooms", "Origin: null\r\n", good, 403, NEVER),
        ("POST /api/rooms", "", "{}", 400, NEVER),
        ("GET /api/rooms", "", "", 405, NEVER),
    ];
    for (request, headers, body, status, cache) in rows {
        let length = body.len();
        let answer = server.client().ask(
            format!("{request} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
                .as_bytes(),
        );
        let about = format!("{request} {headers}: {}", answer.head);
        assert_eq!(answer.status, *status, "{about}");
        let is = |name: &str, value: &str| assert_eq!(answer.header(name), Some(value), "{about}");
        let once = |name: &str| {
            let prefix = format!("{}: ", name.to_ascii_lowercase());
            let head = answer.head.to_ascii_lowercase();
            assert_eq!(head.matches(&prefix).count(), 1, "{name} in {about}");
        };
        is("X-Content-Type-Options", "nosniff");
        is("Cross-Origin-Opener-Policy", "same-origin");
        let is_beacon = request.ends_with(" /beacon") && !request.starts_with("GET");
        let sharing = if is_beacon {
            "cross-origin"
        } else {
            "same-origin"
        };
        is("Cross-Origin-Resource-Policy", sharing);
        let policy = answer.header("Content-Security-Policy").expect(&about);
        assert!(
            policy.contains("default-src 'none'")
                && policy.contains("frame-ancestors 'none'")
                && policy.contains("base-uri 'none'")
                && !policy.contains("unsafe")
                && !policy.contains("data:;script"),
            "{about}"
        );
        // The call page says where it is to its own server, or its beacons would come from nowhere.
        let referrer = if request.ends_with("/ana") {
            "same-origin"
        } else {
            "no-referrer"
        };
        is("Referrer-Policy", referrer);
        assert_eq!(
            answer.header("Cache-Control").unwrap_or_default(),
            *cache,
            "{about}"
        );
        for name in [
            "X-Content-Type-Options",
            "Content-Security-Policy",
            "Cross-Origin-Resource-Policy",
            "Referrer-Policy",
        ] {
            once(name);
        }
        let path = request.split(' ').nth(1).unwrap();
        let is_packed = ["/report/", "/report/index.html"].contains(&path) || *request == asset;
        let varies = is_packed && matches!(status, 200 | 304);
        let vary = answer.header("Vary");
        assert_eq!(vary == Some("Accept-Encoding"), varies, "{about}");
        if is_beacon {
            is("Vary", "Origin");
        }
        for name in [
            "Server",
            "X-Powered-By",
            "Set-Cookie",
            "Access-Control-Allow-Origin",
        ] {
            assert_eq!(answer.header(name), None, "{about}");
        }
        if *status == 200 && !request.starts_with("HEAD") {
            assert!(answer.header("Content-Type").is_some(), "{about}");
        }
    }
}
