//! What became of the beacons themselves: our own loss, from the numbers that pages give them (`seq`: 0, 1, 2 … for each session).
//!
//! - *missing*: numbers never seen below the highest seen. What was lost after the last beacon that arrived leaves no trace.
//! - *repeated*: the same number once more with the same newest reading: a retry whose first answer was lost.
//! - *late*: arrived after a higher number of its session did, by `_rx.t`. Both instants are of the collector's clock, so clocks of
//!   participants play no part, nor does the order of lines in files. Beacons without `_rx` are never late.
//!
//! A session keeps its numbers when its meeting session changes, so numbers are followed through all calls of one room; a gap
//! belongs to the call of the beacon behind it. A page that numbers anew under the same session id fills its own gaps: too little
//! is told then, never too much. Beacons without a number say nothing: [`None`], not 0.

use crate::beacon::Beacon;
use serde::{Deserialize, Serialize};

/// A number further than this above the one before it is not believed, nor is any above it: at one beacon every 15 s it would be
/// a gap of 17 days. Whoever sends 10^15 thus cannot claim as many losses.
const GAP_MAX: u64 = 100_000;

/// How the numbered beacons of a participant, a call or a whole log fared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Received with a number, each repeat counted.
    pub numbered: u64,
    /// Numbers that never came.
    pub missing: u64,
    /// Of `numbered`: came before.
    pub repeated: u64,
    /// Of `numbered`: came after a higher number.
    pub late: u64,
}

impl Delivery {
    /// Different beacons that arrived.
    pub fn arrived(self) -> u64 {
        self.numbered - self.repeated
    }

    /// Beacons that are known to have been sent.
    pub fn sent(self) -> u64 {
        self.arrived() + self.missing
    }

    /// The sum of those that are known; `None` where none is.
    pub fn sum(all: impl IntoIterator<Item = Option<Delivery>>) -> Option<Delivery> {
        all.into_iter().flatten().reduce(|a, b| Delivery {
            numbered: a.numbered + b.numbered,
            missing: a.missing + b.missing,
            repeated: a.repeated + b.repeated,
            late: a.late + b.late,
        })
    }
}

/// One numbered beacon that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Arrival {
    seq: u64,
    /// Its newest reading: tells a repeat from another beacon with the same number.
    newest_ms: Option<i64>,
    received_ms: Option<i64>,
}

impl Arrival {
    /// `None`: not numbered.
    pub(super) fn of(beacon: &Beacon<'_>) -> Option<Arrival> {
        Some(Arrival {
            seq: beacon.seq?,
            newest_ms: beacon.readings.iter().map(|r| r.timestamp_ms).max(),
            received_ms: beacon.received_ms,
        })
    }
}

impl Arrival {
    /// Its newest reading and its receipt, where both are known.
    pub(super) fn clocks(&self) -> Option<(i64, i64)> {
        self.newest_ms.zip(self.received_ms)
    }
}

/// Accounts for one session: `parts` are its arrivals in each of its calls, in any order. One account for each.
pub(super) fn account(parts: &[&[Arrival]]) -> Vec<Option<Delivery>> {
    let mut arrivals: Vec<(Arrival, usize)> = parts
        .iter()
        .enumerate()
        .flat_map(|(part, arrivals)| arrivals.iter().map(move |arrival| (*arrival, part)))
        .collect();
    arrivals.sort_unstable();
    let mut accounts = vec![None; parts.len()];
    // When the first of each number came, for those that say so.
    let mut firsts: Vec<(i64, usize)> = Vec::new();
    let mut next = 0;
    for same in arrivals.chunk_by(|(a, _), (b, _)| a.seq == b.seq) {
        let (Arrival { seq, .. }, owner) = same[0];
        let gap = seq - next;
        if GAP_MAX < gap {
            break;
        }
        next = seq + 1;
        of(&mut accounts, owner).missing += gap;
        for copies in same.chunk_by(|(a, _), (b, _)| a.newest_ms == b.newest_ms) {
            for (nth, (_, owner)) in copies.iter().enumerate() {
                let account = of(&mut accounts, *owner);
                account.numbered += 1;
                account.repeated += u64::from(0 < nth);
            }
        }
        let came = |(arrival, owner): &(Arrival, usize)| Some((arrival.received_ms?, *owner));
        firsts.extend(same.iter().filter_map(came).min());
    }
    let mut earliest_above_ms = i64::MAX;
    for (came_ms, owner) in firsts.into_iter().rev() {
        of(&mut accounts, owner).late += u64::from(earliest_above_ms < came_ms);
        earliest_above_ms = earliest_above_ms.min(came_ms);
    }
    accounts
}

