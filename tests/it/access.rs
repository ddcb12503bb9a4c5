//! Who may send, mint and look: limits, page tokens, names, passwords, and that each refusal says why.

use crate::support::fake_daily::{FakeDaily, Fault, TOKEN};
use crate::support::http::{Answer, Server, beacon};
use call_metrics::collector::gate::Limits;
use call_metrics::digest::Key;
use serde_json::{Value, json};
use std::time::SystemTime;

pub(crate) const SECRET: &str = "a secret of enough bytes";

pub(crate) fn with(args: &[&str]) -> Server {
    Server::with(args, &[], Limits::for_this_process())
}

/// A server with rooms, behind a proxy that is trusted: `X-Forwarded-For` says which client asks.
pub(crate) fn proxied(fake: &FakeDaily, args: &[&str]) -> Server {
    Server::with(
        &[&["--trusted-proxy", "127.0.0.1"], args].concat(),
        &[
            ("DAILY_TOKEN", TOKEN),
            ("DAILY_API_URL", &fake.api_url()),
            ("CALL_METRICS_PAGE_TOKEN_SECRET", SECRET),
        ],
        Limits::for_this_process(),
    )
}

pub(crate) fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

pub(crate) fn mint(server: &Server, headers: &str, name: &str) -> Answer {
    let body = json!({ "name": name }).to_string();
    server.post_with("/api/rooms", headers, &body)
}

/// Status, `error` and `Retry-After` of an answer about a room.
fn refusal(answer: &Answer) -> (u16, Option<String>, Option<u64>) {
    let error = answer.json()["error"].as_str().map(str::to_owned);
    assert_eq!(answer.header("X-Call-Metrics"), error.as_deref());
    let retry_after = answer.header("Retry-After");
    (
        answer.status,
        error,
        retry_after.map(|text| text.parse().unwrap()),
    )
}

fn reason(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("X-Call-Metrics"))
}

pub(crate) fn beacon_with(room: &str, token: Option<&str>) -> String {
    let mut body = json!({"room": room, "meetingSessionId": "m", "sessionId": "s", "stats": {}});
    if let Some(token) = token {
        body["pageToken"] = json!(token);
    }
    body.to_string()
}

/// A token as the server makes them, with an expiry of one's own choice.
pub(crate) fn token_until(room: &str, expiry_ms: u64, secret: &str) -> String {
    use base64::Engine as _;
    let key = Key::new(secret.as_bytes());
    let mut token = expiry_ms.to_be_bytes().to_vec();
    token.extend(&key.mark([b"call-metrics room 1".as_slice(), room.as_bytes()])[..12]);
    token.extend([7; 12]);
    token.extend(key.mark([b"call-metrics page token 1".as_slice(), &token]));
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token)
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

/// Asks until it is refused for too much: a slow machine may have been forgiven some.
pub(crate) fn until_refused(mut ask: impl FnMut() -> Answer) -> Answer {
    let mut answers = (0..200).map(|_| ask());
    answers
        .find(|answer| answer.status == 429)
        .expect("an end to it")
}

#[test]
fn a_flood_from_one_address_is_slowed_and_readably_so() {
    let server = with(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--rate-per-address",
        "1",
        "--allow-origin",
        "https://app.example.com",
    ]);
    let send = |headers: &str| server.post_with("/beacon", headers, &beacon("x"));
    let flood = from("198.51.100.7");
    let stored = (0..30).filter(|_| send(&flood).status == 204).count();
    assert!((10..30).contains(&stored), "{stored} of 30");
    let refused = until_refused(|| send(&format!("{flood}Origin: https://app.example.com\r\n")));
    assert_eq!(reason(&refused), (429, Some("address-rate")));
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(
        refused.header("Access-Control-Allow-Origin"),
        Some("https://app.example.com")
    );
    assert_eq!(
        refused.header("Access-Control-Expose-Headers"),
        Some("X-Call-Metrics, Retry-After")
    );
    // What a client writes into the header itself helps it nothing, nor does another address of its network.
    until_refused(|| send(&from("203.0.113.1, 198.51.100.7")));
    let v6 = |n: u32| from(&format!("2001:db8:0:1::{n:x}"));
    let stored_v6 = (0..30).filter(|n| send(&v6(*n)).status == 204).count();
    assert!((10..30).contains(&stored_v6), "{stored_v6} of 30");
    // Others are unaffected, and this machine is held back by nothing.
    assert_eq!(send(&from("198.51.100.8")).status, 204);
    assert!((0..30).all(|_| send("").status == 204));
    let n_refused = server.counted("call_metrics_beacons_refused_total{reason=\"address-rate\"} ");
    let n_stored = server.counted("call_metrics_beacons_accepted_total ");
    assert!(3.0 <= n_refused, "{n_refused}");
    assert_eq!(server.log().lines().count() as f64, n_stored);
    assert!(
        !server.log().contains("198.51.100") && !server.get("/metrics").text().contains("198.51")
    );
}

