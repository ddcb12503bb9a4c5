//! Calls as they were gathered, the sketches of their readings and what else is kept of them, and shelves of them, one after the other
//! in a file that is only appended to. What is not in it as it was written is an error, never a wrong call.

use super::super::page::CutRow;
use super::calls::OnShelf;
use crate::call::{CallSummary, FileNumber, Gathered, Sketch};
use crate::digest::checksum_on;
use crate::metric::MetricId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// What lies between two records is read with them where it is less than another call of the system costs.
const NEAR_BYTES: u64 = 1 << 10;
/// What most records take that are no calls.
const SMALL_BYTES: usize = 4 << 10;
/// Before each record: its length with its kind, and its checksum.
const HEAD_BYTES: usize = 8;
/// A call as it was gathered.
const CALL: u32 = 0;
/// The sketches of a call.
const SKETCHES: u32 = 2 << 30;
/// A call's [`Kept`].
const KEPT: u32 = 1 << 30;
/// Calls of one room that began on one day.
const SHELF: u32 = 3 << 30;
/// Where in a length the kind is.
const KINDS: u32 = 3 << 30;
/// What people say in calls is not in there, but who was in them is.
pub(super) const FILE_MODE: u32 = 0o600;

/// Where a record lies in the store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::report) struct Place {
    /// In halves: of tens of thousands of calls there are several each, which whole numbers of eight bytes would set further apart.
    at: (u32, u32),
    n_bytes: u32,
}

impl Place {
    fn new(at: u64, n_bytes: u32) -> Place {
        let at = ((at >> 32) as u32, at as u32);
        Place { at, n_bytes }
    }

    fn at(self) -> u64 {
        u64::from(self.at.0) << 32 | u64::from(self.at.1)
    }

    /// Bytes that it takes.
    pub(super) fn bytes(self) -> u64 {
        u64::from(self.n_bytes) + HEAD_BYTES as u64
    }
}

/// All readings of all people of a call, of each metric that anybody has, in the order of the table.
pub(in crate::report) type Sketches = Vec<(MetricId, Sketch)>;

/// What is kept of a call besides its readings: what stands of it in files that tell of many, and what else they conclude from. To make
/// it of all calls anew takes longer than all the rest of a build with little news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::report) struct Kept<'a> {
    /// Its row in tables, as `page::CutRow` cuts it.
    #[serde(borrow)]
    row: [Bytes<'a>; 4],
    /// What scripts of the overview know of it, as JSON.
    for_scripts: Bytes<'a>,
    /// Its entry in `data/report.json`.
    entry: Bytes<'a>,
    /// Its [`CallSummary`], encoded: it is asked for of few.
    summary: Bytes<'a>,
    /// Files that its beacons are from, encoded.
    files: Bytes<'a>,
}

/// Bytes that nobody looks into any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The same of a call that was just written, before it has its place in the store.
#[derive(Debug)]
pub(in crate::report) struct ToKeep {
    pub(in crate::report) row: CutRow,
    pub(in crate::report) for_scripts: String,
    pub(in crate::report) entry: String,
    pub(in crate::report) summary: CallSummary,
    /// Empty: nobody knows any more, none that is there.
    pub(in crate::report) files: Vec<FileNumber>,
}

impl<'a> Kept<'a> {
    /// Nothing but that.
    #[cfg(test)]
    pub(super) fn with_entry(entry: &'a [u8]) -> Kept<'a> {
        let none = Bytes(b"");
        Kept {
            row: [none; 4],
            for_scripts: none,
            entry: Bytes(entry),
            summary: none,
            files: none,
        }
    }

    /// Its entry in `data/report.json`.
    pub(in crate::report) fn entry(&self) -> &'a [u8] {
        self.entry.0
    }

