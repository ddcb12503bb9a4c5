//! The handlers' answer: read whole from the hop, checked, and re-framed for the client.
//! Must not trust its framing more than a client's: an answer that cannot be measured is an oddity.

use super::hop::Call;
use super::peers::Key;
use super::refusal::date_line;
use memmap2::MmapMut;
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// An answer of no more than this needs no share of the budget: it fits into the socket, whoever reads it.
const SMALL_BYTES: usize = 16 * 1024;
/// A body beyond this gets pages of its own.
const LARGE_BYTES: usize = 128 * 1024;
/// Bytes asked of the hop while the head is not whole; most answers fit.
const READ_BYTES: usize = 2 * 1024;

/// Headers that speak of the hop, or that the gate writes itself.
const OURS: [&str; 7] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "server",
    "upgrade",
    "trailer",
];

/// An answer, as it goes to the client but for the last lines of its head.
#[derive(Debug)]
pub(super) struct Answer {
    /// Status line and headers.
    head: Vec<u8>,
    body: Body,
    _share: Option<Share>,
}

/// An answer's body.
#[derive(Debug)]
pub(super) enum Body {
    Small(Vec<u8>),
    /// In pages of its own: the allocator would keep what many of these have taken for long after the last is gone.
    Large(MmapMut),
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Body::Small(bytes) => bytes,
            Body::Large(pages) => pages,
        }
    }
}

/// What is wrong with an answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection failed, or ended, or the time is up.
    Io(io::Error),
    /// Not an answer that can be measured.
    Odd,
    /// Larger than one answer may be.
    TooLarge,
    /// It would fit, but not beside those that are on their way.
    OverBudget,
}

