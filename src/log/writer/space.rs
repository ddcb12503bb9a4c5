//! How much of the disk is left to others: looks now and then, cheaply, and says when the log must not take more.

use std::time::{Duration, Instant};

/// Least time between two looks, unless what was written since may have used the room up.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) struct Space {
    /// Bytes to leave free; 0 is no floor.
    floor: u64,
    seen: Option<Seen>,
}

struct Seen {
    at: Instant,
    /// `None` where the file system cannot tell.
    free: Option<u64>,
    written_since: u64,
}

impl Space {
    pub(super) fn new(floor: u64) -> Space {
        Space { floor, seen: None }
    }

    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Free bytes as last seen.
    pub(super) fn free(&self) -> Option<u64> {
        self.seen.as_ref()?.free
    }

    /// Notes that the log took `bytes`.
    pub(super) fn took(&mut self, bytes: u64) {
        if let Some(seen) = &mut self.seen {
            seen.written_since = seen.written_since.saturating_add(bytes);
        }
    }

    /// Returns the free bytes where they are fewer than the floor. `look` asks the file system.
    pub(super) fn shortage(&mut self, look: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let seen = self.seen.take().filter(|seen| {
            let used_up = seen.free.is_some_and(|free| {
                self.floor <= free && free.saturating_sub(seen.written_since) < self.floor
            });
            seen.at.elapsed() < LOOK_EVERY && !used_up
        });
        let seen = seen.unwrap_or_else(|| Seen {
            at: Instant::now(),
            free: look(),
            written_since: 0,
        });
        let free = seen.free;
        self.seen = Some(seen);
        free.filter(|free| *free < self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_seldom_and_at_once_when_the_room_may_be_used_up() {
        let mut space = Space::new(100);
        assert_eq!(space.shortage(|| Some(150)), None);
        assert_eq!(space.shortage(|| unreachable!("just seen")), None);
        space.took(50);
        assert_eq!(space.shortage(|| unreachable!("the floor is whole")), None);
        space.took(1);
        assert_eq!(space.shortage(|| Some(99)), Some(99));
        assert_eq!(space.shortage(|| unreachable!("just seen")), Some(99));
        assert_eq!(space.free(), Some(99));
        std::thread::sleep(LOOK_EVERY);
        assert_eq!(space.shortage(|| Some(100)), None);
    }

    #[test]
    fn without_a_floor_or_an_answer_nothing_is_short() {
        assert_eq!(Space::new(0).shortage(|| Some(0)), None);
        assert_eq!(Space::new(u64::MAX).shortage(|| None), None);
    }
}
