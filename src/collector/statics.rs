//! Files: those of the document root, and those inside the binary. Validated, compressed where that helps, and never
//! one that lies outside the root, however the path got there.

use super::app::App;
use super::asked::{Asked, Segments};
use super::gzip;
use super::media::content_type;
use super::pages;
use super::reply::{Bytes, Reply};
use crate::site;
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The gate takes no larger answer.
const FILE_BYTES_MAX: u64 = 63 * 1024 * 1024;
/// Its name changes when its content does.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Ask each time whether it is still the same.
const REVALIDATE: &str = "no-cache";
/// Hex digits of the folders whose name is a digest of their content.
const DIGEST_DIGITS: usize = 12;
const REPORT: &str = "report";

/// What a path of the document root leads to.
pub(crate) enum Found {
    File(PathBuf),
    /// A folder, asked for without its slash.
    Folder,
    /// Nothing, or nothing that may be shown.
    Nothing,
}

/// Follows `segments` below the document root.
pub(crate) fn find(app: &App, segments: &Segments) -> Found {
    let Ok(root) = fs::canonicalize(&app.public) else {
        return Found::Nothing;
    };
    let mut path = root.clone();
    path.extend(&segments.names);
    // Links are followed, and what they lead to must still be inside, and not hidden.
    let inside = |path: &Path| {
        let path = fs::canonicalize(path).ok()?;
        let mut names = path.strip_prefix(&root).ok()?.iter();
        let is_hidden = names.any(|name| name.as_encoded_bytes().starts_with(b"."));
        (!is_hidden).then_some(path)
    };
    let Some(path) = inside(&path) else {
        return Found::Nothing;
    };
    let is_file = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if path.is_dir() {
        if !segments.is_folder {
            return Found::Folder;
        }
        return match inside(&path.join("index.html")) {
            Some(index) if is_file(&index) => Found::File(index),
            _ => Found::Nothing,
        };
    }
    // Not a pipe, whose opening would wait for a writer.
    if is_file(&path) && !segments.is_folder {
        Found::File(path)
    } else {
        Found::Nothing
    }
}

/// Whether a file, found by whatever name, is part of the report.
pub(crate) fn is_of_report(app: &App, file: &Path) -> bool {
    fs::canonicalize(app.public.join(REPORT)).is_ok_and(|report| file.starts_with(report))
}

/// Whether a file, found by whatever name, is the beacon log, a segment of it or something kept beside it: beside the name it
/// was given, which may be a link, or beside where it really lies.
pub(crate) fn is_of_log(app: &App, file: &Path) -> bool {
    let as_named = app.writer.path();
    let name = as_named.file_name().unwrap_or_default();
    let folder = fs::canonicalize(app.writer.folder());
    let places = [
        app.writer.real_path(),
        folder.map(|folder| folder.join(name)),
    ];
    places.iter().flatten().any(|log| is_beside(log, file))
}

/// Whether `file` is, or lies in, something in the log's folder whose name begins with the log's.
fn is_beside(log: &Path, file: &Path) -> bool {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else {
        return false;
    };
    let below = file.strip_prefix(folder).ok();
    let first = below.and_then(|below| below.iter().next());
    first.is_some_and(|first| {
        first
            .as_encoded_bytes()
            .starts_with(name.as_encoded_bytes())
    })
}

