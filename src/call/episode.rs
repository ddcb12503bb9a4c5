//! Trouble that events tell of: a connection that was lost, a computer that was too busy; and a camera that is on and sends hardly
//! anything, because events alone tell that it is on.
//!
//! Daily has made up its mind before it sends an event, so one is enough. Must not take an event's absence for anything: older pages
//! and other senders have none.

use super::issue::{Cause, Issue, Severity, spells_of};
use super::kind::IssueType;
use super::{Call, Participant};
use crate::beacon::{Event, Happening, Link};
use crate::metric::MetricId;

/// Sound and picture gone for so long are a hindrance, not a hiccup.
const MEDIA_BAD_MS: i64 = 10_000;
/// Who leaves loses the connection, too.
const LEAVING_MS: i64 = 5_000;
/// The smallest of the pictures that Daily sends by default takes 80 kbit/s: below this hardly that one gets through.
const VIDEO_MIN_BPS: f64 = 100_000.0;
/// A camera that was just switched on needs so long to be seen.
const CAMERA_STARTS_MS: i64 = 10_000;
/// Another's reading that near in time tells that somebody was there to send to: alone, nothing is sent.
const NEAR_MS: i64 = 10_000;

/// In any order.
pub(super) fn find(call: &Call) -> Vec<Issue> {
    let mut found = Vec::new();
    let people = call.participants.iter().enumerate();
    // From one event to the next tells nothing where the clock was set between them.
    for (at, participant) in people.filter(|(_, one)| !one.clock.is_jumping()) {
        let Some(span_ms) = participant.span_ms() else {
            continue;
        };
        let issue = |issue_type, severity, (start_ms, end_ms): (i64, i64), value| Issue {
            issue_type,
            participant: at,
            start_ms,
            end_ms,
            severity,
            value,
            cause: Cause::UNDECIDED,
        };
        let lasted = |(start_ms, end_ms)| (end_ms - start_ms) as f64 / 1_000.0;
        for (spell, severity) in reconnects(&participant.events, span_ms) {
            found.push(issue(IssueType::Reconnect, severity, spell, lasted(spell)));
        }
        for spell in busy(&participant.events, span_ms) {
            let value = lasted(spell);
            found.push(issue(IssueType::CpuLoad, Severity::Warning, spell, value));
        }
        for (spell, bps) in hardly_seen(call, at) {
            let severity = Severity::Warning;
            found.push(issue(IssueType::VideoSendBitrate, severity, spell, bps));
        }
    }
    found
}

/// From each event that `begins` to the next that `ends`, as far as the participant was there.
fn spells(
    events: &[Event],
    (first_ms, last_ms): (i64, i64),
    begins: impl Fn(Happening) -> bool,
    ends: impl Fn(Happening) -> bool,
    open_min_ms: i64,
) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut since_ms = None;
    for event in events {
        if begins(event.what) {
            since_ms = since_ms.or(Some(event.at_ms));
        } else if ends(event.what)
            && let Some(start_ms) = since_ms.take()
        {
            found.push((start_ms, event.at_ms));
        }
    }
    let open = since_ms.filter(|start_ms| open_min_ms < last_ms - start_ms);
    found.extend(open.map(|start_ms| (start_ms, last_ms)));
    let there = |(start_ms, end_ms): (i64, i64)| (start_ms.max(first_ms), end_ms.min(last_ms));
    let found = found.into_iter().map(there);
    found
        .filter(|(start_ms, end_ms)| start_ms < end_ms)
        .collect()
}

/// While any connection was lost; both at once are one spell.
fn reconnects(events: &[Event], span_ms: (i64, i64)) -> Vec<((i64, i64), Severity)> {
    let of = |link| {
        spells(
            events,
            span_ms,
            |what| what == Happening::Interrupted(link),
            |what| what == Happening::Connected(link),
            LEAVING_MS,
        )
    };
    let without_media = of(Link::Media).into_iter().map(|spell| {
        let is_long = MEDIA_BAD_MS <= spell.1 - spell.0;
        let severity = if is_long {
            Severity::Bad
        } else {
            Severity::Warning
        };
        (spell, severity)
    });
    let signaling = of(Link::Signaling).into_iter();
    let mut all: Vec<_> = without_media
        .chain(signaling.map(|spell| (spell, Severity::Warning)))
        .collect();
    all.sort_unstable();
    let mut found: Vec<((i64, i64), Severity)> = Vec::new();
    for (spell, severity) in all {
        match found.last_mut() {
            Some((last, worst)) if spell.0 <= last.1 => {
                last.1 = last.1.max(spell.1);
                *worst = severity.max(*worst);
            }
            _ => found.push((spell, severity)),
        }
    }
    found
}

