//! What must hold of whatever bytes a client sends: for the fuzzer and for the replay of what it found. Only in those builds.
//! Must not ask the parsers themselves what is right: it reads a second time, in the plainest way there is.

use super::chunked::{BODY_BYTES_MAX, Decoder};
use super::connection::{ALONE_HEADER, PEER_HEADER, Way, finish_request};
use super::head::{Framing, HEAD_BYTES_MAX, Scan, parse};
use super::refusal::Refusal;
use std::net::{Ipv4Addr, SocketAddr};

/// Headers that handlers may see.
const PASSED_ON: [&str; 10] = [
    "host",
    "origin",
    "content-type",
    "authorization",
    "sec-fetch-site",
    "access-control-request-method",
    "if-none-match",
    "accept-encoding",
    "access-control-request-headers",
    "x-forwarded-for",
];

/// A request: the first byte says in what pieces the others come. It is refused, or one request for every reader.
///
/// # Panics
///
/// Where something does not hold.
pub fn request(data: &[u8]) {
    let Some((&step, input)) = data.split_first() else {
        return;
    };
    let whole = Scan::default().advance(input);
    assert_eq!(whole, scan_in_pieces(input, usize::from(step) + 1));
    let Ok(Some(length)) = whole else { return };
    assert!(length <= HEAD_BYTES_MAX && input[..length].ends_with(b"\r\n\r\n"));
    let Ok(head) = parse(&input[..length]) else {
        return;
    };
    check_framing(&input[..length], head.framing);
    check_lines(&head.forward);
    let rest = &input[length..];
    let body = match head.framing {
        Framing::None => Vec::new(),
        Framing::Length(n_bytes) if n_bytes <= BODY_BYTES_MAX as u64 => {
            match rest.get(..n_bytes as usize) {
                Some(body) => body.to_vec(),
                None => return,
            }
        }
        Framing::Length(_) => return,
        Framing::Chunked => match decode(rest, usize::MAX) {
            Ok(Some((body, _))) => body,
            _ => return,
        },
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for way in [Way::Alone, Way::Shared] {
        let mut request = head.forward.clone();
        finish_request(&mut request, head.framing, &body, Some(address), way);
        check_passed_on(&request, head.framing, &body, way);
    }
}

/// A chunked body: the first byte says in what pieces the others come. It is refused, unfinished, or one body for every reader.
///
/// # Panics
///
/// Where something does not hold.
pub fn chunked(data: &[u8]) {
    let Some((&step, input)) = data.split_first() else {
        return;
    };
    let whole = decode(input, usize::MAX);
    assert_eq!(whole, decode(input, usize::from(step) + 1));
    if let Ok(Some((body, n_used))) = whole {
        assert!(body.len() <= BODY_BYTES_MAX);
        assert_eq!(Some((body, n_used)), decode_plainly(input));
    }
}

fn scan_in_pieces(input: &[u8], step: usize) -> Result<Option<usize>, Refusal> {
    let mut scan = Scan::default();
    let mut n_come = 0;
    while n_come < input.len() {
        n_come = input.len().min(n_come + step);
        if let Some(length) = scan.advance(&input[..n_come])? {
            return Ok(Some(length));
        }
    }
    Ok(None)
}

/// The body and the bytes that it took.
fn decode(input: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, Refusal> {
    let mut decoder = Decoder::new();
    let mut n_used = 0;
    for piece in input.chunks(step.min(input.len().max(1))) {
        let n_taken = decoder.push(piece)?;
        n_used += n_taken;
        if n_taken < piece.len() {
            break;
        }
    }
    Ok(decoder.finish().map(|body| (body, n_used)))
}

fn decode_plainly(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    // A line, and where the next one begins.
    let line = |at: usize| {
        let rest = input.get(at..)?;
        let length = rest.windows(2).position(|two| two == b"\r\n")?;
        Some((&rest[..length], at + length + 2))
    };
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (size, data_at) = line(at)?;
        let size = std::str::from_utf8(size.split(|byte| *byte == b';').next()?).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        at = data_at.checked_add(size)?;
        body.extend_from_slice(input.get(data_at..at)?);
        loop {
            let (rest, next_at) = line(at)?;
            at = next_at;
            match (size, rest) {
                (0, []) => return Some((body, at)),
                // A trailer.
                (0, _) => {}
                (_, []) => break,
                _ => return None,
            }
        }
    }
}

/// No reader, however lenient, finds another length in the head.
fn check_framing(head: &[u8], framing: Framing) {
    let (mut n_lengths, mut n_codings) = (0, 0);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = name.trim_ascii();
        n_lengths += usize::from(name.eq_ignore_ascii_case(b"content-length"));
        n_codings += usize::from(name.eq_ignore_ascii_case(b"transfer-encoding"));
    }
    let expect = match framing {
        Framing::None => (0, 0),
        Framing::Length(_) => (1, 0),
        Framing::Chunked => (0, 1),
    };
    assert_eq!((n_lengths, n_codings), expect);
}

/// What is passed on are whole lines of visible text with headers that are on the list, each once.
fn check_lines(forward: &[u8]) {
    let text = std::str::from_utf8(forward).expect("visible text");
    let lines: Vec<&str> = text.split("\r\n").collect();
    let (last, lines) = lines.split_last().expect("a line");
    assert!(last.is_empty(), "{text:?}");
    assert!(
        text.chars()
            .all(|c| matches!(c, '\t' | '\r' | '\n' | ' '..='~'))
            && lines.iter().all(|line| !line.contains(['\r', '\n'])),
        "{text:?}"
    );
    let (first, headers) = lines.split_first().expect("a request line");
    let words: Vec<&str> = first.split(' ').collect();
    assert!(words.len() == 3 && words[2] == "HTTP/1.1", "{text:?}");
    assert!(words[1].starts_with('/') || words[1] == "*", "{text:?}");
    let mut seen = Vec::new();
    for header in headers {
        let (name, _) = header.split_once(": ").expect("a header");
        assert!(
            PASSED_ON.contains(&name) && !seen.contains(&name),
            "{text:?}"
        );
        seen.push(name);
    }
}

/// What handlers get is one request, its body as long as is said, from an address that only the gate can have written.
fn check_passed_on(request: &[u8], framing: Framing, body: &[u8], way: Way) {
    let mut storage = [httparse::EMPTY_HEADER; PASSED_ON.len() + 3];
    let mut parsed = httparse::Request::new(&mut storage);
    let Ok(httparse::Status::Complete(length)) = parsed.parse(request) else {
        panic!("{:?}", String::from_utf8_lossy(request));
    };
    assert_eq!(&request[length..], body);
    let all = |name: &str| -> Vec<&[u8]> {
        let headers = parsed.headers.iter();
        let found = headers.filter(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value).collect()
    };
    let length = body.len().to_string();
    match framing {
        Framing::None => assert!(all("content-length").is_empty()),
        _ => assert_eq!(all("content-length"), [length.as_bytes()]),
    }
    assert!(all("transfer-encoding").is_empty());
    assert_eq!(all(PEER_HEADER), [b"127.0.0.1:1"]);
    assert_eq!(all(ALONE_HEADER).len(), usize::from(way == Way::Alone));
}
