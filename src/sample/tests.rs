//! What a sample log has to hold, whatever the generator does inside.

use super::scene::Kind;
use super::*;
use crate::beacon::{self, Beacon};
use crate::call::{Calls, Delivery};
use crate::metric::{METRIC_COUNT, MetricId};
use std::collections::BTreeSet;

/// 2026-11-23T17:00:00Z.
const UNTIL_MS: i64 = 1_795_453_200_000;

fn log(calls: u32, seed: u64, days: u32) -> Vec<u8> {
    made(&Wanted {
        calls,
        seed,
        days,
        until_ms: UNTIL_MS,
        one_reading: false,
    })
}

fn made(wanted: &Wanted) -> Vec<u8> {
    let mut out = Vec::new();
    write(wanted, &mut out).unwrap();
    out
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap())
}

fn beacons(log: &[u8]) -> Vec<Beacon<'_>> {
    lines(log).map(|line| beacon::read(line).unwrap()).collect()
}

fn metric(name: &str) -> MetricId {
    MetricId::from_wire(name).unwrap()
}

/// Mean of what was measured of a metric in `span` by those whom `wanted` names.
fn mean(log: &[Beacon<'_>], name: &str, span: Span, wanted: impl Fn(&Beacon<'_>) -> bool) -> f64 {
    let values: Vec<f64> = log
        .iter()
        .filter(|beacon| wanted(beacon))
        .flat_map(|beacon| &beacon.readings)
        .filter(|reading| span.contains(reading.timestamp_ms))
        .filter_map(|reading| reading.values.get(metric(name)))
        .collect();
    assert!(!values.is_empty(), "no {name}");
    values.iter().sum::<f64>() / values.len() as f64
}

/// The scene that was filled for a call of the twelve of seed 1.
fn scene_of(index: u32) -> scene::Scene {
    let call = schedule(12, 1, 7, UNTIL_MS)
        .into_iter()
        .find(|call| call.index == index)
        .unwrap();
    plot::scene(
        index,
        call.story,
        call.span,
        &mut rng(1, index, Purpose::Call),
    )
}

