//! Whose side trouble was on: the rules, each tested in `verdict.rs` on a made-up call whose cause is known.
//!
//! 1. At least three people were measured at the time and at least 60 % of them had trouble: everyone (the room or the service).
//! 2. Two were measured and both had trouble: undecided, it may be either's line or what lies between.
//! 3. One person's send loss is the person's uplink; receive loss, jitter or nothing received the downlink; a round-trip time either,
//!    and of whom nothing is heard nothing is known: undecided. A busy computer, a camera and a clock are no trouble of a line.

use super::issue::{Cause, Issue, Side};
use super::kind::{About, IssueType};
use super::{Call, Participant};
use std::collections::BTreeSet;

/// Fewer people than this cannot tell a room's trouble from one person's.
const EVERYONE_MIN: usize = 3;
/// Of the people measured at the time, in percent.
const EVERYONE_SHARE_MIN: usize = 60;

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
    let measured = measured(call, issue);
    let troubled = troubled(issues, issue);
    let nobody_alone = |side| Cause {
        side,
        participant: None,
    };
    let his = |side| Cause {
        side,
        participant: Some(issue.participant),
    };
    if issue.issue_type.about() != About::Line {
        return his(Side::Undecided);
    }
    if EVERYONE_MIN <= measured && EVERYONE_SHARE_MIN * measured <= 100 * troubled.len() {
        nobody_alone(Side::Everyone)
    } else if measured == 2 && troubled.len() == 2 {
        nobody_alone(Side::Undecided)
    } else {
        match issue.issue_type {
            IssueType::SendPacketLoss => his(Side::Uplink),
            IssueType::RecvPacketLoss | IssueType::Jitter | IssueType::NoMedia => {
                his(Side::Downlink)
            }
            _ => his(Side::Undecided),
        }
    }
}

/// People with a reading during `issue`.
pub(super) fn measured(call: &Call, issue: &Issue) -> usize {
    call.participants
        .iter()
        .filter(|participant| measured_within(participant, issue))
        .count()
}

/// People with trouble during `issue`, whoever has it among them.
pub(super) fn troubled(issues: &[Issue], issue: &Issue) -> BTreeSet<usize> {
    issues
        .iter()
        .filter(|other| other.issue_type.about() == About::Line && overlap(issue, other))
        .map(|other| other.participant)
        .collect()
}

pub(super) fn measured_within(participant: &Participant, issue: &Issue) -> bool {
    let timestamps_ms = participant.series.timestamps_ms();
    let first = timestamps_ms.partition_point(|&t| t < issue.start_ms);
    timestamps_ms.get(first).is_some_and(|&t| t <= issue.end_ms)
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
