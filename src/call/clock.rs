//! Whether a participant's clock is off: readings carry the participant's own time, receipts that of the collector.
//!
//! What lies between both is the way of a beacon and whatever kept it back; the least of it, over all beacons of a session, is
//! little on clocks that agree. Nothing is put right by it: readings stay where their own clock puts them.

/// Nothing arrives before it was sent: from here on the clock is ahead, and not just rounded.
const AHEAD_MS_MIN: i64 = 2_000;
/// Later than any beacon of a page that is still in its call.
const BEHIND_MS_MIN: i64 = 120_000;
/// Of so many beacons one would have come in time. Fewer may all have been kept back.
const BEHIND_BEACONS_MIN: usize = 3;

/// By how much a clock is ahead of the collector's, ms; less than nothing: behind. `None`: it is not off, or nothing tells.
/// `beacons`: the newest reading and the receipt of each.
pub(super) fn off_ms(beacons: impl Iterator<Item = (i64, i64)>) -> Option<i64> {
    let (mut n, mut least_ms) = (0, i64::MAX);
    for (newest_ms, received_ms) in beacons {
        n += 1;
        least_ms = least_ms.min(received_ms.saturating_sub(newest_ms));
    }
    let is_ahead = 0 < n && least_ms <= -AHEAD_MS_MIN;
    let is_behind = BEHIND_BEACONS_MIN <= n && BEHIND_MS_MIN <= least_ms;
    (is_ahead || is_behind).then(|| least_ms.saturating_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beacon_that_came_quickest_tells() {
        let off = |beacons: &[(i64, i64)]| off_ms(beacons.iter().copied());
        assert_eq!(off(&[]), None);
        assert_eq!(off(&[(1_000, 1_200), (16_000, 900_000)]), None);
        assert_eq!(off(&[(1_000, 0)]), None, "rounded");
        let ahead = 420_000;
        assert_eq!(
            off(&[(ahead, 300), (15_000 + ahead, 60_000)]),
            Some(419_700)
        );
        let behind = -300_000;
        let three = [(behind, 200), (behind + 15_000, 15_100), (behind, 90_000)];
        assert_eq!(off(&three), Some(-300_100));
        assert_eq!(off(&three[..2]), None, "both may have been kept back");
        assert_eq!(off(&[(i64::MAX, i64::MIN)]), Some(i64::MAX));
    }
}
