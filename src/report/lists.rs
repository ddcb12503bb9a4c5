//! Writes what tells of many calls: files of older ones, pages of rooms, `data/report.json`, the overview last.

use super::brief::{Brief, RoomNumber};
use super::days::{DayStart, Days, Scored};
use super::gather::LogStats;
use super::listing::{self, Listing};
use super::numbers::Numbers;
use super::older::{self, Stretch};
use super::publish::Site;
use super::state::{KnownCall, KnownCalls, Place, Store};
use super::{Error, Settings, data, page};
use crate::call::CallSummary;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What they are made of, besides the calls.
pub(super) struct Lists<'a> {
    pub(super) settings: &'a Settings<'a>,
    pub(super) site: &'a Site<'a>,
    pub(super) log: &'a LogStats,
    pub(super) days: &'a Days,
    /// Days and rooms whose calls have changed.
    pub(super) changed_days: &'a BTreeSet<DayStart>,
    pub(super) changed_rooms: &'a HashSet<RoomNumber>,
    pub(super) store: &'a Store,
}

impl Lists<'_> {
    /// Writes them. `calls`: of days and rooms that have changed all were taken out; `listed_before`, `older_before`: what the build before
    /// has left.
    pub(super) fn write(
        &self,
        calls: &mut KnownCalls,
        listed_before: Option<&listing::Before>,
        older_before: &[Stretch],
    ) -> Result<(Listing, Vec<Stretch>), Error> {
        let (zone, standards) = (self.settings.zone, self.settings.standards);
        let (site, changed, store) = (self.site, self.changed_days, self.store);
        let by_day = self.days.newest_first();
        let (in_page, older) =
            older::write(site, calls, by_day, changed, older_before, zone, store)?;
        if listed_before.is_none() {
            calls.take_out_all(store).map_err(Error::Remembered)?;
        }
        let calls = &*calls;
        let numbers = Numbers::new(calls.rooms(), self.days, zone, standards);
        self.write_rooms(calls, &numbers)?;
        let head = data::report(self.log, &numbers, self.settings.now_ms);
        let listing = listing::write(site, &head, calls, changed, listed_before, store)?;
        self.write_overview(&in_page, &older, &numbers)?;
        older::forget(site, older_before, &older);
        Ok((listing, older))
    }

    /// Writes the pages of rooms that have news, and the list of all.
    fn write_rooms(&self, calls: &KnownCalls, numbers: &Numbers<'_>) -> Result<(), Error> {
        let mut by_room: HashMap<RoomNumber, Vec<&KnownCall>> = HashMap::new();
        for call in calls.in_rooms(self.changed_rooms) {
            by_room.entry(call.brief.room).or_default().push(call);
        }
        for (room, theirs) in by_room {
            let room = calls.rooms()[room as usize].name.as_str();
            let theirs = calls.listed(theirs);
            let briefs: Vec<&Brief> = theirs.iter().map(|call| &call.brief).collect();
            let drawn = briefs.iter().take(page::ROOM_CALLS_MAX);
            let drawn = drawn.map(|call| call.kept);
            let read = self.store.read_all(drawn.clone());
            let read = read.map_err(Error::Remembered)?;
            let drawn = read.each(drawn).map_err(Error::Remembered)?;
            let parts = page::room(room, &briefs, &drawn, &self.full(), numbers)?;
            self.site.put_parts(&data::room_path(room), &parts)?;
        }
        let html = page::rooms(numbers)?;
        let path = format!("rooms/{}", page::ROOMS_FILE);
        self.site.put(&path, html.as_bytes())
    }

    /// Writes the overview, which holds what is kept at `in_page` itself.
    fn write_overview(
        &self,
        in_page: &[Place],
        older: &[Stretch],
        numbers: &Numbers<'_>,
    ) -> Result<(), Error> {
        let places = in_page.iter().copied();
        let read = self.store.read_all(places.clone());
        let read = read.map_err(Error::Remembered)?;
        let kept = read.each(places).map_err(Error::Remembered)?;
        let calls = page::Listed {
            in_page: &kept,
            older,
        };
        let now_ms = self.settings.now_ms;
        let overview = page::overview(self.log, &calls, &self.full(), numbers, now_ms)?;
        self.site.put_parts("index.html", &overview)
    }

    /// Reads what else is kept of a call.
    fn full(&self) -> impl Fn(&Scored) -> Result<CallSummary, Error> {
        |call| {
            let summary = self.store.get_summary(call.kept);
            summary.map_err(Error::Remembered)
        }
    }
}
