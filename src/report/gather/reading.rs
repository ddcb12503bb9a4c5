//! Reads shares of the logs side by side, in bounded memory: a call that is too much for it is kept in the store in parts, which are put
//! together when all is read.

use super::super::state::{Account, KnownCalls, KnownFile, Store, path_digest};
use super::super::{Error, Note, Progress, cores};
use super::share::Stretch;
use super::{Source, Touched, Unread};
use crate::call::{CallKey, Calls, Gathered};
use crate::log::cursor::Cursor;
use crate::log::reader::{self, Extent};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

/// After so many beacons it is told how far reading is.
const TELL_BEACONS: u64 = 10_000;
/// More is held where one of so many calls went on after it had been let go of: more calls are held at once than fit.
const GOING_ON: usize = 8;

/// What was found in a stretch of a file.
struct Found {
    /// Of all files that are read.
    file: usize,
    account: Account,
    extent: Extent,
}

/// Reads `shares` of `files` side by side, with calls of so many bytes in memory, about: the less, the quicker it is, as long as few calls go
/// on after they were let go of. As [`super::read`].
pub(super) fn read(
    files: &[Unread<'_>],
    shares: Vec<Vec<Stretch>>,
    bytes: RangeInclusive<usize>,
    store: &Store,
    calls: &mut KnownCalls,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(Vec<KnownFile>, BTreeMap<CallKey, Touched>), Error> {
    let beacons = AtomicU64::new(0);
    let (bytes_goal, bytes_max) = bytes.into_inner();
    let share_bytes_max = bytes_max / shares.len().max(1);
    // What one thread asked of memory and another lets go of makes all of them wait for each other.
    let are_stored = 1 < shares.len();
    let read = |share: Vec<Stretch>| {
        let mut gatherer = Gatherer {
            tell,
            beacons: &beacons,
            store,
            bytes_goal: match are_stored {
                true => share_bytes_max.min(bytes_goal),
                false => share_bytes_max,
            },
            bytes_max: share_bytes_max,
            calls: Calls::default(),
            let_go: Parts::new(),
        };
        let found = share
            .into_iter()
            .map(|stretch| gatherer.read(&files[stretch.file], stretch))
            .collect::<Result<Vec<Found>, Error>>()?;
        Ok((
            found,
            gatherer.finish(are_stored).map_err(Error::Remembered)?,
        ))
    };
    let mut accounts: Vec<(Account, Extent)> = files
        .iter()
        .map(|file| {
            let account = file.known.map(|known| known.account.clone());
            (account.unwrap_or_default(), Extent::default())
        })
        .collect();
    let mut parts = Vec::with_capacity(shares.len());
    for (found, touched) in cores::on_all(shares, read)? {
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
            path: path_digest(&file.opened.path),
            is_gone: false,
        })
    };
    let known = files.iter().zip(accounts).map(known);
    let known = known.collect::<Result<Vec<KnownFile>, Error>>()?;
    let touched = together(parts, bytes_max, store, calls).map_err(Error::Remembered)?;
    Ok((known, touched))
}

/// The parts of calls, each in the order of the logs.
type Parts = BTreeMap<CallKey, Vec<Touched>>;

/// Puts together what is known of each call: from builds before, and from one part of the logs after the other.
fn together(
    shares: Vec<Parts>,
    bytes_max: usize,
    store: &Store,
    known: &mut KnownCalls,
) -> io::Result<BTreeMap<CallKey, Touched>> {
    let mut all = Parts::new();
    for (key, parts) in shares.into_iter().flatten() {
        all.entry(key).or_default().extend(parts);
    }
    let rooms: HashSet<&str> = all.values().flatten().map(|part| &*part.room).collect();
    let rooms = rooms.into_iter().map(|room| known.room(room)).collect();
    known.take_out_rooms(&rooms, store)?;
    let mut held_bytes: usize = all.values().flatten().map(Touched::bytes).sum();
    let mut calls = BTreeMap::new();
    for (key, mut parts) in all {
        let earlier = known.get(key).map(|call| call.place);
        let call = if let (None, 1) = (earlier, parts.len()) {
            parts.pop()
        } else {
            held_bytes -= parts.iter().map(Touched::bytes).sum::<usize>();
            let earlier = earlier.map(Source::Stored);
            let sources = parts.into_iter().map(|part| part.source);
            let mut sources = earlier.into_iter().chain(sources);
            let first = sources.next().map(|first| first.into_call(store));
            let Some(mut call) = first.transpose()? else {
                continue;
            };
            for later in sources {
                call.append(later.into_call(store)?);
            }
            if held_bytes + call.bytes() <= bytes_max {
                held_bytes += call.bytes();
                Some(Touched::held(call))
            } else {
                Some(Touched::stored(call, store)?)
            }
        };
        calls.extend(call.map(|call| (key, call)));
    }
    Ok(calls)
}

