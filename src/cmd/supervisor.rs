//! What systemd is told: when it is ready, how it is, when it stops, and that it is alive, as long as it is. The door to `sd-notify`.
//! Without a supervisor that listens nothing happens. Must never tell that all is well without having asked.

use super::Failure;
use crate::plain::one_line;
use sd_notify::NotifyState;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Where systemd listens.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
/// How often the state is looked at where no watchdog waits for it.
const INTERVAL: Duration = Duration::from_secs(10);
/// Signs of life in the time that the watchdog waits for one.
const SIGNS: u32 = 3;
/// How long the end waits for a look that is under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the collector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It serves; more in words.
    Alive(String),
    /// It serves nobody, and why.
    Dead(String),
}

/// The line to systemd; nothing where there is none.
pub(super) struct Supervisor(Option<Line>);

struct Line {
    /// Dropped to end the thread.
    stop: Sender<()>,
    /// Closed once it has ended.
    ended: Receiver<()>,
}

impl Supervisor {
    /// Tells that all is ready, and from now on what `health` says.
    pub(super) fn ready(
        health: impl Fn() -> Health + Send + 'static,
    ) -> Result<Supervisor, Failure> {
        if std::env::var_os(SOCKET_VARIABLE).is_none() {
            return Ok(Supervisor(None));
        }
        tell(&[NotifyState::Ready]);
        let (stop, stopped) = channel();
        let (end, ended) = channel();
        let watchdog = sd_notify::watchdog_enabled();
        let interval = watchdog.map_or(INTERVAL, |wait| wait / SIGNS);
        std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || {
                let _end = end;
                keep_telling(interval, watchdog.is_some(), &stopped, health, tell);
            })
            .map_err(|cause| {
                let error = anyhow::Error::new(cause);
                Failure::without_hint(error.context("cannot start the thread of the supervisor"))
            })?;
        Ok(Supervisor(Some(Line { stop, ended })))
    }

    /// Tells that the end has begun.
    pub(super) fn stopping(self) {
        let Some(line) = self.0 else { return };
        drop(line.stop);
        let _ = line.ended.recv_timeout(PATIENCE);
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }
}

/// A supervisor that cannot be told finds out by itself.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

/// Tells the state whenever it has changed, and a sign of life after each look at a collector that is alive.
fn keep_telling(
    interval: Duration,
    has_watchdog: bool,
    stopped: &Receiver<()>,
    health: impl Fn() -> Health,
    tell: impl Fn(&[NotifyState<'_>]),
) {
    let mut told = None;
    loop {
        let now = health();
        let (is_alive, words) = match &now {
            Health::Alive(words) => (true, words),
            Health::Dead(words) => (false, words),
        };
        // A line end would begin another message.
        let words = one_line(words);
        let mut state = Vec::new();
        if has_watchdog && is_alive {
            state.push(NotifyState::Watchdog);
        }
        if told.as_ref() != Some(&now) {
            state.push(NotifyState::Status(&words));
        }
        if !state.is_empty() {
            tell(&state);
        }
        told = Some(now);
        if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What is told of `states`, one look each.
    fn told(states: &[Health], has_watchdog: bool) -> Vec<String> {
        let (stop, stopped) = channel();
        let stop = RefCell::new(Some(stop));
        let left = RefCell::new(states.iter());
        let said = RefCell::new(Vec::new());
        let health = || {
            let mut left = left.borrow_mut();
            let state = left.next().unwrap().clone();
            if left.len() == 0 {
                stop.borrow_mut().take();
            }
            state
        };
        let tell = |state: &[NotifyState<'_>]| {
            let words: Vec<String> = state.iter().map(ToString::to_string).collect();
            said.borrow_mut().push(words.join(" "));
        };
        keep_telling(
            Duration::from_millis(1),
            has_watchdog,
            &stopped,
            health,
            tell,
        );
        said.into_inner()
    }

    #[test]
    fn signs_of_life_are_those_of_a_collector_that_is_alive() {
        let well = || Health::Alive("well".into());
        let ill = Health::Alive("no\ndisk".into());
        let dead = || Health::Dead("deaf".into());
        assert_eq!(
            told(&[well(), well(), ill, dead(), dead(), well()], true),
            [
                "WATCHDOG=1 STATUS=well",
                "WATCHDOG=1",
                "WATCHDOG=1 STATUS=no\\ndisk",
                "STATUS=deaf",
                "WATCHDOG=1 STATUS=well"
            ]
        );
        assert_eq!(
            told(&[well(), well(), dead()], false),
            ["STATUS=well", "STATUS=deaf"]
        );
    }
}
