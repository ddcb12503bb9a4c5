//! Files of the site, each replaced as a whole: a reader sees the old one or the new one, never half of either.

use super::{Error, older};
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, IoSlice, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How names of files begin that are not whole yet.
pub(super) const TEMPORARY: &str = ".new-";
/// No file takes this long to be written.
const ABANDONED: Duration = Duration::from_secs(3_600);
/// What is compared at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Readable for everyone that a web server may run as; the umask still applies.
const FILE_MODE: u32 = 0o644;

/// Whether files that would not change are written all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewrite {
    /// They keep their time stamp, so that `rsync` and CDNs upload little.
    Changed,
    /// They are written too.
    All,
}

/// A folder that a site is written into.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) out: &'a Path,
    pub(super) rewrite: Rewrite,
}

impl Site<'_> {
    /// Puts `bytes` where `path` says, from the site's folder. Folders are made.
    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        self.put_parts(path, &[bytes])
    }

    /// The same of a file in parts, which are written from where they are and never copied together.
    pub(super) fn put_parts(&self, path: &str, parts: &[impl AsRef<[u8]>]) -> Result<(), Error> {
        let target = self.out.join(path);
        if self.rewrite == Rewrite::Changed && holds(&target, parts) {
            return Ok(());
        }
        self.put_with(path, |file| write(file, parts))
    }

    /// The same of a file whose name changes with what is in it: where one of its length is there, it is the one.
    pub(super) fn put_named_by_content(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        if self.rewrite == Rewrite::Changed && self.holds_bytes(path, bytes.len() as u64) {
            return Ok(());
        }
        self.put(path, bytes)
    }

    /// The same of a file that is never as it was: `fill` writes it.
    pub(super) fn put_with(
        &self,
        path: &str,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        let target = self.out.join(path);
        replace(&target, fill).map_err(|source| Error::Write {
            path: target,
            source,
        })
    }

    /// Whether a file is there and so long.
    pub(super) fn holds_bytes(&self, path: &str, n_bytes: u64) -> bool {
        let there = fs::metadata(self.out.join(path));
        there.is_ok_and(|file| file.len() == n_bytes)
    }

    /// Removes a file that nothing leads to any more. What cannot be removed harms nobody.
    pub(super) fn remove(&self, path: &str) {
        let _ = fs::remove_file(self.out.join(path));
    }
}

/// Removes what builds that were killed left half written; a build that is at work right now keeps its own. Gives whether nothing
/// is left.
pub(super) fn sweep(out: &Path) -> bool {
    let mut is_clean = true;
    for folder in ["", "calls", "rooms", older::FOLDER, "data", "data/calls"] {
        let Ok(entries) = fs::read_dir(out.join(folder)) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                continue;
            }
            let age = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .ok()
                .and_then(|at| at.elapsed().ok());
            // A leftover that cannot be removed harms nobody: it is never linked to.
            is_clean &=
                age.is_some_and(|age| ABANDONED < age) && fs::remove_file(entry.path()).is_ok();
        }
    }
    is_clean
}

