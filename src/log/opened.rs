//! Opens all files of a log as one consistent set, while its writer rotates, compresses and removes segments.
//!
//! Files are known by device and inode, not by name: a name may lead elsewhere a moment later, a file that we hold open
//! is what it was and its inode cannot be given to another. So: list, open what is new, list again; the set is taken
//! once two listings in a row show nothing but what is open. Two, because a single one that runs beside a rename may
//! miss a file under both of its names. What is read from these handles is then every line up to some moment, and none
//! twice: segments no longer grow, and the log itself, rotated or not, is read to its end.
//!
//! Descriptors are what clients come in by, and a log may have hundreds of segments. So the newest files are held open and
//! the others, which nobody writes to as a rule, opened whenever they are read: known again by inode and birth, under
//! whatever name, and where one is gone meanwhile ([`is_gone`]) the set is to be opened anew.

use super::file_id::{FileId, id_of};
use super::rotated::folder_of;
use super::segments::{self, Error};
use rustix::process::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Listings before the set is called restless.
const TRIES_MAX: u32 = 1_000;
/// Tries that follow each other at once; later ones wait a little for the writer.
const TRIES_AT_ONCE: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// Files of a set that are held open, where a process may open few. Less than the collector leaves to files.
const HELD_MAX: u64 = 16;
/// The same, as one part in so many of all that may be open.
const HELD_PART: u64 = 12;
/// More than clients, handlers and all else of a collector ever take: of what is beyond, half may be held.
const ALL_ELSE: u64 = 8_192;

/// A file of a log, open, or opened whenever it is read.
#[derive(Debug)]
pub struct Opened {
    /// The name under which it was found. It may be gone by now.
    pub path: PathBuf,
    pub(super) id: FileId,
    traits: Traits,
    /// `None`: it is opened in turn with others.
    held: Option<File>,
}

/// What tells a file from one that has been given its inode since.
#[derive(Debug, Clone, Copy)]
struct Traits {
    bytes: u64,
    /// `None` where the file system does not keep it.
    born: Option<SystemTime>,
    changed: (i64, i64),
}

impl Traits {
    fn of(metadata: &Metadata) -> Traits {
        Traits {
            bytes: metadata.len(),
            born: metadata.created().ok(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether `now` may be the same file, which only grows.
    fn may_become(&self, now: &Traits) -> bool {
        match self.born {
            Some(_) => self.born == now.born && self.bytes <= now.bytes,
            None => self.bytes == now.bytes && self.changed == now.changed,
        }
    }
}

/// An open file, for as long as it is read.
#[derive(Debug)]
pub(super) enum Handle<'a> {
    Held(&'a File),
    InTurn(File),
}

impl Deref for Handle<'_> {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Handle::Held(file) => file,
            Handle::InTurn(file) => file,
        }
    }
}

/// A file that was not held open is there no more.
#[derive(Debug, thiserror::Error)]
#[error("it was removed, compressed or written anew meanwhile")]
struct Gone;