/// Reads a share of the files and puts together what is in it.
struct Gatherer<'a> {
    tell: &'a (dyn Fn(Note) + Sync),
    /// Beacons read, in all shares.
    beacons: &'a AtomicU64,
    store: &'a Store,
    /// Calls in memory, about: little stays near the processor, and is used again once its calls are let go of.
    bytes_goal: usize,
    /// It never grows beyond this.
    bytes_max: usize,
    calls: Calls,
    /// Parts of calls that were put into the store. Those that go on begin anew.
    let_go: Parts,
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
            self.calls.add(beacon, file.number);
            if self.bytes_goal < self.calls.bytes() && failed.is_none() {
                failed = self.let_go().err();
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

    fn let_go(&mut self) -> io::Result<()> {
        let calls = self.calls.let_go();
        let n_calls = calls.len();
        let n_that_went_on = self.set_aside(calls, true)?;
        if n_calls < GOING_ON * n_that_went_on {
            self.bytes_goal = self.bytes_max.min(2 * self.bytes_goal);
        }
        Ok(())
    }

    /// The calls that had a beacon. `are_stored`: none of them stays in memory.
    fn finish(mut self, are_stored: bool) -> io::Result<Parts> {
        let calls = std::mem::take(&mut self.calls).into_gathered();
        self.set_aside(calls, are_stored)?;
        Ok(self.let_go)
    }

    /// Gives how many of the calls had been set aside before.
    fn set_aside(&mut self, calls: Vec<Gathered>, are_stored: bool) -> io::Result<usize> {
        let mut n_again = 0;
        for call in calls {
            let parts = self.let_go.entry(call.key()).or_default();
            n_again += usize::from(!parts.is_empty());
            parts.push(match are_stored {
                true => Touched::stored(call, self.store)?,
                false => Touched::held(call),
            });
        }
        Ok(n_again)
    }
}

#[cfg(test)]
mod tests {
    use super::super::share;
    use super::*;
    use crate::call::{FileOrder, Shared};
    use crate::log::opened::Opened;

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
    fn however_many_threads_read_and_however_little_is_held_the_calls_are_the_same() {
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
        let read = |n_threads: usize, bytes: RangeInclusive<usize>| {
            let store = Store::temporary().unwrap();
            let shares = share::divide(&files, n_threads, 1).unwrap();
            assert_eq!(shares.len(), n_threads);
            let (known, touched) = super::read(
                &files,
                shares,
                bytes,
                &store,
                &mut KnownCalls::default(),
                &|_| (),
            )
            .unwrap();
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
        let (known, calls) = read(1, 0..=usize::MAX);
        assert_eq!(calls.len(), 7);
        let lines: Vec<u64> = known.iter().map(|file| file.account.lines).collect();
        assert_eq!(lines, [99, 4, 0, 175]);
        for (n_threads, bytes) in [
            (1, 1..=1),
            (1, 9_000..=9_000),
            (2, usize::MAX..=usize::MAX),
            (2, 1..=usize::MAX),
            (3, 5_000..=60_000),
            (3, 30_000..=30_000),
            (8, 1..=1),
        ] {
            let other = read(n_threads, bytes.clone());
            assert_eq!(
                other,
                (known.clone(), calls.clone()),
                "{n_threads} {bytes:?}"
            );
        }
    }
}
