//! Made-up calls whose cause is known: what is said of them.

use super::super::{Calls, assess};
use crate::beacon::parse;
use crate::metric::Standards;

const T: i64 = 1_795_449_600_000;
const NAMES: [&str; 5] = ["Ana", "Bo", "Cy", "Di", "Ed"];

/// What one person measures in each of ten minutes.
type Person<'a> = &'a dyn Fn(i64) -> Vec<(&'static str, f64)>;

const SENT: &str = "totalSendPacketLoss";
const RECEIVED: &str = "totalRecvPacketLoss";
const ROUND_TRIP: &str = "networkRoundTripTime";

/// Well but for `metric`, which is `value` in `minutes`.
fn bad(
    metric: &'static str,
    value: f64,
    minutes: std::ops::Range<i64>,
) -> impl Fn(i64) -> Vec<(&'static str, f64)> {
    move |minute| {
        let mut values = well(minute);
        if minutes.contains(&minute) {
            values.retain(|(other, _)| *other != metric);
            values.push((metric, value));
        }
        values
    }
}

fn well(_: i64) -> Vec<(&'static str, f64)> {
    vec![(SENT, 0.001), (RECEIVED, 0.001), (ROUND_TRIP, 0.04)]
}

/// As Firefox tells it: neither a round-trip time nor a loss of what is sent.
fn firefox(
    of: impl Fn(i64) -> Vec<(&'static str, f64)>,
) -> impl Fn(i64) -> Vec<(&'static str, f64)> {
    move |minute| {
        let mut values = of(minute);
        values.retain(|(metric, _)| *metric == RECEIVED);
        values
    }
}

/// The causes of all issues, as `type of whom: side whose`, and the sentence.
fn told(people: &[Person<'_>]) -> (Vec<String>, String) {
    let name = |at: usize| {
        NAMES
            .get(at)
            .map_or_else(|| format!("P{at}"), |name| (*name).to_owned())
    };
    let mut calls = Calls::default();
    for (at, person) in people.iter().enumerate() {
        for nth in 0..300 {
            let values = person(nth / 30).into_iter();
            let values: String = values
                .map(|(id, value)| format!(r#","{id}":{value}"#))
                .collect();
            let line = format!(
                r#"{{"room":"r","meetingSessionId":"m","sessionId":"s{at:02}","name":"{}","stats":{{"latest":{{"timestamp":{}{values}}}}}}}"#,
                name(at),
                T + 2_000 * nth
            );
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        }
    }
    let found = assess(&calls.finish()[0], &Standards::default());
    let issues = found.issues.iter().map(|issue| {
        let whose = issue.cause.participant.map_or("nobody".to_owned(), name);
        let (kind, side) = (issue.issue_type.id(), issue.cause.side.id());
        format!("{kind} of {}: {side} {whose}", name(issue.participant))
    });
    let sentence = found.verdict.sentence.replace('\u{a0}', " ");
    (issues.collect(), sentence)
}

#[track_caller]
fn check(people: &[Person<'_>], causes: &[&str], sentence: &str) {
    let (found, said) = told(people);
    assert_eq!(found, causes);
    assert_eq!(said, sentence);
}

/// All issues have this cause.
#[track_caller]
fn all_by(causes: &[String], cause: &str) {
    assert!(causes.iter().all(|one| one.ends_with(cause)), "{causes:?}");
}

#[test]
fn an_uplink() {
    check(
        &[&bad(SENT, 0.09, 2..5), &well, &well],
        &["send-packet-loss of Ana: uplink Ana"],
        "Ana's upload lost 9 % of its packets from 16:02 to 16:04; everyone else was fine.",
    );
}

#[test]
fn an_uplink_whose_loss_the_others_see() {
    let (ana, sees) = (bad(SENT, 0.09, 2..5), bad(RECEIVED, 0.08, 2..5));
    check(
        &[&ana, &sees, &sees],
        &[
            "send-packet-loss of Ana: uplink Ana",
            "recv-packet-loss of Bo: uplink Ana",
            "recv-packet-loss of Cy: uplink Ana",
        ],
        "Ana's upload lost 9 % of its packets from 16:02 to 16:04; the two others saw it.",
    );
    check(
        &[&ana, &sees],
        &[
            "send-packet-loss of Ana: uplink Ana",
            "recv-packet-loss of Bo: uplink Ana",
        ],
        "Ana's upload lost 9 % of its packets from 16:02 to 16:04; the other one saw it.",
    );
    let (causes, sentence) = told(&[&ana, &sees, &sees, &sees, &well]);
    all_by(&causes, ": uplink Ana");
    let expect =
        "Ana's upload lost 9 % of its packets from 16:02 to 16:04; 3 of the 4 others saw it.";
    assert_eq!(sentence, expect);
    // Worse for those who receive it: still told by its cause.
    let (causes, sentence) = told(&[&bad(SENT, 0.098, 2..5), &bad(RECEIVED, 0.11, 2..5)]);
    all_by(&causes, ": uplink Ana");
    assert!(
        sentence.starts_with("Ana's upload lost 9.8 %"),
        "{sentence}"
    );
}

#[test]
fn a_downlink() {
    check(
        &[&bad(RECEIVED, 0.12, 2..5), &well, &well],
        &["recv-packet-loss of Ana: downlink Ana"],
        "Ana's download lost 12 % of its packets from 16:02 to 16:04; everyone else was fine.",
    );
    let (causes, _) = told(&[&well, &bad(RECEIVED, 0.12, 2..5)]);
    assert_eq!(causes, ["recv-packet-loss of Bo: downlink Bo"]);
}

#[test]
fn everyone() {
    let loss = bad(RECEIVED, 0.12, 2..5);
    let (causes, sentence) = told(&[&loss, &loss, &loss, &well]);
    all_by(&causes, ": everyone nobody");
    let expect = "3 of 4 people had trouble from 16:02 to 16:04, so it was the room or the service, not one person's line.";
    assert_eq!(sentence, expect);
    // A long way for all, and loss for some.
    let (causes, _) = told(&[
        &bad(ROUND_TRIP, 0.7, 2..5),
        &bad(ROUND_TRIP, 0.7, 2..5),
        &loss,
    ]);
    all_by(&causes, ": everyone nobody");
    // All lose both ways: nobody's uplink.
    let both = |minute: i64| match minute {
        2..5 => vec![(SENT, 0.1), (RECEIVED, 0.1)],
        minute => well(minute),
    };
    let (causes, _) = told(&[&both, &both, &both]);
    all_by(&causes, ": everyone nobody");
}

#[test]
fn of_whom_only_a_bitrate_is_known_nothing_is_said() {
    let loss = bad(RECEIVED, 0.12, 2..5);
    let mute = |_: i64| vec![("recvBitsPerSecond", 1e6)];
    check(
        &[&loss, &mute],
        &["recv-packet-loss of Ana: undecided Ana"],
        "Ana's download lost 12 % of its packets from 16:02 to 16:04.",
    );
    check(
        &[&loss, &mute, &well],
        &["recv-packet-loss of Ana: downlink Ana"],
        "Ana's download lost 12 % of its packets from 16:02 to 16:04; the only other person measured then was fine.",
    );
    check(
        &[&loss, &mute, &well, &well],
        &["recv-packet-loss of Ana: downlink Ana"],
        "Ana's download lost 12 % of its packets from 16:02 to 16:04; everyone else who was measured was fine.",
    );
    // Of all who were measured, most had trouble.
    let (causes, sentence) = told(&[&loss, &loss, &loss, &mute, &mute, &mute]);
    all_by(&causes, ": everyone nobody");
    assert!(
        sentence.starts_with("All 3 people who were measured had trouble"),
        "{sentence}"
    );
}

#[test]
fn two_people_who_both_have_trouble_are_undecided() {
    let undecided = |people: &[Person<'_>]| {
        let (causes, sentence) = told(people);
        all_by(&causes, ": undecided nobody");
        assert!(
            sentence.ends_with("; the other one had trouble too."),
            "{sentence}"
        );
    };
    let received = bad(RECEIVED, 0.12, 2..5);
    undecided(&[&received, &received]);
    undecided(&[&bad(SENT, 0.12, 2..5), &bad(SENT, 0.12, 2..5)]);
    // Far more is lost than the other one's upload lost.
    undecided(&[&bad(SENT, 0.06, 2..5), &bad(RECEIVED, 0.3, 2..5)]);
}

#[test]
fn two_independent_troubles_are_each_their_own() {
    let (ana, bo) = (bad(SENT, 0.12, 1..3), bad(RECEIVED, 0.08, 6..9));
    let each = [
        "send-packet-loss of Ana: uplink Ana",
        "recv-packet-loss of Bo: downlink Bo",
    ];
    let sentence =
        "Ana's upload lost 12 % of its packets from 16:01 to 16:02; everyone else was fine.";
    check(&[&ana, &bo, &well], &each, sentence);
    // At the same time: a third person receives well what Ana sends.
    let bo = bad(RECEIVED, 0.08, 1..3);
    let sentence = "Ana's upload lost 12 % of its packets from 16:01 to 16:02; 1 of the 2 others had trouble too.";
    check(&[&ana, &bo, &well], &each, sentence);
    let (causes, _) = told(&[&ana, &bo, &well, &well]);
    assert_eq!(causes, each);
}

#[test]
fn a_muted_camera_is_no_fault() {
    let muted = |minute: i64| {
        let mut values = well(minute);
        let bps = if (2..5).contains(&minute) { 0.0 } else { 8e5 };
        values.extend([
            ("videoSendBitsPerSecond", bps),
            ("sendBitsPerSecond", bps + 3e4),
        ]);
        values
    };
    check(
        &[&muted, &well],
        &[],
        "Both people had a good connection throughout.",
    );
}

#[test]
fn one_person_alone() {
    check(
        &[&bad(SENT, 0.12, 2..5)],
        &["send-packet-loss of Ana: uplink Ana"],
        "Ana's upload lost 12 % of its packets from 16:02 to 16:04.",
    );
    // Somebody sent it whom nobody measured.
    check(
        &[&bad(RECEIVED, 0.12, 2..5)],
        &["recv-packet-loss of Ana: undecided Ana"],
        "Ana's download lost 12 % of its packets from 16:02 to 16:04.",
    );
    let (causes, _) = told(&[&bad(ROUND_TRIP, 0.7, 2..5)]);
    assert_eq!(causes, ["round-trip-time of Ana: undecided Ana"]);
}

#[test]
fn what_firefox_does_not_measure_is_not_taken_for_well() {
    let loss = bad(RECEIVED, 0.12, 2..5);
    // It may be what Bo sends.
    let (causes, _) = told(&[&loss, &firefox(well)]);
    assert_eq!(causes, ["recv-packet-loss of Ana: undecided Ana"]);
    let (causes, _) = told(&[&loss, &loss, &firefox(well)]);
    all_by(&causes, ": undecided nobody");
    // A third person receives the same well.
    let (causes, _) = told(&[&loss, &firefox(well), &well]);
    assert_eq!(causes, ["recv-packet-loss of Ana: downlink Ana"]);
    let (causes, _) = told(&[&well, &firefox(bad(RECEIVED, 0.12, 2..5))]);
    assert_eq!(causes, ["recv-packet-loss of Bo: downlink Bo"]);
}

#[test]
fn one_of_twenty_five() {
    let all = |one: Person<'_>, rest: Person<'_>| {
        let mut people: Vec<Person<'_>> = vec![rest; 25];
        people[1] = one;
        told(&people)
    };
    let (causes, sentence) = all(&bad(SENT, 0.2, 2..5), &well);
    assert_eq!(causes, ["send-packet-loss of Bo: uplink Bo"]);
    assert!(
        sentence.ends_with("; everyone else was fine."),
        "{sentence}"
    );
    let (causes, _) = all(&bad(RECEIVED, 0.2, 2..5), &well);
    assert_eq!(causes, ["recv-packet-loss of Bo: downlink Bo"]);
    let (causes, sentence) = all(&bad(SENT, 0.2, 2..5), &bad(RECEIVED, 0.06, 2..5));
    assert_eq!(causes.len(), 25);
    all_by(&causes, ": uplink Bo");
    assert!(sentence.ends_with("; all 24 others saw it."), "{sentence}");
}
