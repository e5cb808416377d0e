//! JSON as JOSE needs it read (jose.md §3): a member once only at any depth, integers written as such, depth and number
//! of values capped before they take any room.
//!
//! Imports `envelope::Fault`, `item`, serde and serde_json, which refuses what is no JSON at all: lone surrogates,
//! control characters, a byte order mark, numbers beyond any range.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::envelope::Fault;
use crate::item::Reason;

/// Levels of arrays and objects, the root being the first.
const DEPTH: usize = 16;
/// Most members of an object (jose.md §6).
const MEMBERS: usize = 64;
/// Most values of one document: above, it is not read to its end.
const VALUES: usize = 4_096;

/// A value. Numbers that are no plain integer are known to be there, and not which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Number,
    Text(String),
    Array(Vec<Self>),
    Object(Object),
}

/// Members in their order, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object(pub(super) Vec<(String, Value)>);

impl Object {
    /// The member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Whether there is a member of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes the member of that name out.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// Reads a text whose root is an object, with nothing after it but white space.
pub(super) fn object(bytes: &[u8]) -> Result<Object, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::malformed("JSON that is not UTF-8"))?;
    let budget = Budget { values: Cell::new(VALUES), over: Cell::new(None) };
    let mut json = serde_json::Deserializer::from_str(text);
    let read =
        Seed { budget: &budget, depth: DEPTH }.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match (read, budget.over.take()) {
        (Ok(Value::Object(object)), _) => Ok(object),
        (Ok(_), _) => Err(Fault::malformed("JSON whose root is no object")),
        (Err(_), Some(fault)) => Err(fault),
        (Err(_), None) => Err(Fault::malformed("not JSON")),
    }
}

/// What is left of a document's budget, and which of its limits was passed.
struct Budget {
    values: Cell<usize>,
    over: Cell<Option<Fault>>,
}

impl Budget {
    /// Ends the reading for this reason: serde's errors are words, ours are reasons.
    fn end<T, E: Error>(&self, reason: Reason, detail: &'static str) -> Result<T, E> {
        self.over.set(Some(Fault { reason, detail }));
        Err(E::custom(detail))
    }

    fn spend<E: Error>(&self) -> Result<(), E> {
        let Some(left) = self.values.get().checked_sub(1) else {
            return self.end(Reason::TooLarge, "JSON of too many values");
        };
        self.values.set(left);
        Ok(())
    }

    /// NUL is legal JSON and never meant.
    fn text<E: Error>(&self, text: String) -> Result<String, E> {
        if text.contains('\0') { self.end(Reason::Malformed, "U+0000 in JSON") } else { Ok(text) }
    }
}

/// Reads one value; `depth` is what is left for arrays and objects.
#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Budget,
    depth: usize,
}

impl Seed<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => self.budget.end(Reason::Malformed, "JSON nested too deep"),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.budget.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(i128::from(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Integer(i128::from(number)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.budget.text(text).map(Value::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut elements = Vec::new();
        while let Some(element) = array.next_element_seed(below)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = Object::default();
        while let Some(name) = map.next_key::<String>()? {
            let name = self.budget.text(name)?;
            if object.has(&name) {
                return self.budget.end(Reason::Malformed, "a member twice");
            }
            if object.0.len() == MEMBERS {
                return self.budget.end(Reason::TooLarge, "too many members");
            }
            object.0.push((name, map.next_value_seed(below)?));
        }
        Ok(Value::Object(object))
    }
}
