//! Rooms are found or minted, whatever Daily answers, and the token goes nowhere else.

mod faults;

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
        meeting_token: None,
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
