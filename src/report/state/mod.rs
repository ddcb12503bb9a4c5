//! What builds remember, so that the next one costs what is new: beside the log, never in the report. It can always be made again from
//! the logs; whatever is odd about it means to start over, and to say so.

mod calls;
mod files;
mod manifest;
mod store;

pub(super) use calls::{KnownCall, KnownCalls};
pub(super) use files::{Recognised, recognised};
pub(super) use manifest::{Account, Known, KnownFile, path_digest};
pub(super) use store::{Encoded, Kept, Place, Sketches, Store, ToKeep, together};

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

/// A call, and files that its beacons are from; none where nobody knows any more.
type LeftOver = (Gathered, Vec<FileNumber>);

impl Old {
    /// Calls that no log holds any more, and how many of them cannot be read back. `gone`: whether a file is gone; `is_there`: whether the
    /// logs of now have the call.
    pub(super) fn left_over(
        &mut self,
        gone: impl Fn(FileNumber) -> bool,
        is_there: impl Fn(CallKey) -> bool,
    ) -> io::Result<(Vec<LeftOver>, usize)> {
        let mut calls = self.known.as_mut().map(|known| &mut known.calls);
        let are_all_known = calls
            .as_mut()
            .is_some_and(|calls| calls.take_out_readable(&self.store));
        let known = calls.iter().flat_map(|calls| calls.iter());
        let known: Vec<&KnownCall> = known.filter(|call| !is_there(call.brief.key)).collect();
        let (mut left, mut n_lost) = (Vec::new(), 0);
        for known in known.chunks(READ_AT_ONCE) {
            let read = self
                .store
                .read_all(known.iter().map(|call| call.brief.kept))?;
            for call in known {
                let files = read.kept(call.brief.kept).and_then(|kept| kept.files());
                // Of one whose files nobody can tell any more none is there.
                let files = files.unwrap_or_default();
                if files.iter().all(|file| gone(*file)) {
                    match self.store.get(call.place) {
                        Ok(call) => left.push((call, files)),
                        Err(_) => n_lost += 1,
                    }
                }
            }
        }
        if !are_all_known {
            // Whoever does not know what is gone had better keep it. Of each call the last time that it was stored.
            let is_known = |key| calls.as_ref().is_some_and(|calls| calls.get(key).is_some());
            let all = self.store.all().map(|call| (call.key(), call));
            let others = all.filter(|(key, _)| !is_there(*key) && !is_known(*key));
            let others: BTreeMap<_, _> = others.collect();
            left.extend(others.into_values().map(|call| (call, Vec::new())));
        }
        Ok((left, n_lost))
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
            Ok(known) => match reopened(folder, &known) {
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
        match self.commit_to(&home) {
            Ok(()) if is_swept => {
                let _ = home.lock.set_len(0);
            }
            Ok(()) => {}
            Err(cause) => tell(Note::NotKept {
                folder: home.folder,
                cause,
            }),
        }
    }

    fn commit_to(&mut self, home: &Home) -> io::Result<()> {
        let mut name = home.store.clone();
        let used = self.known.calls.stored_bytes();
        if 2 * used + WASTE_BYTES_MAX < self.store.end() {
            match self.rewritten(&home.folder) {
                Ok((store, new_name, calls)) => {
                    self.known.days.renew_places(&calls);
                    self.known.calls = calls;
                    (self.store, name) = (store, new_name);
                }
                // The next build starts over. Where there was no room for two there still is for one.
                Err(cause) => self.known.is_damaged = cause.kind() == io::ErrorKind::InvalidData,
            }
        }
        self.known.calls.put_back(&self.store)?;
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

    /// A new store with all that counts, its name, and the calls that lie in it.
    fn rewritten(&self, folder: &Path) -> io::Result<(Store, String, KnownCalls)> {
        let (store, name) = new_store(folder)?;
        let mut calls = self.known.calls.clone();
        match calls.move_to(&store, &self.store) {
            Ok(()) => Ok((store, name, calls)),
            Err(cause) => {
                let _ = fs::remove_file(folder.join(name));
                Err(cause)
            }
        }
    }
}

/// The store of `known`.
fn reopened(folder: &Path, known: &Known) -> io::Result<Store> {
    let (name, end) = &known.store;
    Store::open(&folder.join(name), *end)
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
    if known.logs != absolute(settings.logs) {
        Some("it was made from other logs")
    } else if known.settings != settings.digest() {
        Some("it was made with other settings")
    } else if !is_there("index.html") || !is_there("data/report.json") {
        Some("it is not there any more")
    } else if known.page.as_ref().is_some_and(|page| !is_there(page)) {
        Some("pages of it are not there any more")
    } else if known.is_damaged {
        Some("what is remembered of it is damaged")
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
    use super::super::brief::Brief;
    use super::super::days::Days;
    use super::super::page;
    use super::*;
    use crate::beacon::parse;
    use crate::call::{self, Accounts, CallSummary, Calls, FileOrder};
    use crate::metric::Standards;
    use jiff::tz::TimeZone;

    /// A call with a score, as builds put it.
    fn put(state: &mut State, nth: i64) -> CallKey {
        let store = &state.store;
        let mut calls = Calls::default();
        let line = format!(
            r#"{{"room":"r","meetingSessionId":"{nth}","sessionId":"s","stats":{{"latest":{{"timestamp":{},"totalRecvPacketLoss":0.5}}}}}}"#,
            1_795_449_870_000 + nth
        );
        calls.add(&parse(line.as_bytes()).unwrap(), 0);
        let gathered = calls.into_gathered().remove(0);
        let (key, place) = (gathered.key(), store.put(&gathered).unwrap());
        let call = gathered.finish(&Accounts::default().settle(), &FileOrder::default());
        let summary = CallSummary::of(&call, &call::assess(&call, &Standards::default()));
        let sketches = Encoded::sketches(&call::sketches(&call)).unwrap();
        let row = page::table_row(&summary, &Standards::default(), &TimeZone::UTC).unwrap();
        let mut brief = Brief::of(&summary, key, state.known.calls.room("r"), &TimeZone::UTC);
        let kept = Encoded::kept(&ToKeep {
            row,
            for_scripts: String::new(),
            entry: format!("{{{nth}}}"),
            summary,
            files: vec![0],
        });
        brief.kept = store.put_all(&[kept.unwrap()]).unwrap()[0];
        let mut call = KnownCall::new(brief, place, 0, 3);
        call.sketches = store.put_all(&[sketches]).unwrap()[0];
        state.known.calls.put(call, &[7]);
        key
    }

    /// A state with three calls and much waste, and the folder where it is remembered.
    fn wasteful(folder: &Path) -> (State, [CallKey; 3], PathBuf) {
        let (logs, standards) = (["a.log".to_owned()], Standards::default());
        let settings = Settings {
            logs: &logs,
            out: &folder.join("site"),
            state: Some(folder),
            full: false,
            prune: false,
            zone: &TimeZone::UTC,
            standards: &standards,
            now_ms: 0,
        };
        let mut state = State::open(&settings, &|_| ()).unwrap();
        let keys = [0, 1, 2].map(|nth| put(&mut state, nth));
        let waste = vec![0_u8; 17 << 20];
        let waste = Encoded::kept_again(&Kept::with_entry(&waste)).unwrap();
        state.store.put_all(&[waste]).unwrap();
        (state, keys, super::folder(&settings))
    }

    #[test]
    fn damage_stands_in_the_way_of_no_build() {
        let folder = tempfile::tempdir().unwrap();
        let (state, keys, home) = wasteful(folder.path());
        let [(_, path)] = &stores(&home).unwrap()[..] else {
            panic!("one store");
        };
        let known = state.known.calls.get(keys[0]).unwrap();
        let mut bytes = fs::read(path).unwrap();
        // The last byte of the first record, which is a call.
        bytes[known.place.bytes() as usize - 1] ^= 1;
        fs::write(path, bytes).unwrap();
        state.commit(true, &|note| panic!("{note:?}"));
        assert_eq!(stores(&home).unwrap().len(), 1, "no other is left behind");
        let known = manifest::read(&home.join(MANIFEST)).unwrap();
        assert!(known.is_damaged, "the next build starts over");
    }

    #[test]
    fn a_store_that_is_mostly_waste_is_written_anew_with_all_that_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (mut state, keys, home) = wasteful(folder.path());
        let briefs = state.known.calls.iter().map(|call| &call.brief);
        state.known.days = Days::over(&briefs.collect::<Vec<_>>());
        state.commit(true, &|note| panic!("{note:?}"));

        let stores = stores(&home).unwrap();
        let [(2, path)] = &stores[..] else {
            panic!("{stores:?}");
        };
        let mut known = manifest::read(&home.join(MANIFEST)).unwrap();
        let bytes = fs::metadata(path).unwrap().len();
        assert_eq!((known.store.1, bytes < 100_000), (bytes, true));
        let store = reopened(&home, &known).unwrap();
        known.calls.take_out_all(&store).unwrap();
        for (key, nth) in keys.into_iter().zip(0..) {
            let call = known.calls.get(key).unwrap();
            assert_eq!(store.get(call.place).unwrap().key(), key);
            let places = [call.brief.kept, call.sketches];
            let read = store.read_all(places.into_iter()).unwrap();
            let entry = format!("{{{nth}}}");
            assert_eq!(
                read.kept(call.brief.kept).unwrap().entry(),
                entry.as_bytes()
            );
            assert_eq!(read.sketches(call.sketches).unwrap()[0].1.max(), 0.5);
        }
        let (_, of_day) = known.days.newest_first().next().unwrap();
        assert_eq!(of_day.sums.worst.len(), 3);
        for worst in &of_day.sums.worst {
            assert_eq!(known.calls.get(worst.key).unwrap().brief.kept, worst.kept);
        }
    }

    #[test]
    fn the_state_lies_beside_the_first_log() {
        let at = |log: &str| beside(&[log.to_owned()]).display().to_string();
        assert_eq!(at("beacon.log"), "beacon.log.state");
        assert_eq!(at("/srv/logs/beacon.log"), "/srv/logs/beacon.log.state");
        assert_eq!(at("*.log"), "call-metrics.state");
        assert_eq!(at("/srv/host-*/beacon.log"), "/srv/call-metrics.state");
    }
}
