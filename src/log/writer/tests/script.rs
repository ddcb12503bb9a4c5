//! A disk that fails as told, and can be held still.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::super::medium::{Disk, Medium};
use super::PATIENCE;

/// What the next append does instead of appending.
#[derive(Debug)]
pub(super) enum Append {
    /// Works.
    Fine,
    /// Writes this many bytes and says so.
    Short(usize),
    /// Writes this many bytes and claims to have written all.
    Lie(usize),
    /// Writes this many bytes and fails with this error number.
    Fails(usize, i32),
    Panics,
    /// Works, after another program has cut the file to nothing.
    CutFirst,
}

#[derive(Clone, Default)]
pub(super) struct Script(Arc<(Mutex<Scene>, Condvar)>);

#[derive(Default)]
struct Scene {
    appends: VecDeque<Append>,
    /// Error numbers of syncs and truncations to come; 0 works.
    syncs: VecDeque<i32>,
    truncates: VecDeque<i32>,
    /// Free bytes; `None` is all there could be.
    free: Option<Option<u64>>,
    /// Error numbers of renames, of files made, and of syncs of the directory to come; 0 works.
    renames: VecDeque<i32>,
    creates: VecDeque<i32>,
    directories: VecDeque<i32>,
    ops: Vec<String>,
    /// Inode and length at the last sync that succeeded.
    synced: (u64, u64),
    hold: bool,
    /// The same for syncs.
    hold_syncs: bool,
    held: bool,
}

impl Script {
    pub(super) fn appends(&self, appends: impl IntoIterator<Item = Append>) {
        self.0.0.lock().unwrap().appends.extend(appends);
    }

    pub(super) fn syncs(&self, errors: impl IntoIterator<Item = i32>) {
        self.0.0.lock().unwrap().syncs.extend(errors);
    }

    pub(super) fn truncates(&self, errors: impl IntoIterator<Item = i32>) {
        self.0.0.lock().unwrap().truncates.extend(errors);
    }

    /// From now on the file system has so much free, or cannot tell.
    pub(super) fn free(&self, free: Option<u64>) {
        self.0.0.lock().unwrap().free = Some(free);
    }

    pub(super) fn renames(&self, errors: impl IntoIterator<Item = i32>) {
        self.0.0.lock().unwrap().renames.extend(errors);
    }

    pub(super) fn creates(&self, errors: impl IntoIterator<Item = i32>) {
        self.0.0.lock().unwrap().creates.extend(errors);
    }

    pub(super) fn directories(&self, errors: impl IntoIterator<Item = i32>) {
        self.0.0.lock().unwrap().directories.extend(errors);
    }

    fn next(
        &self,
        op: &str,
        errors: impl FnOnce(&mut Scene) -> &mut VecDeque<i32>,
    ) -> io::Result<()> {
        let mut scene = self.0.0.lock().unwrap();
        scene.ops.push(op.into());
        match errors(&mut scene).pop_front().unwrap_or(0) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// What was done so far, in order.
    pub(super) fn ops(&self) -> Vec<String> {
        self.0.0.lock().unwrap().ops.clone()
    }

    pub(super) fn forget_ops(&self) {
        self.0.0.lock().unwrap().ops.clear();
    }

    /// Returns how many bytes of the file with this inode were synced last.
    pub(super) fn synced_len(&self, inode: u64) -> u64 {
        let (synced, len) = self.0.0.lock().unwrap().synced;
        if synced == inode { len } else { 0 }
    }

    /// Makes the next append wait for [`Script::release`].
    pub(super) fn hold(&self) {
        self.0.0.lock().unwrap().hold = true;
    }

    /// Makes the next sync wait for [`Script::release`].
    pub(super) fn hold_syncs(&self) {
        self.0.0.lock().unwrap().hold_syncs = true;
    }

    pub(super) fn wait_until_held(&self) {
        let scene = self.0.0.lock().unwrap();
        let (scene, _) = self
            .0
            .1
            .wait_timeout_while(scene, PATIENCE, |scene| !scene.held)
            .unwrap();
        assert!(scene.held, "the writer never came");
    }

    pub(super) fn release(&self) {
        let mut scene = self.0.0.lock().unwrap();
        (scene.hold, scene.hold_syncs) = (false, false);
        self.0.1.notify_all();
    }

    /// Waits while `is_held`, and lets whoever waits for that know.
    fn pause(&self, is_held: impl Fn(&Scene) -> bool) -> MutexGuard<'_, Scene> {
        let mut scene = self.0.0.lock().unwrap();
        scene.held = is_held(&scene);
        self.0.1.notify_all();
        let (mut scene, _) = self
            .0
            .1
            .wait_timeout_while(scene, PATIENCE, |scene| is_held(scene))
            .unwrap();
        scene.held = false;
        scene
    }
}

impl Medium for Script {
    fn append(&mut self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        let fault = {
            let mut scene = self.pause(|scene| scene.hold);
            scene.ops.push(format!("append {}", bytes.len()));
            scene.appends.pop_front().unwrap_or(Append::Fine)
        };
        match fault {
            Append::Fine => Disk.append(file, bytes),
            Append::Short(n) => file.write(&bytes[..n]),
            Append::Lie(n) => file.write(&bytes[..n]).map(|_| bytes.len()),
            Append::Fails(n, error) => {
                file.write_all(&bytes[..n])?;
                Err(io::Error::from_raw_os_error(error))
            }
            Append::CutFirst => {
                file.set_len(0)?;
                Disk.append(file, bytes)
            }
            Append::Panics => panic!("on purpose"),
        }
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        drop(self.pause(|scene| scene.hold_syncs));
        self.next("sync", |scene| &mut scene.syncs)?;
        Disk.sync(file)?;
        let metadata = file.metadata()?;
        self.0.0.lock().unwrap().synced = (metadata.ino(), metadata.len());
        Ok(())
    }

    fn truncate(&mut self, file: &File, len: u64) -> io::Result<()> {
        self.next(&format!("truncate {len}"), |scene| &mut scene.truncates)?;
        Disk.truncate(file, len)?;
        let mut scene = self.0.0.lock().unwrap();
        scene.synced.1 = scene.synced.1.min(len);
        Ok(())
    }

    fn free_bytes(&mut self, _: &File) -> Option<u64> {
        self.0.0.lock().unwrap().free.unwrap_or(Some(u64::MAX))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.next("rename", |scene| &mut scene.renames)?;
        Disk.rename(from, to)
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.next("create", |scene| &mut scene.creates)?;
        Disk.create(path)
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        self.next("sync directory", |scene| &mut scene.directories)?;
        Disk.sync_directory(path)
    }
}
