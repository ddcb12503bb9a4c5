//! One call as one HTML file, to attach to a ticket or a mail: scripts and styles inside it, allowed by their hashes alone.
//! Must not ask for anything outside the file, nor let text of a beacon become part of a script.

use super::publish::{Rewrite, Site};
use super::{Error, gather, page};
use crate::call;
use crate::digest::sha256;
use crate::metric::Standards;
use crate::site;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use std::io;
use std::path::{Path, PathBuf};

/// Writes the call `id` of `logs` as one file into `out`/single; where it is.
///
/// # Errors
///
/// Where a log cannot be read, no call has this id, or the file cannot be written.
pub fn single_file(
    logs: &[String],
    out: &Path,
    standards: &Standards,
    zone: &TimeZone,
    id: &str,
) -> Result<PathBuf, Error> {
    let (calls, _) = gather::gather(logs, |call| (call.id == id).then_some(call))?;
    let call = calls.into_iter().flatten().next();
    let call = call.ok_or_else(|| Error::NoCall(id.to_owned()))?;
    let page = page::single(&call, &call::assess(&call, standards), zone)?.concat();
    let html = inlined(&String::from_utf8_lossy(&page))?;
    let path = format!("single/{}.html", call.id);
    let site = Site {
        out,
        rewrite: Rewrite::Changed,
    };
    site.put(&path, html.as_bytes())?;
    Ok(out.join(path))
}

/// `page` with what it refers to inside it. A name in a page is escaped, so it can't look like a reference.
fn inlined(page: &str) -> Result<String, Error> {
    let prefix = format!("../assets/{}/", site::assets_digest());
    let (mut html, mut last) = (String::new(), String::new());
    let (mut scripts, mut styles) = (Vec::new(), Vec::new());
    for line in page.lines() {
        let line_trimmed = line.trim();
        let between = |before: &str, after: &str| {
            line_trimmed
                .strip_prefix(before)?
                .strip_prefix(&prefix)?
                .strip_suffix(after)
        };
        let deferred = between("<script src=\"", "\" defer></script>");
        if let Some(name) = between("<link rel=\"stylesheet\" href=\"", "\">") {
            let text = text_of(name)?;
            styles.push(source_hash(text));
            html += &format!("<style>{text}</style>\n");
        } else if let Some(name) = deferred.or_else(|| between("<script src=\"", "\"></script>")) {
            let text = text_of(name)?;
            scripts.push(source_hash(text));
            let into = if deferred.is_some() {
                &mut last
            } else {
                &mut html
            };
            *into += &format!("<script>{text}</script>\n");
        } else if line_trimmed.starts_with("<meta http-equiv=\"Content-Security-Policy\"") {
            html += "POLICY\n";
        } else if line_trimmed == "</body>" {
            // What was deferred runs when the page is there.
            html += &last;
            html += "</body>\n";
        } else {
            html += line;
            html.push('\n');
        }
    }
    let policy = format!(
        "  <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'\">",
        scripts.join(" "),
        styles.join(" ")
    );
    // The first one is ours: it stands before any text of a beacon.
    Ok(html.replacen("POLICY", &policy, 1))
}

fn source_hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes())))
}

/// The text of an asset, if it can stand inside its element.
fn text_of(name: &str) -> Result<&'static str, Error> {
    site::asset(name)
        .and_then(|asset| std::str::from_utf8(asset.bytes).ok())
        .filter(|text| {
            !["</script", "</style", "<!--"]
                .iter()
                .any(|end| text.contains(end))
        })
        // A browser hashes a script with its line ends made plain.
        .filter(|text| !text.contains('\r'))
        .ok_or_else(|| Error::Write {
            path: PathBuf::from(name),
            source: io::Error::from(io::ErrorKind::InvalidData),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_call_page_needs_can_stand_inside_it() {
        for name in super::super::ASSETS {
            if name.ends_with(".js") || name.ends_with(".css") {
                assert!(text_of(name).is_ok(), "{name}");
            }
        }
        assert!(text_of("mark.png").is_err());
    }

    #[test]
    fn references_become_elements_with_their_hashes() {
        let page = format!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"x\">\n<script src=\"../assets/{0}/theme.js\"></script>\n<script src=\"../assets/{0}/format.js\" defer></script>\n<p>&lt;script src=</p>\n</body>\n",
            site::assets_digest()
        );
        let html = inlined(&page).unwrap();
        assert!(!html.contains("../assets") && html.contains("&lt;script src="));
        assert_eq!(html.matches("'sha256-").count(), 2);
        let place = |text: &str| html.find(text).unwrap();
        assert!(
            place("callMetricsFormat:") > place("<p>"),
            "deferred scripts come last"
        );
        assert!(place("call-metrics:theme") < place("<p>"));
    }
}
