//! The calls of each room in order of time: which one a page leads to next.

use super::brief::RoomNumber;
use crate::call::CallKey;
use std::cmp::Reverse;

/// The call before and the call after one, in its room.
pub(super) type Sides = (Option<CallKey>, Option<CallKey>);

/// A call among those of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InRoom {
    pub(super) room: RoomNumber,
    /// By time, of the same time as in the list of calls.
    pub(super) start_ms: Option<i64>,
    pub(super) key: Reverse<CallKey>,
    /// What stands for the calls that its page leads to now, see [`trail`]. `None`: it has no page yet.
    pub(super) trail: Option<u64>,
}

/// What stands for the calls before and after one: another number where they are others.
pub(super) fn trail((earlier, later): Sides) -> u64 {
    let bits = |key: Option<CallKey>| key.map_or(0, CallKey::bits);
    bits(earlier).rotate_left(1) ^ bits(later)
}

/// Of `calls`, which are all of their rooms, each with those beside it.
pub(super) fn neighbours(mut calls: Vec<InRoom>) -> impl Iterator<Item = (InRoom, Sides)> {
    calls.sort_unstable();
    (0..calls.len()).map(move |at| {
        let own = calls[at];
        let key = |at: usize| {
            let other = calls.get(at).filter(|other| other.room == own.room)?;
            Some(other.key.0)
        };
        (own, (at.checked_sub(1).and_then(key), key(at + 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn calls_lead_to_those_before_and_after_them_in_their_room() {
        let [a, b, c, other] = ["a", "b", "c", "d"].map(|one| CallKey::of("room", one));
        let calls = [
            (0, Some(3), c),
            (0, None, a),
            (1, Some(2), other),
            (0, Some(1), b),
        ];
        let calls = calls.map(|(room, start_ms, key)| InRoom {
            room,
            start_ms,
            key: Reverse(key),
            trail: None,
        });
        let sides = |calls: Vec<InRoom>| -> HashMap<CallKey, Sides> {
            let all = neighbours(calls);
            all.map(|(call, sides)| (call.key.0, sides)).collect()
        };
        let all = sides(calls.to_vec());
        assert_eq!(all[&b], (Some(a), Some(c)));
        assert_eq!(all[&a], (None, Some(b)));
        assert_eq!(all[&other], (None, None));
        let fewer = sides(calls.into_iter().filter(|call| call.key.0 != a).collect());
        let differ = [b, c, other].map(|one| trail(all[&one]) != trail(fewer[&one]));
        assert_eq!(differ, [true, false, false]);
    }
}
