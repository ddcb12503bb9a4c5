//! Beacons put together by call and by session: facts alone, before anything is concluded.
//!
//! The order in which files are read means nothing, nor how much of each at a time: logs of several collectors, late beacons and
//! a build that goes on where the last one ended all give the same calls. Where two readings of one instant contradict each other,
//! the one that stands first in the logs counts, and so each keeps the number of its file.

use super::clock::{self, Beat, Clock};
use super::delivery::{self, Arrival, Delivery};
use super::rows::Rows;
use super::{Call, CallKey, Participant, packed};
use crate::beacon::{Beacon, Event};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a call costs besides its readings, about; likewise a session.
const SESSION_BYTES: usize = 1_000;
/// And a beacon, with room to grow.
const BEACON_BYTES: usize = 2 * (size_of::<Arrival>() + size_of::<Beat>());

/// Gathers beacons into calls. The keys of its maps are other people's text: a hash that can be foreseen would let them make
/// every look-up slow.
#[derive(Debug, Default)]
pub struct Calls {
    by_room: HashMap<String, HashMap<String, usize>>,
    calls: Vec<Gathered>,
    /// For each of `calls` the number of beacons, of all, after which it had its last one.
    touched: Vec<u64>,
    n_beacons: u64,
    /// Memory that the calls take, about.
    bytes: usize,
    /// Where beacons went lately, by [`place_of`]: a guess, which saves almost all look-ups.
    lately: Vec<Spot>,
}

/// A person's place: which of [`Calls::calls`], and who in it.
#[derive(Debug, Clone, Copy, Default)]
struct Spot {
    call: usize,
    session: usize,
}

/// People who are remembered by where their beacons went.
const LATELY: usize = 1 << 10;

/// Which of [`LATELY`] is the one for a beacon. Anybody can find ids that have the same: they cost each other the guess, no more.
fn place_of(beacon: &Beacon<'_>) -> usize {
    let end = |id: &str| {
        id.as_bytes()
            .last_chunk()
            .copied()
            .map_or(0, u64::from_le_bytes)
    };
    let ends = end(&beacon.session_id) ^ end(&beacon.meeting_session_id).rotate_left(32);
    (ends.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % LATELY
}

/// One call, as far as its beacons have come.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Gathered {
    /// As beacons have it. Any text.
    pub room: String,
    /// Daily's id. Any text.
    pub meeting_session_id: String,
    sessions: Vec<Session>,
    #[serde(skip)]
    by_session: HashMap<String, usize>,
}

/// One person in a call.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Session {
    session_id: String,
    name: Latest<String>,
    client: Latest<Vec<(String, String)>>,
    received_ms: Option<(i64, i64)>,
    arrivals: Vec<Arrival>,
    #[serde(with = "packed")]
    beats: Vec<Beat>,
    events: Vec<Event>,
    readings: Rows,
    /// Which file they are from: so many of this, then so many of that. None, where a beacon had none.
    files: Vec<(FileNumber, usize)>,
}

/// A file of the logs, numbered as it was first seen.
pub type FileNumber = u32;

/// The order of files in the logs, for numbers that were given in another.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FileOrder(HashMap<FileNumber, usize>);

impl FromIterator<FileNumber> for FileOrder {
    /// From the first file to the last.
    fn from_iter<T: IntoIterator<Item = FileNumber>>(files: T) -> FileOrder {
        FileOrder(files.into_iter().zip(0..).collect())
    }
}

impl FileOrder {
    /// Files of unknown place come after all others.
    fn rank(&self, file: FileNumber) -> usize {
        self.0.get(&file).copied().unwrap_or(usize::MAX)
    }
}

/// What the newest of all beacons said that said anything.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Latest<T> {
    at_ms: Option<i64>,
    value: Option<T>,
}

impl<T: Ord> Latest<T> {
    /// Of two that came at once the greater one stays.
    fn say(&mut self, at_ms: Option<i64>, value: T) {
        let is_news = match &self.value {
            Some(known) => (self.at_ms, known) < (at_ms, &value),
            None => true,
        };
        if is_news {
            *self = Latest {
                at_ms,
                value: Some(value),
            };
        }
    }
}

