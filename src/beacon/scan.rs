//! Reads lines of a log fast: most of them are spelled like the one before.
//!
//! Takes JSON only as collectors write it: without white space, without escapes. Of names it expects the one that followed last
//! time, so that one comparison reads it. Whatever it is not sure of it leaves to [`super::parse`], for the whole line: it may
//! know less than that, never otherwise. Says nothing of what a beacon is.

use super::key::Key;
use super::parse::Top;
use super::receipt::verify;
use super::value::{FromMembers, Listed, Maybe, Members, Numbers, Scalar};
use super::{Beacon, Refusal, parse};
use memchr::memchr;
use std::borrow::Cow;

/// Names of members that are not ours, kept to be expected. More are not: they would be anybody's text without end.
const STRANGERS_MAX: usize = 32;
/// And none longer than this, in bytes.
const STRANGER_BYTES_MAX: usize = 64;
/// Bytes of a name that are compared at once.
const HEAD_BYTES: usize = 32;
/// Values within values that are read past.
const DEPTH_MAX: usize = 32;
/// A whole number up to this is exact as a float; so is its quotient by one of [`POWERS`], but for one rounding.
const EXACT_MAX: u64 = 1 << 53;
/// Powers of ten that are exact as floats.
pub const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// So many digits are a number below 2^64.
const DIGITS_MAX: usize = 19;
/// A longer number is nobody's measurement.
const NUMBER_BYTES_MAX: usize = 40;

/// Reads lines one after the other, as [`super::read`] reads one.
#[derive(Debug)]
pub struct Scanner {
    /// Names that may come. The first one stands for the beginning of a line.
    expected: Vec<Expected>,
    n_strangers: usize,
    /// Length of the array before: the next is as long, most often.
    n_numbers: usize,
}

#[derive(Debug)]
struct Expected {
    /// As it stands in a line: `"name":`.
    spelling: Vec<u8>,
    /// Its first bytes, and which of them there are: all of almost every name, to be compared at once.
    head: Words,
    mask: Words,
    name: Key,
    /// Which one came next, last time.
    next: usize,
}

/// Bytes of a line, eight a word.
type Words = [u64; HEAD_BYTES / 8];

fn words(bytes: &[u8; HEAD_BYTES]) -> Words {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

impl Expected {
    fn new(spelling: Vec<u8>, name: Key) -> Expected {
        let byte = |at: usize| spelling.get(at).copied();
        let head = std::array::from_fn(|at| byte(at).unwrap_or(0));
        let mask = std::array::from_fn(|at| byte(at).map_or(0, |_| 0xff));
        Expected {
            head: words(&head),
            mask: words(&mask),
            spelling,
            name,
            next: 1,
        }
    }

    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(bytes) if self.spelling.len() <= HEAD_BYTES => {
                let text = words(bytes);
                let differs = |at: usize| (text[at] ^ self.head[at]) & self.mask[at];
                (0..text.len()).fold(0, |odd, at| odd | differs(at)) == 0
            }
            _ => text.starts_with(&self.spelling),
        }
    }
}

impl Default for Scanner {
    fn default() -> Scanner {
        let names = Key::spellings().map(|(text, name)| (format!("\"{text}\":"), name));
        let beginning = (String::new(), Key::Other);
        let expected = std::iter::once(beginning).chain(names);
        Scanner {
            expected: expected
                .map(|(spelling, name)| Expected::new(spelling.into_bytes(), name))
                .collect(),
            n_strangers: 0,
            n_numbers: 0,
        }
    }
}

impl Scanner {
    /// As [`super::read`], line by line.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Result<Beacon<'a>, Refusal> {
        verify(line)?;
        match self.top(line) {
            Some(top) => top.beacon(),
            None => parse(line),
        }
    }

    /// `None`: not sure.
    fn top<'a>(&mut self, line: &'a [u8]) -> Option<Top<'a>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_odd = |odd, &byte: &u8| odd | (byte < b' ') | (byte == b'\\');
        if line.iter().fold(false, is_odd) {
            return None;
        }
        let mut cursor = Cursor {
            text: std::str::from_utf8(line).ok()?,
            at: 0,
            last: 0,
            scanner: self,
        };
        match cursor.object().ok()? {
            Maybe::Object(top) if cursor.at == line.len() => Some(top),
            _ => None,
        }
    }

    /// The place of a name that was not expected; `None` for one that is not kept.
    fn place_of(&mut self, spelling: &[u8]) -> Option<usize> {
        let known = self
            .expected
            .iter()
            .position(|one| one.spelling == spelling);
        if known.is_none()
            && self.n_strangers < STRANGERS_MAX
            && spelling.len() <= STRANGER_BYTES_MAX
        {
            self.n_strangers += 1;
            let stranger = Expected::new(spelling.to_vec(), Key::Other);
            self.expected.push(stranger);
            return Some(self.expected.len() - 1);
        }
        known
    }
}

