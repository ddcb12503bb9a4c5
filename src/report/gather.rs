//! Log files to calls, with an account of every line: all that is there, or what came since the last time.

mod reading;
mod share;

use super::state::{Account, KnownCalls, KnownFile, Place, Store};
use super::{Error, Note, cores};
use crate::beacon::{Beacon, Refusal, Scanner};
use crate::call::{Accounts, Call, CallKey, FileNumber, FileOrder, Gathered, in_several_calls};
use crate::log::opened::{self, Opened};
use crate::log::reader::{self, Extent, Line};
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeBounds;
use std::thread;

/// Tries of what reads logs whose files go away meanwhile.
const TRIES_MAX: u32 = 5;
/// Calls in memory while logs are read, about, on each thread at first and on all of them at most; those that have had no beacon for longest are put into the store.
const MEMORY_BYTES_MIN: usize = 4 << 20;
const MEMORY_BYTES_MAX: usize = 192 << 20;

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

/// Does `read`, and again from the start where a file went away while it was read: a log that rotates compresses some and removes some.
pub(super) fn while_files_go<T>(read: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let mut n_tries = 1;
    loop {
        match read() {
            Err(Error::Read(reader::Error::Read { source, .. }) | Error::Remembered(source))
                if n_tries < TRIES_MAX && opened::is_gone(&source) =>
            {
                n_tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Reads all of `logs`, on all cores where it is much, and remembers nothing but what `of` makes of each call. Newest first.
pub(super) fn gather<T: Send>(
    logs: &[String],
    of: impl Fn(Call) -> T + Sync,
) -> Result<(Vec<T>, LogStats), Error> {
    while_files_go(|| gather_once(logs, &of))
}

fn gather_once<T: Send>(
    logs: &[String],
    of: &(impl Fn(Call) -> T + Sync),
) -> Result<(Vec<T>, LogStats), Error> {
    let opened = opened::open(logs)?;
    let unread = |(opened, number)| Unread {
        opened,
        number,
        known: None,
    };
    let unread: Vec<Unread<'_>> = opened.iter().zip(0..).map(unread).collect();
    let store = Store::temporary().map_err(Error::Remembered)?;
    let (files, touched) = read(&unread, &store, &mut KnownCalls::default(), &|_| ())?;
    let several = in_several_calls(touched.values().flat_map(|one| &one.sessions).copied());
    let mut accounts = Accounts::default();
    for one in touched.values() {
        if one.sessions.iter().any(|key| several.contains(key)) {
            let take_in = |call: &Gathered| accounts.take_in(call, &several);
            one.source.look(&store, take_in)?;
        }
    }
    let shared = accounts.settle();
    let order: FileOrder = files.iter().map(|file| file.number).collect();
    let mut calls = cores::on_all(touched.into_values().collect(), |one: Touched| {
        let call = one.source.into_call(&store).map_err(Error::Remembered)?;
        let call = call.finish(&shared, &order);
        Ok((call.listed_at(), of(call)))
    })?;
    calls.sort_by(|(a, _), (b, _)| a.cmp(b));
    let calls = calls.into_iter().map(|(_, of_it)| of_it).collect();
    let accounts = files.iter().map(|file| &file.account);
    Ok((calls, LogStats::of(accounts)))
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

    /// Shows the call to `look`.
    pub(super) fn look<T>(
        &self,
        store: &Store,
        look: impl FnOnce(&Gathered) -> T,
    ) -> Result<T, Error> {
        match self {
            Source::Held(call) => Ok(look(call)),
            Source::Stored(place) => {
                let call = store.get(*place).map_err(Error::Remembered)?;
                Ok(look(&call))
            }
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

/// Reads what is new in `files`, in the order of the logs, on all cores where it is much. `known`: the calls of builds before, of which
/// those of the rooms that are read of are taken out. Gives the files, and the calls that had a beacon.
pub(super) fn read(
    files: &[Unread<'_>],
    store: &Store,
    known: &mut KnownCalls,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(Vec<KnownFile>, BTreeMap<CallKey, Touched>), Error> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let shares = share::divide(files, n_threads, share::BYTES_MIN).map_err(Error::Remembered)?;
    let bytes = MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX;
    reading::read(files, shares, bytes, store, known, tell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;

    #[test]
    fn where_a_file_goes_while_it_is_read_all_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = |n: usize| folder.path().join(format!("{n:04}.log"));
        for n in 0..4 {
            fs::write(path(n), "no beacon\n").unwrap();
        }
        let logs = [format!("{}/*.log", folder.path().display())];
        let n_tries = Cell::new(0);
        let lines = while_files_go(|| {
            n_tries.set(n_tries.get() + 1);
            // Two of them are held open.
            let opened = opened::open_with(&logs, 2, || ())?;
            if n_tries.get() == 1 {
                fs::remove_file(path(0)).unwrap();
            }
            let mut account = Account::default();
            for one in &opened {
                account.read(one, .., |_| ())?;
            }
            Ok(account.lines)
        });
        assert_eq!((lines.unwrap(), n_tries.get()), (3, 2));
    }

    #[test]
    fn other_errors_are_told_at_once() {
        let n_tries = Cell::new(0);
        let missing = while_files_go(|| {
            n_tries.set(n_tries.get() + 1);
            gather_once(&["/nowhere/beacon.log".to_owned()], &|_| ())
        });
        assert!(missing.is_err());
        assert_eq!(n_tries.get(), 1);
    }
}
