//! Tests of the head: one door, many one-line cases.

use super::*;

fn read(text: &[u8]) -> Result<Option<Head>, Refusal> {
    match Scan::default().advance(text)? {
        Some(length) => parse(&text[..length]).map(Some),
        None => Ok(None),
    }
}

/// `expect` is a status, or `ok`, or `more`.
fn check(text: &[u8], expect: &str) {
    let got = match read(text) {
        Ok(Some(_)) => "ok".to_owned(),
        Ok(None) => "more".to_owned(),
        Err(refusal) => refusal.status.to_string(),
    };
    assert_eq!(got, expect, "{:?}", String::from_utf8_lossy(text));
    // However slowly it comes, the verdict is the same: looked at byte by byte.
    let mut scan = Scan::default();
    let slow = (1..=text.len()).find_map(|end| match scan.advance(&text[..end]) {
        Ok(None) => None,
        Ok(Some(length)) => Some(parse(&text[..length]).map(|_| ())),
        Err(refusal) => Some(Err(refusal)),
    });
    let slow = match slow {
        None => "more".to_owned(),
        Some(Ok(())) => "ok".to_owned(),
        Some(Err(refusal)) => refusal.status.to_string(),
    };
    assert_eq!(
        slow,
        expect,
        "byte by byte: {:?}",
        String::from_utf8_lossy(text)
    );
}

fn post(headers: &str) -> Vec<u8> {
    format!("POST /beacon HTTP/1.1\r\nHost: a\r\n{headers}\r\n").into_bytes()
}

#[test]
fn lines_end_in_crlf_and_hold_no_control_bytes() {
    check(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "ok");
    check(b"GET / HTTP/1.1\nHost: a\n\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: a\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\n: a\r\n\r\n", "400");
    check(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400");
    check(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400");
    check(
        b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \xc3\xa9\r\n\r\n",
        "ok",
    );
    check(
        b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://\xc3\xa9\r\n\r\n",
        "400",
    );
}

#[test]
fn versions_other_than_1_0_and_1_1_are_told_so() {
    check(b"GET / HTTP/1.0\r\n\r\n", "ok");
    check(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "ok");
    check(b"GET / HTTP/2.0\r\n", "505");
    check(b"GET / HTTP/9.9\r\n\r\n", "505");
    check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505");
    check(b"GET /\r\n", "400");
    check(b"GET / HTTP/1.12\r\n\r\n", "400");
    check(b"GET / http/1.1\r\n\r\n", "400");
    check(b"GET  / HTTP/1.1\r\n\r\n", "400");
}

#[test]
fn http_1_1_needs_exactly_one_host() {
    check(b"GET / HTTP/1.1\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400");
    check(b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "ok");
}

#[test]
fn targets_are_paths_or_whole_urls_and_the_asterisk_is_for_options() {
    let target = |text: &str| {
        let bytes = format!("GET {text} HTTP/1.1\r\nHost: a\r\n\r\n");
        read(bytes.as_bytes()).map(|head| {
            let head = head.expect("whole");
            let line = String::from_utf8_lossy(&head.forward)
                .lines()
                .next()
                .map(str::to_owned);
            (line.unwrap_or_default(), head.host.unwrap_or_default())
        })
    };
    let ok = |line: &str, host: &str| Ok((line.to_owned(), host.to_owned()));
    assert_eq!(target("/x?y=%20"), ok("GET /x?y=%20 HTTP/1.1", "a"));
    assert_eq!(target("http://b:81/x"), ok("GET /x HTTP/1.1", "b:81"));
    assert_eq!(target("HTTPS://b"), ok("GET / HTTP/1.1", "b"));
    for bad in [
        "x",
        "*",
        "http://",
        "http://u@b/",
        "ftp://b/",
        "/x#y",
        "http://b?x",
        "/\u{e9}",
    ] {
        assert_eq!(
            target(bad).map_err(|refusal| refusal.status),
            Err(400),
            "{bad}"
        );
    }
    check(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "ok");
    check(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "400");
}

#[test]
fn a_length_is_digits_once_or_chunked_alone() {
    check(&post("Content-Length: 5\r\n"), "ok");
    check(&post("Content-Length: 0\r\n"), "ok");
    check(&post("Content-Length: 005\r\n"), "ok");
    check(&post("Content-Length: 18446744073709551616\r\n"), "ok"); // held against the limit by the reader
    for bad in [
        "", "5, 5", "5,5", "+2", "-1", "0x5", "5 5", "5.0", "\u{ff15}",
    ] {
        check(&post(&format!("Content-Length: {bad}\r\n")), "400");
    }
    check(&post("Content-Length: 5\r\nContent-Length: 5\r\n"), "400");
    check(&post("Content-Length: 5\r\ncontent-length: 6\r\n"), "400");
    check(&post("Transfer-Encoding: chunked\r\n"), "ok");
    check(&post("Transfer-Encoding: Chunked\r\n"), "ok");
    check(
        &post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"),
        "400",
    );
    check(
        &post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        "400",
    );
    check(&post("Transfer-Encoding: chunked, chunked\r\n"), "400");
    check(&post("Transfer-Encoding: gzip, chunked\r\n"), "400");
    check(&post("Transfer-Encoding: identity\r\n"), "400");
    check(&post("Transfer-Encoding:\r\n"), "400");
    check(&post("Transfer-Encoding: xchunked\r\n"), "501");
    check(&post("Transfer-Encoding: gzip\r\n"), "501");
    check(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400",
    );
    check(&post(""), "411");
    check(&post("Content-Length: 5\r\nExpect: 100-continue\r\n"), "ok");
    check(&post("Content-Length: 5\r\nExpect: a-miracle\r\n"), "417");
    let head = read(&post("Content-Length: 99999999999999999999\r\n"))
        .ok()
        .flatten()
        .expect("a head");
    assert_eq!(head.framing, Framing::Length(u64::MAX));
}

#[test]
fn limits_hold_to_the_byte() {
    let target = |length: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "x".repeat(length - 1)
        )
    };
    check(target(TARGET_BYTES_MAX - 1).as_bytes(), "ok");
    check(target(TARGET_BYTES_MAX).as_bytes(), "ok");
    check(target(TARGET_BYTES_MAX + 1).as_bytes(), "414");
    check(
        "GET /"
            .bytes()
            .chain(std::iter::repeat_n(b'x', 4096))
            .collect::<Vec<_>>()
            .as_slice(),
        "414",
    );

    let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
    let head = |length: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(length - frame)
        )
    };
    check(head(HEAD_BYTES_MAX - 1).as_bytes(), "ok");
    check(head(HEAD_BYTES_MAX).as_bytes(), "ok");
    check(head(HEAD_BYTES_MAX + 1).as_bytes(), "431");

    let headers = |n: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(n - 1)
        )
    };
    check(headers(HEADERS_MAX - 1).as_bytes(), "ok");
    check(headers(HEADERS_MAX).as_bytes(), "ok");
    check(headers(HEADERS_MAX + 1).as_bytes(), "431");
    let method = |n: usize| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(n));
    check(method(METHOD_BYTES_MAX).as_bytes(), "ok");
    check(method(METHOD_BYTES_MAX + 1).as_bytes(), "501");
}

