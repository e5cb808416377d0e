//! Any CMS (RFC 5652, RFC 5083, RFC 3274), as DER: for the profile's shapes in CMS ([`profile`]), for other systems, for
//! tests. Feature `cms`.
//!
//! ```text
//! SignedData          signers over content                AuthenticatedData  a MAC, its key to recipients
//! AuthEnvelopedData   AEAD, its key to recipients         EncryptedData      under a shared key
//! EnvelopedData       CBC, its key to recipients          DigestedData, CompressedData
//! ```
//! [`attribute`], [`recipient`] and [`signer`] hold the parts, [`algorithm`] the algorithms' identifiers, `der` writes, `oid`
//! names. Layers nest by [`Sealed::nested`], in either form. Content is as unique as the caller makes it: numbers and
//! binding are the profile's.

use alloc::vec::Vec;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rand_core::TryCryptoRng;

use self::algorithm::{Encryption, cek_hkdf, digest, hmac};
use self::attribute::{Attribute, covered};
use self::der::{
    CONTEXT, CONTEXT_CONSTRUCTED, algorithm as identifier, explicit, number, octets, retagged, sequence, set_of,
    set_of_tagged, tlv,
};
use self::recipient::Recipient;
use self::signer::Signer;
use crate::error::SealError;
use crate::primitive::digest::Hash;
use crate::primitive::key::Key;
use crate::primitive::{Secret, random};

pub mod algorithm;
pub mod attribute;
mod der;
mod oid;
pub mod profile;
pub mod recipient;
pub mod signer;

/// What a layer seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The content octets of its type's OID.
    pub content_type: Vec<u8>,
    /// The content itself.
    pub octets: Vec<u8>,
}

/// A content type of CMS, with what makes it.
pub enum Structure {
    /// Encrypted and authenticated, the key to recipients. Attributes are authenticated too.
    AuthEnvelopedData(Cipher, Vec<Recipient>, Vec<Attribute>),
    /// Authenticated, the key to recipients; with attributes where there are any.
    AuthenticatedData(Hash, Vec<Recipient>, Vec<Attribute>),
    /// Compressed, by zlib.
    CompressedData,
    /// With its digest.
    DigestedData(Hash),
    /// Encrypted under a key that both sides have.
    EncryptedData(Cipher, Key),
    /// Encrypted, the key to recipients.
    EnvelopedData(Cipher, Vec<Recipient>),
    /// Signed.
    SignedData(Signed),
}

/// How content is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipher {
    /// With what.
    pub encryption: Encryption,
    /// Under a key that CEK-HKDF-SHA256 makes of the content key (RFC 9709).
    pub derived: bool,
}

/// Of SignedData.
pub struct Signed {
    /// Who signs.
    pub signers: Vec<Signer>,
    /// Certificates that go along (DER).
    pub certificates: Vec<Vec<u8>>,
    /// Whether the content travels apart.
    pub detached: bool,
}

/// How a layer stands in the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// As its own content type, without ContentInfo.
    Structure,
    /// As id-data, with ContentInfo.
    ContentInfo,
}

/// One sealed layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    content_type: &'static [u8],
    structure: Vec<u8>,
}

/// What encryption gives.
struct Encrypted {
    /// EncryptedContentInfo.
    info: Vec<u8>,
    tag: Vec<u8>,
}

impl Content {
    /// Bytes of no particular type: id-data.
    pub fn data(octets: &[u8]) -> Self {
        Self { content_type: oid::DATA.to_vec(), octets: octets.to_vec() }
    }

    fn is_data(&self) -> bool {
        self.content_type == oid::DATA
    }

    /// `SEQUENCE { eContentType, [0] eContent? }`
    fn encapsulated(&self, detached: bool) -> Vec<u8> {
        let octets = if detached { Vec::new() } else { explicit(0, &octets(&self.octets)) };
        sequence(&[&der::oid(&self.content_type), &octets])
    }
}

impl Sealed {
    /// The whole message: `SEQUENCE { contentType, [0] content }`.
    pub fn content_info(&self) -> Vec<u8> {
        sequence(&[&der::oid(self.content_type), &explicit(0, &self.structure)])
    }

    /// As the content of the layer around it.
    pub fn nested(&self, nesting: Nesting) -> Content {
        match nesting {
            Nesting::ContentInfo => Content::data(&self.content_info()),
            Nesting::Structure => Content { content_type: self.content_type.to_vec(), octets: self.structure.clone() },
        }
    }
}

