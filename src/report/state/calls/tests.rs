//! Calls are as they were put, wherever they lie.

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
        calls.of_days(&day, |_| true).is_err(),
        "those of the other room are not there"
    );
    calls.take_out_days(&day, &store).unwrap();
    let of_day = [10, 7, 4, 1].map(|nth| Some(DAY_MS + nth));
    assert_eq!(starts(&calls.of_days(&day, |_| true).unwrap()), of_day);
    calls.take_out_all(&store).unwrap();
    let all = starts(&calls.of_days(&(None..=Some(2 * DAY_MS)), |_| true).unwrap());
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
