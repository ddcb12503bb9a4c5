//! The open log: appends whole batches to the file that the path leads to, or leaves it as it was.
//!
//! It must never report a batch stored after any doubt: about the length, about the sync, about which file this is.
//!
//! After a failed sync the kernel calls the lost pages clean: the next sync of that file would succeed without storing
//! them, and a new line may share a page with a lost one. So the file is doubted: its handle is retired, the file set
//! aside under a segment's name, and lines go into a fresh one, which must first take and sync a probe. While that
//! fails too lines are refused, and the same fresh file is tried again; there is never a second one until a sync has
//! succeeded, and then not sooner than the retry gap after the first. What was in the doubted file stays where readers
//! find it: to cut unacknowledged lines off would go through the same pages, and a repetition is dropped by the reader.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::directory::make_parent;
use super::error::{OpenError, WriteError, append_error};
use super::events::{Event, Listener};
use super::handle::{Handle, Standing};
use super::keep::Bell;
use super::lock::Lock;
use super::medium::Medium;
use super::rotate::{self, Schedule, seconds};
use super::space::Space;
use super::{Clock, Durability, Settings};
use crate::log::file_id::{FileId, id_of};
use crate::log::rotated::Mark;

/// Bytes that must fit before a log that failed is called sound again: as much as the largest beacon.
const PROBE: &[u8] = &[b' '; 64 * 1024];

/// The log and everything needed to open it again.
pub(super) struct Sink {
    path: PathBuf,
    durability: Durability,
    medium: Box<dyn Medium>,
    clock: Clock,
    pub(super) lock: Lock,
    /// `None` after a failure that leaves the handle in doubt: the next use opens another one.
    handle: Option<Handle>,
    trust: Trust,
    /// When the last file was set aside for a failed sync.
    set_aside: Option<Instant>,
    retry_gap: Duration,
    schedule: Schedule,
    /// The newest segment that was begun here.
    segment: Option<Mark>,
    space: Space,
    /// Rung when there is a new segment.
    bell: Arc<Bell>,
    listener: Listener,
    deeds: Deeds,
}

/// Whether a sync of the file at the path can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Sound,
    /// A sync of this file failed.
    Doubted(FileId),
    /// The file is fresh and nothing has been synced into it yet.
    Unproven,
}

/// What was done since it was last asked for.
#[derive(Default)]
pub(super) struct Deeds {
    pub(super) syncs: u64,
    pub(super) sync_failures: u64,
    pub(super) set_asides: u64,
    pub(super) reopens: u64,
    pub(super) truncations: u64,
    pub(super) sealed_tails: u64,
    pub(super) rotations: u64,
    pub(super) rotation_failures: u64,
    /// Not a deed but what is free now.
    pub(super) free_bytes: Option<u64>,
}

impl Sink {
    /// Opens the log; returns it and how many torn tails were sealed on the way.
    pub(super) fn open(
        settings: &Settings,
        mut medium: Box<dyn Medium>,
        clock: Clock,
        bell: Arc<Bell>,
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
        let (handle, sealed) = Handle::open(&path, &mut *medium, clock())?;
        let mut schedule = Schedule::new(settings.rotation.clone(), settings.retry_gap);
        schedule.opened(handle.written_s, seconds(clock()));
        let sink = Sink {
            path,
            durability: settings.durability,
            medium,
            clock,
            lock,
            handle: Some(handle),
            trust: Trust::Sound,
            set_aside: None,
            retry_gap: settings.retry_gap,
            schedule,
            segment: None,
            space: Space::new(settings.min_free_bytes),
            bell,
            listener: settings.listener.clone(),
            deeds: Deeds::default(),
        };
        Ok((sink, sealed))
    }

    /// Stores `bytes`, whole lines, as durably as promised. After an error no part of a line is left behind.
    pub(super) fn commit(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.ready()?;
        self.rotate_if_due(bytes.len() as u64);
        if self.handle.is_none() {
            self.ready()?;
        }
        self.append(bytes)?;
        match self.durability {
            Durability::Synced => self.sync(),
            Durability::Written => Ok(()),
        }
    }

    /// Makes sure that there is a handle, that the path leads to it, that its syncs can be believed and that the disk
    /// has room to spare.
    ///
    /// A log that was renamed, removed or replaced would take lines that nobody finds; one whose length changed was
    /// written or cut by another, who may have left half a line. Both are opened anew.
    pub(super) fn ready(&mut self) -> Result<(), WriteError> {
        self.stand()?;
        if self.trust == Trust::Unproven {
            self.try_out()?;
        }
        Ok(())
    }

    /// The same, but for trying out a file of which nothing is known.
    fn stand(&mut self) -> Result<(), WriteError> {
        let standing = match &self.handle {
            Some(handle) => handle.standing_at(&self.path).map_err(|source| {
                let source = Arc::new(OpenError::Open {
                    path: self.path.clone(),
                    source,
                });
                WriteError::Reopen {
                    path: self.path.clone(),
                    source,
                }
            })?,
            None => Standing::Moved,
        };
        if let (Standing::Cut(to_bytes), Some(handle)) = (&standing, &self.handle) {
            self.deeds.truncations += 1;
            self.listener.tell(Event::Truncated {
                path: self.path.clone(),
                from_bytes: handle.len,
                to_bytes: *to_bytes,
            });
        }
        if standing != Standing::Sound {
            self.reopen()?;
        }
        self.spare_room()
    }