impl Cipher {
    /// Under the content key as it is.
    pub const fn new(encryption: Encryption) -> Self {
        Self { encryption, derived: false }
    }

    /// `SEQUENCE { contentType, contentEncryptionAlgorithm, [0] encryptedContent }`, and the tag.
    fn encrypt<R: TryCryptoRng + ?Sized>(
        self,
        key: &Secret,
        aad: &[u8],
        content: &Content,
        rng: &mut R,
    ) -> Result<Encrypted, SealError> {
        if key.len() != self.encryption.key_len() {
            return Err(SealError::AlgorithmNotAllowed(self.encryption.name()));
        }
        let nonce = random(self.encryption.nonce_len(), rng)?;
        let identifier = self.encryption.identifier(&nonce);
        let (key, identifier) = if self.derived { cek_hkdf(key, &identifier)? } else { (key.clone(), identifier) };
        let (ciphertext, tag) = self.encryption.encrypt(&key, &nonce, aad, &content.octets)?;
        let info = sequence(&[&der::oid(&content.content_type), &identifier, &tlv(CONTEXT, &ciphertext)]);
        Ok(Encrypted { info, tag })
    }
}

impl Structure {
    /// Signed by one, with no certificate.
    pub fn signed(signer: Signer) -> Self {
        Self::SignedData(Signed { signers: [signer].into(), certificates: Vec::new(), detached: false })
    }

    /// Seals.
    pub fn seal<R: TryCryptoRng + ?Sized>(&self, content: &Content, rng: &mut R) -> Result<Sealed, SealError> {
        let (content_type, structure) = match self {
            Self::AuthEnvelopedData(cipher, recipients, attributes) => {
                (oid::AUTH_ENVELOPED_DATA, auth_enveloped(*cipher, recipients, attributes, content, rng)?)
            }
            Self::AuthenticatedData(hash, recipients, attributes) => {
                (oid::AUTHENTICATED_DATA, authenticated(*hash, recipients, attributes, content, rng)?)
            }
            Self::CompressedData => (oid::COMPRESSED_DATA, compressed(content)?),
            Self::DigestedData(hash) => (oid::DIGESTED_DATA, digested(*hash, content)),
            Self::EncryptedData(cipher, key) => {
                unauthenticated(*cipher)?;
                let Encrypted { info, .. } = cipher.encrypt(key.secret()?, &[], content, rng)?;
                (oid::ENCRYPTED_DATA, sequence(&[&number(0), &info]))
            }
            Self::EnvelopedData(cipher, recipients) => {
                (oid::ENVELOPED_DATA, enveloped(*cipher, recipients, content, rng)?)
            }
            Self::SignedData(signed) => (oid::SIGNED_DATA, signed.seal(content)?),
        };
        Ok(Sealed { content_type, structure })
    }
}

impl Signed {
    /// `SEQUENCE { version, digestAlgorithms, encapContentInfo, [0] certificates?, signerInfos }` (RFC 5652 §5.1)
    fn seal(&self, content: &Content) -> Result<Vec<u8>, SealError> {
        if self.signers.is_empty() {
            return Err(SealError::KeyMissing("a signer"));
        }
        let version = if !content.is_data() || self.signers.iter().any(Signer::has_version_3) { 3 } else { 1 };
        let mut digests: Vec<Vec<u8>> = self.signers.iter().map(Signer::digest_identifier).collect();
        digests.sort_unstable();
        digests.dedup();
        let infos = self.signers.iter().map(|signer| signer.info(content)).collect::<Result<_, _>>()?;
        let certificates = match self.certificates.as_slice() {
            [] => Vec::new(),
            some => set_of_tagged(CONTEXT_CONSTRUCTED, some.to_vec()),
        };
        Ok(sequence(&[
            &number(version),
            &set_of(digests),
            &content.encapsulated(self.detached),
            &certificates,
            &set_of(infos),
        ]))
    }
}

/// The content key, and RecipientInfos that bring it.
fn deliver<R: TryCryptoRng + ?Sized>(
    recipients: &[Recipient],
    len: usize,
    rng: &mut R,
) -> Result<(Secret, Vec<u8>), SealError> {
    if recipients.is_empty() {
        return Err(SealError::KeyMissing("a recipient"));
    }
    let key = random(len, rng)?;
    let infos = recipients.iter().map(|recipient| recipient.wrap(&key, rng)).collect::<Result<_, _>>()?;
    Ok((key, set_of(infos)))
}

