//! Text for a person at a terminal or in a sentence: errors with their causes, text from outside made harmless.

/// Whether `c` does something instead of showing something: control characters, the line ends of Unicode, and those that turn
/// the direction of writing, of which one in a name would turn the rest of a sentence.
pub fn is_hostile(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `text` on one line, with what is hostile in it spelled out.
pub fn one_line(text: &str) -> String {
    let spelled = |c: char| {
        if is_hostile(c) {
            c.escape_default().collect()
        } else {
            c.to_string()
        }
    };
    text.chars().map(spelled).collect()
}

/// An error and its causes on one line, as a person reads them.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_or_a_sentence_would_obey_is_spelled_out() {
        assert_eq!(
            one_line("a\u{1b}[2Jb\nc\u{202e}\u{2028}"),
            "a\\u{1b}[2Jb\\nc\\u{202e}\\u{2028}"
        );
        assert_eq!(one_line("meet-מפגש é"), "meet-מפגש é");
    }

    #[test]
    fn causes_follow_what_they_caused() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot do it")]
        struct Outer(#[source] std::fmt::Error);
        assert_eq!(
            with_causes(&Outer(std::fmt::Error)),
            format!("cannot do it: {}", std::fmt::Error)
        );
    }
}
