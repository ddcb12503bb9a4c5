//! The page of one call: the verdict, who was there when, every metric over time and as a distribution, and the numbers.
//! People come from `people`, panels from `panel`; layout is the template's.

use super::super::holes::fill;
use super::super::{Error, data};
use super::panel;
use super::people::{self, Moment, OnePerson};
use super::{Verdict, delivery, for_script, verdict};
use crate::call::{Assessment, Call, FAIR_MIN, GOOD_MIN};
use crate::digest::checksum_on;
use crate::site;
use crate::units::{self, counted};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::borrow::Cow;

/// Issues and events that are in the page from the start. Of a long call with much trouble there are hundreds.
const FIRST_MOMENTS: usize = 30;

/// A hole in the page, see [`fill`].
const CHARTS: &str = "<charts>";

#[derive(Serialize)]
struct Page<'a> {
    root: &'static str,
    /// One file to mail: it links to nothing beside it.
    single: bool,
    assets: String,
    version: &'static str,
    digest: String,
    room: String,
    /// The room's page, from the report's folder.
    room_page: String,
    /// As the beacons have it.
    room_sent: &'a str,
    meeting_session_id: &'a str,
    verdict: Verdict,
    sentence: &'a str,
    good_min: u8,
    fair_min: u8,
    day: String,
    span: String,
    duration: String,
    start_iso: String,
    n_people: String,
    n_samples: String,
    arrived: String,
    /// The rest of it: what was missing, repeated or late.
    arrived_odd: String,
    has_missing: bool,
    has_unknown: bool,
    earlier: Option<String>,
    later: Option<String>,
    data_path: String,
    /// Who has a colour, by arrival.
    people: Vec<OnePerson>,
    /// Everybody else.
    others: Vec<OnePerson>,
    /// Issues and events, in order: the first ones.
    moments: Vec<Moment>,
    /// How many follow, and they themselves for the page's script.
    n_more: usize,
    more: String,
    n_issues: usize,
    issues_left_out: usize,
    /// The report's; times are told in UTC until a reader asks for it.
    zone: &'a str,
    has_readings: bool,
    /// What the scripts draw from, as JSON: a hole.
    charts: &'static str,
}

/// What else of the report a page goes with.
pub(in crate::report) struct Beside<'a> {
    /// Ids of the calls before and after it in its room.
    pub(in crate::report) neighbours: &'a (Option<String>, Option<String>),
    /// The checksum of the file that [`data::data_path`] names.
    pub(in crate::report) data_sum: u32,
}

/// `calls/<call-id>.html`, in parts.
pub(in crate::report) fn call(
    call: &Call,
    assessment: &Assessment,
    zone: &TimeZone,
    beside: &Beside<'_>,
) -> Result<Vec<Cow<'static, [u8]>>, Error> {
    page(call, assessment, zone, Some(beside))
}

/// The same without a link to any other file, for [`super::super::single`] to put the assets into.
pub(in crate::report) fn single(
    call: &Call,
    assessment: &Assessment,
    zone: &TimeZone,
) -> Result<Vec<Cow<'static, [u8]>>, Error> {
    page(call, assessment, zone, None)
}

fn page(
    call: &Call,
    assessment: &Assessment,
    zone: &TimeZone,
    beside: Option<&Beside<'_>>,
) -> Result<Vec<Cow<'static, [u8]>>, Error> {
    let badges = people::badges(call, assessment);
    let (others, people): (Vec<_>, Vec<_>) = people::people(call, assessment, &badges)
        .into_iter()
        .partition(OnePerson::is_other);
    let mut moments = people::moments(call, assessment, &badges);
    let rest = moments.split_off(moments.len().min(FIRST_MOMENTS));
    let more: Vec<_> = rest.iter().map(Moment::brief).collect();
    let zone = units::zone_name(zone);
    let charts = panel::panels(call, assessment, &badges, zone).map(for_script);
    let page_of = |id: &Option<String>| id.as_ref().map(|id| format!("{id}.html"));
    let (earlier, later) = beside.map_or((None, None), |beside| {
        let (earlier, later) = beside.neighbours;
        (page_of(earlier), page_of(later))
    });
    let span = call.span_ms();
    let page = Page {
        root: "../",
        single: beside.is_none(),
        room_page: data::room_path(&call.room),
        assets: format!("../assets/{}/", site::assets_digest()),
        version: env!("CARGO_PKG_VERSION"),
        // The data hold everything that a page tells, apart from where it leads.
        digest: beside.map_or_else(String::new, |beside| {
            let leads = format!("{:?}", beside.neighbours);
            format!("{:08x}", checksum_on(beside.data_sum, leads.as_bytes()))
        }),
        room: call.room_name(),
        room_sent: &call.room,
        meeting_session_id: &call.meeting_session_id,
        verdict: verdict(assessment.score),
        sentence: &assessment.verdict.sentence,
        good_min: GOOD_MIN,
        fair_min: FAIR_MIN,
        day: span.map_or_else(|| units::MISSING.to_owned(), |(start, _)| units::day(start)),
        span: span.map(people::clock_span).unwrap_or_default(),
        duration: span.map_or_else(
            || units::MISSING.to_owned(),
            |(start, end)| units::duration(end - start),
        ),
        start_iso: span
            .map(|(start, _)| units::rfc3339(start))
            .unwrap_or_default(),
        n_people: counted(call.participants.len() as u64, "person", "people"),
        n_samples: counted(call.samples() as u64, "reading", "readings"),
        arrived: delivery::of_call(call.delivery()),
        arrived_odd: call.delivery().map(delivery::odd).unwrap_or_default(),
        has_missing: call.delivery().is_some_and(|delivery| 0 < delivery.missing),
        has_unknown: assessment.people.iter().any(|one| one.score.is_none()),
        earlier,
        later,
        data_path: beside.map_or_else(String::new, |_| format!("../{}", data::data_path(&call.id))),
        people,
        others,
        moments,
        n_more: more.len(),
        more: for_script(data::json(&more)),
        n_issues: assessment.issues.len(),
        issues_left_out: assessment.issues_left_out,
        zone,
        has_readings: charts.is_some(),
        charts: CHARTS,
    };
    let page = site::render("report-call.html", page)?;
    let charts = charts.map(String::into_bytes).map(Cow::from);
    Ok(fill(&page, [(CHARTS, charts.into_iter().collect())]))
}
