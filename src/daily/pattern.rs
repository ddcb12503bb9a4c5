//! Which names may be rooms here. The door to `regex-lite`. Must not find a pattern inside a name: it is all of it or none.

use super::RoomName;
use regex_lite::{Regex, RegexBuilder};

/// Bytes of a compiled pattern: plenty for names, and no way to fill the memory.
const COMPILED_BYTES_MAX: usize = 64 * 1024;

/// A regular expression for whole names.
#[derive(Clone, Debug)]
pub struct RoomPattern(Regex);

/// The text is no regular expression.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(String);

impl RoomPattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// Where it is no regular expression, or one too large.
    pub fn parse(text: &str) -> Result<RoomPattern, InvalidPattern> {
        let compile = |text: &str| {
            let mut builder = RegexBuilder::new(text);
            let compiled = builder.size_limit(COMPILED_BYTES_MAX).build();
            compiled.map_err(|cause| InvalidPattern(cause.to_string()))
        };
        // By itself first: `a)|(b` is none, yet would slip out of the brackets below.
        compile(text)?;
        compile(&format!("^(?:{text})$")).map(RoomPattern)
    }

    /// Whether the whole of `name` matches.
    #[must_use]
    pub fn has(&self, name: &RoomName) -> bool {
        self.0.is_match(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_whole_names() {
        let check = |pattern: &str, name: &str, expect: bool| {
            let pattern = RoomPattern::parse(pattern).unwrap();
            let name = RoomName::parse(name).unwrap();
            assert_eq!(pattern.has(&name), expect, "{pattern:?} {name}");
        };
        check("team-[a-z]+|standup", "team-a", true);
        check("team-[a-z]+|standup", "standup", true);
        check("team-[a-z]+|standup", "my-standup", false);
        check("team-[a-z]+|standup", "team-a1", false);
        check("team-[a-z]+|standup", "xteam-a", false);
        check("^a$", "a", true);
        check("a|b", "ab", false);
        for wrong in ["(", "a)|(b", "[", "(a{900}){900}"] {
            assert!(RoomPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
