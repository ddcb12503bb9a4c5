//! What an operator should hear of and nobody waits for. It must not know where it is said.

use std::path::PathBuf;
use std::sync::Arc;

/// Something happened to the log that no caller is told by its callback.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Event {
    /// Another program shortened the log, and with that threw away what was acknowledged.
    #[error(
        "another program cut beacon log `{}` from {from_bytes} to {to_bytes} bytes: what it did not copy in time is lost (`copytruncate` cannot be used here)",
        path.display()
    )]
    Truncated {
        /// The log.
        path: PathBuf,
        /// Its length as we left it.
        from_bytes: u64,
        /// Its length as we found it.
        to_bytes: u64,
    },
    /// A sync failed, and lines go into a fresh file.
    #[error("a sync of beacon log `{}` failed: it is `{}` now, and a fresh one is begun", path.display(), segment.display())]
    SetAside {
        /// The log.
        path: PathBuf,
        /// What it is called now.
        segment: PathBuf,
    },
    /// The log is due to be rotated and could not be; lines go on into it.
    #[error("cannot rotate beacon log `{}`, it goes on as it is: {cause}", path.display())]
    RotationFailed {
        /// The log.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A segment could not be compressed; it stays as it is.
    #[error("cannot compress log segment `{}`: {cause}", segment.display())]
    CompressionFailed {
        /// The segment.
        segment: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Segments could not be listed, or an old one not be removed.
    #[error("cannot clean up `{}`: {cause}", path.display())]
    CleaningFailed {
        /// The segment or the folder.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
}

impl Event {
    /// What happened, for programs: stays as it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Truncated { .. } => "log-truncated",
            Event::SetAside { .. } => "log-set-aside",
            Event::RotationFailed { .. } => "log-rotation-failed",
            Event::CompressionFailed { .. } => "log-compression-failed",
            Event::CleaningFailed { .. } => "log-cleaning-failed",
        }
    }
}

/// Who hears of events. Called on the writer's threads, so it must hand over and return, and not panic.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Listener {
    /// A listener that is told by a call of `hear`.
    pub fn new(hear: impl Fn(Event) + Send + Sync + 'static) -> Listener {
        Listener(Some(Arc::new(hear)))
    }

    pub(super) fn tell(&self, event: Event) {
        if let Some(hear) = &self.0 {
            hear(event);
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}
