//! AlgorithmIdentifiers and their parameters: hashes, signatures, MACs, content encryption, and what manages keys.
//!
//! Imports its neighbours and `envelope::Fault`. Here is what an identifier says; `policy` says what of it is off.

use std::ops::Range;

use super::oid::{self, Arc};
use super::too_large;
use super::walk::{Fields, INTEGER, NULL, Node, SEQUENCE, short};
use crate::envelope::{Curve, Fault};

/// `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }` (RFC 5280 §4.1.1.2).
#[derive(Clone)]
pub(super) struct Identifier<'a> {
    /// As received: it goes into key derivations verbatim.
    pub(super) whole: Range<usize>,
    arc: Arc,
    rest: &'a [u8],
    parameters: Option<Node<'a>>,
}

impl<'a> Identifier<'a> {
    /// The next field.
    pub(super) fn next(fields: &mut Fields<'a>) -> Result<Self, Fault> {
        let node = fields.one(SEQUENCE, "an AlgorithmIdentifier is due")?;
        Self::of(node.whole(), node.within())
    }

    /// An element that is one, under whatever tag.
    pub(super) fn tagged(node: Node<'a>) -> Result<Self, Fault> {
        Self::of(node.whole(), node.within())
    }

    fn of(whole: Range<usize>, mut fields: Fields<'a>) -> Result<Self, Fault> {
        let oid = fields.oid("an algorithm is due")?;
        let parameters = fields.next();
        fields.end("after an algorithm's parameters")?;
        let (arc, rest) = oid::split(oid.contents());
        Ok(Self { whole, arc, rest, parameters })
    }

    fn is(&self) -> (Arc, &'a [u8]) {
        (self.arc, self.rest)
    }

    fn sequence(&self) -> Result<Fields<'a>, Fault> {
        let what = "an algorithm's parameters are due";
        self.parameters.ok_or_else(|| Fault::malformed(what))?.fields(SEQUENCE, what)
    }

    /// An OCTET STRING of that many octets.
    fn iv(&self, lengths: &[usize]) -> Result<Range<usize>, Fault> {
        let node = self.parameters.filter(|node| node.tag() == 0x04);
        let range = node.map(Node::range).filter(|range| lengths.contains(&range.len()));
        range.ok_or(Fault::malformed("an initialization vector of another length than the cipher's"))
    }

    fn none(&self) -> Result<(), Fault> {
        if self.parameters.is_none() { Ok(()) } else { Err(Fault::malformed("parameters where there are none")) }
    }

    fn none_or_null(&self) -> Result<(), Fault> {
        let null = |node: Node<'_>| node.tag() == NULL && node.contents().is_empty();
        let sound = self.parameters.is_none_or(null);
        if sound { Ok(()) } else { Err(Fault::malformed("parameters where there are none")) }
    }
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-3, of any length.
    Sha3,
}

impl Hash {
    /// None: an algorithm that is not implemented (RFC 5754 §2).
    pub(super) fn of(identifier: &Identifier<'_>) -> Result<Option<Self>, Fault> {
        let hash = match identifier.is() {
            (Arc::Nist, [2, 1]) => Self::Sha256,
            (Arc::Nist, [2, 2]) => Self::Sha384,
            (Arc::Nist, [2, 3]) => Self::Sha512,
            (Arc::Nist, [2, 4]) => Self::Sha224,
            (Arc::Nist, [2, 7..=10]) => Self::Sha3,
            (Arc::Oiw, [26]) => Self::Sha1,
            (Arc::Rsa, [2, 5]) => Self::Md5,
            _ => return Ok(None),
        };
        identifier.none_or_null()?;
        Ok(Some(hash))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha3 => "SHA-3",
        }
    }
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// ECDSA with that hash, on any curve.
    Ecdsa(Hash),
    /// Ed25519 (RFC 8419).
    Ed25519,
    /// RSASSA-PSS (RFC 4056).
    Pss {
        /// Of the message.
        hash: Hash,
        /// Of the mask.
        mask: Hash,
        /// Octets.
        salt: usize,
    },
    /// RSASSA-PKCS1-v1_5.
    RsaV15(Hash),
}

