//! Files of the site, each replaced as a whole: a reader sees the old one or the new one, never half of either.

use super::Error;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How names of files begin that are not whole yet.
const TEMPORARY: &str = ".new-";
/// No file takes this long to be written.
const ABANDONED: Duration = Duration::from_secs(3_600);
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
        let target = self.out.join(path);
        if self.rewrite == Rewrite::Changed && holds(&target, bytes) {
            return Ok(());
        }
        write(&target, bytes).map_err(|source| Error::Write {
            path: target,
            source,
        })
    }
}

/// Removes what builds that were killed left half written; a build that is at work right now keeps its own. Gives whether nothing
/// is left.
pub(super) fn sweep(out: &Path) -> bool {
    let mut is_clean = true;
    for folder in ["", "calls", "rooms", "data", "data/calls"] {
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

fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|found| found == bytes)
}

fn write(target: &Path, bytes: &[u8]) -> std::io::Result<()> {
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
    file.write_all(bytes)?;
    file.persist(target)?;
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
