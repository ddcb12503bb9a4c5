//! Which of the files of now are those of before.

use super::manifest::KnownFile;
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
    for (place, before) in known.iter().enumerate() {
        let Some(at) = opened.iter().position(|now| before.cursor.is_of(now)) else {
            continue;
        };
        let is_whole = opened[at].is_compressed() && before.cursor.is_at_end(&opened[at])?;
        if found[at].is_none() && (is_whole || before.cursor.fits(&opened[at])?) {
            found[at] = Some(place);
            is_found[place] = true;
        } else if !before.is_gone {
            changed.push((place, opened[at].path.clone()));
        }
    }
    // Compressed or copied: another file with the same content.
    for (at, now) in opened.iter().enumerate() {
        if found[at].is_some() {
            continue;
        }
        for (place, before) in known.iter().enumerate() {
            if !is_found[place] && 0 < before.cursor.consumed && before.cursor.fits(now)? {
                found[at] = Some(place);
                is_found[place] = true;
                break;
            }
        }
    }
    // One that was copied before it was cut (`copytruncate`) is all there.
    changed.retain(|(place, _)| !is_found[*place]);
    Ok(Recognised { found, changed })
}