impl Answer {
    /// Reads the answer to `call`. To HEAD a length is told, and no body follows.
    pub(super) fn read(
        mut hop: impl Read,
        call: &Call<'_>,
        answer_bytes_max: usize,
        budget: &Arc<Budget>,
    ) -> Result<Answer, Fault> {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let (mut answer, head_length, length) = loop {
            let mut chunk = [0; READ_BYTES];
            match hop.read(&mut chunk) {
                Ok(0) => return Err(Fault::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(n_bytes) => buffer.extend_from_slice(&chunk[..n_bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Io(error)),
            }
            if let Some(parsed) = parse(&buffer, call.to_head)? {
                break parsed;
            }
            if HEAD_BYTES_MAX < buffer.len() {
                return Err(Fault::Odd);
            }
        };
        if answer_bytes_max < length {
            return Err(Fault::TooLarge);
        }
        if SMALL_BYTES < length {
            answer._share = Some(budget.take(call.from, length).ok_or(Fault::OverBudget)?);
        }
        buffer.drain(..head_length);
        let n_read = buffer.len();
        if length < n_read {
            // More than was announced: nobody knows what the rest belongs to.
            return Err(Fault::Odd);
        }
        answer.body = if length <= LARGE_BYTES {
            buffer.resize(length, 0);
            hop.read_exact(&mut buffer[n_read..]).map_err(Fault::Io)?;
            Body::Small(buffer)
        } else {
            let mut pages = MmapMut::map_anon(length).map_err(Fault::Io)?;
            pages[..n_read].copy_from_slice(&buffer);
            hop.read_exact(&mut pages[n_read..]).map_err(Fault::Io)?;
            Body::Large(pages)
        };
        Ok(answer)
    }

    /// The small answer that `bytes` begin with, and its length; `None` while it is not whole.
    pub(super) fn first(bytes: &[u8], to_head: bool) -> Result<Option<(Answer, usize)>, Fault> {
        let Some((mut answer, head_length, length)) = parse(bytes, to_head)? else {
            return match bytes.len() {
                ..=HEAD_BYTES_MAX => Ok(None),
                _ => Err(Fault::Odd),
            };
        };
        if SMALL_BYTES < length {
            return Err(Fault::TooLarge);
        }
        let end = head_length + length;
        let Some(body) = bytes.get(head_length..end) else {
            return Ok(None);
        };
        answer.body = Body::Small(body.to_vec());
        Ok(Some((answer, end)))
    }

    /// The head, ready to send.
    pub(super) fn into_head_and_body(mut self, connection: &str) -> (Vec<u8>, Body, impl Sized) {
        if !connection.is_empty() {
            self.head.extend_from_slice(b"Connection: ");
            self.head.extend_from_slice(connection.as_bytes());
            self.head.extend_from_slice(b"\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
        (self.head, self.body, self._share)
    }
}

/// The answer's head, its length, and the length of the body that follows. `None` while it is not whole.
fn parse(buffer: &[u8], to_head: bool) -> Result<Option<(Answer, usize, usize)>, Fault> {
    let mut storage = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut storage);
    let head_length = match response.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Fault::Odd),
    };
    let status = response.code.ok_or(Fault::Odd)?;
    if status < 200 {
        return Err(Fault::Odd);
    }
    let mut head = Vec::with_capacity(head_length + 64);
    let words = response.reason.unwrap_or_default();
    head.extend_from_slice(format!("HTTP/1.1 {status} {words}\r\n").as_bytes());
    let mut length = None;
    let mut has_date = false;
    for header in response.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("transfer-encoding") {
            return Err(Fault::Odd);
        }
        if is("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| Fault::Odd)?;
            let value = text.parse::<usize>().map_err(|_| Fault::Odd)?;
            if length.replace(value).is_some() {
                return Err(Fault::Odd);
            }
        }
        if OURS.iter().any(|name| is(name)) {
            continue;
        }
        has_date |= is("date");
        head.extend_from_slice(header.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(header.value);
        head.extend_from_slice(b"\r\n");
    }
    let length = length.ok_or(Fault::Odd)?;
    if !has_date {
        head.extend_from_slice(date_line().as_bytes());
    }
    let has_no_body = matches!(status, 204 | 304);
    if !has_no_body {
        head.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    let answer = Answer {
        head,
        body: Body::Small(Vec::new()),
        _share: None,
    };
    let body_length = if has_no_body || to_head { 0 } else { length };
    Ok(Some((answer, head_length, body_length)))
}

/// Bytes of large answers on their way, over all clients: many slow readers must not fill the memory, nor those of one
/// address take all that there is. An address may hold as much as it leaves to others.
#[derive(Debug)]
pub(super) struct Budget {
    taken: Mutex<Taken>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Taken {
    n_bytes: usize,
    by_key: HashMap<Key, usize>,
}

/// A part of the budget, given back on drop.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    key: Key,
    n_bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Arc<Budget> {
        Arc::new(Budget {
            taken: Mutex::default(),
            bytes_max,
        })
    }

    fn take(self: &Arc<Budget>, key: Key, n_bytes: usize) -> Option<Share> {
        let mut taken = self.lock();
        let n_own = taken.by_key.get(&key).copied().unwrap_or(0) + n_bytes;
        let n_left = self.bytes_max.checked_sub(taken.n_bytes + n_bytes)?;
        // Somebody's first is taken as long as there is room at all.
        if n_left < n_own && n_bytes < n_own {
            return None;
        }
        taken.n_bytes += n_bytes;
        taken.by_key.insert(key, n_own);
        drop(taken);
        Some(Share {
            budget: Arc::clone(self),
            key,
            n_bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing that panics runs under this lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.budget.lock();
        taken.n_bytes -= self.n_bytes;
        if let Some(n_own) = taken.by_key.get_mut(&self.key) {
            *n_own -= self.n_bytes;
            if *n_own == 0 {
                taken.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, to_head: bool) -> Result<String, String> {
        let budget = Budget::new(100);
        let call = Call {
            request: b"",
            to_head,
            is_light: true,
            from: Key::Local,
        };
        match Answer::read(text.as_bytes(), &call, 50, &budget) {
            Ok(answer) => {
                let (head, body, _share) = answer.into_head_and_body("close");
                Ok(String::from_utf8_lossy(&[&head, &*body].concat()).into_owned())
            }
            Err(fault) => Err(format!("{fault:?}")),
        }
    }

    #[test]
    fn an_answer_is_re_framed() {
        let from = "HTTP/1.1 200 OK\r\nServer: tiny-http (Rust)\r\nDate: D\r\nConnection: x\r\nETag: \"e\"\r\nContent-Length: 2\r\n\r\nok";
        let head = "HTTP/1.1 200 OK\r\nDate: D\r\nETag: \"e\"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
        assert_eq!(read(from, false), Ok(format!("{head}ok")));
        assert_eq!(read(from.trim_end_matches("ok"), true), Ok(head.to_owned()));
        assert_eq!(
            read(
                "HTTP/1.1 204 No Content\r\nDate: D\r\nContent-Length: 0\r\n\r\n",
                false
            ),
            Ok("HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: close\r\n\r\n".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_measured_is_an_oddity() {
        for odd in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\na",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
            "HTTP/1.1 204 OK\r\nContent-Length: 1\r\n\r\na",
            "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert_eq!(read(odd, false), Err("Odd".to_owned()), "{odd:?}");
        }
        let large = "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n";
        assert_eq!(read(large, false), Err("TooLarge".to_owned()));
    }

    #[test]
    fn a_share_of_the_budget_comes_back() {
        let budget = Budget::new(10);
        let first = budget.take(Key::Local, 6);
        assert!(first.is_some());
        assert!(budget.take(Key::Local, 5).is_none());
        drop(first);
        assert!(budget.take(Key::Local, 10).is_some());
        assert!(budget.lock().by_key.is_empty());
    }

    #[test]
    fn one_address_does_not_take_it_all() {
        let budget = Budget::new(100);
        let key = |last| Key::V4(std::net::Ipv4Addr::new(10, 0, 0, last));
        let taken =
            |last| -> Vec<Share> { std::iter::from_fn(|| budget.take(key(last), 10)).collect() };
        let greedy = taken(1);
        assert_eq!(greedy.len(), 5, "half");
        let second = taken(2);
        assert_eq!(second.len(), 2, "half of what is left");
        let others: Vec<Share> = (3..9)
            .filter_map(|last| budget.take(key(last), 10))
            .collect();
        assert_eq!(others.len(), 3, "one for each while there is any");
        drop((greedy, second, others));
        assert!(budget.lock().by_key.is_empty());
    }
}
