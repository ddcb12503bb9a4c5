//! The names of segments that our own writer rotates away: `LOG-20261123T170000Z`, `LOG-20261123T170000Z-1`, with
//! `.gz` behind once compressed. What matches exactly is ours, to compress and to remove; all else is somebody's.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Behind the name of a segment while its compressed copy is being made.
pub(super) const UNFINISHED: &str = ".gz.tmp";

const STAMP: &str = "%Y%m%dT%H%M%SZ";
const STAMP_BYTES: usize = "20261123T170000Z".len();

/// When a segment was rotated away. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// Seconds since the epoch.
    pub(super) at_s: i64,
    /// Tells segments of one second apart; 0 is left out of the name.
    pub(super) n: u64,
}

impl Mark {
    /// What stands behind the log's name, from its `-` on.
    pub(super) fn suffix(self) -> String {
        // Out of jiff's range is a clock that was never set.
        let at = Timestamp::from_second(self.at_s).unwrap_or(Timestamp::UNIX_EPOCH);
        let stamp = at.strftime(STAMP);
        match self.n {
            0 => format!("-{stamp}"),
            n => format!("-{stamp}-{n}"),
        }
    }

    fn next(self) -> Mark {
        Mark {
            n: self.n.saturating_add(1),
            ..self
        }
    }

    /// The mark in `suffix`, where it is exactly what [`Mark::suffix`] gives.
    pub(super) fn of_suffix(suffix: &str) -> Option<Mark> {
        let bare = suffix.strip_prefix('-')?;
        let (stamp, rest) = bare.split_at_checked(STAMP_BYTES)?;
        let at = DateTime::strptime(STAMP, stamp).ok()?;
        let at_s = TimeZone::UTC.to_timestamp(at).ok()?.as_second();
        let n = match rest {
            "" => 0,
            _ => rest.strip_prefix('-')?.parse().ok()?,
        };
        let mark = Mark { at_s, n };
        (mark.suffix() == suffix).then_some(mark)
    }
}

/// Names that are tried for one segment.
const NAMES_MAX: usize = 1_000;

/// A segment of ours, plain or compressed or, while it is being compressed, both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) mark: Mark,
    /// Of the plain one, there or not.
    pub(super) path: PathBuf,
    pub(super) has_plain: bool,
    pub(super) has_compressed: bool,
}

impl Segment {
    pub(super) fn compressed_path(&self) -> PathBuf {
        with_suffix(&self.path, ".gz")
    }
}

/// Where the log really lies, links followed; also where it is missing right now.
pub(super) fn real_path(log: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = log.file_name().ok_or(error)?;
            Ok(fs::canonicalize(folder_of(log))?.join(name))
        }
        result => result,
    }
}

/// Our segments beside `log`, oldest first, and what was left of unfinished copies.
pub(super) fn list(log: &Path) -> io::Result<(Vec<Segment>, Vec<PathBuf>)> {
    let (mut segments, mut unfinished) = (Vec::<Segment>::new(), Vec::new());
    let name = log.file_name().unwrap_or_default();
    for entry in fs::read_dir(folder_of(log))? {
        let entry = entry?;
        let found = entry.file_name();
        let Some(suffix) = suffix_of(&found, name) else {
            continue;
        };
        // A link or a folder under such a name is none of ours.
        if !entry.file_type()?.is_file() {
            continue;
        }
        let path = log.with_file_name(&found);
        if suffix
            .strip_suffix(UNFINISHED)
            .and_then(Mark::of_suffix)
            .is_some()
        {
            unfinished.push(path);
            continue;
        }
        let plain = suffix.strip_suffix(".gz");
        let Some(mark) = Mark::of_suffix(plain.unwrap_or(suffix)) else {
            continue;
        };
        segments.push(Segment {
            mark,
            path: with_suffix(log, plain.unwrap_or(suffix)),
            has_plain: plain.is_none(),
            has_compressed: plain.is_some(),
        });
    }
    segments.sort_by_key(|segment| segment.mark);
    segments.dedup_by(|next, kept| {
        let same = next.mark == kept.mark;
        if same {
            kept.has_plain |= next.has_plain;
            kept.has_compressed |= next.has_compressed;
        }
        same
    });
    Ok((segments, unfinished))
}

