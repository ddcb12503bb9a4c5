//! What is known from the builds before: how far each file was read, what is kept of each call and where. Written last and as a whole:
//! a build that is killed before has not happened.

use super::super::brief::Brief;
use super::super::days::{DayStart, Days};
use super::super::listing::Listing;
use super::super::older::Stretch;
use super::store::{FILE_MODE, Place, Store, damaged};
use crate::beacon::Refusal;
use crate::call::{FileNumber, packed};
use crate::digest::{checksum, fingerprint};
use crate::log::cursor::Cursor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// Rooms of calls, as beacons have them.
    pub(in crate::report) rooms: Vec<String>,
    /// Where the calls are that began on each day, newest first.
    pub(super) shelves: Vec<Shelf>,
    /// All of them, in the order in which they are listed.
    #[serde(skip)]
    pub(in crate::report) calls: Vec<KnownCall>,
    /// [`crate::call::session_key`] of everybody in them.
    #[serde(skip)]
    pub(in crate::report) sessions: Vec<u64>,
    /// Days whose calls are others than those on their shelves.
    #[serde(skip)]
    pub(in crate::report) changed_days: BTreeSet<DayStart>,
    /// Their readings by day.
    pub(in crate::report) days: Days,
    /// The files of the report that the next build takes parts of, or leaves alone.
    pub(in crate::report) listing: Option<Listing>,
    pub(in crate::report) older: Vec<Stretch>,
}

/// Where the calls are that began on one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Shelf {
    day: DayStart,
    n_calls: usize,
    place: Place,
}

/// What is on a shelf: the calls, and [`crate::call::session_key`] of everybody in them.
#[derive(Serialize)]
pub(super) struct OnShelf<'a> {
    calls: &'a [KnownCall],
    #[serde(with = "packed")]
    sessions: &'a [u64],
}

/// What is behind the calls on a shelf.
#[derive(Deserialize)]
struct Sessions(#[serde(with = "packed")] Vec<u64>);

impl Known {
    /// Takes all calls off their shelves.
    pub(super) fn unpack(&mut self, store: &Store) -> io::Result<()> {
        let n_calls = self.shelves.iter().map(|shelf| shelf.n_calls).sum();
        self.calls.reserve_exact(n_calls);
        for shelf in self.shelves.clone() {
            let record = store.get_shelf(shelf.place)?;
            self.take_from(&record).map_err(|_| damaged())?;
        }
        Ok(())
    }

    /// Takes what [`OnShelf`] has put there; each call at once to where it stays.
    fn take_from(&mut self, shelf: &[u8]) -> postcard::Result<()> {
        let mut first_session = self.sessions.len() as u32;
        let (n_calls, mut rest): (usize, _) = postcard::take_from_bytes(shelf)?;
        for _ in 0..n_calls {
            let (call, others) = postcard::take_from_bytes(rest)?;
            rest = others;
            let call = KnownCall {
                first_session,
                ..call
            };
            first_session += call.n_sessions;
            self.calls.push(call);
        }
        let Sessions(sessions) = postcard::from_bytes(rest)?;
        self.sessions.extend(sessions);
        Ok(())
    }

    /// Puts the calls of days that have changed on new shelves; all of them, where nothing is on any.
    pub(super) fn pack(&mut self, store: &Store) -> io::Result<()> {
        // A day can be on two shelves: one of calls from beyond all calendars and those of unknown time, and one whose last hour a clock
        // that was set back across midnight showed twice.
        let mut before: HashMap<DayStart, Vec<Shelf>> = HashMap::new();
        for shelf in self.shelves.drain(..) {
            before.entry(shelf.day).or_default().push(shelf);
        }
        let runs = || self.calls.chunk_by(|a, b| a.brief.day == b.brief.day);
        let mut n_runs: HashMap<DayStart, usize> = HashMap::new();
        for day in runs().filter_map(|calls| Some(calls.first()?.brief.day)) {
            *n_runs.entry(day).or_default() += 1;
        }
        let mut rest = &self.sessions[..];
        for calls in runs() {
            let n_sessions: u32 = calls.iter().map(|call| call.n_sessions).sum();
            let n_sessions = rest.len().min(n_sessions as usize);
            let (sessions, others) = rest.split_at(n_sessions);
            rest = others;
            let (day, n_calls) = (calls.first().and_then(|call| call.brief.day), calls.len());
            let as_before = match before.get(&day).map(Vec::as_slice) {
                Some([only]) if n_runs.get(&day) == Some(&1) => Some(*only),
                _ => None,
            };
            let as_before = as_before
                .filter(|shelf| shelf.n_calls == n_calls && !self.changed_days.contains(&day));
            self.shelves.push(match as_before {
                Some(shelf) => shelf,
                None => Shelf {
                    day,
                    n_calls,
                    place: store.put_shelf(&OnShelf { calls, sessions })?,
                },
            });
        }
        Ok(())
    }

    /// Nothing is on any shelf any more.
    pub(super) fn forget_shelves(&mut self) {
        self.shelves.clear();
    }

    /// Places of all shelves.
    pub(super) fn shelves(&self) -> impl Iterator<Item = Place> {
        self.shelves.iter().map(|shelf| shelf.place)
    }
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

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct KnownCall {
    pub(in crate::report) brief: Brief,
    /// Where it lies as it was gathered.
    pub(in crate::report) place: Place,
    /// Where its [`super::Sketches`] are.
    pub(in crate::report) sketches: Place,
    /// Which of [`Known::sessions`] are of people in it: so many, one behind the other, as the calls are.
    #[serde(skip)]
    pub(in crate::report) first_session: u32,
    pub(in crate::report) n_sessions: u32,
    /// What stands for the calls of its room that its page leads to, see `neighbours::trail`.
    pub(in crate::report) trail: u64,
    /// Bytes of its entry in `data/report.json`.
    pub(in crate::report) entry_bytes: u32,
    /// Where in the one of the build before it stands; nowhere, if it does not any more.
    #[serde(skip)]
    pub(in crate::report) entry_at: Option<u64>,
}

impl KnownCall {
    /// [`crate::call::session_key`] of everybody in it, out of those of all.
    pub(in crate::report) fn sessions<'s>(&self, all: &'s [u64]) -> &'s [u64] {
        let found = all
            .get(self.first_session as usize..)
            .and_then(|rest| rest.get(..self.n_sessions as usize));
        found.unwrap_or_default()
    }
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
