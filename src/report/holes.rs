//! Texts that are put together from what is rendered and what is large: a hole stands where the large part belongs, and is filled when
//! the file is written, so that nothing large is copied each time that it is handed on.

use std::borrow::Cow;

/// `text` in parts, with its holes filled, in their order. Where one is stands its name, which must be something that nobody's text can
/// look like: such as `<rows>` in HTML, where `<` is escaped.
pub(super) fn fill<'a, 'h>(
    text: &str,
    holes: impl IntoIterator<Item = (&'h str, Vec<Cow<'a, [u8]>>)>,
) -> Vec<Cow<'a, [u8]>> {
    let mut parts = Vec::new();
    let mut rest = text.as_bytes();
    for (hole, filling) in holes {
        let found = memchr::memmem::find(rest, hole.as_bytes());
        debug_assert!(found.is_some() || filling.is_empty(), "no {hole}");
        if let Some(at) = found {
            parts.push(Cow::from(rest[..at].to_owned()));
            parts.extend(filling);
            rest = &rest[at + hole.len()..];
        }
    }
    parts.push(Cow::from(rest.to_owned()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_once_whatever_stands_in_what_fills_them() {
        let filled = |first: &[&'static str], second: &[&'static str]| {
            let holes = [("<a>", first), ("<b>", second)];
            let holes = holes.map(|(hole, texts)| {
                let texts = texts.iter().map(|text| Cow::from(text.as_bytes()));
                (hole, texts.collect())
            });
            String::from_utf8(fill("1<a>2<b>3", holes).concat()).unwrap()
        };
        assert_eq!(filled(&["x", "y"], &["z"]), "1xy2z3");
        assert_eq!(filled(&["<b>", "<a>"], &["<a>"]), "1<b><a>2<a>3");
        assert_eq!(filled(&[], &[]), "123");
        assert_eq!(fill("", [("<a>", Vec::new())]).concat(), b"");
    }

    #[test]
    fn what_fills_a_hole_may_look_like_the_next_one() {
        let filled = fill(
            "1[]2[]3",
            ["[]", "x"].map(|text| ("[]", vec![Cow::from(text.as_bytes())])),
        );
        assert_eq!(filled.concat(), b"1[]2x3");
    }
}