impl<T: Ord> Latest<T> {
    fn append(&mut self, later: Latest<T>) {
        if let Some(value) = later.value {
            self.say(later.at_ms, value);
        }
    }
}

/// Accounts of sessions that are in more than one call of a room, by call and session id.
#[derive(Debug, Default)]
pub struct Shared(BTreeMap<(CallKey, String), Option<Delivery>>);

impl Calls {
    /// Takes over one beacon of a file. Beacons of one file come in their order.
    pub fn add(&mut self, beacon: &Beacon<'_>, file: FileNumber) {
        if self.lately.is_empty() {
            self.lately = vec![Spot::default(); LATELY];
        }
        let place = place_of(beacon);
        let mut spot = self.lately[place];
        if !self.is_at(spot, beacon) {
            spot = self.find(beacon);
            self.lately[place] = spot;
        }
        self.n_beacons += 1;
        self.touched[spot.call] = self.n_beacons;
        let session = &mut self.calls[spot.call].sessions[spot.session];
        self.bytes += session.add(beacon, file);
    }

    fn is_at(&self, spot: Spot, beacon: &Beacon<'_>) -> bool {
        let call = self.calls.get(spot.call);
        call.is_some_and(|call| {
            let session = call.sessions.get(spot.session);
            session.is_some_and(|session| session.session_id == beacon.session_id)
                && call.meeting_session_id == beacon.meeting_session_id
                && call.room == beacon.room
        })
    }

    /// Where a beacon belongs: a new place where there is none.
    fn find(&mut self, beacon: &Beacon<'_>) -> Spot {
        let (room, meeting) = (&*beacon.room, &*beacon.meeting_session_id);
        let known = self
            .by_room
            .get(room)
            .and_then(|meetings| meetings.get(meeting));
        let at = match known {
            Some(&at) => at,
            None => self.insert(Gathered {
                room: room.to_owned(),
                meeting_session_id: meeting.to_owned(),
                ..Gathered::default()
            }),
        };
        let call = &mut self.calls[at];
        let n_sessions = call.sessions.len();
        let session = call.session(&beacon.session_id);
        self.bytes += SESSION_BYTES * (call.sessions.len() - n_sessions);
        Spot { call: at, session }
    }

    /// Takes a call over as it was gathered before. There must be none of that room and meeting session. Gives its place.
    pub fn insert(&mut self, gathered: Gathered) -> usize {
        let meetings = self.by_room.entry(gathered.room.clone()).or_default();
        meetings.insert(gathered.meeting_session_id.clone(), self.calls.len());
        self.bytes += gathered.bytes();
        self.touched.push(self.n_beacons);
        self.calls.push(gathered);
        self.calls.len() - 1
    }

    /// Memory that the calls take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of the half that has had no beacon for longest.
    pub fn let_go(&mut self) -> Vec<Gathered> {
        let Calls { calls, touched, .. } = std::mem::take(self);
        let mut all: Vec<(u64, Gathered)> = touched.into_iter().zip(calls).collect();
        all.sort_unstable_by_key(|(touched, _)| *touched);
        let stay = all.split_off(all.len().div_ceil(2));
        self.n_beacons = stay.last().map_or(0, |(touched, _)| *touched);
        for (touched, gathered) in stay {
            let at = self.insert(gathered);
            self.touched[at] = touched;
        }
        all.into_iter().map(|(_, gathered)| gathered).collect()
    }

    /// All that were gathered.
    pub fn into_gathered(self) -> Vec<Gathered> {
        self.calls
    }

    /// The calls, newest first, for tests: files count in the order of their numbers, and one core does it all.
    #[cfg(test)]
    pub fn finish(self) -> Vec<Call> {
        let keys = self.calls.iter().flat_map(Gathered::session_keys);
        let several = in_several_calls(keys);
        let mut accounts = Accounts::default();
        for call in &self.calls {
            accounts.take_in(call, &several);
        }
        let shared = accounts.settle();
        let files: BTreeSet<FileNumber> = self.calls.iter().flat_map(Gathered::files).collect();
        let order: FileOrder = files.into_iter().collect();
        let gathered = self.calls.into_iter();
        let mut calls: Vec<Call> = gathered.map(|one| one.finish(&shared, &order)).collect();
        calls.sort_by_cached_key(Call::listed_at);
        calls
    }
}