/// Whether `error` comes from a file that was there when its set was opened, and is not now.
pub fn is_gone(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Gone>())
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
        Ok(Opened {
            path,
            id: id_of(&metadata),
            traits: Traits::of(&metadata),
            held: Some(file),
        })
    }

    /// The file, open.
    pub(super) fn file(&self) -> io::Result<Handle<'_>> {
        if let Some(file) = &self.held {
            return Ok(Handle::Held(file));
        }
        if let Some(file) = self.find_at(&self.path)? {
            return Ok(Handle::InTurn(file));
        }
        for entry in fs::read_dir(folder_of(&self.path))? {
            if let Some(file) = self.find_at(&entry?.path())? {
                return Ok(Handle::InTurn(file));
            }
        }
        Err(io::Error::other(Gone))
    }

    /// Opens the file at `path`, where it is this one.
    fn find_at(&self, path: &Path) -> io::Result<Option<File>> {
        let is_this = |found: Metadata| self.is(id_of(&found), &Traits::of(&found));
        // Looked at first: to open another one could do something.
        if !fs::metadata(path).is_ok_and(is_this) {
            return Ok(None);
        }
        match File::open(path) {
            Ok(file) => Ok(is_this(file.metadata()?).then_some(file)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn is(&self, id: FileId, traits: &Traits) -> bool {
        // The inode of a file that is held open is given to no other.
        self.id == id && (self.held.is_some() || self.traits.may_become(traits))
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
        Ok(self.file()?.metadata()?.len())
    }

    /// Whether its bytes are not its content.
    pub fn is_compressed(&self) -> bool {
        matches!(self.extension(), Some("gz" | "zst"))
    }
}

/// How many files this process may hold open for a set.
fn held_max() -> usize {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let few = (allowed / HELD_PART).min(HELD_MAX);
    let spare = allowed.saturating_sub(ALL_ELSE) / 2;
    usize::try_from(few + spare).unwrap_or(usize::MAX)
}

/// Opens the files of all `logs`, each once, older segments before newer ones of the same log.
///
/// # Errors
///
/// Where one of `logs` stands for no file, a file cannot be opened, or the files change faster than they are opened.
pub fn open(logs: &[String]) -> Result<Vec<Opened>, Error> {
    open_with(logs, held_max(), || ())
}

/// [`open`] that holds so many files open, with something that happens between any two of its steps.
pub(crate) fn open_with(
    logs: &[String],
    held_max: usize,
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
        let is_same = listed.len() == opened.len()
            && listed
                .iter()
                .zip(&opened)
                .all(|((_, id, traits), one)| one.is(*id, traits));
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
        let n_in_turn = listed.len().saturating_sub(held_max);
        for (at, (path, id, traits)) in listed.into_iter().enumerate() {
            let is_in_turn = at < n_in_turn;
            if let Some(at) = known.iter().position(|one| one.is(id, &traits))
                && (is_in_turn || known[at].held.is_some())
            {
                let mut one = known.swap_remove(at);
                if is_in_turn {
                    (one.held, one.traits) = (None, traits);
                }
                opened.push(Opened { path, ..one });
                continue;
            }
            match Opened::of(path.clone()) {
                Ok(mut one) => {
                    if is_in_turn {
                        one.held = None;
                    }
                    opened.push(one);
                }
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
fn list(
    logs: &[String],
    meanwhile: &mut dyn FnMut(),
) -> Result<Vec<(PathBuf, FileId, Traits)>, Error> {
    // Between the two halves of a rotation there is no log, and its segment came after the folder was listed.
    let paths = segments::find(logs).or_else(|_| segments::find(logs))?;
    let mut listed = Vec::with_capacity(paths.len());
    let mut seen = BTreeSet::new();
    for path in paths {
        meanwhile();
        if let Ok(metadata) = fs::metadata(&path) {
            let id = id_of(&metadata);
            if seen.insert(id) {
                listed.push((path, id, Traits::of(&metadata)));
            }
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::reader::{self, Line};

    const N_SEGMENTS: usize = 40;
    const HELD: usize = 4;

    /// A log with segments, each with a line that says which it is, the oldest first.
    fn logs() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("beacon.log");
        for n in 0..N_SEGMENTS {
            fs::write(segment(&folder, N_SEGMENTS - n), format!("{n}\n")).unwrap();
        }
        fs::write(&log, format!("{N_SEGMENTS}\n")).unwrap();
        (folder, log.display().to_string())
    }

    fn segment(folder: &tempfile::TempDir, number: usize) -> PathBuf {
        folder.path().join(format!("beacon.log.{number}"))
    }

    fn read(opened: &[Opened]) -> Vec<Result<String, bool>> {
        let read = opened.iter().map(|one| {
            let mut text = String::new();
            let outcome = reader::read_lines(one, .., |line| {
                let Line::Whole(line) = line else {
                    unreachable!("none is long")
                };
                text.push_str(std::str::from_utf8(line).unwrap());
            });
            match outcome {
                Ok(_) => Ok(text),
                Err(reader::Error::Read { source, .. }) => Err(is_gone(&source)),
            }
        });
        read.collect()
    }

    fn expected() -> Vec<Result<String, bool>> {
        (0..=N_SEGMENTS).map(|n| Ok(n.to_string())).collect()
    }

    /// Descriptors of this process that lead into `folder`.
    #[cfg(target_os = "linux")]
    fn n_open(folder: &Path) -> usize {
        let all = fs::read_dir("/proc/self/fd").unwrap();
        let targets = all.filter_map(|one| fs::read_link(one.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(folder)).count()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_log_of_many_segments_takes_few_descriptors() {
        let (folder, log) = logs();
        let mut most = 0;
        let opened = open_with(std::slice::from_ref(&log), HELD, || {
            most = most.max(n_open(folder.path()));
        });
        let opened = opened.unwrap();
        assert_eq!(read(&opened), expected());
        assert_eq!(n_open(folder.path()), HELD);
        // And one that is just being looked at, and the folder.
        assert!(most <= HELD + 2, "{most}");
    }

    #[test]
    fn what_is_not_held_open_is_known_again_under_another_name() {
        let (folder, log) = logs();
        let opened = open_with(&[log], HELD, || ()).unwrap();
        for number in (1..=N_SEGMENTS).rev() {
            fs::rename(segment(&folder, number), segment(&folder, number + 1)).unwrap();
        }
        fs::rename(folder.path().join("beacon.log"), segment(&folder, 1)).unwrap();
        fs::write(folder.path().join("beacon.log"), "fresh\n").unwrap();
        assert_eq!(read(&opened), expected());
    }

    #[test]
    fn what_is_not_held_open_and_gone_is_not_mistaken_for_another() {
        let (folder, log) = logs();
        let opened = open_with(&[log], HELD, || ()).unwrap();
        // Removed, written anew in another file and in the same one; of those that are held, the oldest removed.
        fs::remove_file(segment(&folder, N_SEGMENTS)).unwrap();
        fs::remove_file(segment(&folder, N_SEGMENTS - 1)).unwrap();
        fs::write(segment(&folder, N_SEGMENTS - 1), "another one\n").unwrap();
        fs::write(segment(&folder, N_SEGMENTS - 2), "").unwrap();
        fs::remove_file(segment(&folder, HELD - 1)).unwrap();
        let mut expect = expected();
        expect[..3].fill(Err(true));
        assert_eq!(read(&opened), expect);
    }
}