#[test]
fn with_one_reading_a_beacon_the_calls_are_the_same() {
    let wanted = Wanted {
        calls: 12,
        seed: 1,
        days: 7,
        until_ms: UNTIL_MS,
        one_reading: true,
    };
    let (single, mixed) = (made(&wanted), log(12, 1, 7));
    let (single, mixed) = (beacons(&single), beacons(&mixed));
    assert!(single.iter().all(|beacon| beacon.readings.len() <= 1));
    assert!(mixed.iter().any(|beacon| 1 < beacon.readings.len()));
    let who = |beacon: &Beacon<'_>| (beacon.session_id.to_string(), beacon.received_ms);
    assert!(single.iter().map(who).eq(mixed.iter().map(who)));
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_others_others() {
    let one = log(3, 1, 7);
    assert_eq!(one, log(3, 1, 7));
    assert_ne!(one, log(3, 2, 7));
    assert_ne!(one, log(4, 1, 7));
    assert_ne!(log(3, u64::MAX, 7), log(3, u64::MAX - 1, 7));
}

#[test]
fn no_calls_give_an_empty_log() {
    assert!(log(0, 1, 7).is_empty());
}

#[test]
fn every_line_is_a_beacon_received_in_order_and_before_the_end() {
    for (calls, seed, days) in [(12, 1, 7), (5, 9, 1), (30, 3, 3_650)] {
        let log = log(calls, seed, days);
        let mut last_ms = 0;
        for beacon in beacons(&log) {
            let received_ms = beacon.received_ms.unwrap();
            assert!(last_ms <= received_ms);
            for reading in &beacon.readings {
                assert!((received_ms - 40_000..received_ms + 200).contains(&reading.timestamp_ms));
            }
            last_ms = received_ms;
        }
        assert!(
            last_ms < UNTIL_MS && UNTIL_MS - 10 * MINUTE_MS < last_ms,
            "{last_ms}"
        );
        let sessions: BTreeSet<_> = beacons(&log)
            .into_iter()
            .map(|b| b.meeting_session_id.into_owned())
            .collect();
        assert_eq!(sessions.len(), calls as usize);
    }
}

#[test]
fn calls_are_spread_over_the_days_and_mostly_in_office_hours() {
    let planned = schedule(200, 1, 14, UNTIL_MS);
    let days: BTreeSet<i64> = planned
        .iter()
        .map(|call| start_of_day(call.span.start_ms))
        .collect();
    assert!(10 <= days.len() && days.len() <= 12, "{}", days.len());
    let in_office = planned.iter().filter(|call| {
        OFFICE_MS.contains(&(call.span.start_ms - start_of_day(call.span.start_ms)))
    });
    assert!((170..200).contains(&in_office.count()));
    assert!(
        planned
            .iter()
            .all(|call| UNTIL_MS - 15 * DAY_MS < call.span.start_ms && call.span.end_ms < UNTIL_MS)
    );
}

#[test]
fn most_calls_are_good() {
    let good = schedule(400, 5, 30, UNTIL_MS)
        .iter()
        .filter(|call| matches!(call.story, Story::Good))
        .count();
    assert!((280..340).contains(&good), "{good}");
}

#[test]
fn twelve_calls_hold_every_kind_of_trouble() {
    let log = log(12, 1, 7);
    let log = beacons(&log);
    let mut seen = Vec::new();
    for index in 0..12 {
        let scene = scene_of(index);
        let of_call = |beacon: &Beacon<'_>| beacon.meeting_session_id == scene.meeting_session_id;
        for trouble in &scene.troubles {
            let before = Span {
                start_ms: trouble.span.start_ms - 3 * MINUTE_MS,
                end_ms: trouble.span.start_ms,
            };
            let person = &scene.people[trouble.person.unwrap_or(0)];
            let is_theirs = |beacon: &Beacon<'_>| {
                of_call(beacon)
                    && person
                        .stints
                        .iter()
                        .any(|stint| stint.session_id == beacon.session_id)
            };
            let theirs = |name: &str, span| mean(&log, name, span, is_theirs);
            let others = |name: &str, span| {
                mean(&log, name, span, |beacon| {
                    of_call(beacon) && !is_theirs(beacon)
                })
            };
            let then = trouble.span;
            match trouble.kind {
                Kind::Uplink => {
                    assert!((0.085..0.15).contains(&theirs("totalSendPacketLoss", then)));
                    assert!(
                        theirs("sendBitsPerSecond", then)
                            < 0.6 * theirs("sendBitsPerSecond", before)
                    );
                    assert!(others("totalSendPacketLoss", then) < 0.01);
                    assert!(others("totalRecvPacketLoss", then) < 0.01);
                    assert!(100e3 < others("recvBitsPerSecond", then));
                }
                Kind::Downlink => {
                    assert!(0.07 < theirs("totalRecvPacketLoss", then));
                    assert!(theirs("totalSendPacketLoss", then) < 0.01);
                    assert!(others("totalRecvPacketLoss", then) < 0.01);
                }
                Kind::RoundTrip => {
                    assert!((0.35..0.8).contains(&theirs("networkRoundTripTime", then)))
                }
                Kind::Jitter => {
                    assert!(0.04 < theirs("audioRecvJitter", then));
                    assert!(theirs("audioRecvJitter", before) < 0.01);
                }
                Kind::Service => {
                    assert!(0.06 < theirs("totalRecvPacketLoss", then));
                    assert!(0.06 < others("totalRecvPacketLoss", then));
                }
                Kind::Gap => {
                    let readings = log
                        .iter()
                        .filter(|b| is_theirs(b))
                        .flat_map(|b| &b.readings);
                    let within = Span {
                        start_ms: then.start_ms + SECOND_MS,
                        end_ms: then.end_ms - SECOND_MS,
                    };
                    assert!(
                        readings
                            .clone()
                            .any(|reading| within.end_ms < reading.timestamp_ms)
                    );
                    assert!(
                        !readings
                            .clone()
                            .any(|reading| within.contains(reading.timestamp_ms))
                    );
                }
                Kind::NothingMeasured => assert!(
                    log.iter()
                        .filter(|b| of_call(b))
                        .all(|b| b.readings.is_empty())
                ),
            }
            seen.push(trouble.kind);
        }
    }
    let all = [
        Kind::Uplink,
        Kind::Downlink,
        Kind::RoundTrip,
        Kind::Jitter,
        Kind::Service,
        Kind::Gap,
        Kind::NothingMeasured,
    ];
    assert!(all.iter().all(|kind| seen.contains(kind)), "{seen:?}");
}