    /// What scripts of the overview know of it, as JSON.
    pub(in crate::report) fn for_scripts(&self) -> &'a [u8] {
        self.for_scripts.0
    }

    /// Its row in the table of all calls, in parts.
    pub(in crate::report) fn row_of_all(&self) -> [&'a [u8]; 3] {
        let [first, of_all, _, others] = self.row.map(|part| part.0);
        [first, of_all, others]
    }

    /// Its row in the table of its room, in parts.
    pub(in crate::report) fn row_of_room(&self) -> [&'a [u8]; 3] {
        let [first, _, of_room, others] = self.row.map(|part| part.0);
        [first, of_room, others]
    }

    pub(in crate::report) fn summary(&self) -> io::Result<CallSummary> {
        postcard::from_bytes(self.summary.0).map_err(|_| damaged())
    }

    /// Files that its beacons are from. Empty: nobody knows any more, none that is there.
    pub(in crate::report) fn files(&self) -> io::Result<Vec<FileNumber>> {
        postcard::from_bytes(self.files.0).map_err(|_| damaged())
    }
}

/// Parts of the store, each read at once, in which what is kept of many calls lies.
#[derive(Debug)]
pub(in crate::report) struct Read {
    /// Where each begins, ascending.
    parts: Vec<(u64, Vec<u8>)>,
}

impl Read {
    /// What is kept of each of many calls.
    pub(in crate::report) fn each(
        &self,
        places: impl Iterator<Item = Place>,
    ) -> io::Result<Vec<Kept<'_>>> {
        places.map(|place| self.kept(place)).collect()
    }

    /// What is kept of one call.
    pub(in crate::report) fn kept(&self, place: Place) -> io::Result<Kept<'_>> {
        decoded(KEPT, self.record(place)?)
    }

    /// The sketches of one call.
    pub(super) fn sketches(&self, place: Place) -> io::Result<Sketches> {
        decoded(SKETCHES, self.record(place)?)
    }

    /// What is on one shelf, still encoded.
    pub(super) fn shelf(&self, place: Place) -> io::Result<&[u8]> {
        body_of(SHELF, self.record(place)?)
    }

    /// A record with its head.
    fn record(&self, place: Place) -> io::Result<&[u8]> {
        let behind = self.parts.partition_point(|(at, _)| *at <= place.at());
        let part = behind.checked_sub(1).and_then(|at| self.parts.get(at));
        let record = part.and_then(|(at, bytes)| {
            let begin = usize::try_from(place.at() - at).ok()?;
            bytes.get(begin..begin + place.bytes() as usize)
        });
        record.ok_or_else(damaged)
    }
}

/// Of each metric, all of `sketches` together.
pub(in crate::report) fn together<'a>(sketches: impl Iterator<Item = &'a Sketches>) -> Sketches {
    let mut by_metric: BTreeMap<MetricId, Vec<&Sketch>> = BTreeMap::new();
    for (metric, sketch) in sketches.flatten() {
        by_metric.entry(*metric).or_default().push(sketch);
    }
    let sum = |(metric, sketches)| Some((metric, Sketch::sum::<'_>(sketches)?));
    by_metric.into_iter().filter_map(sum).collect()
}

struct Record {
    kind: u32,
    bytes: Vec<u8>,
}

/// A record with its head, ready to be written.
#[derive(Debug)]
pub(in crate::report) struct Encoded(Vec<u8>);

impl Encoded {
    /// `about_bytes`: so many it may take.
    fn of(kind: u32, value: &impl Serialize, about_bytes: usize) -> io::Result<Encoded> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + about_bytes);
        bytes.resize(HEAD_BYTES, 0);
        bytes = postcard::to_extend(value, bytes).map_err(io::Error::other)?;
        let n_bytes = u32::try_from(bytes.len() - HEAD_BYTES).map_err(io::Error::other)?;
        if n_bytes & KINDS != 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (head, body) = bytes.split_at_mut(HEAD_BYTES);
        head.copy_from_slice(&head_of(kind, body, n_bytes));
        Ok(Encoded(bytes))
    }

    /// The sketches of a call.
    pub(in crate::report) fn sketches(sketches: &Sketches) -> io::Result<Encoded> {
        Encoded::of(SKETCHES, sketches, SMALL_BYTES)
    }

    /// A shelf of calls.
    pub(super) fn shelf(shelf: &OnShelf<'_>) -> io::Result<Encoded> {
        Encoded::of(SHELF, shelf, SMALL_BYTES)
    }

    /// What is kept of a call.
    pub(in crate::report) fn kept(call: &ToKeep) -> io::Result<Encoded> {
        let encode = |result: postcard::Result<Vec<u8>>| result.map_err(io::Error::other);
        let summary = encode(postcard::to_stdvec(&call.summary))?;
        let files = encode(postcard::to_stdvec(&call.files))?;
        Encoded::kept_again(&Kept {
            row: call.row.parts().map(|part| Bytes(part.as_bytes())),
            for_scripts: Bytes(call.for_scripts.as_bytes()),
            entry: Bytes(call.entry.as_bytes()),
            summary: Bytes(&summary),
            files: Bytes(&files),
        })
    }

    /// What another store has kept of a call.
    pub(super) fn kept_again(kept: &Kept<'_>) -> io::Result<Encoded> {
        Encoded::of(KEPT, kept, SMALL_BYTES)
    }
}

