//! Tells when files change, files that do not exist yet among them. The only door to `notify`.
//!
//! What counts is what `stat` says: a round compares every file's device, inode, length and time of change with the round before.
//! Events of the file system only make the next round come at once; network file systems and some containers send none, so a
//! round comes every [`Settings::poll`] anyway. Reading a file changes none of this, and so our own reading cannot loop.
//! A file rewritten in place to the same length within one tick of the file system's clock goes unnoticed; logs only grow.
//! Nothing is opened, read or printed here.
//!
//! ```no_run
//! # use call_metrics::watch::{Settings, Stop, Wake, Watch};
//! # fn build() {}
//! let stop = Stop::new();
//! let mut watch = Watch::new(|| vec!["beacon.log".into()], Settings::default(), &stop); // before the first build
//! build();
//! while watch.wait() == Wake::Changed {
//!     build();
//! }
//! ```

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Events come in swarms, and those of neighbouring files come too: rounds that find nothing are at least this far apart.
const ROUND_GAP: Duration = Duration::from_millis(50);

/// How eagerly to watch.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Time between two rounds when no event comes.
    pub poll: Duration,
    /// Least time between two answers [`Wake::Changed`].
    pub min_interval: Duration,
    /// Whether to ask the system for events.
    pub events: Events,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            poll: Duration::from_secs(2),
            min_interval: Duration::from_secs(1),
            events: Events::Native,
        }
    }
}

/// Where hints of a change come from, besides the polling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// From the operating system, as far as it has any.
    Native,
    /// From nowhere.
    Off,
}

/// Why [`Watch::wait`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something changed since the last time.
    Changed,
    /// [`Stop::stop`] was called.
    Stopped,
}

/// Events do not come, or not for all folders. Changes are still found, every [`Settings::poll`].
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// The system gives us no watcher at all.
    #[error("cannot listen for changes of files; looking from time to time instead")]
    NoWatcher(#[source] notify::Error),
    /// The system gives us none for a folder.
    #[error("cannot listen for changes in folder `{folder}`; looking from time to time instead")]
    NoWatch {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: notify::Error,
    },
}

/// Ends [`Watch::wait`] from another thread, at once and for good. Clones are the same handle; one may serve several watches.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

impl Stop {
    /// A handle that has not been used yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Wakes every watch that knows this handle.
    pub fn stop(&self) {
        self.0.signals().stopped = true;
        self.0.wakes.notify_all();
    }

    /// Whether [`Stop::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.0.signals().stopped
    }
}

#[derive(Debug, Default)]
struct Shared {
    signals: Mutex<Signals>,
    wakes: Condvar,
}

#[derive(Debug, Default)]
struct Signals {
    stopped: bool,
    /// Hints so far.
    hints: u64,
}

impl Shared {
    fn signals(&self) -> MutexGuard<'_, Signals> {
        // Nothing that holds the lock can panic half-way through a change.
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hint(&self) {
        self.signals().hints += 1;
        self.wakes.notify_all();
    }

    /// Sleeps for `pause` at most: until a stop, or a hint after the first `seen` ones; `None` sleeps through hints.
    fn sleep(&self, pause: Duration, seen: Option<u64>) {
        let asleep = |signals: &mut Signals| {
            !signals.stopped && seen.is_none_or(|seen| signals.hints == seen)
        };
        drop(self.wakes.wait_timeout_while(self.signals(), pause, asleep));
    }
}

/// Files under watch.
pub struct Watch {
    paths: Box<dyn Fn() -> Vec<PathBuf> + Send>,
    settings: Settings,
    stop: Stop,
    watcher: Option<RecommendedWatcher>,
    /// Folders that send events, and which folder that was: one that was replaced goes on under another name.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    warning: Option<Warning>,
    has_warned: bool,
    /// As of the last answer.
    known: Snapshot,
    answered: Option<Instant>,
}