/// Removes pages and data of calls that are not to be kept.
/// `folders`: those that hold them, and how their names end after what `is_kept` knows them by.
pub(super) fn prune(out: &Path, folders: &[(&str, &str)], is_kept: impl Fn(&str) -> bool) {
    for (folder, extension) in folders {
        let Ok(entries) = fs::read_dir(out.join(folder)) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(*extension));
            if id.is_some_and(|id| !is_kept(id)) {
                // What cannot be removed is not linked to any more.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn holds(path: &Path, parts: &[impl AsRef<[u8]>]) -> bool {
    let n_bytes: usize = parts.iter().map(|part| part.as_ref().len()).sum();
    let is_as_long = |file: &File| Some(file.metadata().ok()?.len() == n_bytes as u64);
    let Ok(file) = File::open(path) else {
        return false;
    };
    if is_as_long(&file) != Some(true) {
        return false;
    }
    let mut found = BufReader::with_capacity(BUFFER_BYTES, file);
    parts
        .iter()
        .all(|part| begins_with(&mut found, part.as_ref()))
}

/// Whether `part` comes next in what is read.
fn begins_with(found: &mut impl BufRead, mut part: &[u8]) -> bool {
    while !part.is_empty() {
        let Ok(buffer) = found.fill_buf() else {
            return false;
        };
        let n = buffer.len().min(part.len());
        let (here, rest) = part.split_at(n);
        if n == 0 || buffer[..n] != *here {
            return false;
        }
        part = rest;
        found.consume(n);
    }
    true
}

fn replace(target: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder: PathBuf = target.parent().map_or_else(PathBuf::new, Path::to_owned);
    let sibling = || {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(FILE_MODE))
            .tempfile_in(&folder)
    };
    // The folder is missing once, and there for all files after that.
    let mut file = sibling().or_else(|_| {
        fs::create_dir_all(&folder)?;
        sibling()
    })?;
    fill(file.as_file_mut())?;
    file.persist(target)?;
    Ok(())
}

fn write(file: &mut File, parts: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts
        .iter()
        .map(|part| IoSlice::new(part.as_ref()))
        .collect();
    let mut rest = &mut slices[..];
    // Goes past parts that are empty.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_that_would_not_change_is_left_alone_unless_asked() {
        let folder = tempfile::tempdir().unwrap();
        let put = |rewrite, bytes: &[u8]| {
            Site {
                out: folder.path(),
                rewrite,
            }
            .put("a/b.json", bytes)
            .unwrap();
            fs::metadata(folder.path().join("a/b.json")).unwrap().ino()
        };
        let first = put(Rewrite::Changed, b"one");
        assert_eq!(put(Rewrite::Changed, b"one"), first);
        let second = put(Rewrite::Changed, b"two");
        assert_ne!(second, first);
        put(Rewrite::All, b"two");
        assert_eq!(fs::read(folder.path().join("a/b.json")).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(folder.path().join("a")).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn a_file_in_parts_is_the_same_wherever_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site {
            out: folder.path(),
            rewrite: Rewrite::Changed,
        };
        let text = "0123456789".repeat(2 * BUFFER_BYTES / 10);
        let put = |parts: &[&str]| {
            site.put_parts("a", parts).unwrap();
            let found = fs::read_to_string(folder.path().join("a")).unwrap();
            assert!(found == parts.concat());
            fs::metadata(folder.path().join("a")).unwrap().ino()
        };
        let first = put(&[&text]);
        for at in [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1] {
            let (before, after) = text.split_at(at);
            assert_eq!(put(&[before, "", after]), first, "{at}");
        }
        let (before, after) = text.split_at(text.len() - 1);
        assert_ne!(put(&[before, "x"]), first);
        let second = put(&[before]);
        let third = put(&[before, after]);
        assert_ne!(third, second);
        assert_ne!(put(&[]), third);
    }

    #[test]
    fn what_a_killed_build_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("calls")).unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        for (name, modified) in [
            ("calls/.new-old", long_ago),
            ("calls/.new-now", std::time::SystemTime::now()),
            ("calls/old.html", long_ago),
        ] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(modified).unwrap();
        }
        assert!(
            !sweep(folder.path()),
            "one is of a build that may be at work"
        );
        let left = |name: &str| folder.path().join("calls").join(name).exists();
        assert!(!left(".new-old") && left(".new-now") && left("old.html"));
        fs::remove_file(folder.path().join("calls/.new-now")).unwrap();
        assert!(sweep(folder.path()));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a file").unwrap();
        let site = Site {
            out: folder.path(),
            rewrite: Rewrite::Changed,
        };
        let error = site.put("a/b.json", b"x").unwrap_err();
        assert!(error.to_string().contains("a/b.json"), "{error}");
    }
}
