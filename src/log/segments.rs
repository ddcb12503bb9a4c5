//! Which files a `--log` stands for: a file with its rotated segments, or a glob.

use super::rotated::{self, Mark, UNFINISHED};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A `--log` that cannot be turned into files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing there.
    #[error("cannot read beacon log `{0}`: No such file or directory")]
    Missing(String),
    /// A glob that matches nothing.
    #[error("cannot read beacon log `{0}`: no file matches")]
    NoMatch(String),
    /// No valid glob.
    #[error("cannot read beacon log `{pattern}`: {source}")]
    Glob {
        /// As given.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// A folder that cannot be listed.
    #[error("cannot read folder `{path}`")]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that cannot be opened.
    #[error("cannot open beacon log `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files come and go too fast.
    #[error("cannot read the beacon log: its files changed at each of {0} looks")]
    Restless(u32),
    /// A folder where a file is due.
    #[error("cannot read beacon log `{0}`: Is a directory")]
    Directory(PathBuf),
}

/// The files of all `logs`, each once, older segments before newer ones of the same log.
///
/// # Errors
///
/// Where one of `logs` stands for no file.
pub fn find(logs: &[String]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for log in logs {
        let path = Path::new(log);
        let is_glob = !path.exists() && log.contains(['*', '?', '[']);
        found.extend(if is_glob {
            matching(log)?
        } else {
            with_rotated(path)?
        });
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    Ok(found)
}

/// The files of all `logs` as far as they are there, and each log by its own name: what to watch while waiting for more.
pub fn watched(logs: &[String]) -> Vec<PathBuf> {
    let one = |log: &String| {
        let mut files = find(std::slice::from_ref(log)).unwrap_or_default();
        let itself = PathBuf::from(log);
        if !files.contains(&itself) {
            files.push(itself);
        }
        files
    };
    logs.iter().flat_map(one).collect()
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let paths = glob::glob(pattern).map_err(|source| Error::Glob {
        pattern: pattern.to_owned(),
        source,
    })?;
    let mut found: Vec<PathBuf> = paths
        .filter_map(Result::ok)
        .filter(|path| path.is_file() && !is_side_file(path))
        .collect();
    found.sort();
    drop_copies(&mut found);
    if found.is_empty() {
        return Err(Error::NoMatch(pattern.to_owned()));
    }
    Ok(found)
}

/// `path` itself, after its rotated segments: `path.1`, `path.2.gz`, `path-20261123.zst` and the like.
fn with_rotated(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if path.is_dir() {
        return Err(Error::Directory(path.to_owned()));
    }
    let mut found_rotated = Vec::new();
    // The writer rotates the file behind a link where that lies, another program perhaps the link.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    for log in [Some(path), is_link.then_some(real.as_path())]
        .into_iter()
        .flatten()
    {
        let folder = rotated::folder_of(log);
        let name = log.file_name().unwrap_or_default();
        match fs::read_dir(folder) {
            Ok(entries) => {
                for entry in entries.filter_map(Result::ok) {
                    let found = entry.file_name();
                    if let Some(suffix) = rotated::suffix_of(&found, name)
                        && let Some(age) = rotation(suffix)
                    {
                        found_rotated.push((age, log.with_file_name(&found)));
                    }
                }
            }
            // The folder of an explicitly named file may be closed to us while the file is not.
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied && path.exists() => {}
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(Error::List {
                    path: folder.to_owned(),
                    source,
                });
            }
        }
    }
    found_rotated.sort();
    let mut files: Vec<PathBuf> = found_rotated
        .into_iter()
        .map(|(_, path)| path)
        .filter(|path| path.is_file())
        .collect();
    if path.exists() {
        files.push(path.to_owned());
    }
    drop_copies(&mut files);
    if files.is_empty() {
        return Err(Error::Missing(path.display().to_string()));
    }
    Ok(files)
}

/// Order of a segment among its siblings, oldest first. `None`: the suffix is none that a rotation gives.
fn rotation(suffix: &str) -> Option<(bool, std::cmp::Reverse<u64>, String, u64)> {
    let bare = suffix
        .strip_suffix(".gz")
        .or_else(|| suffix.strip_suffix(".zst"))
        .unwrap_or(suffix);
    // Ours of one second are numbered, and not for the first nine alone.
    let n = Mark::of_suffix(bare).map_or(0, |mark| mark.n);
    let bare = match n {
        0 => bare,
        _ => bare.rsplit_once('-').map_or(bare, |(before, _)| before),
    };
    let bare = bare.strip_prefix(['.', '-'])?;
    if bare.is_empty() || !bare.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if !bare
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | 'T' | 'Z' | ':'))
    {
        return None;
    }
    // Up to four digits count upwards with age, as logrotate numbers them; longer ones are dates.
    match bare.parse::<u64>() {
        Ok(number) if bare.len() <= 4 => Some((false, std::cmp::Reverse(number), String::new(), 0)),
        _ => Some((true, std::cmp::Reverse(0), bare.to_owned(), n)),
    }
}

