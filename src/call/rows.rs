//! One participant's readings as they come, one after the other: beacons of many people take turns, and what one of them adds should be
//! in one place of memory. [`Series`] are made of them once all are there.

use super::series::Series;
use crate::beacon::Reading;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Readings that memory is asked for at once: few for whoever sends one and goes, more for all others.
const FIRST: usize = 4;
const FURTHER: usize = 16;

/// Readings in the order in which they came. In pieces, so that none is ever moved.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(Vec<Vec<Reading>>);

impl Rows {
    /// Gives how much more memory they take.
    pub(super) fn push(&mut self, reading: &Reading) -> usize {
        match self.0.last_mut() {
            Some(piece) if piece.len() < piece.capacity() => {
                piece.push(*reading);
                0
            }
            last => {
                let n = if last.is_none() { FIRST } else { FURTHER };
                let mut piece = Vec::with_capacity(n);
                piece.push(*reading);
                self.0.push(piece);
                n * size_of::<Reading>()
            }
        }
    }

    /// Takes over what came later.
    pub(super) fn append(&mut self, mut later: Rows) {
        self.0.append(&mut later.0);
    }

    /// Memory that they take.
    pub(super) fn bytes(&self) -> usize {
        let n: usize = self.0.iter().map(Vec::capacity).sum();
        n * size_of::<Reading>()
    }

    /// When the first one was taken, ms since the epoch.
    pub(super) fn first_ms(&self) -> Option<i64> {
        let readings = self.0.iter().flatten();
        readings.map(|reading| reading.timestamp_ms).min()
    }

    /// The same as columns.
    pub(super) fn series(&self) -> Series {
        Series::of(&self.0)
    }
}

/// As a [`Series`] is stored.
impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.series().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows, D::Error> {
        Ok(Rows(vec![Series::deserialize(deserializer)?.readings()]))
    }
}
