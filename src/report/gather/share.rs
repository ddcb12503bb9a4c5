//! What each thread reads of large logs: stretches of files, in the order of the logs. Says nothing of what is in them.

use super::Unread;
use crate::log::reader::line_start;
use std::io;
use std::ops::Bound;

/// Less than this is not worth a thread of its own, in bytes.
pub(super) const BYTES_MIN: u64 = 16 << 20;
/// A compressed file costs as much as a plain one so many times as long; it is read by one thread.
const COMPRESSED_FACTOR: u64 = 6;

/// A part of a file that begins and ends with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Of all files that are read.
    pub(super) file: usize,
    /// Of the content. The last stretch of a file has no end: it may have grown.
    pub(super) range: (Bound<u64>, Bound<u64>),
}

/// Cuts `files` into `n` shares that cost about the same, fewer where there is less than `bytes_min` for each. All that stands in a
/// share is behind all that stands in the one before.
pub(super) fn divide(
    files: &[Unread<'_>],
    n: usize,
    bytes_min: u64,
) -> io::Result<Vec<Vec<Stretch>>> {
    let costs = files.iter().map(cost).collect::<io::Result<Vec<u64>>>()?;
    let all: u64 = costs.iter().sum();
    let n = usize::try_from(all / bytes_min)
        .map_or(n, |most| n.min(most))
        .max(1);
    let each = all.div_ceil(n as u64).max(1);
    let mut shares = vec![Vec::new()];
    let mut room = each;
    for (file, (unread, mut cost)) in files.iter().zip(costs).enumerate() {
        let mut from = unread.from();
        loop {
            let is_last = shares.len() == n;
            if room == 0 && !is_last {
                shares.push(Vec::new());
                room = each;
                continue;
            }
            let fits = is_last || unread.opened.is_compressed() || cost <= room;
            let until = if fits {
                Bound::Unbounded
            } else {
                Bound::Excluded(line_start(unread.opened, from + room)?)
            };
            if let Some(share) = shares.last_mut() {
                let range = (Bound::Included(from), until);
                share.push(Stretch { file, range });
            }
            let Bound::Excluded(until) = until else {
                room = room.saturating_sub(cost);
                break;
            };
            cost = cost.saturating_sub(until - from);
            from = until;
            room = 0;
        }
    }
    Ok(shares)
}

/// What it costs to read it, in bytes of a plain file.
fn cost(unread: &Unread<'_>) -> io::Result<u64> {
    let bytes = unread.opened.bytes()?;
    Ok(if unread.opened.is_compressed() {
        bytes.saturating_mul(COMPRESSED_FACTOR)
    } else {
        bytes.saturating_sub(unread.from())
    })
}
