//! Daily's API key. It must not be printed, compared or serialized.

use std::fmt;

/// Characters of the longest key accepted; Daily's have 64.
const CHARS_MAX: usize = 1024;

/// Daily's API key. Prints as `***`.
#[derive(Clone)]
pub struct Token(String);

/// Why a text is no API key. Does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// There is nothing.
    #[error("the Daily API key is empty")]
    Empty,
    /// A blank, a control character or something beyond ASCII: no header can carry it.
    #[error(
        "the Daily API key holds a blank, a control character or a non-ASCII character at position {position}"
    )]
    Character {
        /// Where, counted in characters from 1.
        position: usize,
    },
    /// More than 1024 characters.
    #[error("the Daily API key is longer than {CHARS_MAX} characters")]
    Long,
}

impl Token {
    /// Checks that `text` can be sent in a header.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or holds anything but visible ASCII. Nothing is trimmed: a newline pasted along
    /// is reported, not repaired.
    pub fn new(text: impl Into<String>) -> Result<Token, InvalidToken> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if let Some(at) = text.chars().position(|c| !c.is_ascii_graphic()) {
            return Err(InvalidToken::Character { position: at + 1 });
        }
        if text.len() > CHARS_MAX {
            return Err(InvalidToken::Long);
        }
        Ok(Token(text))
    }

    /// The key itself, for the one header that carries it and to blot it out of what others wrote.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_header_can_carry_is_refused() {
        let check = |text: &str, expect: Option<InvalidToken>| {
            assert_eq!(Token::new(text).err(), expect, "{text:?}")
        };
        let at = |position| Some(InvalidToken::Character { position });
        check("a1b2", None);
        check("!~", None);
        check("", Some(InvalidToken::Empty));
        check("abc\n", at(4));
        check("a\r\nX: y", at(2));
        check("a b", at(2));
        check("é", at(1));
        check("\u{7f}", at(1));
        check("a\0", at(2));
        check(&"x".repeat(1024), None);
        check(&"x".repeat(1025), Some(InvalidToken::Long));
    }

    #[test]
    fn a_key_prints_as_stars() {
        let token = Token::new("s3cret").unwrap();
        assert_eq!(format!("{token} {token:?} {token:#?}"), "*** *** ***");
        assert!(
            !InvalidToken::Character { position: 3 }
                .to_string()
                .contains("s3cret")
        );
    }
}
