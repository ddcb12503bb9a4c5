//! The calls that are known. Those of one room that began on one day lie on a shelf of their own in the store: a build takes out those that
//! it has to look at, and puts back those that have changed.

use super::super::brief::{Brief, RoomNumber};
use super::super::days::DayStart;
use super::super::rooms::Room;
use super::super::{Error, cores};
use super::READ_AT_ONCE;
use super::store::{Encoded, Place, Store, damaged};
use crate::call::{CallKey, packed};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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

    /// Its place in the list but for calls of the same instant: the smallest is the first.
    fn listed_at(&self) -> Reverse<(DayStart, Option<i64>)> {
        Reverse((self.brief.day, self.brief.start_ms()))
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
    /// Where what was measured in all of them together is. `None`: it was not added up as they are now.
    sketches: Option<Place>,
    /// `None`: not taken out.
    #[serde(skip)]
    calls: Option<Vec<KnownCall>>,
}

impl Shelf {
    /// It is not as it was put any more.
    fn change(&mut self) {
        (self.place, self.sketches) = (None, None);
    }

    /// Bytes that it takes in the store, with its calls.
    fn stored_bytes(&self) -> u64 {
        let (n_calls, of_calls) = match (&self.calls, self.place) {
            (Some(calls), None) => {
                let bytes = calls.iter().map(KnownCall::stored_bytes);
                (calls.len() as u64, bytes.sum())
            }
            _ => (self.n_calls, self.stored_bytes),
        };
        // Of one call alone they are its own.
        let sketches = self.sketches.filter(|_| 1 < n_calls);
        let places = [self.place, sketches];
        of_calls + places.into_iter().flatten().map(Place::bytes).sum::<u64>()
    }
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
        for room in rooms {
            let room = &mut self.rooms[*room as usize];
            *room = Room::named(&room.name);
        }
        let shelves = self.shelves.iter();
        for (spot, shelf) in shelves.filter(|(spot, _)| rooms.contains(&spot.room)) {
            let room = &mut self.rooms[spot.room as usize];
            shelf
                .calls
                .iter()
                .flatten()
                .for_each(|call| room.add(&call.brief));
        }
    }

    /// Takes out all calls of `rooms`.
    pub(in crate::report) fn take_out_rooms(
        &mut self,
        rooms: &HashSet<RoomNumber>,
        store: &Store,
    ) -> io::Result<()> {
        let shelves = self.shelves.iter_mut();
        let theirs = shelves.filter(|(spot, _)| rooms.contains(&spot.room));
        take_out(theirs, &mut self.spots, &mut self.sessions, store)
    }

    /// Takes out all calls that began on `days`.
    pub(in crate::report) fn take_out_days(
        &mut self,
        days: &RangeInclusive<DayStart>,
        store: &Store,
    ) -> io::Result<()> {
        let theirs = self.shelves.range_mut(spots_of(days));
        take_out(theirs, &mut self.spots, &mut self.sessions, store)
    }

    /// Takes out all calls.
    pub(in crate::report) fn take_out_all(&mut self, store: &Store) -> io::Result<()> {
        let all = self.shelves.iter_mut();
        take_out(all, &mut self.spots, &mut self.sessions, store)
    }

    /// Takes out all calls that can be read; whether these are all.
    pub(super) fn take_out_readable(&mut self, store: &Store) -> bool {
        if self.take_out_all(store).is_ok() {
            return true;
        }
        for one in &mut self.shelves {
            let one = std::iter::once(one);
            let _ = take_out(one, &mut self.spots, &mut self.sessions, store);
        }
        false
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

    /// Those of the calls that began on `days` which are among the ones asked for, as they are listed. An error: not all were taken out.
    pub(in crate::report) fn of_days(
        &self,
        days: &RangeInclusive<DayStart>,
        is_one: impl Fn(&Brief) -> bool,
    ) -> io::Result<Vec<&KnownCall>> {
        let mut calls = Vec::new();
        for (_, shelf) in self.shelves.range(spots_of(days)) {
            let there = shelf.calls.as_ref();
            let there = there.ok_or_else(|| io::Error::other("they were not taken out"))?;
            calls.extend(there.iter().filter(|call| is_one(&call.brief)));
        }
        Ok(self.listed(calls))
    }

    /// Where what was measured on each of `days` is, in parts: added up on each shelf that has changed. All calls were taken out.
    pub(in crate::report) fn add_up(
        &mut self,
        days: &BTreeSet<DayStart>,
        store: &Store,
    ) -> Result<BTreeMap<DayStart, Vec<Place>>, Error> {
        let shelves = days
            .iter()
            .flat_map(|day| self.shelves.range(spots_of(&(*day..=*day))));
        let changed = shelves.filter(|(_, shelf)| shelf.sketches.is_none());
        let changed = changed.map(|(spot, shelf)| {
            let places = shelf.calls.iter().flatten().map(|call| call.sketches);
            (*spot, places.collect::<Vec<Place>>())
        });
        let add_up = |(spot, places): (Spot, Vec<Place>)| {
            let place = match &places[..] {
                [] => None,
                [only] => Some(*only),
                several => {
                    let put = |sum| store.put_all(&[Encoded::sketches(&sum)?]);
                    let put = store.sum(several).and_then(put);
                    let put = put.map_err(Error::Remembered)?;
                    put.first().copied()
                }
            };
            Ok((spot, place))
        };
        for (spot, place) in cores::on_all(changed.collect(), add_up)? {
            if let Some(shelf) = self.shelves.get_mut(&spot) {
                shelf.sketches = place;
            }
        }
        let places = days.iter().map(|day| {
            let shelves = self.shelves.range(spots_of(&(*day..=*day)));
            let places = shelves.filter_map(|(_, shelf)| shelf.sketches);
            (*day, places.collect())
        });
        Ok(places.collect())
    }

    /// Newest first: by day and then by time, which is the same but where clocks lie. Those of one instant by id.
    pub(in crate::report) fn listed<'c>(
        &'c self,
        mut calls: Vec<&'c KnownCall>,
    ) -> Vec<&'c KnownCall> {
        calls.sort_by_key(|call| call.listed_at());
        for of_one_instant in calls.chunk_by_mut(|a, b| a.listed_at() == b.listed_at()) {
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
            shelf.change();
        }
        let shelf = self.shelves.entry(spot).or_default();
        debug_assert!(shelf.calls.is_some() || shelf.place.is_none());
        let calls = shelf.calls.get_or_insert_default();
        self.spots.insert(key, (spot, calls.len()));
        calls.push(call);
        shelf.change();
    }

    /// Bytes of all that counts in the store.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.shelves.values().map(Shelf::stored_bytes).sum()
    }

    /// Moves all calls to another store, where they are still to be put back.
    pub(super) fn move_to(&mut self, store: &Store, from: &Store) -> io::Result<()> {
        self.take_out_all(from)?;
        let mut all = Vec::new();
        for shelf in self.shelves.values_mut() {
            shelf.change();
            all.extend(shelf.calls.iter_mut().flatten());
        }
        // Side by side in the order of the list, because they are read together.
        all.sort_by_key(|call| call.listed_at());
        for calls in all.chunks_mut(READ_AT_ONCE) {
            let places = calls
                .iter()
                .flat_map(|call| [call.brief.kept, call.sketches]);
            let read = from.read_all(places)?;
            let kept = calls.iter().map(|call| read.kept(call.brief.kept));
            let kept = kept.map(|kept| Encoded::kept_again(&kept?));
            let kept = store.put_all(&kept.collect::<io::Result<Vec<_>>>()?)?;
            let sketches = calls.iter().map(|call| read.sketches(call.sketches));
            let sketches = sketches.map(|sketches| Encoded::sketches(&sketches?));
            let sketches = store.put_all(&sketches.collect::<io::Result<Vec<_>>>()?)?;
            for ((call, kept), sketches) in calls.iter_mut().zip(kept).zip(sketches) {
                call.place = store.put(&from.get(call.place)?)?;
                (call.brief.kept, call.sketches) = (kept, sketches);
            }
        }
        Ok(())
    }

    /// Puts those that have changed back on their shelves.
    pub(super) fn put_back(&mut self, store: &Store) -> io::Result<()> {
        self.shelves
            .retain(|_, shelf| shelf.calls.as_ref().is_none_or(|calls| !calls.is_empty()));
        let changed = self.shelves.values_mut();
        let changed = changed.filter(|shelf| shelf.place.is_none());
        let mut changed: Vec<&mut Shelf> = changed.collect();
        for shelves in changed.chunks_mut(READ_AT_ONCE) {
            let encoded = shelves.iter().map(|shelf| {
                let calls = shelf.calls.as_deref().unwrap_or_default();
                let sessions = calls.iter().flat_map(|call| call.sessions(&self.sessions));
                let sessions: Vec<u64> = sessions.copied().collect();
                Encoded::shelf(&OnShelf {
                    calls,
                    sessions: &sessions,
                })
            });
            let places = store.put_all(&encoded.collect::<io::Result<Vec<_>>>()?)?;
            for (shelf, place) in shelves.iter_mut().zip(places) {
                let calls = shelf.calls.as_deref().unwrap_or_default();
                shelf.n_calls = calls.len() as u64;
                shelf.entry_bytes = calls.iter().map(|call| u64::from(call.entry_bytes)).sum();
                shelf.stored_bytes = calls.iter().map(KnownCall::stored_bytes).sum();
                shelf.place = Some(place);
            }
        }
        Ok(())
    }
}

