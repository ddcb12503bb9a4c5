//! Log files to calls, with an account of every line: all that is there, or what came since the last time.

mod share;

use super::state::{Account, KnownFile, Place, Store};
use super::{Error, Note, Progress};
use crate::beacon::{Beacon, Refusal, Scanner};
use crate::call::{Call, Calls, FileNumber, Gathered, call_id};
use crate::log::cursor::Cursor;
use crate::log::opened::{self, Opened};
use crate::log::reader::{self, Extent, Line};
use share::Stretch;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Calls in memory, about; those that have had no beacon for longest are put into the store until they have another.
const MEMORY_BYTES_MAX: usize = 192 << 20;

/// After so many beacons it is told how far reading is.
const TELL_BEACONS: u64 = 10_000;

/// What the logs hold, apart from the calls. `lines` = `beacons` + all that was skipped. Of the files that are there now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LogStats {
    /// Files read.
    pub files: usize,
    /// Their size on disk.
    pub bytes: u64,
    /// Lines that end in a newline, blank ones too.
    pub lines: u64,
    /// Lines that are beacons.
    pub beacons: u64,
    /// Lines that are not, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Beacons by what their 204 meant.
    pub synced: Synced,
    /// Compressed files that ended early, with the cause. What came before was read.
    pub broken: Vec<String>,
}

/// Beacons by what their 204 meant (`_rx.synced`).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Synced {
    /// Synced to disk.
    pub yes: u64,
    /// Handed to the operating system.
    pub no: u64,
    /// The log does not say.
    pub unknown: u64,
}

impl LogStats {
    /// Of files, by the account of each.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Account>) -> LogStats {
        let mut stats = LogStats::default();
        for account in files {
            stats.files += 1;
            stats.bytes += account.bytes;
            stats.lines += account.lines;
            stats.beacons += account.beacons;
            for (refusal, n) in &account.skipped {
                *stats.skipped.entry(refusal.reason()).or_default() += n;
            }
            let [yes, no, unknown] = account.synced;
            stats.synced.yes += yes;
            stats.synced.no += no;
            stats.synced.unknown += unknown;
            stats.broken.extend(account.broken.clone());
        }
        stats
    }

    /// Lines that are no beacons.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }
}

/// Reads all of `logs`, and remembers nothing.
pub(super) fn gather(logs: &[String]) -> Result<(Vec<Call>, LogStats), Error> {
    let mut calls = Calls::default();
    let mut accounts = Vec::new();
    for (file, number) in opened::open(logs)?.iter().zip(0..) {
        let mut account = Account::default();
        account.read(file, .., |beacon| calls.add(beacon, number))?;
        accounts.push(account);
    }
    Ok((calls.finish(), LogStats::of(accounts.iter())))
}

impl Account {
    /// Reads a file, or a part of its bytes.
    fn read(
        &mut self,
        opened: &Opened,
        range: impl RangeBounds<u64>,
        mut on_beacon: impl FnMut(&Beacon<'_>),
    ) -> Result<Extent, Error> {
        let mut scanner = Scanner::default();
        let extent = reader::read_lines(opened, range, |line| {
            self.lines += 1;
            let parsed = match line {
                Line::Whole(text) => scanner.read(text),
                Line::TooLong => Err(Refusal::TooLong),
            };
            match parsed {
                Ok(beacon) => {
                    self.beacons += 1;
                    self.synced[match beacon.synced {
                        Some(true) => 0,
                        Some(false) => 1,
                        None => 2,
                    }] += 1;
                    on_beacon(&beacon);
                }
                Err(refusal) => *self.skipped.entry(refusal).or_default() += 1,
            }
        })?;
        self.bytes = extent.bytes;
        self.broken = extent
            .broken
            .as_ref()
            .map(|cause| format!("`{}`: {cause}", opened.path.display()));
        Ok(extent)
    }

    /// Takes over what was found in the part of the file behind this one.
    fn append(&mut self, later: Account) {
        self.bytes = later.bytes;
        self.lines += later.lines;
        self.beacons += later.beacons;
        for (refusal, n) in later.skipped {
            *self.skipped.entry(refusal).or_default() += n;
        }
        for (sum, n) in self.synced.iter_mut().zip(later.synced) {
            *sum += n;
        }
        self.broken = later.broken;
    }
}

/// A call, where it is.
#[derive(Debug)]
pub(super) enum Source {
    /// Here.
    Held(Gathered),
    /// In the store.
    Stored(Place),
}

impl Source {
    fn into_call(self, store: &Store) -> io::Result<Gathered> {
        match self {
            Source::Held(call) => Ok(call),
            Source::Stored(place) => store.get(place),
        }
    }
}

/// A call that has news, and what has to be known of it before it is written.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) source: Source,
    pub(super) room: String,
    /// As [`Gathered::start_ms`].
    pub(super) start_ms: Option<i64>,
    /// As [`Gathered::session_keys`].
    pub(super) sessions: Vec<u64>,
    /// As [`Gathered::files`].
    pub(super) files: Vec<FileNumber>,
}

