//! Whose side trouble was on, from what all saw at the time. The rules, in this order; each is tested in `blame/tests.rs` on made-up calls
//! whose cause is known.
//!
//! 1. One person's packets are lost on their way up, that person receives well, and at least 60 % of the others lose what they receive,
//!    no more of it than that: that person's uplink, for all of them. The others see what did not come.
//! 2. At least three people were measured and at least 60 % of them were in trouble the same way, up or down: everyone (the room or the
//!    service). But where all lose what they receive save one whose upload is not measured (Firefox), it may be that one's: undecided.
//! 3. Two were measured and both had trouble: undecided, it may be either's line or what lies between.
//! 4. One person's own. Send loss: the uplink. Receive loss, jitter, nothing received: the downlink, where it is known to have been sent
//!    well, because another receives it well or the one who sends it loses nothing; else undecided. A round-trip time and a reconnect may
//!    be either way, and of whom nothing is heard nothing is known: undecided.
//!
//! A busy computer, a camera and a clock are their owner's alone, and no trouble of a line: they count in none of this.

use super::issue::{Cause, Issue, Side};
use super::kind::IssueType;
use super::{Call, Participant, score};
use std::collections::BTreeSet;

/// Fewer people than this cannot tell a room's trouble from one person's.
const EVERYONE_MIN: usize = 3;
/// Of the people measured at the time, in percent.
const EVERYONE_SHARE_MIN: usize = 60;
/// Means over spells that do not begin and end together differ by so much: others see up to this many times what was lost.
const SEEN_MAX: f64 = 1.25;

/// Which way packets went that were in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
    Either,
}

fn way(issue_type: IssueType) -> Way {
    match issue_type {
        IssueType::SendPacketLoss => Way::Up,
        IssueType::RecvPacketLoss | IssueType::Jitter | IssueType::NoMedia => Way::Down,
        _ => Way::Either,
    }
}

/// Finds the cause of each of `issues`, which are all that the call has.
pub(super) fn blame(call: &Call, issues: &mut [Issue]) {
    let causes: Vec<Cause> = issues
        .iter()
        .map(|issue| cause(call, issues, issue))
        .collect();
    for (issue, cause) in issues.iter_mut().zip(causes) {
        issue.cause = cause;
    }
}

fn cause(call: &Call, issues: &[Issue], issue: &Issue) -> Cause {
    let one = |side, participant| Cause {
        side,
        participant: Some(participant),
    };
    let own = |side| one(side, issue.participant);
    if !issue.issue_type.is_of_line() {
        return own(Side::Undecided);
    }
    let measured = people_measured(call, issues, issue);
    if let Some(uplink) = uplink_seen(issues, issue, &measured) {
        return one(Side::Uplink, uplink);
    }
    let troubled = troubled(issues, issue);
    let same_way = match way(issue.issue_type) {
        Way::Either => troubled.clone(),
        way => with(issues, issue, |other| other == way || other == Way::Either),
    };
    if EVERYONE_MIN <= measured.len() && most(same_way.len(), measured.len()) {
        let mut spared = measured.difference(&same_way);
        let is_unclear = way(issue.issue_type) == Way::Down
            && matches!((spared.next(), spared.next()), (Some(&one), None) if !tells_of_upload(call, one));
        return Cause {
            side: if is_unclear {
                Side::Undecided
            } else {
                Side::Everyone
            },
            participant: None,
        };
    }
    if measured.len() == 2 && troubled.len() == 2 {
        return Cause::UNDECIDED;
    }
    match way(issue.issue_type) {
        Way::Up => own(Side::Uplink),
        Way::Down => {
            let others: Vec<usize> = measured.difference(&same_way).copied().collect();
            let was_sent_well = match others[..] {
                [] => false,
                [one] if measured.len() == 2 => tells_of_upload(call, one),
                _ => true,
            };
            own(if was_sent_well {
                Side::Downlink
            } else {
                Side::Undecided
            })
        }
        Way::Either => own(Side::Undecided),
    }
}

