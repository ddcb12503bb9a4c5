//! All calls of a report while it is built: found by what they are, by their rooms, and at the end in the order of the list.

use super::brief::RoomNumber;
use super::state::KnownCall;
use crate::call::CallKey;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// All calls that are known. A call keeps its place among them as long as it is built.
#[derive(Debug, Default)]
pub(super) struct AllCalls {
    rooms: Vec<String>,
    room_numbers: HashMap<String, RoomNumber>,
    calls: Vec<KnownCall>,
    places: HashMap<CallKey, u32>,
    /// See [`KnownCall::sessions`].
    sessions: Vec<u64>,
}

/// All calls as they are remembered.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) rooms: Vec<String>,
    /// Newest first; those of one instant by id.
    pub(super) calls: Vec<KnownCall>,
    pub(super) sessions: Vec<u64>,
}

impl AllCalls {
    pub(super) fn new(rooms: Vec<String>, calls: Vec<KnownCall>, sessions: Vec<u64>) -> AllCalls {
        let places = calls.iter().enumerate();
        AllCalls {
            room_numbers: rooms.iter().cloned().zip(0..).collect(),
            places: places
                .map(|(at, call)| (call.brief.key, at as u32))
                .collect(),
            rooms,
            calls,
            sessions,
        }
    }

    /// The number of a room, which may be new.
    pub(super) fn room(&mut self, room: &str) -> RoomNumber {
        if let Some(number) = self.room_numbers.get(room) {
            return *number;
        }
        let number = self.rooms.len() as RoomNumber;
        self.rooms.push(room.to_owned());
        self.room_numbers.insert(room.to_owned(), number);
        number
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, KnownCall> {
        self.calls.iter()
    }

    pub(super) fn get(&self, key: CallKey) -> Option<&KnownCall> {
        self.calls.get(*self.places.get(&key)? as usize)
    }

    pub(super) fn at(&self, place: usize) -> &KnownCall {
        &self.calls[place]
    }

    /// Places of all calls of some rooms.
    pub(super) fn in_rooms(&self, rooms: &HashSet<RoomNumber>) -> Vec<usize> {
        let mut is_one = vec![false; self.rooms.len()];
        for room in rooms {
            is_one[*room as usize] = true;
        }
        let places = self.calls.iter().enumerate();
        let places = places.filter(|(_, call)| is_one[call.brief.room as usize]);
        places.map(|(at, _)| at).collect()
    }

    /// [`crate::call::session_key`] of everybody in it.
    pub(super) fn sessions_of(&self, call: &KnownCall) -> &[u64] {
        call.sessions(&self.sessions)
    }

    /// Puts a call in the place of what was known of it, or behind all others.
    pub(super) fn put(&mut self, mut call: KnownCall, sessions: Vec<u64>) {
        call.first_session = self.sessions.len() as u32;
        call.n_sessions = sessions.len() as u32;
        self.sessions.extend(sessions);
        match self.places.get(&call.brief.key) {
            Some(at) => self.calls[*at as usize] = call,
            None => {
                self.places.insert(call.brief.key, self.calls.len() as u32);
                self.calls.push(call);
            }
        }
    }

    /// As they are listed and remembered.
    pub(super) fn listed(self) -> Listed {
        let AllCalls {
            rooms,
            mut calls,
            sessions: all,
            ..
        } = self;
        let id = |call: &KnownCall| call.brief.key.id(&rooms[call.brief.room as usize]);
        calls.sort_by(|a, b| {
            let start = |call: &KnownCall| Reverse(call.brief.start_ms());
            start(a).cmp(&start(b)).then_with(|| id(a).cmp(&id(b)))
        });
        // Those of calls that were replaced are left behind.
        let mut sessions = Vec::with_capacity(all.len());
        for call in &mut calls {
            let first = sessions.len() as u32;
            sessions.extend_from_slice(call.sessions(&all));
            call.first_session = first;
        }
        Listed {
            rooms,
            calls,
            sessions,
        }
    }
}
