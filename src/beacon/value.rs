//! JSON values taken as they come: an object where there is one, a number where there is one, and no error where there is not.
//!
//! Knows nothing of beacons but the names of their members.

use super::key::Key;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Something that is built from the members of an object.
pub(super) trait FromMembers<'de>: Sized {
    fn from_members<M: Members<'de>>(members: M) -> Result<Self, M::Error>;
}

/// The members of an object, in the order in which they stand: a name, then its value, until there are no more.
pub(super) trait Members<'de> {
    type Error;
    /// What the next one is. `None`: there is none.
    fn name(&mut self) -> Result<Option<Key>, Self::Error>;
    /// The same, as it is spelled.
    fn text_name(&mut self) -> Result<Option<Cow<'de, str>>, Self::Error>;
    fn scalar(&mut self) -> Result<Scalar<'de>, Self::Error>;
    /// `None` for whatever else there is.
    fn number(&mut self) -> Result<Option<f64>, Self::Error>;
    fn numbers(&mut self) -> Result<Numbers, Self::Error>;
    fn object<T: FromMembers<'de>>(&mut self) -> Result<Maybe<T>, Self::Error>;
    fn objects<T: FromMembers<'de>>(&mut self) -> Result<Listed<T>, Self::Error>;
    /// Reads past a value.
    fn skip(&mut self) -> Result<(), Self::Error>;
}

/// Members as serde has them.
struct Serde<M>(M);

impl<'de, M: MapAccess<'de>> Members<'de> for Serde<M> {
    type Error = M::Error;

    fn name(&mut self) -> Result<Option<Key>, M::Error> {
        Ok(self.text_name()?.map(|text| Key::of(&text)))
    }
    fn text_name(&mut self) -> Result<Option<Cow<'de, str>>, M::Error> {
        Ok(self.0.next_key()?.map(|Text(text)| text))
    }
    fn scalar(&mut self) -> Result<Scalar<'de>, M::Error> {
        self.0.next_value()
    }
    fn number(&mut self) -> Result<Option<f64>, M::Error> {
        Ok(self.scalar()?.number())
    }
    fn numbers(&mut self) -> Result<Numbers, M::Error> {
        self.0.next_value()
    }
    fn object<T: FromMembers<'de>>(&mut self) -> Result<Maybe<T>, M::Error> {
        self.0.next_value()
    }
    fn objects<T: FromMembers<'de>>(&mut self) -> Result<Listed<T>, M::Error> {
        self.0.next_value()
    }
    fn skip(&mut self) -> Result<(), M::Error> {
        self.0.next_value::<IgnoredAny>().map(|_| ())
    }
}

/// A value that should be an object.
pub(super) enum Maybe<T> {
    Object(T),
    Null,
    Other,
}

impl<T> Maybe<T> {
    pub(super) fn into_inner(self) -> Option<T> {
        match self {
            Maybe::Object(inner) => Some(inner),
            Maybe::Null | Maybe::Other => None,
        }
    }
}

impl<'de, T: FromMembers<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expect<T>(std::marker::PhantomData<T>);
        impl<'de, T: FromMembers<'de>> AnyValue<'de> for Expect<T> {
            type Out = Maybe<T>;
            fn map<M: MapAccess<'de>>(map: M) -> Result<Maybe<T>, M::Error> {
                T::from_members(Serde(map)).map(Maybe::Object)
            }
            fn null() -> Maybe<T> {
                Maybe::Null
            }
            fn other() -> Maybe<T> {
                Maybe::Other
            }
        }
        deserializer.deserialize_any(Any(Expect(std::marker::PhantomData)))
    }
}

/// A value that should be a number, a string, true or false.
pub(super) enum Scalar<'a> {
    Number(f64),
    Truth(bool),
    Text(Cow<'a, str>),
    Other,
}

impl<'a> Scalar<'a> {
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Scalar::Truth(truth) => Some(*truth),
            _ => None,
        }
    }

    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expect;
        impl<'de> AnyValue<'de> for Expect {
            type Out = Scalar<'de>;
            fn number(number: f64) -> Scalar<'de> {
                Scalar::Number(number)
            }
            fn truth(truth: bool) -> Scalar<'de> {
                Scalar::Truth(truth)
            }
            fn text(text: Cow<'de, str>) -> Scalar<'de> {
                Scalar::Text(text)
            }
            fn other() -> Scalar<'de> {
                Scalar::Other
            }
        }
        deserializer.deserialize_any(Any(Expect))
    }
}

