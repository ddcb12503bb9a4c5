//! Rooms are found or minted, whatever Daily answers, and the token goes nowhere else.

use std::time::{Duration, Instant};

use call_metrics::daily::{Daily, Error, Room, RoomName, Settings, Token};
use serde_json::json;

use crate::support::fake_daily::{FakeDaily, Fault, TOKEN};

const POST: &str = "POST /v1/rooms";
const GET: &str = "GET /v1/rooms/meet-ana";
const UPDATE: &str = "POST /v1/rooms/meet-ana";

/// Pauses too short to be felt. Faults are counted, not timed.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(4)];

fn settings(fake: &FakeDaily) -> Settings {
    let token = Token::new(TOKEN).unwrap();
    Settings {
        api_url: fake.api_url(),
        timeout: Duration::from_secs(5),
        ..Settings::new(token)
    }
}

fn client(fake: &FakeDaily) -> Daily {
    Daily::new(settings(fake)).with_pauses(PAUSES)
}

fn impatient(fake: &FakeDaily, timeout: Duration) -> Daily {
    Daily::new(Settings {
        timeout,
        ..settings(fake)
    })
    .with_pauses(PAUSES)
}

fn ask(daily: &Daily, name: &str) -> Result<Room, Error> {
    let result = daily.find_or_mint(&RoomName::parse(name).unwrap());
    if let Err(error) = &result {
        assert!(
            !format!("{error} {error:?} {error:#?}").contains(TOKEN),
            "the token is in {error:?}"
        );
    }
    result
}

fn ana(fake: &FakeDaily) -> Result<Room, Error> {
    Ok(Room {
        name: "meet-ana".into(),
        url: fake.room_url("meet-ana"),
    })
}

/// Asks for `ana` under these faults: what comes out, and how often Daily was asked.
#[track_caller]
fn check(
    faults: impl IntoIterator<Item = Fault>,
    requests: &[&str],
    expect: Result<(), Error>,
    code: &str,
) {
    let fake = FakeDaily::start();
    fake.faults(faults);
    let result = ask(&client(&fake), "ana");
    assert_eq!(fake.request_lines(), requests, "{result:?}");
    assert_eq!(result.as_ref().err().map_or("", Error::code), code);
    assert_eq!(result, expect.and_then(|()| ana(&fake)));
}

fn refused(status: u16, message: &str) -> Error {
    Error::Refused {
        status,
        message: message.into(),
    }
}

#[test]
fn a_new_room_is_minted_with_one_request() {
    let fake = FakeDaily::start();
    assert_eq!(ask(&client(&fake), "ana"), ana(&fake));
    let requests = fake.requests();
    assert_eq!(fake.request_lines(), [POST]);
    assert_eq!(requests[0].body, json!({ "name": "meet-ana" }));
    assert_eq!(
        requests[0].authorization.as_deref(),
        Some(&*format!("Bearer {TOKEN}"))
    );
}

#[test]
fn a_room_that_exists_is_reused_as_it_is() {
    let fake = FakeDaily::start();
    fake.add_room(
        "meet-ana",
        json!({ "start_video_off": true, "exp": 4_102_444_800_u64 }),
    );
    assert_eq!(ask(&client(&fake), "ana"), ana(&fake));
    assert_eq!(fake.request_lines(), [POST, GET]);
    assert_eq!(
        fake.room_config("meet-ana"),
        json!({ "start_video_off": true, "exp": 4_102_444_800_u64 })
    );
}

#[test]
fn an_expired_room_is_opened_again_before_it_is_handed_out() {
    let fake = FakeDaily::start();
    fake.add_room(
        "meet-ana",
        json!({ "start_video_off": true, "exp": 1_500_000_000 }),
    );
    assert_eq!(ask(&client(&fake), "ana"), ana(&fake));
    assert_eq!(fake.request_lines(), [POST, GET, UPDATE]);
    assert_eq!(
        fake.requests()[2].body,
        json!({ "properties": { "exp": null } })
    );
    assert_eq!(
        fake.room_config("meet-ana"),
        json!({ "start_video_off": true })
    );
}

