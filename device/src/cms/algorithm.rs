//! The algorithms of CMS that [`super`] seals with, under the names of JOSE and COSE where those have them, and how each is
//! written as an AlgorithmIdentifier.

use alloc::vec::Vec;

use super::der::{algorithm, explicit, null, number, octets, sequence};
use super::oid;
use crate::algorithm::named;
use crate::error::SealError;
use crate::primitive::digest::Hash;
use crate::primitive::key::{Curve, Key, Material};
use crate::primitive::signature::Scheme;
use crate::primitive::{Secret, cipher, derive};

named! {
    /// Encrypts content (RFC 5084, RFC 8103, RFC 3565).
    Encryption {
        /// AES-GCM, key of 16 bytes.
        A128Gcm = "A128GCM",
        /// AES-GCM, key of 24 bytes.
        A192Gcm = "A192GCM",
        /// AES-GCM, key of 32 bytes.
        A256Gcm = "A256GCM",
        /// AES-CCM, key of 16 bytes.
        A128Ccm = "A128CCM",
        /// AES-CCM, key of 24 bytes.
        A192Ccm = "A192CCM",
        /// AES-CCM, key of 32 bytes.
        A256Ccm = "A256CCM",
        /// ChaCha20-Poly1305.
        ChaCha20Poly1305 = "ChaCha20-Poly1305",
        /// AES-CBC, key of 16 bytes; authenticates nothing.
        A128Cbc = "A128CBC",
        /// AES-CBC, key of 24 bytes; authenticates nothing.
        A192Cbc = "A192CBC",
        /// AES-CBC, key of 32 bytes; authenticates nothing.
        A256Cbc = "A256CBC",
    }
}

named! {
    /// AES key wrap (RFC 3565).
    Wrap {
        /// Key of 16 bytes.
        A128Kw = "A128KW",
        /// Key of 24 bytes.
        A192Kw = "A192KW",
        /// Key of 32 bytes.
        A256Kw = "A256KW",
    }
}

named! {
    /// Signs. ECDSA takes its curve from the key: any meets any hash.
    Signature {
        /// ECDSA with SHA-256.
        Es256 = "ES256",
        /// ECDSA with SHA-384.
        Es384 = "ES384",
        /// ECDSA with SHA-512.
        Es512 = "ES512",
        /// Ed25519; the digest is SHA-512 (RFC 8419).
        Ed25519 = "Ed25519",
        /// RSASSA-PSS, SHA-256.
        Ps256 = "PS256",
        /// RSASSA-PSS, SHA-384.
        Ps384 = "PS384",
        /// RSASSA-PSS, SHA-512.
        Ps512 = "PS512",
        /// RSASSA-PKCS1-v1_5, SHA-256.
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5, SHA-384.
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5, SHA-512.
        Rs512 = "RS512",
    }
}

/// How an agreed secret becomes a key-encryption key (RFC 5753, RFC 8418).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Diffie-Hellman with the cofactor, X9.63 KDF; on these curves the same secret as [`Self::Standard`].
    Cofactor(Hash),
    /// Diffie-Hellman, HKDF with SHA-256, SHA-384 or SHA-512.
    Hkdf(Hash),
    /// Diffie-Hellman, X9.63 KDF. SHA-1 and SHA-224 are off by default at the gateway.
    Standard(Hash),
}

/// Salt of CEK-HKDF (RFC 9709 §2).
const CEK_HKDF_SALT: &[u8] = b"The Cryptographic Message Syntax";

impl Encryption {
    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::A128Ccm | Self::A128Cbc => 16,
            Self::A192Gcm | Self::A192Ccm | Self::A192Cbc => 24,
            Self::A256Gcm | Self::A256Ccm | Self::A256Cbc | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of the nonce, or of the IV.
    pub const fn nonce_len(self) -> usize {
        if self.authenticates() { 12 } else { 16 }
    }

