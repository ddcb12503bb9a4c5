//! The calls that are known. Those of one room that began on one day lie on a shelf of their own in the store: a build takes out those that
//! it has to look at, and puts back those that have changed.

use super::super::brief::{Brief, RoomNumber};
use super::super::days::DayStart;
use super::super::rooms::Room;
use super::store::{Place, Store, damaged};
use crate::call::{CallKey, packed};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::ops::RangeInclusive;

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct KnownCall {
    pub(in crate::report) brief: Brief,
    /// Where it lies as it was gathered.
    pub(in crate::report) place: Place,
    /// Where its [`super::Sketches`] are.
    pub(in crate::report) sketches: Place,
    /// Which of [`KnownCalls::sessions`] are of people in it: so many, one behind the other.
    #[serde(skip)]
    first_session: u32,
    n_sessions: u32,
    /// What stands for the calls of its room that its page leads to, see `neighbours::trail`.
    pub(in crate::report) trail: u64,
    /// Bytes of its entry in `data/report.json`.
    pub(in crate::report) entry_bytes: u32,
}

impl KnownCall {
    /// One that was just written. Where the rest of it is kept is not known yet, and who was in it is said when it is put to the others.
    pub(in crate::report) fn new(
        brief: Brief,
        place: Place,
        trail: u64,
        entry_bytes: u32,
    ) -> KnownCall {
        KnownCall {
            brief,
            place,
            sketches: Place::default(),
            first_session: 0,
            n_sessions: 0,
            trail,
            entry_bytes,
        }
    }

    /// [`crate::call::session_key`] of everybody in it, out of those of all.
    fn sessions<'s>(&self, all: &'s [u64]) -> &'s [u64] {
        let found = all
            .get(self.first_session as usize..)
            .and_then(|rest| rest.get(..self.n_sessions as usize));
        found.unwrap_or_default()
    }

    /// Bytes that it takes in the store.
    fn stored_bytes(&self) -> u64 {
        let places = [self.place, self.sketches, self.brief.kept];
        places.into_iter().map(Place::bytes).sum()
    }
}

/// Which shelf it is: the newest day first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Spot {
    day: Reverse<DayStart>,
    room: RoomNumber,
}

impl Spot {
    fn of(call: &Brief) -> Spot {
        Spot {
            day: Reverse(call.day),
            room: call.room,
        }
    }
}

/// Calls of one room that began on one day.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Shelf {
    /// Of the calls as they were put there: how many, and the bytes of their entries in `data/report.json` and of all that the store has of
    /// them.
    n_calls: u64,
    entry_bytes: u64,
    stored_bytes: u64,
    /// `None`: they were not put there as they are now.
    place: Option<Place>,
    /// `None`: not taken out.
    #[serde(skip)]
    calls: Option<Vec<KnownCall>>,
}

/// What is written of a shelf: the calls, and [`crate::call::session_key`] of everybody in them.
#[derive(Serialize)]
pub(super) struct OnShelf<'a> {
    calls: &'a [KnownCall],
    #[serde(with = "packed")]
    sessions: &'a [u64],
}

/// What is behind the calls of a shelf.
#[derive(Deserialize)]
struct Sessions(#[serde(with = "packed")] Vec<u64>);

/// All of them.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct KnownCalls {
    rooms: Vec<Room>,
    shelves: BTreeMap<Spot, Shelf>,
    #[serde(skip)]
    room_numbers: HashMap<String, RoomNumber>,
    /// Where those are that were taken out.
    #[serde(skip)]
    spots: HashMap<CallKey, (Spot, usize)>,
    /// [`crate::call::session_key`] of everybody in them.
    #[serde(skip)]
    sessions: Vec<u64>,
}

/// The entries of a day's calls in `data/report.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Entries {
    pub(in crate::report) n: u64,
    /// Without what stands between them.
    pub(in crate::report) n_bytes: u64,
}

