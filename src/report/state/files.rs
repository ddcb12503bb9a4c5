//! Which of the files of now are those of before.

use super::manifest::{KnownFile, path_digest};
use crate::log::opened::Opened;
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

/// What became of the files of before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::report) struct Recognised {
    /// For each file of now the place of the one that it is, or that it is a copy of, among those of before. `None`: it is new.
    pub(in crate::report) found: Vec<Option<usize>>,
    /// Places of those of before that were cut or written anew, with their names of now.
    pub(in crate::report) changed: Vec<(usize, PathBuf)>,
}

impl Recognised {
    /// None of them.
    pub(in crate::report) fn nothing(opened: &[Opened]) -> Recognised {
        Recognised {
            found: vec![None; opened.len()],
            changed: Vec::new(),
        }
    }

    /// Those of `known` that are not there any more. Their calls stay; those of a file that was changed go with it.
    pub(in crate::report) fn gone<'k>(
        &self,
        known: &'k [KnownFile],
    ) -> impl Iterator<Item = &'k KnownFile> {
        let changed = self.changed.iter().map(|(place, _)| *place);
        let here: HashSet<usize> = self
            .found
            .iter()
            .flatten()
            .copied()
            .chain(changed)
            .collect();
        let known = known.iter().enumerate();
        known
            .filter(move |(place, _)| !here.contains(place))
            .map(|(_, file)| file)
    }
}

/// Recognises `opened` among `known`.
pub(in crate::report) fn recognised(
    known: &[KnownFile],
    opened: &[Opened],
) -> io::Result<Recognised> {
    let mut found = vec![None; opened.len()];
    let mut is_found = vec![false; known.len()];
    let mut changed = Vec::new();
    let place_of = |before: &KnownFile| opened.iter().position(|now| before.cursor.is_of(now));
    let was_read = |before: &KnownFile| 0 < before.cursor.consumed;
    for (place, before) in known.iter().enumerate() {
        let Some(at) = place_of(before).filter(|_| was_read(before)) else {
            continue;
        };
        let is_whole = opened[at].is_compressed() && before.cursor.is_at_end(&opened[at])?;
        if found[at].is_none() && (is_whole || before.cursor.fits(&opened[at])?) {
            found[at] = Some(place);
            is_found[place] = true;
        } else if !before.is_gone && before.path == path_digest(&opened[at].path) {
            // Elsewhere another file was given its place on the disk when it was removed.
            changed.push((place, opened[at].path.clone()));
        }
    }
    // Compressed or copied: another file with the same content.
    for (at, now) in opened.iter().enumerate() {
        if found[at].is_some() {
            continue;
        }
        for (place, before) in known.iter().enumerate() {
            if !is_found[place] && was_read(before) && before.cursor.fits(now)? {
                found[at] = Some(place);
                is_found[place] = true;
                break;
            }
        }
    }
    // Of one in which there was nothing only its place on the disk is known, where another may be by now: it comes last.
    for (place, before) in known.iter().enumerate() {
        if let Some(at) = place_of(before).filter(|at| !was_read(before) && found[*at].is_none()) {
            found[at] = Some(place);
            is_found[place] = true;
        }
    }
    // One that was copied before it was cut (`copytruncate`) is all there.
    changed.retain(|(place, _)| !is_found[*place]);
    Ok(Recognised { found, changed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::cursor::Cursor;
    use crate::log::reader::{Extent, read_lines};
    use std::fs;

    /// An empty file is removed and another one is made where it lay: it is known by what is in it.
    #[test]
    fn a_place_on_the_disk_that_is_used_again_does_not_make_it_the_file_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Opened::of(folder.path().join(name)).unwrap();
        let known = |cursor| KnownFile {
            number: 0,
            cursor,
            account: Default::default(),
            path: path_digest(&folder.path().join("read")),
            is_gone: false,
        };
        fs::write(folder.path().join("read"), "line\n").unwrap();
        fs::copy(folder.path().join("read"), folder.path().join("copy")).unwrap();
        let read = open("read");
        let extent = read_lines(&read, .., |_| ()).unwrap();
        let was_read = known(Cursor::of(&read, &extent).unwrap());
        let empty = known(Cursor::of(&open("copy"), &Extent::default()).unwrap());

        let found = |known: &[KnownFile], opened: &[Opened]| recognised(known, opened).unwrap();
        let both = [empty, was_read];
        let reused = found(&both, &[open("copy")]);
        assert_eq!((reused.found, reused.changed), (vec![Some(1)], vec![]));
        let grown = found(&both[..1], &[open("copy")]);
        assert_eq!((grown.found, grown.changed), (vec![Some(0)], vec![]));

        fs::write(folder.path().join("read"), "another line\n").unwrap();
        let anew = found(&both[1..], &[open("read")]);
        let path = folder.path().join("read");
        assert_eq!((anew.found, anew.changed), (vec![None], vec![(0, path)]));
        fs::rename(folder.path().join("read"), folder.path().join("other")).unwrap();
        let other = found(&both[1..], &[open("other")]);
        assert_eq!(
            other.gone(&both[1..]).count(),
            1,
            "it is gone, and its calls stay"
        );
        assert_eq!((other.found, other.changed), (vec![None], vec![]));
    }
}
