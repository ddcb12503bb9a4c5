//! Whatever Daily answers, or nothing at all: each fault has its error, its code and its number of tries.

use super::*;

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
fn nothing_is_told_to_a_server_that_does_not_prove_who_it_is() {
    let fake = FakeDaily::start();
    let api_url = fake.api_url().replace("http:", "https:");
    let timeout = Duration::from_millis(300);
    let daily = Daily::new(Settings {
        api_url,
        timeout,
        ..settings(&fake)
    })
    .with_pauses(PAUSES);
    let error = ask(&daily, "ana").unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. } | Error::Timeout),
        "{error:?}"
    );
    assert!(fake.requests().is_empty(), "{:?}", fake.requests());
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
