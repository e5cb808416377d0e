//! JSON members, strictly: duplicates refused at any depth, values taken one by one, each fault named by its member and
//! never by its bytes. serde_json's own messages quote what they found, so none of them is passed on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::import::Fault;

/// Members of one object, not yet taken; values are slices of the input.
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

/// A member that is given, given as null, or not given.
pub(super) enum Given<T> {
    Absent,
    Null,
    Value(T),
}

impl<'a> Members<'a> {
    /// The members of an object; `what` names it in a fault.
    pub(super) fn read(json: &'a str, what: &str) -> Result<Self, Fault> {
        serde_json::from_str(json).map_err(|_| Fault::at(what, "must be an object"))
    }

    /// Takes a member; null is as good as absent. `must` says what it must be, for the fault.
    pub(super) fn take<T: Deserialize<'a>>(&mut self, name: &str, must: &'static str) -> Result<Option<T>, Fault> {
        match self.given(name, must)? {
            Given::Absent | Given::Null => Ok(None),
            Given::Value(value) => Ok(Some(value)),
        }
    }

    /// Takes a member for which null means something.
    pub(super) fn given<T: Deserialize<'a>>(&mut self, name: &str, must: &'static str) -> Result<Given<T>, Fault> {
        match self.0.remove(name) {
            None => Ok(Given::Absent),
            Some(raw) if raw.get() == "null" => Ok(Given::Null),
            Some(raw) => serde_json::from_str(raw.get()).map(Given::Value).map_err(|_| Fault::at(name, must)),
        }
    }

    /// Takes a member and fails if it is missing.
    pub(super) fn require<T: Deserialize<'a>>(&mut self, name: &str, must: &'static str) -> Result<T, Fault> {
        self.take(name, must)?.ok_or_else(|| Fault::at(name, "is missing"))
    }

    /// Takes bytes in base64url without padding, decoded in constant time and wiped when dropped.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let Some(raw) = self.0.remove(name) else { return Ok(None) };
        let text = raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let text = text.ok_or_else(|| Fault::at(name, "must be base64url text"))?;
        let mut bytes = Zeroizing::new(vec![0; text.len()]);
        let length = Base64UrlUnpadded::decode(text, &mut bytes)
            .map_err(|_| Fault::at(name, "must be base64url without padding"))?
            .len();
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    /// Whether a member waits to be taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Refuses what nobody took.
    pub(super) fn nothing_left(&self) -> Result<(), Fault> {
        self.0.keys().next().map_or(Ok(()), |name| Err(Fault::at(name, "is not a member that is known here")))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = BTreeMap<String, &'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            match members.entry(name) {
                Entry::Occupied(_) => return Err(A::Error::custom("duplicate member")),
                Entry::Vacant(free) => drop(free.insert(map.next_value()?)),
            }
        }
        Ok(members)
    }
}

/// Whether the whole text is JSON without a duplicate member at any depth (RFC 7517 §4 leaves that to us).
pub(super) fn check(json: &str) -> Result<(), Fault> {
    let mut duplicate = None;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let checked = Unique(&mut duplicate).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (checked, duplicate) {
        (_, Some(name)) => Err(Fault::at(&name, "stands twice in one object")),
        (Err(error), None) => Err(Fault::whole(format!("not JSON: line {}, column {}", error.line(), error.column()))),
        (Ok(()), None) => Ok(()),
    }
}

/// Walks a value and reports the first duplicate member.
struct Unique<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                *self.0 = Some(name);
                return Err(A::Error::custom("duplicate member"));
            }
            map.next_value_seed(Unique(self.0))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Unique(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        IgnoredAny::deserialize(deserializer).map(drop)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