#[test]
fn an_expired_room_that_must_expire_gets_a_late_expiry() {
    let fake = FakeDaily::start();
    fake.keep_expiries();
    fake.add_room("meet-ana", json!({ "exp": 1_500_000_000 }));
    assert_eq!(ask(&client(&fake), "ana"), ana(&fake));
    assert_eq!(fake.request_lines(), [POST, GET, UPDATE, UPDATE]);
    let exp = fake.room_config("meet-ana")["exp"].as_u64().unwrap();
    let left = exp - std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((300 * 86_400..400 * 86_400).contains(&left), "{left} s");
}

#[test]
fn an_expired_room_that_cannot_be_opened_is_not_handed_out() {
    let fake = FakeDaily::start();
    fake.add_room("meet-ana", json!({ "exp": 1_500_000_000 }));
    fake.faults([
        Fault::Pass,
        Fault::Pass,
        Fault::Body(404, json!({ "error": "not-found" }).to_string()),
    ]);
    assert_eq!(ask(&client(&fake), "ana"), Err(refused(404, "not-found")));
}

#[test]
fn a_name_that_is_none_never_leaves() {
    let fake = FakeDaily::start();
    let daily = client(&fake);
    for name in [
        "",
        "com espaço",
        "a/b",
        "..",
        "a\r\nX: y",
        "a?b",
        "a%2f",
        &"x".repeat(65),
    ] {
        let asked = RoomName::parse(name).map(|name| daily.find_or_mint(&name));
        assert!(asked.is_err(), "{name:?}");
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn a_known_room_is_answered_without_daily() {
    let fake = FakeDaily::start();
    let daily = client(&fake);
    for _ in 0..3 {
        assert_eq!(ask(&daily, "ana"), ana(&fake));
    }
    ask(&daily, "bea").unwrap();
    assert_eq!(fake.request_lines(), [POST, POST]);
}

#[test]
fn a_room_about_to_expire_is_not_remembered_beyond_that() {
    let fake = FakeDaily::start();
    let daily = client(&fake);
    // Half a second from now: good to join, gone when asked for again.
    let exp = (std::time::UNIX_EPOCH.elapsed().unwrap() + Duration::from_millis(500)).as_secs_f64();
    fake.add_room("meet-ana", json!({ "exp": exp }));
    ask(&daily, "ana").unwrap();
    let begin = Instant::now();
    while fake.room_config("meet-ana") != json!({}) {
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "never opened again: {:?}",
            fake.request_lines()
        );
        ask(&daily, "ana").unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(fake.request_lines(), [POST, GET, POST, GET, UPDATE]);
}

#[test]
fn many_who_ask_for_one_name_share_one_request() {
    let fake = FakeDaily::start();
    fake.faults([Fault::Hold]);
    let daily = client(&fake);
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| ask(&daily, "ana")))
            .collect();
        fake.wait_until_held(1);
        // Another name does not wait for this one; by now most of the sixteen do.
        ask(&daily, "bea").unwrap();
        fake.release();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), ana(&fake));
        }
    });
    assert_eq!(fake.request_lines(), [POST, POST]);
    assert_eq!(fake.requests()[1].body, json!({ "name": "meet-bea" }));
}

#[test]
fn who_waits_for_anothers_request_hears_its_error_too() {
    let fake = FakeDaily::start();
    fake.always(Fault::Hold);
    let daily = impatient(&fake, Duration::from_millis(150));
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&daily, "ana"))).collect();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), Err(Error::Timeout));
        }
    });
}

#[test]
fn a_create_lost_to_someone_else_finds_their_room() {
    let fake = FakeDaily::start();
    fake.add_room("meet-ana", json!({}));
    // The text is for people: another one, or none, changes nothing.
    fake.faults([Fault::Body(
        400,
        json!({ "error": "invalid-request-error" }).to_string(),
    )]);
    assert_eq!(ask(&client(&fake), "ana"), ana(&fake));
    assert_eq!(fake.request_lines(), [POST, GET]);
}

#[test]
fn a_400_without_a_room_is_passed_on() {
    let info = "com espaço contains invalid characters (room names can contain A-Z, a-z, 0-9, '-', and '_')";
    check(
        [Fault::Case("create room, bad characters")],
        &[POST, GET],
        Err(refused(400, info)),
        "daily-error",
    );
}