/// The shelves of `days`.
fn spots_of(days: &RangeInclusive<DayStart>) -> RangeInclusive<Spot> {
    let spot = |day: &DayStart, room| Spot {
        day: Reverse(*day),
        room,
    };
    spot(days.end(), 0)..=spot(days.start(), RoomNumber::MAX)
}

/// Takes out what is on `shelves` and was not yet. `spots`, `sessions`: see [`KnownCalls`].
fn take_out<'s>(
    shelves: impl Iterator<Item = (&'s Spot, &'s mut Shelf)>,
    spots: &mut HashMap<CallKey, (Spot, usize)>,
    sessions: &mut Vec<u64>,
    store: &Store,
) -> io::Result<()> {
    let closed = shelves.filter(|(_, shelf)| shelf.calls.is_none());
    let mut closed: Vec<(&Spot, &mut Shelf)> = closed.collect();
    let n_calls: u64 = closed.iter().map(|(_, shelf)| shelf.n_calls).sum();
    spots.reserve(usize::try_from(n_calls).map_err(io::Error::other)?);
    let read = store.read_all(closed.iter().filter_map(|(_, shelf)| shelf.place))?;
    for (spot, shelf) in &mut closed {
        let place = shelf.place.ok_or_else(damaged)?;
        let calls = unpacked(read.shelf(place)?, sessions).map_err(|_| damaged())?;
        let keys = calls.iter().map(|call| call.brief.key).zip(0..);
        spots.extend(keys.map(|(key, at)| (key, (**spot, at))));
        shelf.calls = Some(calls);
    }
    Ok(())
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
mod tests;
