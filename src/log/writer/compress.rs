//! Makes the compressed copy of one segment, then removes the plain one. Killed anywhere it leaves the plain segment
//! whole, or a compressed copy that was read back and synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::directory::sync_directory_of;
use super::medium::{Disk, Medium};
use crate::log::rotated::{Segment, UNFINISHED, with_suffix};

/// Bytes between two looks at whether to go on.
const STEP: usize = 256 * 1024;
/// Bytes of the copy between two syncs: one of a whole large segment would hold up the writer's.
const SYNC_BYTES: u64 = 8 << 20;

/// Why there is no copy.
pub(super) enum Refusal {
    /// There was no time for it.
    Stopped,
    /// It could not be made.
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(cause: io::Error) -> Refusal {
        Refusal::Failed(cause)
    }
}

/// Replaces the plain segment by its compressed copy. A copy that is there already is made anew: nobody knows how far
/// its maker came. One that holds something else is another segment, and stays.
pub(super) fn compress(
    segment: &Segment,
    min_free_bytes: u64,
    is_stopping: impl Fn() -> bool,
) -> Result<(), Refusal> {
    let unfinished = with_suffix(&segment.path, UNFINISHED);
    let mut pace = Pace {
        min_free_bytes,
        is_stopping: &is_stopping,
    };
    let named = File::open(&segment.path)
        .map_err(Refusal::from)
        .and_then(|plain| make_copy(&plain, &unfinished, &mut pace))
        .and_then(|copy| compare(&segment.path, copy, &mut pace))
        .and_then(|()| spare_another(segment, &mut pace))
        .and_then(|()| Ok(fs::rename(&unfinished, segment.compressed_path())?));
    if named.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    named?;
    sync_directory_of(&segment.compressed_path())?;
    fs::remove_file(&segment.path)?;
    Ok(())
}

struct Pace<'a> {
    min_free_bytes: u64,
    is_stopping: &'a dyn Fn() -> bool,
}

impl Pace<'_> {
    /// Ends the work when it is time to stop, or when the copy would take the room that beacons need.
    fn go_on(&mut self, copy: &File) -> Result<(), Refusal> {
        if (self.is_stopping)() {
            return Err(Refusal::Stopped);
        }
        match Disk.free_bytes(copy) {
            Some(free) if free < self.min_free_bytes => {
                Err(io::Error::new(io::ErrorKind::StorageFull, "disk nearly full").into())
            }
            _ => Ok(()),
        }
    }
}

fn make_copy(mut plain: &File, unfinished: &Path, pace: &mut Pace<'_>) -> Result<File, Refusal> {
    let copy = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(unfinished)?;
    let mut encoder = GzEncoder::new(&copy, Compression::default());
    let mut buffer = vec![0; STEP];
    let mut synced = 0;
    loop {
        pace.go_on(&copy)?;
        let n = read_some(&mut plain, &mut buffer)?;
        if n == 0 {
            break;
        }
        encoder.write_all(&buffer[..n])?;
        let len = copy.metadata()?.len();
        if synced + SYNC_BYTES <= len {
            copy.sync_data()?;
            synced = len;
        }
    }
    encoder.finish()?;
    copy.sync_all()?;
    Ok(copy)
}

/// Reads the copy back: it must hold what the plain segment holds, to its very end.
fn compare(plain: &std::path::Path, mut copy: File, pace: &mut Pace<'_>) -> Result<(), Refusal> {
    io::Seek::rewind(&mut copy)?;
    let mut plain = File::open(plain)?;
    let mut decoder = GzDecoder::new(BufReader::new(&copy));
    let (mut expect, mut found) = (vec![0; STEP], vec![0; STEP]);
    loop {
        if (pace.is_stopping)() {
            return Err(Refusal::Stopped);
        }
        let n = read_some(&mut plain, &mut expect)?;
        let m = read_some(&mut decoder, &mut found)?;
        if expect[..n] != found[..m] {
            let cause = "the copy differs from the segment";
            return Err(io::Error::new(io::ErrorKind::InvalidData, cause).into());
        }
        if n == 0 {
            return Ok(());
        }
    }
}

/// Refuses to replace a compressed file that holds what the plain segment does not.
fn spare_another(segment: &Segment, pace: &mut Pace<'_>) -> Result<(), Refusal> {
    let there = match File::open(segment.compressed_path()) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there?,
    };
    let mut plain = File::open(&segment.path)?;
    let mut decoder = GzDecoder::new(BufReader::new(there));
    let (mut expect, mut found) = (vec![0; STEP], vec![0; STEP]);
    loop {
        if (pace.is_stopping)() {
            return Err(Refusal::Stopped);
        }
        // Where it cannot be read on, its maker came no further.
        let Ok(n @ 1..) = decoder.read(&mut found) else {
            return Ok(());
        };
        let m = read_some(&mut plain, &mut expect[..n])?;
        if expect[..m] != found[..n] {
            let cause = "another segment has the name of its copy";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, cause).into());
        }
    }
}

/// Fills the buffer as far as there is anything.
fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
