//! Opens all files of a log as one consistent set, while its writer rotates, compresses and removes segments.
//!
//! Files are known by device and inode, not by name: a name may lead elsewhere a moment later, a file that we hold open
//! is what it was and its inode cannot be given to another. So: list, open what is new, list again; the set is taken
//! once two listings in a row show nothing but what is open. Two, because a single one that runs beside a rename may
//! miss a file under both of its names. What is read from these handles is then every line up to some moment, and none
//! twice: segments no longer grow, and the log itself, rotated or not, is read to its end.

use super::segments::{self, Error};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// Listings before the set is called restless.
const TRIES_MAX: u32 = 1_000;
/// Tries that follow each other at once; later ones wait a little for the writer.
const TRIES_AT_ONCE: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// Device and inode.
pub(super) type FileId = (u64, u64);

/// A file of a log, open.
#[derive(Debug)]
pub struct Opened {
    /// The name under which it was found. It may be gone by now.
    pub path: PathBuf,
    pub(super) file: File,
    pub(super) id: FileId,
}

impl Opened {
    /// Opens a single file.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn of(path: PathBuf) -> io::Result<Opened> {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let id = (metadata.dev(), metadata.ino());
        Ok(Opened { path, file, id })
    }

    pub(super) fn extension(&self) -> Option<&str> {
        self.path
            .extension()
            .and_then(|extension| extension.to_str())
    }

    /// Its size on disk now.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether its bytes are not its content.
    pub fn is_compressed(&self) -> bool {
        matches!(self.extension(), Some("gz" | "zst"))
    }
}

/// Opens the files of all `logs`, each once, older segments before newer ones of the same log.
///
/// # Errors
///
/// Where one of `logs` stands for no file, a file cannot be opened, or the files change faster than they are opened.
pub fn open(logs: &[String]) -> Result<Vec<Opened>, Error> {
    open_with(logs, || ())
}

/// [`open`] with something that happens between any two of its steps.
pub(super) fn open_with(
    logs: &[String],
    mut meanwhile: impl FnMut(),
) -> Result<Vec<Opened>, Error> {
    let mut opened: Vec<Opened> = Vec::new();
    let mut n_confirmed = 0;
    for n in 0..TRIES_MAX {
        if TRIES_AT_ONCE < n {
            std::thread::sleep(PAUSE);
        }
        let listed = list(logs, &mut meanwhile)?;
        meanwhile();
        let is_same = listed
            .iter()
            .map(|(_, id)| id)
            .eq(opened.iter().map(|one| &one.id));
        if is_same && !opened.is_empty() {
            n_confirmed += 1;
            if n_confirmed == 2 {
                return Ok(opened);
            }
            continue;
        }
        n_confirmed = 0;
        // Handles that are not listed any more stay open until the new ones are: their inodes must not be reused.
        let mut known = std::mem::take(&mut opened);
        for (path, id) in listed {
            if let Some(at) = known.iter().position(|one| one.id == id) {
                let one = known.swap_remove(at);
                opened.push(Opened { path, ..one });
                continue;
            }
            match Opened::of(path.clone()) {
                Ok(one) => opened.push(one),
                // Removed or compressed since it was listed: the next listing tells.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Open { path, source }),
            }
            meanwhile();
        }
    }
    Err(Error::Restless(TRIES_MAX))
}

/// What there is now, each file once.
fn list(logs: &[String], meanwhile: &mut dyn FnMut()) -> Result<Vec<(PathBuf, FileId)>, Error> {
    // Between the two halves of a rotation there is no log, and its segment came after the folder was listed.
    let paths = segments::find(logs).or_else(|_| segments::find(logs))?;
    let mut listed: Vec<(PathBuf, FileId)> = Vec::with_capacity(paths.len());
    let mut seen = BTreeSet::new();
    for path in paths {
        meanwhile();
        if let Ok(metadata) = fs::metadata(&path) {
            let id = (metadata.dev(), metadata.ino());
            if seen.insert(id) {
                listed.push((path, id));
            }
        }
    }
    Ok(listed)
}
