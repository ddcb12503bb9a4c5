//! Reads lines of a log fast: most of them are spelled like the one before.
//!
//! Takes JSON only as collectors write it: without white space, without escapes. Of names it expects the one that followed last
//! time, so that one comparison reads it. Whatever it is not sure of it leaves to [`super::parse`], for the whole line: it may
//! know less than that, never otherwise. Says nothing of what a beacon is.

mod names;
mod number;
mod text;

pub use number::POWERS;

use super::key::Key;
use super::parse::Top;
use super::receipt::verify;
use super::value::{FromMembers, Listed, Maybe, Members, Numbers, Scalar};
use super::{Beacon, Refusal, parse};
use names::Names;
use std::borrow::Cow;

/// Values within values that are read past.
const DEPTH_MAX: usize = 32;
/// A longer number is nobody's measurement.
const NUMBER_BYTES_MAX: usize = 40;

/// Reads lines one after the other, as [`super::read`] reads one.
#[derive(Debug, Default)]
pub struct Scanner {
    names: Names,
    /// Length of the array before: the next is as long, most often.
    n_numbers: usize,
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
        let mut cursor = Cursor {
            text: line,
            at: 0,
            last: 0,
            scanner: self,
        };
        match cursor.object().ok()? {
            Maybe::Object(top) if cursor.at == line.len() => Some(top),
            _ => None,
        }
    }
}

/// Not sure what this is.
struct Unsure;

/// A place in a line.
struct Cursor<'s, 'a> {
    text: &'a [u8],
    at: usize,
    /// The place of the name before.
    last: usize,
    scanner: &'s mut Scanner,
}

impl<'a> Cursor<'_, 'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn peek(&self) -> Result<u8, Unsure> {
        self.text.get(self.at).copied().ok_or(Unsure)
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

    /// Reads past a string.
    fn string(&mut self) -> Result<&'a [u8], Unsure> {
        self.take(b"\"")?;
        let rest = self.rest();
        let length = text::length(rest).ok_or(Unsure)?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn text(&mut self) -> Result<&'a str, Unsure> {
        std::str::from_utf8(self.string()?).map_err(|_| Unsure)
    }

    #[inline]
    fn expected_name(&mut self) -> Result<Key, Unsure> {
        if let Some((name, length, place)) = self.scanner.names.next(self.last, self.rest()) {
            self.at += length;
            self.last = place;
            return Ok(name);
        }
        self.other_name()
    }

    /// A name that did not come next last time.
    #[cold]
    fn other_name(&mut self) -> Result<Key, Unsure> {
        let start = self.at;
        self.string()?;
        self.take(b":")?;
        let spelling = &self.text[start..self.at];
        Ok(match self.scanner.names.follow(self.last, spelling) {
            Some((name, place)) => {
                self.last = place;
                name
            }
            None => Key::Other,
        })
    }

    /// Reads past a number. Gives it, if it can be told at once.
    #[inline]
    fn number_syntax(&mut self) -> Result<Option<f64>, Unsure> {
        let (number, length) = number::number(self.rest()).ok_or(Unsure)?;
        self.at += length;
        Ok(number)
    }

    #[inline]
    fn number(&mut self) -> Result<f64, Unsure> {
        let start = self.at;
        match self.number_syntax()? {
            Some(number) => Ok(number),
            None => long_number(&self.text[start..self.at]),
        }
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
            b'"' => Scalar::Text(Cow::Borrowed(self.text()?)),
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

    /// `None` for whatever else there is.
    #[inline]
    fn maybe_number(&mut self) -> Result<Option<f64>, Unsure> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number().map(Some),
            _ => self.skip_value(0).map(|()| None),
        }
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
            self.scalar()?;
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
            numbers.push(self.maybe_number()?);
        }
        self.scanner.n_numbers = numbers.len();
        Ok(Numbers(Some(numbers)))
    }
}

/// A number of many digits or with an exponent.
#[cold]
fn long_number(text: &[u8]) -> Result<f64, Unsure> {
    if NUMBER_BYTES_MAX < text.len() {
        return Err(Unsure);
    }
    let text = std::str::from_utf8(text).map_err(|_| Unsure)?;
    let number: f64 = text.parse().map_err(|_| Unsure)?;
    number.is_finite().then_some(number).ok_or(Unsure)
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
        let name = self.cursor.text()?;
        self.cursor.take(b":")?;
        Ok(Some(Cow::Borrowed(name)))
    }
    fn scalar(&mut self) -> Result<Scalar<'a>, Unsure> {
        self.cursor.scalar()
    }
    #[inline]
    fn number(&mut self) -> Result<Option<f64>, Unsure> {
        self.cursor.maybe_number()
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