#[test]
fn a_few_beacons_get_lost_on_the_way_or_come_twice_or_late() {
    let log = log(12, 1, 7);
    let mut calls = Calls::default();
    beacons(&log).iter().for_each(|beacon| {
        calls.add(beacon, 0);
    });
    let told = Delivery::sum(calls.finish().iter().map(|call| call.delivery())).unwrap();
    let few = 1..told.numbered / 100;
    for n in [told.missing, told.repeated, told.late] {
        assert!(few.contains(&n), "{told:?}");
    }
    assert!(
        beacons(&log)
            .iter()
            .all(|beacon| beacon.synced == Some(true))
    );
}

#[test]
fn a_small_log_shows_what_browsers_do() {
    let log = log(12, 1, 7);
    let lines: Vec<serde_json::Value> = lines(&log)
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let count = |wanted: &dyn Fn(&serde_json::Value) -> bool| {
        lines.iter().filter(|line| wanted(line)).count()
    };
    let (v1, heartbeats) = (
        count(&|line| line["v"] == 1),
        count(&|line| line["stats"] == serde_json::json!({})),
    );
    assert!(lines.len() * 7 / 10 < v1 && v1 < lines.len());
    assert!(5 < heartbeats && heartbeats < lines.len() / 10);
    assert!(
        0 < count(&|line| line["v"].is_null() && !line["networkState"].is_null()),
        "v0 of today"
    );
    assert!(
        0 < count(&|line| line["v"].is_null() && line["networkState"].is_null()),
        "v0 of 2022"
    );
    let firefox = |line: &serde_json::Value| {
        line["client"]["browser"]
            .as_str()
            .is_some_and(|browser| browser.starts_with("Firefox"))
            && !line["samples"].is_null()
    };
    assert!(0 < count(&firefox));
    assert_eq!(
        count(&|line| firefox(line) && !line["stats"]["latest"]["networkRoundTripTime"].is_null()),
        0
    );
    let muted = |line: &serde_json::Value| line["stats"]["latest"]["videoSendBitsPerSecond"] == 0;
    assert!(0 < count(&muted));
    assert_eq!(
        count(&|line| muted(line) && !line["stats"]["latest"]["videoSendPacketLoss"].is_null()),
        0
    );
    for kind in ["joined-meeting", "left-meeting", "network-quality-change"] {
        let has = |line: &serde_json::Value| {
            line["events"]
                .as_array()
                .is_some_and(|all| all.iter().any(|e| e["type"] == kind))
        };
        assert!(0 < count(&has), "{kind}");
    }
    let rejoined = (0..12).any(|index| {
        scene_of(index)
            .people
            .iter()
            .any(|person| 1 < person.stints.len())
    });
    assert!(rejoined);
    let names: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line["name"].as_str())
        .collect();
    assert!(8 < names.len() && names.contains("דנה לוי"), "{names:?}");
}

#[test]
fn every_metric_is_measured_and_beacons_stay_small() {
    let log = log(12, 1, 7);
    let mut measured = [0; METRIC_COUNT];
    for beacon in beacons(&log) {
        for (count, metric) in measured.iter_mut().zip(MetricId::all()) {
            *count += beacon
                .readings
                .iter()
                .filter(|reading| reading.values.get(metric).is_some())
                .count();
        }
    }
    for id in MetricId::all() {
        assert!(
            1_000 < measured[id.index()],
            "{}: {}",
            id.def().id,
            measured[id.index()]
        );
    }
    assert!(
        lines(&log).all(|line| line.len() < 4_000),
        "{:?}",
        lines(&log).map(<[u8]>::len).max()
    );
    assert!(
        (4_000_000..10_000_000).contains(&log.len()),
        "{}",
        log.len()
    );
}