fn busy(events: &[Event], span_ms: (i64, i64)) -> Vec<(i64, i64)> {
    spells(
        events,
        span_ms,
        |what| what == Happening::CpuLoad { is_high: true },
        |what| what == Happening::CpuLoad { is_high: false },
        0,
    )
}

/// While the camera of participant `at` was on and hardly any video was sent, with what was sent on average.
fn hardly_seen(call: &Call, at: usize) -> Vec<((i64, i64), f64)> {
    let Participant { series, events, .. } = &call.participants[at];
    let Some(metric) = MetricId::from_wire("videoSendBitsPerSecond") else {
        return Vec::new();
    };
    let mut switched = events.iter().filter_map(|event| match event.what {
        Happening::Camera { is_on } => Some((event.at_ms, is_on)),
        _ => None,
    });
    let mut next = switched.next();
    // Since when the camera has been on. `None`: it is off, or nobody knows.
    let mut on_since_ms = None;
    let mut readings = Vec::new();
    let sent = series.timestamps_ms().iter().enumerate();
    for (t, bps) in sent.filter_map(|(at, t)| Some((*t, series.value(metric, at)?))) {
        while let Some((at_ms, is_on)) = next.filter(|(at_ms, _)| *at_ms <= t) {
            on_since_ms = is_on.then(|| on_since_ms.unwrap_or(at_ms));
            next = switched.next();
        }
        let is_on = on_since_ms.is_some_and(|since_ms| CAMERA_STARTS_MS <= t - since_ms);
        let hardly_any = is_on && bps < VIDEO_MIN_BPS && is_somebody_near(call, at, t);
        readings.push((t, bps, hardly_any));
    }
    let spells = spells_of(readings.iter().map(|(t, _, hardly)| (*t, *hardly)));
    let with_mean = |spell: (i64, i64)| {
        let within = readings
            .iter()
            .filter(|(t, ..)| spell.0 <= *t && *t <= spell.1);
        let (sum, n) = within.fold((0.0, 0.0), |(sum, n), (_, bps, _)| (sum + bps, n + 1.0));
        (spell, sum / n)
    };
    spells.into_iter().map(with_mean).collect()
}