fn of(accounts: &mut [Option<Delivery>], at: usize) -> &mut Delivery {
    accounts[at].get_or_insert_default()
}

#[cfg(test)]
mod tests {
    use super::super::Calls;
    use super::*;
    use crate::beacon::parse;
    use proptest::prelude::*;

    /// Arrivals `(seq, received_ms)`; the newest reading follows from the number.
    fn arrivals(of: &[(u64, Option<i64>)]) -> Vec<Arrival> {
        let arrival = |&(seq, received_ms): &(u64, Option<i64>)| Arrival {
            seq,
            received_ms,
            newest_ms: Some(seq as i64 % 1_000_000),
        };
        of.iter().map(arrival).collect()
    }

    /// `[numbered, missing, repeated, late]`.
    #[track_caller]
    fn check(of: &[(u64, i64)], expect: Option<[u64; 4]>) {
        let of: Vec<_> = of.iter().map(|(seq, t)| (*seq, Some(*t))).collect();
        assert_eq!(numbers(account(&[&arrivals(&of)])[0]), expect);
    }

    fn numbers(delivery: Option<Delivery>) -> Option<[u64; 4]> {
        delivery.map(|d| [d.numbered, d.missing, d.repeated, d.late])
    }

    #[test]
    fn holes_repeats_and_late_ones_are_told_apart() {
        check(&[], None);
        check(&[(0, 10)], Some([1, 0, 0, 0]));
        check(&[(0, 10), (1, 20), (2, 30)], Some([3, 0, 0, 0]));
        check(&[(0, 10), (3, 20)], Some([2, 2, 0, 0]));
        check(&[(2, 10)], Some([1, 2, 0, 0]));
        check(
            &[(0, 10), (1, 20), (1, 25), (1, 90), (2, 30)],
            Some([5, 0, 2, 0]),
        );
        check(&[(0, 10), (2, 20), (1, 21), (3, 30)], Some([4, 0, 0, 1]));
        check(&[(0, 90), (1, 80), (2, 70)], Some([3, 0, 0, 2]));
        // At the same instant nobody can tell.
        check(&[(0, 10), (2, 20), (1, 20)], Some([3, 0, 0, 0]));
        // A repeat is not late for coming behind others: its first one was in time.
        check(&[(0, 10), (1, 20), (2, 30), (0, 40)], Some([4, 0, 1, 0]));
    }

    #[test]
    fn numbers_out_of_all_proportion_are_not_believed() {
        let far = 1_000_000_000_000_000;
        check(&[(0, 1), (1, 2), (far, 3)], Some([2, 0, 0, 0]));
        check(&[(far, 1), (far + 1, 2)], None);
        check(&[(GAP_MAX, 1)], Some([1, GAP_MAX, 0, 0]));
        check(&[(GAP_MAX + 1, 1)], None);
        // What is not believed makes nothing late either.
        check(&[(far, 1), (0, 2)], Some([1, 0, 0, 0]));
        check(&[(crate::beacon::SEQ_MAX, 1), (u64::MAX, 2)], None);
    }

    #[test]
    fn a_page_that_numbers_anew_repeats_nothing_and_misses_nothing() {
        let mut all = arrivals(&[(0, Some(1)), (1, Some(2)), (2, Some(3)), (4, Some(4))]);
        let anew = arrivals(&[(0, Some(5)), (1, Some(6)), (3, Some(7))]);
        all.extend(anew.into_iter().map(|arrival| Arrival {
            newest_ms: arrival.newest_ms.map(|ms| ms + 60_000),
            ..arrival
        }));
        assert_eq!(numbers(account(&[&all])[0]), Some([7, 0, 0, 1]));
    }