#[test]
fn without_a_trusted_proxy_nobody_can_say_who_he_is() {
    let server = with(&["--rate-per-address", "1"]);
    let send = |headers: &str| server.post_with("/beacon", headers, &beacon("x"));
    assert!((0..30).all(|_| send(&from("198.51.100.7")).status == 204));
}

#[test]
fn rooms_are_rationed_by_address_and_in_all() {
    let fake = FakeDaily::start();
    let server = proxied(
        &fake,
        &["--rooms-per-minute", "2", "--rooms-per-minute-total", "4"],
    );
    let ask = |address: &str, name: &str| refusal(&mint(&server, &from(address), name)).0;
    assert_eq!(ask("198.51.100.7", "a"), 200);
    assert_eq!(ask("198.51.100.7", "b"), 200);
    let third = refusal(&mint(&server, &from("198.51.100.7"), "c"));
    assert_eq!((third.0, third.1.as_deref()), (429, Some("too-many-rooms")));
    assert!((1..=30).contains(&third.2.unwrap()), "{third:?}");
    // Rooms that are open already are for everybody: an office is one address.
    assert!((0..20).all(|_| ask("198.51.100.7", "a") == 200));
    assert_eq!(ask("198.51.100.8", "c"), 200);
    // The common limit holds for this machine too; names that are none cost nothing.
    assert_eq!(refusal(&mint(&server, "", "no name")).0, 400);
    assert_eq!(refusal(&mint(&server, "", "d")).0, 200);
    let fifth = refusal(&mint(&server, "", "e"));
    assert_eq!((fifth.0, fifth.1.as_deref()), (429, Some("too-many-rooms")));
    assert_eq!(ask("198.51.100.9", "f"), 429);
    assert_eq!(fake.requests().len(), 4);
    let refused = "call_metrics_rooms_refused_total{reason=\"too-many-rooms\"} ";
    assert_eq!(server.counted(refused), 3.0);
}

