//! A reader follows the log while it is written, rotated, compressed and removed: every line once, to some moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::log::rotated;

/// Files that are held open: the others are opened in turn.
const HELD: usize = 1;

/// Reads all, as often as `is_over` allows, and checks that what was there is `from..to` with `stored() <= to`.
fn follow(log: &Path, from: usize, stored: &AtomicUsize, is_over: impl Fn() -> bool) -> usize {
    let (mut n_reads, mut before) = (0, from);
    loop {
        let last = is_over();
        let at_least = stored.load(SeqCst);
        let found: Vec<usize> = lines_of(log)
            .iter()
            .map(|line| line.parse().unwrap())
            .collect();
        let to = from + found.len();
        assert!(found.iter().copied().eq(from..to), "{found:?}");
        assert!(at_least <= to, "{at_least} were stored, {to} found");
        assert!(before <= to);
        before = to;
        n_reads += 1;
        if last {
            return n_reads;
        }
    }
}

#[test]
fn every_read_is_all_lines_up_to_some_moment() {
    const LINES: usize = 1_500;
    let place = Place::new();
    let writer = Writer::open(Settings {
        // Segments of some hundred bytes, rotated away as fast as they can be compressed.
        rotation: Rotation {
            size_bytes: Some(400),
            daily: false,
        },
        keep: Keep {
            gzip: true,
            retain_days: None,
        },
        batch_records_max: 20,
        min_free_bytes: 0,
        ..place.settings()
    })
    .unwrap();
    let (stored, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let n_reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| follow(&place.log(), 0, &stored, || over.load(SeqCst)));
        let mut fates = std::collections::VecDeque::new();
        for n in 0..LINES {
            fates.push_back((n, queue(&writer, &n.to_string())));
            while 60 < fates.len() || (n + 1 == LINES && !fates.is_empty()) {
                let (n, fate) = fates.pop_front().unwrap();
                fate.recv_timeout(PATIENCE).unwrap().unwrap();
                stored.store(n + 1, SeqCst);
            }
        }
        wait_until("all segments are compressed", || {
            reader.is_finished() || {
                let counters = writer.counters();
                counters.segments_compressed == counters.rotations
            }
        });
        over.store(true, SeqCst);
        reader.join().unwrap()
    });
    let counters = writer.counters();
    assert!(10 < counters.rotations, "{counters:?}");
    assert_eq!(counters.compression_failures, 0);
    assert!(1 < n_reads);
    assert!(place.names_with("tmp").is_empty());
}

/// What a rotating, compressing, removing writer may do between any two steps of a reader that opens files.
#[test]
fn whatever_happens_between_two_steps_of_opening_no_line_is_missed_or_doubled() {
    let runs = (0..150).flat_map(|seed| [(seed, usize::MAX), (seed, HELD)]);
    'runs: for (seed, held_max) in runs {
        let place = Place::new();
        let log = place.log();
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut written, mut first) = (0, 0);
        let act = |random: &mut fastrand::Rng, written: &mut usize, first: &mut usize| {
            let (segments, _) = rotated::list(&log).unwrap();
            match random.u8(0..6) {
                0 | 1 => {
                    let mut text = fs::read_to_string(&log).unwrap_or_default();
                    text.push_str(&format!("{written}\n"));
                    // In place: the inode stays.
                    fs::write(&log, text).unwrap();
                    *written += 1;
                }
                2 if log.exists() => {
                    fs::rename(&log, rotated::next_path(&log, 0, &mut None).unwrap()).unwrap();
                    if random.bool() {
                        fs::write(&log, "").unwrap();
                    }
                }
                3 => {
                    if let Some(segment) = segments.iter().find(|segment| !segment.has_compressed) {
                        let bytes = fs::read(&segment.path).unwrap();
                        let mut gz =
                            flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                        std::io::Write::write_all(&mut gz, &bytes).unwrap();
                        fs::write(segment.compressed_path(), gz.finish().unwrap()).unwrap();
                    }
                }
                4 => {
                    if let Some(segment) = segments
                        .iter()
                        .find(|segment| segment.has_compressed && segment.has_plain)
                    {
                        fs::remove_file(&segment.path).unwrap();
                    }
                }
                5 if 3 < segments.len() => {
                    let oldest = &segments[0];
                    let plain = fs::read_to_string(&oldest.path);
                    let n = plain.map_or_else(
                        |_| read_gz(&oldest.compressed_path()),
                        |text| text.lines().count(),
                    );
                    *first += n;
                    let _ = fs::remove_file(&oldest.path);
                    let _ = fs::remove_file(oldest.compressed_path());
                }
                _ => {}
            }
        };
        for _ in 0..random.usize(0..40) {
            act(&mut random, &mut written, &mut first);
        }
        if !log.exists() {
            fs::write(&log, "").unwrap();
        }
        let (written_before, first_before) = (written, first);
        let mut n_acts = random.usize(0..60);
        let opened = opened::open_with(&[log.display().to_string()], held_max, || {
            if 0 < n_acts {
                n_acts -= 1;
                act(&mut random, &mut written, &mut first);
            }
        })
        .unwrap();
        let mut found = Vec::new();
        for file in opened {
            let read = reader::read_lines(&file, .., |line| {
                let Line::Whole(text) = line else { panic!() };
                found.push(std::str::from_utf8(text).unwrap().parse::<usize>().unwrap());
            });
            match read {
                Ok(_) => {}
                // What goes after its last listing and is not held open, is missed, but not unnoticed.
                Err(reader::Error::Read { source, .. }) => {
                    assert!(held_max == HELD && opened::is_gone(&source), "{source}");
                    continue 'runs;
                }
            }
        }
        let (Some(from), Some(to)) = (found.first(), found.last()) else {
            assert!(written_before <= first, "seed {seed}: nothing found");
            continue;
        };
        assert!(
            found.iter().copied().eq(*from..=*to),
            "seed {seed}: {found:?}"
        );
        assert!((first_before..=first).contains(from), "seed {seed}");
        assert!(
            (written_before..=written).contains(&(to + 1)),
            "seed {seed}: {written_before} {written} {to}"
        );
    }
}

