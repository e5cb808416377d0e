//! What a layer needs done, format-neutral and borrowed: where a secret comes from, the steps that turn it into the
//! content key, then one content step. One call runs it all, so that shared secret, KEK and CEK never leave the
//! strongroom.

use crate::key::{Algorithm, KeyRef, Kty};

/// How the content key comes about: a secret, and what is made of it, step by step.
#[derive(Clone, Copy, Debug)]
pub struct Management<'a> {
    /// Where the first secret comes from.
    pub start: Start<'a>,
    /// Each turns the secret at hand into the next; the last one leaves the content key.
    pub steps: &'a [Step<'a>],
}

/// Where the first secret comes from.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Diffie–Hellman with our private key. At least one step derives from the shared secret, which is no key itself.
    Agree {
        /// Our private key: EC or X25519.
        key: &'a KeyRef,
        /// The ECDH algorithm of the recipient, which fixes hash and key wrap of the steps that follow it.
        algorithm: Algorithm,
        /// The other side's public key.
        peer: Peer<'a>,
    },
    /// ML-KEM decapsulation with our private key (RFC 9629, FIPS 203 §7.3): a derivation and an AES key wrap follow. What was
    /// not encapsulated to us yields a secret all the same, which opens nothing.
    Decapsulate {
        /// Our private key: ML-KEM.
        key: &'a KeyRef,
        /// Its parameter set.
        algorithm: Algorithm,
        /// As long as the parameter set says.
        ciphertext: &'a [u8],
    },
    /// A device's symmetric key: derived by its record's KDF for this algorithm and kid context (profile.md §3), or,
    /// where the record derives nothing or a step follows, as it is. Its algorithm is that of the first step, or without
    /// steps the content algorithm.
    Device {
        /// The symmetric key.
        key: &'a KeyRef,
        /// kid context, which goes into the derivation.
        kid_context: Option<&'a [u8]>,
    },
    /// HPKE to our private key: what it holds is the next key.
    Hpke {
        /// To whom, and how.
        to: Encapsulated<'a>,
        /// Ciphertext and tag.
        ciphertext: &'a [u8],
    },
    /// A password, stretched by PBKDF2 (RFC 8018 §5.2): the KEK of the first step, which unwraps.
    Password {
        /// A symmetric key whose bytes are the password.
        key: &'a KeyRef,
        /// Hash of the HMAC: SHA-1, SHA-256, SHA-384 or SHA-512.
        hash: Hash,
        /// Salt, complete: in JOSE with the algorithm's name before it (RFC 7518 §4.8.1.1).
        salt: &'a [u8],
        /// Iterations, 1 to 1,000,000. Of several recipients the caller counts the sum.
        iterations: u32,
        /// Bytes of the KEK.
        length: usize,
    },
    /// RSAES-OAEP with our private key (RFC 8017 §7.1): what it holds is the next key. MGF1 is on the algorithm's own hash.
    Transport {
        /// Our private key: RSA.
        key: &'a KeyRef,
        /// One of the RSAES-OAEP algorithms.
        algorithm: Algorithm,
        /// Label: empty in COSE and JOSE.
        label: &'a [u8],
        /// As long as the modulus.
        ciphertext: &'a [u8],
    },
    /// RSAES-PKCS1-v1_5 with our private key and implicit rejection (RFC 3218 §2.3.2): whatever is wrong with padding or
    /// length, a pseudo-random key takes the place of what was carried, always the same one for this ciphertext.
    TransportV15 {
        /// Our private key: RSA.
        key: &'a KeyRef,
        /// As long as the modulus.
        ciphertext: &'a [u8],
        /// Bytes of the key that is needed next.
        length: usize,
    },
}

/// A secret that a sender encapsulated to our private key by HPKE, base mode (RFC 9180). It proves nobody. Without the
/// feature `hpke` it opens nothing.
#[derive(Clone, Copy, Debug)]
pub struct Encapsulated<'a> {
    /// Our private key: EC or X25519.
    pub key: &'a KeyRef,
    /// One of HPKE.
    pub algorithm: Algorithm,
    /// The encapsulated key: an uncompressed point, or X25519's u.
    pub encapsulated: &'a [u8],
    /// What the schedule is bound to.
    pub info: &'a [u8],
}