    #[test]
    fn without_a_receipt_nothing_is_late() {
        let all = arrivals(&[(2, None), (1, None), (0, Some(9)), (0, None)]);
        assert_eq!(numbers(account(&[&all])[0]), Some([4, 0, 1, 0]));
    }

    #[test]
    fn a_log_of_one_number_a_million_times_takes_no_long_computation() {
        let many = (0..300_000).map(|n| Arrival {
            seq: 0,
            newest_ms: Some(n),
            received_ms: Some(n),
        });
        let many: Vec<_> = many.collect();
        assert_eq!(numbers(account(&[&many])[0]), Some([300_000, 0, 0, 0]));
    }

    #[test]
    fn numbers_go_on_where_the_meeting_changes_and_a_gap_is_told_once() {
        let mut calls = Calls::default();
        let mut send = |room: &str, meeting: &str, seq: &str| {
            let line = format!(
                r#"{{"room":"{room}","meetingSessionId":"{meeting}","sessionId":"s","stats":{{}}{seq}}}"#
            );
            calls.add(&parse(line.as_bytes()).unwrap(), 0);
        };
        for seq in [0, 1, 3] {
            send("r", "first", &format!(r#","seq":{seq}"#));
        }
        for seq in [6, 7] {
            send("r", "second", &format!(r#","seq":{seq}"#));
        }
        send("r", "first", r#","seq":8"#);
        send("r", "third", "");
        send("elsewhere", "first", r#","seq":1"#);
        let found: std::collections::BTreeMap<_, _> = calls
            .finish()
            .iter()
            .map(|call| {
                let name = format!("{} {}", call.room, call.meeting_session_id);
                (name, numbers(call.delivery()))
            })
            .collect();
        let expect = [
            ("elsewhere first", Some([1, 1, 0, 0])),
            ("r first", Some([4, 1, 0, 0])),
            ("r second", Some([2, 2, 0, 0])),
            ("r third", None),
        ];
        assert_eq!(found, expect.map(|(name, d)| (name.to_owned(), d)).into());
    }

    /// Counted by hand, so to say: number by number.
    fn counted(all: &[Arrival]) -> [u64; 4] {
        let top = all.iter().map(|a| a.seq).max().unwrap();
        let first = |seq| {
            all.iter()
                .filter(|a| a.seq == seq)
                .min_by_key(|a| a.received_ms)
        };
        let missing = (0..=top).filter(|seq| first(*seq).is_none()).count();
        let present = top + 1 - missing as u64;
        let late = (0..top).filter(|seq| {
            let higher = all
                .iter()
                .filter(|a| seq < &a.seq)
                .map(|a| a.received_ms)
                .min();
            first(*seq).is_some_and(|a| higher < Some(a.received_ms))
        });
        [
            all.len() as u64,
            missing as u64,
            all.len() as u64 - present,
            late.count() as u64,
        ]
    }

    proptest! {
        #[test]
        fn the_order_of_lines_means_nothing_and_the_sums_are_right(
            sent in prop::collection::vec((0_u64..40, 0_i64..60), 1..60),
            split in prop::collection::vec(0_usize..3, 60),
            seed in any::<u64>(),
        ) {
            let sent: Vec<_> = sent.into_iter().map(|(seq, t)| (seq, Some(t))).collect();
            let mut all = arrivals(&sent);
            let expect = Some(counted(&all));
            prop_assert_eq!(numbers(account(&[&all])[0]), expect);
            fastrand::Rng::with_seed(seed).shuffle(&mut all);
            prop_assert_eq!(numbers(account(&[&all])[0]), expect);
            let mut parts = vec![Vec::new(); 3];
            for (arrival, part) in all.into_iter().zip(split) {
                parts[part].push(arrival);
            }
            let parts: Vec<&[Arrival]> = parts.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(numbers(Delivery::sum(account(&parts))), expect);
        }
    }
}
