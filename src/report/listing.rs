//! `data/report.json` names every call there is. Most entries are as they were, so their bytes are taken over from the file of the build
//! before, by the kernel and in long runs; only if it is that very file.

use super::days::DayStart;
use super::publish::Site;
use super::state::{KnownCall, KnownCalls, READ_AT_ONCE, Store};
use super::{Error, data};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

const PATH: &str = "data/report.json";
/// Tells one start of the system from the next, where there is such a file.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Bytes between two entries.
const BETWEEN: &[u8] = b",";

/// The file as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Listing {
    mark: Mark,
    /// Where the first entry begins.
    begin: u64,
}

/// What tells that a file is still the one that was written: whoever writes into it or puts another in its place changes one of these.
/// After the system has gone down nothing is sure of a file that was not synced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    inode: u64,
    n_bytes: u64,
    modified_s_ns: (i64, i64),
    changed_s_ns: (i64, i64),
    boot: String,
}

impl Mark {
    fn of(file: &Metadata) -> Mark {
        Mark {
            inode: file.ino(),
            n_bytes: file.len(),
            modified_s_ns: (file.mtime(), file.mtime_nsec()),
            changed_s_ns: (file.ctime(), file.ctime_nsec()),
            boot: fs::read_to_string(BOOT_ID).unwrap_or_default(),
        }
    }
}

/// The file of the build before, still as it was written.
#[derive(Debug)]
pub(super) struct Before {
    file: File,
    /// Where in it the entries of the calls stand that began on each day.
    days: BTreeMap<Reverse<DayStart>, Range<u64>>,
}

impl Listing {
    /// Opens the file, which lists `calls`; `None` where it is another one.
    pub(super) fn open(&self, site: &Site<'_>, calls: &KnownCalls) -> Option<Before> {
        let file = File::open(site.out.join(PATH)).ok()?;
        if Mark::of(&file.metadata().ok()?) != self.mark {
            return None;
        }
        let between = BETWEEN.len() as u64;
        let mut next = self.begin;
        let mut days = BTreeMap::new();
        for (day, entries) in calls.entries() {
            let begin = next;
            next += entries.n_bytes + entries.n * between;
            days.insert(day, begin..next - between);
        }
        Some(Before { file, days })
    }
}

/// A part of the file.
#[derive(Debug, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    /// These bytes of the file of the build before.
    Before(Range<u64>),
}

/// The entries of all calls, in as few parts as there can be.
fn parts(
    calls: &KnownCalls,
    changed: &BTreeSet<DayStart>,
    before: Option<&Before>,
    store: &Store,
) -> io::Result<Vec<Part>> {
    let between = BETWEEN.len() as u64;
    let mut parts: Vec<Part> = Vec::new();
    for day in calls.days() {
        let as_before = before.and_then(|before| before.days.get(&Reverse(day)));
        let part = match as_before.filter(|_| !changed.contains(&day)) {
            Some(range) => Part::Before(range.clone()),
            None => Part::Bytes(kept(&calls.of_days(&(day..=day), |_| true)?, store)?),
        };
        match (parts.last_mut(), part) {
            // It has no calls any more.
            (_, Part::Bytes(bytes)) if bytes.is_empty() => {}
            (Some(Part::Before(last)), Part::Before(range))
                if last.end + between == range.start =>
            {
                last.end = range.end;
            }
            (last, part) => {
                if last.is_some() {
                    parts.push(Part::Bytes(BETWEEN.to_vec()));
                }
                parts.push(part);
            }
        }
    }
    Ok(parts)
}

/// The entries of `calls` as the store has them.
fn kept(calls: &[&KnownCall], store: &Store) -> io::Result<Vec<u8>> {
    let n_bytes = calls
        .iter()
        .map(|call| call.entry_bytes as usize + BETWEEN.len());
    let mut entries = Vec::with_capacity(n_bytes.sum());
    for calls in calls.chunks(READ_AT_ONCE) {
        let read = store.read_all(calls.iter().map(|call| call.brief.kept))?;
        for call in calls {
            if !entries.is_empty() {
                entries.extend_from_slice(BETWEEN);
            }
            entries.extend_from_slice(read.kept(call.brief.kept)?.entry());
        }
    }
    Ok(entries)
}

/// Writes the file. `head`: all that comes before the first entry; `calls`: of days that have `changed`, and of those that are not in the
/// file `before`, all were taken out.
pub(super) fn write(
    site: &Site<'_>,
    head: &[u8],
    calls: &KnownCalls,
    changed: &BTreeSet<DayStart>,
    before: Option<&Before>,
    store: &Store,
) -> Result<Listing, Error> {
    let parts = parts(calls, changed, before, store).map_err(Error::Remembered)?;
    site.put_with(PATH, |file| {
        let mut out = BufWriter::new(file);
        out.write_all(head)?;
        for part in &parts {
            match (part, before) {
                (Part::Bytes(bytes), _) => out.write_all(bytes)?,
                (Part::Before(range), Some(Before { file, .. })) => {
                    let mut file = file;
                    file.seek(SeekFrom::Start(range.start))?;
                    let n_bytes = range.end - range.start;
                    if io::copy(&mut file.take(n_bytes), &mut out)? != n_bytes {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                (Part::Before(_), None) => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        out.write_all(data::END)?;
        out.flush()
    })?;
    let path = site.out.join(PATH);
    match fs::metadata(&path) {
        Ok(file) => Ok(Listing {
            mark: Mark::of(&file),
            begin: head.len() as u64,
        }),
        Err(source) => Err(Error::Write { path, source }),
    }
}