impl Touched {
    fn held(call: Gathered) -> Touched {
        Touched {
            room: call.room.clone(),
            start_ms: call.start_ms(),
            sessions: call.session_keys().collect(),
            files: call.files().into_iter().collect(),
            source: Source::Held(call),
        }
    }

    /// Memory that the call takes here, about.
    fn bytes(&self) -> usize {
        match &self.source {
            Source::Held(call) => call.bytes(),
            Source::Stored(_) => 0,
        }
    }

    /// Puts the call into the store.
    pub(super) fn stored(call: Gathered, store: &Store) -> io::Result<Touched> {
        let source = Source::Stored(store.put(&call)?);
        Ok(Touched {
            source,
            ..Touched::held(call)
        })
    }
}

/// A file, or what is new in it.
pub(super) struct Unread<'a> {
    pub(super) opened: &'a Opened,
    pub(super) number: FileNumber,
    /// What is known of it from before, if anything.
    pub(super) known: Option<&'a KnownFile>,
}

impl Unread<'_> {
    fn from(&self) -> u64 {
        self.known.map_or(0, |known| known.cursor.consumed)
    }
}

/// What was found in a stretch of a file.
struct Found {
    /// Of all files that are read.
    file: usize,
    account: Account,
    extent: Extent,
}

/// Reads what is new in `files`, in the order of the logs, on all cores where it is much. `before`: where the calls of builds before
/// are, by id. Gives the files, and the calls that had a beacon, by id.
pub(super) fn read(
    files: &[Unread<'_>],
    store: &Store,
    before: &HashMap<String, Place>,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(Vec<KnownFile>, BTreeMap<String, Touched>), Error> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let shares = share::divide(files, n_threads, share::BYTES_MIN).map_err(Error::Remembered)?;
    read_shares(files, shares, store, before, tell)
}

fn read_shares(
    files: &[Unread<'_>],
    shares: Vec<Vec<Stretch>>,
    store: &Store,
    before: &HashMap<String, Place>,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(Vec<KnownFile>, BTreeMap<String, Touched>), Error> {
    let beacons = AtomicU64::new(0);
    let bytes_max = MEMORY_BYTES_MAX / shares.len().max(1);
    let read = |share: Vec<Stretch>| {
        let mut gatherer = Gatherer {
            tell,
            beacons: &beacons,
            store,
            bytes_max,
            calls: Calls::default(),
            let_go: HashMap::new(),
        };
        let found = share
            .into_iter()
            .map(|stretch| gatherer.read(&files[stretch.file], stretch))
            .collect::<Result<Vec<Found>, Error>>()?;
        Ok((found, gatherer.finish()))
    };
    let mut accounts: Vec<(Account, Extent)> = files
        .iter()
        .map(|file| {
            let account = file.known.map(|known| known.account.clone());
            (account.unwrap_or_default(), Extent::default())
        })
        .collect();
    let mut parts = Vec::with_capacity(shares.len());
    for (found, touched) in on_threads(shares, read)? {
        for Found {
            file,
            account,
            extent,
        } in found
        {
            accounts[file].0.append(account);
            accounts[file].1 = extent;
        }
        parts.push(touched);
    }
    let known = |(file, (account, extent)): (&Unread<'_>, (Account, Extent))| {
        let cursor = Cursor::of(file.opened, &extent).map_err(|source| reader::Error::Read {
            path: file.opened.path.clone(),
            source,
        })?;
        Ok(KnownFile {
            number: file.number,
            cursor,
            account,
            is_gone: false,
        })
    };
    let known = files.iter().zip(accounts).map(known);
    let known = known.collect::<Result<Vec<KnownFile>, Error>>()?;
    let touched = together(parts, store, before).map_err(Error::Remembered)?;
    Ok((known, touched))
}

/// Does `work` for each item, on a thread of its own where there are several. Keeps their order.
fn on_threads<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    if items.len() <= 1 {
        return items.into_iter().map(work).collect();
    }
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let result = thread.join();
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect()
    })
}

/// Puts together what was found of each call: by builds before, and in one part of the logs after the other.
fn together(
    parts: Vec<BTreeMap<String, Touched>>,
    store: &Store,
    before: &HashMap<String, Place>,
) -> io::Result<BTreeMap<String, Touched>> {
    let mut held_bytes: usize = parts
        .iter()
        .flat_map(BTreeMap::values)
        .map(Touched::bytes)
        .sum();
    let mut all: BTreeMap<String, Touched> = BTreeMap::new();
    for (id, touched) in parts.into_iter().flatten() {
        let here = all.remove(&id);
        held_bytes -= here.as_ref().map_or(0, Touched::bytes);
        let earlier = match here {
            Some(here) => Some(here.source),
            None => before.get(&id).copied().map(Source::Stored),
        };
        let touched = match earlier {
            None => touched,
            Some(earlier) => {
                held_bytes -= touched.bytes();
                let mut call = earlier.into_call(store)?;
                call.append(touched.source.into_call(store)?);
                if held_bytes + call.bytes() <= MEMORY_BYTES_MAX {
                    held_bytes += call.bytes();
                    Touched::held(call)
                } else {
                    Touched::stored(call, store)?
                }
            }
        };
        all.insert(id, touched);
    }
    Ok(all)
}