#[test]
fn a_wrong_key_is_said_at_once() {
    check(
        [Fault::Case("wrong key")],
        &[POST],
        Err(Error::Auth),
        "daily-auth-failed",
    );
    check(
        [Fault::Case("forbidden")],
        &[POST],
        Err(Error::Auth),
        "daily-auth-failed",
    );
    check(
        [Fault::Case("no Authorization header")],
        &[POST],
        Err(Error::Auth),
        "daily-auth-failed",
    );
    check(
        [Fault::Html(403)],
        &[POST],
        Err(Error::Auth),
        "daily-auth-failed",
    );

    let fake = FakeDaily::start();
    let token = Token::new("another-key").unwrap();
    let daily = Daily::new(Settings {
        token,
        ..settings(&fake)
    });
    assert_eq!(ask(&daily, "ana"), Err(Error::Auth));
    assert_eq!(ask(&daily, "ana"), Err(Error::Auth));
    assert_eq!(
        fake.request_lines(),
        [POST, POST],
        "an error is not remembered"
    );
}

#[test]
fn a_missing_api_is_a_refusal() {
    let answer = json!({ "error": "not-found" }).to_string();
    check(
        [Fault::Body(404, answer)],
        &[POST],
        Err(refused(404, "not-found")),
        "daily-error",
    );
}

#[test]
fn too_many_requests_are_tried_again_for_a_while() {
    let limited = Fault::Case("rate limited");
    check([limited.clone(), limited.clone()], &[POST; 3], Ok(()), "");
    let for_ever = Err(Error::RateLimited { retry_after: None });
    check(
        [limited.clone(), limited.clone(), limited],
        &[POST; 3],
        for_ever,
        "daily-rate-limited",
    );
}

