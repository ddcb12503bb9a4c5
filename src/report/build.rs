//! One build, from what the one before remembered to what the next one may go on with.
//!
//! Reads what is new, writes what that changes: data and page of each call that has news, of calls that share a session with one
//! (beacons are numbered through a session), and of those whose page leads to another call than before; then the overview; then what
//! is to be remembered. Killed in between, the next build goes on from before this one and writes the same.

use super::brief::{Brief, RoomNumber};
use super::cores;
use super::days::{DayStart, Days};
use super::gather::{self, LogStats, Source, Touched, Unread};
use super::lists::Lists;
use super::neighbours::{InRoom, Sides, neighbours, trail};
use super::page::Beside;
use super::publish::{self, Site};
use super::state::{
    Encoded, KnownCall, KnownCalls, KnownFile, Old, Recognised, State, Store, ToKeep, absolute,
    path_digest, recognised,
};
use super::totals::Totals;
use super::{ASSETS, Built, Error, Note, Progress, Settings, data, older, page};
use crate::call::{
    self, Accounts, Call, CallKey, CallSummary, FileNumber, FileOrder, Shared, in_several_calls,
};
use crate::digest::checksum;
use crate::log::opened::{self, Opened};
use crate::site;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Builds. `tell` hears what the user should know.
pub(super) fn build(settings: &Settings<'_>, tell: &(dyn Fn(Note) + Sync)) -> Result<Built, Error> {
    gather::while_files_go(|| build_once(settings, tell))
}

fn build_once(settings: &Settings<'_>, tell: &(dyn Fn(Note) + Sync)) -> Result<Built, Error> {
    // Whoever names the wrong log is told so before anything is written beside it.
    drop(opened::open(settings.logs)?);
    let mut state = State::open(settings, tell).map_err(Error::Remembered)?;
    let opened = opened::open(settings.logs)?;
    let mut files = recognised(&state.known.files, &opened).map_err(Error::Remembered)?;
    if let Some((_, path)) = files.changed.first() {
        let reason = format!("`{}` was cut or written anew", path.display());
        tell(Note::StartOver(reason));
        state = state.start_over(settings).map_err(Error::Remembered)?;
        files = Recognised::nothing(&opened);
    }
    Build {
        settings,
        site: Site {
            out: settings.out,
            rewrite: settings.rewrite(),
        },
        calls: KnownCalls::default(),
        changed_days: BTreeSet::new(),
        changed_rooms: HashSet::new(),
    }
    .run(state, &opened, &files.found, tell)
}

struct Build<'a> {
    settings: &'a Settings<'a>,
    site: Site<'a>,
    calls: KnownCalls,
    /// Days on which a call begins, or began until now, whose readings have changed.
    changed_days: BTreeSet<DayStart>,
    /// Rooms of calls that have changed.
    changed_rooms: HashSet<RoomNumber>,
}

/// Calls that are written before what is kept of them is put into the store.
const WRITTEN_AT_ONCE: usize = 1_000;

/// A call to be written.
struct Task {
    key: CallKey,
    start_ms: Option<i64>,
    room: RoomNumber,
    source: Source,
    /// `None`: as it was.
    files: Option<Vec<FileNumber>>,
    sides: Sides,
}

/// A call that was written.
struct Written {
    /// What is to be remembered of it, but for where the rest of it is.
    call: KnownCall,
    kept: Encoded,
    sketches: Encoded,
    /// [`crate::call::session_key`] of everybody in it.
    sessions: Vec<u64>,
}

