//! When the log is due to be rotated, and how: by a rename, between two batches. It must lose no line and refuse none:
//! what fails is undone, and the log goes on as it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::medium::Medium;
use crate::log::rotated::{self, Mark};
use crate::plain::with_causes;

const DAY_S: i64 = 86_400;

/// When to rotate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Before the log grows beyond so many bytes. A batch that alone is longer has a log of its own.
    pub size_bytes: Option<u64>,
    /// Before the first line of a day, UTC.
    pub daily: bool,
}

pub(super) struct Schedule {
    rotation: Rotation,
    /// Day of the log's last line, since the epoch.
    day: i64,
    retry_gap: Duration,
    failed: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(rotation: Rotation, retry_gap: Duration) -> Schedule {
        Schedule {
            rotation,
            day: 0,
            retry_gap,
            failed: None,
        }
    }

    /// A log was opened: `written_s` is when its last line came, `None` for an empty one.
    pub(super) fn opened(&mut self, written_s: Option<i64>, now_s: i64) {
        self.day = written_s.unwrap_or(now_s).div_euclid(DAY_S);
    }

    pub(super) fn failed(&mut self) {
        self.failed = Some(Instant::now());
    }

    /// Whether a log of `len` bytes is to be rotated before `more` are appended. However the clock jumps, a day that
    /// is not the one before makes this true once.
    pub(super) fn is_due(&mut self, len: u64, more: u64, now_s: i64) -> bool {
        let today = now_s.div_euclid(DAY_S);
        if len == 0 {
            self.day = today;
            return false;
        }
        let is_full = |max| max < len.saturating_add(more);
        let due = self.rotation.size_bytes.is_some_and(is_full)
            || self.rotation.daily && today != self.day;
        due && self.failed.is_none_or(|at| self.retry_gap <= at.elapsed())
    }
}

/// Renames the log to the next segment's name, after `last`; returns where it lay and what it is called now.
pub(super) fn set_aside(
    log: &Path,
    medium: &mut dyn Medium,
    now_s: i64,
    last: &mut Option<Mark>,
) -> io::Result<(PathBuf, PathBuf)> {
    let real = rotated::real_path(log)?;
    let segment = rotated::next_path(&real, now_s, last)?;
    medium.rename(&real, &segment)?;
    Ok((real, segment))
}

/// Sets the log aside and begins a fresh one. After an error the log is where it was; if not even that can be, the
/// second value is `true` and the handle must not be used.
pub(super) fn rotate(
    log: &Path,
    medium: &mut dyn Medium,
    now_ms: u64,
    last: &mut Option<Mark>,
) -> Result<Handle, (String, bool)> {
    let (real, segment) = set_aside(log, medium, seconds(now_ms), last)
        .map_err(|cause| (cause.to_string(), false))?;
    match Handle::open(log, medium, now_ms) {
        Ok((handle, _)) => Ok(handle),
        Err(cause) => {
            // Back to where it was, unless another program has put something there.
            let is_free = fs::metadata(&real).map_or(true, |found| found.len() == 0);
            let is_lost = !is_free || medium.rename(&segment, &real).is_err();
            Err((with_causes(&cause), is_lost))
        }
    }
}

pub(super) fn seconds(now_ms: u64) -> i64 {
    i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(size_bytes: Option<u64>, daily: bool) -> Schedule {
        let mut schedule = Schedule::new(Rotation { size_bytes, daily }, Duration::MAX);
        schedule.opened(None, 0);
        schedule
    }

    #[test]
    fn a_log_may_be_as_long_as_its_size_and_an_empty_one_stays() {
        let mut schedule = schedule(Some(10), false);
        assert!(!schedule.is_due(0, 100, 0));
        assert!(!schedule.is_due(6, 4, 0));
        assert!(schedule.is_due(6, 5, 0));
        assert!(schedule.is_due(u64::MAX, u64::MAX, 0));
        schedule.failed();
        assert!(!schedule.is_due(6, 5, 0), "not on each batch");
    }

    #[test]
    fn each_change_of_the_day_is_due_once() {
        let mut schedule = schedule(None, true);
        let year = 366 * DAY_S;
        let (mut due, mut now) = (0, 0);
        for step in [
            0,
            5,
            DAY_S,
            5,
            year,
            5,
            -2 * year,
            5,
            i64::MAX,
            0,
            i64::MIN,
            0,
        ] {
            now = step.saturating_add(now);
            for _ in 0..3 {
                if schedule.is_due(1, 1, now) {
                    due += 1;
                    schedule.opened(None, now);
                }
            }
        }
        assert_eq!(due, 5);
    }

    #[test]
    fn a_log_of_another_day_is_due_at_its_first_line() {
        let mut schedule = schedule(None, true);
        schedule.opened(Some(DAY_S - 1), DAY_S);
        assert!(schedule.is_due(1, 1, DAY_S));
        schedule.opened(Some(DAY_S), DAY_S);
        assert!(!schedule.is_due(1, 1, DAY_S));
    }
}
