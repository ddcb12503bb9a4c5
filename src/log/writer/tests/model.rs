//! Whatever happens in whatever order, what was acknowledged is there, once, whole and in order.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::prelude::*;

use super::script::Append;
use super::*;
use crate::log::rotated;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[derive(Clone, Debug)]
enum Step {
    Store,
    /// The write takes so many bytes and then fails, says it was short, or lies.
    Full(usize),
    Short(usize),
    Lie(usize),
    /// The write fails, and what it left cannot be cut off.
    Stuck(usize),
    SyncFails,
    /// A rotation of ours, or the way into a fresh file, fails at one of its steps.
    RenameFails,
    CreateFails,
    DirectoryFails,
    /// The clock is set.
    Days(i64),
    /// Someone renames the log.
    Rotate,
    /// The power fails: of what was written after the last sync a part remains, and behind it a piece of a line that
    /// was under way.
    Crash {
        keep: f64,
        torn: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Store),
        1 => (0..9usize).prop_map(Step::Full),
        1 => (0..9usize).prop_map(Step::Short),
        1 => (0..9usize).prop_map(Step::Lie),
        1 => (0..9usize).prop_map(Step::Stuck),
        2 => Just(Step::SyncFails),
        1 => Just(Step::RenameFails),
        1 => Just(Step::CreateFails),
        1 => Just(Step::DirectoryFails),
        1 => (-400..400i64).prop_map(Step::Days),
        1 => Just(Step::Rotate),
        2 => (0.0..=1.0, 0..9usize).prop_map(|(keep, torn)| Step::Crash { keep, torn }),
    ];
    prop::collection::vec(step, 1..24)
}

/// Plays the steps; returns the lines acknowledged and the lines found, by number.
fn play(steps: &[Step], rotation: &Rotation) -> (Vec<usize>, Vec<usize>) {
    let place = Place::new();
    let now_ms = Arc::new(AtomicU64::new(clock()));
    let begin = || {
        let now_ms = Arc::clone(&now_ms);
        place.scripted_at(Arc::new(move || now_ms.load(Relaxed)), |settings| {
            settings.rotation = rotation.clone();
            settings.retry_gap = Duration::ZERO;
        })
    };
    let (mut writer, mut script) = begin();
    let mut acknowledged = Vec::new();
    // Inode and length of the log after its last repair, which synced it.
    let mut repaired = (0, 0);
    for (n, step) in steps.iter().enumerate() {
        match *step {
            Step::Store => {}
            Step::Full(bytes) => script.appends([Append::Fails(bytes, ENOSPC)]),
            Step::Short(bytes) => script.appends([Append::Short(bytes)]),
            Step::Lie(bytes) => script.appends([Append::Lie(bytes)]),
            Step::Stuck(bytes) => {
                script.appends([Append::Fails(bytes, EIO)]);
                script.truncates([EIO]);
            }
            Step::SyncFails => script.syncs([EIO]),
            Step::RenameFails => script.renames([EIO]),
            Step::CreateFails => script.creates([ENOSPC]),
            Step::DirectoryFails => script.directories([EIO]),
            Step::Days(days) => {
                let ms = now_ms
                    .load(Relaxed)
                    .saturating_add_signed(days * 86_400_000);
                now_ms.store(ms, Relaxed);
            }
            Step::Rotate => {
                let next = rotated::next_path(&place.log(), 0, &mut None).unwrap();
                let _ = fs::rename(place.log(), next);
                continue;
            }
            Step::Crash { keep, torn } => {
                let log = fs::File::options()
                    .create(true)
                    .append(true)
                    .open(place.log())
                    .unwrap();
                let inode = log.metadata().unwrap().ino();
                let synced =
                    script
                        .synced_len(inode)
                        .max(if inode == repaired.0 { repaired.1 } else { 0 });
                // The stop syncs, which a power cut would not: what it saves is dropped all the same.
                writer.stop();
                let doubtful = log.metadata().unwrap().len() - synced;
                log.set_len(synced + (doubtful as f64 * keep) as u64)
                    .unwrap();
                (&log).write_all(&line(n).as_bytes()[..torn]).unwrap();
                drop(writer);
                (writer, script) = begin();
                repaired = (inode, log.metadata().unwrap().len());
                continue;
            }
        }
        if store(&writer, &line(n)).is_ok() {
            acknowledged.push(n);
        }
    }
    writer.stop();
    let found = place.lines().into_iter().map(|text| {
        let n = text.trim_start_matches("line-").parse();
        let n = n.unwrap_or(usize::MAX);
        assert_eq!(text, line(n), "a line that nobody sent");
        n
    });
    (acknowledged, found.collect())
}

fn line(n: usize) -> String {
    format!("line-{n:03}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_lines_are_there_whole_and_in_order(steps in steps(), size_bytes in prop::option::of(1..60u64), daily: bool) {
        let (acknowledged, found) = play(&steps, &Rotation { size_bytes, daily });
        prop_assert!(found.is_sorted_by(|a, b| a < b), "order or repetition: {found:?}");
        for n in &acknowledged {
            prop_assert!(found.contains(n), "{n} is lost of {acknowledged:?}, found {found:?}");
        }
    }
}
