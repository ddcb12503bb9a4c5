//! How much one client, and all together, may ask for: beacons, rooms, guesses at the password. Whoever has no address
//! here (this machine) is not held back by limits per address. Must not answer: it says how long to wait.

use super::brake::Brake;
use super::client::Client;
use crate::config;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Beacons at once, for each that may come in a second: after a cut of the network many pages come back together.
const BEACONS_AT_ONCE: u32 = 10;
/// The same for one page. What it kept comes one by one.
const BEACONS_OF_PAGE_AT_ONCE: u32 = 30;
/// Wrong passwords in a minute: from one address, and from all together before each has but one.
const GUESSES: u32 = 10;
const GUESSES_TOTAL: u32 = 100;

/// The nonce of a page token.
pub(crate) type Nonce = [u8; 12];

/// All brakes.
#[derive(Debug)]
pub(crate) struct Limits {
    beacons: Brake<IpAddr>,
    beacons_of_page: Brake<Nonce>,
    rooms: Brake<IpAddr>,
    rooms_total: Brake<()>,
    guesses: Brake<IpAddr>,
    guesses_total: Brake<()>,
}

impl Limits {
    pub(crate) fn new(send: &config::Send, rooms: &config::Rooms) -> Limits {
        let (per_address, per_page) = (send.rate_per_address, send.rate_per_token);
        let at_once = per_address.saturating_mul(BEACONS_AT_ONCE);
        let at_once_of_page = per_page.saturating_mul(BEACONS_OF_PAGE_AT_ONCE);
        Limits {
            beacons: Brake::new(per_address, SECOND, at_once),
            beacons_of_page: Brake::new(per_page, SECOND, at_once_of_page),
            rooms: Brake::new(rooms.per_minute, MINUTE, rooms.per_minute),
            rooms_total: Brake::new(rooms.per_minute_total, MINUTE, rooms.per_minute_total),
            guesses: Brake::new(GUESSES, MINUTE, GUESSES),
            guesses_total: Brake::new(GUESSES_TOTAL, MINUTE, GUESSES_TOTAL),
        }
    }

    /// One beacon of a client.
    ///
    /// # Errors
    ///
    /// How long to wait; so do the others.
    pub(crate) fn beacon(&self, client: Client, now: Instant) -> Result<(), Duration> {
        client.key.map_or(Ok(()), |key| self.beacons.take(key, now))
    }

    /// One beacon with the page token of this nonce.
    pub(crate) fn beacon_of_page(&self, nonce: Nonce, now: Instant) -> Result<(), Duration> {
        self.beacons_of_page.take(nonce, now)
    }

    /// One room that Daily has to be asked for.
    pub(crate) fn room(&self, client: Client, now: Instant) -> Result<(), Duration> {
        client.key.map_or(Ok(()), |key| self.rooms.take(key, now))?;
        self.rooms_total.take((), now)
    }

    /// Whether a client may try a password. While very many wrong ones come from everywhere, who was wrong just before
    /// waits longer; who was not is never held back by others.
    pub(crate) fn may_guess(&self, client: Client, now: Instant) -> Result<(), Duration> {
        let Some(key) = client.guess_key() else {
            return Ok(());
        };
        let mut wait = self.guesses.wait(key, now);
        if !self.guesses_total.wait((), now).is_zero() {
            wait = wait.max(self.guesses.debt(key, now));
        }
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// A client was wrong.
    pub(crate) fn guessed_wrong(&self, client: Client, now: Instant) {
        if let Some(key) = client.guess_key() {
            let _ = self.guesses.take(key, now);
            let _ = self.guesses_total.take((), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u32) -> Client {
        Client {
            key: Some(IpAddr::V4(n.into())),
            is_proxied: false,
            is_masked: false,
        }
    }

    const HERE: Client = Client {
        key: None,
        is_proxied: false,
        is_masked: false,
    };

    fn limits() -> Limits {
        let send = config::Send {
            allow_origins: Vec::new(),
            rate_per_address: 100,
            rate_per_token: 2,
            page_tokens: config::PageTokens::Off,
        };
        let rooms = config::Rooms {
            daily: None,
            daily_token_misnamed: None,
            frame_origins: Vec::new(),
            per_minute: 10,
            per_minute_total: 60,
            pattern: None,
        };
        Limits::new(&send, &rooms)
    }

    fn n_until_refused(mut one: impl FnMut() -> Result<(), Duration>) -> usize {
        (0..100_000).take_while(|_| one().is_ok()).count()
    }

    #[test]
    fn each_has_a_share_and_all_together_have_one() {
        let (limits, now) = (limits(), Instant::now());
        assert_eq!(n_until_refused(|| limits.beacon(client(1), now)), 1_000);
        assert_eq!(n_until_refused(|| limits.beacon_of_page([1; 12], now)), 60);
        assert_eq!(n_until_refused(|| limits.room(client(1), now)), 10);
        assert_eq!(limits.room(client(1), now), Err(MINUTE / 10));
        for n in 2..7 {
            assert_eq!(n_until_refused(|| limits.room(client(n), now)), 10);
        }
        assert_eq!(limits.room(client(7), now), Err(SECOND), "60 in all");
        assert_eq!(limits.room(client(7), now + SECOND), Ok(()));
    }

    #[test]
    fn this_machine_is_held_back_by_the_common_limit_alone() {
        let (limits, now) = (limits(), Instant::now());
        assert_eq!(n_until_refused(|| limits.beacon(HERE, now)), 100_000);
        assert_eq!(n_until_refused(|| limits.room(HERE, now)), 60);
        limits.guessed_wrong(HERE, now);
        assert_eq!(n_until_refused(|| limits.may_guess(HERE, now)), 100_000);

        // A proxy on this machine that nobody named: the world may stand behind it.
        let masked = Client {
            is_masked: true,
            ..HERE
        };
        assert_eq!(n_until_refused(|| limits.beacon(masked, now)), 100_000);
        let wrong = || {
            limits.may_guess(masked, now)?;
            limits.guessed_wrong(masked, now);
            Ok(())
        };
        assert_eq!(n_until_refused(wrong), 10);
        assert_eq!(limits.may_guess(HERE, now), Ok(()));
    }

    #[test]
    fn who_guesses_waits_and_nobody_else() {
        let (limits, now) = (limits(), Instant::now());
        let wrong = |n: u32, at: Instant| {
            limits.may_guess(client(n), at).is_ok() && {
                limits.guessed_wrong(client(n), at);
                true
            }
        };
        assert_eq!((0..50).filter(|_| wrong(1, now)).count(), 10);
        assert_eq!(limits.may_guess(client(1), now), Err(MINUTE / 10));
        assert_eq!(limits.may_guess(client(2), now), Ok(()));
        // From everywhere at once: after a hundred, one each, and still one for whoever was never wrong.
        let n_right: usize = (100..1_100)
            .map(|n| (0..50).filter(|_| wrong(n, now)).count())
            .sum();
        assert!(n_right < 1_200, "{n_right}");
        assert_eq!(limits.may_guess(client(2), now), Ok(()));
        assert_eq!(limits.may_guess(client(500), now + MINUTE), Ok(()));
    }
}