impl Signature {
    /// `digest` is the signer's digest algorithm: rsaEncryption names no hash of its own (RFC 5754 §3.2).
    pub(super) fn of(identifier: &Identifier<'_>, digest: Option<Hash>) -> Result<Option<Self>, Fault> {
        let signature = match identifier.is() {
            (Arc::X962, [4, 1]) => Self::Ecdsa(Hash::Sha1),
            (Arc::X962, [4, 3, hash @ 1..=4]) => Self::Ecdsa(sha2(*hash)),
            (Arc::Thawte, [112]) => Self::Ed25519,
            (Arc::Pkcs1, [10]) => return pss(identifier),
            (Arc::Pkcs1, [1]) => match digest {
                Some(hash) => Self::RsaV15(hash),
                None => return Ok(None),
            },
            (Arc::Pkcs1, [4]) => Self::RsaV15(Hash::Md5),
            (Arc::Pkcs1, [5]) => Self::RsaV15(Hash::Sha1),
            (Arc::Pkcs1, [11]) => Self::RsaV15(Hash::Sha256),
            (Arc::Pkcs1, [12]) => Self::RsaV15(Hash::Sha384),
            (Arc::Pkcs1, [13]) => Self::RsaV15(Hash::Sha512),
            (Arc::Pkcs1, [14]) => Self::RsaV15(Hash::Sha224),
            (Arc::Nist, [3, 9..=12]) => Self::Ecdsa(Hash::Sha3),
            (Arc::Nist, [3, 13..=16]) => Self::RsaV15(Hash::Sha3),
            _ => return Ok(None),
        };
        match signature {
            Self::RsaV15(_) => identifier.none_or_null()?,
            _ => identifier.none()?,
        }
        Ok(Some(signature))
    }

    /// The hash of what is signed; Ed25519 goes with SHA-512 (RFC 8419 §3).
    pub const fn hash(self) -> Hash {
        match self {
            Self::Ecdsa(hash) | Self::Pss { hash, .. } | Self::RsaV15(hash) => hash,
            Self::Ed25519 => Hash::Sha512,
        }
    }

    /// As in the COSE registry; none where that has no name for it.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Ecdsa(Hash::Sha256) => "ES256",
            Self::Ecdsa(Hash::Sha384) => "ES384",
            Self::Ecdsa(Hash::Sha512) => "ES512",
            Self::Ed25519 => "Ed25519",
            Self::Pss { hash: Hash::Sha256, .. } => "PS256",
            Self::Pss { hash: Hash::Sha384, .. } => "PS384",
            Self::Pss { hash: Hash::Sha512, .. } => "PS512",
            Self::RsaV15(Hash::Sha256) => "RS256",
            Self::RsaV15(Hash::Sha384) => "RS384",
            Self::RsaV15(Hash::Sha512) => "RS512",
            _ => return None,
        })
    }
}

/// The last number of ecdsa-with-SHA2 (RFC 5758 §3.2).
const fn sha2(number: u8) -> Hash {
    match number {
        1 => Hash::Sha224,
        2 => Hash::Sha256,
        3 => Hash::Sha384,
        _ => Hash::Sha512,
    }
}

/// `RSASSA-PSS-params ::= SEQUENCE { hash [0] DEFAULT sha1, mask [1] DEFAULT mgf1SHA1, salt [2] DEFAULT 20,
/// trailer [3] DEFAULT 1 }` (RFC 4055 §3.1).
fn pss(identifier: &Identifier<'_>) -> Result<Option<Signature>, Fault> {
    let mut fields = identifier.sequence()?;
    let (hash, mask) = hash_and_mask(&mut fields)?;
    let salt = default_number(&mut fields, 2, 20)?;
    let trailer = default_number(&mut fields, 3, 1)?;
    fields.end("after the parameters of RSASSA-PSS")?;
    if trailer != 1 {
        return Err(Fault::malformed("another trailer than RSASSA-PSS has"));
    }
    let salt = usize::try_from(salt).ok().filter(|salt| *salt <= 1_024).ok_or(too_large("a salt that is too long"))?;
    Ok(hash.zip(mask).map(|(hash, mask)| Signature::Pss { hash, mask, salt }))
}