fn is_somebody_near(call: &Call, at: usize, t: i64) -> bool {
    let others = call.participants.iter().enumerate();
    let mut others = others.filter(|(other, _)| *other != at);
    others.any(|(_, other)| {
        let times = other.series.timestamps_ms();
        let next = times.partition_point(|&theirs| theirs < t - NEAR_MS);
        times.get(next).is_some_and(|&theirs| theirs <= t + NEAR_MS)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Calls, assess};
    use super::*;
    use crate::beacon::parse;
    use crate::call::{Quality, Side};
    use crate::metric::Standards;

    const T: i64 = 1_795_449_600_000;

    /// A minute a person of readings every 2 s, all sending so much video, with events as `(second, members)` of the first one.
    fn call(n_people: usize, video_bps: &dyn Fn(i64) -> f64, events: &[(i64, &str)]) -> Call {
        let mut calls = Calls::default();
        for person in 0..n_people {
            for at in 0..=60 {
                let t = T + 2_000 * at;
                let line = format!(
                    r#"{{"room":"r","meetingSessionId":"m","sessionId":"s{person}","stats":{{"latest":{{"timestamp":{t},"totalSendPacketLoss":0,"videoSendBitsPerSecond":{}}}}}}}"#,
                    video_bps(at)
                );
                calls.add(&parse(line.as_bytes()).unwrap(), 0);
            }
        }
        // Twice and the last one first, as chance may have it.
        for (second, members) in events.iter().chain(events).rev() {
            let line = format!(
                r#"{{"room":"r","meetingSessionId":"m","sessionId":"s0","stats":{{}},"events":[{{"t":{},{members}}}]}}"#,
                T + 1_000 * second
            );
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        }
        calls.finish().remove(0)
    }

    /// `type severity from–to value`, in seconds.
    fn issues(call: &Call) -> Vec<String> {
        let mut found = find(call);
        found.sort_by_key(|issue| issue.start_ms);
        let of = |issue: &Issue| {
            let s = |ms| (ms - T) / 1_000;
            assert_eq!(issue.participant, 0);
            format!(
                "{} {} {}-{} {}",
                issue.issue_type.id(),
                issue.severity.id(),
                s(issue.start_ms),
                s(issue.end_ms),
                issue.value
            )
        };
        found.iter().map(of).collect()
    }

    const LOST: &str = r#""type":"network-connection","event":"interrupted","connection":"sfu""#;
    const BACK: &str = r#""type":"network-connection","event":"connected","connection":"sfu""#;
    const DEAF: &str =
        r#""type":"network-connection","event":"interrupted","connection":"signaling""#;
    const HEARD: &str =
        r#""type":"network-connection","event":"connected","connection":"signaling""#;
    const HIGH: &str =
        r#""type":"cpu-load-change","cpuLoadState":"high","cpuLoadStateReason":"encode""#;
    const LOW: &str = r#""type":"cpu-load-change","cpuLoadState":"low""#;
    const ON: &str = r#""type":"camera-state","state":"playable""#;
    const OFF: &str = r#""type":"camera-state","state":"off""#;

    #[test]
    fn a_connection_that_is_lost_and_comes_back_is_a_reconnect() {
        let of = |events: &[(i64, &str)]| issues(&call(2, &|_| 5e5, events));
        assert_eq!(of(&[(0, BACK), (1, HEARD), (50, BACK)]), [""; 0]);
        let expect = ["reconnect warning 20-25 5", "reconnect bad 40-55 15"];
        assert_eq!(
            of(&[(20, LOST), (25, BACK), (40, LOST), (55, BACK)]),
            expect
        );
        assert_eq!(
            of(&[(20, DEAF), (50, HEARD)]),
            ["reconnect warning 20-50 30"]
        );
        let both = [(20, DEAF), (22, LOST), (30, LOST), (40, BACK), (45, HEARD)];
        assert_eq!(of(&both), ["reconnect bad 20-45 25"]);
        assert_eq!(
            of(&[(30, LOST)]),
            ["reconnect bad 30-120 90"],
            "never again"
        );
        assert_eq!(of(&[(117, LOST)]), [""; 0], "who leaves");
        assert_eq!(
            of(&[(500, LOST), (600, BACK)]),
            [""; 0],
            "when nobody was there"
        );
    }

    #[test]
    fn a_computer_is_too_busy_while_daily_says_so() {
        let of = |events: &[(i64, &str)]| issues(&call(1, &|_| 5e5, events));
        assert_eq!(of(&[(10, LOW)]), [""; 0]);
        assert_eq!(of(&[(10, HIGH), (30, LOW)]), ["cpu-load warning 10-30 20"]);
        assert_eq!(of(&[(-9, HIGH), (5, HIGH)]), ["cpu-load warning 0-120 120"]);
    }

    #[test]
    fn little_video_is_an_issue_only_while_the_camera_is_on_and_somebody_is_there() {
        let collapsed = |at: i64| if (20..40).contains(&at) { 4e4 } else { 5e5 };
        let of = |n_people, events: &[(i64, &str)]| issues(&call(n_people, &collapsed, events));
        let expect = ["video-send-bitrate warning 40-78 40000"];
        assert_eq!(of(2, &[(0, ON)]), expect);
        assert_eq!(of(2, &[]), [""; 0], "nobody knows of the camera");
        assert_eq!(
            of(2, &[(0, ON), (39, OFF), (80, ON)]),
            [""; 0],
            "it was off"
        );
        assert_eq!(of(1, &[(0, ON)]), [""; 0], "alone");
        assert_eq!(
            of(2, &[(39, ON)]),
            ["video-send-bitrate warning 50-78 40000"]
        );
        let muted = call(2, &|_| 0.0, &[(0, OFF)]);
        assert_eq!(issues(&muted), [""; 0]);
    }

    #[test]
    fn neither_a_busy_computer_nor_little_video_changes_a_score_or_is_anybody_elses_doing() {
        let events = [(0, ON), (20, HIGH), (90, LOW)];
        let collapsed = |at: i64| if (20..50).contains(&at) { 0.0 } else { 5e5 };
        let found = assess(&call(3, &collapsed, &events), &Standards::default());
        let calm = assess(&call(3, &|_| 5e5, &[]), &Standards::default());
        assert_eq!(found.score, calm.score);
        assert_eq!(Quality::of(found.score), Quality::Good);
        assert_eq!(found.issues.len(), 2);
        let causes = found.issues.iter().map(|issue| issue.cause);
        let expect = Cause {
            side: Side::Undecided,
            participant: Some(0),
        };
        assert!(causes.into_iter().all(|cause| cause == expect));
        let sentence = found.verdict.sentence;
        assert!(
            sentence.starts_with("s0's computer was too busy"),
            "{sentence}"
        );
    }
}
