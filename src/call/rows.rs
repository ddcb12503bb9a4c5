//! One participant's readings as they come, one after the other: beacons of many people take turns, and what one of them adds should be
//! in one place of memory. [`Series`] are made of them once all are there.

use super::series::Series;
use crate::beacon::Reading;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Readings that memory is asked for at once: few for whoever sends one and goes, more for all others.
const FIRST: usize = 4;
const FURTHER: usize = 16;

/// Readings in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// What was stored, and so is columns already.
    stored: Series,
    /// What came after it. In pieces, so that none is ever moved.
    new: Vec<Vec<Reading>>,
}

impl Rows {
    /// Gives how much more memory they take.
    pub(super) fn push(&mut self, reading: &Reading) -> usize {
        match self.new.last_mut() {
            Some(piece) if piece.len() < piece.capacity() => {
                piece.push(*reading);
                0
            }
            last => {
                let n = if last.is_none() { FIRST } else { FURTHER };
                let mut piece = Vec::with_capacity(n);
                piece.push(*reading);
                self.new.push(piece);
                n * size_of::<Reading>()
            }
        }
    }

    /// Takes over what came later.
    pub(super) fn append(&mut self, mut later: Rows) {
        if !later.stored.is_empty() {
            self.stored = std::mem::take(self).into_series();
            self.stored.append(later.stored);
        }
        self.new.append(&mut later.new);
    }

    /// Memory that they take.
    pub(super) fn bytes(&self) -> usize {
        let n: usize = self.new.iter().map(Vec::capacity).sum();
        self.stored.bytes() + n * size_of::<Reading>()
    }

    /// When the first one was taken, ms since the epoch.
    pub(super) fn first_ms(&self) -> Option<i64> {
        let new = self
            .new
            .iter()
            .flatten()
            .map(|reading| reading.timestamp_ms);
        let stored = self.stored.timestamps_ms().iter().copied();
        stored.chain(new).min()
    }

    /// The same as columns.
    pub(super) fn into_series(self) -> Series {
        let mut series = self.stored;
        if series.is_empty() {
            return Series::of(&self.new);
        }
        series.append(Series::of(&self.new));
        series
    }
}

/// As a [`Series`] is stored.
impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.stored.is_empty() {
            return Series::of(&self.new).serialize(serializer);
        }
        self.clone().into_series().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows, D::Error> {
        let stored = Series::deserialize(deserializer)?;
        Ok(Rows {
            stored,
            ..Rows::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::METRIC_COUNT;

    /// The nth reading; every third of them holds nothing, later ones a metric more.
    fn reading(nth: usize) -> Reading {
        let mut values = [None; METRIC_COUNT];
        values[0] = (!nth.is_multiple_of(3)).then_some(nth as f64);
        values[5] = (30 < nth).then_some(1.0);
        Reading {
            timestamp_ms: 1_000 + (nth as i64 * 7) % 50,
            values: values.into(),
        }
    }

    fn rows(nths: std::ops::Range<usize>) -> Rows {
        let mut rows = Rows::default();
        for nth in nths {
            rows.push(&reading(nth));
        }
        rows
    }

    fn stored(rows: &Rows) -> Rows {
        postcard::from_bytes(&postcard::to_stdvec(rows).unwrap()).unwrap()
    }

    #[test]
    fn however_they_came_and_were_stored_between_they_are_the_same() {
        let expect = format!("{:?}", rows(0..60).into_series());
        for at in [0, 1, 4, 5, 20, 31, 60] {
            let (before, after) = (rows(0..at), rows(at..60));
            for (mut whole, after) in [
                (before.clone(), after.clone()),
                (stored(&before), after.clone()),
                (before.clone(), stored(&after)),
                (stored(&before), stored(&after)),
            ] {
                whole.append(after);
                assert_eq!(whole.first_ms(), Some(1_000), "{at}");
                assert_eq!(
                    format!("{:?}", stored(&whole).into_series()),
                    expect,
                    "{at}"
                );
                assert_eq!(format!("{:?}", whole.into_series()), expect, "{at}");
            }
            let mut whole = stored(&before);
            for nth in at..60 {
                whole.push(&reading(nth));
            }
            assert_eq!(format!("{:?}", whole.into_series()), expect, "{at}");
        }
    }

    #[test]
    fn the_memory_that_is_told_is_the_memory_that_is_taken() {
        let mut rows = Rows::default();
        let told: usize = (0..100).map(|nth| rows.push(&reading(nth))).sum();
        assert_eq!(told, rows.bytes());
        assert!(100 * size_of::<Reading>() <= told);
        assert!(Rows::default().push(&reading(0)) <= FIRST * size_of::<Reading>());
    }
}