#[test]
fn cut_at_every_byte_it_is_never_a_head() {
    let whole = post("Content-Length: 5\r\nOrigin: https://a.example\r\n");
    for end in 0..whole.len() {
        check(&whole[..end], "more");
    }
}

#[test]
fn only_what_handlers_need_is_passed_on() {
    let head = read(&post(
        "Content-Length: 5\r\nConnection: close, upgrade\r\nUpgrade: x\r\nTE: chunked\r\nCookie: a=b\r\nX-Call-Metrics-Peer: 6.6.6.6\r\n\
         If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\nORIGIN: https://x\r\nX-Forwarded-For: 1.1.1.1\r\n",
    ));
    let head = head.ok().flatten().expect("a head");
    assert!(!head.keep_alive);
    assert_eq!(
        String::from_utf8_lossy(&head.forward),
        "POST /beacon HTTP/1.1\r\nhost: a\r\norigin: https://x\r\nif-none-match: \"a\", \"b\"\r\nx-forwarded-for: 1.1.1.1\r\n"
    );
    check(
        &post("Content-Length: 5\r\nOrigin: https://a\r\nOrigin: https://b\r\n"),
        "400",
    );
}

#[test]
fn connections_are_kept_as_each_version_has_it() {
    let keeps = |text: &str| {
        read(text.as_bytes())
            .ok()
            .flatten()
            .expect("a head")
            .keep_alive
    };
    assert!(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(!keeps(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"
    ));
    assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
    assert!(keeps(
        "GET / HTTP/1.0\r\nConnection: foo, Keep-Alive\r\n\r\n"
    ));
}
