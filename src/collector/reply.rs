//! An answer as handlers make it, and its way out through tiny_http.
//! No value that came from outside reaches a header unless it is plain text: tiny_http lets line ends through.

use memmap2::MmapMut;
use std::borrow::Cow;
use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// What every answer says that says nothing else: a browser must not guess a type, nor tell where it has been; what is no
/// page loads nothing and is in no frame; no other site's page takes it in, or holds a hand on ours.
const USUAL: [(&str, &str); 5] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
];

/// Why a request was refused, in one word for programs.
const REASON: &str = "X-Call-Metrics";

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) body: Bytes,
}

/// Below this an allocation of its own would cost more than it gives back.
const PAGES_BYTES: usize = 128 * 1024;

/// A body: of the binary, made for this answer, shared with a cache, or a large file.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    Static(&'static [u8]),
    Owned(Vec<u8>),
    Shared(Arc<[u8]>),
    /// In pages of their own, which go back to the system at once, and how many bytes of them count.
    Pages(Arc<MmapMut>, usize),
}

impl Bytes {
    /// Reads `length` bytes, or fewer where there are not so many.
    pub(crate) fn read(mut input: impl Read, length: usize) -> io::Result<Bytes> {
        if length < PAGES_BYTES {
            let mut bytes = Vec::with_capacity(length);
            input.take(length as u64).read_to_end(&mut bytes)?;
            return Ok(Bytes::Owned(bytes));
        }
        let mut pages = MmapMut::map_anon(length)?;
        let mut n_read = 0;
        while n_read < length {
            match input.read(&mut pages[n_read..]) {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(Bytes::Pages(Arc::new(pages), n_read))
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
            Bytes::Pages(pages, length) => &pages[..*length],
        }
    }
}

impl Reply {
    /// No body, as in 204 and 304.
    pub(crate) fn empty(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Bytes::Static(b""),
        }
    }

    /// One line for a person or a log.
    pub(crate) fn text(status: u16, line: impl std::fmt::Display) -> Reply {
        Reply::with_body(
            status,
            "text/plain; charset=utf-8",
            Bytes::Owned(format!("{line}\n").into_bytes()),
        )
        .with("Cache-Control", "no-store")
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Reply {
        Reply::with_body(
            status,
            "application/json",
            Bytes::Owned(format!("{value}\n").into_bytes()),
        )
        .with("Cache-Control", "no-store")
    }

    pub(crate) fn with_body(status: u16, content_type: &'static str, body: Bytes) -> Reply {
        let mut reply = Reply::empty(status);
        reply.body = body;
        reply.with("Content-Type", content_type)
    }

    /// The request may be right, but its method is not.
    pub(crate) fn wrong_method(allow: &'static str) -> Reply {
        Reply::text(405, format_args!("this address takes {allow}")).with("Allow", allow)
    }

    /// Later.
    pub(crate) fn busy(line: &str, retry_after_s: u64) -> Reply {
        Reply::text(503, line).with("Retry-After", retry_after_s.to_string())
    }

    /// Too often, from there.
    pub(crate) fn too_many(line: &str, wait: Duration) -> Reply {
        Reply::text(429, line).with("Retry-After", whole_seconds(wait).to_string())
    }

    /// What the reply gives as its reason, for the counters.
    pub(crate) fn reason(&self) -> Option<&Cow<'static, str>> {
        let mut headers = self.headers.iter();
        headers
            .find(|(name, _)| *name == REASON)
            .map(|(_, reason)| reason)
    }

    /// Says in one word of ours what the request was refused for.
    pub(crate) fn because(self, reason: &'static str) -> Reply {
        self.with(REASON, reason)
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| *known == name)
    }

    /// Adds a header. A value that is not plain text is left out.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Reply {
        let value = value.into();
        if value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn with_all(
        self,
        headers: impl IntoIterator<Item = (&'static str, Cow<'static, str>)>,
    ) -> Reply {
        headers
            .into_iter()
            .fold(self, |reply, (name, value)| reply.with(name, value))
    }

    /// Sends it. Whether the client got it, nobody here can tell.
    pub(crate) fn send(self, request: tiny_http::Request) {
        let _ = request.respond(self.response());
    }

    /// Sends it to POST.
    pub(crate) fn send_by(self, mut writer: impl Write) {
        let version = tiny_http::HTTPVersion(1, 1);
        let response = self.response();
        let _ = response.raw_print(&mut writer, version, &[], false, None);
        let _ = writer.flush();
    }

    fn response(self) -> tiny_http::Response<Cursor<Bytes>> {
        let length = self.body.as_ref().len();
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (*name, value.as_ref()));
        let usual = USUAL.into_iter().filter(|(name, _)| !self.has(name));
        let headers = own
            .chain(usual)
            .filter_map(|(name, value)| {
                tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()).ok()
            })
            .collect();
        let response = tiny_http::Response::new(
            tiny_http::StatusCode(self.status),
            headers,
            Cursor::new(self.body),
            Some(length),
            None,
        );
        // The gate takes answers with a length alone.
        response.with_chunked_threshold(usize::MAX)
    }
}

/// Rounded up, and no less than one: coming back early is too often again.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(0 < wait.subsec_nanos())).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_line_end_adds_no_header() {
        for bad in ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0", "\u{e9}"] {
            let reply = Reply::empty(308).with("Location", bad.to_owned());
            assert!(reply.headers.is_empty(), "{bad:?}");
        }
        let reply = Reply::empty(308).with("Location", "/report/");
        assert_eq!(reply.headers.len(), 1);
    }
}