#[test]
fn a_page_token_lets_in_the_beacons_of_its_room_alone() {
    let fake = FakeDaily::start();
    let server = proxied(&fake, &["--page-token", "required"]);
    let given = mint(&server, "", "ana").json();
    let (room, token) = (
        given["url"].as_str().unwrap(),
        given["pageToken"].as_str().unwrap(),
    );
    assert_eq!(given["pageTokenLifeMs"], 6 * 3_600_000);
    let other = mint(&server, "", "bea").json();
    assert_ne!(given["pageToken"], other["pageToken"]);
    let send = |body: &str| server.post_with("/beacon", "", body);
    assert_eq!(send(&beacon_with(room, Some(token))).status, 204);
    let check = |room: &str, token: Option<&str>, expect: &str| {
        let answer = send(&beacon_with(room, token));
        assert_eq!(reason(&answer), (403, Some(expect)), "{token:?}");
        let counter = format!("call_metrics_beacons_refused_total{{reason=\"{expect}\"}} ");
        assert!(1.0 <= server.counted(&counter), "{expect}");
    };
    let flipped = if token.starts_with('A') { "B" } else { "A" }.to_owned() + &token[1..];
    let of_other = other["pageToken"].as_str().unwrap();
    let (past, future) = (now_ms() - 1, now_ms() + 60_000);
    check(room, None, "page-token-missing");
    check(room, Some(""), "page-token-invalid");
    check(room, Some(&flipped), "page-token-invalid");
    check(
        room,
        Some(&token_until(room, future, "another secret")),
        "page-token-invalid",
    );
    check(
        room,
        Some(&token_until(room, past, SECRET)),
        "page-token-expired",
    );
    check(room, Some(of_other), "page-token-wrong-room");
    check(
        "https://evil.example/",
        Some(token),
        "page-token-wrong-room",
    );
    // Another server of the same secret takes it, one without asks for none; neither stores it.
    let made = token_until(room, future, SECRET);
    assert_eq!(send(&beacon_with(room, Some(&made))).status, 204);
    let second = proxied(&fake, &["--page-token", "required"]);
    let lenient = with(&[]);
    for server in [&second, &lenient] {
        let answer = server.post_with("/beacon", "", &beacon_with(room, Some(token)));
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    for log in [server.log(), second.log(), lenient.log()] {
        assert!(
            !log.is_empty() && !log.contains("pageToken") && !log.contains(token),
            "{log}"
        );
    }
    assert_eq!(server.log().lines().count(), 2);
    let plain = mint(&proxied(&fake, &[]), "", "ana").json();
    assert_eq!(plain.get("pageToken"), None);
}

#[test]
fn one_page_cannot_flood() {
    let fake = FakeDaily::start();
    let server = proxied(
        &fake,
        &["--page-token", "required", "--rate-per-token", "1"],
    );
    let given = mint(&server, "", "ana").json();
    let body = beacon_with(given["url"].as_str().unwrap(), given["pageToken"].as_str());
    let answers: Vec<Answer> = (0..60)
        .map(|_| server.post_with("/beacon", "", &body))
        .collect();
    let stored = answers.iter().filter(|answer| answer.status == 204).count();
    assert!((30..60).contains(&stored), "{stored} of 60");
    let refused = answers.iter().find(|answer| answer.status != 204).unwrap();
    assert_eq!(reason(refused), (429, Some("token-rate")));
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(server.log().lines().count(), stored);
    let again = mint(&server, "", "ana").json();
    let body = beacon_with(again["url"].as_str().unwrap(), again["pageToken"].as_str());
    assert_eq!(
        server.post_with("/beacon", "", &body).status,
        204,
        "another page"
    );
}

#[test]
fn requests_under_names_that_are_not_ours_are_refused() {
    let fake = FakeDaily::start();
    let ask = |server: &Server, request: &str, host: &str| {
        server.ask(&format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let named = proxied(
        &fake,
        &["--public-host", "calls.example.com,b.example:8443"],
    );
    for host in [
        "calls.example.com",
        "CALLS.example.com:443",
        "b.example:8443",
        "localhost",
        "127.0.0.1",
    ] {
        for (request, status) in [
            ("GET /", 200),
            ("GET /ana", 200),
            ("POST /beacon", 400),
            ("POST /api/rooms", 400),
        ] {
            assert_eq!(
                ask(&named, request, host).status,
                status,
                "{request} {host}"
            );
        }
    }
    for host in [
        "evil.example",
        "calls.example.com.evil",
        "b.example",
        "10.0.0.1",
    ] {
        for request in [
            "GET /",
            "HEAD /ana",
            "POST /beacon",
            "POST /",
            "POST /api/rooms",
            "OPTIONS /beacon",
        ] {
            let answer = named.client().ask(
                format!("{request} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")
                    .as_bytes(),
            );
            assert_eq!(
                reason(&answer),
                (421, Some("host-refused")),
                "{request} {host}"
            );
        }
    }
    assert_eq!(ask(&named, "GET /healthz", "10.0.0.1").status, 200);
    // Without a list: a page that let its name lead to loopback opens no room here; a trusted proxy does.
    let rebound = "Host: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 14\r\n";
    let mint = |server: &Server, more: &str| {
        let request =
            format!("POST /api/rooms HTTP/1.1\r\n{rebound}{more}\r\n{{\"name\":\"ana\"}}");
        server.ask(&request).status
    };
    let daily = [("DAILY_TOKEN", TOKEN), ("DAILY_API_URL", &*fake.api_url())];
    let server = |args: &[&str]| Server::with(args, &daily, Limits::for_this_process());
    assert_eq!(mint(&server(&[]), ""), 421);
    assert_eq!(
        mint(&server(&[]), &from("1.2.3.4")),
        421,
        "which anyone may write"
    );
    assert_eq!(mint(&proxied(&fake, &[]), ""), 200);
    assert_eq!(mint(&server(&["--listen", "0.0.0.0:0"]), ""), 200);
    assert_eq!(mint(&server(&["--public-host", "evil.example"]), ""), 200);
}

#[test]
fn rooms_are_opened_for_the_same_origin_alone() {
    let fake = FakeDaily::start();
    let server = proxied(&fake, &["--allow-origin", "https://app.example.com"]);
    for (headers, status) in [
        ("", 200),
        ("Origin: http://localhost\r\n", 200),
        (
            "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n",
            200,
        ),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: none\r\n", 403),
        ("Origin: https://app.example.com\r\n", 403),
        ("Origin: null\r\n", 403),
    ] {
        assert_eq!(mint(&server, headers, "ana").status, status, "{headers}");
    }
}

#[test]
fn rooms_are_minted_on_the_terms_that_were_set() {
    let fake = FakeDaily::start();
    let server = proxied(
        &fake,
        &[
            "--room-pattern",
            "team-[a-z]+",
            "--room-expiry",
            "2h",
            "--room-privacy",
            "private",
        ],
    );
    let refused = refusal(&mint(&server, "", "standup"));
    assert_eq!(
        (refused.0, refused.1.as_deref()),
        (403, Some("room-not-allowed"))
    );
    assert!(fake.requests().is_empty());
    let given = mint(&server, "", "team-a").json();
    assert_eq!(given["url"], fake.room_url("meet-team-a"));
    let requests = fake.requests();
    assert_eq!(
        fake.request_lines(),
        ["POST /v1/rooms", "POST /v1/meeting-tokens"]
    );
    let seconds = |value: &Value| value.as_u64().unwrap() as i64 - (now_ms() / 1000) as i64;
    assert_eq!(requests[0].body["privacy"], "private");
    let left = seconds(&requests[0].body["properties"]["exp"]);
    assert!((7_100..=7_200).contains(&left), "{left}");
    let wanted = &requests[1].body["properties"];
    assert_eq!(wanted["room_name"], "meet-team-a");
    assert!((43_000..=43_200).contains(&seconds(&wanted["exp"])));
    assert_eq!(given["meetingToken"], fake.meeting_token());
    // Known for a while, token and all.
    assert_eq!(mint(&server, "", "team-a").json(), given);
    assert_eq!(fake.requests().len(), 2);
    // What is there keeps its terms; what has expired is opened again on ours.
    fake.add_room("meet-team-b", json!({ "exp": 4_102_444_800_u64 }));
    fake.add_room("meet-team-c", json!({ "exp": 1_500_000_000 }));
    for name in ["team-b", "team-c"] {
        let given = mint(&server, "", name).json();
        assert_eq!(given.get("meetingToken"), None, "{name} is public");
    }
    assert_eq!(fake.room_config("meet-team-b")["exp"], 4_102_444_800_u64);
    let left = seconds(&fake.room_config("meet-team-c")["exp"]);
    assert!((7_100..=7_200).contains(&left), "{left}");
}

#[test]
fn a_private_room_without_a_token_is_not_handed_out() {
    let fake = FakeDaily::start();
    let server = proxied(&fake, &["--room-privacy", "private"]);
    for (body, status) in [
        ("{}", 200),
        (r#"{"token":""}"#, 200),
        (r#"{"token":"a b"}"#, 200),
        (r#"{"error":"x"}"#, 400),
    ] {
        fake.faults([Fault::Pass, Fault::Body(status, body.into())]);
        let refused = refusal(&mint(&server, "", &format!("r{}", body.len())));
        assert_eq!(
            (refused.0, refused.1.as_deref()),
            (502, Some("daily-error")),
            "{body}"
        );
    }
    assert_eq!(mint(&server, "", "good").status, 200);
}

/// What the client calls this server is what it likes.
#[test]
fn who_comes_through_a_proxy_on_this_machine_is_not_this_machine() {
    for args in [&[][..], &["--trusted-proxy", "127.0.0.1"]] {
        let server = with(args);
        server.publish("report/index.html", "report");
        for path in ["/report/", "/report/index.html", "/metrics"] {
            assert_eq!(server.get_with(path, "").status, 200, "{path}");
            let answer = server.get_with(path, &from("203.0.113.9"));
            assert_eq!(reason(&answer), (403, Some("report-password-missing")));
        }
    }
}

#[test]
fn who_guesses_the_password_waits_and_nobody_else() {
    let server = with(&["--trusted-proxy", "127.0.0.1", "--report-password", "pass"]);
    server.publish("report/index.html", "report");
    let look = |address: &str, credentials: &str| {
        let headers = format!("{}Authorization: Basic {credentials}\r\n", from(address));
        server.get_with("/report/", &headers)
    };
    let (right, wrong) = ("dXNlcjpwYXNz", "dXNlcjpwYXN6");
    // Without credentials a browser only asks whether some are needed: no guess.
    for _ in 0..30 {
        assert_eq!(
            server.get_with("/report/", &from("198.51.100.7")).status,
            401
        );
    }
    let n_wrong = (0..20)
        .filter(|_| look("198.51.100.7", wrong).status == 401)
        .count();
    assert!((10..20).contains(&n_wrong), "{n_wrong}");
    let refused = until_refused(|| look("198.51.100.7", wrong));
    assert_eq!(reason(&refused), (429, Some("password-guesses")));
    let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    // The right one is not looked at either, as long as that lasts: an answer would tell.
    let right_too_soon = until_refused(|| {
        look("198.51.100.7", wrong);
        look("198.51.100.7", right)
    });
    assert_eq!(reason(&right_too_soon), (429, Some("password-guesses")));
    assert_eq!(look("198.51.100.8", right).status, 200);
    let refused = "call_metrics_requests_refused_total{reason=\"password-guesses\"} ";
    let metrics = server
        .get_with("/metrics", &format!("Authorization: Basic {right}\r\n"))
        .text();
    assert!(
        metrics.lines().any(|line| line.starts_with(refused)),
        "{metrics}"
    );
}
