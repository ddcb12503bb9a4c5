//! Strings as they stand in a line.

use memchr::memchr;

/// How long the string is whose first byte is that of `bytes`: up to its quotation mark. `None`: not sure, it does not end, is
/// escaped somewhere or is no text at all.
#[inline]
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks();
    for (nth, word) in words.iter().enumerate() {
        if let Some(at) = first_mark(*word) {
            return ended(bytes, 8 * nth + at);
        }
    }
    // The end of the line is near: what follows it is made of control characters.
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    ended(bytes, 8 * words.len() + first_mark(last)?)
}

/// The same where the first byte of its kind, see [`marks`], stands at `at`.
fn ended(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at) {
        Some(b'"') => Some(at),
        _ => odd_length(bytes),
    }
}

/// Where the first of [`marks`] is.
fn first_mark(word: [u8; 8]) -> Option<usize> {
    let marks = marks(u64::from_le_bytes(word));
    (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
}

/// Whether there is a quotation mark among eight bytes, a backslash, a control character or something that is not ASCII. The lowest
/// bit that is set stands in the first of them; behind it bits may be set without reason.
fn marks(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let below = |word: u64, byte: u8| word.wrapping_sub(each(byte)) & !word;
    let is = |byte: u8| below(word ^ each(byte), 1);
    (below(word, b' ') | is(b'"') | is(b'\\') | word) & each(0x80)
}

#[cold]
fn odd_length(bytes: &[u8]) -> Option<usize> {
    let length = memchr(b'"', bytes)?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    let is_odd = |byte: u8| byte < b' ' || byte == b'\\';
    (!text.bytes().any(is_odd)).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_byte_is_looked_at_wherever_it_stands() {
        for at in 0..20 {
            for byte in 0..=u8::MAX {
                let mut bytes = vec![b'a'; 20];
                bytes.push(b'"');
                bytes.extend([b'b'; 9]);
                bytes[at] = byte;
                let expect = match byte {
                    b'"' => Some(at),
                    b'\\' | 0..b' ' | 0x80.. => None,
                    _ => Some(20),
                };
                assert_eq!(length(&bytes), expect, "{byte} at {at}");
                assert_eq!(length(&bytes[..=at]), expect.filter(|&end| end == at));
            }
        }
    }

    proptest! {
        #[test]
        fn text_is_as_long_as_it_is(text in "[^\"\\\\\\x00-\\x1f]{0,40}", behind in ".{0,20}") {
            prop_assert_eq!(length(format!("{text}\"{behind}").as_bytes()), Some(text.len()));
        }
    }
}
