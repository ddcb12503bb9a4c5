//! Short, stable fingerprints: call ids, asset names, ETags. The door to `sha2`.

use sha2::{Digest as _, Sha256};

/// The first 96 bits of the SHA-256 of `parts`, as 24 lower-case hex digits.
///
/// Parts are length-prefixed, so that `["ab", "c"]` and `["a", "bc"]` differ. SHA-256 rather than a quick hash:
/// the input is chosen by strangers, and two calls must never share a file.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_part_ends_matters() {
        let a = fingerprint([b"ab".as_slice(), b"c"]);
        let b = fingerprint([b"a".as_slice(), b"bc"]);
        assert_eq!(a.len(), 24);
        assert_ne!(a, b);
        assert_eq!(a, fingerprint([b"ab".as_slice(), b"c"]));
    }
}