impl Gathered {
    /// What tells the call from all others.
    pub fn key(&self) -> CallKey {
        CallKey::of(&self.room, &self.meeting_session_id)
    }

    /// A [`session_key`] for each of the people in it.
    pub fn session_keys(&self) -> impl Iterator<Item = u64> {
        self.sessions
            .iter()
            .map(|session| session_key(&self.room, &session.session_id))
    }

    /// The files that its beacons are from.
    pub fn files(&self) -> BTreeSet<FileNumber> {
        let files = self.sessions.iter().flat_map(|session| &session.files);
        files.map(|(file, _)| *file).collect()
    }

    /// When it begins, ms since the epoch, as far as that can be told before all is known.
    pub fn start_ms(&self) -> Option<i64> {
        let of = |session: &Session| {
            let first = session.readings.first_ms();
            let first = first.map(|first| first + session.clock().added_ms());
            first.or(session.received_ms.map(|(first, _)| first))
        };
        self.sessions.iter().filter_map(of).min()
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        let of = |session: &Session| {
            SESSION_BYTES
                + session.readings.bytes()
                + size_of_val(&*session.arrivals)
                + size_of_val(&*session.beats)
                + size_of_val(&*session.events)
        };
        self.sessions.iter().map(of).sum::<usize>() + SESSION_BYTES
    }

    /// Takes over what was gathered of the same call from what stands behind all of this in the logs.
    pub fn append(&mut self, later: Gathered) {
        for session in later.sessions {
            let at = self.session(&session.session_id);
            self.sessions[at].append(session);
        }
    }

    /// The place of the session of that id, a new one where there is none.
    fn session(&mut self, session_id: &str) -> usize {
        // After a while on disk the index is gone: it is not stored.
        if self.by_session.len() != self.sessions.len() {
            let ids = self.sessions.iter().map(|session| &session.session_id);
            self.by_session = ids.cloned().zip(0..).collect();
        }
        match self.by_session.get(session_id) {
            Some(&at) => at,
            None => {
                self.by_session
                    .insert(session_id.to_owned(), self.sessions.len());
                self.sessions.push(Session {
                    session_id: session_id.to_owned(),
                    ..Session::default()
                });
                self.sessions.len() - 1
            }
        }
    }

    /// The call. `shared`: of sessions that are in other calls too.
    pub fn finish(self, shared: &Shared, order: &FileOrder) -> Call {
        let key = self.key();
        let mut duplicates = 0;
        let mut participants: Vec<Participant> = Vec::with_capacity(self.sessions.len());
        for mut session in self.sessions {
            let files = session.files.iter();
            let ranks = files.map(|&(file, n)| (order.rank(file), n));
            let ranks: Vec<usize> = ranks
                .flat_map(|(rank, n)| std::iter::repeat_n(rank, n))
                .collect();
            let clock = session.clock();
            let mut series = session.readings.into_series();
            duplicates += series.settle(|at| ranks.get(at).copied().unwrap_or(usize::MAX));
            // Only now: what is a repeat is told by the instants that were sent.
            series.shift(clock.added_ms());
            for event in &mut session.events {
                event.at_ms += clock.added_ms();
            }
            session.events.sort_unstable();
            session.events.dedup();
            let in_call = (key, session.session_id);
            let delivery = match shared.0.get(&in_call) {
                Some(delivery) => *delivery,
                None => delivery::account(&[&session.arrivals])[0],
            };
            participants.push(Participant {
                session_id: in_call.1,
                name: session.name.value,
                client: session.client.value.unwrap_or_default(),
                received_ms: session.received_ms,
                delivery,
                clock,
                events: session.events,
                series,
            });
        }
        participants.sort_by_cached_key(|participant| {
            let start = participant.span_ms().map(|(start, _)| start);
            (start.is_none(), start, participant.session_id.clone())
        });
        Call {
            id: key.id(&self.room),
            room: self.room,
            meeting_session_id: self.meeting_session_id,
            participants,
            duplicates,
        }
    }
}

