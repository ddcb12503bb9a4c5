//! Reads the lines of log files, plain or compressed, in bounded memory. Knows nothing of what a line says.

use super::opened::Opened;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};
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
    /// Why a compressed segment ended early, if it did: what came before counts, a build goes on.
    pub broken: Option<String>,
}

/// Calls `on_line` for every line of the file that ends in a newline. A last line without one is not there yet.
///
/// # Errors
///
/// Where the file cannot be read. Broken compression is no error but said in [`Extent::broken`].
pub fn read_lines(opened: Opened, on_line: impl FnMut(Line<'_>)) -> Result<Extent, Error> {
    let Opened { path, file, .. } = opened;
    let read = |source| Error::Read {
        path: path.clone(),
        source,
    };
    let meta = file.metadata().map_err(read)?;
    let bytes = meta.len();
    let plain = BufReader::with_capacity(BUFFER_BYTES, file);
    let (outcome, compressed) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => (lines(buffered(MultiGzDecoder::new(plain)), on_line), true),
        Some("zst") => match ruzstd::decoding::StreamingDecoder::new(plain) {
            Ok(decoder) => (lines(buffered(decoder), on_line), true),
            Err(cause) => (
                Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    cause.to_string(),
                )),
                true,
            ),
        },
        _ => (lines(plain, on_line), false),
    };
    match outcome {
        Ok(()) => Ok(Extent {
            bytes,
            broken: None,
        }),
        Err(cause) if compressed => Ok(Extent {
            bytes,
            broken: Some(cause.to_string()),
        }),
        Err(source) => Err(read(source)),
    }
}

fn buffered(decoder: impl Read) -> impl BufRead {
    BufReader::with_capacity(BUFFER_BYTES, decoder)
}

fn lines(mut input: impl BufRead, mut on_line: impl FnMut(Line<'_>)) -> io::Result<()> {
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
        let part = &buffer[start..];
        if too_long || LINE_BYTES_MAX < begun.len() + part.len() {
            too_long = true;
            begun.clear();
        } else {
            begun.extend_from_slice(part);
        }
        let used = buffer.len();
        input.consume(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn texts(bytes: &[u8], capacity: usize) -> Vec<String> {
        let mut found = Vec::new();
        lines(BufReader::with_capacity(capacity, bytes), |line| {
            found.push(match line {
                Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                Line::TooLong => "TOO LONG".to_owned(),
            });
        })
        .unwrap();
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
        let extent = read_lines(Opened::of(path.into()).unwrap(), |_| n += 1).unwrap();
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
    fn a_folder_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Opened::of(folder.path().into()).is_err());
    }
}