/// Not sure what this is.
struct Unsure;

/// A place in a line.
struct Cursor<'s, 'a> {
    text: &'a str,
    at: usize,
    /// The name before, in [`Scanner::expected`].
    last: usize,
    scanner: &'s mut Scanner,
}

impl<'a> Cursor<'_, 'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Result<u8, Unsure> {
        self.text.as_bytes().get(self.at).copied().ok_or(Unsure)
    }

    fn take(&mut self, expect: &[u8]) -> Result<(), Unsure> {
        if !self.rest().starts_with(expect) {
            return Err(Unsure);
        }
        self.at += expect.len();
        Ok(())
    }

    /// Whether one more item follows, in an object or array that `end` ends; behind the comma, then.
    fn more(&mut self, end: u8, is_first: &mut bool) -> Result<bool, Unsure> {
        let byte = self.peek()?;
        let was_first = std::mem::take(is_first);
        if byte == end {
            self.at += 1;
            return Ok(false);
        }
        if !was_first {
            self.take(b",")?;
        }
        Ok(true)
    }

    /// There are no escapes in the line: a string ends with the next quotation mark.
    fn string(&mut self) -> Result<&'a str, Unsure> {
        self.take(b"\"")?;
        let length = memchr(b'"', self.rest()).ok_or(Unsure)?;
        let string = self.text.get(self.at..self.at + length).ok_or(Unsure)?;
        self.at += length + 1;
        Ok(string)
    }

    fn expected_name(&mut self) -> Result<Key, Unsure> {
        let expected = &self.scanner.expected;
        let next = expected[self.last].next;
        let next_one = &expected[next];
        if next_one.begins(self.rest()) {
            self.at += next_one.spelling.len();
            self.last = next;
            return Ok(next_one.name);
        }
        let start = self.at;
        self.string()?;
        self.take(b":")?;
        let spelling = &self.text.as_bytes()[start..self.at];
        let Some(place) = self.scanner.place_of(spelling) else {
            return Ok(Key::Other);
        };
        self.scanner.expected[self.last].next = place;
        self.last = place;
        Ok(self.scanner.expected[place].name)
    }

    /// Reads past a number. Gives it, if it can be told at once.
    fn number_syntax(&mut self) -> Result<Option<f64>, Unsure> {
        let bytes = self.rest();
        let is_negative = bytes.first() == Some(&b'-');
        let sign = if is_negative { -1.0 } else { 1.0 };
        let start = usize::from(is_negative);
        let (mut number, n_whole) = digits(bytes, start, 0);
        if n_whole == 0 || (1 < n_whole && bytes[start] == b'0') {
            return Err(Unsure);
        }
        let mut at = start + n_whole;
        let mut n_fraction = 0;
        if bytes.get(at) == Some(&b'.') {
            (number, n_fraction) = digits(bytes, at + 1, number);
            if n_fraction == 0 {
                return Err(Unsure);
            }
            at += 1 + n_fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let (_, n_exponent) = digits(bytes, at, 0);
            self.at += at + n_exponent;
            return match n_exponent {
                0 => Err(Unsure),
                _ => Ok(None),
            };
        }
        self.at += at;
        let is_whole = n_whole + n_fraction <= DIGITS_MAX;
        let is_exact = is_whole && (n_fraction == 0 || number <= EXACT_MAX);
        Ok(is_exact.then(|| sign * (number as f64 / POWERS[n_fraction])))
    }

    fn number(&mut self) -> Result<f64, Unsure> {
        let start = self.at;
        if let Some(number) = self.number_syntax()? {
            return Ok(number);
        }
        let text = self.text.get(start..self.at).ok_or(Unsure)?;
        if NUMBER_BYTES_MAX < text.len() {
            return Err(Unsure);
        }
        let number: f64 = text.parse().map_err(|_| Unsure)?;
        number.is_finite().then_some(number).ok_or(Unsure)
    }

    fn skip_value(&mut self, depth: usize) -> Result<(), Unsure> {
        let first = self.peek()?;
        match first {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' if depth < DEPTH_MAX => {
                self.at += 1;
                let mut is_first = true;
                // In ASCII both brackets are two before their ends.
                while self.more(first + 2, &mut is_first)? {
                    if first == b'{' {
                        self.string()?;
                        self.take(b":")?;
                    }
                    self.skip_value(depth + 1)?;
                }
                Ok(())
            }
            b't' => self.take(b"true"),
            b'f' => self.take(b"false"),
            b'n' => self.take(b"null"),
            _ => self.number_syntax().map(|_| ()),
        }
    }

    fn scalar(&mut self) -> Result<Scalar<'a>, Unsure> {
        Ok(match self.peek()? {
            b'"' => Scalar::Text(Cow::Borrowed(self.string()?)),
            b'-' | b'0'..=b'9' => Scalar::Number(self.number()?),
            first => {
                self.skip_value(0)?;
                match first {
                    b't' => Scalar::Truth(true),
                    b'f' => Scalar::Truth(false),
                    _ => Scalar::Other,
                }
            }
        })
    }

    fn object<T: FromMembers<'a>>(&mut self) -> Result<Maybe<T>, Unsure> {
        Ok(match self.peek()? {
            b'{' => {
                self.at += 1;
                Maybe::Object(T::from_members(Object {
                    cursor: self,
                    is_first: true,
                })?)
            }
            b'n' => {
                self.take(b"null")?;
                Maybe::Null
            }
            _ => {
                self.scalar()?;
                Maybe::Other
            }
        })
    }

    fn objects<T: FromMembers<'a>>(&mut self) -> Result<Listed<T>, Unsure> {
        let mut listed = Listed::new();
        if self.peek()? != b'[' {
            self.skip_value(0)?;
            return Ok(listed);
        }
        self.at += 1;
        let mut is_first = true;
        while self.more(b']', &mut is_first)? {
            listed.push(self.object()?);
        }
        Ok(listed)
    }

    fn numbers(&mut self) -> Result<Numbers, Unsure> {
        if self.peek()? != b'[' {
            self.scalar()?;
            return Ok(Numbers(None));
        }
        self.at += 1;
        // What has no room in the rest of the line does not follow.
        let n_expected = self.scanner.n_numbers.min(self.rest().len() / 2);
        let mut numbers = Vec::with_capacity(n_expected);
        let mut is_first = true;
        while self.more(b']', &mut is_first)? {
            numbers.push(self.scalar()?.number());
        }
        self.scanner.n_numbers = numbers.len();
        Ok(Numbers(Some(numbers)))
    }
}

