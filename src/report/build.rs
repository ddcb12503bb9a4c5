//! One build, from what the one before remembered to what the next one may go on with.
//!
//! Reads what is new, writes what that changes: data and page of each call that has news, of calls that share a session with one
//! (beacons are numbered through a session), and of those whose page leads to another call than before; then the overview; then what
//! is to be remembered. Killed in between, the next build goes on from before this one and writes the same.

use super::cores;
use super::days::{DayStart, day_of};
use super::gather::{self, LogStats, Source, Touched, Unread};
use super::numbers::Numbers;
use super::page::{Beside, CutRow, Neighbours};
use super::publish::{self, Site};
use super::state::{
    KnownCall, KnownFile, Old, Place, Recognised, State, Store, Texts, absolute, path_digest,
    recognised,
};
use super::totals::Totals;
use super::{ASSETS, Built, Error, Note, Progress, Settings, data, page};
use crate::call::{
    self, Accounts, Call, CallSummary, FileNumber, FileOrder, Shared, in_several_calls,
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
        calls: BTreeMap::new(),
        changed_days: BTreeSet::new(),
        changed_rooms: HashSet::new(),
    }
    .run(state, &opened, &files.found, tell)
}

struct Build<'a> {
    settings: &'a Settings<'a>,
    site: Site<'a>,
    /// By id.
    calls: BTreeMap<String, KnownCall>,
    /// Days on which a call begins, or began until now, whose readings have changed.
    changed_days: BTreeSet<DayStart>,
    /// Rooms of calls that have changed.
    changed_rooms: HashSet<String>,
}

/// A call to be written.
struct Task {
    id: String,
    source: Source,
    files: Vec<FileNumber>,
    neighbours: (Option<String>, Option<String>),
    trail: u64,
}

