//! The open log: appends whole batches to the file that the path leads to, or leaves it as it was.
//!
//! It must never report a batch stored after any doubt: about the length, about the sync, about which file this is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{OpenError, WriteError, append_error};
use super::lock::Lock;
use super::medium::Medium;
use super::{Durability, Settings, tail};

/// Bytes that must fit before a log that failed is called sound again: as much as the largest beacon.
const PROBE: &[u8] = &[b' '; 64 * 1024];

/// The log and everything needed to open it again.
pub(super) struct Sink {
    path: PathBuf,
    durability: Durability,
    medium: Box<dyn Medium>,
    clock: fn() -> u64,
    lock: Lock,
    /// `None` after a failure that leaves the handle in doubt: the next use opens another one.
    handle: Option<Handle>,
    deeds: Deeds,
}

/// What was done since it was last asked for.
#[derive(Default)]
pub(super) struct Deeds {
    pub(super) syncs: u64,
    pub(super) reopens: u64,
    pub(super) sealed_tails: u64,
}

struct Handle {
    file: File,
    /// Device and inode.
    id: (u64, u64),
    /// Pipes and devices have no length, no tail and no way back.
    regular: bool,
    /// Bytes in the log, all of them whole lines.
    len: u64,
}

impl Sink {
    /// Opens the log; returns it and how many torn tails were sealed on the way.
    pub(super) fn open(
        settings: &Settings,
        medium: Box<dyn Medium>,
        clock: fn() -> u64,
    ) -> Result<(Sink, u64), OpenError> {
        let path = settings.path.clone();
        if path.as_os_str().is_empty() {
            // Refused here, or the lock would be made as `.lock`.
            return Err(OpenError::Open {
                path,
                source: io::ErrorKind::NotFound.into(),
            });
        }
        if path.is_dir() {
            return Err(OpenError::Directory { path });
        }
        make_parent(&path)?;
        // The lock comes first: another writer's log must not be touched, its torn tail least of all.
        let lock = Lock::take(&path)?;
        let (handle, sealed) = open_log(&path, clock)?;
        let durability = settings.durability;
        let sink = Sink {
            path,
            durability,
            medium,
            clock,
            lock,
            handle: Some(handle),
            deeds: Deeds::default(),
        };
        Ok((sink, sealed))
    }

    /// Stores `bytes`, whole lines, as durably as promised. After an error no part of a line is left behind.
    pub(super) fn commit(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.ready()?;
        self.append(bytes)?;
        match self.durability {
            Durability::Synced => self.sync(),
            Durability::Written => Ok(()),
        }
    }

    /// Makes sure that there is a handle, and that the path leads to it.
    ///
    /// A log that was renamed, removed or replaced would take lines that nobody finds; one whose length changed was
    /// written or cut by another, who may have left half a line. Both are opened anew.
    pub(super) fn ready(&mut self) -> Result<(), WriteError> {
        let sound = match &self.handle {
            Some(handle) => handle.stands_at(&self.path).map_err(|source| {
                let source = Arc::new(OpenError::Open {
                    path: self.path.clone(),
                    source,
                });
                WriteError::Reopen {
                    path: self.path.clone(),
                    source,
                }
            })?,
            None => false,
        };
        if sound { Ok(()) } else { self.reopen() }
    }

    /// Tries whether lines can be stored again: writes, syncs and cuts back a run of spaces, which no reader takes
    /// for a line. `false` when the log is no regular file, where that cannot be undone.
    pub(super) fn probe(&mut self) -> Result<bool, WriteError> {
        self.ready()?;
        let Some(Handle {
            regular: true, len, ..
        }) = self.handle
        else {
            return Ok(false);
        };
        self.append(PROBE)?;
        if self.durability == Durability::Synced {
            self.sync()?;
        }
        self.cut_back(len)
            .map_err(|source| append_error(self.path.clone(), source))?;
        Ok(true)
    }

    /// Syncs what may not have been.
    pub(super) fn finish(&mut self) -> Result<(), WriteError> {
        if self.handle.as_ref().is_some_and(|handle| handle.regular) {
            self.sync()
        } else {
            Ok(())
        }
    }

    /// Never uses the present handle again.
    pub(super) fn retire(&mut self) {
        self.handle = None;
    }

    pub(super) fn take_deeds(&mut self) -> Deeds {
        std::mem::take(&mut self.deeds)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(handle) = &mut self.handle else {
            return Err(WriteError::Internal);
        };
        let (good, wanted) = (handle.len, bytes.len() as u64);
        let result = match self.medium.append(&handle.file, bytes) {
            // No second write for the rest: a short one means that the disk is full or lies, and the rest of a lie
            // would begin in the middle of a line.
            Ok(written) if written < bytes.len() => Err(WriteError::Short {
                path: self.path.clone(),
                written: written as u64,
                wanted,
            }),
            Ok(_) => match handle.grown() {
                Ok(grown) if grown < wanted => Err(WriteError::Short {
                    path: self.path.clone(),
                    written: grown,
                    wanted,
                }),
                Ok(_) => Ok(()),
                Err(source) => Err(append_error(self.path.clone(), source)),
            },
            Err(source) => Err(append_error(self.path.clone(), source)),
        };
        match result {
            Ok(()) => handle.len += wanted,
            // Failing to cut retires the handle; to open the next one seals what is left as a torn tail.
            Err(_) => drop(self.cut_back(good)),
        }
        result
    }

