//! How far a file of a log was read, and how to know the file again: under another name, in another place, compressed.

use super::file_id::FileId;
use super::opened::Opened;
use super::reader::{Extent, content};
use crate::digest::fingerprint;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read};

/// Bytes at both ends of what was read that a file is known by. They hold several lines, and lines hold instants.
const WINDOW_BYTES: u64 = 4_096;
const BUFFER_BYTES: usize = WINDOW_BYTES as usize;

/// How far a file was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    id: FileId,
    /// On disk.
    bytes: u64,
    /// As [`Extent::consumed`].
    pub consumed: u64,
    /// Of the first bytes of the content.
    head: String,
    /// Of the last bytes of what was read.
    tail: String,
}

impl Cursor {
    /// Of a file that was read as `extent` says.
    ///
    /// # Errors
    ///
    /// Where it cannot be read once more.
    pub fn of(opened: &Opened, extent: &Extent) -> io::Result<Cursor> {
        let (head, tail) = windows(opened, extent.consumed)?;
        Ok(Cursor {
            id: opened.id,
            bytes: extent.bytes,
            consumed: extent.consumed,
            head,
            tail,
        })
    }

    /// Whether `opened` is the file, whatever it is called now.
    pub fn is_of(&self, opened: &Opened) -> bool {
        self.id == opened.id
    }

    /// Whether the file, which [`Cursor::is_of`] has found, holds nothing that was not read.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn is_at_end(&self, opened: &Opened) -> io::Result<bool> {
        let bytes = opened.file()?.metadata()?.len();
        // The content of a compressed file is as long as it is, and another one would have another size.
        Ok(bytes == self.bytes && (opened.is_compressed() || bytes == self.consumed))
    }

    /// Whether the content of `opened` begins with what was read, so that reading may go on behind it.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn fits(&self, opened: &Opened) -> io::Result<bool> {
        if opened.is_compressed() {
            // Looking at the end means to decompress everything before it.
            let head = take(content(opened, 0, BUFFER_BYTES)?, self.head_bytes())?;
            if digest(&head) != self.head {
                return Ok(false);
            }
        }
        match windows(opened, self.consumed) {
            Ok((head, tail)) => Ok(head == self.head && tail == self.tail),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    fn head_bytes(&self) -> u64 {
        WINDOW_BYTES.min(self.consumed)
    }
}

/// Digests of the first and the last bytes of the first `consumed` bytes of a file's content.
fn windows(opened: &Opened, consumed: u64) -> io::Result<(String, String)> {
    let n = WINDOW_BYTES.min(consumed);
    let mut input = content(opened, 0, BUFFER_BYTES)?;
    let head = exactly(&mut input, n)?;
    let tail = exactly(content(opened, consumed - n, BUFFER_BYTES)?, n)?;
    Ok((digest(&head), digest(&tail)))
}

fn exactly(input: impl BufRead, n: u64) -> io::Result<Vec<u8>> {
    let bytes = take(input, n)?;
    if (bytes.len() as u64) < n {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn take(input: impl BufRead, n: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(n).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn digest(bytes: &[u8]) -> String {
    fingerprint([bytes])
}

#[cfg(test)]
mod tests {
    use super::super::reader::read_lines;
    use super::*;
    use std::fs;
    use std::path::Path;

    fn cursor(path: &Path) -> Cursor {
        let opened = Opened::of(path.into()).unwrap();
        let extent = read_lines(&opened, .., |_| ()).unwrap();
        Cursor::of(&opened, &extent).unwrap()
    }

    fn gzip(bytes: &[u8], to: &Path) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, bytes).unwrap();
        fs::write(to, encoder.finish().unwrap()).unwrap();
    }

    #[test]
    fn a_file_is_known_again_after_it_grew_moved_or_was_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let open = |name: &str| Opened::of(path(name)).unwrap();
        for n_lines in [1, 3, 2_000] {
            let mut text: Vec<u8> = (0..n_lines)
                .flat_map(|n| format!("line {n}\n").into_bytes())
                .collect();
            fs::write(path("a"), &text).unwrap();
            let known = cursor(&path("a"));
            assert_eq!(known.consumed, text.len() as u64);
            assert!(known.is_of(&open("a")) && known.is_at_end(&open("a")).unwrap());

            text.extend(b"one more\nand a half");
            fs::write(path("a"), &text).unwrap();
            assert!(known.is_of(&open("a")) && known.fits(&open("a")).unwrap());
            assert!(!known.is_at_end(&open("a")).unwrap());

            fs::rename(path("a"), path("b")).unwrap();
            assert!(known.is_of(&open("b")));
            gzip(&text, &path("b.gz"));
            assert!(!known.is_of(&open("b.gz")) && known.fits(&open("b.gz")).unwrap());
            let known = cursor(&path("b.gz"));
            assert!(known.is_at_end(&open("b.gz")).unwrap());
            assert!(known.fits(&open("b")).unwrap());
        }
    }

    #[test]
    fn a_file_that_was_cut_or_written_anew_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let open = || Opened::of(path.clone()).unwrap();
        let text: Vec<u8> = (0..2_000)
            .flat_map(|n| format!("line {n}\n").into_bytes())
            .collect();
        fs::write(&path, &text).unwrap();
        let known = cursor(&path);
        let fits = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            known.fits(&open()).unwrap()
        };
        assert!(fits(&text));
        assert!(!fits(&text[..text.len() - 1]), "cut");
        assert!(!fits(b""), "emptied");
        for at in [0, text.len() - 2] {
            let mut other = text.clone();
            other[at] = b'X';
            assert!(!fits(&other), "{at}");
        }
        gzip(&text[..text.len() - 9], &folder.path().join("a.gz"));
        let short = Opened::of(folder.path().join("a.gz")).unwrap();
        assert!(!known.fits(&short).unwrap());
    }
}