/// Files that the writer and the builder keep beside a log.
fn is_side_file(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.ends_with(".lock")
        || name.ends_with(UNFINISHED)
        || name.contains(".state")
        || name.contains(".torn-")
}

/// While a segment is being compressed both it and its copy are there: the plain one is the whole one.
fn drop_copies(files: &mut Vec<PathBuf>) {
    let plain: BTreeSet<PathBuf> = files
        .iter()
        .filter(|path| !is_compressed(path))
        .cloned()
        .collect();
    files.retain(|path| !is_compressed(path) || !plain.contains(&path.with_extension("")));
}

fn is_compressed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "gz" || extension == "zst")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path, log: &str) -> Result<Vec<String>, String> {
        let files =
            find(&[folder.join(log).display().to_string()]).map_err(|error| error.to_string())?;
        Ok(files
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect())
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    #[test]
    fn rotated_segments_come_oldest_first_and_the_live_file_last() {
        let folder = folder(&[
            "beacon.log",
            "beacon.log.1",
            "beacon.log.10.gz",
            "beacon.log.2.zst",
            "beacon.log-20261101.gz",
            "beacon.log-20261123T170000Z-10",
            "beacon.log-20261123T170000Z-2.gz",
            "beacon.log-20261123T170000Z.gz",
            "beacon.log-20261123T170001Z",
        ]);
        let expect = [
            "beacon.log.10.gz",
            "beacon.log.2.zst",
            "beacon.log.1",
            "beacon.log-20261101.gz",
            "beacon.log-20261123T170000Z.gz",
            "beacon.log-20261123T170000Z-2.gz",
            "beacon.log-20261123T170000Z-10",
            "beacon.log-20261123T170001Z",
            "beacon.log",
        ];
        assert_eq!(names(folder.path(), "beacon.log").unwrap(), expect);
    }

    #[test]
    fn neighbours_and_side_files_are_not_segments() {
        let folder = folder(&[
            "beacon.log",
            "beacon.log.lock",
            "beacon.log.torn-1795449870771",
            "beacon.log.bak",
            "beacon.log-20261123T170000Z.gz.tmp",
            "beacon.log2",
            "beacon.log.state",
        ]);
        assert_eq!(names(folder.path(), "beacon.log").unwrap(), ["beacon.log"]);
        assert_eq!(
            names(folder.path(), "beacon.log*").unwrap(),
            ["beacon.log", "beacon.log.bak", "beacon.log2"]
        );
    }

    #[test]
    fn a_segment_being_compressed_is_read_once() {
        let folder = folder(&["beacon.log", "beacon.log.1", "beacon.log.1.gz"]);
        assert_eq!(
            names(folder.path(), "beacon.log").unwrap(),
            ["beacon.log.1", "beacon.log"]
        );
    }

    #[test]
    fn the_same_file_named_twice_is_read_once() {
        let folder = folder(&["a.log", "b.log"]);
        let log = |name: &str| folder.path().join(name).display().to_string();
        let files = find(&[log("*.log"), log("b.log"), log("./a.log")]).unwrap();
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn what_is_not_there_yet_is_watched() {
        let folder = folder(&["beacon.log.1"]);
        let log = folder.path().join("beacon.log");
        let found = watched(&[log.display().to_string()]);
        assert_eq!(found, [folder.path().join("beacon.log.1"), log]);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = folder(&["beacon.log.1"]);
        assert_eq!(
            names(folder.path(), "beacon.log").unwrap(),
            ["beacon.log.1"]
        );
        assert!(
            names(folder.path(), "other.log")
                .unwrap_err()
                .contains("No such file")
        );
        assert!(
            names(folder.path(), "*.none")
                .unwrap_err()
                .contains("no file matches")
        );
        assert!(
            names(folder.path(), ".")
                .unwrap_err()
                .contains("Is a directory")
        );
        assert!(
            names(folder.path(), "gone/beacon.log")
                .unwrap_err()
                .contains("No such file")
        );
    }
}
