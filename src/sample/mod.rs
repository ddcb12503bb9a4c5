//! A log of calls that never were, lifelike enough to show what a dashboard looks like before the first real call.
//!
//! Same arguments, same bytes: no clock, no other source of chance than the seed. `plot` invents what happens in a `scene`,
//! `link` what is measured meanwhile, `state` what Daily would say to it, `wire` when it is sent, in one of the `shapes`. Opens no file.

mod link;
mod plot;
mod scene;
mod shapes;
mod state;
mod wire;

#[cfg(test)]
mod tests;

use fastrand::Rng;
use plot::Story;
use scene::{MINUTE_MS, SECOND_MS, Shape, Span};
use std::collections::BTreeMap;
use std::io::{self, Write};

const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Hours of the day, UTC, in which most calls are.
const OFFICE_MS: std::ops::Range<i64> = 8 * 60 * MINUTE_MS..18 * 60 * MINUTE_MS;
/// Nothing is received later than this before the end of the log.
const QUIET_MS: i64 = 3 * SECOND_MS;

/// What a log is to hold.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Number of calls.
    pub calls: u32,
    /// Another seed, other calls.
    pub seed: u64,
    /// The calls are spread over so many days before `until_ms`, mostly over working hours (UTC).
    pub days: u32,
    /// ms since the epoch; the newest call ends a few minutes before.
    pub until_ms: i64,
    /// One reading a beacon, instead of a little of every shape.
    pub one_reading: bool,
}

/// Writes the beacons of calls as lines of a log, in the order in which a collector would have received them.
///
/// Memory follows the calls that overlap, not the log.
///
/// # Errors
///
/// Where `out` cannot be written to.
pub fn write(wanted: &Wanted, out: &mut impl Write) -> io::Result<()> {
    let Wanted {
        calls,
        seed,
        days,
        until_ms,
        one_reading,
    } = *wanted;
    // Lines that a call still to come may precede: by time of receipt, then in the order of their making.
    let mut waiting: BTreeMap<(i64, u64), Vec<u8>> = BTreeMap::new();
    let mut made = 0;
    for call in schedule(calls, seed, days, until_ms) {
        let later = waiting.split_off(&(call.span.start_ms, 0));
        for text in std::mem::replace(&mut waiting, later).into_values() {
            out.write_all(&text)?;
        }
        let mut rng = rng(seed, call.index, Purpose::Call);
        let mut scene = plot::scene(call.index, call.story, call.span, &mut rng);
        if one_reading {
            scene.shape = Shape::V0Today;
        }
        for line in wire::lines(&scene, &mut rng)? {
            waiting.insert((line.received_ms, made), line.text);
            made += 1;
        }
    }
    for text in waiting.into_values() {
        out.write_all(&text)?;
    }
    Ok(())
}

/// A call before it is filled.
struct Call {
    /// 0 is the newest.
    index: u32,
    story: Story,
    span: Span,
}

/// When the calls are, oldest first.
fn schedule(calls: u32, seed: u64, days: u32, until_ms: i64) -> Vec<Call> {
    let windows = windows(days, until_ms);
    let total_ms: i64 = windows
        .iter()
        .map(|window| window.end_ms - window.start_ms)
        .sum();
    let mut planned: Vec<Call> = (0..calls)
        .map(|index| {
            let mut rng = rng(seed, index, Purpose::Schedule);
            let story = plot::story(index, &mut rng);
            let length_ms = plot::duration_ms(story, &mut rng);
            // Each call has its own stretch of the office hours, so that no day stays empty by chance.
            let from_end = total_ms as f64 * (f64::from(index) + rng.f64()) / f64::from(calls);
            let mut start_ms = in_windows(&windows, total_ms - from_end as i64);
            if rng.f64() < 0.06 {
                start_ms = start_of_day(start_ms) + OFFICE_MS.end + rng.i64(30..180) * MINUTE_MS;
            }
            let latest_end_ms = until_ms - wire::TRAVEL_MS_MAX - QUIET_MS;
            let newest_end_ms = latest_end_ms - rng.i64(1..4) * MINUTE_MS;
            if index == 0 || newest_end_ms < start_ms + length_ms {
                start_ms = newest_end_ms - length_ms;
            }
            Call {
                index,
                story,
                span: Span {
                    start_ms,
                    end_ms: start_ms + length_ms,
                },
            }
        })
        .collect();
    planned.sort_by_key(|call| (call.span.start_ms, call.index));
    planned
}

/// Office hours within the last `days` days, oldest first; the whole time where there are none.
fn windows(days: u32, until_ms: i64) -> Vec<Span> {
    let from_ms = until_ms - i64::from(days.max(1)) * DAY_MS;
    let mut windows = Vec::new();
    let mut day_ms = start_of_day(from_ms);
    while day_ms < until_ms {
        let window = Span {
            start_ms: (day_ms + OFFICE_MS.start).max(from_ms),
            end_ms: (day_ms + OFFICE_MS.end).min(until_ms),
        };
        // The epoch was a Thursday: days 2 and 3 of such a week are Saturday and Sunday.
        let is_weekend = matches!(day_ms.div_euclid(DAY_MS).rem_euclid(7), 2 | 3);
        if window.start_ms < window.end_ms && !is_weekend {
            windows.push(window);
        }
        day_ms += DAY_MS;
    }
    if windows.is_empty() {
        windows.push(Span {
            start_ms: from_ms,
            end_ms: until_ms,
        });
    }
    windows
}

/// The instant that lies `offset_ms` into the windows laid end to end.
fn in_windows(windows: &[Span], offset_ms: i64) -> i64 {
    let mut left_ms = offset_ms;
    for window in windows {
        let length_ms = window.end_ms - window.start_ms;
        if left_ms < length_ms {
            return window.start_ms + left_ms.max(0);
        }
        left_ms -= length_ms;
    }
    windows.last().map_or(offset_ms, |window| window.end_ms)
}

fn start_of_day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS) * DAY_MS
}

/// What a stream of chance is for; each call has one of each, so that one call more changes no other.
enum Purpose {
    Schedule,
    Call,
}

fn rng(seed: u64, index: u32, purpose: Purpose) -> Rng {
    // Neighbouring seeds of a generator give related beginnings: draw the seed of each stream from a first generator.
    let mut seeds = Rng::with_seed(seed);
    let salt = seeds.u64(..);
    let stream = 2 * u64::from(index) + u64::from(matches!(purpose, Purpose::Call));
    let mut mixed = Rng::with_seed(salt ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Rng::with_seed(mixed.u64(..))
}
