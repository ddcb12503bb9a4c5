//! Numbers as they are stored: many at once, as the bytes that they are. For `#[serde(with)]`.

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// What takes `N` bytes each time.
pub(crate) trait Packed<const N: usize>: Copy {
    fn to_bytes(self) -> [u8; N];
    fn from_bytes(bytes: [u8; N]) -> Self;
}

impl Packed<1> for u8 {
    fn to_bytes(self) -> [u8; 1] {
        [self]
    }
    fn from_bytes([byte]: [u8; 1]) -> u8 {
        byte
    }
}

impl Packed<8> for f64 {
    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 8]) -> f64 {
        f64::from_le_bytes(bytes)
    }
}

impl Packed<8> for u64 {
    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 8]) -> u64 {
        u64::from_le_bytes(bytes)
    }
}

impl Packed<8> for i64 {
    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
    fn from_bytes(bytes: [u8; 8]) -> i64 {
        i64::from_le_bytes(bytes)
    }
}

pub(crate) fn serialize<T: Packed<N>, const N: usize, S: Serializer>(
    items: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let bytes: Vec<[u8; N]> = items.iter().map(|item| item.to_bytes()).collect();
    serializer.serialize_bytes(bytes.as_flattened())
}

pub(crate) fn deserialize<'de, T: Packed<N>, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Expect<T, const N: usize>(PhantomData<T>);
    impl<T: Packed<N>, const N: usize> Visitor<'_> for Expect<T, N> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("packed numbers")
        }
        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<T>, E> {
            match bytes.as_chunks() {
                (items, []) => Ok(items.iter().map(|item| T::from_bytes(*item)).collect()),
                _ => Err(E::invalid_length(bytes.len(), &self)),
            }
        }
    }
    deserializer.deserialize_bytes(Expect(PhantomData))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Numbers(#[serde(with = "super")] Vec<f64>);

    #[test]
    fn they_are_read_as_they_were_written() {
        for numbers in [
            Numbers(vec![]),
            Numbers(vec![0.1, -0.0, f64::MAX, f64::INFINITY]),
        ] {
            let mut bytes = postcard::to_stdvec(&numbers).unwrap();
            let read: Numbers = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(read, numbers);
            assert_eq!(bytes.len(), 1 + 8 * numbers.0.len());
            bytes[0] += 1;
            bytes.push(0);
            assert!(postcard::from_bytes::<Numbers>(&bytes).is_err());
        }
    }
}