/// A value that should be an array of numbers; what is no number in it is `None`.
pub(super) struct Numbers(pub(super) Option<Vec<Option<f64>>>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expect;
        impl<'de> AnyValue<'de> for Expect {
            type Out = Numbers;
            fn seq<S: SeqAccess<'de>>(mut seq: S) -> Result<Numbers, S::Error> {
                let mut numbers = Vec::new();
                while let Some(item) = seq.next_element::<Scalar<'de>>()? {
                    numbers.push(item.number());
                }
                Ok(Numbers(Some(numbers)))
            }
            fn other() -> Numbers {
                Numbers(None)
            }
        }
        deserializer.deserialize_any(Any(Expect))
    }
}

/// More objects of one array are not kept: the call page sends fewer in a beacon.
pub(super) const LIST_MAX: usize = 256;

/// A value that should be an array of objects; what is no object in it is left out, and so are those after the first [`LIST_MAX`].
pub(super) struct Listed<T>(pub(super) Vec<T>);

impl<T> Listed<T> {
    pub(super) fn new() -> Listed<T> {
        Listed(Vec::new())
    }

    pub(super) fn push(&mut self, item: Maybe<T>) {
        if self.0.len() < LIST_MAX {
            self.0.extend(item.into_inner());
        }
    }
}

impl<'de, T: FromMembers<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expect<T>(std::marker::PhantomData<T>);
        impl<'de, T: FromMembers<'de>> AnyValue<'de> for Expect<T> {
            type Out = Listed<T>;
            fn seq<S: SeqAccess<'de>>(mut seq: S) -> Result<Listed<T>, S::Error> {
                let mut listed = Listed::new();
                while let Some(item) = seq.next_element::<Maybe<T>>()? {
                    listed.push(item);
                }
                Ok(listed)
            }
            fn other() -> Listed<T> {
                Listed::new()
            }
        }
        deserializer.deserialize_any(Any(Expect(std::marker::PhantomData)))
    }
}

/// A member's name, borrowed from the text unless it is escaped there.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expect;
        impl<'de> Visitor<'de> for Expect {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Expect)
    }
}

/// What to make of each kind of JSON value. Whatever is not said falls to `other`, with its inside read past.
trait AnyValue<'de> {
    type Out;
    fn other() -> Self::Out;
    fn null() -> Self::Out {
        Self::other()
    }
    fn number(_: f64) -> Self::Out {
        Self::other()
    }
    fn truth(_: bool) -> Self::Out {
        Self::other()
    }
    fn text(_: Cow<'de, str>) -> Self::Out {
        Self::other()
    }
    fn seq<S: SeqAccess<'de>>(mut seq: S) -> Result<Self::Out, S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::other())
    }
    fn map<M: MapAccess<'de>>(mut map: M) -> Result<Self::Out, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::other())
    }
}

/// The visitor that asks an [`AnyValue`].
struct Any<A>(A);

impl<'de, A: AnyValue<'de>> Visitor<'de> for Any<A> {
    type Value = A::Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, truth: bool) -> Result<A::Out, E> {
        Ok(A::truth(truth))
    }
    fn visit_unit<E>(self) -> Result<A::Out, E> {
        Ok(A::null())
    }
    fn visit_i64<E>(self, number: i64) -> Result<A::Out, E> {
        Ok(A::number(number as f64))
    }
    fn visit_u64<E>(self, number: u64) -> Result<A::Out, E> {
        Ok(A::number(number as f64))
    }
    fn visit_f64<E>(self, number: f64) -> Result<A::Out, E> {
        Ok(A::number(number))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<A::Out, E> {
        Ok(A::text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<A::Out, E> {
        Ok(A::text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<S: SeqAccess<'de>>(self, seq: S) -> Result<A::Out, S::Error> {
        A::seq(seq)
    }
    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<A::Out, M::Error> {
        A::map(map)
    }
}