/// The file. May be shared between threads.
#[derive(Debug)]
pub(in crate::report) struct Store {
    file: File,
    end: AtomicU64,
}

impl Store {
    /// A new one.
    pub(super) fn create(path: &Path) -> io::Result<Store> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.mode(FILE_MODE).open(path)?;
        Ok(Store::over(file, 0))
    }

    /// One that ends with the process.
    pub(in crate::report) fn temporary() -> io::Result<Store> {
        Ok(Store::over(tempfile::tempfile()?, 0))
    }

    /// One that is there; what lies behind `end` was never finished and is removed.
    pub(super) fn open(path: &Path, end: u64) -> io::Result<Store> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() < end {
            return Err(damaged());
        }
        file.set_len(end)?;
        Ok(Store::over(file, end))
    }

    fn over(file: File, end: u64) -> Store {
        let end = AtomicU64::new(end);
        Store { file, end }
    }

    /// Where the next record will lie.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Appends a call.
    pub(in crate::report) fn put(&self, call: &Gathered) -> io::Result<Place> {
        let Encoded(bytes) = Encoded::of(CALL, call, call.bytes())?;
        let at = self.append(&bytes)?;
        Ok(Place::new(at, (bytes.len() - HEAD_BYTES) as u32))
    }

    /// Reads a call back.
    pub(in crate::report) fn get(&self, place: Place) -> io::Result<Gathered> {
        self.take(CALL, place)
    }

    /// Appends records, one behind the other: they are read together.
    pub(in crate::report) fn put_all(&self, records: &[Encoded]) -> io::Result<Vec<Place>> {
        let bytes: Vec<&[u8]> = records.iter().map(|record| &*record.0).collect();
        let mut at = self.append(&bytes.concat())?;
        let places = bytes.iter().map(|bytes| {
            let place = Place::new(at, (bytes.len() - HEAD_BYTES) as u32);
            at += place.bytes();
            place
        });
        Ok(places.collect())
    }

    /// The sketches of some calls, or of some shelves, together.
    pub(in crate::report) fn sum(&self, places: &[Place]) -> io::Result<Sketches> {
        let places = places.iter().copied();
        let read = self.read_all(places.clone())?;
        let all = places.map(|place| read.sketches(place));
        let all = all.collect::<io::Result<Vec<Sketches>>>()?;
        Ok(together(all.iter()))
    }

    /// Reads back what is kept of one call in full.
    pub(in crate::report) fn get_summary(&self, place: Place) -> io::Result<CallSummary> {
        self.read_all([place].into_iter())?.kept(place)?.summary()
    }

    /// The files that one call's beacons are from, see [`Kept::files`].
    pub(in crate::report) fn get_files(&self, place: Place) -> io::Result<Vec<FileNumber>> {
        self.read_all([place].into_iter())?.kept(place)?.files()
    }

    /// Reads the parts in which the records at `places` lie: what lies side by side, at once.
    pub(in crate::report) fn read_all(
        &self,
        places: impl Iterator<Item = Place>,
    ) -> io::Result<Read> {
        let ends = places.map(|place| Ok((place.at(), self.end_of(place)?)));
        let mut ends = ends.collect::<io::Result<Vec<(u64, u64)>>>()?;
        ends.sort_unstable();
        ends.dedup_by(|(next, end), (_, end_before)| {
            let is_near = *next <= *end_before + NEAR_BYTES;
            if is_near {
                *end_before = (*end_before).max(*end);
            }
            is_near
        });
        let read = |(begin, end): (u64, u64)| {
            let n_bytes = usize::try_from(end - begin).map_err(io::Error::other)?;
            let mut bytes = vec![0; n_bytes];
            self.file.read_exact_at(&mut bytes, begin)?;
            Ok((begin, bytes))
        };
        let parts = ends.into_iter().map(read).collect::<io::Result<_>>()?;
        Ok(Read { parts })
    }

    /// Gives where the bytes begin.
    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        self.file.write_all_at(bytes, at)?;
        Ok(at)
    }

    fn take<T: DeserializeOwned>(&self, kind: u32, place: Place) -> io::Result<T> {
        decoded(kind, &self.record(place)?)
    }

    /// A record with its head.
    fn record(&self, place: Place) -> io::Result<Vec<u8>> {
        self.end_of(place)?;
        let mut bytes = vec![0; HEAD_BYTES + place.n_bytes as usize];
        self.file.read_exact_at(&mut bytes, place.at())?;
        Ok(bytes)
    }

    /// Where a record ends, which must be in the store.
    fn end_of(&self, place: Place) -> io::Result<u64> {
        let end = place.at().checked_add(place.bytes());
        end.filter(|end| *end <= self.end()).ok_or_else(damaged)
    }

    /// The record at `at`, if it is as it was written, and where the next one is.
    fn read(&self, at: u64) -> io::Result<(Option<Record>, u64)> {
        let mut head = [0; HEAD_BYTES];
        self.file.read_exact_at(&mut head, at)?;
        let (length, _) = head.split_first_chunk().expect("longer than that");
        let length = u32::from_le_bytes(*length);
        let (kind, n_bytes) = (length & KINDS, length & !KINDS);
        let next = self.end_of(Place::new(at, n_bytes))?;
        let mut bytes = vec![0; n_bytes as usize];
        self.file
            .read_exact_at(&mut bytes, at + HEAD_BYTES as u64)?;
        let is_whole = head == head_of(kind, &bytes, n_bytes);
        let record = is_whole.then_some(Record { kind, bytes });
        Ok((record, next))
    }

    /// All calls that can be read; of a call that was put again, each time.
    pub(super) fn all(&self) -> impl Iterator<Item = Gathered> {
        let mut at = 0;
        let records = std::iter::from_fn(move || {
            if self.end() <= at {
                return None;
            }
            let (record, next) = self.read(at).ok()?;
            at = next;
            Some(record)
        });
        let calls = records.flatten().filter(|record| record.kind == CALL);
        calls.filter_map(|record| postcard::from_bytes(&record.bytes).ok())
    }

    /// Returns when all of it is on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What a record with its head says. An error: it is of another kind, or damaged.