    /// Tries whether lines can be stored again: writes, syncs and cuts back a run of spaces, which no reader takes
    /// for a line. `false` when the log is no regular file, where that cannot be undone.
    pub(super) fn probe(&mut self) -> Result<bool, WriteError> {
        self.stand()?;
        let is_regular = self.handle.as_ref().is_some_and(|handle| handle.regular);
        if is_regular || self.trust == Trust::Unproven {
            self.try_out()?;
        }
        Ok(is_regular)
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
        Deeds {
            free_bytes: self.space.free(),
            ..std::mem::take(&mut self.deeds)
        }
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
        self.space.took(wanted);
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
        let mut cut = || {
            // Another program may have cut deeper meanwhile; to cut to more would fill up with zeros.
            if handle.regular && handle.file.metadata()?.len() < len {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            self.medium.truncate(&handle.file, len)
        };
        let result = cut();
        match &result {
            Ok(()) => handle.len = len,
            Err(_) => self.retire(),
        }
        result
    }

    fn sync(&mut self) -> Result<(), WriteError> {
        self.sync_only().inspect_err(|_| self.doubt())
    }

    fn sync_only(&mut self) -> Result<(), WriteError> {
        let Some(handle) = &self.handle else {
            return Err(WriteError::Internal);
        };
        match self.medium.sync(&handle.file) {
            Ok(()) => {
                self.deeds.syncs += 1;
                Ok(())
            }
            Err(source) => {
                self.deeds.sync_failures += 1;
                Err(WriteError::Sync {
                    path: self.path.clone(),
                    source: Arc::new(source),
                })
            }
        }
    }

    /// Never believes a sync of the present file again.
    fn doubt(&mut self) {
        if let Some(handle) = self.handle.take()
            && handle.regular
            && self.trust != Trust::Unproven
        {
            self.trust = Trust::Doubted(handle.id);
        }
    }

    fn try_out(&mut self) -> Result<(), WriteError> {
        let Some(Handle {
            regular: true, len, ..
        }) = self.handle
        else {
            self.trust = Trust::Sound;
            return Ok(());
        };
        self.append(PROBE)?;
        let synced = match self.durability {
            // Also where lines are not synced: a doubt arose from a sync and only one can end it.
            Durability::Written if self.trust == Trust::Sound => Ok(()),
            _ => self.sync_only(),
        };
        // First of all, so that the spaces are not left behind.
        let cut = self.cut_back(len);
        if synced.is_err() {
            self.doubt();
        }
        synced?;
        cut.map_err(|source| append_error(self.path.clone(), source))?;
        self.trust = Trust::Sound;
        Ok(())
    }

    fn spare_room(&mut self) -> Result<(), WriteError> {
        let Some(handle) = self.handle.as_ref().filter(|handle| handle.regular) else {
            return Ok(());
        };
        match self.space.shortage(|| self.medium.free_bytes(&handle.file)) {
            None => Ok(()),
            Some(free_bytes) => Err(WriteError::NearlyFull {
                path: self.path.clone(),
                free_bytes,
                floor_bytes: self.space.floor(),
            }),
        }
    }

    fn reopen(&mut self) -> Result<(), WriteError> {
        self.retire();
        let reopen_error = |path: &PathBuf| {
            let path = path.clone();
            move |source| WriteError::Reopen {
                path,
                source: Arc::new(source),
            }
        };
        self.lock
            .retake(&self.path)
            .map_err(reopen_error(&self.path))?;
        if let Trust::Doubted(id) = self.trust {
            self.leave(id)?;
        }
        let now_ms = (self.clock)();
        let (handle, sealed) = Handle::open(&self.path, &mut *self.medium, now_ms)
            .map_err(reopen_error(&self.path))?;
        self.schedule.opened(handle.written_s, seconds(now_ms));
        self.handle = Some(handle);
        self.deeds.reopens += 1;
        self.deeds.sealed_tails += sealed;
        Ok(())
    }

    /// Sets the doubted file aside, if it is still the log and holds anything.
    fn leave(&mut self, doubted: FileId) -> Result<(), WriteError> {
        let found = std::fs::metadata(&self.path).ok();
        if !found.is_some_and(|found| id_of(&found) == doubted && 0 < found.len()) {
            self.trust = Trust::Unproven;
            return Ok(());
        }
        if self
            .set_aside
            .is_some_and(|at| at.elapsed() < self.retry_gap)
        {
            return Err(WriteError::Resting {
                path: self.path.clone(),
            });
        }
        let now_s = seconds((self.clock)());
        let (_, segment) =
            rotate::set_aside(&self.path, &mut *self.medium, now_s, &mut self.segment)
                .map_err(|source| append_error(self.path.clone(), source))?;
        self.trust = Trust::Unproven;
        self.set_aside = Some(Instant::now());
        self.deeds.set_asides += 1;
        self.bell.ring();
        self.listener.tell(Event::SetAside {
            path: self.path.clone(),
            segment,
        });
        Ok(())
    }

    /// Rotates a log that is due. A failure is told and counted, and the log goes on as it is.
    fn rotate_if_due(&mut self, more: u64) {
        let now_ms = (self.clock)();
        let Some(handle) = self.handle.as_ref().filter(|handle| handle.regular) else {
            return;
        };
        if !self.schedule.is_due(handle.len, more, seconds(now_ms)) {
            return;
        }
        if self.durability == Durability::Written {
            // The stop syncs the log, and will not know this one any more. Nobody was promised that it succeeds.
            let _ = self.medium.sync(&handle.file);
        }
        match rotate::rotate(&self.path, &mut *self.medium, now_ms, &mut self.segment) {
            Ok(fresh) => {
                self.schedule.opened(fresh.written_s, seconds(now_ms));
                self.handle = Some(fresh);
                self.deeds.rotations += 1;
                self.bell.ring();
            }
            Err((cause, is_lost)) => {
                self.schedule.failed();
                self.deeds.rotation_failures += 1;
                self.listener.tell(Event::RotationFailed {
                    path: self.path.clone(),
                    cause,
                });
                if is_lost {
                    self.retire();
                }
            }
        }
    }
}
