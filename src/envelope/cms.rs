//! CMS messages (RFC 5652, 5083, 3274), read strictly: DER, or BER with indefinite lengths and strings in segments.
//!
//! Imports `item`, `envelope`, `codec` to inflate, der for times, base64 for armour, and serde_json and hex to describe.
//! `armour` unwraps, `scan` walks the bytes once with a bounded stack into a flat table, `walk` and `structure` read that
//! table by type, `policy` says what is off. Received bytes are authenticated as they came, never encoded again; but for
//! strings in segments nothing is copied.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::codec::inflate;
use crate::envelope::{Fault, Reading};
use crate::item::{Departure, KeyName, Reason};

mod algorithm;
mod armour;
mod attributes;
mod certificate;
mod describe;
#[cfg(test)]
pub(crate) mod fixture;
mod oid;
mod policy;
mod recipient;
mod scan;
mod signer;
mod statement;
mod structure;
mod walk;
mod writer;

pub use algorithm::{Cipher, Derivation, Encryption, Hash, Password, Signature, Transport, Wrap};
pub use attributes::{Attributes, CertificateHash};
pub use certificate::Named;
pub use recipient::{Agreement, Encapsulation, Originator, Recipient, Way};
pub use signer::Signer;
pub use statement::Statement;

use crate::envelope::cms::certificate::Carried;
use crate::envelope::cms::oid::Arc as OidArc;
use crate::envelope::cms::structure::Body;

/// Most bytes that compressed content becomes; besides, ten times its own.
const INFLATED: usize = 256 * 1024;

/// The structures that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// RFC 5083.
    AuthEnvelopedData,
    /// RFC 5652 §9.
    AuthenticatedData,
    /// RFC 3274.
    CompressedData,
    /// RFC 5652 §4.
    Data,
    /// RFC 5652 §7.
    DigestedData,
    /// RFC 5652 §8.
    EncryptedData,
    /// RFC 5652 §6.
    EnvelopedData,
    /// RFC 5652 §5.
    SignedData,
}

impl Structure {
    /// The structure of a content type.
    fn of(content_type: &[u8]) -> Option<Self> {
        Some(match oid::split(content_type) {
            (OidArc::Pkcs7, [1]) => Self::Data,
            (OidArc::Pkcs7, [2]) => Self::SignedData,
            (OidArc::Pkcs7, [3]) => Self::EnvelopedData,
            (OidArc::Pkcs7, [5]) => Self::DigestedData,
            (OidArc::Pkcs7, [6]) => Self::EncryptedData,
            (OidArc::Smime, [1, 2]) => Self::AuthenticatedData,
            (OidArc::Smime, [1, 9]) => Self::CompressedData,
            (OidArc::Smime, [1, 23]) => Self::AuthEnvelopedData,
            _ => return None,
        })
    }

    /// Its name in the standards.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthEnvelopedData => "AuthEnvelopedData",
            Self::AuthenticatedData => "AuthenticatedData",
            Self::CompressedData => "CompressedData",
            Self::Data => "Data",
            Self::DigestedData => "DigestedData",
            Self::EncryptedData => "EncryptedData",
            Self::EnvelopedData => "EnvelopedData",
            Self::SignedData => "SignedData",
        }
    }

    /// Whether a key is needed to open it.
    pub const fn is_keyed(self) -> bool {
        !matches!(self, Self::CompressedData | Self::Data | Self::DigestedData)
    }
}

/// What is around a message.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Layers that were opened; none around what arrived.
    pub layers: usize,
    /// A signature is verified.
    pub signed: bool,
    /// It was decrypted without authentication, and no signature covers that: whatever is wrong within has one answer.
    pub malleable: bool,
    /// What is said unless a signature follows.
    pub due: Option<Fault>,
}

/// What content is again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nested {
    /// A structure without its ContentInfo: its type says so.
    Bare(Structure),
    /// A ContentInfo.
    ContentInfo,
    /// A MIME entity that holds a message.
    Entity,
}

/// A parsed message.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Arc<[u8]>,
    structure: Structure,
    around: Around,
    content_type: Range<usize>,
    /// Of what is under an AEAD, with its tag.
    content: Range<usize>,
    detached: bool,
    certificates: Vec<Carried>,
    body: Body,
    /// Why it is not tried: nothing of it is implemented and allowed.
    fault: Option<Fault>,
}

/// Whether `bytes` begin as a message does, armoured or not: nothing of another family begins so.
pub fn begins(bytes: &[u8]) -> bool {
    bytes.first() == Some(&walk::SEQUENCE) || armour::is_labelled(bytes) || armour::is_base64(bytes)
}