impl KnownCalls {
    /// Rooms of calls, by number.
    pub(in crate::report) fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// The number of a room, which may be new.
    pub(in crate::report) fn room(&mut self, name: &str) -> RoomNumber {
        if self.room_numbers.len() < self.rooms.len() {
            let names = self.rooms.iter().map(|room| room.name.clone());
            self.room_numbers = names.zip(0..).collect();
        }
        if let Some(number) = self.room_numbers.get(name) {
            return *number;
        }
        let number = self.rooms.len() as RoomNumber;
        self.rooms.push(Room::named(name));
        self.room_numbers.insert(name.to_owned(), number);
        number
    }

    /// Sums up the calls of `rooms` anew, all of which were taken out.
    pub(in crate::report) fn renew_rooms(&mut self, rooms: &HashSet<RoomNumber>) {
        let mut by_room: HashMap<RoomNumber, Vec<&Brief>> = HashMap::new();
        let shelves = self
            .shelves
            .iter()
            .filter(|(spot, _)| rooms.contains(&spot.room));
        for (spot, shelf) in shelves {
            let briefs = shelf.calls.iter().flatten().map(|call| &call.brief);
            by_room.entry(spot.room).or_default().extend(briefs);
        }
        for room in rooms {
            let calls = by_room.remove(room).unwrap_or_default();
            self.rooms[*room as usize].renew(&calls);
        }
    }

    /// Takes out all calls of `rooms`.
    pub(in crate::report) fn take_out_rooms(
        &mut self,
        rooms: &HashSet<RoomNumber>,
        store: &Store,
    ) -> io::Result<()> {
        self.take_out(|spot| rooms.contains(&spot.room), store)
    }

    /// Takes out all calls that began on `days`.
    pub(in crate::report) fn take_out_days(
        &mut self,
        days: impl Fn(DayStart) -> bool,
        store: &Store,
    ) -> io::Result<()> {
        self.take_out(|spot| days(spot.day.0), store)
    }

    /// Takes out all calls.
    pub(in crate::report) fn take_out_all(&mut self, store: &Store) -> io::Result<()> {
        self.take_out(|_| true, store)
    }

    fn take_out(&mut self, is_one: impl Fn(Spot) -> bool, store: &Store) -> io::Result<()> {
        let KnownCalls {
            shelves,
            spots,
            sessions,
            ..
        } = self;
        let shelves = shelves.iter_mut();
        let closed = shelves.filter(|(spot, shelf)| shelf.calls.is_none() && is_one(**spot));
        let mut closed: Vec<(&Spot, &mut Shelf)> = closed.collect();
        let places = closed.iter().filter_map(|(_, shelf)| shelf.place);
        let read = store.read_all(places)?;
        for (spot, shelf) in &mut closed {
            let place = shelf.place.ok_or_else(damaged)?;
            let calls = unpacked(read.shelf(place)?, sessions).map_err(|_| damaged())?;
            let keys = calls.iter().map(|call| call.brief.key).zip(0..);
            spots.extend(keys.map(|(key, at)| (key, (**spot, at))));
            shelf.calls = Some(calls);
        }
        Ok(())
    }

    /// A call that was taken out or put.
    pub(in crate::report) fn get(&self, key: CallKey) -> Option<&KnownCall> {
        let (spot, at) = self.spots.get(&key)?;
        self.shelves.get(spot)?.calls.as_ref()?.get(*at)
    }

    /// [`crate::call::session_key`] of everybody in it.
    pub(in crate::report) fn sessions_of(&self, call: &KnownCall) -> &[u64] {
        call.sessions(&self.sessions)
    }

    /// The id of a call.
    pub(in crate::report) fn id(&self, call: &Brief) -> String {
        call.key.id(&self.rooms[call.room as usize].name)
    }

    /// All that were taken out or put.
    pub(in crate::report) fn iter(&self) -> impl Iterator<Item = &KnownCall> {
        self.shelves
            .values()
            .flat_map(|shelf| shelf.calls.iter().flatten())
    }

