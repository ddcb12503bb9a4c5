//! Short, stable fingerprints (call ids, asset names, ETags), and marks that only who has a key can make.
//! And checksums, which tell what was changed by accident.
//! The door to `sha2`, `hmac`, `getrandom` and `crc32c`. Must not show a key, nor compare marks in a time that tells of them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::io;

/// Bytes of a mark.
pub const MARK_BYTES: usize = 32;

/// Bytes of a fingerprint.
pub const FINGERPRINT_BYTES: usize = 12;

/// The first 96 bits of the SHA-256 of `parts`.
///
/// Parts are length-prefixed, so that `["ab", "c"]` and `["a", "bc"]` differ. SHA-256 rather than a quick hash:
/// the input is chosen by strangers, and two calls must never share a file.
pub fn fingerprint_bytes<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; FINGERPRINT_BYTES] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let whole: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| whole[at])
}

/// The same as 24 lower-case hex digits.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    hex(fingerprint_bytes(parts))
}

/// `bytes` as lower-case hex digits.
pub fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    let digits = bytes.into_iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The SHA-256 of `bytes`, as policies of pages name scripts by it.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The CRC32C of `parts`, one after the other. Tells a change by accident, not by intent.
pub fn checksum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    parts.into_iter().fold(0, checksum_on)
}

/// The CRC32C of `bytes` behind what gave `sum`.
pub fn checksum_on(sum: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(sum, bytes)
}

/// Bytes that nobody can guess.
///
/// # Errors
///
/// Where the system has none to give.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A key for marks (HMAC-SHA256). Prints as `Key(***)`.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Of a secret of any length.
    pub fn new(secret: &[u8]) -> Key {
        Key(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Of a secret that nobody knows and that ends with the process.
    ///
    /// # Errors
    ///
    /// Where the system has nothing random to give.
    pub fn random() -> io::Result<Key> {
        Ok(Key::new(&random::<MARK_BYTES>()?))
    }

    /// The mark of `parts`, which are length-prefixed as in [`fingerprint`].
    pub fn mark<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; MARK_BYTES] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether `mark` is that of `parts`; takes as long whatever it is.
    pub fn is_mark<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>, mark: &[u8]) -> bool {
        self.over(parts).verify_slice(mark).is_ok()
    }

    fn over<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_that_of_its_key_and_parts_alone() {
        let parts = || [b"room".as_slice(), b"nonce"];
        let key = Key::new(b"secret");
        let mark = key.mark(parts());
        assert!(key.is_mark(parts(), &mark));
        assert!(!Key::new(b"Secret").is_mark(parts(), &mark));
        assert!(!key.is_mark([b"roo".as_slice(), b"mnonce"], &mark));
        assert!(!key.is_mark(parts(), &mark[..31]) && !key.is_mark(parts(), b""));
        for bit in 0..MARK_BYTES * 8 {
            let mut flipped = mark;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.is_mark(parts(), &flipped), "{bit}");
        }
        assert!(!Key::random().unwrap().is_mark(parts(), &mark));
        assert_eq!(format!("{key:?}"), "Key(***)");
    }

    #[test]
    fn what_is_random_differs() {
        assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
    }

    #[test]
    fn a_checksum_is_of_the_bytes_wherever_a_part_ends() {
        // The check value of CRC-32C.
        assert_eq!(checksum([b"123456789".as_slice()]), 0xe306_9283);
        let parts = [b"".as_slice(), b"1234", b"56789"];
        assert_eq!(checksum(parts), 0xe306_9283);
        assert_eq!(checksum([]), 0);
    }

    #[test]
    fn where_one_part_ends_matters() {
        let a = fingerprint([b"ab".as_slice(), b"c"]);
        let b = fingerprint([b"a".as_slice(), b"bc"]);
        assert_eq!(a.len(), 24);
        assert_ne!(a, b);
        assert_eq!(a, fingerprint([b"ab".as_slice(), b"c"]));
    }
}
