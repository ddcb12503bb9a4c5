//! One build, from what the one before remembered to what the next one may go on with.
//!
//! Reads what is new, writes what that changes: data and page of each call that has news, of calls that share a session with one
//! (beacons are numbered through a session), and of those whose page leads to another call than before; then the overview; then what
//! is to be remembered. Killed in between, the next build goes on from before this one and writes the same.

use super::all_calls::AllCalls;
use super::brief::{Brief, RoomNumber};
use super::cores;
use super::days::DayStart;
use super::gather::{self, LogStats, Source, Touched, Unread};
use super::neighbours::{InRoom, Sides, neighbours, trail};
use super::numbers::Numbers;
use super::older::Stretch;
use super::page::Beside;
use super::publish::{self, Site};
use super::state::{
    KnownCall, KnownFile, Old, Place, Recognised, State, Store, ToKeep, absolute, path_digest,
    recognised,
};
use super::totals::Totals;
use super::{ASSETS, Built, Error, Note, Progress, Settings, data, listing, older, page};
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
        calls: AllCalls::default(),
        changed_days: BTreeSet::new(),
        changed_rooms: HashSet::new(),
    }
    .run(state, &opened, &files.found, tell)
}

struct Build<'a> {
    settings: &'a Settings<'a>,
    site: Site<'a>,
    calls: AllCalls,
    /// Days on which a call begins, or began until now, whose readings have changed.
    changed_days: BTreeSet<DayStart>,
    /// Rooms of calls that have changed.
    changed_rooms: HashSet<RoomNumber>,
}

/// A call to be written.
struct Task {
    key: CallKey,
    room: RoomNumber,
    source: Source,
    /// `None`: as it was.
    files: Option<Vec<FileNumber>>,
    sides: Sides,
}

