//! The strict form of profile `paperknife-1` in JOSE (jose.md §9): what an envelope of a key under the profile is.
//!
//! Imports its neighbours. Whether the profile applies is the key's policy, so the guard asks.

use super::{Form, Kind, Management, Message, Place, Way};

impl Message {
    /// Whether a way keeps the strict form; else what it breaks. Compact throughout; S and G are sealed under the
    /// device's own key, P to the gateway's; what is signed stands inside.
    pub fn profile_form(&self, way: &Way) -> Result<(), &'static str> {
        if self.form() != Form::Compact {
            return Err("a serialization other than the compact one");
        }
        match (self.kind(), self.place()) {
            (Kind::Jws, Place::Inner) => self.signed_form(way),
            (Kind::Jwe, Place::Outer) => self.sealed_form(way),
            _ => Err("a structure that no shape of the profile has here"),
        }
    }

    fn signed_form(&self, way: &Way) -> Result<(), &'static str> {
        let is_mac = way.signature().is_some_and(|signature| signature.is_mac);
        match way.headers().is_encoded() && !is_mac {
            true => named(way),
            false => Err("a MAC, or a payload that is not base64url, where a signature is due"),
        }
    }

    fn sealed_form(&self, way: &Way) -> Result<(), &'static str> {
        let own = matches!(
            way.key_management().map(|known| known.management),
            Some(Management::Direct | Management::Wrap | Management::GcmWrap)
        );
        let agreed = way.key_management().is_some_and(|known| known.management.agrees());
        match (own, agreed && Self::nested(way).is_some()) {
            (true, _) | (_, true) if !self.is_deflated() => named(way),
            _ => Err("a key management that no shape of the profile has, or compression"),
        }
    }
}

fn named(way: &Way) -> Result<(), &'static str> {
    match &way.headers().kid {
        Some(_) => Ok(()),
        None => Err("no kid"),
    }
}
