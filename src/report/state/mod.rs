//! What builds remember, so that the next one costs what is new: beside the log, never in the report. It can always be made again from
//! the logs; whatever is odd about it means to start over, and to say so.

mod files;
mod manifest;
mod store;

pub(super) use files::{Recognised, recognised};
pub(super) use manifest::{Account, Known, KnownCall, KnownFile, path_digest};
pub(super) use store::{Kept, Place, Sketches, Store, ToKeep};

use super::{Note, Settings};
use crate::call::{CallKey, FileNumber, Gathered};
use manifest::{FORMAT, Unknown};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use store::FILE_MODE;

/// Who may look into the folder: as with the log, those who run the builder.
const FOLDER_MODE: u32 = 0o700;
/// Reports of one log that are remembered, the latest ones.
const REPORTS_MAX: usize = 4;
/// The store is copied when it is larger than twice what counts in it, and by so much.
const WASTE_BYTES_MAX: u64 = 16 << 20;
/// Calls of which what is kept is read at once, where it is read of all.
pub(super) const READ_AT_ONCE: usize = 1_000;
const MANIFEST: &str = "manifest";
const LOCK: &str = "lock";

/// What is remembered, and the right to change it.
#[derive(Debug)]
pub(super) struct State {
    /// What to go on from; nothing, where a build starts over.
    pub(super) known: Known,
    pub(super) store: Store,
    /// Where a build starts over: what was known before.
    pub(super) old: Option<Old>,
    /// `None`: nothing can be kept.
    home: Option<Home>,
}

/// What a build that starts over finds of the builds before.
#[derive(Debug)]
pub(super) struct Old {
    /// `None`: it cannot be read.
    pub(super) known: Option<Known>,
    pub(super) store: Store,
}

impl Old {
    /// Calls that no log holds any more. `gone`: whether a file is gone; `is_there`: whether the logs of now have the call.
    pub(super) fn left_over(
        &self,
        gone: impl Fn(FileNumber) -> bool,
        is_there: impl Fn(CallKey) -> bool,
    ) -> io::Result<Vec<(Gathered, Vec<FileNumber>)>> {
        let Some(known) = &self.known else {
            // Whoever does not know what is gone had better keep it. Of each call the last time that it was stored.
            let all = self.store.all().map(|(call, _)| (call.key(), call));
            let left: BTreeMap<_, _> = all.filter(|(key, _)| !is_there(*key)).collect();
            return Ok(left.into_values().map(|call| (call, Vec::new())).collect());
        };
        let gone_calls = known.calls.iter().filter(|call| !is_there(call.brief.key));
        let gone_calls: Vec<&KnownCall> = gone_calls.collect();
        let mut left = Vec::new();
        for calls in gone_calls.chunks(READ_AT_ONCE) {
            let read = self
                .store
                .read_all(calls.iter().map(|call| call.brief.kept))?;
            for call in calls {
                // Of one whose files nobody can tell any more the same holds.
                let files = read.kept(call.brief.kept).and_then(|kept| kept.files());
                let files = files.unwrap_or_default();
                if files.iter().all(|file| gone(*file)) {
                    left.push((self.store.get(call.place)?, files));
                }
            }
        }
        Ok(left)
    }
}

#[derive(Debug)]
struct Home {
    folder: PathBuf,
    /// Name of the store's file.
    store: String,
    /// Held until the end of the build. Not empty while the site's files are written: after a build that was killed it stays so.
    lock: File,
}

impl State {
    /// Waits until no other build of this report is at work, and reads what the last one left.
    pub(super) fn open(settings: &Settings<'_>, tell: &(dyn Fn(Note) + Sync)) -> io::Result<State> {
        let folder = folder(settings);
        match State::at(&folder, settings, tell) {
            Ok(state) => Ok(state),
            Err(cause) => {
                tell(Note::NotKept { folder, cause });
                State::homeless(settings)
            }
        }
    }

    fn homeless(settings: &Settings<'_>) -> io::Result<State> {
        Ok(State {
            known: fresh(settings),
            store: Store::temporary()?,
            old: None,
            home: None,
        })
    }