/// What there is, without what is missing.
type Snapshot = BTreeMap<PathBuf, FileState>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Watch {
    /// Watches what `paths` names; it is asked anew each round. Remembers how things stand now: create the watch *before* the first
    /// build, and no change from here on is missed.
    ///
    /// `paths` may name files that do not exist. A folder is listened to when a path lies directly in it, so beside the files that
    /// match a glob name the glob itself: then a new match is noticed at once, not only by polling.
    pub fn new(
        paths: impl Fn() -> Vec<PathBuf> + Send + 'static,
        settings: Settings,
        stop: &Stop,
    ) -> Watch {
        let mut watch = Watch {
            paths: Box::new(paths),
            settings,
            stop: stop.clone(),
            watcher: None,
            folders: BTreeMap::new(),
            warning: None,
            has_warned: false,
            known: Snapshot::new(),
            answered: None,
        };
        if watch.settings.events == Events::Native {
            let shared = Arc::clone(&stop.0);
            match notify::recommended_watcher(move |event| {
                if is_hint(&event) {
                    shared.hint();
                }
            }) {
                Ok(watcher) => watch.watcher = Some(watcher),
                Err(source) => watch.warn(Warning::NoWatcher(source)),
            }
        }
        watch.known = watch.look();
        watch
    }

    /// Sleeps until something has changed since the last answer (the first time: since [`Watch::new`]), or until the stop.
    ///
    /// What changes while the caller works on an answer is in the next one. However many changes come, answers are at least
    /// [`Settings::min_interval`] apart, and the last change is always followed by one.
    pub fn wait(&mut self) -> Wake {
        loop {
            // Counted before looking: a hint that comes in between wakes the sleep below at once.
            let seen = {
                let signals = self.stop.0.signals();
                if signals.stopped {
                    return Wake::Stopped;
                }
                signals.hints
            };
            let found = self.look();
            if found == self.known {
                self.stop.0.sleep(ROUND_GAP.min(self.settings.poll), None);
                self.stop
                    .0
                    .sleep(self.settings.poll.saturating_sub(ROUND_GAP), Some(seen));
                continue;
            }
            let since = self
                .answered
                .map_or(Duration::MAX, |answered| answered.elapsed());
            if self.settings.min_interval <= since {
                self.known = found;
                self.answered = Some(Instant::now());
                return Wake::Changed;
            }
            // More may come meanwhile; what counts is how things stand when the time is up.
            self.stop.0.sleep(self.settings.min_interval - since, None);
        }
    }

    /// From now on answers are at least so far apart: for a caller whose work on an answer takes long.
    pub fn set_min_interval(&mut self, min_interval: Duration) {
        self.settings.min_interval = min_interval;
    }

    /// What went wrong with the listening, once: the first time that something does.
    pub fn take_warning(&mut self) -> Option<Warning> {
        self.warning.take()
    }

    fn warn(&mut self, warning: Warning) {
        if !self.has_warned {
            self.has_warned = true;
            self.warning = Some(warning);
        }
    }

    /// One round: listens to the folders as they are now, then takes stock. In this order, so that nothing falls in between.
    fn look(&mut self) -> Snapshot {
        let paths = (self.paths)();
        self.listen(paths.iter().map(|path| folder_of(path)).collect());
        let state = |path: PathBuf| FileState::of(&path).map(|state| (path, state));
        paths.into_iter().filter_map(state).collect()
    }

    fn listen(&mut self, wanted: BTreeSet<&Path>) {
        let Some(mut watcher) = self.watcher.take() else {
            return;
        };
        // A folder that was moved away or removed would go on sending events, or none, under its old name.
        self.folders.retain(|folder, identity| {
            let stays = wanted.contains(folder.as_path()) && identity_of(folder) == Some(*identity);
            if !stays {
                // Fails where the folder is gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for folder in wanted {
            if self.folders.contains_key(folder) {
                continue;
            }
            // A folder that is not there yet is looked for again in the next round.
            let Some(identity) = identity_of(folder) else {
                continue;
            };
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => _ = self.folders.insert(folder.to_owned(), identity),
                Err(_) if identity_of(folder).is_none() => {}
                Err(source) => self.warn(Warning::NoWatch {
                    folder: folder.to_owned(),
                    source,
                }),
            }
        }
        self.watcher = Some(watcher);
    }
}

/// Where a file's coming and going is told: a watch on the file itself would go with the file when that is renamed.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn identity_of(folder: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(folder).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

impl FileState {
    /// `None`: there is no such file, or none that we may see.
    fn of(path: &Path) -> Option<FileState> {
        let metadata = fs::metadata(path).ok()?;
        Some(FileState {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Whether to look at once. That a file was opened or read is no hint: we do that ourselves.
fn is_hint(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(event) => {
            let kind = event.kind;
            event.need_rescan()
                || kind.is_create()
                || kind.is_modify()
                || kind.is_remove()
                || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
        }
        // Something happened that could not be told.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