    /// Whether it authenticates what it encrypts.
    pub const fn authenticates(self) -> bool {
        !matches!(self, Self::A128Cbc | Self::A192Cbc | Self::A256Cbc)
    }

    pub(crate) fn identifier(self, nonce: &[u8]) -> Vec<u8> {
        let aead = |arc| algorithm(&oid::aes(arc), &sequence(&[&octets(nonce), &number(16)]));
        let cbc = |arc| algorithm(&oid::aes(arc), &octets(nonce));
        match self {
            Self::A128Cbc => cbc(2),
            Self::A192Cbc => cbc(22),
            Self::A256Cbc => cbc(42),
            Self::A128Gcm => aead(6),
            Self::A192Gcm => aead(26),
            Self::A256Gcm => aead(46),
            Self::A128Ccm => aead(7),
            Self::A192Ccm => aead(27),
            Self::A256Ccm => aead(47),
            Self::ChaCha20Poly1305 => algorithm(oid::CHACHA20_POLY1305, &octets(nonce)),
        }
    }

    /// Ciphertext, and the tag of 16 bytes where there is one.
    pub(crate) fn encrypt(
        self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        content: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        let mut ciphertext = match self {
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm => cipher::gcm(key, nonce, aad, content)?,
            Self::A128Ccm | Self::A192Ccm | Self::A256Ccm => cipher::ccm(key, nonce, aad, content)?,
            Self::ChaCha20Poly1305 => cipher::chacha20_poly1305(key, nonce, aad, content)?,
            Self::A128Cbc | Self::A192Cbc | Self::A256Cbc => {
                return Ok((cipher::cbc(key, nonce, content)?, Vec::new()));
            }
        };
        let tag = ciphertext.split_off(content.len());
        Ok((ciphertext, tag))
    }
}

/// The key that encrypts, and the AlgorithmIdentifier around the real one (RFC 9709 §3).
pub(crate) fn cek_hkdf(key: &[u8], identifier: &[u8]) -> Result<(Secret, Vec<u8>), SealError> {
    let derived = derive::hkdf(Hash::Sha256, key, Some(CEK_HKDF_SALT), identifier, key.len())?;
    Ok((derived, algorithm(oid::CEK_HKDF_SHA256, identifier)))
}

impl Wrap {
    /// Bytes of the key-encryption key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Kw => 16,
            Self::A192Kw => 24,
            Self::A256Kw => 32,
        }
    }

    /// The one for a key of that length.
    pub fn for_key(len: usize) -> Option<Self> {
        Self::ALL.iter().copied().find(|wrap| wrap.key_len() == len)
    }

    pub(crate) fn identifier(self) -> Vec<u8> {
        let arc = match self {
            Self::A128Kw => 5,
            Self::A192Kw => 25,
            Self::A256Kw => 45,
        };
        algorithm(&oid::aes(arc), &[])
    }
}

impl Agreement {
    /// keyEncryptionAlgorithm, around the wrap's own.
    pub(crate) fn identifier(self, wrap: &[u8]) -> Result<Vec<u8>, SealError> {
        let arc = |hash| match hash {
            Hash::Sha1 => None,
            Hash::Sha224 => Some(0),
            Hash::Sha256 => Some(1),
            Hash::Sha384 => Some(2),
            Hash::Sha512 => Some(3),
        };
        Ok(match self {
            Self::Cofactor(hash) => match arc(hash) {
                Some(arc) => algorithm(&oid::dh(14, arc), wrap),
                None => algorithm(&oid::dh_sha1(3), wrap),
            },
            Self::Standard(hash) => match arc(hash) {
                Some(arc) => algorithm(&oid::dh(11, arc), wrap),
                None => algorithm(&oid::dh_sha1(2), wrap),
            },
            Self::Hkdf(hash) => match arc(hash) {
                Some(arc) if arc > 0 => algorithm(&oid::hkdf(18 + arc), wrap),
                _ => return Err(SealError::AlgorithmNotAllowed("HKDF with a short hash")),
            },
        })
    }