impl Build<'_> {
    fn run(
        mut self,
        mut state: State,
        opened: &[Opened],
        found: &[Option<usize>],
        tell: &(dyn Fn(Note) + Sync),
    ) -> Result<Built, Error> {
        let is_anew = state.known.files.is_empty();
        if let Some(old) = &state.old {
            state.known.files = self.gone(old, opened)?;
        }
        self.calls = std::mem::take(&mut state.known.calls);
        let mut days = std::mem::take(&mut state.known.days);
        let listing = state.known.listing.take();
        let listed = listing.and_then(|listing| listing.open(&self.site, &self.calls));
        let store = &state.store;
        let known = &state.known.files;
        let (files, mut touched) = read(known, opened, found, store, &mut self.calls, tell)?;
        if let Some(old) = state.old.as_mut().filter(|_| !self.settings.prune) {
            keep(&mut touched, old, known, store, tell)?;
        }
        let is_news = is_anew || !touched.is_empty() || files != state.known.files;
        let log = log_of(&files);
        if !is_news {
            return Ok(built(&days.totals(), log));
        }
        // A state that is new knows nothing of builds before.
        let may_be_left = state.begin() || is_anew;
        let is_swept = !may_be_left || publish::sweep(self.settings.out);
        self.assets()?;
        let order: FileOrder = files.iter().map(|file| file.number).collect();
        self.write_calls(touched, &order, &state.store, tell)?;
        self.renew_days(&mut days, &state.store)?;
        self.calls.renew_rooms(&self.changed_rooms);
        let lists = Lists {
            settings: self.settings,
            site: &self.site,
            log: &log,
            days: &days,
            changed_days: &self.changed_days,
            changed_rooms: &self.changed_rooms,
            store: &state.store,
        };
        let (listing, older) = lists.write(&mut self.calls, listed.as_ref(), &state.known.older)?;
        if may_be_left {
            older::prune(&self.site, &older);
        }
        if self.settings.prune {
            self.prune();
        }
        let totals = days.totals();
        state.known.files = files;
        let one = self.calls.iter().next();
        state.known.page = one.map(|call| data::page_path(&self.calls.id(&call.brief)));
        state.known.calls = self.calls;
        state.known.days = days;
        state.known.listing = Some(listing);
        state.known.older = older;
        state.commit(is_swept, tell);
        Ok(built(&totals, log))
    }

    /// Adds up anew the days that have changed. Takes out their calls.
    fn renew_days(&mut self, days: &mut Days, store: &Store) -> Result<(), Error> {
        let changed = &self.changed_days;
        for day in changed {
            let taken_out = self.calls.take_out_days(&(*day..=*day), store);
            taken_out.map_err(Error::Remembered)?;
        }
        let mut sketches = self.calls.add_up(changed, store)?;
        let of_day = |day: &DayStart| {
            let calls = self.calls.of_days(&(*day..=*day), |_| true);
            let calls = calls.map_err(Error::Remembered)?;
            let briefs = calls.into_iter().map(|call| &call.brief).collect();
            Ok((*day, briefs, sketches.remove(day).unwrap_or_default()))
        };
        days.renew(
            changed.iter().map(of_day).collect::<Result<_, Error>>()?,
            store,
        )
    }

    /// Removes pages of calls and rooms that are not there any more. All calls are new: see [`Settings::starts_over`].
    fn prune(&self) {
        let calls = &self.calls;
        let ids = calls.iter().map(|call| calls.id(&call.brief));
        let ids: HashSet<String> = ids.collect();
        let folders = [("calls", ".html"), ("data/calls", ".json")];
        publish::prune(self.settings.out, &folders, |id| ids.contains(id));
        let rooms = calls.rooms().iter();
        let rooms = rooms.map(|room| data::room_path(&room.name));
        let rooms: HashSet<String> = rooms.collect();
        publish::prune(self.settings.out, &[("rooms", "")], |name| {
            name == page::ROOMS_FILE || rooms.contains(&format!("rooms/{name}"))
        });
    }

    fn assets(&self) -> Result<(), Error> {
        for name in ASSETS {
            let asset = site::asset(name).ok_or_else(|| Error::Write {
                path: self.settings.out.join(name),
                source: io::Error::from(io::ErrorKind::NotFound),
            })?;
            let path = format!("assets/{}/{name}", site::assets_digest());
            self.site.put_named_by_content(&path, asset.bytes)?;
        }
        Ok(())
    }

    /// Files that builds before have read and that are gone.
    fn gone(&self, old: &Old, opened: &[Opened]) -> Result<Vec<KnownFile>, Error> {
        let Some(known) = old.known.as_ref().filter(|_| !self.settings.prune) else {
            return Ok(Vec::new());
        };
        // Of logs that are not asked for any more nothing is said.
        let is_asked = known.logs == absolute(self.settings.logs);
        let now = recognised(&known.files, opened).map_err(Error::Remembered)?;
        let gone = now
            .gone(&known.files)
            .filter(|file| is_asked || file.is_gone);
        Ok(gone.map(KnownFile::gone).collect())
    }

    /// Writes the calls that `touched` changes, in rounds: what a page leads to is known for certain when all calls are.
    fn write_calls(
        &mut self,
        touched: BTreeMap<CallKey, Touched>,
        order: &FileOrder,
        store: &Store,
        tell: &(dyn Fn(Note) + Sync),
    ) -> Result<(), Error> {
        // Of calls that have no summary yet, or an old one.
        let mut starts = HashMap::with_capacity(touched.len());
        let mut keys: HashMap<CallKey, Vec<u64>> = HashMap::with_capacity(touched.len());
        let mut files: HashMap<CallKey, Vec<FileNumber>> = HashMap::with_capacity(touched.len());
        let mut round: BTreeMap<CallKey, (RoomNumber, Source)> = BTreeMap::new();
        for (key, touched) in touched {
            let room = self.calls.room(&touched.room);
            files.insert(key, touched.files);
            starts.insert(key, (room, touched.start_ms));
            keys.insert(key, touched.sessions);
            round.insert(key, (room, touched.source));
        }
        // In all other rooms everything is as before.
        let rooms: HashSet<RoomNumber> = starts.values().map(|(room, _)| *room).collect();
        // Their account of beacons may be another now.
        let mut news: Vec<u64> = keys.values().flatten().copied().collect();
        news.sort_unstable();
        let again = |call: &KnownCall| (call.brief.room, Source::Stored(call.place));
        for call in self.calls.in_rooms(&rooms) {
            let mut theirs = self.calls.sessions_of(call).iter();
            if theirs.any(|key| news.binary_search(key).is_ok()) {
                round.entry(call.brief.key).or_insert_with(|| again(call));
            }
        }
        loop {
            let mut sides: HashMap<CallKey, (Option<i64>, Sides)> = HashMap::new();
            for (call, theirs) in neighbours(self.of_rooms(&rooms, &starts)) {
                let key = call.key.0;
                if call.trail.is_some_and(|before| before != trail(theirs))
                    && let Some(known) = self.calls.get(key)
                {
                    round.entry(key).or_insert_with(|| again(known));
                }
                if round.contains_key(&key) {
                    sides.insert(key, (call.start_ms, theirs));
                }
            }
            if round.is_empty() {
                return Ok(());
            }
            let shared = self.shared(&round, &keys, &rooms, store)?;
            let tasks = std::mem::take(&mut round).into_iter();
            let tasks = tasks.map(|(key, (room, source))| {
                let (start_ms, sides) = sides.remove(&key).unwrap_or_default();
                Task {
                    key,
                    start_ms,
                    room,
                    source,
                    files: files.get(&key).cloned(),
                    sides,
                }
            });
            let mut tasks: Vec<Task> = tasks.collect();
            // As they are listed: what is read together lies side by side.
            tasks.sort_by_key(|task| Reverse(task.start_ms));
            self.write_all(tasks, &shared, order, store, tell)?;
            // All of them have a summary now.
            starts.clear();
        }
    }

    /// All calls of `rooms`: those that are known, and those in `starts`, which have no summary yet, or an old one.
    fn of_rooms(
        &self,
        rooms: &HashSet<RoomNumber>,
        starts: &HashMap<CallKey, (RoomNumber, Option<i64>)>,
    ) -> Vec<InRoom> {
        let known = self.calls.in_rooms(rooms);
        let known = known.filter(|call| !starts.contains_key(&call.brief.key));
        let known = known.map(|call| InRoom {
            room: call.brief.room,
            start_ms: call.brief.start_ms(),
            key: Reverse(call.brief.key),
            trail: Some(call.trail),
        });
        let new = starts.iter().map(|(key, (room, start_ms))| InRoom {
            room: *room,
            start_ms: *start_ms,
            key: Reverse(*key),
            trail: None,
        });
        known.chain(new).collect()
    }

    /// The accounts of all sessions of the calls in `round` that are in other calls too. `keys`: sessions of those that have news;
    /// `rooms`: theirs, beyond which no session goes.
    fn shared(
        &self,
        round: &BTreeMap<CallKey, (RoomNumber, Source)>,
        keys: &HashMap<CallKey, Vec<u64>>,
        rooms: &HashSet<RoomNumber>,
        store: &Store,
    ) -> Result<Shared, Error> {
        let keys_of = |key: CallKey| -> &[u64] {
            let known = || self.calls.get(key).map(|call| self.calls.sessions_of(call));
            let new = keys.get(&key).map(Vec::as_slice);
            new.or_else(known).unwrap_or_default()
        };
        // Many are looked for in few.
        let own = round.keys().flat_map(|key| keys_of(*key));
        let mut theirs: Vec<u64> = own.copied().collect();
        theirs.sort_unstable();
        let others = || {
            let all = self.calls.in_rooms(rooms);
            all.filter(|call| !round.contains_key(&call.brief.key))
        };
        let others_keys = others().map(|call| call.brief.key);
        let all = round.keys().copied().chain(others_keys).flat_map(keys_of);
        let all = all.copied();
        let several = in_several_calls(all.filter(|key| theirs.binary_search(key).is_ok()));
        let mut accounts = Accounts::default();
        if several.is_empty() {
            return Ok(accounts.settle());
        }
        let concerns = |key: CallKey| keys_of(key).iter().any(|key| several.contains(key));
        for (_, (_, source)) in round.iter().filter(|(key, _)| concerns(**key)) {
            source.look(store, |call| accounts.take_in(call, &several))?;
        }
        for call in others().filter(|call| concerns(call.brief.key)) {
            let source = Source::Stored(call.place);
            source.look(store, |call| accounts.take_in(call, &several))?;
        }
        Ok(accounts.settle())
    }

    /// Writes data and pages on all cores.
    fn write_all(
        &mut self,
        tasks: Vec<Task>,
        shared: &Shared,
        order: &FileOrder,
        store: &Store,
        tell: &(dyn Fn(Note) + Sync),
    ) -> Result<(), Error> {
        let of = tasks.len();
        let n_written = AtomicUsize::new(0);
        let mut tasks = tasks.into_iter();
        while 0 < tasks.len() {
            let write = |task| {
                let written = self.write(task, shared, order, store);
                let calls = n_written.fetch_add(1, Ordering::Relaxed) + 1;
                tell(Note::Progress(Progress::Written { calls, of }));
                written
            };
            let some = tasks.by_ref().take(WRITTEN_AT_ONCE).collect();
            let written = cores::on_all(some, write)?;
            self.put_all(written, store).map_err(Error::Remembered)?;
        }
        Ok(())
    }

    /// Puts calls that were written to those that are known.
    fn put_all(&mut self, written: Vec<Written>, store: &Store) -> io::Result<()> {
        let mut calls = Vec::with_capacity(written.len());
        let (mut kept, mut sketches) = (Vec::new(), Vec::new());
        for one in written {
            calls.push((one.call, one.sessions));
            kept.push(one.kept);
            sketches.push(one.sketches);
        }
        let kept = store.put_all(&kept)?;
        let sketches = store.put_all(&sketches)?;
        for (((mut call, sessions), kept), sketches) in calls.into_iter().zip(kept).zip(sketches) {
            call.brief.kept = kept;
            call.sketches = sketches;
            self.changed_days.insert(call.brief.day);
            self.changed_rooms.insert(call.brief.room);
            if let Some(before) = self.calls.get(call.brief.key) {
                self.changed_days.insert(before.brief.day);
            }
            self.calls.put(call, &sessions);
        }
        Ok(())
    }

    /// Writes data and page of one call.
    fn write(
        &self,
        task: Task,
        shared: &Shared,
        order: &FileOrder,
        store: &Store,
    ) -> Result<Written, Error> {
        let Task {
            key,
            room,
            source,
            files,
            sides,
            ..
        } = task;
        let remembered = Error::Remembered;
        let (gathered, place) = match source {
            Source::Held(call) => {
                let place = store.put(&call).map_err(remembered)?;
                (call, place)
            }
            Source::Stored(place) => (store.get(place).map_err(remembered)?, place),
        };
        let files = match (files, self.calls.get(key)) {
            (Some(files), _) => files,
            (None, Some(known)) => store.get_files(known.brief.kept).map_err(remembered)?,
            (None, None) => Vec::new(),
        };
        let sessions = gathered.session_keys().collect();
        let call: Call = gathered.finish(shared, order);
        let sketches = Encoded::sketches(&call::sketches(&call)).map_err(remembered)?;
        let (standards, zone) = (self.settings.standards, self.settings.zone);
        let assessment = call::assess(&call, standards);
        let data = data::call(&call, &assessment);
        self.site.put_parts(&data::data_path(&call.id), &data)?;
        let id = |key: CallKey| key.id(&call.room);
        let beside = Beside {
            neighbours: &(sides.0.map(id), sides.1.map(id)),
            data_sum: checksum(data.iter().map(|part| &**part)),
        };
        let html = page::call(&call, &assessment, zone, &beside)?;
        self.site.put_parts(&data::page_path(&call.id), &html)?;
        let summary = CallSummary::of(&call, &assessment);
        let keep = ToKeep {
            row: page::table_row(&summary, standards, zone)?,
            for_scripts: page::for_scripts(&summary, zone),
            entry: data::entry(&summary),
            files,
            summary,
        };
        Ok(Written {
            call: KnownCall::new(
                Brief::of(&keep.summary, key, room, zone),
                place,
                trail(sides),
                u32::try_from(keep.entry.len()).unwrap_or(u32::MAX),
            ),
            kept: Encoded::kept(&keep).map_err(remembered)?,
            sketches,
            sessions,
        })
    }
}

