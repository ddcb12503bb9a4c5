//! How often Daily is asked, over all threads. It must not know what for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::Error;

/// Requests in any second. Daily allows 20 a second and 100 in five seconds, to all who use the key.
const REQUESTS_MAX: usize = 15;
const WINDOW: Duration = Duration::from_secs(1);
/// Longest pause that Daily may impose on all requests: a slip of its clock must not silence us for a day.
const HOLD_MAX: Duration = Duration::from_secs(60);
/// A longer pause is waited out by whoever asked, not by a thread here.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    /// When the last requests went or will go, oldest first.
    taken: VecDeque<Instant>,
    /// Daily said: not before then.
    hold: Option<Instant>,
}

impl Pace {
    /// Waits for a turn.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`], at once, when the turn would come after `deadline` or too late to wait for.
    pub(super) fn wait(&self, deadline: Instant) -> Result<(), Error> {
        let now = Instant::now();
        let turn = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.reserve(now, deadline.min(now + WAIT_MAX))
        };
        match turn {
            Ok(at) => {
                std::thread::sleep(at.saturating_duration_since(now));
                Ok(())
            }
            Err(wait) => Err(Error::RateLimited {
                retry_after: Some(wait),
            }),
        }
    }

    /// Sends nothing for `pause`, at most a minute, because Daily asked for it.
    pub(super) fn hold(&self, pause: Duration) {
        let until = Instant::now() + pause.min(HOLD_MAX);
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.hold = slots.hold.max(Some(until));
    }
}

impl Slots {
    /// Takes the next free moment; the wait until then as the error when it lies after `deadline`.
    fn reserve(&mut self, now: Instant, deadline: Instant) -> Result<Instant, Duration> {
        let mut at = self.hold.map_or(now, |hold| hold.max(now));
        if self.taken.len() >= REQUESTS_MAX
            && let Some(oldest) = self.taken.front()
        {
            at = at.max(*oldest + WINDOW);
        }
        if deadline < at {
            return Err(at - now);
        }
        if self.taken.len() >= REQUESTS_MAX {
            self.taken.pop_front();
        }
        self.taken.push_back(at);
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_requests_than_allowed() {
        let start = Instant::now();
        let mut slots = Slots::default();
        let turns: Vec<Instant> = (0..100u32)
            .map(|n| {
                slots
                    .reserve(
                        start + Duration::from_millis(7) * n,
                        start + Duration::from_secs(60),
                    )
                    .unwrap()
            })
            .collect();
        assert_eq!(
            turns[REQUESTS_MAX - 1],
            start + Duration::from_millis(7) * 14,
            "the first go at once"
        );
        for window in turns.windows(REQUESTS_MAX + 1) {
            assert!(WINDOW <= window[REQUESTS_MAX] - window[0]);
        }
        assert!(
            turns[99] - start < Duration::from_secs(7),
            "and no slower than need be"
        );
    }

    #[test]
    fn a_turn_after_the_deadline_is_not_taken() {
        let start = Instant::now();
        let mut slots = Slots::default();
        for _ in 0..REQUESTS_MAX {
            slots.reserve(start, start).unwrap();
        }
        assert_eq!(slots.reserve(start, start + WINDOW / 2), Err(WINDOW));
        assert_eq!(
            slots.reserve(start, start + WINDOW),
            Ok(start + WINDOW),
            "the refused one left no trace"
        );
    }

    #[test]
    fn a_pause_that_daily_asked_for_holds_everyone() {
        let pace = Pace::default();
        pace.hold(Duration::from_secs(30));
        pace.hold(Duration::from_secs(10));
        let Err(Error::RateLimited {
            retry_after: Some(wait),
        }) = pace.wait(Instant::now() + HOLD_MAX)
        else {
            panic!("nobody may go");
        };
        assert!((29..=30).contains(&wait.as_secs()), "{wait:?}");
        pace.hold(Duration::MAX);
        let Err(Error::RateLimited {
            retry_after: Some(wait),
        }) = pace.wait(Instant::now() + HOLD_MAX * 2)
        else {
            panic!("nobody may go");
        };
        assert!(wait <= HOLD_MAX, "{wait:?}");
    }
}