/// The digits of `bytes` from `at` on, put behind those of `number`, and how many they are.
fn digits(bytes: &[u8], at: usize, mut number: u64) -> (u64, usize) {
    let digits = bytes.get(at..).unwrap_or_default().iter();
    let digits = digits.map(|byte| byte.wrapping_sub(b'0'));
    let mut n = 0;
    for digit in digits.take_while(|digit| *digit < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        n += 1;
    }
    (number, n)
}

/// The members of an object, from behind its bracket on.
struct Object<'c, 's, 'a> {
    cursor: &'c mut Cursor<'s, 'a>,
    is_first: bool,
}

impl<'a> Members<'a> for Object<'_, '_, 'a> {
    type Error = Unsure;

    fn name(&mut self) -> Result<Option<Key>, Unsure> {
        Ok(match self.cursor.more(b'}', &mut self.is_first)? {
            true => Some(self.cursor.expected_name()?),
            false => None,
        })
    }
    fn text_name(&mut self) -> Result<Option<Cow<'a, str>>, Unsure> {
        if !self.cursor.more(b'}', &mut self.is_first)? {
            return Ok(None);
        }
        let name = self.cursor.string()?;
        self.cursor.take(b":")?;
        Ok(Some(Cow::Borrowed(name)))
    }
    fn scalar(&mut self) -> Result<Scalar<'a>, Unsure> {
        self.cursor.scalar()
    }
    fn numbers(&mut self) -> Result<Numbers, Unsure> {
        self.cursor.numbers()
    }
    fn object<T: FromMembers<'a>>(&mut self) -> Result<Maybe<T>, Unsure> {
        self.cursor.object()
    }
    fn objects<T: FromMembers<'a>>(&mut self) -> Result<Listed<T>, Unsure> {
        self.cursor.objects()
    }
    fn skip(&mut self) -> Result<(), Unsure> {
        self.cursor.skip_value(0)
    }
}

#[cfg(test)]
mod tests;