/// A call that was written.
struct Written {
    /// What is to be remembered of it, but for where the rest of it is kept.
    call: KnownCall,
    keep: ToKeep,
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
        let mut known = std::mem::take(&mut state.known.calls);
        let listing = state.known.listing.take();
        let listed = listing.and_then(|listing| listing.open(&self.site, &mut known));
        self.calls = AllCalls::new(
            std::mem::take(&mut state.known.rooms),
            known,
            std::mem::take(&mut state.known.sessions),
        );
        let before = |key| self.calls.get(key).map(|call| call.place);
        let known = &state.known.files;
        let (files, mut touched) = read(known, opened, found, &state.store, &before, tell)?;
        if let Some(old) = state.old.as_ref().filter(|_| !self.settings.prune) {
            keep(&mut touched, old, &state.known.files, &state.store)?;
        }
        let is_news = is_anew || !touched.is_empty() || files != state.known.files;
        if !is_news {
            let totals = Totals::over(self.calls.iter().map(|call| &call.brief));
            return Ok(built(&totals, log_of(&files)));
        }
        // A state that is new knows nothing of builds before.
        let may_be_left = state.begin() || is_anew;
        let is_swept = !may_be_left || publish::sweep(self.settings.out);
        self.assets()?;
        let order: FileOrder = files.iter().map(|file| file.number).collect();
        self.write_calls(touched, &order, &state.store, tell)?;
        let zone = self.settings.zone;
        let mut days = std::mem::take(&mut state.known.days);
        days.renew(&self.changed_days, self.calls.iter(), &state.store)?;
        let listed_calls = std::mem::take(&mut self.calls).listed();
        let briefs: Vec<&Brief> = listed_calls.calls.iter().map(|call| &call.brief).collect();
        let rooms = &listed_calls.rooms;
        let log = log_of(&files);
        let numbers = Numbers::new(&briefs, rooms, &days, zone, self.settings.standards);
        let store = &state.store;
        let full = |call: &Brief| store.get_summary(call.kept).map_err(Error::Remembered);
        self.write_rooms(&briefs, &full, &numbers, store)?;
        let head = data::report(&log, &numbers, self.settings.now_ms);
        let listing = listing::write(
            &self.site,
            &head,
            &listed_calls.calls,
            listed.as_ref(),
            store,
        )?;
        let before = std::mem::take(&mut state.known.older);
        let older = self.write_overview(&briefs, &before, &log, &numbers, &full, store)?;
        if may_be_left {
            older::prune(&self.site, &older);
        }
        if self.settings.prune {
            self.prune(&briefs, rooms);
        }
        let built = built(&numbers.all.totals, log);
        state.known.files = files;
        state.known.rooms = listed_calls.rooms;
        state.known.calls = listed_calls.calls;
        state.known.sessions = listed_calls.sessions;
        state.known.changed_days = self.changed_days;
        state.known.days = days;
        state.known.listing = Some(listing);
        state.known.older = older;
        state.commit(is_swept, tell);
        Ok(built)
    }

    /// Writes the overview and the files of calls that it does not hold. `calls`: newest first; `before`: the files that are there. Gives
    /// those that are there now.
    fn write_overview(
        &self,
        calls: &[&Brief],
        before: &[Stretch],
        log: &LogStats,
        numbers: &Numbers<'_>,
        full: &page::Full<'_>,
        store: &Store,
    ) -> Result<Vec<Stretch>, Error> {
        let (days, zone) = (&self.changed_days, self.settings.zone);
        let (in_page, older) = older::write(&self.site, calls, days, before, zone, store)?;
        let places = calls[..in_page].iter().map(|call| call.kept);
        let read = store.read_all(places.clone()).map_err(Error::Remembered)?;
        let kept = read.each(places).map_err(Error::Remembered)?;
        let all = page::AllCalls {
            briefs: calls,
            in_page: &kept,
            older: &older,
            full,
        };
        let overview = page::overview(log, &all, numbers, self.settings.now_ms)?;
        self.site.put_parts("index.html", &overview)?;
        older::forget(&self.site, before, &older);
        Ok(older)
    }

    /// Removes pages of calls and rooms that are not there any more.
    fn prune(&self, calls: &[&Brief], rooms: &[String]) {
        let ids = calls
            .iter()
            .map(|call| call.key.id(&rooms[call.room as usize]));
        let ids: HashSet<String> = ids.collect();
        let folders = [("calls", ".html"), ("data/calls", ".json")];
        publish::prune(self.settings.out, &folders, |id| ids.contains(id));
        let rooms = rooms.iter().map(|room| data::room_path(room));
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
        let mut in_rooms = self.calls.in_rooms(&rooms);
        // Their account of beacons may be another now.
        let mut news: Vec<u64> = keys.values().flatten().copied().collect();
        news.sort_unstable();
        let again = |call: &KnownCall| (call.brief.room, Source::Stored(call.place));
        for call in in_rooms.iter().map(|at| self.calls.at(*at)) {
            let mut theirs = self.calls.sessions_of(call).iter();
            if theirs.any(|key| news.binary_search(key).is_ok()) {
                round.entry(call.brief.key).or_insert_with(|| again(call));
            }
        }
        loop {
            let mut sides: HashMap<CallKey, Sides> = HashMap::new();
            for (call, theirs) in neighbours(self.of_rooms(&in_rooms, &starts)) {
                let key = call.key.0;
                if call.trail.is_some_and(|before| before != trail(theirs))
                    && let Some(known) = self.calls.get(key)
                {
                    round.entry(key).or_insert_with(|| again(known));
                }
                if round.contains_key(&key) {
                    sides.insert(key, theirs);
                }
            }
            if round.is_empty() {
                return Ok(());
            }
            let shared = self.shared(&round, &keys, &in_rooms, store)?;
            let tasks = std::mem::take(&mut round).into_iter();
            let tasks = tasks.map(|(key, (room, source))| Task {
                sides: sides.remove(&key).unwrap_or_default(),
                files: files.get(&key).cloned(),
                key,
                room,
                source,
            });
            let written = self.write_all(tasks.collect(), &shared, order, store, tell)?;
            for written in written {
                let Written {
                    mut call,
                    keep,
                    sessions,
                } = written;
                // One after the other: they are read together.
                call.brief.kept = store.put_kept(&keep).map_err(Error::Remembered)?;
                starts.remove(&call.brief.key);
                self.changed_days.insert(call.brief.day);
                self.changed_rooms.insert(call.brief.room);
                match self.calls.get(call.brief.key) {
                    Some(before) => {
                        self.changed_days.insert(before.brief.day);
                    }
                    None => in_rooms.push(self.calls.len()),
                }
                self.calls.put(call, sessions);
            }
        }
    }

    /// All calls of some rooms: those at `in_rooms`, and those in `starts`, which have no summary yet, or an old one.
    fn of_rooms(
        &self,
        in_rooms: &[usize],
        starts: &HashMap<CallKey, (RoomNumber, Option<i64>)>,
    ) -> Vec<InRoom> {
        let known = in_rooms.iter().map(|at| self.calls.at(*at));
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
    /// `in_rooms`: all calls of their rooms, beyond which no session goes.
    fn shared(
        &self,
        round: &BTreeMap<CallKey, (RoomNumber, Source)>,
        keys: &HashMap<CallKey, Vec<u64>>,
        in_rooms: &[usize],
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
            let all = in_rooms.iter().map(|at| self.calls.at(*at));
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

    /// Writes the pages of rooms that have news, and the list of all. `calls`: newest first.
    fn write_rooms(
        &self,
        calls: &[&Brief],
        full: &page::Full<'_>,
        numbers: &Numbers<'_>,
        store: &Store,
    ) -> Result<(), Error> {
        let mut by_room: HashMap<RoomNumber, Vec<&Brief>> = HashMap::new();
        for call in calls {
            if self.changed_rooms.contains(&call.room) {
                by_room.entry(call.room).or_default().push(call);
            }
        }
        for (room, calls) in by_room {
            let room = numbers.room_names[room as usize].as_str();
            let drawn = calls
                .iter()
                .take(page::ROOM_CALLS_MAX)
                .map(|call| call.kept);
            let read = store.read_all(drawn.clone()).map_err(Error::Remembered)?;
            let drawn = read.each(drawn).map_err(Error::Remembered)?;
            let parts = page::room(room, &calls, &drawn, full, numbers)?;
            self.site.put_parts(&data::room_path(room), &parts)?;
        }
        let html = page::rooms(numbers)?;
        let path = format!("rooms/{}", page::ROOMS_FILE);
        self.site.put(&path, html.as_bytes())
    }

    /// Writes data and pages on all cores.
    fn write_all(
        &self,
        tasks: Vec<Task>,
        shared: &Shared,
        order: &FileOrder,
        store: &Store,
        tell: &(dyn Fn(Note) + Sync),
    ) -> Result<Vec<Written>, Error> {
        let of = tasks.len();
        let n_written = AtomicUsize::new(0);
        let write = |task| {
            let written = self.write(task, shared, order, store);
            let calls = n_written.fetch_add(1, Ordering::Relaxed) + 1;
            tell(Note::Progress(Progress::Written { calls, of }));
            written
        };
        cores::on_all(tasks, write)
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
        let sketches = store
            .put_sketches(&call::sketches(&call))
            .map_err(remembered)?;
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
        let call = KnownCall {
            brief: Brief::of(&keep.summary, key, room, zone),
            place,
            sketches,
            first_session: 0,
            n_sessions: 0,
            trail: trail(sides),
            entry_bytes: u32::try_from(keep.entry.len()).unwrap_or(u32::MAX),
            entry_at: None,
        };
        Ok(Written {
            call,
            keep,
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
    old: &Old,
    gone: &[KnownFile],
    store: &Store,
) -> Result<(), Error> {
    let gone: HashSet<FileNumber> = gone.iter().map(|file| file.number).collect();
    let left = old.left_over(
        |file| gone.contains(&file),
        |key| touched.contains_key(&key),
    );
    for (call, files) in left.map_err(Error::Remembered)? {
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
    before: &dyn Fn(CallKey) -> Option<Place>,
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
    let (read, touched) = gather::read(&unread, store, before, tell)?;
    let mut read = read.into_iter();
    files.extend(
        here.into_iter()
            .filter_map(|known| known.or_else(|| read.next())),
    );
    Ok((files, touched))
}