/// The first two fields of the parameters of RSASSA-PSS and of RSAES-OAEP.
fn hash_and_mask(fields: &mut Fields<'_>) -> Result<(Option<Hash>, Option<Hash>), Fault> {
    let hash = match fields.explicit(0, "a hash is due")? {
        None => Some(Hash::Sha1),
        Some(node) => Hash::of(&Identifier::tagged(sequence(node)?)?)?,
    };
    let Some(node) = fields.explicit(1, "a mask generation function is due")? else {
        return Ok((hash, Some(Hash::Sha1)));
    };
    let mask = Identifier::tagged(sequence(node)?)?;
    if mask.is() != (Arc::Pkcs1, &[8]) {
        return Ok((hash, None));
    }
    let parameters = mask.parameters.ok_or(Fault::malformed("the hash of a mask is due"))?;
    Ok((hash, Hash::of(&Identifier::tagged(sequence(parameters)?)?)?))
}

fn sequence(node: Node<'_>) -> Result<Node<'_>, Fault> {
    if node.tag() == SEQUENCE { Ok(node) } else { Err(Fault::malformed("an AlgorithmIdentifier is due")) }
}

fn default_number(fields: &mut Fields<'_>, tag: u8, default: u64) -> Result<u64, Fault> {
    let what = "a number is due";
    match fields.explicit(tag, what)? {
        None => Ok(default),
        Some(node) if node.tag() == INTEGER => node.number(),
        Some(_) => Err(Fault::malformed(what)),
    }
}

/// HMAC with that hash, at full length (RFC 3370 §3.1, RFC 4231).
pub(super) fn hmac(identifier: &Identifier<'_>) -> Result<Option<Hash>, Fault> {
    let hash = match identifier.is() {
        (Arc::Rsa, [2, 7]) | (Arc::Other, oid::HMAC_SHA1) => Hash::Sha1,
        (Arc::Rsa, [2, 8]) => Hash::Sha224,
        (Arc::Rsa, [2, 9]) => Hash::Sha256,
        (Arc::Rsa, [2, 10]) => Hash::Sha384,
        (Arc::Rsa, [2, 11]) => Hash::Sha512,
        _ => return Ok(None),
    };
    identifier.none_or_null()?;
    Ok(Some(hash))
}

/// A content cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES-CBC with a key of that many bits.
    Cbc(u16),
    /// AES-CCM.
    Ccm(u16),
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
    /// AES-GCM.
    Gcm(u16),
    /// DES, RC2 and the like: never.
    Obsolete,
    /// DES-EDE3-CBC.
    TripleDes,
}

impl Cipher {
    /// Whether it notices a change.
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::Ccm(_) | Self::ChaCha20Poly1305 | Self::Gcm(_))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbc(128) => "A128CBC",
            Self::Cbc(192) => "A192CBC",
            Self::Cbc(_) => "A256CBC",
            Self::Ccm(128) => "AES-128-CCM",
            Self::Ccm(192) => "AES-192-CCM",
            Self::Ccm(_) => "AES-256-CCM",
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            Self::Gcm(128) => "A128GCM",
            Self::Gcm(192) => "A192GCM",
            Self::Gcm(_) => "A256GCM",
            Self::Obsolete => "obsolete",
            Self::TripleDes => "DES-EDE3-CBC",
        }
    }

    /// Octets of its key.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Cbc(bits) | Self::Ccm(bits) | Self::Gcm(bits) => bits as usize / 8,
            Self::ChaCha20Poly1305 => 32,
            Self::Obsolete => 0,
            Self::TripleDes => 24,
        }
    }
}

/// Content encryption and its parameters.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// The cipher.
    pub cipher: Cipher,
    /// Nonce or initialization vector.
    pub nonce: Range<usize>,
    /// Octets of the tag; 0 where there is none.
    pub tag: usize,
    /// The identifier that the content key is derived for, where it is (RFC 9709).
    pub derived: Option<Range<usize>>,
}

/// GCMParameters and CCMParameters have this for an ICVlen that is left out (RFC 5084 §3.1, §3.2).
const DEFAULT_TAG: u64 = 12;

impl Encryption {
    /// None: a cipher that is not implemented.
    pub(super) fn of(identifier: &Identifier<'_>) -> Result<Option<Self>, Fault> {
        // RFC 9709 §2: the parameter is the AlgorithmIdentifier of the cipher; one level.
        if identifier.is() == (Arc::Smime, &[3, 31]) {
            let missing = Fault::malformed("the cipher of a derived key is due");
            let inner = Identifier::tagged(sequence(identifier.parameters.ok_or(missing)?)?)?;
            if inner.is() == identifier.is() {
                return Err(Fault::malformed("a derived key derived again"));
            }
            let encryption = Self::plain(&inner)?;
            return Ok(encryption.map(|encryption| Self { derived: Some(inner.whole), ..encryption }));
        }
        Self::plain(identifier)
    }