/// Whose bad uplink it is that is seen in `issue`: by that person or by those who do not receive what was lost. `None`: nobody's.
fn uplink_seen(issues: &[Issue], issue: &Issue, measured: &BTreeSet<usize>) -> Option<usize> {
    let at_the_time = || {
        let issues = issues.iter();
        issues.filter(|other| other.issue_type.is_of_line() && overlap(issue, other))
    };
    let up = || at_the_time().filter(|other| way(other.issue_type) == Way::Up);
    let sender = up().next()?.participant;
    let lost = up().map(|other| other.value).fold(0.0, f64::max);
    let is_one = up().all(|other| other.participant == sender);
    let is_seen = |other: &Issue| match other.issue_type {
        // The sender's own round-trip time grows with the queue that loses packets.
        _ if other.participant == sender => way(other.issue_type) != Way::Down,
        IssueType::RecvPacketLoss => other.value <= SEEN_MAX * lost,
        _ => way(other.issue_type) == Way::Down,
    };
    let n_others = measured.len() - usize::from(measured.contains(&sender));
    // Whoever loses what comes down is not the sender, as `is_seen` makes sure.
    let seeing = with(issues, issue, |way| way == Way::Down);
    let is_told = way(issue.issue_type) == Way::Down || way(issue.issue_type) == Way::Up;
    let is_his = is_told
        && is_one
        && at_the_time().all(is_seen)
        && 0 < n_others
        && most(measured.intersection(&seeing).count(), n_others);
    is_his.then_some(sender)
}

fn most(some: usize, all: usize) -> bool {
    EVERYONE_SHARE_MIN * all <= 100 * some
}

/// Whether it would be seen that what this person sends gets lost.
fn tells_of_upload(call: &Call, at: usize) -> bool {
    let mut metrics = IssueType::SendPacketLoss.metrics().iter();
    metrics.any(|metric| call.participants[at].series.column(*metric).is_some())
}

/// People of whom a reading during `issue` tells how they fared.
pub(super) fn people_measured(call: &Call, issues: &[Issue], issue: &Issue) -> BTreeSet<usize> {
    (0..call.participants.len())
        .filter(|&at| is_measured(call, issues, at, issue))
        .collect()
}

/// People with trouble during `issue`, whoever has it among them.
pub(super) fn troubled(issues: &[Issue], issue: &Issue) -> BTreeSet<usize> {
    with(issues, issue, |_| true)
}

/// People with trouble of some way during `issue`.
fn with(issues: &[Issue], issue: &Issue, is_wanted: impl Fn(Way) -> bool) -> BTreeSet<usize> {
    let others = issues.iter().filter(|other| other.issue_type.is_of_line());
    others
        .filter(|other| is_wanted(way(other.issue_type)) && overlap(issue, other))
        .map(|other| other.participant)
        .collect()
}

/// Whether a reading of this person during `issue` tells how that person fared: a bitrate alone tells nothing, unless it was trouble.
pub(super) fn is_measured(call: &Call, issues: &[Issue], at: usize, issue: &Issue) -> bool {
    let person = &call.participants[at];
    let mut scores = score::readings_within(&person.series, issue.start_ms, issue.end_ms);
    scores.next().is_some() || was_there(person, issue) && is_troubled(issues, at, issue)
}

/// Whether this person's line had trouble during a part of `issue`.
pub(super) fn is_troubled(issues: &[Issue], at: usize, issue: &Issue) -> bool {
    let theirs = issues.iter().filter(|other| other.participant == at);
    let mut theirs = theirs.filter(|other| other.issue_type.is_of_line());
    theirs.any(|other| meet(issue, other))
}

/// Whether there is a reading of this person during `issue`.
pub(super) fn was_there(participant: &Participant, issue: &Issue) -> bool {
    let readings = participant.series.within(issue.start_ms, issue.end_ms);
    !readings.is_empty()
}

/// At the same time, however briefly.
pub(super) fn meet(a: &Issue, b: &Issue) -> bool {
    a.start_ms <= b.end_ms && b.start_ms <= a.end_ms
}

/// At the same time for at least half of the shorter one.
pub(super) fn overlap(a: &Issue, b: &Issue) -> bool {
    let common = a.end_ms.min(b.end_ms) - a.start_ms.max(b.start_ms);
    let shorter = (a.end_ms - a.start_ms).min(b.end_ms - b.start_ms);
    0 <= common && shorter <= 2 * common
}

#[cfg(test)]
mod tests;
