//! Recipients and signatures: whether each can be tried at all, by the order of jose.md §4.
//!
//! Imports its neighbours, `envelope::Fault` and `item`. One of an unknown algorithm, or of one that is off, is passed
//! over and harms no other; a rule of shape concerns the whole envelope.

use super::algorithm::{Encryption, KeyManagement, Management, Signature};
use super::headers::{Header, Headers};
use super::{Body, Message};
use crate::envelope::Fault;
use crate::item::{Compat, Departure, Reason};

/// Bytes of an Ed448 signature (RFC 8032 §5.2.6): the only sign of the curve that EdDSA gives before the key is known.
const ED448: usize = 114;
/// IV and tag of AES-GCM key encryption (RFC 7518 §4.7.1).
const GCM_WRAP: (usize, usize) = (12, 16);
/// What AES key wrap adds (RFC 3394 §2.2.1).
const WRAPPING: usize = 8;
/// Block of AES.
const BLOCK: usize = 16;

/// One recipient or signature: a way into the envelope.
#[derive(Clone, Debug)]
pub struct Way {
    /// A signature's protected header, as received.
    pub(super) protected: String,
    pub(super) headers: Headers,
    /// Encrypted key, or signature.
    pub(super) bytes: Vec<u8>,
    pub(super) fault: Option<Fault>,
}

impl Way {
    /// Its headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The encrypted key, or the signature.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Why it is passed over, where it is.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// How a recipient comes to the content key.
    pub fn key_management(&self) -> Option<&'static KeyManagement> {
        KeyManagement::of(&self.headers.alg.as_ref()?.value)
    }

    /// Whether a recipient's key comes from a password.
    pub fn takes_password(&self) -> bool {
        matches!(self.key_management().map(|known| known.management), Some(Management::Password { .. }))
    }

    /// How a signature is made.
    pub fn signature(&self) -> Option<&'static Signature> {
        Signature::of(&self.headers.alg.as_ref()?.value)
    }
}

impl Message {
    /// Why a way cannot be tried.
    pub(super) fn fault(&self, way: &Way, compat: &Compat) -> Option<Fault> {
        let headers = &way.headers;
        let protected = |header: &Option<Header<String>>| header.as_ref().is_none_or(|header| header.protected);
        if let Some(unknown) = self.unknown(way) {
            return Some(unknown);
        }
        if headers.is_misunderstood() {
            return Some(Fault { reason: Reason::CritNotUnderstood, detail: "a critical header" });
        }
        let encrypted = matches!(self.body, Body::Encrypted(_));
        let protected = protected(&headers.alg) && (!encrypted || protected(&headers.enc));
        if !protected && !compat.allows(Departure::UnprotectedAlg) {
            return Some(Fault { reason: Reason::AlgNotProtected, detail: "algorithm in an unprotected header" });
        }
        self.off(way, compat).map(|detail| Fault { reason: Reason::AlgNotAllowed, detail })
    }

    /// An algorithm that this reader does not know; `none` it knows, and never allows.
    fn unknown(&self, way: &Way) -> Option<Fault> {
        let known = match &self.body {
            Body::Encrypted(body) => way.key_management().is_some() && body.encryption.is_some(),
            Body::Signed(_) => way.signature().is_some(),
        };
        if !known && !is_none(way) {
            return Some(Fault::unsupported("an algorithm that this version does not know"));
        }
        let agrees = way.key_management().is_some_and(|known| known.management.agrees());
        if agrees && way.headers.epk.as_ref().is_some_and(|epk| epk.value.curve.is_none()) {
            return Some(Fault::unsupported("a curve that this version does not know"));
        }
        match &way.headers.zip {
            Some(zip) if self.is_deflated() && zip.value != "DEF" => {
                Some(Fault::unsupported("a compression that this version does not know"))
            }
            _ => None,
        }
    }

    /// What is off by default, and what is never on.
    fn off(&self, way: &Way, compat: &Compat) -> Option<&'static str> {
        if is_none(way) {
            return Some("an algorithm that protects nothing");
        }
        let off = match &self.body {
            Body::Encrypted(_) => way.key_management().and_then(|known| known.off),
            Body::Signed(_) => is_ed448(way).then_some(Departure::Ed448),
        };
        if off.is_some_and(|off| !compat.allows(off)) {
            return Some("an algorithm that is off");
        }
        (self.is_deflated() && !compat.allows(Departure::Zip)).then_some("compression is off")
    }
}