/// Whether `bytes` are one whole message of a content type that is known, in DER or BER, or in an armour that names it.
pub fn is_whole(bytes: &[u8]) -> bool {
    if bytes.first() != Some(&walk::SEQUENCE) {
        return armour::is_labelled(bytes);
    }
    structure::begins(bytes) && scan::scan(bytes).is_ok()
}

/// What content of that type is again: a structure by its type (RFC 5652 §5.2), or within data a whole message.
pub fn nested(content_type: &[u8], content: &[u8]) -> Option<Nested> {
    match Structure::of(content_type) {
        None => None,
        Some(Structure::Data) if structure::begins(content) => Some(Nested::ContentInfo),
        Some(Structure::Data) => armour::is_entity(content).then_some(Nested::Entity),
        Some(structure) => Some(Nested::Bare(structure)),
    }
}

impl Message {
    /// Parses what arrived, armoured or not.
    pub fn parse(bytes: &Arc<[u8]>, reading: &Reading<'_>) -> Result<Self, Fault> {
        let bare = armour::unwrap(bytes, reading.compat)?;
        let reading = Reading { detached: bare.signed.or(reading.detached), ..*reading };
        match bare.message {
            Cow::Borrowed(message) if message.len() == bytes.len() => {
                Self::read(bytes, None, Around::default(), &reading)
            }
            message => Self::read(&Arc::from(message), None, Around::default(), &reading),
        }
    }

    /// Parses what a layer held.
    pub fn parse_inner(
        content: &Arc<[u8]>,
        nested: Nested,
        around: Around,
        reading: &Reading<'_>,
    ) -> Result<Self, Fault> {
        if around.layers >= reading.limits.layers {
            return Err(too_large("more layers than allowed"));
        }
        let reading = &reading.within();
        match nested {
            Nested::Bare(structure) => Self::read(content, Some(structure), around, reading),
            Nested::ContentInfo => Self::read(content, None, around, reading),
            Nested::Entity if !reading.compat.allows(Departure::SmimeEntity) => {
                Err(Fault::unsupported("a MIME entity within a message is off"))
            }
            Nested::Entity => {
                let bare = armour::unwrap(content, reading.compat)?;
                let reading = Reading { detached: bare.signed, ..*reading };
                Self::read(&Arc::from(bare.message), None, around, &reading)
            }
        }
    }

    fn read(bytes: &Arc<[u8]>, bare: Option<Structure>, around: Around, reading: &Reading<'_>) -> Result<Self, Fault> {
        let mut message = structure::message(bytes, bare, around, reading)?;
        message.judge(reading.compat)?;
        Ok(message)
    }

    /// The structure.
    pub const fn structure(&self) -> Structure {
        self.structure
    }

    /// What is around it.
    pub const fn around(&self) -> &Around {
        &self.around
    }

    /// Why it is not tried, if it is not.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Bytes that a range of this message is about.
    pub fn slice(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// Contents of the identifier of the content's type.
    pub fn content_type(&self) -> &[u8] {
        self.slice(&self.content_type)
    }

    /// What is signed, hashed or encrypted; of what is under an AEAD, with its tag.
    pub fn content(&self) -> &[u8] {
        self.slice(&self.content)
    }

    /// Whether the content was supplied beside the message.
    pub const fn is_detached(&self) -> bool {
        self.detached
    }

    /// Certificates that the message carries along: candidates, never trusted.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| self.slice(&certificate.whole))
    }

    /// Those of them that have this name.
    pub fn named(&self, named: &Named) -> impl Iterator<Item = &[u8]> {
        let has = move |certificate: &&Carried| certificate.is(named, &self.bytes);
        self.certificates.iter().filter(has).map(|certificate| self.slice(&certificate.whole))
    }

    /// Who may get at the content key.
    pub fn recipients(&self) -> &[Recipient] {
        match &self.body {
            Body::Authenticated { recipients, .. } | Body::Encrypted { recipients, .. } => recipients,
            _ => &[],
        }
    }

    /// Who says that it signed.
    pub fn signers(&self) -> &[Signer] {
        match &self.body {
            Body::Signed { signers, .. } => signers,
            _ => &[],
        }
    }

    /// Content encryption; none where there is none, or it is not implemented.
    pub const fn encryption(&self) -> Option<&Encryption> {
        match &self.body {
            Body::Encrypted { encryption, .. } => encryption.as_ref(),
            _ => None,
        }
    }

    /// The content encryption's identifier, as received.
    pub fn encryption_identifier(&self) -> &[u8] {
        match &self.body {
            Body::Encrypted { identifier, .. } => self.slice(identifier),
            _ => &[],
        }
    }