    fn at(
        folder: &Path,
        settings: &Settings<'_>,
        tell: &(dyn Fn(Note) + Sync),
    ) -> io::Result<State> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE).create(folder)?;
        let lock = lock(&folder.join(LOCK), tell)?;
        let (known, reason) = match manifest::read(&folder.join(MANIFEST)) {
            Ok(mut known) => match reopened(folder, &mut known) {
                Ok(store) => match doubt(&known, settings) {
                    Some(reason) => (Some(known), Some(reason.to_owned())),
                    None => {
                        let home = Some(Home {
                            folder: folder.to_owned(),
                            store: known.store.0.clone(),
                            lock,
                        });
                        return Ok(State {
                            known,
                            store,
                            old: None,
                            home,
                        });
                    }
                },
                Err(cause) => (None, Some(format!("its calls cannot be read: {cause}"))),
            },
            // The first build of this report has nothing to say.
            Err(Unknown::Missing) if !settings.out.join("index.html").exists() => (None, None),
            Err(unknown) => (None, Some(unknown.to_string())),
        };
        if let Some(reason) = reason
            && !settings.starts_over()
        {
            tell(Note::StartOver(reason));
        }
        State::anew(folder.to_owned(), lock, known, settings)
    }

    /// Forgets everything, for reasons that only the logs could tell.
    pub(super) fn start_over(self, settings: &Settings<'_>) -> io::Result<State> {
        match self.home {
            Some(Home { folder, lock, .. }) => {
                State::anew(folder, lock, Some(self.known), settings)
            }
            None => State::homeless(settings),
        }
    }

    fn anew(
        folder: PathBuf,
        lock: File,
        known: Option<Known>,
        settings: &Settings<'_>,
    ) -> io::Result<State> {
        let before = match &known {
            // A build that was killed may have left a later one, in which there is less.
            Some(known) => Some((folder.join(&known.store.0), known.store.1)),
            None => stores(&folder)?.into_iter().max().and_then(|(_, path)| {
                let bytes = fs::metadata(&path).ok()?.len();
                Some((path, bytes))
            }),
        };
        let old = before.and_then(|(path, end)| {
            let store = Store::open(&path, end).ok()?;
            Some(Old { known, store })
        });
        let (store, name) = new_store(&folder)?;
        let home = Some(Home {
            folder,
            store: name,
            lock,
        });
        Ok(State {
            known: fresh(settings),
            store,
            old,
            home,
        })
    }

    /// Before files of the site are written. Gives whether builds before may have left some half written; to look for them takes
    /// longer than a build with little news.
    pub(super) fn begin(&self) -> bool {
        self.home.as_ref().is_none_or(|home| {
            let is_marked = home.lock.metadata().map_or(true, |meta| 0 < meta.len());
            // Where it cannot be marked, leftovers of this build stay longer; they do no harm.
            let _ = home.lock.set_len(1);
            is_marked
        })
    }

    /// Remembers. What cannot be written costs the next build time, nothing else. `is_swept`: no file is left half written.
    pub(super) fn commit(mut self, is_swept: bool, tell: &(dyn Fn(Note) + Sync)) {
        let Some(home) = self.home.take() else {
            return;
        };
        if is_swept {
            let _ = home.lock.set_len(0);
        }
        if let Err(cause) = self.commit_to(&home) {
            tell(Note::NotKept {
                folder: home.folder,
                cause,
            });
        }
    }

    fn commit_to(&mut self, home: &Home) -> io::Result<()> {
        let mut name = home.store.clone();
        let calls = self.known.calls.iter();
        let places = calls.flat_map(|call| [call.place, call.sketches, call.brief.kept]);
        let places = places.chain(self.known.shelves());
        let used: u64 = places.map(Place::bytes).sum();
        if 2 * used + WASTE_BYTES_MAX < self.store.end() {
            let (store, new_name) = new_store(&home.folder)?;
            for call in &mut self.known.calls {
                call.place = store.put(&self.store.get(call.place)?)?;
                call.sketches = store.put_sketches(&self.store.get_sketches(call.sketches)?)?;
            }
            // Side by side in the order of the list, because they are read together.
            for calls in self.known.calls.chunks_mut(READ_AT_ONCE) {
                let places = calls.iter().map(|call| call.brief.kept);
                let read = self.store.read_all(places)?;
                for call in calls {
                    call.brief.kept = store.put_again(&read.kept(call.brief.kept)?)?;
                }
            }
            (self.store, name) = (store, new_name);
            self.known.forget_shelves();
        }
        self.known.pack(&self.store)?;
        self.store.sync()?;
        self.known.store = (name, self.store.end());
        manifest::write(&home.folder.join(MANIFEST), &self.known)?;
        // What is left behind is removed by a later build; what a newer version has left stays its own.
        for (_, path) in stores_of(&home.folder, |format| format <= FORMAT)? {
            if path
                .file_name()
                .is_some_and(|it| *it != *self.known.store.0)
            {
                let _ = fs::remove_file(path);
            }
        }
        forget_others(&home.folder);
        Ok(())
    }
}

/// The store of `known`, from which its calls are taken.
fn reopened(folder: &Path, known: &mut Known) -> io::Result<Store> {
    let (name, end) = &known.store;
    let store = Store::open(&folder.join(name), *end)?;
    known.unpack(&store)?;
    Ok(store)
}