fn decoded<'a, T: Deserialize<'a>>(kind: u32, record: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(body_of(kind, record)?).map_err(|_| damaged())
}

/// What is behind a record's head. An error: it is of another kind, or damaged.
fn body_of(kind: u32, record: &[u8]) -> io::Result<&[u8]> {
    let (head, body) = record.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
    match *head == head_of(kind, body, body.len() as u32) {
        true => Ok(body),
        false => Err(damaged()),
    }
}

/// What stands before a record.
fn head_of(kind: u32, body: &[u8], n_bytes: u32) -> [u8; HEAD_BYTES] {
    let sum = checksum_on(kind, body);
    let head = u64::from(sum) << 32 | u64::from(kind | n_bytes);
    head.to_le_bytes()
}

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;
    use crate::call::Calls;

    fn call(room: &str) -> Gathered {
        let mut calls = Calls::default();
        let line = format!(
            r#"{{"room":"{room}","meetingSessionId":"m","sessionId":"s","stats":{{"latest":{{"timestamp":1795449870000,"recvBitsPerSecond":1}}}},"seq":3,"events":[{{"t":1795449870000,"type":"cpu-load-change","cpuLoadState":"high"}}],"_rx":{{"t":1795449870001}}}}"#
        );
        calls.add(&parse(line.as_bytes()).unwrap(), 0);
        calls.into_gathered().remove(0)
    }

    #[test]
    fn what_was_put_is_read_back_and_what_was_not_finished_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls");
        let store = Store::create(&path).unwrap();
        let a = store.put(&call("a")).unwrap();
        let sketches = vec![(MetricId::all().next().unwrap(), Sketch::of(&[1.0]).unwrap())];
        let between = store.put_all(&[Encoded::sketches(&sketches).unwrap()]);
        let between = between.unwrap()[0];
        fn kept(room: &str) -> Kept<'_> {
            let part = |text| Bytes(str::as_bytes(text));
            Kept {
                row: ["<tr>", room, "", "</tr>"].map(part),
                for_scripts: part("[]"),
                entry: part("{}"),
                summary: part(""),
                files: part(""),
            }
        }
        let put = |rows: &[&str]| {
            let records = rows
                .iter()
                .map(|row| Encoded::kept_again(&kept(row)).unwrap());
            store.put_all(&records.collect::<Vec<_>>()).unwrap()
        };
        let behind = put(&["room"])[0];
        let b = store.put(&call("b")).unwrap();
        let end = store.end();
        assert_eq!(store.get(b).unwrap().room, "b");
        let get_sketches = |place| {
            let read = store.read_all([place].into_iter());
            read.and_then(|read| read.sketches(place))
        };
        assert_eq!(get_sketches(between).unwrap(), sketches);
        assert!(store.get(between).is_err() && get_sketches(b).is_err());
        let far = "<".repeat(NEAR_BYTES as usize);
        let far = put(&[&*far, "a", "b"]);
        let read = store
            .read_all([far[2], behind, far[1]].into_iter())
            .unwrap();
        assert_eq!(read.parts.len(), 2);
        assert_eq!(read.kept(behind).unwrap(), kept("room"));
        assert_eq!(read.kept(far[1]).unwrap(), kept("a"));
        assert_eq!(read.kept(far[2]).unwrap(), kept("b"));
        assert!(read.kept(far[0]).is_err() && read.kept(a).is_err() && read.kept(between).is_err());
        assert!(get_sketches(behind).is_err());
        store.put(&call("c")).unwrap();

        let store = Store::open(&path, end).unwrap();
        assert_eq!(store.get(a).unwrap().room, "a");
        let rooms: Vec<_> = store.all().map(|call| call.room).collect();
        assert_eq!(rooms, ["a", "b"]);
        let d = store.put(&call("d")).unwrap();
        assert_eq!((d.at(), store.get(d).unwrap().room.as_str()), (end, "d"));
        assert!(Store::open(&path, store.end() + 1).is_err());
    }

    #[test]
    fn a_changed_byte_is_an_error_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls");
        let store = Store::create(&path).unwrap();
        let place = store.put(&call("a")).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x40;
            std::fs::write(&path, other).unwrap();
            assert!(store.get(place).is_err(), "byte {at}");
            assert_eq!(store.all().count(), 0, "byte {at}");
        }
    }

    /// Calls of an older version are read back when the logs that they came from are gone: whoever changes [`Gathered`] so that
    /// this fails raises `FORMAT` and writes these bytes anew.
    #[test]
    fn the_format_is_the_one_that_its_number_stands_for() {
        let bytes = postcard::to_stdvec(&call("a")).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((super::super::manifest::FORMAT, hex.as_str()), (4, GOLDEN));
    }

    const GOLDEN: &str = "0161016d0101730000000001e2dab692c168e2dab692c168010301e0dab692c16801e2dab692c16810b0d62609a2010000b1d62609a201000001e0dab692c168020108b0d62609a2010000011172656376426974735065725365636f6e6408000000000000f03f010001";
}
