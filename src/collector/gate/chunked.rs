//! Bodies in chunks, decoded as they come, under the cap that whole bodies have.
//! Must not be forgiving: a chunk that two readers could measure differently is refused. Extensions and trailers are dropped.

use super::refusal::{BAD_CHUNK, BODY_TOO_LARGE, Refusal};

/// Bytes of a request body.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of extensions and trailers in all: room for what is sensible, not for a second body.
const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// A body half-way in.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    size: u64,
    n_extra_bytes: usize,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    FirstDigit,
    Digits,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    Done,
}

impl Decoder {
    pub(super) fn new() -> Decoder {
        Decoder {
            state: State::FirstDigit,
            size: 0,
            n_extra_bytes: 0,
            body: Vec::new(),
        }
    }

    /// Takes what has come; the number of bytes that belong to this body. Less than all of them only at its end.
    ///
    /// # Errors
    ///
    /// Once it cannot become a body any more, or becomes too large.
    pub(super) fn push(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let left = usize::try_from(self.size).map_err(|_| BODY_TOO_LARGE)?;
                let taken = left.min(input.len() - at);
                self.body.extend_from_slice(&input[at..at + taken]);
                self.size -= taken as u64;
                at += taken;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.state = self.step(input[at])?;
            at += 1;
        }
        Ok(at)
    }

    /// The body, once it is whole.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        (self.state == State::Done).then(|| std::mem::take(&mut self.body))
    }

    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        use State::{
            Data, DataCr, DataLf, Digits, Done, Extension, FirstDigit, LastLf, SizeLf, Trailer,
            TrailerLf, TrailerStart,
        };
        match (self.state, byte) {
            (FirstDigit | Digits, _) if byte.is_ascii_hexdigit() => {
                let digit = match byte {
                    b'0'..=b'9' => byte - b'0',
                    _ => (byte | 0x20) - b'a' + 10,
                };
                let before = if self.state == FirstDigit {
                    0
                } else {
                    self.size
                };
                self.size = before.checked_mul(16).ok_or(BAD_CHUNK)? | u64::from(digit);
                // Zeros in front would otherwise go on for ever.
                self.extra()?;
                Ok(Digits)
            }
            (Digits | Extension, b'\r') => Ok(SizeLf),
            (Digits, b';') => Ok(Extension),
            (Extension, _) if is_text(byte) => {
                self.extra()?;
                Ok(Extension)
            }
            (SizeLf, b'\n') if self.size == 0 => Ok(TrailerStart),
            (SizeLf, b'\n') => {
                if ((BODY_BYTES_MAX - self.body.len()) as u64) < self.size {
                    return Err(BODY_TOO_LARGE);
                }
                Ok(Data)
            }
            (DataCr, b'\r') => Ok(DataLf),
            (DataLf, b'\n') => Ok(FirstDigit),
            (TrailerStart, b'\r') => Ok(LastLf),
            (TrailerStart | Trailer, _) if is_text(byte) => {
                self.extra()?;
                Ok(Trailer)
            }
            (Trailer, b'\r') => Ok(TrailerLf),
            (TrailerLf, b'\n') => Ok(TrailerStart),
            (LastLf, b'\n') => Ok(Done),
            _ => Err(BAD_CHUNK),
        }
    }

    fn extra(&mut self) -> Result<(), Refusal> {
        self.n_extra_bytes += 1;
        // Sizes of a body in one-byte chunks count here too, hence the allowance.
        if EXTRA_BYTES_MAX + self.body.len() < self.n_extra_bytes {
            return Err(BAD_CHUNK);
        }
        Ok(())
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (0x20 <= byte && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, u16> {
        let mut decoder = Decoder::new();
        let mut used = 0;
        for piece in input.chunks(step) {
            let taken = decoder.push(piece).map_err(|refusal| refusal.status)?;
            used += taken;
            if taken < piece.len() {
                break;
            }
        }
        Ok(decoder.finish().map(|body| (body, used)))
    }

    /// `Ok(Some("body"))` whole, `Ok(None)` not yet, `Err` refused.
    fn check(input: &str, expect: Result<Option<&str>, u16>) {
        for step in [1, 2, 7, usize::MAX] {
            let got = decode(input.as_bytes(), step)
                .map(|whole| whole.map(|(body, _)| String::from_utf8_lossy(&body).into_owned()));
            assert_eq!(
                got,
                expect.map(|body| body.map(str::to_owned)),
                "{input:?} by {step}"
            );
        }
    }

    #[test]
    fn chunks_become_one_body() {
        check("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Ok(Some("abcde")));
        check("0\r\n\r\n", Ok(Some("")));
        check("00A\r\n0123456789\r\n000\r\n\r\n", Ok(Some("0123456789")));
        check(
            "3;name=\"v\"\r\nabc\r\n0;x\r\nTrailer: y\r\nAnother: z\r\n\r\n",
            Ok(Some("abc")),
        );
    }

    #[test]
    fn what_follows_the_body_is_left_alone() {
        let input = b"1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
        assert_eq!(
            decode(input, usize::MAX),
            Ok(Some((b"a".to_vec(), input.len() - 16)))
        );
    }

    #[test]
    fn bad_sizes_are_refused() {
        for bad in [
            "",
            "g",
            " 1",
            "1 ",
            "-1",
            "+1",
            "0x1",
            "1,",
            "10000000000000000",
            "ffffffffffffffffffff",
            ";x",
        ] {
            check(&format!("{bad}\r\na\r\n0\r\n\r\n"), Err(400));
        }
        check("1\na\r\n0\r\n\r\n", Err(400));
        check("1\r\nab\r\n0\r\n\r\n", Err(400));
        check("1\r\na\n0\r\n\r\n", Err(400));
        check("0\r\nTrailer: a\nb\r\n\r\n", Err(400));
        check("ffffffffffffffff\r\n", Err(413));
    }

    #[test]
    fn cut_at_every_byte_it_is_never_a_body() {
        let whole = "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n";
        for end in 0..whole.len() {
            check(&whole[..end], Ok(None));
        }
    }

    #[test]
    fn the_cap_holds_to_the_byte_however_it_is_cut_up() {
        let body = |sizes: &[usize]| {
            let mut text = String::new();
            for size in sizes {
                text.push_str(&format!("{size:x}\r\n{}\r\n", "x".repeat(*size)));
            }
            text + "0\r\n\r\n"
        };
        let length = |sizes: &[usize]| {
            decode(body(sizes).as_bytes(), 4096).map(|whole| whole.map(|(body, _)| body.len()))
        };
        assert_eq!(length(&[BODY_BYTES_MAX - 1]), Ok(Some(BODY_BYTES_MAX - 1)));
        assert_eq!(length(&[BODY_BYTES_MAX]), Ok(Some(BODY_BYTES_MAX)));
        assert_eq!(length(&[BODY_BYTES_MAX + 1]), Err(413));
        assert_eq!(length(&[BODY_BYTES_MAX - 5, 5]), Ok(Some(BODY_BYTES_MAX)));
        assert_eq!(length(&[BODY_BYTES_MAX - 5, 6]), Err(413));
        assert_eq!(length(&[1; 2000]), Ok(Some(2000)));
    }

    #[test]
    fn extensions_trailers_and_zeros_come_to_an_end() {
        for endless in ["1;", "0\r\n", "0"] {
            let filler = if endless == "0" { "0" } else { "x" };
            let text = endless.to_owned() + &filler.repeat(EXTRA_BYTES_MAX + 10);
            check(&text, Err(400));
        }
    }
}
