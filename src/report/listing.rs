//! `data/report.json` names every call there is. Most entries are as they were, so their bytes are taken over from the file of the build
//! before, by the kernel and in long runs; only if it is that very file.

use super::publish::Site;
use super::state::{KnownCall, READ_AT_ONCE, Store};
use super::{Error, data};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
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
pub(super) struct Before(File);

impl Listing {
    /// Opens the file; `None` where it is another one. Notes where in it the entries of `calls` stand, which are listed as they are in it.
    pub(super) fn open(&self, site: &Site<'_>, calls: &mut [KnownCall]) -> Option<Before> {
        let file = File::open(site.out.join(PATH)).ok()?;
        if Mark::of(&file.metadata().ok()?) != self.mark {
            return None;
        }
        let mut at = self.begin;
        for call in calls {
            call.entry_at = Some(at);
            at += u64::from(call.entry_bytes) + BETWEEN.len() as u64;
        }
        Some(Before(file))
    }
}

/// A part of the file.
#[derive(Debug, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    /// So many bytes of the file of the build before, from there on.
    Before {
        begin: u64,
        n_bytes: u64,
    },
}

/// The entries of `calls`, in as few parts as there can be.
fn parts(calls: &[KnownCall], store: &Store) -> io::Result<Vec<Part>> {
    let end = |call: &KnownCall| Some(call.entry_at? + u64::from(call.entry_bytes));
    let goes_on = |a: &KnownCall, b: &KnownCall| match (end(a), b.entry_at) {
        (Some(end), Some(begin)) => end + BETWEEN.len() as u64 == begin,
        (None, None) => true,
        _ => false,
    };
    let mut parts = Vec::new();
    for run in calls.chunk_by(goes_on) {
        if !parts.is_empty() {
            parts.push(Part::Bytes(BETWEEN.to_vec()));
        }
        let begin = run.first().and_then(|first| first.entry_at);
        parts.push(match begin.zip(run.last().and_then(end)) {
            Some((begin, end)) => Part::Before {
                begin,
                n_bytes: end - begin,
            },
            None => Part::Bytes(kept(run, store)?),
        });
    }
    Ok(parts)
}

/// The entries of `calls` as the store has them.
fn kept(calls: &[KnownCall], store: &Store) -> io::Result<Vec<u8>> {
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

/// Writes the file. `head`: all that comes before the first entry.
pub(super) fn write(
    site: &Site<'_>,
    head: &[u8],
    calls: &[KnownCall],
    before: Option<&Before>,
    store: &Store,
) -> Result<Listing, Error> {
    let parts = parts(calls, store).map_err(Error::Remembered)?;
    site.put_with(PATH, |file| {
        let mut out = BufWriter::new(file);
        out.write_all(head)?;
        for part in &parts {
            match (part, before) {
                (Part::Bytes(bytes), _) => out.write_all(bytes)?,
                (Part::Before { begin, n_bytes }, Some(Before(before))) => {
                    let mut before = before;
                    before.seek(SeekFrom::Start(*begin))?;
                    if io::copy(&mut before.take(*n_bytes), &mut out)? != *n_bytes {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                (Part::Before { .. }, None) => return Err(io::ErrorKind::NotFound.into()),
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