fn built(totals: &Totals, log: LogStats) -> Built {
    Built {
        calls: totals.calls,
        participants: totals.participants,
        samples: totals.samples,
        log,
    }
}

/// The account of the files that are there.
fn log_of(files: &[KnownFile]) -> LogStats {
    let here = files.iter().filter(|file| !file.is_gone);
    LogStats::of(here.map(|file| &file.account))
}

/// Takes over calls that builds before have seen and no log holds any more.
fn keep(
    touched: &mut BTreeMap<CallKey, Touched>,
    old: &mut Old,
    gone: &[KnownFile],
    store: &Store,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(), Error> {
    let gone: HashSet<FileNumber> = gone.iter().map(|file| file.number).collect();
    let left = old.left_over(
        |file| gone.contains(&file),
        |key| touched.contains_key(&key),
    );
    let (left, n_lost) = left.map_err(Error::Remembered)?;
    if 0 < n_lost {
        tell(Note::Lost { calls: n_lost });
    }
    for (call, files) in left {
        let key = call.key();
        let kept = Touched::stored(call, store).map_err(Error::Remembered)?;
        touched.insert(key, Touched { files, ..kept });
    }
    Ok(())
}

/// Reads what is new in all files; gives what is known of them, those that are gone first, and the calls that had a beacon.
fn read(
    known: &[KnownFile],
    opened: &[Opened],
    found: &[Option<usize>],
    store: &Store,
    calls: &mut KnownCalls,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(Vec<KnownFile>, BTreeMap<CallKey, Touched>), Error> {
    let is_here: BTreeSet<usize> = found.iter().flatten().copied().collect();
    let gone = known.iter().enumerate();
    let gone = gone.filter(|(at, _)| !is_here.contains(at));
    let mut files: Vec<KnownFile> = gone.map(|(_, file)| file.gone()).collect();
    let mut next: FileNumber = known.iter().map(|file| file.number + 1).max().unwrap_or(0);
    let mut unread = Vec::new();
    // `None`: to be read.
    let mut here = Vec::with_capacity(opened.len());
    for (opened, found) in opened.iter().zip(found) {
        let known = found.map(|at| &known[at]);
        let number = known.map_or(next, |known| known.number);
        next = next.max(number + 1);
        let is_at_end = known
            .filter(|known| known.cursor.is_of(opened))
            .map(|known| known.cursor.is_at_end(opened))
            .transpose()
            .map_err(Error::Remembered)?;
        here.push(
            known
                .filter(|_| is_at_end == Some(true))
                .map(|known| KnownFile {
                    path: path_digest(&opened.path),
                    is_gone: false,
                    ..known.clone()
                }),
        );
        if is_at_end != Some(true) {
            unread.push(Unread {
                opened,
                number,
                known,
            });
        }
    }
    let (read, touched) = gather::read(&unread, store, calls, tell)?;
    let mut read = read.into_iter();
    files.extend(
        here.into_iter()
            .filter_map(|known| known.or_else(|| read.next())),
    );
    Ok((files, touched))
}
