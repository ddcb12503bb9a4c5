//! The head of a request: found byte by byte under a cap, then parsed with httparse into what may be passed on.
//! Strict where two readers could disagree on where a request ends; must not read the socket, nor know any route.

use super::refusal::{
    BAD_EXPECT, BAD_FRAMING, BAD_HOST, BAD_LENGTH, BAD_TARGET, BAD_VERSION, HEAD_TOO_LARGE,
    LENGTH_NEEDED, MALFORMED, REPEATED_HEADER, Refusal, TARGET_TOO_LONG, UNKNOWN_CODING,
    UNKNOWN_METHOD,
};

/// Bytes of a head, its last empty line included.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a head.
pub(super) const HEADERS_MAX: usize = 100;
/// Bytes of a request target.
pub(super) const TARGET_BYTES_MAX: usize = 2 * 1024;
/// Bytes of a method; the longest that is registered has 17.
const METHOD_BYTES_MAX: usize = 32;
/// Bytes of a request line whose end has not come: a target at its limit, a method, a version, two spaces.
const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + METHOD_BYTES_MAX + 10;

/// Headers that handlers use and that cannot be meant twice.
const SINGLE: [&str; 6] = [
    "host",
    "origin",
    "content-type",
    "authorization",
    "sec-fetch-site",
    "access-control-request-method",
];
/// Headers that handlers use and that are lists: several become one.
const LISTS: [&str; 4] = [
    "if-none-match",
    "accept-encoding",
    "access-control-request-headers",
    "x-forwarded-for",
];

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    /// Bytes, as declared: not yet held against any limit. Saturates.
    Length(u64),
    Chunked,
}

/// A head that was admitted.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) is_head_method: bool,
    /// Changes nothing, only asks.
    pub(super) is_safe_method: bool,
    /// HTTP/1.0: needs to be told that a connection is kept.
    pub(super) is_http10: bool,
    pub(super) keep_alive: bool,
    pub(super) framing: Framing,
    /// The body is packed.
    pub(super) is_coded: bool,
    pub(super) expects_continue: bool,
    pub(super) origin: Option<String>,
    pub(super) host: Option<String>,
    /// Request line and headers to pass on; without length, peer and the last empty line.
    pub(super) forward: Vec<u8>,
}

impl Head {
    /// As they are passed on; the path without its query.
    pub(super) fn method_and_path(&self) -> (&str, &str) {
        let end = self.forward.iter().position(|byte| *byte == b'\r');
        let line = std::str::from_utf8(&self.forward[..end.unwrap_or(0)]).unwrap_or_default();
        let mut words = line.split([' ', '?']);
        let method = words.next().unwrap_or_default();
        (method, words.next().unwrap_or_default())
    }
}

/// Where the search for the end of a head has got to. Bytes are looked at once however slowly they come.
#[derive(Debug, Default)]
pub(super) struct Scan {
    position: usize,
    line_start: usize,
}

impl Scan {
    /// Looks on; `buffer` starts where the request starts. The length of the head once it is whole.
    ///
    /// # Errors
    ///
    /// As soon as no further byte can make it a head.
    pub(super) fn advance(&mut self, buffer: &[u8]) -> Result<Option<usize>, Refusal> {
        while let Some(&byte) = buffer.get(self.position) {
            if HEAD_BYTES_MAX <= self.position {
                return Err(HEAD_TOO_LARGE);
            }
            let previous = self.position.checked_sub(1).map(|i| buffer[i]);
            match byte {
                b'\n' if previous != Some(b'\r') => return Err(MALFORMED),
                _ if previous == Some(b'\r') && byte != b'\n' => return Err(MALFORMED),
                b'\r' | b'\n' if self.position < 2 => return Err(MALFORMED),
                b' ' | b'\t' if self.position == self.line_start => return Err(MALFORMED),
                b'\r' | b'\n' | b'\t' => {}
                0..=0x1f | 0x7f => return Err(MALFORMED),
                _ if self.position == 0 && !byte.is_ascii_alphabetic() => return Err(MALFORMED),
                _ => {}
            }
            self.position += 1;
            if byte == b'\n' {
                let line = &buffer[self.line_start..self.position - 2];
                if self.line_start == 0 {
                    check_request_line(line)?;
                }
                self.line_start = self.position;
                if line.is_empty() {
                    return Ok(Some(self.position));
                }
            } else if self.line_start == 0 && LINE_BYTES_MAX < self.position {
                return Err(TARGET_TOO_LONG);
            }
        }
        if HEAD_BYTES_MAX <= self.position {
            return Err(HEAD_TOO_LARGE);
        }
        Ok(None)
    }
}

/// Three words, the last a version that is spoken here. Early, so that HTTP/0.9 and HTTP/2 are not left waiting.
fn check_request_line(line: &[u8]) -> Result<(), Refusal> {
    let mut words = line.split(|&byte| byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next())
    else {
        return Err(MALFORMED);
    };
    if TARGET_BYTES_MAX < target.len() {
        return Err(TARGET_TOO_LONG);
    }
    if METHOD_BYTES_MAX < method.len() {
        return Err(UNKNOWN_METHOD);
    }
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(BAD_VERSION)
        }
        _ => Err(MALFORMED),
    }
}

