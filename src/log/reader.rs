//! Reads the lines of log files, plain or compressed, in bounded memory. Knows nothing of what a line says.

use super::opened::{Handle, Opened};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::{Bound, RangeBounds};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Longest line that is handed on, in bytes. The collector takes 64 KiB; older ones took anything.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// One read of the operating system. For the fuzzer as small as its lines, so that they end anywhere in it.
const BUFFER_BYTES: usize = if cfg!(fuzzing) { 61 } else { 1 << 20 };

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read to its end.
    #[error("cannot read beacon log `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Whole.
    Whole(&'a [u8]),
    /// Longer than [`LINE_BYTES_MAX`]; read past.
    TooLong,
}

/// How far a file was read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the file on disk.
    pub bytes: u64,
    /// Bytes of its content, decompressed, up to the end of the last whole line: where to go on.
    pub consumed: u64,
    /// Why a compressed segment ended early, if it did: what came before counts, a build goes on.
    pub broken: Option<String>,
}

/// Calls `on_line` for every line of the file that ends in a newline, of `range`: bytes of its content, from where a line begins to
/// where another one does. A last line without a newline is not there yet. Several threads may read one file.
///
/// # Errors
///
/// Where the file cannot be read. Broken compression is no error but said in [`Extent::broken`].
pub fn read_lines(
    opened: &Opened,
    range: impl RangeBounds<u64>,
    on_line: impl FnMut(Line<'_>),
) -> Result<Extent, Error> {
    let from = match range.start_bound() {
        Bound::Included(&from) => from,
        Bound::Excluded(&from) => from.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let until = match range.end_bound() {
        Bound::Included(&until) => until.saturating_add(1),
        Bound::Excluded(&until) => until,
        Bound::Unbounded => u64::MAX,
    };
    let read = |source| Error::Read {
        path: opened.path.clone(),
        source,
    };
    let file = opened.file().map_err(read)?;
    let bytes = file.metadata().map_err(read)?.len();
    drop(file);
    let mut consumed = from;
    let outcome = content(opened, from, BUFFER_BYTES).and_then(|input| {
        let input = input.take(until.saturating_sub(from));
        lines(input, &mut consumed, on_line)
    });
    let broken = match outcome {
        Ok(()) => None,
        Err(cause) if opened.is_compressed() => Some(cause.to_string()),
        Err(source) => return Err(read(source)),
    };
    Ok(Extent {
        bytes,
        consumed,
        broken,
    })
}

/// Where the first line begins at the byte `at` or behind it. Where none does: the end of the file.
///
/// # Errors
///
/// Where the file cannot be read.
pub fn line_start(opened: &Opened, at: u64) -> io::Result<u64> {
    let Some(before) = at.checked_sub(1) else {
        return Ok(0);
    };
    let mut input = content(opened, before, BUFFER_BYTES)?;
    Ok(before + input.skip_until(b'\n')? as u64)
}

/// A file, read from a place of its own: two that read one handle do not move each other.
struct ReadAt<'a> {
    file: Handle<'a>,
    at: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// The content of a file from the byte `from` on, decompressed, read so many bytes at a time.
pub(super) fn content(
    opened: &Opened,
    from: u64,
    buffer_bytes: usize,
) -> io::Result<Box<dyn BufRead + '_>> {
    let file = opened.file()?;
    let at = if opened.is_compressed() { 0 } else { from };
    let plain = BufReader::with_capacity(buffer_bytes, ReadAt { file, at });
    let mut decoder: Box<dyn Read + '_> = match opened.extension() {
        Some("gz") => Box::new(MultiGzDecoder::new(plain)),
        Some("zst") => Box::new(
            ruzstd::decoding::StreamingDecoder::new(plain)
                .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause.to_string()))?,
        ),
        _ => return Ok(Box::new(plain)),
    };
    io::copy(&mut decoder.by_ref().take(from), &mut io::sink())?;
    Ok(Box::new(BufReader::with_capacity(buffer_bytes, decoder)))
}