/// The answer with a file of the document root.
pub(crate) fn file(app: &App, asked: &Asked, segments: &Segments, path: &Path) -> Reply {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kind = content_type(&name);
    let Ok((file, metadata)) = open(path) else {
        return pages::not_found();
    };
    if FILE_BYTES_MAX < metadata.len() {
        app.notices.say(
            "file-too-large",
            format_args!("`{}` is too large to serve", path.display()),
        );
        return Reply::text(500, "this file is too large to be served");
    }
    let cache_control = if is_for_ever(segments) {
        FOR_EVER
    } else {
        REVALIDATE
    };
    let tag = tag(&metadata);
    let packs = gzip::is_worth_it(kind, usize::try_from(metadata.len()).unwrap_or(usize::MAX));
    let is_packed = packs && gzip::is_accepted(asked.header("accept-encoding"));
    let etag = if is_packed {
        format!("W/\"{tag}-gz\"")
    } else {
        format!("W/\"{tag}\"")
    };
    let dress = |reply: Reply| {
        let reply = reply
            .with("ETag", etag.clone())
            .with("Cache-Control", cache_control)
            .with("Content-Security-Policy", pages::plain_csp())
            .with("Referrer-Policy", "no-referrer");
        if packs {
            reply.with("Vary", "Accept-Encoding")
        } else {
            reply
        }
    };
    if matches(asked.header("if-none-match"), &etag) {
        return dress(Reply::empty(304));
    }
    // As many bytes as were there when it was looked at: what comes in between belongs to the next answer.
    let length = usize::try_from(metadata.len()).unwrap_or_default();
    let Ok(bytes) = Bytes::read(file, length) else {
        app.notices.say(
            "file-unreadable",
            format_args!("cannot read `{}`", path.display()),
        );
        return Reply::text(500, "internal error");
    };
    if is_packed {
        let key = format!("{} {tag}", path.display());
        let packed = app.packed.get(&key, bytes.as_ref());
        return dress(Reply::with_body(200, kind, packed)).with("Content-Encoding", "gzip");
    }
    dress(Reply::with_body(200, kind, bytes))
}

/// The answer with a file of the binary, asked for under its digest.
pub(crate) fn asset(app: &App, asked: &Asked, digest: &str, name: &str) -> Reply {
    let Some(asset) = site::asset(name) else {
        return pages::not_found();
    };
    if digest != site::assets_digest() {
        // A page of the version before: what it asks for may have changed, so it must not be kept under this name.
        return pages::not_found();
    }
    let kind = content_type(name);
    let packs = gzip::is_worth_it(kind, asset.bytes.len());
    let is_packed = packs && gzip::is_accepted(asked.header("accept-encoding"));
    let etag = format!("\"{digest}-{name}{}\"", if is_packed { "-gz" } else { "" });
    let dress = |reply: Reply| {
        let reply = reply
            .with("ETag", etag.clone())
            .with("Cache-Control", FOR_EVER);
        if packs {
            reply.with("Vary", "Accept-Encoding")
        } else {
            reply
        }
    };
    if matches(asked.header("if-none-match"), &etag) {
        return dress(Reply::empty(304));
    }
    if is_packed {
        let packed = app.packed.get(&format!("asset {name}"), asset.bytes);
        return dress(Reply::with_body(200, kind, packed)).with("Content-Encoding", "gzip");
    }
    dress(Reply::with_body(200, kind, Bytes::Static(asset.bytes)))
}

fn open(path: &Path) -> std::io::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Differs whenever the file was written or replaced. Weak: it says nothing of the bytes themselves.
fn tag(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let ns = modified.unwrap_or_default().as_nanos();
    format!("{:x}-{ns:x}-{:x}", metadata.ino(), metadata.len())
}

/// Whether `If-None-Match` holds this tag, compared weakly (RFC 9110, 13.1.2).
fn matches(if_none_match: Option<&str>, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let wanted = bare(etag);
    if_none_match
        .is_some_and(|list| list.trim() == "*" || list.split(',').any(|tag| bare(tag) == wanted))
}

/// `report/assets/DIGEST/…`: the folder's name changes with what is in it.
fn is_for_ever(segments: &Segments) -> bool {
    match segments.names.as_slice() {
        [report, assets, digest, _, ..] => {
            report == REPORT
                && assets == "assets"
                && digest.len() == DIGEST_DIGITS
                && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_one_by_one() {
        let tag = "W/\"a-gz\"";
        for yes in ["W/\"a-gz\"", "\"a-gz\"", "\"b\", W/\"a-gz\"", "*", " * "] {
            assert!(matches(Some(yes), tag), "{yes}");
        }
        for no in ["\"a\"", "a-gz", "", "\"a-gz\"x", "W/\"\""] {
            assert!(!matches(Some(no), tag), "{no}");
        }
        assert!(!matches(None, tag));
    }

    #[test]
    fn only_folders_named_by_a_digest_are_kept_for_ever() {
        let check = |path: &str| Segments::of(path).is_some_and(|segments| is_for_ever(&segments));
        assert!(check("/report/assets/0123456789ab/echarts.js"));
        assert!(!check("/report/assets/echarts.js"));
        assert!(!check("/report/assets/0123456789az/echarts.js"));
        assert!(!check("/report/data/0123456789ab/echarts.js"));
    }
}
