//! The socket between the gate and the handlers, in a folder that nobody but this user can enter.
//! What a killed process left of its own is cleared away by the next one; what lives must not be touched.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const FOLDER_PREFIX: &str = "call-metrics-";
const SOCKET_NAME: &str = "http";
/// Where it goes when the usual place has too long a name, or none: the path of a socket has some hundred bytes at most.
const FALLBACK_TMP: &str = "/tmp";
/// A younger folder may be of a process that is just about to listen.
const LEFT_AFTER: Duration = Duration::from_secs(60);

/// The folder, which goes with what is returned, and in it the path of the socket, which listens.
pub(crate) fn make() -> io::Result<(TempDir, PathBuf, UnixListener)> {
    make_in(&std::env::temp_dir()).or_else(|_| make_in(Path::new(FALLBACK_TMP)))
}

fn make_in(parent: &Path) -> io::Result<(TempDir, PathBuf, UnixListener)> {
    clear(parent, LEFT_AFTER);
    let folder = tempfile::Builder::new()
        .prefix(FOLDER_PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)?;
    let path = folder.path().join(SOCKET_NAME);
    let listener = UnixListener::bind(&path)?;
    Ok((folder, path, listener))
}

/// Removes the folders in which a socket lies that nobody listens on. Those of other users cannot be looked into.
fn clear(parent: &Path, left_after: Duration) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(FOLDER_PREFIX));
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if !is_ours || age().is_none_or(|age| age < left_after) {
            continue;
        }
        let socket = entry.path().join(SOCKET_NAME);
        let refused = UnixStream::connect(&socket)
            .is_err_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            // Only what was made here: anything else in it keeps the folder.
            let _ = fs::remove_file(&socket).and_then(|()| fs::remove_dir(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_cleared_away_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        let (dead, ..) = make_in(parent.path()).unwrap();
        let dead = dead.keep();
        let (living, _, _listener) = make_in(parent.path()).unwrap();
        for name in ["call-metrics-empty", "another"] {
            fs::create_dir(path(name)).unwrap();
        }
        drop(UnixListener::bind(path("another").join(SOCKET_NAME)).unwrap());
        clear(parent.path(), LEFT_AFTER);
        assert!(dead.exists(), "too young");
        clear(parent.path(), Duration::ZERO);
        assert!(!dead.exists());
        for there in [living.path(), &path("call-metrics-empty"), &path("another")] {
            assert!(there.exists(), "{}", there.display());
        }
    }
}