    /// Those of some rooms, if they were taken out or put.
    pub(in crate::report) fn in_rooms(
        &self,
        rooms: &HashSet<RoomNumber>,
    ) -> impl Iterator<Item = &KnownCall> {
        let shelves = self.shelves.iter();
        let shelves = shelves.filter(|(spot, _)| rooms.contains(&spot.room));
        shelves.flat_map(|(_, shelf)| shelf.calls.iter().flatten())
    }

    /// Those that began on `days`, as they are listed. An error: not all of them were taken out.
    pub(in crate::report) fn of_days(
        &self,
        days: &RangeInclusive<DayStart>,
    ) -> io::Result<Vec<&KnownCall>> {
        let spot = |day: &DayStart, room| Spot {
            day: Reverse(*day),
            room,
        };
        let spots = spot(days.end(), 0)..=spot(days.start(), RoomNumber::MAX);
        let mut calls = Vec::new();
        for (_, shelf) in self.shelves.range(spots) {
            let there = shelf.calls.as_ref();
            calls.extend(there.ok_or_else(|| io::Error::other("they were not taken out"))?);
        }
        Ok(self.listed(calls))
    }

    /// Newest first: by day and then by time, which is the same but where clocks lie. Those of one instant by id.
    pub(in crate::report) fn listed<'c>(
        &'c self,
        mut calls: Vec<&'c KnownCall>,
    ) -> Vec<&'c KnownCall> {
        let at = |call: &KnownCall| Reverse((call.brief.day, call.brief.start_ms()));
        calls.sort_by_key(|call| at(call));
        for of_one_instant in calls.chunk_by_mut(|a, b| at(a) == at(b)) {
            if 1 < of_one_instant.len() {
                of_one_instant.sort_by_cached_key(|call| self.id(&call.brief));
            }
        }
        calls
    }

    /// Days with the entries of their calls in `data/report.json`, as of the build before; the newest day first.
    pub(in crate::report) fn entries(&self) -> BTreeMap<Reverse<DayStart>, Entries> {
        let mut by_day = BTreeMap::new();
        for (spot, shelf) in &self.shelves {
            let of_day = by_day
                .entry(spot.day)
                .or_insert(Entries { n: 0, n_bytes: 0 });
            of_day.n += shelf.n_calls;
            of_day.n_bytes += shelf.entry_bytes;
        }
        by_day
    }

    /// All days on which a call began, the newest first.
    pub(in crate::report) fn days(&self) -> Vec<DayStart> {
        let mut days: Vec<DayStart> = self.shelves.keys().map(|spot| spot.day.0).collect();
        days.dedup();
        days
    }

    /// Puts a call in the place of what was known of it, or to all others. All calls of its room were taken out.
    pub(in crate::report) fn put(&mut self, mut call: KnownCall, sessions: &[u64]) {
        call.first_session = self.sessions.len() as u32;
        call.n_sessions = sessions.len() as u32;
        self.sessions.extend_from_slice(sessions);
        let (key, spot) = (call.brief.key, Spot::of(&call.brief));
        if let Some((before, at)) = self.spots.remove(&key)
            && let Some(shelf) = self.shelves.get_mut(&before)
            && let Some(calls) = &mut shelf.calls
        {
            calls.swap_remove(at);
            if let Some(moved) = calls.get(at) {
                self.spots.insert(moved.brief.key, (before, at));
            }
            shelf.place = None;
        }
        let shelf = self.shelves.entry(spot).or_default();
        debug_assert!(shelf.calls.is_some() || shelf.place.is_none());
        let calls = shelf.calls.get_or_insert_default();
        self.spots.insert(key, (spot, calls.len()));
        calls.push(call);
        shelf.place = None;
    }

    /// Bytes of all that counts in the store.
    pub(super) fn stored_bytes(&self) -> u64 {
        let of_shelf = |shelf: &Shelf| match (&shelf.calls, shelf.place) {
            (Some(calls), None) => calls.iter().map(KnownCall::stored_bytes).sum(),
            (_, place) => shelf.stored_bytes + place.map_or(0, Place::bytes),
        };
        self.shelves.values().map(of_shelf).sum()
    }

    /// All calls, in the order of the list, to be changed: all of them are put back anew. They were taken out.
    pub(super) fn change_all(&mut self) -> Vec<&mut KnownCall> {
        let mut all = Vec::new();
        for shelf in self.shelves.values_mut() {
            shelf.place = None;
            all.extend(shelf.calls.iter_mut().flatten());
        }
        all.sort_by_key(|call| Reverse((call.brief.day, call.brief.start_ms())));
        all
    }

    /// Puts those that have changed back on their shelves.
    pub(super) fn put_back(&mut self, store: &Store) -> io::Result<()> {
        self.shelves
            .retain(|_, shelf| shelf.calls.as_ref().is_none_or(|calls| !calls.is_empty()));
        for shelf in self.shelves.values_mut() {
            let (None, Some(calls)) = (shelf.place, &shelf.calls) else {
                continue;
            };
            let sessions = calls.iter().flat_map(|call| call.sessions(&self.sessions));
            let sessions: Vec<u64> = sessions.copied().collect();
            let place = store.put_shelf(&OnShelf {
                calls,
                sessions: &sessions,
            })?;
            shelf.n_calls = calls.len() as u64;
            shelf.entry_bytes = calls.iter().map(|call| u64::from(call.entry_bytes)).sum();
            shelf.stored_bytes = calls.iter().map(KnownCall::stored_bytes).sum();
            shelf.place = Some(place);
        }
        Ok(())
    }
}