    fn plain(identifier: &Identifier<'_>) -> Result<Option<Self>, Fault> {
        let cipher = match identifier.is() {
            (Arc::Nist, [1, number]) => match aes(*number) {
                Some(cipher) => cipher,
                None => return Ok(None),
            },
            (Arc::Smime, [3, 18]) => Cipher::ChaCha20Poly1305,
            (Arc::Rsa, [3, 7]) => Cipher::TripleDes,
            (Arc::Rsa, [3, 2 | 4]) | (Arc::Oiw, [7]) => Cipher::Obsolete,
            _ => return Ok(None),
        };
        let (nonce, tag) = match cipher {
            Cipher::Gcm(_) => aead_parameters(identifier, 1..=16)?,
            Cipher::Ccm(_) => aead_parameters(identifier, 7..=13)?,
            Cipher::ChaCha20Poly1305 => (identifier.iv(&[12])?, 16),
            Cipher::Cbc(_) => (identifier.iv(&[16])?, 0),
            Cipher::TripleDes => (identifier.iv(&[8])?, 0),
            Cipher::Obsolete => (0..0, 0),
        };
        Ok(Some(Self { cipher, nonce, tag, derived: None }))
    }
}

/// The last number under 2.16.840.1.101.3.4.1 (RFC 3565 §2.1, RFC 5084 §3).
const fn aes(number: u8) -> Option<Cipher> {
    Some(match number {
        2 => Cipher::Cbc(128),
        6 => Cipher::Gcm(128),
        7 => Cipher::Ccm(128),
        22 => Cipher::Cbc(192),
        26 => Cipher::Gcm(192),
        27 => Cipher::Ccm(192),
        42 => Cipher::Cbc(256),
        46 => Cipher::Gcm(256),
        47 => Cipher::Ccm(256),
        _ => return None,
    })
}

/// `SEQUENCE { nonce OCTET STRING, ICVlen INTEGER DEFAULT 12 }`. No tag below 12 octets, under any name.
fn aead_parameters(
    identifier: &Identifier<'_>,
    nonces: std::ops::RangeInclusive<usize>,
) -> Result<(Range<usize>, usize), Fault> {
    let mut fields = identifier.sequence()?;
    let nonce = fields.octets("a nonce is due")?;
    let tag = match fields.optional(INTEGER) {
        Some(node) => node.number()?,
        None => DEFAULT_TAG,
    };
    fields.end("after the parameters of an AEAD")?;
    match tag {
        12..=16 if nonces.contains(&nonce.len()) => Ok((nonce, tag as usize)),
        12..=16 => Err(Fault::malformed("a nonce that the cipher does not take")),
        _ => Err(Fault::malformed("a tag of another length than 16 octets")),
    }
}

/// How a key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// AES key wrap with a KEK of that many bits (RFC 3394).
    Aes(u16),
    /// 3DES key wrap (RFC 3217).
    TripleDes,
}

impl Wrap {
    /// None: not implemented.
    pub(super) fn of(identifier: &Identifier<'_>) -> Result<Option<Self>, Fault> {
        let wrap = match identifier.is() {
            (Arc::Nist, [1, 5]) => Self::Aes(128),
            (Arc::Nist, [1, 25]) => Self::Aes(192),
            (Arc::Nist, [1, 45]) => Self::Aes(256),
            (Arc::Smime, [3, 6]) => Self::TripleDes,
            _ => return Ok(None),
        };
        identifier.none_or_null()?;
        Ok(Some(wrap))
    }

    /// Octets of the KEK.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes(bits) => bits as usize / 8,
            Self::TripleDes => 24,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes(128) => "A128KW",
            Self::Aes(192) => "A192KW",
            Self::Aes(_) => "A256KW",
            Self::TripleDes => "CMS3DESwrap",
        }
    }
}

/// How a key is encrypted to an RSA key.
#[derive(Clone, Debug)]
pub enum Transport {
    /// RSAES-OAEP (RFC 3560).
    Oaep {
        /// Of the label.
        hash: Hash,
        /// Of the masks.
        mask: Hash,
        /// The label; empty where there is none.
        label: Range<usize>,
    },
    /// RSAES-PKCS1-v1_5.
    V15,
}