#[test]
fn a_pause_that_daily_asks_for_is_kept() {
    let begin = Instant::now();
    check([Fault::TooMany("1")], &[POST; 2], Ok(()), "");
    assert!(
        Duration::from_secs(1) <= begin.elapsed(),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_long_pause_is_passed_on_and_kept_for_every_room() {
    let fake = FakeDaily::start();
    fake.faults([Fault::TooMany("30")]);
    let daily = client(&fake);
    let pause = Some(Duration::from_secs(30));
    assert_eq!(
        ask(&daily, "ana"),
        Err(Error::RateLimited { retry_after: pause })
    );
    let Err(Error::RateLimited {
        retry_after: Some(left),
    }) = ask(&daily, "bea")
    else {
        panic!("still limited")
    };
    assert!(
        Some(left) <= pause && Duration::from_secs(20) < left,
        "{left:?}"
    );
    assert_eq!(fake.request_lines(), [POST]);
}

#[test]
fn a_server_error_is_tried_again_for_a_while() {
    let broken = Fault::Case("server error");
    check([broken.clone(), broken.clone()], &[POST; 3], Ok(()), "");
    let for_ever = Err(refused(500, "server-error"));
    check(
        [broken.clone(), broken.clone(), broken],
        &[POST; 3],
        for_ever,
        "daily-error",
    );
}

#[test]
fn patience_is_one_for_the_whole_call() {
    let fake = FakeDaily::start();
    fake.add_room("meet-ana", json!({}));
    let broken = Fault::Case("server error");
    fake.faults([broken.clone(), Fault::Pass, broken.clone(), broken]);
    assert_eq!(
        ask(&client(&fake), "ana"),
        Err(refused(500, "server-error"))
    );
    assert_eq!(fake.request_lines(), [POST, POST, GET, GET]);
}

#[test]
fn a_page_of_html_is_no_answer() {
    check([Fault::Html(200)], &[POST; 2], Ok(()), "");
    check([Fault::Html(502)], &[POST; 2], Ok(()), "");
    check([Fault::Body(200, String::new())], &[POST; 2], Ok(()), "");
    let reason = "not JSON (status 400, 24 bytes)".into();
    check(
        [Fault::Html(200), Fault::Html(502), Fault::Html(400)],
        &[POST; 3],
        Err(Error::BadAnswer { reason }),
        "daily-error",
    );
    let gateway = Err(refused(502, "server error"));
    check(
        [Fault::Html(502), Fault::Html(502), Fault::Html(502)],
        &[POST; 3],
        gateway,
        "daily-error",
    );
}

#[test]
fn an_answer_without_a_usable_address_is_no_answer() {
    let reason = || {
        Err(Error::BadAnswer {
            reason: "no address of a room in it".into(),
        })
    };
    for body in [
        "{}",
        "[]",
        "null",
        r#"{"url":7}"#,
        r#"{"url":"javascript:alert(1)"}"#,
        r#"{"url":"/meet-ana"}"#,
    ] {
        check(
            [Fault::Body(200, body.into())],
            &[POST],
            reason(),
            "daily-error",
        );
    }
}

#[test]
fn a_connection_closed_without_a_word_is_tried_again() {
    check([Fault::Close, Fault::Close], &[POST; 3], Ok(()), "");
    let fake = FakeDaily::start();
    fake.always(Fault::Close);
    let error = ask(&client(&fake), "ana").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(
        (fake.request_lines().len(), error.code()),
        (3, "daily-error")
    );
}

#[test]
fn nobody_at_the_address_is_said_so() {
    let fake = FakeDaily::start();
    let daily = client(&fake);
    drop(fake);
    let error = ask(&daily, "ana").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[test]
fn an_address_that_is_none_is_said_so() {
    for url in ["", "daily", "http://", "ht!tp://x"] {
        let daily = Daily::new(Settings {
            api_url: url.into(),
            ..Settings::new(Token::new(TOKEN).unwrap())
        });
        let error = ask(&daily, "ana").unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{url}: {error:?}"
        );
    }
}

#[test]
fn silence_ends_with_the_deadline_of_the_call() {
    let fake = FakeDaily::start();
    fake.always(Fault::Hold);
    let timeout = Duration::from_millis(200);
    let daily = impatient(&fake, timeout);
    let begin = Instant::now();
    assert_eq!(ask(&daily, "ana"), Err(Error::Timeout));
    let took = begin.elapsed();
    assert!(
        timeout * 3 / 2 < took && took < timeout * 2 + Duration::from_secs(2),
        "{took:?}"
    );
    assert_eq!(
        fake.request_lines(),
        [POST, POST],
        "the third try would end too late"
    );
    assert_eq!(Error::Timeout.code(), "daily-timeout");
}

#[test]
fn one_slow_answer_is_survived() {
    let fake = FakeDaily::start();
    fake.faults([Fault::Hold]);
    assert_eq!(
        ask(&impatient(&fake, Duration::from_millis(500)), "ana"),
        ana(&fake)
    );
    assert_eq!(fake.request_lines(), [POST, POST]);
}

#[test]
fn a_huge_answer_is_not_read() {
    check([Fault::Huge], &[POST; 2], Ok(()), "");
    let reason = "more than 65536 bytes".into();
    check(
        [Fault::Huge, Fault::Huge, Fault::Huge],
        &[POST; 3],
        Err(Error::BadAnswer { reason }),
        "daily-error",
    );
}

#[test]
fn a_redirect_is_not_followed_and_takes_no_token_along() {
    for status in [301, 302, 303, 307, 308] {
        let (fake, elsewhere) = (FakeDaily::start(), FakeDaily::start());
        let same_host = format!("{}/rooms/other", fake.api_url());
        for location in [format!("{}/rooms", elsewhere.api_url()), same_host] {
            fake.faults([Fault::Redirect(status, location)]);
            let error = ask(&client(&fake), "ana").unwrap_err();
            assert!(
                matches!(error, Error::BadAnswer { .. }),
                "{status}: {error:?}"
            );
        }
        assert_eq!(fake.request_lines(), [POST, POST], "{status}");
        assert!(elsewhere.requests().is_empty(), "{status}");
    }
}

#[test]
fn a_token_that_daily_echoes_is_blotted_out() {
    let body =
        json!({ "error": "invalid-request-error", "info": format!("bad key {TOKEN}\r\nX: y") })
            .to_string();
    check(
        [Fault::Body(422, body)],
        &[POST],
        Err(refused(422, "bad key ***  X: y")),
        "daily-error",
    );
}

#[test]
fn the_token_is_in_no_debug_text() {
    let fake = FakeDaily::start();
    let settings = settings(&fake);
    let daily = client(&fake);
    ask(&daily, "ana").unwrap();
    assert!(!format!("{settings:?} {settings:#?} {daily:?} {daily:#?}").contains(TOKEN));
}

#[test]
fn daily_is_not_asked_more_than_fifteen_times_a_second() {
    let fake = FakeDaily::start();
    let daily = client(&fake);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let daily = &daily;
            scope.spawn(move || {
                (0..5).for_each(|n| drop(ask(daily, &format!("room-{thread}-{n}")).unwrap()))
            });
        }
    });
    assert_eq!(fake.requests().len(), 20);
    assert!(
        Duration::from_secs(1) <= begin.elapsed(),
        "{:?}",
        begin.elapsed()
    );
}