impl Session {
    /// Gives how much more memory it takes, about.
    fn add(&mut self, beacon: &Beacon<'_>, file: FileNumber) -> usize {
        if let Some(received_ms) = beacon.received_ms {
            self.received(received_ms, received_ms);
        }
        let newest_ms = beacon.readings.iter().map(|one| one.timestamp_ms).max();
        let at_ms = beacon.received_ms.or(newest_ms);
        if let (Some(received_ms), Some(newest_ms)) = (beacon.received_ms, newest_ms) {
            self.beats.push(Beat {
                received_ms,
                newest_ms,
            });
        }
        if let Some(name) = beacon
            .name
            .as_deref()
            .filter(|name| !name.trim().is_empty())
        {
            self.name.say(at_ms, name.to_owned());
        }
        if !beacon.client.is_empty() {
            let owned = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| {
                (name.to_string(), value.to_string())
            };
            self.client
                .say(at_ms, beacon.client.iter().map(owned).collect());
        }
        self.events.extend(&beacon.events);
        let readings = beacon.readings.iter();
        let bytes: usize = readings.map(|one| self.readings.push(one)).sum();
        self.count(file, beacon.readings.len());
        self.arrivals.extend(Arrival::of(beacon));
        BEACON_BYTES + 2 * size_of_val(&*beacon.events) + bytes
    }

    fn append(&mut self, later: Session) {
        if let Some((first, last)) = later.received_ms {
            self.received(first, last);
        }
        self.name.append(later.name);
        self.client.append(later.client);
        self.readings.append(later.readings);
        for (file, n) in later.files {
            self.count(file, n);
        }
        self.arrivals.extend(later.arrivals);
        self.beats.extend(later.beats);
        self.events.extend(later.events);
    }

    /// What is known of the clock. One that would put a reading before 1970 is believed: such readings are made up.
    fn clock(&self) -> Clock {
        let clock = clock::clock(&self.beats);
        match self.readings.first_ms() {
            Some(first_ms) if first_ms + clock.added_ms() <= 0 => Clock::Unsuspected,
            _ => clock,
        }
    }

    fn received(&mut self, first_ms: i64, last_ms: i64) {
        let (first, last) = self.received_ms.unwrap_or((first_ms, last_ms));
        self.received_ms = Some((first.min(first_ms), last.max(last_ms)));
    }

    /// So many readings more are from `file`.
    fn count(&mut self, file: FileNumber, n_readings: usize) {
        match self.files.last_mut() {
            Some((last, n)) if *last == file => *n += n_readings,
            _ => self.files.push((file, n_readings)),
        }
    }
}

/// What stands for a person in a room where the ids themselves would take too much memory. Two that are the same by chance
/// make a call be looked at that need not be, nothing worse.
pub fn session_key(room: &str, session_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (room, session_id).hash(&mut hasher);
    hasher.finish()
}

/// Collects what was numbered in sessions that are in more than one call of a room: a session keeps its numbers when its
/// meeting session changes, so no call tells alone what is missing.
#[derive(Debug, Default)]
pub struct Accounts(BTreeMap<InRoom, Vec<(CallKey, Vec<Arrival>)>>);

/// A room and a session.
type InRoom = (String, String);

impl Accounts {
    /// Takes over what `call` has of the sessions whose [`session_key`] is in `keys`. Each call once.
    pub fn take_in(&mut self, call: &Gathered, keys: &HashSet<u64>) {
        for session in &call.sessions {
            if keys.contains(&session_key(&call.room, &session.session_id)) {
                let key = (call.room.clone(), session.session_id.clone());
                let theirs = (call.key(), session.arrivals.clone());
                self.0.entry(key).or_default().push(theirs);
            }
        }
    }

    /// Follows the numbers of each session through all calls that were taken in.
    pub fn settle(self) -> Shared {
        let mut shared = Shared::default();
        for ((_, session_id), mut calls) in self.0 {
            calls.sort_unstable();
            let arrivals: Vec<&[Arrival]> = calls.iter().map(|(_, theirs)| &**theirs).collect();
            let accounts = delivery::account(&arrivals);
            for ((key, _), account) in calls.into_iter().zip(accounts) {
                shared.0.insert((key, session_id.clone()), account);
            }
        }
        shared
    }
}