impl Transport {
    /// None: not implemented.
    pub(super) fn of(identifier: &Identifier<'_>) -> Result<Option<Self>, Fault> {
        match identifier.is() {
            (Arc::Pkcs1, [1]) => {
                identifier.none_or_null()?;
                Ok(Some(Self::V15))
            }
            (Arc::Pkcs1, [7]) => oaep(identifier),
            _ => Ok(None),
        }
    }
}

/// `RSAES-OAEP-params ::= SEQUENCE { hash [0], mask [1], label [2] DEFAULT pSpecifiedEmpty }` (RFC 4055 §4.1).
fn oaep(identifier: &Identifier<'_>) -> Result<Option<Transport>, Fault> {
    let mut fields = identifier.sequence()?;
    let (hash, mask) = hash_and_mask(&mut fields)?;
    let label = match fields.explicit(2, "a label is due")? {
        None => Some(0..0),
        Some(node) => {
            let source = Identifier::tagged(sequence(node)?)?;
            let given =
                source.parameters.filter(|node| node.tag() == 0x04).ok_or(Fault::malformed("a label is due"))?;
            let label = short(given.range())?;
            (source.is() == (Arc::Pkcs1, &[9])).then_some(label)
        }
    };
    fields.end("after the parameters of RSAES-OAEP")?;
    Ok(hash.zip(mask).zip(label).map(|((hash, mask), label)| Transport::Oaep { hash, mask, label }))
}

/// How a key agreement makes a KEK of the shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// HKDF (RFC 8418 §2.2).
    Hkdf(Hash),
    /// X9.63 (RFC 5753 §7.1, RFC 8418 §2.1): SEC 1 §3.6.1.
    X963(Hash),
}

impl Derivation {
    /// None: not implemented. With its key wrap, which is the parameter.
    pub(super) fn of<'a>(identifier: &Identifier<'a>) -> Result<Option<(Self, Identifier<'a>)>, Fault> {
        let derivation = match identifier.is() {
            (Arc::X963, [2 | 3]) => Self::X963(Hash::Sha1),
            (Arc::Certicom, [11 | 14, hash @ 0..=3]) => Self::X963(certicom(*hash)),
            (Arc::Smime, [3, 19]) => Self::Hkdf(Hash::Sha256),
            (Arc::Smime, [3, 20]) => Self::Hkdf(Hash::Sha384),
            (Arc::Smime, [3, 21]) => Self::Hkdf(Hash::Sha512),
            _ => return Ok(None),
        };
        let wrap = identifier.parameters.ok_or(Fault::malformed("a key wrap is due"))?;
        Ok(Some((derivation, Identifier::tagged(sequence(wrap)?)?)))
    }

    /// The hash.
    pub const fn hash(self) -> Hash {
        match self {
            Self::Hkdf(hash) | Self::X963(hash) => hash,
        }
    }
}

/// The last number under 1.3.132.1.11 and 1.3.132.1.14.
const fn certicom(number: u8) -> Hash {
    match number {
        0 => Hash::Sha224,
        1 => Hash::Sha256,
        2 => Hash::Sha384,
        _ => Hash::Sha512,
    }
}

/// ML-KEM (RFC 9936 §2.1), by the number of its parameter set; none: not implemented.
pub(super) fn kem(identifier: &Identifier<'_>) -> Result<Option<u16>, Fault> {
    let set = match identifier.is() {
        (Arc::Nist, [4, 1]) => 512,
        (Arc::Nist, [4, 2]) => 768,
        (Arc::Nist, [4, 3]) => 1024,
        _ => return Ok(None),
    };
    identifier.none()?;
    Ok(Some(set))
}

/// HKDF (RFC 8619 §2) by its hash; none: not implemented.
pub(super) fn hkdf(identifier: &Identifier<'_>) -> Result<Option<Hash>, Fault> {
    let hash = match identifier.is() {
        (Arc::Smime, [3, 28]) => Hash::Sha256,
        (Arc::Smime, [3, 29]) => Hash::Sha384,
        (Arc::Smime, [3, 30]) => Hash::Sha512,
        _ => return Ok(None),
    };
    identifier.none()?;
    Ok(Some(hash))
}

