//! Why there is no room, in words for a person. It must not hold the token.

use std::time::Duration;

/// Why there is no room. Clonable: everyone who waits for one name hears the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Daily does not accept the API key, or does not let it see this room (401, 403). Trying again is of no use.
    #[error("Daily refused the API key")]
    Auth,
    /// Too many requests, by Daily's count or by our own limit below it.
    #[error("Daily is asked too often")]
    RateLimited {
        /// When to come back; `None` when Daily did not say.
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    #[error("Daily did not answer in time")]
    Timeout,
    /// Daily answered, and the answer is no: the request is at fault (4xx) or Daily is (5xx).
    #[error("Daily answered with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Daily's own words, or what stands for them; one line, shortened.
        message: String,
    },
    /// There was no answer: no connection, or it broke.
    #[error("cannot reach Daily: {reason}")]
    Unreachable {
        /// What went wrong; one line, shortened.
        reason: String,
    },
    /// There was an answer, but not one of Daily's API.
    #[error("Daily's answer makes no sense: {reason}")]
    BadAnswer {
        /// What is wrong with it; one line, shortened.
        reason: String,
    },
}

impl Error {
    /// Returns the code for programs: the `error` member of an answer of `/api/rooms`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Auth => "daily-auth-failed",
            Error::RateLimited { .. } => "daily-rate-limited",
            Error::Timeout => "daily-timeout",
            Error::Refused { .. } | Error::Unreachable { .. } | Error::BadAnswer { .. } => {
                "daily-error"
            }
        }
    }
}