fn read_gz(path: &Path) -> usize {
    let mut n = 0;
    reader::read_lines(&opened::Opened::of(path.into()).unwrap(), .., |_| n += 1).unwrap();
    n
}

#[test]
fn a_reader_that_comes_late_finds_all_rotations_that_it_missed() {
    let place = Place::new();
    let writer = place.writer();
    let mut inodes = BTreeSet::new();
    for n in 0..6 {
        store(&writer, &n.to_string()).unwrap();
        inodes.insert(std::os::unix::fs::MetadataExt::ino(
            &fs::metadata(place.log()).unwrap(),
        ));
        // As logrotate does it, the oldest first: every name leads to another file afterwards.
        for k in (1..=n).rev() {
            let name = |k| place.dir.path().join(format!("beacon.log.{k}"));
            fs::rename(name(k), name(k + 1)).unwrap();
        }
        fs::rename(place.log(), place.dir.path().join("beacon.log.1")).unwrap();
    }
    store(&writer, "6").unwrap();
    assert_eq!(inodes.len(), 6);
    assert_eq!(place.lines(), ["0", "1", "2", "3", "4", "5", "6"]);
    // The oldest goes, and its inode may come back at once as the log's.
    fs::remove_file(place.dir.path().join("beacon.log.6")).unwrap();
    fs::rename(place.log(), place.dir.path().join("beacon.log.0")).unwrap();
    store(&writer, "7").unwrap();
    assert_eq!(place.lines(), ["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn an_inode_that_is_reused_is_another_file() {
    let place = Place::new();
    fs::write(place.dir.path().join("beacon.log.1"), "0\n").unwrap();
    fs::write(place.log(), "1\n").unwrap();
    let mut swapped = false;
    let opened = opened::open_with(&[place.log().display().to_string()], HELD, || {
        if !swapped {
            // Between listing and opening: the segment goes, and its inode is free for the next file.
            swapped = true;
            fs::remove_file(place.dir.path().join("beacon.log.1")).unwrap();
            fs::rename(place.log(), place.dir.path().join("beacon.log.1")).unwrap();
            fs::write(place.log(), "2\n").unwrap();
        }
    })
    .unwrap();
    let names: Vec<_> = opened.iter().map(|file| file.path.clone()).collect();
    assert_eq!(names, [place.dir.path().join("beacon.log.1"), place.log()]);
    assert_eq!(place.lines(), ["1", "2"]);
}

/// The listing that runs beside the end of a compression finds neither the segment nor its copy.
#[test]
fn one_listing_is_not_believed() {
    let place = Place::new();
    let log = place.log();
    fs::write(&log, "0\n").unwrap();
    let segment = rotated::next_path(&log, 0, &mut None).unwrap();
    let copy = rotated::with_suffix(&segment, ".gz");
    let mut n_steps = 0;
    let opened = opened::open_with(&[log.display().to_string()], HELD, || {
        n_steps += 1;
        match n_steps {
            // In the first listing, between the name and what it leads to.
            1 => {
                fs::rename(&log, &segment).unwrap();
                fs::write(&log, "1\n").unwrap();
            }
            // In the second: its names are read, and the segment's is about to be followed.
            4 => {
                let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut gz, b"0\n").unwrap();
                fs::write(&copy, gz.finish().unwrap()).unwrap();
                fs::remove_file(&segment).unwrap();
            }
            _ => {}
        }
    })
    .unwrap();
    let names: Vec<_> = opened.into_iter().map(|file| file.path).collect();
    assert_eq!(names, [copy, log]);
}

#[test]
fn a_file_under_two_names_is_read_once() {
    let place = Place::new();
    fs::write(place.log(), "0\n").unwrap();
    fs::hard_link(place.log(), place.dir.path().join("beacon.log.1")).unwrap();
    assert_eq!(place.lines(), ["0"]);
}
