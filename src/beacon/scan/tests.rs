//! Of the scanner: that it is sure of the lines that collectors write. That it reads what `read` reads is shown in `fuzzing`.

use super::names::{STRANGER_BYTES_MAX, STRANGERS_MAX};
use super::*;
use crate::beacon::{Receipt, check};

const RECEIPT: Receipt = Receipt {
    now_ms: 1_795_449_870_771,
    synced: true,
};

fn is_sure(scanner: &mut Scanner, text: &str) -> bool {
    scanner.top(text.as_bytes()).is_some()
}

fn line(rest: &str) -> String {
    format!(r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{}},{rest}}}"#)
}

#[test]
fn it_is_sure_of_what_a_collector_logs() {
    for sent in [
        include_str!("../../../tests/fixtures/sample-2022.json"),
        include_str!("../../../tests/fixtures/sample-today.json"),
    ] {
        let logged = check(sent.as_bytes(), RECEIPT).unwrap().line;
        let mut scanner = Scanner::default();
        for _ in 0..3 {
            assert!(scanner.top(&logged).is_some(), "{sent}");
        }
    }
}

#[test]
fn it_is_sure_of_every_shape_of_value() {
    for value in [
        "0",
        "-0.0",
        "1.25",
        "0.1",
        "1e3",
        "2.5E-7",
        "7e+2",
        "123456789012345678901",
        "\"\"",
        "\"Zoë\"",
        "true",
        "false",
        "null",
        "{}",
        "[]",
        r#"[1,null,"x",{"a":[{}]}]"#,
    ] {
        let mut scanner = Scanner::default();
        for name in ["seq", "client", "samples", "name", "somebodyElses"] {
            let line = line(&format!(r#""{name}":{value}"#));
            assert!(is_sure(&mut scanner, &line), "{line}");
        }
    }
}

#[test]
fn it_leaves_to_serde_what_is_odd() {
    let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
    for value in [
        " 1",
        r#""\n""#,
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "--1",
        "nul",
        "1e999",
        "[1,]",
        "{,}",
        "",
        "\"\u{1}\"",
        &deep,
        &"1".repeat(NUMBER_BYTES_MAX + 1),
    ] {
        let line = line(&format!(r#""seq":{value}"#));
        assert!(!is_sure(&mut Scanner::default(), &line), "{line}");
    }
    for text in ["", "{}{}", "[]", "7", "{", r#"{"room":"r"}x"#] {
        assert!(!is_sure(&mut Scanner::default(), text), "{text}");
    }
    assert!(Scanner::default().top(b"{\"room\":\"\xff\"}").is_none());
}

#[test]
fn a_number_that_serde_refuses_is_refused_wherever_it_is_looked_at() {
    for name in [
        "seq", "name", "client", "samples", "stats", "events", "_rx", "room",
    ] {
        for value in ["1e400", "-1e400", &"9".repeat(400)] {
            let line = line(&format!(r#""{name}":{value}"#));
            let expect = crate::beacon::read(line.as_bytes());
            assert_eq!(Scanner::default().read(line.as_bytes()), expect, "{line}");
            assert!(expect.is_err(), "{line}");
        }
    }
}

#[test]
fn names_of_strangers_are_kept_in_bounds() {
    let mut scanner = Scanner::default();
    let n_ours = scanner.names.len();
    for n in 0..1_000 {
        assert!(is_sure(&mut scanner, &line(&format!(r#""stranger{n}":7"#))));
    }
    assert_eq!(scanner.names.len(), n_ours + STRANGERS_MAX);
    let long = "x".repeat(STRANGER_BYTES_MAX);
    let mut scanner = Scanner::default();
    assert!(is_sure(&mut scanner, &line(&format!(r#""{long}":7"#))));
    assert_eq!(scanner.names.len(), n_ours);
}
