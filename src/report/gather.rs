//! Log files to calls, with an account of every line: all that is there, or what came since the last time.

use super::state::{Account, KnownFile, Place, Store};
use super::{Error, Note, Progress};
use crate::beacon::{Beacon, Refusal, Scanner};
use crate::call::{Call, Calls, FileNumber, Gathered, call_id};
use crate::log::cursor::Cursor;
use crate::log::opened::{self, Opened};
use crate::log::reader::{self, Extent, Line};
use std::collections::{BTreeMap, HashMap};
use std::io;

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
        account.read(file, 0, |beacon| calls.add(beacon, number))?;
        accounts.push(account);
    }
    Ok((calls.finish(), LogStats::of(accounts.iter())))
}

impl Account {
    /// Reads a file from the byte `from` on.
    fn read(
        &mut self,
        opened: &Opened,
        from: u64,
        mut on_beacon: impl FnMut(&Beacon<'_>),
    ) -> Result<Extent, Error> {
        let mut scanner = Scanner::default();
        let extent = reader::read_lines(opened, from, |line| {
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
}

/// A call, where it is.
#[derive(Debug)]
pub(super) enum Source {
    /// Here.
    Held(Gathered),
    /// In the store.
    Stored(Place),
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

    /// Puts the call into the store.
    pub(super) fn stored(call: Gathered, store: &Store) -> io::Result<Touched> {
        let source = Source::Stored(store.put(&call)?);
        Ok(Touched {
            source,
            ..Touched::held(call)
        })
    }
}

/// Reads files and puts together what is in them.
pub(super) struct Gatherer<'a> {
    tell: &'a (dyn Fn(Note) + Sync),
    /// Beacons read.
    beacons: u64,
    store: &'a Store,
    /// Calls of before, by id.
    before: &'a HashMap<String, Place>,
    calls: Calls,
    let_go: HashMap<String, Touched>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(
        store: &'a Store,
        before: &'a HashMap<String, Place>,
        tell: &'a (dyn Fn(Note) + Sync),
    ) -> Gatherer<'a> {
        Gatherer {
            tell,
            beacons: 0,
            store,
            before,
            calls: Calls::default(),
            let_go: HashMap::new(),
        }
    }

    /// Reads what is new in a file. `known`: what is known of it from before, if anything.
    pub(super) fn read(
        &mut self,
        opened: &Opened,
        number: FileNumber,
        known: Option<&KnownFile>,
    ) -> Result<KnownFile, Error> {
        let mut account = known.map(|known| known.account.clone()).unwrap_or_default();
        let from = known.map_or(0, |known| known.cursor.consumed);
        let mut failed = None;
        let extent = account.read(opened, from, |beacon| {
            self.beacons += 1;
            if self.beacons.is_multiple_of(TELL_BEACONS) {
                let beacons = self.beacons;
                (self.tell)(Note::Progress(Progress::Read { beacons }));
            }
            if failed.is_none() {
                failed = self.add(beacon, number).err();
            }
        })?;
        if let Some(cause) = failed {
            return Err(Error::Remembered(cause));
        }
        let cursor = Cursor::of(opened, &extent).map_err(|source| reader::Error::Read {
            path: opened.path.clone(),
            source,
        })?;
        Ok(KnownFile {
            number,
            cursor,
            account,
            is_gone: false,
        })
    }

    fn add(&mut self, beacon: &Beacon<'_>, file: FileNumber) -> io::Result<()> {
        let Gatherer {
            store,
            before,
            calls,
            let_go,
            ..
        } = self;
        calls.add_with(beacon, file, |room, meeting_session_id| {
            if before.is_empty() && let_go.is_empty() {
                return Ok(None);
            }
            let id = call_id(room, meeting_session_id);
            let source = let_go.remove(&id).map(|touched| touched.source);
            match source.or_else(|| before.get(&id).copied().map(Source::Stored)) {
                None => Ok(None),
                Some(Source::Held(call)) => Ok(Some(call)),
                Some(Source::Stored(place)) => store.get(place).map(Some),
            }
        })?;
        if MEMORY_BYTES_MAX < calls.bytes() {
            for call in calls.let_go() {
                let_go.insert(call.id(), Touched::stored(call, store)?);
            }
        }
        Ok(())
    }

    /// The calls that had a beacon, by id.
    pub(super) fn finish(self) -> BTreeMap<String, Touched> {
        let held = self.calls.into_gathered().into_iter();
        let held = held.map(|call| (call.id(), Touched::held(call)));
        held.chain(self.let_go).collect()
    }
}