/// Takes apart what [`OnShelf`] has put together. `sessions`: of all calls that were taken out.
fn unpacked(shelf: &[u8], sessions: &mut Vec<u64>) -> postcard::Result<Vec<KnownCall>> {
    let mut first_session = sessions.len() as u32;
    let (n_calls, mut rest): (usize, _) = postcard::take_from_bytes(shelf)?;
    let mut calls = Vec::with_capacity(n_calls.min(shelf.len()));
    for _ in 0..n_calls {
        let (call, others) = postcard::take_from_bytes(rest)?;
        rest = others;
        let call = KnownCall {
            first_session,
            ..call
        };
        first_session += call.n_sessions;
        calls.push(call);
    }
    let Sessions(theirs) = postcard::from_bytes(rest)?;
    sessions.extend(theirs);
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// Calls of two rooms on three days, each with somebody in it; one whose time nobody knows.
    fn known(store: &Store) -> KnownCalls {
        let mut calls = KnownCalls::default();
        let rooms = ["r", "s"].map(|room| calls.room(room));
        for nth in 0..12_i64 {
            let start_ms = (nth < 11).then_some(nth % 3 * DAY_MS + nth);
            put(&mut calls, nth, rooms[nth as usize % 2], start_ms);
        }
        calls.put_back(store).unwrap();
        closed(&calls)
    }

    fn key(nth: i64) -> CallKey {
        CallKey::of("", &nth.to_string())
    }

    fn put(calls: &mut KnownCalls, nth: i64, room: RoomNumber, start_ms: Option<i64>) {
        let brief = Brief {
            key: key(nth),
            room,
            span_ms: start_ms.map(|start_ms| (start_ms, start_ms)),
            day: start_ms.map(|start_ms| start_ms / DAY_MS * DAY_MS),
            ..Brief::default()
        };
        let call = KnownCall::new(brief, Place::default(), 0, 10 + nth as u32);
        calls.put(call, &[nth as u64, 1_000]);
    }

    /// As the next build finds them.
    fn closed(calls: &KnownCalls) -> KnownCalls {
        postcard::from_bytes(&postcard::to_stdvec(calls).unwrap()).unwrap()
    }

    fn starts(calls: &[&KnownCall]) -> Vec<Option<i64>> {
        calls.iter().map(|call| call.brief.start_ms()).collect()
    }

    #[test]
    fn calls_are_taken_out_by_room_or_day_and_are_as_they_were_put() {
        let store = Store::temporary().unwrap();
        let mut calls = known(&store);
        assert!(calls.get(key(0)).is_none() && calls.iter().next().is_none());
        let room = calls.room("s");
        calls
            .take_out_rooms(&HashSet::from([room]), &store)
            .unwrap();
        let in_room = |nth| calls.get(key(nth)).map(|call| call.brief.room == room);
        assert_eq!(
            [0, 1, 10, 11].map(in_room),
            [None, Some(true), None, Some(true)]
        );
        let call = calls.get(key(5)).unwrap();
        assert_eq!(
            (calls.sessions_of(call), call.entry_bytes),
            (&[5, 1_000][..], 15)
        );
        let day = Some(DAY_MS)..=Some(DAY_MS);
        assert!(
            calls.of_days(&day).is_err(),
            "those of the other room are not there"
        );
        calls
            .take_out_days(|day| day == Some(DAY_MS), &store)
            .unwrap();
        let of_day = [10, 7, 4, 1].map(|nth| Some(DAY_MS + nth));
        assert_eq!(starts(&calls.of_days(&day).unwrap()), of_day);
        calls.take_out_all(&store).unwrap();
        let all = starts(&calls.of_days(&(None..=Some(2 * DAY_MS))).unwrap());
        assert_eq!(all.len(), 12);
        assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
        assert_eq!(all.last(), Some(&None), "unknown times come last");
    }

    #[test]
    fn a_call_that_is_put_again_stands_where_it_belongs_now() {
        let store = Store::temporary().unwrap();
        let mut calls = known(&store);
        let before = calls.shelves.clone();
        let room = calls.room("r");
        calls
            .take_out_rooms(&HashSet::from([room]), &store)
            .unwrap();
        put(&mut calls, 4, room, Some(3 * DAY_MS));
        put(&mut calls, 12, room, Some(0));
        calls.put_back(&store).unwrap();
        let mut after = closed(&calls);
        let places = |shelves: &BTreeMap<Spot, Shelf>| -> BTreeMap<Spot, Option<Place>> {
            shelves
                .iter()
                .map(|(spot, shelf)| (*spot, shelf.place))
                .collect()
        };
        let (old, new) = (places(&before), places(&after.shelves));
        let as_before = new
            .iter()
            .filter(|(spot, place)| old.get(spot) == Some(place));
        assert_eq!((as_before.count(), old.len(), new.len()), (5, 7, 8));
        after.take_out_all(&store).unwrap();
        let entries = after.entries();
        let entries: Vec<(u64, u64)> = entries.values().map(|day| (day.n, day.n_bytes)).collect();
        let sum = |nths: &[u64]| (nths.len() as u64, nths.iter().map(|nth| 10 + nth).sum());
        let days: [&[u64]; 5] = [&[4], &[2, 5, 8], &[1, 7, 10], &[0, 3, 6, 9, 12], &[11]];
        assert_eq!(entries, days.map(sum));
        assert_eq!(after.iter().count(), 13);
        for nth in 0..13 {
            let call = after.get(key(nth)).unwrap();
            assert_eq!(after.sessions_of(call), [nth as u64, 1_000]);
        }
    }

    #[test]
    fn a_shelf_without_calls_is_forgotten() {
        let store = Store::temporary().unwrap();
        let mut calls = KnownCalls::default();
        let room = calls.room("r");
        put(&mut calls, 0, room, Some(0));
        calls.put_back(&store).unwrap();
        put(&mut calls, 0, room, None);
        assert_eq!(calls.days(), [Some(0), None]);
        calls.put_back(&store).unwrap();
        assert_eq!(calls.days(), [None]);
    }

    #[test]
    fn rooms_come_to_what_their_calls_are() {
        let store = Store::temporary().unwrap();
        let mut calls = known(&store);
        let rooms = HashSet::from(["r", "s"].map(|room| calls.room(room)));
        calls.take_out_all(&store).unwrap();
        calls.renew_rooms(&rooms);
        let told = calls
            .rooms()
            .iter()
            .map(|room| (&*room.name, room.calls, room.last_ms));
        let told: Vec<_> = told.collect();
        assert_eq!(
            told,
            [
                ("r", 6, Some(2 * DAY_MS + 8)),
                ("s", 6, Some(2 * DAY_MS + 5))
            ]
        );
    }
}