/// A call that was written.
struct Written {
    /// What is to be remembered of it. Its [`Texts`] have no place yet.
    call: KnownCall,
    row: CutRow,
    entry: String,
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
        let known = std::mem::take(&mut state.known.calls);
        self.calls = known
            .into_iter()
            .map(|known| (known.summary.id.clone(), known))
            .collect();
        let before = |id: &str| self.calls.get(id).map(|call| call.place);
        let known = &state.known.files;
        let (files, mut touched) = read(known, opened, found, &state.store, &before, tell)?;
        if let Some(old) = state.old.as_ref().filter(|_| !self.settings.prune) {
            keep(&mut touched, old, &state.known.files, &state.store)?;
        }
        let is_news = is_anew || !touched.is_empty() || files != state.known.files;
        let mut is_swept = true;
        if is_news {
            // A state that is new knows nothing of builds before.
            let may_be_left = state.begin() || is_anew;
            is_swept = !may_be_left || publish::sweep(self.settings.out);
            self.assets()?;
        }
        let order: FileOrder = files.iter().map(|file| file.number).collect();
        self.write_calls(touched, &order, &state.store, tell)?;
        let here = files.iter().filter(|file| !file.is_gone);
        let log = LogStats::of(here.map(|file| &file.account));
        let mut days = std::mem::take(&mut state.known.days);
        let (calls, zone) = (self.calls.values(), self.settings.zone);
        days.renew(&self.changed_days, calls, zone, &state.store)
            .map_err(Error::Remembered)?;
        let mut calls: Vec<KnownCall> = std::mem::take(&mut self.calls).into_values().collect();
        // Newest first; those of one instant stay in the order of their ids.
        calls.sort_by_cached_key(|call| Reverse(call.summary.span_ms.map(|(start, _)| start)));
        let summaries: Vec<&CallSummary> = calls.iter().map(|call| &*call.summary).collect();
        let totals = Totals::new(summaries.iter().copied());
        if is_news {
            let now_ms = self.settings.now_ms;
            let numbers = Numbers::new(&summaries, &days, zone, self.settings.standards);
            let read = state.store.read_all(calls.iter().map(|call| call.texts));
            let read = read.map_err(Error::Remembered)?;
            let texts = calls.iter().map(|call| read.texts(call.texts));
            let texts: Vec<Texts<'_>> =
                texts.collect::<Result<_, _>>().map_err(Error::Remembered)?;
            self.write_rooms(&summaries, &texts, &numbers)?;
            let report = data::report(&log, &texts, &totals, &numbers, now_ms);
            self.site.put_parts("data/report.json", &report)?;
            let overview = page::overview(&log, &summaries, &texts, &totals, &numbers, now_ms)?;
            self.site.put_parts("index.html", &overview)?;
        }
        if self.settings.prune {
            let ids: HashSet<&str> = summaries.iter().map(|call| call.id.as_str()).collect();
            let folders = [("calls", ".html"), ("data/calls", ".json")];
            publish::prune(self.settings.out, &folders, |id| ids.contains(id));
            let rooms = summaries.iter().map(|call| data::room_path(&call.room));
            let rooms: HashSet<String> = rooms.collect();
            publish::prune(self.settings.out, &[("rooms", "")], |name| {
                name == page::ROOMS_FILE || rooms.contains(&format!("rooms/{name}"))
            });
        }
        let n_calls = calls.len();
        if is_news {
            state.known.files = files;
            state.known.calls = calls;
            state.known.days = days;
            state.commit(is_swept, tell);
        }
        Ok(Built {
            calls: n_calls,
            participants: totals.participants,
            samples: totals.samples,
            log,
        })
    }

    fn assets(&self) -> Result<(), Error> {
        for name in ASSETS {
            let asset = site::asset(name).ok_or_else(|| Error::Write {
                path: self.settings.out.join(name),
                source: io::Error::from(io::ErrorKind::NotFound),
            })?;
            let path = format!("assets/{}/{name}", site::assets_digest());
            self.site.put(&path, asset.bytes)?;
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
        touched: BTreeMap<String, Touched>,
        order: &FileOrder,
        store: &Store,
        tell: &(dyn Fn(Note) + Sync),
    ) -> Result<(), Error> {
        let mut starts = HashMap::new();
        let mut keys: HashMap<String, Vec<u64>> = HashMap::new();
        let mut files: HashMap<String, Vec<FileNumber>> = HashMap::new();
        let mut round: BTreeMap<String, Source> = BTreeMap::new();
        for (id, touched) in touched {
            files.insert(id.clone(), touched.files);
            starts.insert(id.clone(), (touched.room, touched.start_ms));
            keys.insert(id.clone(), touched.sessions);
            round.insert(id, touched.source);
        }
        // In all others everything is as before.
        let rooms = starts.values().map(|(room, _)| room.clone());
        let rooms: HashSet<String> = rooms.collect();
        // Their account of beacons may be another now.
        let news: HashSet<u64> = keys.values().flatten().copied().collect();
        let is_related = |call: &&KnownCall| {
            rooms.contains(&call.summary.room) && call.sessions.iter().any(|key| news.contains(key))
        };
        for call in self.calls.values().filter(is_related) {
            let again = || Source::Stored(call.place);
            round.entry(call.summary.id.clone()).or_insert_with(again);
        }
        let mut neighbours = self.neighbours(&rooms, &starts);
        while !round.is_empty() || self.lead_elsewhere(&rooms, &neighbours).next().is_some() {
            for call in self.lead_elsewhere(&rooms, &neighbours) {
                let again = || Source::Stored(call.place);
                round.entry(call.summary.id.clone()).or_insert_with(again);
            }
            let shared = self.shared(&round, &keys, store)?;
            let tasks = std::mem::take(&mut round).into_iter();
            let tasks = tasks.map(|(id, source)| Task {
                neighbours: neighbours.of(&id),
                trail: neighbours.trail_of(&id),
                files: files
                    .get(&id)
                    .or(self.calls.get(&id).map(|call| &call.files))
                    .cloned()
                    .unwrap_or_default(),
                id,
                source,
            });
            let written = self.write_all(tasks.collect(), &shared, order, store, tell)?;
            for Written {
                mut call,
                row,
                entry,
            } in written
            {
                let texts = Texts::new(row.parts(), &entry);
                // One after the other: they are read together.
                call.texts = store.put_texts(&texts).map_err(Error::Remembered)?;
                starts.remove(&call.summary.id);
                let day = |call: &KnownCall| day_of(&call.summary, self.settings.zone);
                self.changed_days.insert(day(&call));
                self.changed_rooms.insert(call.summary.room.clone());
                if let Some(before) = self.calls.insert(call.summary.id.clone(), call) {
                    self.changed_days.insert(day(&before));
                }
            }
            neighbours = self.neighbours(&rooms, &starts);
        }
        Ok(())
    }

    /// The neighbours of all calls in `rooms`. `starts`: rooms and starts of calls that have no summary yet, or an old one.
    fn neighbours(
        &self,
        rooms: &HashSet<String>,
        starts: &HashMap<String, (String, Option<i64>)>,
    ) -> Neighbours {
        let known = self.calls.values().map(|call| &call.summary);
        let known = known
            .filter(|call| rooms.contains(&call.room) && !starts.contains_key(&call.id))
            .map(|call| {
                let start = call.span_ms.map(|(start, _)| start);
                (call.room.as_str(), start, call.id.as_str())
            });
        let new = starts
            .iter()
            .map(|(id, (room, start))| (room.as_str(), *start, id.as_str()));
        Neighbours::new(known.chain(new))
    }

    /// Calls in `rooms` whose page leads to others than those that are their neighbours.
    fn lead_elsewhere<'s>(
        &'s self,
        rooms: &'s HashSet<String>,
        neighbours: &'s Neighbours,
    ) -> impl Iterator<Item = &'s KnownCall> {
        let calls = self.calls.values();
        let calls = calls.filter(|call| rooms.contains(&call.summary.room));
        calls.filter(|call| neighbours.trail_of(&call.summary.id) != call.trail)
    }

    /// The accounts of all sessions of the calls in `round` that are in other calls too.
    fn shared(
        &self,
        round: &BTreeMap<String, Source>,
        keys: &HashMap<String, Vec<u64>>,
        store: &Store,
    ) -> Result<Shared, Error> {
        let no_keys = Vec::new();
        let keys_of = |id: &String| {
            let known = || self.calls.get(id).map(|call| &call.sessions);
            keys.get(id).or_else(known).unwrap_or(&no_keys)
        };
        // Many are looked for in few.
        let mut theirs: Vec<u64> = round.keys().flat_map(keys_of).copied().collect();
        theirs.sort_unstable();
        let others = self.calls.keys().filter(|id| !round.contains_key(*id));
        let all = round.keys().chain(others).flat_map(keys_of).copied();
        let several = in_several_calls(all.filter(|key| theirs.binary_search(key).is_ok()));
        let mut accounts = Accounts::default();
        let concerns = |id: &&String| keys_of(id).iter().any(|key| several.contains(key));
        for (_, source) in round.iter().filter(|(id, _)| concerns(id)) {
            source.look(store, |call| accounts.take_in(call, &several))?;
        }
        for (id, call) in &self.calls {
            if concerns(&id) && !round.contains_key(id) {
                let source = Source::Stored(call.place);
                source.look(store, |call| accounts.take_in(call, &several))?;
            }
        }
        Ok(accounts.settle())
    }

    /// Writes the pages of rooms that have news, and the list of all. `texts`: of each of `calls`.
    fn write_rooms(
        &self,
        calls: &[&CallSummary],
        texts: &[Texts<'_>],
        numbers: &Numbers<'_>,
    ) -> Result<(), Error> {
        let mut by_room: HashMap<&str, (Vec<&CallSummary>, Vec<Texts<'_>>)> = HashMap::new();
        for (call, texts) in calls.iter().zip(texts) {
            if self.changed_rooms.contains(&call.room) {
                let (calls, all_texts) = by_room.entry(&call.room).or_default();
                calls.push(call);
                all_texts.push(*texts);
            }
        }
        for (room, (calls, texts)) in by_room {
            let parts = page::room(room, &calls, &texts, numbers)?;
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
            id,
            source,
            files,
            neighbours,
            trail,
        } = task;
        let (gathered, place) = match source {
            Source::Held(call) => {
                let place = store.put(&call).map_err(Error::Remembered)?;
                (call, place)
            }
            Source::Stored(place) => (store.get(place).map_err(Error::Remembered)?, place),
        };
        let sessions = gathered.session_keys().collect();
        let call: Call = gathered.finish(shared, order);
        let sketches = store
            .put_sketches(&call::sketches(&call))
            .map_err(Error::Remembered)?;
        let assessment = call::assess(&call, self.settings.standards);
        let data = data::call(&call, &assessment);
        self.site.put_parts(&data::data_path(&id), &data)?;
        let beside = Beside {
            neighbours: &neighbours,
            data_sum: checksum(data.iter().map(|part| &**part)),
        };
        let html = page::call(&call, &assessment, self.settings.zone, &beside)?;
        self.site.put_parts(&data::page_path(&id), &html)?;
        let summary = CallSummary::of(&call, &assessment);
        let row = page::table_row(&summary, self.settings.standards, self.settings.zone)?;
        let entry = data::entry(&summary);
        let call = KnownCall {
            summary: Box::new(summary),
            place,
            sketches,
            texts: Place::default(),
            sessions,
            files,
            trail,
        };
        Ok(Written { call, row, entry })
    }
}

/// Takes over calls that builds before have seen and no log holds any more.
fn keep(
    touched: &mut BTreeMap<String, Touched>,
    old: &Old,
    gone: &[KnownFile],
    store: &Store,
) -> Result<(), Error> {
    let gone: HashSet<FileNumber> = gone.iter().map(|file| file.number).collect();
    let left = old.left_over(|file| gone.contains(&file), |id| touched.contains_key(id));
    for (call, files) in left.map_err(Error::Remembered)? {
        let id = call.id();
        let kept = Touched::stored(call, store).map_err(Error::Remembered)?;
        touched.insert(id, Touched { files, ..kept });
    }
    Ok(())
}

/// Reads what is new in all files; gives what is known of them, those that are gone first, and the calls that had a beacon.
fn read(
    known: &[KnownFile],
    opened: &[Opened],
    found: &[Option<usize>],
    store: &Store,
    before: &dyn Fn(&str) -> Option<Place>,
    tell: &(dyn Fn(Note) + Sync),
) -> Result<(Vec<KnownFile>, BTreeMap<String, Touched>), Error> {
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
