//! What is known from the builds before: how far each file was read, what days and rooms come to, where calls are. Written last and as
//! a whole: a build that is killed before has not happened.

use super::super::days::Days;
use super::super::listing::Listing;
use super::super::older::Stretch;
use super::calls::KnownCalls;
use super::store::{FILE_MODE, damaged};
use crate::beacon::Refusal;
use crate::call::FileNumber;
use crate::digest::{checksum, fingerprint};
use crate::log::cursor::Cursor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Version of the store's calls. See `store::tests`.
pub(super) const FORMAT: u32 = 4;
/// Which program wrote it: another one may conclude something else from the same beacons.
const BUILD: &str = env!("SOURCES_DIGEST");
/// How the file begins.
const MAGIC: &[u8] = b"call-metrics state ";

/// All that is known.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct Known {
    /// Files and globs, as given.
    pub(in crate::report) logs: Vec<String>,
    /// What else the report depends on, besides the logs.
    pub(in crate::report) settings: String,
    /// Name of the store's file, and how long it is.
    pub(super) store: (String, u64),
    /// Files of the logs in their order, also those that are gone.
    pub(in crate::report) files: Vec<KnownFile>,
    /// What each day comes to.
    pub(in crate::report) days: Days,
    pub(in crate::report) calls: KnownCalls,
    /// Whether something in the store was found damaged.
    pub(super) is_damaged: bool,
    /// A page of the report by which it is told whether pages are there: that of a call on the newest day.
    pub(in crate::report) page: Option<String>,
    /// The files of the report that the next build takes parts of, or leaves alone.
    pub(in crate::report) listing: Option<Listing>,
    pub(in crate::report) older: Vec<Stretch>,
}

/// A file of the logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct KnownFile {
    pub(in crate::report) number: FileNumber,
    pub(in crate::report) cursor: Cursor,
    pub(in crate::report) account: Account,
    /// What stands for where it lay, see [`path_digest`].
    pub(in crate::report) path: String,
    pub(in crate::report) is_gone: bool,
}

/// A file's path, wherever the builder was started, and whatever bytes it has.
pub(in crate::report) fn path_digest(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    fingerprint([absolute.as_os_str().as_encoded_bytes()])
}

impl KnownFile {
    /// The same, not there any more.
    pub(in crate::report) fn gone(&self) -> KnownFile {
        KnownFile {
            is_gone: true,
            ..self.clone()
        }
    }
}

/// What a file held, besides calls.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::report) struct Account {
    /// On disk.
    pub(in crate::report) bytes: u64,
    pub(in crate::report) lines: u64,
    pub(in crate::report) beacons: u64,
    pub(in crate::report) skipped: BTreeMap<Refusal, u64>,
    /// Beacons by what their 204 meant: yes, no, not said.
    pub(in crate::report) synced: [u64; 3],
    /// Why it could not be read to its end.
    pub(in crate::report) broken: Option<String>,
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    /// Nothing was written so far.
    #[error("nothing is remembered of the builds before")]
    Missing,
    /// By another version of this program.
    #[error("another version of call-metrics made it")]
    OtherBuild,
    /// It is not what was written.
    #[error("what is remembered of the builds before cannot be read: {0}")]
    Damaged(io::Error),
}

/// Reads what a build before wrote.
pub(super) fn read(path: &Path) -> Result<Known, Unknown> {
    let bytes = match fs::read(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(Unknown::Missing),
        other => other.map_err(Unknown::Damaged)?,
    };
    let damaged = || Unknown::Damaged(damaged());
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let line = rest.iter().position(|&byte| byte == b'\n');
    let line = line.ok_or_else(damaged)?;
    let (build, rest) = (&rest[..line], &rest[line + 1..]);
    let (sum, body) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    if checksum([body]).to_le_bytes() != *sum {
        return Err(damaged());
    }
    if build != BUILD.as_bytes() {
        return Err(Unknown::OtherBuild);
    }
    postcard::from_bytes(body).map_err(|_| damaged())
}

/// Replaces what was known by what is known now. Returns when it is on disk.
pub(super) fn write(path: &Path, known: &Known) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(BUILD.as_bytes());
    bytes.push(b'\n');
    let head = bytes.len() + size_of::<u32>();
    bytes.resize(head, 0);
    let mut bytes = postcard::to_extend(known, bytes).map_err(io::Error::other)?;
    let sum = checksum([&bytes[head..]]).to_le_bytes();
    bytes[head - sum.len()..head].copy_from_slice(&sum);
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = options.mode(FILE_MODE).open(&unfinished)?;
    file.write_all(&bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_was_written_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest");
        assert!(matches!(read(&path), Err(Unknown::Missing)));
        let known = Known {
            logs: vec!["a.log".to_owned()],
            settings: "x".to_owned(),
            store: ("calls-1".to_owned(), 7),
            ..Known::default()
        };
        write(&path, &known).unwrap();
        assert_eq!(read(&path).unwrap(), known);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            fs::write(&path, &other).unwrap();
            assert!(read(&path).is_err(), "byte {at}");
            fs::write(&path, &bytes[..at]).unwrap();
            assert!(read(&path).is_err(), "{at} bytes");
        }
    }
}
