//! The strict form of profile `paperknife-1` (profile.md §2): what a message of a key under the profile may carry where.
//!
//! Imports its parent alone. Whether the profile applies is the key's policy, so the guard asks; what its form is, is a
//! matter of the format and stands here.

use super::headers::{Bucket, Headers};
use super::{Message, Recipient, Way};
use crate::envelope::Curve;
use crate::item::CoseType;

/// Where a message stands in a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Sign1 inside an encryption.
    Inner,
    /// The outermost layer.
    Outer,
}

/// A set of header labels, in the order of [`Headers`].
#[derive(Clone, Copy)]
struct Allowed {
    content_type: bool,
    iv: bool,
    claims: bool,
    typ: bool,
    counted: bool,
}

impl Message {
    /// Whether the message keeps the strict form; else what it breaks.
    pub fn profile_form(&self, place: Place) -> Result<(), &'static str> {
        match (self.structure(), place) {
            (CoseType::Encrypt0, Place::Outer) => self.counted_form(true),
            (CoseType::Sign1, Place::Inner) => self.counted_form(false),
            (CoseType::Encrypt, Place::Outer) => self.encrypt_form(),
            _ => Err("a structure that no shape of the profile has here"),
        }
    }

    /// S, G and Sign1: everything protected; kid and Partial IV present.
    fn counted_form(&self, typ: bool) -> Result<(), &'static str> {
        let headers = self.headers();
        if !headers.all_protected() {
            return Err("an unprotected header");
        }
        only(headers, Allowed { content_type: true, iv: false, claims: true, typ, counted: true })?;
        let kid = headers.kid.as_ref().ok_or("no kid")?;
        named(self.slice(&kid.value))?;
        let partial_iv = headers.partial_iv.as_ref().ok_or("no Partial IV")?;
        shortest(self.slice(&partial_iv.value))?;
        if let Some(context) = &headers.kid_context {
            named(self.slice(&context.value))?;
        }
        if headers.claims.as_ref().is_some_and(|claims| claims.value.faulty) {
            return Err("a claim outside the profile");
        }
        if self.structure() == CoseType::Sign1 && self.authenticator(Way::BODY).len() != 64 {
            return Err("a signature of another length");
        }
        Ok(())
    }

    /// P's outer layer: alg and content type protected, a 12-byte IV unprotected, key-agreement recipients.
    fn encrypt_form(&self) -> Result<(), &'static str> {
        let headers = self.headers();
        only(headers, Allowed { content_type: true, iv: true, claims: false, typ: true, counted: false })?;
        let protected_but_iv =
            headers.iv.as_ref().is_some_and(|iv| iv.bucket == Bucket::Unprotected && iv.value.len() == 12);
        let content_type = headers.content_type.as_ref().is_none_or(|header| header.bucket == Bucket::Protected);
        let typ = headers.typ.as_ref().is_none_or(|header| header.bucket == Bucket::Protected);
        if !(protected_but_iv && content_type && typ) {
            return Err("a header outside its bucket");
        }
        if !(1..=8).contains(&self.recipients().len()) {
            return Err("more than 8 recipients");
        }
        Ok(())
    }
}

impl Message {
    /// Whether a recipient of P keeps the strict form: its algorithm matches the content's, kid and ephemeral key stand
    /// unprotected, and nothing else.
    pub fn profile_recipient(&self, recipient: &Recipient) -> Result<(), &'static str> {
        let headers = recipient.headers();
        let matched = match (self.algorithm().map(|alg| alg.id), recipient.algorithm().map(|alg| alg.id)) {
            (Some(1), Some(-29)) => 24,
            (Some(3), Some(-31)) => 40,
            _ => return Err("a recipient algorithm that the profile does not pair with this content"),
        };
        let kid = headers.kid.as_ref().filter(|kid| kid.bucket == Bucket::Unprotected).ok_or("no kid")?;
        named(self.slice(&kid.value))?;
        let ephemeral = headers
            .ephemeral
            .as_ref()
            .filter(|key| key.bucket == Bucket::Unprotected && key.value.curve == Some(Curve::P256) && key.value.plain);
        let others = headers.unknown.len() + headers.crit.iter().len() + headers.others();
        if ephemeral.is_none() || others > 0 || recipient.ciphertext().len() != matched {
            return Err("a recipient that is not the profile's");
        }
        Ok(())
    }
}

/// A Partial IV is 1–5 bytes in shortest form; 0 is `h'00'`.
fn shortest(partial_iv: &[u8]) -> Result<(), &'static str> {
    match partial_iv {
        [] | [0, _, ..] | [_, _, _, _, _, _, ..] => Err("a Partial IV that is not 1 to 5 bytes in shortest form"),
        _ => Ok(()),
    }
}

const fn named(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.is_empty() || bytes.len() > 16 {
        return Err("kid or kid context of more than 16 bytes, or empty");
    }
    Ok(())
}

/// Only labels of the profile's table for this place.
fn only(headers: &Headers, allowed: Allowed) -> Result<(), &'static str> {
    let outside = !headers.unknown.is_empty()
        || !headers.rare.is_empty()
        || !headers.countersignatures.is_empty()
        || headers.crit.is_some()
        || headers.ephemeral.is_some()
        || headers.content_type.is_some() && !allowed.content_type
        || headers.iv.is_some() && !allowed.iv
        || headers.claims.is_some() && !allowed.claims
        || headers.typ.is_some() && !allowed.typ
        || !allowed.counted && (headers.kid.is_some() || headers.partial_iv.is_some() || headers.kid_context.is_some());
    if outside { Err("a label that the profile has not here") } else { Ok(()) }
}