/// The other side of an agreement.
#[derive(Clone, Copy, Debug)]
pub enum Peer<'a> {
    /// The static public key of a sender that is known: with ECDH-SS, what opens is the sender's.
    Key(&'a KeyRef),
    /// A public key as it stands in an envelope: it proves nobody.
    Point(Point<'a>),
}

/// A public key as it stands in an envelope.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// Kind and curve, which must be those of our key.
    pub kty: Kty,
    /// x at the full width of the field: 32, 48, 66 bytes; X25519's u: 32 bytes.
    pub x: &'a [u8],
    /// y; none for X25519.
    pub y: Option<EcY<'a>>,
}

/// The y of a point.
#[derive(Clone, Copy, Debug)]
pub enum EcY<'a> {
    /// As long as x.
    Full(&'a [u8]),
    /// Compressed: whether y is odd.
    Odd(bool),
}

/// One step of key management.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// CEK-HKDF-SHA256 (RFC 9709): the content key, bound to the content algorithm, at the length of the key at hand.
    CekHkdf {
        /// DER of the content algorithm's AlgorithmIdentifier.
        info: &'a [u8],
    },
    /// Concat KDF with SHA-256 (RFC 7518 §4.6.2, NIST SP 800-56A).
    Concat {
        /// AlgorithmID: `enc`, or with key wrap `alg`.
        algorithm_id: &'a str,
        /// PartyUInfo, decoded; empty where there is none.
        apu: &'a [u8],
        /// PartyVInfo, decoded; empty where there is none.
        apv: &'a [u8],
        /// Bytes.
        length: usize,
    },
    /// AES-GCM key unwrap, without additional data (RFC 7518 §4.7).
    GcmUnwrap {
        /// `A128GCMKW`, `A192GCMKW` or `A256GCMKW`: fixes the length of the secret at hand.
        algorithm: Algorithm,
        /// 12 bytes.
        iv: &'a [u8],
        /// 16 bytes.
        tag: &'a [u8],
        /// As long as the key in it.
        wrapped: &'a [u8],
    },
    /// HKDF (RFC 5869), extract and expand: `length` bytes, those of the key that is needed next.
    Hkdf {
        /// Hash.
        hash: Hash,
        /// None: zeros of the hash's length.
        salt: Option<&'a [u8]>,
        /// What the key is bound to.
        info: Info<'a>,
        /// Bytes.
        length: usize,
    },
    /// HKDF-AES (RFC 9053 §5.1): no extract step, no salt, AES-CBC-MAC for the PRF. The secret at hand is its AES key.
    HkdfAes {
        /// What the key is bound to.
        info: Info<'a>,
        /// Bytes.
        length: usize,
    },
    /// AES key unwrap (RFC 3394).
    Unwrap {
        /// `A128KW`, `A192KW` or `A256KW`: fixes the length of the secret at hand.
        algorithm: Algorithm,
        /// 8 bytes longer than the key in it.
        wrapped: &'a [u8],
    },
    /// Triple-DES key unwrap (RFC 3217 §3): 24 bytes unwrap a key of any whole number of blocks.
    UnwrapDes {
        /// 16 bytes longer than the key in it.
        wrapped: &'a [u8],
    },
    /// Key unwrap of password recipients (RFC 3211 §2.3.2).
    UnwrapPassword {
        /// `A128CBC`, `A192CBC`, `A256CBC` or `DES-EDE3-CBC`: fixes the length of the secret at hand.
        algorithm: Algorithm,
        /// One block.
        iv: &'a [u8],
        /// At least two blocks.
        wrapped: &'a [u8],
    },
    /// KDF of ANSI X9.63 (SEC 1 §3.6.1, RFC 5753 §7.2).
    X963 {
        /// Hash.
        hash: Hash,
        /// DER of the ECC-CMS-SharedInfo.
        info: &'a [u8],
        /// Bytes.
        length: usize,
    },
}

/// The info of a derivation, for COSE a COSE_KDF_Context (RFC 9053 §5.2).
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    /// The bytes, all of them unless `private`.
    pub bytes: &'a [u8],
    /// The `priv_other` of the start's key record follows as one more CBOR byte string (SuppPrivInfo). The caller has
    /// counted it in the array's head; a record without it opens nothing.
    pub private: bool,
}

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1: for what is off by default.
    Sha1,
    /// SHA-224: the same.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The algorithm that derives from a symmetric secret with it (RFC 9053 §6.1.2).
    pub(crate) const fn direct(self) -> Option<Algorithm> {
        match self {
            Self::Sha256 => Some(Algorithm::DirectHkdfSha256),
            Self::Sha512 => Some(Algorithm::DirectHkdfSha512),
            Self::Sha1 | Self::Sha224 | Self::Sha384 => None,
        }
    }
}