/// Of many [`session_key`]s, each call's own listed once, those that are in more than one call.
pub fn in_several_calls(keys: impl Iterator<Item = u64>) -> HashSet<u64> {
    let mut seen = HashSet::new();
    keys.filter(|key| !seen.insert(*key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::parse;
    use proptest::prelude::*;

    /// Small numbers of everything, so that beacons meet and contradict each other.
    fn lines() -> impl Strategy<Value = Vec<String>> {
        let few = || prop::option::of(0_i64..3);
        let reading = (0_i64..6, few(), few());
        let line = (0..2, 0..2, 0..3, few(), few(), few(), reading).prop_map(
            |(room, meeting, session, seq, name, received, (t, loss, bits))| {
                let member = |key: &str, value: Option<i64>| {
                    value.map_or_else(String::new, |value| format!(r#","{key}":{value}"#))
                };
                let name = name.map_or_else(String::new, |name| {
                    format!(r#","name":"n{name}","client":{{"os":"{name}"}}"#)
                });
                // Hours off, half of them: clocks that are wrong, and clocks that are set.
                let received = received.map_or_else(String::new, |t| {
                    format!(r#","_rx":{{"t":{}}}"#, 1_795_449_870_000 + 15_000 * t)
                });
                let t = 15_000 * t + if session == 2 { 3_600_000 } else { 0 };
                format!(
                    r#"{{"room":"r{room}","meetingSessionId":"m{meeting}","sessionId":"s{session}","stats":{{"latest":{{"timestamp":{}{}{}}}}}{}{name}{received}}}"#,
                    1_795_449_870_000 + t,
                    member("totalRecvPacketLoss", loss),
                    member("recvBitsPerSecond", bits),
                    member("seq", seq),
                )
            },
        );
        prop::collection::vec(line, 1..40)
    }

    fn add(calls: &mut Calls, lines: &[String], file: FileNumber) {
        for line in lines {
            calls.add(&parse(line.as_bytes()).unwrap(), file);
        }
    }

    fn finished(calls: Calls) -> String {
        format!("{:#?}", calls.finish())
    }

    proptest! {
        #[test]
        fn the_order_in_which_files_are_read_means_nothing(
            files in [lines(), lines(), lines()],
            seed in any::<u64>(),
        ) {
            let mut calls = Calls::default();
            for (lines, file) in files.iter().zip(0..) {
                add(&mut calls, lines, file);
            }
            let expect = finished(calls);
            let mut calls = Calls::default();
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut left: Vec<_> = files.iter().zip(0..).collect();
            let mut read = [0; 3];
            while !left.is_empty() {
                let (lines, file) = left[rng.usize(..left.len())];
                let at = &mut read[file as usize];
                let n = rng.usize(..=lines.len() - *at);
                add(&mut calls, &lines[*at..*at + n], file);
                *at += n;
                left.retain(|(lines, file)| read[*file as usize] < lines.len());
            }
            prop_assert_eq!(finished(calls), expect);
        }

        #[test]
        fn a_call_that_was_stored_goes_on_as_if_it_had_not_been(lines in lines(), cut in 0_usize..40) {
            let mut calls = Calls::default();
            add(&mut calls, &lines, 0);
            let expect = finished(calls);
            let (before, after) = lines.split_at(cut.min(lines.len()));
            let mut calls = Calls::default();
            add(&mut calls, before, 0);
            let mut recalled = Calls::default();
            for gathered in calls.into_gathered() {
                let stored = postcard::to_stdvec(&gathered).unwrap();
                recalled.insert(postcard::from_bytes(&stored).unwrap());
            }
            add(&mut recalled, after, 0);
            prop_assert_eq!(finished(recalled), expect);
        }
    }

    #[test]
    fn of_names_the_newest_counts() {
        let mut calls = Calls::default();
        let line = |name: &str, t: i64| {
            format!(
                r#"{{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{{}},"name":"{name}","_rx":{{"t":{t}}}}}"#
            )
        };
        add(
            &mut calls,
            &[
                line("new", 1_795_449_870_009),
                line("old", 1_795_449_870_001),
            ],
            0,
        );
        let call = calls.finish().remove(0);
        assert_eq!(call.participants[0].name.as_deref(), Some("new"));
    }
}