/// The same logs, wherever the builder was started.
pub(super) fn absolute(logs: &[String]) -> Vec<String> {
    let absolute = |log: &String| {
        let path = std::path::absolute(log);
        path.map_or_else(|_| log.clone(), |path| path.display().to_string())
    };
    logs.iter().map(absolute).collect()
}

fn fresh(settings: &Settings<'_>) -> Known {
    Known {
        logs: absolute(settings.logs),
        settings: settings.digest(),
        ..Known::default()
    }
}

/// Why `known` is not to go on with.
fn doubt(known: &Known, settings: &Settings<'_>) -> Option<&'static str> {
    let is_there = |path: &str| settings.out.join(path).exists();
    let page = known.calls.first().and_then(|newest| {
        let room = known.rooms.get(newest.brief.room as usize)?;
        Some(super::data::page_path(&newest.brief.key.id(room)))
    });
    if known.logs != absolute(settings.logs) {
        Some("it was made from other logs")
    } else if known.settings != settings.digest() {
        Some("it was made with other settings")
    } else if !is_there("index.html") || !is_there("data/report.json") {
        Some("it is not there any more")
    } else if page.is_some_and(|page| !is_there(&page)) {
        Some("pages of it are not there any more")
    } else if settings.starts_over() {
        Some("asked for")
    } else {
        None
    }
}

/// The right to build, as long as the file is held. It is no harm when it is left behind.
fn lock(path: &Path, tell: &(dyn Fn(Note) + Sync)) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.mode(FILE_MODE).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            tell(Note::Waiting);
            file.lock()?;
        }
        Err(TryLockError::Error(cause)) => return Err(cause),
    }
    Ok(file)
}

/// A store under a name that was not used yet.
fn new_store(folder: &Path) -> io::Result<(Store, String)> {
    let numbers = stores(folder)?.into_iter().map(|(n, _)| n);
    let name = format!("calls-{FORMAT}-{}", numbers.max().unwrap_or(0) + 1);
    Ok((Store::create(&folder.join(&name))?, name))
}

/// The stores of a folder that this version can read, with their numbers.
fn stores(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    stores_of(folder, |format| format == FORMAT)
}

/// The stores of a folder whose format is one of `formats`, with their numbers.
fn stores_of(folder: &Path, formats: impl Fn(u32) -> bool) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| {
            let rest = name.to_str()?.strip_prefix("calls-")?;
            let (format, n) = rest.split_once('-')?;
            let is_one = format.parse().is_ok_and(&formats);
            is_one.then(|| n.parse().ok())?
        });
        found.extend(number.map(|n| (n, path)));
    }
    Ok(found)
}

/// `beacon.log.state/` beside the first log, in it a folder for each report that is made.
fn folder(settings: &Settings<'_>) -> PathBuf {
    let beside = settings
        .state
        .map_or_else(|| beside(settings.logs), Path::to_owned);
    beside.join(path_digest(settings.out))
}

fn beside(logs: &[String]) -> PathBuf {
    let log = logs.first().map_or("beacon.log", String::as_str);
    let is_glob = |text: &str| text.contains(['*', '?', '[']);
    if !is_glob(log) || Path::new(log).exists() {
        return PathBuf::from(format!("{log}.state"));
    }
    let fixed = Path::new(log).components().take_while(|part| match part {
        Component::Normal(name) => !is_glob(&name.to_string_lossy()),
        _ => true,
    });
    fixed.collect::<PathBuf>().join("call-metrics.state")
}

/// Removes what is remembered of reports that were not made for longest. Whatever goes wrong: they do no harm.
fn forget_others(own: &Path) {
    let Some(entries) = own.parent().and_then(|parent| fs::read_dir(parent).ok()) else {
        return;
    };
    let manifest = |path: &Path| fs::metadata(path.join(MANIFEST)).and_then(|meta| meta.modified());
    let mut others: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((manifest(&path).ok()?, path)))
        .filter(|(_, path)| path != own)
        .collect();
    others.sort();
    let n_old = (others.len() + 1).saturating_sub(REPORTS_MAX);
    for (_, path) in others.into_iter().take(n_old) {
        let is_free = File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_free {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_lies_beside_the_first_log() {
        let at = |log: &str| beside(&[log.to_owned()]).display().to_string();
        assert_eq!(at("beacon.log"), "beacon.log.state");
        assert_eq!(at("/srv/logs/beacon.log"), "/srv/logs/beacon.log.state");
        assert_eq!(at("*.log"), "call-metrics.state");
        assert_eq!(at("/srv/host-*/beacon.log"), "/srv/call-metrics.state");
    }
}
