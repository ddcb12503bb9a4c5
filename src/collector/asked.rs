//! A request as handlers see it: method, path, the few headers that matter.
//! Paths are decoded once, here; what could be read in two ways is no path.

/// Methods that some route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Options,
    Other,
}

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// As sent, without the query.
    pub(crate) raw_path: String,
    /// As sent, with its `?`, or empty.
    pub(crate) query: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn of(request: &tiny_http::Request) -> Asked {
        let (path, query) = match request.url().find('?') {
            Some(at) => request.url().split_at(at),
            None => (request.url(), ""),
        };
        let headers = request.headers().iter();
        Asked {
            method: match request.method() {
                tiny_http::Method::Get => Method::Get,
                tiny_http::Method::Head => Method::Head,
                tiny_http::Method::Post => Method::Post,
                tiny_http::Method::Options => Method::Options,
                _ => Method::Other,
            },
            raw_path: path.to_owned(),
            query: query.to_owned(),
            headers: headers
                .map(|header| {
                    let name = header.field.as_str().as_str().to_ascii_lowercase();
                    (name, header.value.as_str().to_owned())
                })
                .collect(),
        }
    }

    /// The value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn reads(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head)
    }
}

/// A decoded path: what lies between its slashes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    pub(crate) names: Vec<String>,
    /// It ends in a slash: a folder is meant.
    pub(crate) is_folder: bool,
}

impl Segments {
    /// Decodes `raw`, which starts with a slash. `None` where it climbs, hides, or could be read in two ways.
    pub(crate) fn of(raw: &str) -> Option<Segments> {
        let rest = raw.strip_prefix('/')?;
        let (rest, is_folder) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, rest.is_empty()),
        };
        if rest.is_empty() {
            // `//` is not the root.
            return (raw == "/").then(|| Segments {
                names: Vec::new(),
                is_folder,
            });
        }
        let names: Option<Vec<String>> = rest.split('/').map(segment).collect();
        names.map(|names| Segments { names, is_folder })
    }
}

/// One name: not empty, no dot in front (`.`, `..` and hidden files), no separator of any system, no control character.
fn segment(raw: &str) -> Option<String> {
    let name = percent_decode(raw)?;
    let is_plain = !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control());
    is_plain.then_some(name)
}

/// Decodes `%XX`, once. `None` where it is malformed or not UTF-8.
fn percent_decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = tail.get(..2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(digits[0])? * 16 + digit(digits[1])?;
        bytes.push(u8::try_from(value).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expect: Option<(&[&str], bool)>) {
        let got = Segments::of(raw);
        let got = got.as_ref().map(|s| {
            (
                s.names.iter().map(String::as_str).collect::<Vec<_>>(),
                s.is_folder,
            )
        });
        assert_eq!(got, expect.map(|(names, f)| (names.to_vec(), f)), "{raw}");
    }

    #[test]
    fn paths_are_decoded_once_and_climb_nowhere() {
        check("/", Some((&[], true)));
        check("/report/a.html", Some((&["report", "a.html"], false)));
        check("/report/", Some((&["report"], true)));
        check("/a%20b", Some((&["a b"], false)));
        check("/%C3%A9", Some((&["é"], false)));
        check("/%252e%252e", Some((&["%2e%2e"], false)));
        for bad in [
            "",
            "x",
            "//",
            "//report",
            "/report//a",
            "/..",
            "/../etc",
            "/a/../b",
            "/%2e%2e/a",
            "/.%2e/a",
            "/.",
            "/a/.",
            "/.env",
            "/a/.git/config",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0ab",
            "/%",
            "/%4",
            "/%zz",
            "/%c3",
            "/%c0%ae%c0%ae/a",
            "/%1b",
        ] {
            check(bad, None);
        }
    }
}
