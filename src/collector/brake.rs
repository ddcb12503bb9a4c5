//! A brake: so many in a time, a burst of them at once, for each key. One number a key (the generic cell rate
//! algorithm), a bounded table, the time told by the caller. Must not know what it slows down.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keys in a table; some 3 MB.
pub(crate) const KEYS_MAX: usize = 65_536;
/// Of a table that is full of keys in debt, this share makes room: a quarter at a time, so that a flood of new keys
/// costs each of them a constant.
const SHARE_KEPT: usize = 4;

/// For each key, when its debt is paid.
#[derive(Debug)]
pub(crate) struct Brake<K> {
    /// What one costs. `None`: no limit.
    interval: Option<Duration>,
    /// The debt that a key may have.
    burst: Duration,
    keys_max: usize,
    table: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash + Copy> Brake<K> {
    /// `n` in `time` for as long as one likes, `n_at_once` after a rest. An `n` of 0: no limit.
    pub(crate) fn new(n: u32, time: Duration, n_at_once: u32) -> Brake<K> {
        let interval = time.checked_div(n);
        Brake {
            interval,
            burst: interval.unwrap_or_default().saturating_mul(n_at_once),
            keys_max: KEYS_MAX,
            table: Mutex::default(),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// How long until there is one, where there is none.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let Some(interval) = self.interval else {
            return Ok(());
        };
        let mut table = self.lock();
        let paid = table.get(&key).map_or(now, |paid| (*paid).max(now)) + interval;
        let wait = paid.saturating_duration_since(now + self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        if table.len() >= self.keys_max && !table.contains_key(&key) {
            make_room(&mut table, self.keys_max, now);
        }
        table.insert(key, paid);
        Ok(())
    }

    /// How long until there is one to take; takes none.
    pub(crate) fn wait(&self, key: K, now: Instant) -> Duration {
        let Some(interval) = self.interval else {
            return Duration::ZERO;
        };
        let debt = self.debt(key, now);
        (debt + interval).saturating_sub(self.burst)
    }

    /// How long until a key is as good as new.
    pub(crate) fn debt(&self, key: K, now: Instant) -> Duration {
        let paid = self.lock().get(&key).copied();
        paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        // Nothing that panics runs under this lock, so what a poisoned one guards is whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys without debt are as good as absent. Should that not suffice, those with the least go: who is being held back
/// has the most, and a flood of other keys does not set it free.
fn make_room<K: Eq + Hash + Copy>(table: &mut HashMap<K, Instant>, keys_max: usize, now: Instant) {
    table.retain(|_, paid| now < *paid);
    let n_kept = keys_max - keys_max.div_ceil(SHARE_KEPT);
    if table.len() <= n_kept {
        return;
    }
    let mut all: Vec<(K, Instant)> = table.drain().collect();
    let n_gone = all.len() - n_kept;
    all.select_nth_unstable_by_key(n_gone, |(_, paid)| *paid);
    table.extend(all.drain(n_gone..));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_then_a_rate_and_after_a_rest_a_burst_again() {
        let brake = Brake::new(2, SECOND, 10);
        let start = Instant::now();
        let burst = |at: Instant| (0..100).take_while(|_| brake.take("a", at).is_ok()).count();
        assert_eq!(burst(start), 10);
        assert_eq!(brake.take("a", start), Err(SECOND / 2));
        assert_eq!(brake.wait("a", start), SECOND / 2);
        assert_eq!(
            brake.take("b", start),
            Ok(()),
            "another key is another matter"
        );
        // Refused tries cost nothing: the promise about the wait holds.
        assert_eq!(burst(start + SECOND / 2), 1);
        assert_eq!(burst(start + 3 * SECOND), 5);
        assert_eq!(burst(start + 3600 * SECOND), 10);
        assert_eq!(brake.debt("a", start + 3600 * SECOND), 5 * SECOND);
        assert_eq!(brake.wait("never", start), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_stands_still_or_was_earlier_is_no_harm() {
        let brake = Brake::new(1, SECOND, 1);
        let start = Instant::now() + SECOND;
        brake.take("a", start).unwrap();
        assert_eq!(brake.take("a", start - SECOND), Err(2 * SECOND));
    }

    #[test]
    fn zero_is_no_limit() {
        let brake = Brake::new(0, SECOND, 0);
        let now = Instant::now();
        assert!((0..10_000).all(|_| brake.take("a", now).is_ok()));
        assert_eq!(brake.wait("a", now), Duration::ZERO);
    }

    #[test]
    fn a_flood_of_keys_fills_no_memory_and_frees_nobody() {
        let brake = Brake {
            keys_max: 1_000,
            ..Brake::new(1, SECOND, 10)
        };
        let now = Instant::now();
        while brake.take(u32::MAX, now).is_ok() {}
        for key in 0..100_000 {
            brake.take(key, now).unwrap();
            assert!(brake.lock().len() <= 1_000);
        }
        assert_eq!(brake.take(u32::MAX, now), Err(SECOND), "still held back");
        assert!(750 <= brake.lock().len());
        // Once the debts are paid, the next sweep throws them all away.
        let later = now + 60 * SECOND;
        for key in 0..1_000 {
            brake.take(key, later).unwrap();
        }
        assert!(brake.lock().len() <= 1_000);
    }

    #[test]
    fn a_flood_of_keys_costs_each_of_them_little() {
        let brake = Brake::new(1, 3600 * SECOND, 10);
        let now = Instant::now();
        let started = Instant::now();
        for key in 0..4 * KEYS_MAX {
            brake.take(key, now).unwrap();
        }
        // Sorting the table out for each would take minutes.
        assert!(started.elapsed() < 20 * SECOND, "{:?}", started.elapsed());
    }
}
