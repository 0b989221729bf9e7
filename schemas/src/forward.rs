//! Rows and messages of a newer release are read, too.
//!
//! Controllers and workers of two releases run side by side in every rollout, and rows of the newer one stay after a rollback. So no word
//! that this release does not know makes a row unreadable. What it is taken for is said where each enum is defined; `docs/architecture.md` ("Two releases side
//! by side") has the table.
//!
//! **What a newer release may do.** Add fields and words; never remove or rename one, nor make more of a word than a word: what belongs to it stands
//! beside it, as `leaveBy` beside `desired` (an older release reads only that there is a word that it does not know). A phase is
//! added only where an older worker may write `Live` over it, and none that is final: a run that has ended must look so to all.

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, IntoDeserializer};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};

/// A value that this release knows, or any other.
#[derive(Deserialize)]
#[serde(untagged)]
enum Maybe<T> {
    Known(T),
    Other(IgnoredAny),
}

impl<T> Maybe<T> {
    fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Other(_) => None,
        }
    }
}

/// Makes an enum of words readable whatever stands in its place: what is no word of its own is read as this one of its variants. The enum derives
/// serde's traits with `remote = "Self"`, which makes them functions of its own for this to call.
macro_rules! reads {
    ($name:ident, $otherwise:ident) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Ok($crate::forward::word(from)?
                    .and_then(|word| Self::deserialize($crate::forward::spelt(word)).ok())
                    .unwrap_or(Self::$otherwise))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, to)
            }
        }
    };
}
pub(crate) use reads;

/// The word that stands there, if it is one.
pub(crate) fn word<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Maybe::<String>::deserialize(from).map(Maybe::known)
}

/// A word as something to read from.
pub(crate) fn spelt(word: String) -> StringDeserializer<serde::de::value::Error> {
    word.into_deserializer()
}

/// What is not known is absent.
pub(crate) fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Maybe<T>>::deserialize(from)?.and_then(Maybe::known))
}

/// What is not known is left out of the set.
pub(crate) fn known_of_set<'de, D: Deserializer<'de>, T: DeserializeOwned + Ord>(
    from: D,
) -> Result<BTreeSet<T>, D::Error> {
    Ok(Vec::<Maybe<T>>::deserialize(from)?.into_iter().filter_map(Maybe::known).collect())
}

/// A key that is not known is left out of the map, with its value.
pub(crate) fn known_of_map<'de, D, K, V>(from: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: DeserializeOwned + Ord,
    V: DeserializeOwned,
{
    let key = |word: String| K::deserialize(spelt(word)).ok();
    let all = BTreeMap::<String, V>::deserialize(from)?;
    Ok(all.into_iter().filter_map(|(word, value)| Some((key(word)?, value))).collect())
}