/// `none`, however it is written (RFC 8725 §3.1).
fn is_none(way: &Way) -> bool {
    way.headers.alg.as_ref().is_some_and(|alg| alg.value.eq_ignore_ascii_case("none"))
}

fn is_ed448(way: &Way) -> bool {
    way.signature().is_some_and(|known| known.name == "Ed448" || known.name == "EdDSA" && way.bytes.len() == ED448)
}

/// The one content encryption of all recipients (RFC 7516 §7.2.1), and the one compression; none where it is not known.
pub(super) fn one_encryption(ways: &[Way]) -> Result<Option<&'static Encryption>, Fault> {
    let name = |way: &Way| way.headers.enc.as_ref().map(|enc| enc.value.clone());
    let first = ways.first().and_then(name).ok_or(Fault::malformed("no enc"))?;
    if ways.iter().any(|way| name(way).as_ref() != Some(&first)) {
        return Err(Fault::malformed("recipients of several content encryptions"));
    }
    with_algorithms(ways)?;
    Ok(Encryption::of(&first))
}

/// Whether the payload is base64url in all signing inputs, or in none (RFC 7797 §3).
pub(super) fn one_encoding(ways: &[Way]) -> Result<bool, Fault> {
    with_algorithms(ways)?;
    let encoded = ways.first().is_none_or(|way| way.headers.is_encoded());
    match ways.iter().all(|way| way.headers.is_encoded() == encoded) {
        true => Ok(encoded),
        false => Err(Fault::malformed("signatures that differ in b64")),
    }
}

fn with_algorithms(ways: &[Way]) -> Result<(), Fault> {
    match ways.iter().all(|way| way.headers.alg.is_some()) {
        true => Ok(()),
        false => Err(Fault::malformed("no alg")),
    }
}

/// Exact lengths of IV and tag; blocks of AES-CBC are whole (RFC 7518 §5).
pub(super) fn sizes(encryption: &Encryption, iv: usize, ciphertext: usize, tag: usize) -> Result<(), Fault> {
    let whole = !encryption.blocks || ciphertext > 0 && ciphertext.is_multiple_of(BLOCK);
    match iv == encryption.iv && tag == encryption.tag && whole {
        true => Ok(()),
        false => Err(Fault::malformed("IV, ciphertext or tag of another length than the algorithm's")),
    }
}

/// The shape of each recipient whose algorithm is known (RFC 7518 §4).
pub(super) fn shapes(ways: &[Way], encryption: &Encryption) -> Result<(), Fault> {
    for way in ways {
        let Some(known) = way.key_management() else { continue };
        if known.management.is_direct() && ways.len() > 1 {
            return Err(Fault::malformed("a direct recipient that is not the only one"));
        }
        if let Some(detail) = misshapen(way, known.management, encryption) {
            return Err(Fault::malformed(detail));
        }
    }
    Ok(())
}

fn misshapen(way: &Way, management: Management, encryption: &Encryption) -> Option<&'static str> {
    let (headers, key) = (&way.headers, way.bytes.len());
    let length = |header: &Option<Header<Vec<u8>>>| header.as_ref().map(|header| header.value.len());
    if management.agrees() && headers.epk.is_none() {
        return Some("no epk");
    }
    match management {
        Management::Direct | Management::Agree if key > 0 => Some("an encrypted key where the key is shared or agreed"),
        Management::Wrap | Management::AgreeWrap { .. } | Management::Password { .. }
            if key != encryption.key + WRAPPING =>
        {
            Some("an encrypted key of another length than the wrapped one's")
        }
        Management::Password { .. } if headers.p2s.is_none() || headers.p2c.is_none() => Some("no p2s or p2c"),
        Management::GcmWrap if key != encryption.key => Some("an encrypted key of another length than the key's"),
        Management::GcmWrap if (length(&headers.iv), length(&headers.tag)) != (Some(GCM_WRAP.0), Some(GCM_WRAP.1)) => {
            Some("iv or tag of another length, or absent")
        }
        Management::Transport if key == 0 => Some("no encrypted key"),
        _ => None,
    }
}
