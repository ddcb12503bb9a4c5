//! The name of a room as a person types it. It must not be rewritten to fit: a name is right or refused.

use std::fmt;

/// Characters of the longest name, prefix not counted; Daily takes 128 with it.
const CHARS_MAX: usize = 64;

/// A valid name: 1–64 of `A-Z a-z 0-9 _ -`, without the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomName(String);

/// The text is no room name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a room name has 1 to {CHARS_MAX} letters (A-Z, a-z), digits, `-` and `_`")]
pub struct InvalidRoomName;

impl RoomName {
    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than 64 characters, or holds any other character.
    pub fn parse(text: &str) -> Result<RoomName, InvalidRoomName> {
        let fits = (1..=CHARS_MAX).contains(&text.len());
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if fits && plain {
            Ok(RoomName(text.into()))
        } else {
            Err(InvalidRoomName)
        }
    }

    /// Returns the name as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_right_or_refused() {
        let check = |text: &str, expect: bool| {
            assert_eq!(RoomName::parse(text).is_ok(), expect, "{text:?}")
        };
        check("a", true);
        check("Ana_2-b", true);
        check("-", true);
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
        for text in [
            "",
            " ",
            "a b",
            "a/b",
            "..",
            "a.b",
            "com espaço",
            "a\n",
            "a\0",
            "a%20b",
            "\"",
            "ａ",
        ] {
            check(text, false);
        }
    }
}