/// `SEQUENCE { 0, recipientInfos, authEncryptedContentInfo, [1] authAttrs?, mac }` (RFC 5083 §2.1)
fn auth_enveloped<R: TryCryptoRng + ?Sized>(
    cipher: Cipher,
    recipients: &[Recipient],
    attributes: &[Attribute],
    content: &Content,
    rng: &mut R,
) -> Result<Vec<u8>, SealError> {
    if !cipher.encryption.authenticates() {
        return Err(SealError::AlgorithmNotAllowed(cipher.encryption.name()));
    }
    let (key, infos) = deliver(recipients, cipher.encryption.key_len(), rng)?;
    let mut attributes = attributes.to_vec();
    if !content.is_data() || !attributes.is_empty() {
        attributes.push(Attribute::content_type(&content.content_type));
    }
    let aad = if attributes.is_empty() { Vec::new() } else { covered(&attributes) };
    let Encrypted { info, tag } = cipher.encrypt(&key, &aad, content, rng)?;
    let attributes = if aad.is_empty() { aad } else { retagged(CONTEXT_CONSTRUCTED | 1, aad) };
    Ok(sequence(&[&number(0), &infos, &info, &attributes, &octets(&tag)]))
}

/// `SEQUENCE { version, recipientInfos, encryptedContentInfo }` (RFC 5652 §6.1)
fn enveloped<R: TryCryptoRng + ?Sized>(
    cipher: Cipher,
    recipients: &[Recipient],
    content: &Content,
    rng: &mut R,
) -> Result<Vec<u8>, SealError> {
    unauthenticated(cipher)?;
    let (key, infos) = deliver(recipients, cipher.encryption.key_len(), rng)?;
    let Encrypted { info, .. } = cipher.encrypt(&key, &[], content, rng)?;
    let version = if recipients.iter().any(Recipient::is_of_version_3) {
        3
    } else if recipients.iter().all(Recipient::is_version_0) {
        0
    } else {
        2
    };
    Ok(sequence(&[&number(version), &infos, &info]))
}

/// AEADs have structures of their own.
const fn unauthenticated(cipher: Cipher) -> Result<(), SealError> {
    if cipher.encryption.authenticates() {
        return Err(SealError::AlgorithmNotAllowed(cipher.encryption.name()));
    }
    Ok(())
}

/// `SEQUENCE { 0, recipientInfos, macAlgorithm, [1] digestAlgorithm?, encapContentInfo, [2] authAttrs?, mac }`
/// (RFC 5652 §9.1)
fn authenticated<R: TryCryptoRng + ?Sized>(
    hash: Hash,
    recipients: &[Recipient],
    attributes: &[Attribute],
    content: &Content,
    rng: &mut R,
) -> Result<Vec<u8>, SealError> {
    let (key, infos) = deliver(recipients, hash.output_len(), rng)?;
    let mut attributes = attributes.to_vec();
    if !content.is_data() || !attributes.is_empty() {
        attributes.push(Attribute::content_type(&content.content_type));
        attributes.push(Attribute::message_digest(&hash.digest(&content.octets)));
    }
    let (digest_algorithm, set) = match attributes.as_slice() {
        [] => (Vec::new(), Vec::new()),
        some => (retagged(CONTEXT_CONSTRUCTED | 1, digest(hash)), covered(some)),
    };
    let mac = hash.hmac(&key, if set.is_empty() { &content.octets } else { &set });
    let set = if set.is_empty() { set } else { retagged(CONTEXT_CONSTRUCTED | 2, set) };
    let parts = [infos, hmac(hash), digest_algorithm, content.encapsulated(false), set, octets(&mac)];
    Ok(sequence(&[&number(0), &parts.concat()]))
}

/// `SEQUENCE { version, digestAlgorithm, encapContentInfo, digest }` (RFC 5652 §7)
fn digested(hash: Hash, content: &Content) -> Vec<u8> {
    let version = if content.is_data() { 0 } else { 2 };
    let value = octets(&hash.digest(&content.octets));
    sequence(&[&number(version), &digest(hash), &content.encapsulated(false), &value])
}

/// `SEQUENCE { 0, compressionAlgorithm, encapContentInfo }` (RFC 3274 §1.1)
fn compressed(content: &Content) -> Result<Vec<u8>, SealError> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::default());
    let octets = to.write_all(&content.octets).and_then(|()| to.finish()).map_err(|_| SealError::Encryption)?;
    let content = Content { content_type: content.content_type.clone(), octets };
    Ok(sequence(&[&number(0), &identifier(oid::ZLIB, &[]), &content.encapsulated(false)]))
}

#[cfg(test)]
mod tests;