/// The nonce of the content step.
#[derive(Clone, Copy, Debug)]
pub enum Nonce<'a> {
    /// As it stands.
    Full(&'a [u8]),
    /// Partial IV: base IV (derived, or the key record's) XOR this, left-padded with zeros (RFC 9052 §3.1).
    Partial(&'a [u8]),
    /// As it stands, at a length of the message's own, with a tag that has one too (RFC 5084 §3). GCM: nonces of 8 to 16
    /// bytes and tags of 12 to 16; CCM: nonces of 7 to 13 and tags of 12, 14 or 16.
    Sized {
        /// The nonce.
        nonce: &'a [u8],
        /// Bytes of the tag.
        tag: usize,
    },
}

/// What lets encryption without authentication be opened.
#[derive(Clone, Copy, Debug)]
pub enum Under<'a> {
    /// A departure from the default rules that the operator has named.
    Departure,
    /// The authentic layer above.
    Layer(&'a Authentic),
}

/// What is to be done with the content key, or with the sender's public key. `aads` and `messages` are the trials of a
/// binding, most likely first; the first that holds wins.
#[derive(Debug)]
pub enum Recipe<'a> {
    /// AEAD open.
    Decrypt {
        /// Where the content key comes from.
        management: Management<'a>,
        /// Content algorithm.
        algorithm: Algorithm,
        /// Nonce.
        nonce: Nonce<'a>,
        /// Additional data, a trial each.
        aads: &'a [&'a [u8]],
        /// Ciphertext and tag.
        ciphertext: &'a [u8],
    },
    /// HPKE open: the content itself is sealed to our key.
    DecryptHpke {
        /// To whom, and how.
        to: Encapsulated<'a>,
        /// Additional data, a trial each.
        aads: &'a [&'a [u8]],
        /// Ciphertext and tag.
        ciphertext: &'a [u8],
    },
    /// AES-CTR, AES-CBC or triple-DES-CBC (RFC 9459, RFC 3370), which notice no change.
    DecryptUnauthenticated {
        /// Why it may be opened all the same.
        under: Under<'a>,
        /// Where the content key comes from.
        management: Management<'a>,
        /// Content algorithm.
        algorithm: Algorithm,
        /// One block.
        iv: &'a [u8],
        /// Ciphertext; for CBC with its padding.
        ciphertext: &'a [u8],
    },
    /// MAC check.
    Mac {
        /// Where the MAC key comes from.
        management: Management<'a>,
        /// MAC algorithm.
        algorithm: Algorithm,
        /// What is authenticated, a trial each.
        messages: &'a [&'a [u8]],
        /// The tag, at exactly the algorithm's length.
        tag: &'a [u8],
    },
    /// Signature check.
    Verify {
        /// The signer's public key.
        key: &'a KeyRef,
        /// Signature algorithm.
        algorithm: Algorithm,
        /// To-be-signed bytes, a trial each.
        messages: &'a [&'a [u8]],
        /// ECDSA: r‖s, each at the full width of the order; else as the algorithm writes it.
        signature: &'a [u8],
    },
    /// RSASSA-PSS with parameters of its own (RFC 4055 §3.1, RFC 8017 §8.1).
    VerifyPss {
        /// The signer's public key: RSA.
        key: &'a KeyRef,
        /// `PS256`, `PS384` or `PS512`: the hash.
        algorithm: Algorithm,
        /// Hash of MGF1.
        mgf: Hash,
        /// Bytes of the salt.
        salt: usize,
        /// To-be-signed bytes, a trial each.
        messages: &'a [&'a [u8]],
        /// As long as the modulus.
        signature: &'a [u8],
    },
}

impl<'a> Info<'a> {
    /// Info that is public as a whole.
    pub const fn public(bytes: &'a [u8]) -> Self {
        Self { bytes, private: false }
    }
}

/// Proof that a recipe held. Made by the strongroom alone.
#[derive(Debug)]
pub struct Authentic {
    pub(crate) key: KeyRef,
    pub(crate) algorithm: Algorithm,
    pub(crate) trial: usize,
    pub(crate) sender: bool,
}

impl Authentic {
    /// The key that made it hold; of an agreement with a sender's static key, the sender's.
    pub const fn key(&self) -> &KeyRef {
        &self.key
    }

    /// The algorithm of the content step.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which trial held.
    pub const fn trial(&self) -> usize {
        self.trial
    }

    /// Whether the key proves its device as the sender: a signature, a symmetric key that one device alone holds, or an
    /// agreement with the sender's static key. Not so for what only our public key protects, nor for what was decrypted
    /// without authentication.
    pub const fn proves_sender(&self) -> bool {
        self.sender
    }
}