/// Reads a share of the files and puts together what is in it.
struct Gatherer<'a> {
    tell: &'a (dyn Fn(Note) + Sync),
    /// Beacons read, in all shares.
    beacons: &'a AtomicU64,
    store: &'a Store,
    /// Calls in memory, about.
    bytes_max: usize,
    calls: Calls,
    let_go: HashMap<String, Touched>,
}

impl Gatherer<'_> {
    fn read(&mut self, file: &Unread<'_>, stretch: Stretch) -> Result<Found, Error> {
        let mut account = Account::default();
        let mut failed = None;
        let extent = account.read(file.opened, stretch.range, |beacon| {
            let beacons = self.beacons.fetch_add(1, Ordering::Relaxed) + 1;
            if beacons.is_multiple_of(TELL_BEACONS) {
                (self.tell)(Note::Progress(Progress::Read { beacons }));
            }
            if failed.is_none() {
                failed = self.add(beacon, file.number).err();
            }
        })?;
        if let Some(cause) = failed {
            return Err(Error::Remembered(cause));
        }
        Ok(Found {
            file: stretch.file,
            account,
            extent,
        })
    }

    fn add(&mut self, beacon: &Beacon<'_>, file: FileNumber) -> io::Result<()> {
        let (store, let_go) = (self.store, &mut self.let_go);
        self.calls
            .add_with(beacon, file, |room, meeting_session_id| {
                if let_go.is_empty() {
                    return Ok(None);
                }
                let touched = let_go.remove(&call_id(room, meeting_session_id));
                touched
                    .map(|touched| touched.source.into_call(store))
                    .transpose()
            })?;
        if self.bytes_max < self.calls.bytes() {
            for call in self.calls.let_go() {
                self.let_go.insert(call.id(), Touched::stored(call, store)?);
            }
        }
        Ok(())
    }

    /// The calls that had a beacon, by id.
    fn finish(self) -> BTreeMap<String, Touched> {
        let held = self.calls.into_gathered().into_iter();
        let held = held.map(|call| (call.id(), Touched::held(call)));
        held.chain(self.let_go).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{FileOrder, Shared};

    const NOON_MS: i64 = 1_795_435_200_000;

    /// Beacons of two collectors: calls that go on from file to file, people who come back, instants that come twice with other values,
    /// lines that are no beacons.
    fn logs(folder: &std::path::Path) -> Vec<Opened> {
        let line = |nth: i64| {
            let t = NOON_MS + nth % 97 * 2_000;
            format!(
                r#"{{"room":"r{}","meetingSessionId":"m","sessionId":"s{}","userName":"n{nth}","stats":{{"latest":{{"timestamp":{t},"recvBitsPerSecond":{nth}}}}},"seq":{nth},"_rx":{{"t":{t}}}}}"#,
                nth % 7,
                nth % 3
            ) + if nth % 11 == 0 { "\nno beacon\n" } else { "\n" }
        };
        let file = |(name, nths): (&str, std::ops::Range<i64>)| {
            let path = folder.join(name);
            std::fs::write(&path, nths.map(line).collect::<String>()).unwrap();
            Opened::of(path).unwrap()
        };
        let files = [("a", 0..90), ("b", 60..64), ("c", 64..64), ("d", 40..200)];
        files.into_iter().map(file).collect()
    }

    #[test]
    fn however_many_threads_read_the_calls_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let opened = logs(folder.path());
        let files: Vec<Unread<'_>> = opened
            .iter()
            .zip(0..)
            .map(|(opened, number)| Unread {
                opened,
                number,
                known: None,
            })
            .collect();
        let read = |n_threads: usize| {
            let store = Store::temporary().unwrap();
            let shares = share::divide(&files, n_threads, 1).unwrap();
            assert_eq!(shares.len(), n_threads);
            let (known, touched) =
                read_shares(&files, shares, &store, &HashMap::new(), &|_| ()).unwrap();
            let order: FileOrder = (0..4).collect();
            let calls: Vec<String> = touched
                .into_values()
                .map(|touched| {
                    let call = touched.source.into_call(&store).unwrap();
                    format!("{:?}", call.finish(&Shared::default(), &order))
                })
                .collect();
            (known, calls)
        };
        let (known, calls) = read(1);
        assert_eq!(calls.len(), 7);
        let lines: Vec<u64> = known.iter().map(|file| file.account.lines).collect();
        assert_eq!(lines, [99, 4, 0, 175]);
        for n_threads in 2..9 {
            assert_eq!(
                read(n_threads),
                (known.clone(), calls.clone()),
                "{n_threads}"
            );
        }
    }
}
