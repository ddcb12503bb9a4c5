//! Names of members, and which one follows which.

use super::super::key::Key;

/// Names of members that are not ours, kept to be expected. More are not: they would be anybody's text without end.
pub(super) const STRANGERS_MAX: usize = 32;
/// And none longer than this, in bytes.
pub(super) const STRANGER_BYTES_MAX: usize = 64;
/// Bytes that are compared at once: all of almost every name.
const HEAD_BYTES: usize = 32;

/// Names that may come. The first one stands for the beginning of a line.
#[derive(Debug)]
pub(super) struct Names {
    expected: Vec<Expected>,
    /// Of each of them, as it stands in a line: `"name":`.
    spellings: Vec<Vec<u8>>,
    n_strangers: usize,
}

#[derive(Debug)]
struct Expected {
    /// The first bytes of its spelling, and which of them there are.
    head: Words,
    mask: Words,
    n_bytes: usize,
    name: Key,
    /// The last two that came next without being expected, the newer one first: there are members that only some lines have.
    next: [usize; 2],
}

/// Bytes of a line, eight a word.
type Words = [u64; HEAD_BYTES / 8];

fn words(bytes: &[u8; HEAD_BYTES]) -> Words {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

impl Expected {
    fn new(spelling: &[u8], name: Key) -> Expected {
        let byte = |at: usize| spelling.get(at).copied();
        let head = std::array::from_fn(|at| byte(at).unwrap_or(0));
        let mask = std::array::from_fn(|at| byte(at).map_or(0, |_| 0xff));
        Expected {
            head: words(&head),
            mask: words(&mask),
            n_bytes: spelling.len(),
            name,
            next: [1; 2],
        }
    }

    fn begins(&self, text: Words) -> bool {
        let differs = |at: usize| (text[at] ^ self.head[at]) & self.mask[at];
        let differs = (0..text.len()).fold(0, |odd, at| odd | differs(at));
        differs == 0 && self.n_bytes <= HEAD_BYTES
    }
}

impl Default for Names {
    fn default() -> Names {
        let mut names = Names {
            expected: vec![Expected::new(b"", Key::Other)],
            spellings: vec![Vec::new()],
            n_strangers: 0,
        };
        for (text, name) in Key::spellings() {
            names.add(format!("\"{text}\":").into_bytes(), name);
        }
        names
    }
}

impl Names {
    fn add(&mut self, spelling: Vec<u8>, name: Key) {
        self.expected.push(Expected::new(&spelling, name));
        self.spellings.push(spelling);
    }

    /// The name at the beginning of `bytes`, if it is one that is expected behind `last`: what it is, how long, and its place.
    #[inline]
    pub(super) fn next(&self, last: usize, bytes: &[u8]) -> Option<(Key, usize, usize)> {
        let [place, _] = self.expected[last].next;
        let next = &self.expected[place];
        match bytes.first_chunk() {
            Some(head) if next.begins(words(head)) => Some((next.name, next.n_bytes, place)),
            _ => self.next_but_rare(last, bytes),
        }
    }

    /// The second that is expected, or where the end of the line is too near to look at so much at once.
    #[cold]
    fn next_but_rare(&self, last: usize, bytes: &[u8]) -> Option<(Key, usize, usize)> {
        let mut next = self.expected[last].next.into_iter();
        let place = next.find(|&place| bytes.starts_with(&self.spellings[place]))?;
        let Expected { name, n_bytes, .. } = self.expected[place];
        Some((name, n_bytes, place))
    }

    /// Remembers that a name of this spelling came after `last`. What it is and its place; `None` for one that is not kept.
    pub(super) fn follow(&mut self, last: usize, spelling: &[u8]) -> Option<(Key, usize)> {
        let known = self.spellings.iter().position(|one| one == spelling);
        let place = match known {
            Some(place) => place,
            None if self.n_strangers < STRANGERS_MAX && spelling.len() <= STRANGER_BYTES_MAX => {
                self.n_strangers += 1;
                self.add(spelling.to_vec(), Key::Other);
                self.spellings.len() - 1
            }
            None => return None,
        };
        let next = &mut self.expected[last].next;
        *next = [place, next[0]];
        Some((self.expected[place].name, place))
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.expected.len()
    }
}