    /// Cuts the log to `len` bytes; a handle on which that fails is retired.
    fn cut_back(&mut self, len: u64) -> io::Result<()> {
        let Some(handle) = &mut self.handle else {
            return Ok(());
        };
        let result = self.medium.truncate(&handle.file, len);
        match &result {
            Ok(()) => handle.len = len,
            Err(_) => self.retire(),
        }
        result
    }

    fn sync(&mut self) -> Result<(), WriteError> {
        let Some(handle) = &self.handle else {
            return Err(WriteError::Internal);
        };
        match self.medium.sync(&handle.file) {
            Ok(()) => {
                self.deeds.syncs += 1;
                Ok(())
            }
            Err(source) => {
                // After a failed fsync the kernel calls the lost pages clean, so the next sync of this descriptor
                // would succeed without storing them. Nothing is acknowledged on it again, and the lines stay: to cut
                // them off would go through the same doubtful pages. They are whole, and a repetition is dropped by
                // the reader.
                // Left to a later hardening: a fresh segment, so that new lines do not share a page with lost ones.
                self.retire();
                Err(WriteError::Sync {
                    path: self.path.clone(),
                    source: Arc::new(source),
                })
            }
        }
    }

    fn reopen(&mut self) -> Result<(), WriteError> {
        self.retire();
        let opened = self
            .relock()
            .and_then(|()| open_log(&self.path, self.clock));
        let (handle, sealed) = opened.map_err(|source| WriteError::Reopen {
            path: self.path.clone(),
            source: Arc::new(source),
        })?;
        self.handle = Some(handle);
        self.deeds.reopens += 1;
        self.deeds.sealed_tails += sealed;
        Ok(())
    }

    /// Takes the lock again when its file went with the directory; a new one keeps nobody out until it is locked.
    fn relock(&mut self) -> Result<(), OpenError> {
        if !self.lock.stands() {
            self.lock = Lock::take(&self.path)?;
        }
        Ok(())
    }
}

impl Handle {
    /// Returns whether the path leads to this file, and nobody else changed its length.
    fn stands_at(&self, path: &Path) -> io::Result<bool> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok((found.dev(), found.ino()) == self.id && (!self.regular || found.len() == self.len))
    }

    /// Returns how many bytes the file is longer than when it was last known good; a device is believed.
    fn grown(&self) -> io::Result<u64> {
        if !self.regular {
            return Ok(u64::MAX);
        }
        Ok(self.file.metadata()?.len().saturating_sub(self.len))
    }
}

/// Opens the log to append, makes it if it is missing, and seals a torn tail; returns how many were sealed.
///
/// The directory of the log is not made here: when it vanishes under a running writer, a disk may have gone away, and
/// to write where it was mounted would hide that.
fn open_log(path: &Path, clock: fn() -> u64) -> Result<(Handle, u64), OpenError> {
    let open_error = |source: io::Error| match source.kind() {
        io::ErrorKind::IsADirectory => OpenError::Directory { path: path.into() },
        _ => OpenError::Open {
            path: path.into(),
            source,
        },
    };
    let file = open_or_create(path).map_err(open_error)?;
    let metadata = file.metadata().map_err(open_error)?;
    let regular = metadata.is_file();
    let (mut len, mut sealed) = (metadata.len(), 0);
    if regular {
        let whole = tail::whole_len(&file, len).map_err(open_error)?;
        if whole < len {
            tail::seal(path, &file, whole, len, clock())?;
            (len, sealed) = (whole, 1);
        }
    }
    Ok((
        Handle {
            file,
            id: (metadata.dev(), metadata.ino()),
            regular,
            len,
        },
        sealed,
    ))
}

fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o640);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path)?;
            // Without this a power cut may take the file itself, with all that was synced into it.
            sync_directory_of(path)?;
            Ok(file)
        }
        result => result,
    }
}

fn make_parent(path: &Path) -> Result<(), OpenError> {
    let parent = parent_of(path);
    let parent_error = |source| OpenError::Parent {
        path: parent.into(),
        source,
    };
    let missing: Vec<&Path> = parent
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
        .collect();
    for dir in missing.into_iter().rev() {
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(parent_error(error));
            }
            _ => sync_directory_of(dir).map_err(parent_error)?,
        }
    }
    Ok(())
}

/// Makes durable that `path` exists: syncs the directory in which it really lies, links followed.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    match File::open(parent_of(&real))?.sync_all() {
        // Some file systems cannot sync a directory; there is nothing more to be had from them.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
