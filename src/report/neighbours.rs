//! The calls of each room in order of time: which one a page leads to next.

use super::brief::RoomNumber;
use crate::call::CallKey;
use std::cmp::Reverse;
use std::collections::HashMap;

/// The call before and the call after one, in its room.
pub(super) type Sides = (Option<CallKey>, Option<CallKey>);

/// Of all calls of some rooms.
#[derive(Debug)]
pub(super) struct Neighbours(HashMap<CallKey, Sides>);

impl Neighbours {
    /// `calls`: room and start of all calls of these rooms.
    pub(super) fn new(
        calls: impl Iterator<Item = (RoomNumber, Option<i64>, CallKey)>,
    ) -> Neighbours {
        // By time, of the same time as in the list of calls.
        type InRoom = Vec<(Option<i64>, Reverse<CallKey>)>;
        let mut by_room: HashMap<RoomNumber, InRoom> = HashMap::new();
        for (room, start, key) in calls {
            by_room.entry(room).or_default().push((start, Reverse(key)));
        }
        let mut neighbours = HashMap::with_capacity(by_room.values().map(Vec::len).sum());
        for mut calls in by_room.into_values() {
            calls.sort_unstable();
            let key = |at: usize| calls.get(at).map(|(_, Reverse(key))| *key);
            for (at, (_, Reverse(own))) in calls.iter().enumerate() {
                let earlier = at.checked_sub(1).and_then(key);
                neighbours.insert(*own, (earlier, key(at + 1)));
            }
        }
        Neighbours(neighbours)
    }

    /// What stands for the calls before and after it: another number where they are others.
    pub(super) fn trail_of(&self, call: CallKey) -> u64 {
        let (earlier, later) = self.of(call);
        let bits = |key: Option<CallKey>| key.map_or(0, CallKey::bits);
        bits(earlier).rotate_left(1) ^ bits(later)
    }

    /// The calls before and after it in its room.
    pub(super) fn of(&self, call: CallKey) -> Sides {
        self.0.get(&call).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_lead_to_those_before_and_after_them_in_their_room() {
        let [a, b, c, other] = ["a", "b", "c", "d"].map(|one| CallKey::of("room", one));
        let calls = [
            (0, Some(3), c),
            (0, None, a),
            (1, Some(2), other),
            (0, Some(1), b),
        ];
        let neighbours = Neighbours::new(calls.into_iter());
        assert_eq!(neighbours.of(b), (Some(a), Some(c)));
        assert_eq!(neighbours.of(a), (None, Some(b)));
        assert_eq!(neighbours.of(other), (None, None));
        let trails: Vec<u64> = [a, b, c, other].map(|one| neighbours.trail_of(one)).into();
        let fewer = Neighbours::new(calls.into_iter().filter(|(.., key)| *key != a));
        let changed = [a, b, c, other].map(|one| fewer.trail_of(one));
        let differ: Vec<bool> = trails.iter().zip(changed).map(|(a, b)| *a != b).collect();
        assert_eq!(differ, [true, true, false, false]);
    }
}