/// Parses a whole head.
///
/// # Errors
///
/// Whatever RFC 9112 forbids, and whatever it allows two readers to see differently.
pub(super) fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut storage = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut storage);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HEAD_TOO_LARGE),
        Err(httparse::Error::Version) => return Err(BAD_VERSION),
        _ => return Err(MALFORMED),
    }
    let (Some(method), Some(raw_target), Some(minor)) =
        (request.method, request.path, request.version)
    else {
        return Err(MALFORMED);
    };
    let is_http10 = minor == 0;
    let (target, authority) = check_target(method, raw_target)?;

    let mut singles: [Option<&str>; SINGLE.len()] = [None; SINGLE.len()];
    let mut lists: [Option<String>; LISTS.len()] = Default::default();
    let mut framing = FramingSeen::default();
    let mut expects_continue = false;
    let mut is_coded = false;
    let (mut says_close, mut says_keep_alive) = (false, false);
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if let Some(index) = SINGLE.iter().position(|name| is(name)) {
            let value = visible(header.value)?;
            if singles[index].replace(value).is_some() {
                return Err(if index == 0 {
                    BAD_HOST
                } else {
                    REPEATED_HEADER
                });
            }
        } else if let Some(index) = LISTS.iter().position(|name| is(name)) {
            let value = visible(header.value)?;
            match &mut lists[index] {
                Some(list) => {
                    list.push_str(", ");
                    list.push_str(value);
                }
                empty => *empty = Some(value.to_owned()),
            }
        } else if is("content-length") {
            framing.see_length(header.value)?;
        } else if is("transfer-encoding") {
            framing.see_coding(header.value)?;
        } else if is("content-encoding") {
            is_coded |= !header.value.eq_ignore_ascii_case(b"identity");
        } else if is("expect") && !is_http10 {
            if !header.value.eq_ignore_ascii_case(b"100-continue") {
                return Err(BAD_EXPECT);
            }
            expects_continue = true;
        } else if is("connection") {
            for token in header.value.split(|&byte| byte == b',') {
                says_close |= token.trim_ascii().eq_ignore_ascii_case(b"close");
                says_keep_alive |= token.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
            }
        }
    }
    match singles[0] {
        Some(host) if is_host(host) => {}
        None if is_http10 => {}
        _ => return Err(BAD_HOST),
    }
    if authority.is_some() {
        // RFC 9112, 3.2.2: the target's authority counts, whatever Host says.
        singles[0] = authority;
    }

    let framing = framing.settle(is_http10)?;
    if framing == Framing::None && matches!(method, "POST" | "PUT" | "PATCH") {
        return Err(LENGTH_NEEDED);
    }
    let mut forward = Vec::with_capacity(bytes.len() + 128);
    let mut line = |parts: [&str; 4]| {
        for part in parts {
            forward.extend_from_slice(part.as_bytes());
        }
        forward.extend_from_slice(b"\r\n");
    };
    line([method, " ", target, " HTTP/1.1"]);
    let lists_seen = LISTS.iter().zip(lists.iter().map(Option::as_deref));
    for (name, value) in SINGLE.iter().zip(singles).chain(lists_seen) {
        if let Some(value) = value {
            line([name, ": ", value, ""]);
        }
    }
    Ok(Head {
        is_head_method: method == "HEAD",
        is_safe_method: matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE"),
        is_http10,
        keep_alive: if is_http10 {
            says_keep_alive && !says_close
        } else {
            !says_close
        },
        framing,
        is_coded,
        expects_continue,
        origin: singles[1].map(str::to_owned),
        host: singles[0].map(str::to_owned),
        forward,
    })
}

/// The target to pass on (a path with its query, or `*`), and the authority that an absolute one names.
fn check_target<'a>(method: &str, raw: &'a str) -> Result<(&'a str, Option<&'a str>), Refusal> {
    if TARGET_BYTES_MAX < raw.len() {
        return Err(TARGET_TOO_LONG);
    }
    if !raw
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(BAD_TARGET);
    }
    if raw.starts_with('/') || (raw == "*" && method == "OPTIONS") {
        return Ok((raw, None));
    }
    let scheme_end = raw.find("://").ok_or(BAD_TARGET)?;
    let (scheme, rest) = (&raw[..scheme_end], &raw[scheme_end + 3..]);
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(BAD_TARGET);
    }
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if !is_host(authority) {
        return Err(BAD_TARGET);
    }
    match path {
        "" => Ok(("/", Some(authority))),
        // `http://host?query` has an empty path: no client of ours writes it, and `/?query` would have to be made.
        _ if path.starts_with('?') => Err(BAD_TARGET),
        _ => Ok((path, Some(authority))),
    }
}

/// A name or an address, and perhaps a port; no user, no space, nothing that could end a header.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_~:[]%".contains(&byte))
}

/// A value that handlers will see: visible ASCII and blanks. Refused rather than dropped, since without its Origin a
/// request would pass as one that has none.
fn visible(value: &[u8]) -> Result<&str, Refusal> {
    match std::str::from_utf8(value) {
        Ok(text)
            if text
                .bytes()
                .all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)) =>
        {
            Ok(text)
        }
        _ => Err(MALFORMED),
    }
}

/// What the headers said of the body's length.
#[derive(Default)]
struct FramingSeen {
    length: Option<u64>,
    is_chunked: bool,
}

impl FramingSeen {
    fn see_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(BAD_LENGTH);
        }
        let length = value.iter().fold(0_u64, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err(BAD_LENGTH),
        }
    }

    fn see_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.is_chunked {
            return Err(BAD_FRAMING);
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            self.is_chunked = true;
            return Ok(());
        }
        let names_chunked = value
            .split(|&byte| byte == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        // `identity` left the standard because readers disagreed on it; a list is a second opinion on where the body ends.
        if names_chunked || value.is_empty() || value.eq_ignore_ascii_case(b"identity") {
            return Err(BAD_FRAMING);
        }
        Err(UNKNOWN_CODING)
    }

    fn settle(&self, is_http10: bool) -> Result<Framing, Refusal> {
        match (self.length, self.is_chunked) {
            (None, false) => Ok(Framing::None),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) if !is_http10 => Ok(Framing::Chunked),
            _ => Err(BAD_FRAMING),
        }
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