/// PBKDF2 and what its key unwraps (RFC 3211).
#[derive(Clone, Debug)]
pub struct Password {
    /// Hash of the pseudo-random function.
    pub hash: Hash,
    /// Salt.
    pub salt: Range<usize>,
    /// Iterations.
    pub iterations: u32,
    /// The cipher of the wrap, in CBC mode.
    pub cipher: Cipher,
    /// Its initialization vector.
    pub iv: Range<usize>,
}

/// Iterations of PBKDF2 that a message may ask for, all its passwords together.
const ITERATIONS: u64 = 1_000_000;

impl Password {
    /// None: not implemented. `spent` counts iterations.
    pub(super) fn of(
        derivation: &Identifier<'_>,
        wrap: &Identifier<'_>,
        spent: &mut u64,
    ) -> Result<Option<Self>, Fault> {
        let kek = kek_cipher(wrap)?;
        if derivation.is() != (Arc::Pkcs5, &[12]) {
            return Ok(None);
        }
        // PBKDF2-params ::= SEQUENCE { salt, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1 }
        let mut fields = derivation.sequence()?;
        let salt = fields.short_octets("a salt is due")?;
        let iterations = fields.number("a count of iterations is due")?;
        let length = fields.optional(INTEGER).map(Node::number).transpose()?;
        let prf = if fields.clone().next().is_some() { Some(Identifier::next(&mut fields)?) } else { None };
        fields.end("after the parameters of PBKDF2")?;
        let hash = prf.as_ref().map_or(Ok(Some(Hash::Sha1)), hmac)?;
        *spent = spent.saturating_add(iterations);
        match (iterations, length, &kek) {
            (0, ..) => return Err(Fault::malformed("no iteration")),
            _ if *spent > ITERATIONS => return Err(too_large("too many iterations")),
            (_, Some(length), Some(kek)) if length != kek.cipher.key_length() as u64 => {
                return Err(Fault::malformed("a derived key of another length than the cipher's"));
            }
            (_, Some(129..), None) => return Err(too_large("a derived key that is too long")),
            _ => {}
        }
        let of = |(hash, kek): (Hash, Encryption)| Self {
            hash,
            salt,
            iterations: iterations as u32,
            cipher: kek.cipher,
            iv: kek.nonce,
        };
        Ok(hash.zip(kek).map(of))
    }
}

/// id-alg-PWRI-KEK, whose parameter is the cipher (RFC 3211 §2.3).
fn kek_cipher(wrap: &Identifier<'_>) -> Result<Option<Encryption>, Fault> {
    if wrap.is() != (Arc::Smime, &[3, 9]) {
        return Ok(None);
    }
    let cipher = wrap.parameters.ok_or(Fault::malformed("the cipher of a password's key is due"))?;
    let encryption = Encryption::plain(&Identifier::tagged(sequence(cipher)?)?)?;
    Ok(encryption.filter(|encryption| matches!(encryption.cipher, Cipher::Cbc(_) | Cipher::TripleDes)))
}

/// zlib (RFC 3274 §2).
pub(super) fn is_zlib(identifier: &Identifier<'_>) -> Result<bool, Fault> {
    let zlib = identifier.is() == (Arc::Smime, &[3, 8]);
    if zlib {
        identifier.none_or_null()?;
    }
    Ok(zlib)
}

/// The curve of an originator's public key (RFC 5480 §2.1.1, RFC 8410 §3): none implemented, else the one that is named;
/// an EC key may leave it out, and the recipient's decides then (RFC 5753 §3.1.1).
pub(super) fn curve(identifier: &Identifier<'_>) -> Result<Option<Option<Curve>>, Fault> {
    match (identifier.is(), identifier.parameters) {
        ((Arc::X962, [2, 1]), None) => Ok(Some(None)),
        ((Arc::X962, [2, 1]), Some(node)) if node.tag() == NULL => Ok(Some(None)),
        ((Arc::X962, [2, 1]), Some(node)) => Ok(match node.contents() {
            oid::P256 => Some(Some(Curve::P256)),
            oid::P384 => Some(Some(Curve::P384)),
            oid::P521 => Some(Some(Curve::P521)),
            _ => None,
        }),
        ((Arc::Thawte, [110]), parameters) => match parameters {
            None => Ok(Some(Some(Curve::X25519))),
            Some(_) => Err(Fault::malformed("parameters where there are none")),
        },
        _ => Ok(None),
    }
}
