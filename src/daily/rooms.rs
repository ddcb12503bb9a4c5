//! Rooms already known, and one request for a name at a time. It must not know how a room is found.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Room;
use super::error::Error;

/// Rooms remembered; the one soonest stale makes room for the next.
const ROOMS_MAX: usize = 1024;
/// Grace for who waits on another's request, which ends at a deadline of its own.
const GRACE: Duration = Duration::from_secs(1);

/// A room and how long its address may be answered without asking again.
#[derive(Debug)]
pub(super) struct Minted {
    pub(super) room: Room,
    pub(super) fresh: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, Known>,
    under_way: HashMap<String, Arc<Flight>>,
}

#[derive(Debug)]
struct Known {
    room: Room,
    until: Instant,
}

/// A request that others wait for.
#[derive(Debug, Default)]
struct Flight {
    outcome: Mutex<Option<Result<Room, Error>>>,
    landed: Condvar,
}

impl Rooms {
    /// Returns the room when it is known, waits when someone else is at it, or calls `fetch`.
    pub(super) fn get_or(
        &self,
        name: &str,
        deadline: Instant,
        fetch: impl FnOnce() -> Result<Minted, Error>,
    ) -> Result<Room, Error> {
        let flight = {
            let mut state = lock(&self.0);
            if let Some(known) = state.known.get(name)
                && Instant::now() < known.until
            {
                return Ok(known.room.clone());
            }
            if let Some(flight) = state.under_way.get(name).map(Arc::clone) {
                drop(state);
                return flight.wait(deadline + GRACE);
            }
            let flight = Arc::new(Flight::default());
            state.under_way.insert(name.into(), Arc::clone(&flight));
            flight
        };
        // Lands the flight even if `fetch` panics: those who wait must not wait for nobody.
        let mut landing = Landing {
            rooms: self,
            name,
            flight: &flight,
            outcome: None,
        };
        let minted = fetch();
        if let Ok(minted) = &minted {
            lock(&self.0).remember(name, minted, Instant::now());
        }
        let outcome = minted.map(|minted| minted.room);
        landing.outcome = Some(outcome.clone());
        outcome
    }

    /// Whether the room is known, or somebody is at it.
    pub(super) fn has(&self, name: &str) -> bool {
        let state = lock(&self.0);
        let known = state.known.get(name);
        known.is_some_and(|known| Instant::now() < known.until)
            || state.under_way.contains_key(name)
    }
}

impl State {
    fn remember(&mut self, name: &str, minted: &Minted, now: Instant) {
        if self.known.len() >= ROOMS_MAX {
            self.known.retain(|_, known| now < known.until);
        }
        if self.known.len() >= ROOMS_MAX
            && let Some(stalest) = self
                .known
                .iter()
                .min_by_key(|(_, known)| known.until)
                .map(|(name, _)| name.clone())
        {
            self.known.remove(&stalest);
        }
        let known = Known {
            room: minted.room.clone(),
            until: now + minted.fresh,
        };
        self.known.insert(name.into(), known);
    }
}

impl Flight {
    fn wait(&self, deadline: Instant) -> Result<Room, Error> {
        let outcome = lock(&self.outcome);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self
            .landed
            .wait_timeout_while(outcome, left, |outcome| outcome.is_none());
        let (outcome, _) = waited.unwrap_or_else(PoisonError::into_inner);
        outcome.clone().unwrap_or(Err(Error::Timeout))
    }
}

struct Landing<'a> {
    rooms: &'a Rooms,
    name: &'a str,
    flight: &'a Flight,
    outcome: Option<Result<Room, Error>>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        lock(&self.rooms.0).under_way.remove(self.name);
        let given_up = || {
            Err(Error::Unreachable {
                reason: "the request was given up".into(),
            })
        };
        *lock(&self.flight.outcome) = Some(self.outcome.take().unwrap_or_else(given_up));
        self.flight.landed.notify_all();
    }
}

/// No code that can panic runs under these locks, so a poisoned one still holds sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> Room {
        Room {
            name: name.into(),
            url: format!("https://x/{name}"),
            meeting_token: None,
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn get(rooms: &Rooms, name: &str, fresh: Duration) -> bool {
        let mut fetched = false;
        let fetch = || {
            fetched = true;
            Ok(Minted {
                room: room(name),
                fresh,
            })
        };
        assert_eq!(rooms.get_or(name, soon(), fetch), Ok(room(name)));
        fetched
    }

    #[test]
    fn a_fresh_room_is_not_fetched_again_and_a_stale_one_is() {
        let rooms = Rooms::default();
        assert!(get(&rooms, "a", Duration::from_secs(60)));
        assert!(!get(&rooms, "a", Duration::from_secs(60)));
        assert!(get(&rooms, "b", Duration::ZERO));
        assert!(rooms.has("a") && !rooms.has("b") && !rooms.has("c"));
        assert!(get(&rooms, "b", Duration::ZERO));
    }

    #[test]
    fn an_error_is_not_remembered() {
        let rooms = Rooms::default();
        assert_eq!(
            rooms.get_or("a", soon(), || Err(Error::Auth)),
            Err(Error::Auth)
        );
        assert!(get(&rooms, "a", Duration::ZERO));
    }

    #[test]
    fn no_more_rooms_are_remembered_than_allowed_and_the_stalest_goes() {
        let rooms = Rooms::default();
        for n in 0..=ROOMS_MAX {
            let fresh = Duration::from_secs(if n == 7 { 60 } else { 120 });
            get(&rooms, &n.to_string(), fresh);
        }
        let state = lock(&rooms.0);
        assert_eq!((state.known.len(), state.under_way.len()), (ROOMS_MAX, 0));
        assert!(!state.known.contains_key("7") && state.known.contains_key("8"));
    }

    #[test]
    fn a_fetch_that_panics_leaves_nobody_waiting() {
        let rooms = Rooms::default();
        std::thread::scope(|scope| {
            let (started, ready) = std::sync::mpsc::channel();
            let rooms = &rooms;
            let leader = scope.spawn(move || {
                rooms.get_or("a", soon(), || {
                    started.send(()).unwrap();
                    // Until another thread shares the flight: this one, the table and the waiter hold it.
                    while lock(&rooms.0)
                        .under_way
                        .get("a")
                        .is_some_and(|flight| Arc::strong_count(flight) < 3)
                    {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    panic!("on purpose")
                })
            });
            ready.recv().unwrap();
            let waited = rooms.get_or("a", soon(), || panic!("someone is at it already"));
            assert!(
                matches!(waited, Err(Error::Unreachable { .. })),
                "{waited:?}"
            );
            leader.join().unwrap_err();
        });
        assert!(get(&rooms, "a", Duration::ZERO), "the name is free again");
    }
}