fn lines(
    mut input: impl BufRead,
    consumed: &mut u64,
    mut on_line: impl FnMut(Line<'_>),
) -> io::Result<()> {
    // Bytes before the buffer.
    let mut before = *consumed;
    // The beginning of a line whose end is not in the buffer yet.
    let mut begun: Vec<u8> = Vec::new();
    let mut too_long = false;
    loop {
        let buffer = match input.fill_buf() {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if buffer.is_empty() {
            return Ok(());
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', buffer) {
            let part = &buffer[start..end];
            start = end + 1;
            if too_long || LINE_BYTES_MAX < begun.len() + part.len() {
                on_line(Line::TooLong);
            } else if begun.is_empty() {
                on_line(Line::Whole(part));
            } else {
                begun.extend_from_slice(part);
                on_line(Line::Whole(&begun));
            }
            begun.clear();
            too_long = false;
        }
        if 0 < start {
            *consumed = before + start as u64;
        }
        let part = &buffer[start..];
        if too_long || LINE_BYTES_MAX < begun.len() + part.len() {
            too_long = true;
            begun.clear();
        } else {
            begun.extend_from_slice(part);
        }
        let used = buffer.len();
        before += used as u64;
        input.consume(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn texts(bytes: &[u8], capacity: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut consumed = 7;
        let input = BufReader::with_capacity(capacity, bytes);
        lines(input, &mut consumed, |line| {
            found.push(match line {
                Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                Line::TooLong => "TOO LONG".to_owned(),
            });
        })
        .unwrap();
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        assert_eq!(consumed, 7 + whole as u64);
        found
    }

    #[test]
    fn lines_are_the_same_wherever_the_buffer_ends() {
        let bytes = b"one\n\ntwo three\nfour\nnot there yet";
        for capacity in 1..40 {
            assert_eq!(
                texts(bytes, capacity),
                ["one", "", "two three", "four"],
                "{capacity}"
            );
        }
    }

    #[test]
    fn a_line_that_is_too_long_costs_itself_alone() {
        let mut bytes = b"before\n".to_vec();
        bytes.extend(vec![b'x'; LINE_BYTES_MAX]);
        bytes.push(b'\n');
        bytes.extend(vec![b'y'; LINE_BYTES_MAX + 1]);
        bytes.extend(b"\nafter\n");
        let found = texts(&bytes, 4_096);
        assert_eq!(found.len(), 4);
        assert_eq!(found[1].len(), LINE_BYTES_MAX);
        assert_eq!(
            (found[2].as_str(), found[3].as_str()),
            ("TOO LONG", "after")
        );
    }

    fn count(path: &std::path::Path) -> (usize, Option<String>) {
        let mut n = 0;
        let extent = read_lines(&Opened::of(path.into()).unwrap(), .., |_| n += 1).unwrap();
        (n, extent.broken)
    }

    #[test]
    fn compressed_segments_are_read_like_plain_ones_and_as_far_as_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gz");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        // Hard to compress, so that a cut in the middle leaves lines before it.
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            writeln!(gz, "{seed}").unwrap();
        }
        let whole = gz.finish().unwrap();
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(count(&path), (20_000, None));
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let (n, broken) = count(&path);
        assert!(100 < n && n < 20_000 && broken.is_some(), "{n} {broken:?}");

        let zst = folder.path().join("a.zst");
        let bytes = ruzstd::encoding::compress_to_vec(
            b"one\ntwo\n".as_slice(),
            ruzstd::encoding::CompressionLevel::Uncompressed,
        );
        std::fs::write(&zst, bytes).unwrap();
        assert_eq!(count(&zst), (2, None));
        std::fs::write(&zst, "no zstd").unwrap();
        assert_eq!(count(&zst).0, 0);
    }

    #[test]
    fn reading_goes_on_where_it_ended_compressed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let text = b"one\ntwo\nthree\nfo";
        let plain = folder.path().join("a.log");
        std::fs::write(&plain, text).unwrap();
        let gz = folder.path().join("a.log.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        std::fs::write(&gz, encoder.finish().unwrap()).unwrap();
        for path in [plain, gz] {
            let opened = Opened::of(path).unwrap();
            for (from, n) in [(0, 3), (4, 2), (8, 1), (14, 0)] {
                let mut found = 0;
                let extent = read_lines(&opened, from.., |_| found += 1).unwrap();
                assert_eq!((found, extent.consumed), (n, 14), "{from}");
            }
        }
    }

    #[test]
    fn stretches_that_begin_with_a_line_hold_every_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let text = "one\n\nthree\nfour and more\nfive\nnot there";
        std::fs::write(&path, text).unwrap();
        let opened = Opened::of(path).unwrap();
        for cut in 0..=text.len() as u64 + 2 {
            let middle = line_start(&opened, cut).unwrap();
            let mut found = Vec::new();
            let mut read = |range: (Bound<u64>, Bound<u64>)| {
                let keep = |line: Line<'_>| found.push(format!("{line:?}"));
                read_lines(&opened, range, keep).unwrap().consumed
            };
            read((Bound::Unbounded, Bound::Excluded(middle)));
            let consumed = read((Bound::Included(middle), Bound::Unbounded));
            assert_eq!(found.len(), 5, "{cut}: {found:?}");
            assert!(
                found[3].contains(&format!("{:?}", b"four and more")),
                "{cut}"
            );
            if middle < 30 {
                assert_eq!(consumed, 30, "{cut}");
            }
        }
    }

    #[test]
    fn a_folder_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Opened::of(folder.path().into()).is_err());
    }
}
