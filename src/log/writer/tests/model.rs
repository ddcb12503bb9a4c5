//! Whatever happens in whatever order, what was acknowledged is there, once, whole and in order.

use std::io::Write;
use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;

use super::script::Append;
use super::*;

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
        1 => Just(Step::Rotate),
        2 => (0.0..=1.0, 0..9usize).prop_map(|(keep, torn)| Step::Crash { keep, torn }),
    ];
    prop::collection::vec(step, 1..24)
}

/// Plays the steps; returns the lines acknowledged and the lines found, by number.
fn play(steps: &[Step]) -> (Vec<usize>, Vec<usize>) {
    let place = Place::new();
    // There is no log between its rotation and the next line.
    let text = || fs::read_to_string(place.log()).unwrap_or_default();
    let (mut writer, mut script) = place.scripted();
    let (mut acknowledged, mut rotated) = (Vec::new(), String::new());
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
            Step::Rotate => {
                // A rotated log may end in what a stuck write left; that is its reader's business.
                let text = text();
                rotated.push_str(&text[..text.rfind('\n').map_or(0, |at| at + 1)]);
                let _ = fs::rename(place.log(), place.dir.path().join(format!("rotated-{n}")));
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
                (writer, script) = place.scripted();
                repaired = (inode, log.metadata().unwrap().len());
                continue;
            }
        }
        if store(&writer, &line(n)).is_ok() {
            acknowledged.push(n);
        }
    }
    writer.stop();
    let text = rotated + &text();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let found = whole.map(|text| {
        let n = text
            .trim_start_matches("line-")
            .trim_end()
            .parse()
            .unwrap_or(usize::MAX);
        assert_eq!(text.trim_end(), line(n), "a line that nobody sent");
        n
    });
    (acknowledged, found.collect())
}

fn line(n: usize) -> String {
    format!("line-{n:03}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_lines_are_there_whole_and_in_order(steps in steps()) {
        let (acknowledged, found) = play(&steps);
        prop_assert!(found.is_sorted_by(|a, b| a < b), "order or repetition: {found:?}");
        for n in &acknowledged {
            prop_assert!(found.contains(n), "{n} is lost of {acknowledged:?}, found {found:?}");
        }
    }
}