    /// `KDF(Z, info)` of `len` bytes.
    pub(crate) fn derive(self, secret: &[u8], info: &[u8], len: usize) -> Result<Secret, SealError> {
        match self {
            Self::Cofactor(hash) | Self::Standard(hash) => Ok(derive::x963(hash, secret, info, len)),
            Self::Hkdf(hash) => derive::hkdf(hash, secret, None, info, len),
        }
    }
}

impl Signature {
    /// What digests the content.
    pub const fn hash(self) -> Hash {
        match self {
            Self::Es256 | Self::Ps256 | Self::Rs256 => Hash::Sha256,
            Self::Es384 | Self::Ps384 | Self::Rs384 => Hash::Sha384,
            Self::Es512 | Self::Ps512 | Self::Rs512 | Self::Ed25519 => Hash::Sha512,
        }
    }

    pub(crate) fn scheme(self, key: &Key) -> Result<Scheme, SealError> {
        let hash = self.hash();
        match self {
            Self::Es256 | Self::Es384 | Self::Es512 => match &key.material {
                Material::Curve { curve: curve @ (Curve::P256 | Curve::P384 | Curve::P521), .. } => {
                    Ok(Scheme::Ecdsa(*curve, hash))
                }
                _ => Err(SealError::AlgorithmNotAllowed(self.name())),
            },
            Self::Ed25519 => Ok(Scheme::Ed25519),
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Ok(Scheme::Pss(hash)),
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Ok(Scheme::Pkcs1(hash)),
        }
    }

    pub(crate) fn identifier(self) -> Vec<u8> {
        match self {
            Self::Es256 => algorithm(&oid::ecdsa(2), &[]),
            Self::Es384 => algorithm(&oid::ecdsa(3), &[]),
            Self::Es512 => algorithm(&oid::ecdsa(4), &[]),
            Self::Ed25519 => algorithm(oid::ED25519, &[]),
            Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                let (hash, salt) = (self.hash(), number(self.hash().output_len() as u64));
                let parameters = [hashed(hash), explicit(2, &salt)].concat();
                algorithm(oid::RSASSA_PSS, &sequence(&[&parameters]))
            }
            Self::Rs256 => algorithm(&oid::rsa(11), &null()),
            Self::Rs384 => algorithm(&oid::rsa(12), &null()),
            Self::Rs512 => algorithm(&oid::rsa(13), &null()),
        }
    }
}

/// `[0] hash, [1] MGF1 with the same` of OAEP and PSS (RFC 4055); left out where it is SHA-1, the default.
pub(crate) fn hashed(hash: Hash) -> Vec<u8> {
    if hash == Hash::Sha1 {
        return Vec::new();
    }
    let mask = algorithm(oid::MGF1, &digest_with_null(hash));
    [explicit(0, &digest_with_null(hash)), explicit(1, &mask)].concat()
}

/// A hash function, its parameters absent (RFC 5754 §2).
pub(crate) fn digest(hash: Hash) -> Vec<u8> {
    digest_with(hash, &[])
}

fn digest_with_null(hash: Hash) -> Vec<u8> {
    digest_with(hash, &null())
}

fn digest_with(hash: Hash, parameters: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha1 => algorithm(oid::SHA1, parameters),
        Hash::Sha224 => algorithm(&oid::sha2(4), parameters),
        Hash::Sha256 => algorithm(&oid::sha2(1), parameters),
        Hash::Sha384 => algorithm(&oid::sha2(2), parameters),
        Hash::Sha512 => algorithm(&oid::sha2(3), parameters),
    }
}

/// HMAC with a hash function; its parameters NULL (RFC 8018 appendix B.1.2).
pub(crate) fn hmac(hash: Hash) -> Vec<u8> {
    let arc = match hash {
        Hash::Sha1 => 7,
        Hash::Sha224 => 8,
        Hash::Sha256 => 9,
        Hash::Sha384 => 10,
        Hash::Sha512 => 11,
    };
    algorithm(&oid::hmac(arc), &null())
}
