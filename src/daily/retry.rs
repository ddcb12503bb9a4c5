//! Patience with Daily: a few tries, longer and longer apart, all before one deadline.
//!
//! Every request may be repeated: names are unique, so a second create finds what the first one made.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::{Answer, Api, Failed, Method};
use super::error::Error;
use super::pace::{Pace, WAIT_MAX};

/// One call of a user: several requests, one deadline, one store of patience.
pub(super) struct Call<'a> {
    api: &'a Api,
    pace: &'a Pace,
    /// Pauses left; when there are none, the next failure is final.
    pauses: &'a [Duration],
    try_timeout: Duration,
    deadline: Instant,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        api: &'a Api,
        pace: &'a Pace,
        pauses: &'a [Duration],
        try_timeout: Duration,
        deadline: Instant,
    ) -> Call<'a> {
        Call {
            api,
            pace,
            pauses,
            try_timeout,
            deadline,
        }
    }

    /// Sends a request until it is answered, for better or worse.
    pub(super) fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        loop {
            self.pace.wait(self.deadline)?;
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout);
            }
            match self
                .api
                .send(method, path, body, left.min(self.try_timeout))
            {
                Ok(answer) => return Ok(answer),
                Err(failed) => self.pause(failed)?,
            }
        }
    }

    /// Waits before the next try, or returns the error when there is none.
    fn pause(&mut self, failed: Failed) -> Result<(), Error> {
        let Failed {
            error,
            again,
            retry_after,
        } = failed;
        if let (Error::RateLimited { .. }, Some(pause)) = (&error, retry_after) {
            self.pace.hold(pause);
        }
        let Some((pause, rest)) = self.pauses.split_first().filter(|_| again) else {
            return Err(error);
        };
        let pause = pause
            .mul_f64(0.75 + fastrand::f64() / 2.0)
            .max(retry_after.unwrap_or_default());
        if pause > WAIT_MAX || self.deadline <= Instant::now() + pause {
            return Err(error);
        }
        self.pauses = rest;
        sleep(pause);
        Ok(())
    }
}