/// A name for the next segment of `log`: of the time `now_s`, but never before one that is there or was given `last`, so that
/// names keep their order when the clock goes back. None is given twice, nor one that is taken: a listing that runs beside the
/// end of a compression may miss the newest segment under both of its names.
pub(super) fn next_path(log: &Path, now_s: i64, last: &mut Option<Mark>) -> io::Result<PathBuf> {
    let listed = list(log)?.0.last().map(|segment| segment.mark);
    let mut mark = Mark { at_s: now_s, n: 0 };
    if let Some(newest) = listed.max(*last)
        && mark <= newest
    {
        mark = newest.next();
    }
    for _ in 0..NAMES_MAX {
        let path = with_suffix(log, &mark.suffix());
        // In this order: the plain one goes when the compressed one is there.
        if is_free(&path)? && is_free(&with_suffix(&path, ".gz"))? {
            *last = Some(mark);
            return Ok(path);
        }
        mark = mark.next();
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn is_free(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// What stands behind `log_name` in `name`.
pub(super) fn suffix_of<'a>(name: &'a OsStr, log_name: &OsStr) -> Option<&'a str> {
    let suffix = name.as_bytes().strip_prefix(log_name.as_bytes())?;
    std::str::from_utf8(suffix).ok()
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut with = OsString::from(path);
    with.push(suffix);
    with.into()
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_and_nothing_else_is_taken_for_one() {
        let mark = Mark {
            at_s: 1_795_453_200,
            n: 0,
        };
        assert_eq!(mark.suffix(), "-20261123T170000Z");
        for n in [0, 1, 10, u64::MAX] {
            let mark = Mark { n, ..mark };
            assert_eq!(Mark::of_suffix(&mark.suffix()), Some(mark));
        }
        for other in [
            "",
            "-",
            "-20261123",
            "-20261123T170000",
            "-20261123T170000Z-",
            "-20261123T170000Z-0",
            "-20261123T170000Z-01",
            "-20261123T170000Z-+1",
            "-20261123T170000Z-1-2",
            "-20261123T170000Z.gz",
            "-20261123T170000Zx",
            "-20261323T170000Z",
            "-20261123T240000Z",
            "-20261123t170000Z",
            ".20261123T170000Z",
            "-2026112ä170000Z",
            "-+0261123T170000Z",
        ] {
            assert_eq!(Mark::of_suffix(other), None, "{other}");
        }
        for at_s in [i64::MIN, -1, 0, i64::MAX] {
            assert!(!Mark { at_s, n: 0 }.suffix().is_empty(), "no panic");
        }
    }

    #[test]
    fn names_keep_their_order_whatever_the_clock_does() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("beacon.log");
        let mut names = Vec::new();
        for at_s in [100, 100, 100, 50, 0, 200, 150] {
            let path = next_path(&log, 1_795_453_200 + at_s, &mut None).unwrap();
            fs::write(&path, "").unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            names.push(
                name.strip_prefix("beacon.log-20261123T")
                    .unwrap()
                    .to_owned(),
            );
        }
        let expect = [
            "170140Z",
            "170140Z-1",
            "170140Z-2",
            "170140Z-3",
            "170140Z-4",
            "170320Z",
            "170320Z-1",
        ];
        assert_eq!(names, expect);
    }

    #[test]
    fn a_compressed_segment_keeps_its_name_taken() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("beacon.log");
        for name in ["Z.gz", "Z-7.gz", "Z-7.gz.tmp", "Z-8.zst"] {
            let path = with_suffix(&log, &format!("-20261123T170000{name}"));
            fs::write(path, "").unwrap();
        }
        let (segments, unfinished) = list(&log).unwrap();
        assert_eq!((segments.len(), unfinished.len()), (2, 1));
        let next = next_path(&log, 1_795_453_200, &mut None).unwrap();
        assert_eq!(next, with_suffix(&log, "-20261123T170000Z-8"));
        fs::create_dir(&next).unwrap();
        let next = next_path(&log, 1_795_453_200, &mut None).unwrap();
        assert_eq!(next, with_suffix(&log, "-20261123T170000Z-9"));
    }

    #[test]
    fn what_a_listing_missed_is_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("beacon.log");
        let mut last = None;
        let mut next = || next_path(&log, 1_795_453_200, &mut last).unwrap();
        let (first, second) = (next(), next());
        assert_eq!(first, with_suffix(&log, "-20261123T170000Z"));
        assert_eq!(second, with_suffix(&log, "-20261123T170000Z-1"));

        // Nor by the next process, which has given none yet, whatever kind of thing has the name.
        fs::create_dir(&first).unwrap();
        fs::create_dir(with_suffix(&second, ".gz")).unwrap();
        let third = next_path(&log, 1_795_453_200, &mut None).unwrap();
        assert_eq!(third, with_suffix(&log, "-20261123T170000Z-2"));
    }
}
