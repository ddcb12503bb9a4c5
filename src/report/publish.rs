//! Files of the site, each replaced as a whole: a reader sees the old one or the new one, never half of either.

use super::Error;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Readable for everyone that a web server may run as; the umask still applies.
const FILE_MODE: u32 = 0o644;

/// Whether files that would not change are written all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
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

fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|found| found == bytes)
}

fn write(target: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder: PathBuf = target.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(&folder)?;
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