    /// The MAC of an AuthenticatedData: hash of its HMAC, and its value.
    pub fn mac(&self) -> Option<(Hash, &[u8])> {
        match &self.body {
            Body::Authenticated { mac, tag, .. } => mac.map(|hash| (hash, self.slice(tag))),
            _ => None,
        }
    }

    /// The digest of a DigestedData, and its hash.
    pub fn digest(&self) -> Option<(Hash, &[u8])> {
        match &self.body {
            Body::Digested { hash, digest } => hash.map(|hash| (hash, self.slice(digest))),
            _ => None,
        }
    }

    /// Attributes that a MAC or a tag covers.
    pub const fn attributes(&self) -> Option<&Attributes> {
        match &self.body {
            Body::Authenticated { attributes, .. } | Body::Encrypted { attributes, .. } => attributes.as_ref(),
            _ => None,
        }
    }

    /// A signer's signature, as its algorithm writes it.
    pub fn signature(&self, signer: &Signer) -> &[u8] {
        self.slice(&signer.signature)
    }

    /// The content key as it is encrypted to a recipient.
    pub fn encrypted_key(&self, recipient: &Recipient) -> &[u8] {
        self.slice(&recipient.encrypted_key)
    }

    /// What a signature covers: signed attributes as a SET OF, without them the content (RFC 5652 §5.4).
    pub fn covered<'a>(&'a self, signer: &Signer) -> Cow<'a, [u8]> {
        self.set_or_content(signer.attributes())
    }

    /// What a MAC covers (§9.2).
    pub fn authenticated(&self) -> Cow<'_, [u8]> {
        self.set_or_content(self.attributes())
    }

    fn set_or_content(&self, attributes: Option<&Attributes>) -> Cow<'_, [u8]> {
        match attributes {
            Some(attributes) => Cow::Owned(attributes.as_set(&self.bytes)),
            None => Cow::Borrowed(self.content()),
        }
    }

    /// Additional data of an AEAD: its attributes as a SET OF, or nothing (RFC 5083 §2.2).
    pub fn aad(&self) -> Vec<u8> {
        self.attributes().map(|attributes| attributes.as_set(&self.bytes)).unwrap_or_default()
    }

    /// The digest that attributes say the content has, and its hash; none where there are no attributes.
    pub fn claimed_digest<'a>(&'a self, attributes: &'a Attributes, hash: Option<Hash>) -> Option<(Hash, &'a [u8])> {
        hash.zip(attributes.message_digest.as_ref().map(|digest| self.slice(digest)))
    }

    /// The hash of an AuthenticatedData's content.
    pub const fn digest_algorithm(&self) -> Option<Hash> {
        match &self.body {
            Body::Authenticated { digest, .. } => *digest,
            _ => None,
        }
    }

    /// The content without its compression, within bounds (threats.md §2).
    pub fn inflated(&self) -> Result<Vec<u8>, Fault> {
        inflate::inflate(self.content(), "deflate", INFLATED).map_err(|error| match error {
            inflate::Error::TooLarge => too_large("compressed content that grows too large"),
            inflate::Error::Malformed | inflate::Error::Unsupported => Fault::malformed("compressed content"),
        })
    }

    /// The names by which recipients and signers ask for keys.
    pub fn key_names(&self) -> Vec<KeyName> {
        let of_recipients = self.recipients().iter().flat_map(|recipient| match recipient.way() {
            Way::Agreement(Agreement { recipient: named, .. }) | Way::Transport(named, _) => self.names(named),
            Way::Encapsulation(Encapsulation { recipient: named, .. }) => self.names(named),
            Way::Kek(identifier, _) => vec![KeyName::Kid(self.slice(identifier).to_vec())],
            Way::Other(_) | Way::Password(_) => Vec::new(),
        });
        let of_signers = self.signers().iter().filter_map(Signer::named).flat_map(|named| self.names(named));
        of_recipients.chain(of_signers).collect()
    }

    /// A key identifier names a certificate's key, or one without a certificate by its kid.
    fn names(&self, named: &Named) -> Vec<KeyName> {
        match named {
            Named::IssuerSerial(issuer, serial) => {
                let (issuer, serial) = (self.slice(issuer).to_vec(), self.slice(serial).to_vec());
                vec![KeyName::IssuerSerial { issuer, serial }]
            }
            Named::Ski(identifier) => {
                let identifier = self.slice(identifier).to_vec();
                vec![KeyName::Ski(identifier.clone()), KeyName::Kid(identifier)]
            }
        }
    }
}

const fn too_large(detail: &'static str) -> Fault {
    Fault { reason: Reason::TooLarge, detail }
}

#[cfg(test)]
mod tests;
