//! What a layer needs done, format-neutral and borrowed: key-management steps, then one content step. One call runs it
//! all, so that shared secret, KEK and CEK never leave the strongroom.

use crate::key::{Algorithm, KeyRef};

/// How the content key comes about.
#[derive(Debug)]
pub enum Management<'a> {
    /// The device's symmetric key: derived by its record's KDF for this algorithm and kid context (profile.md §3), or,
    /// where the record derives nothing, as it is.
    Device {
        /// The symmetric key.
        key: &'a KeyRef,
        /// kid context, which goes into the derivation.
        kid_context: Option<&'a [u8]>,
    },
    /// ECDH-ES with our private key, HKDF-SHA-256 (no salt) over `kdf_context`, AES key unwrap (RFC 9053 §6.4).
    AgreeUnwrap {
        /// Our private key.
        key: &'a KeyRef,
        /// `ECDH-ES+A128KW` or `ECDH-ES+A256KW`.
        algorithm: Algorithm,
        /// The sender's ephemeral point.
        ephemeral: EcPoint<'a>,
        /// COSE_KDF_Context.
        kdf_context: &'a [u8],
        /// Wrapped CEK.
        wrapped: &'a [u8],
    },
}

/// A P-256 point as it stands in an envelope.
#[derive(Clone, Copy, Debug)]
pub struct EcPoint<'a> {
    /// 32 bytes.
    pub x: &'a [u8],
    /// y, or its sign.
    pub y: EcY<'a>,
}

/// The y of a point.
#[derive(Clone, Copy, Debug)]
pub enum EcY<'a> {
    /// 32 bytes.
    Full(&'a [u8]),
    /// Compressed: whether y is odd.
    Odd(bool),
}

/// The nonce of the content step.
#[derive(Clone, Copy, Debug)]
pub enum Nonce<'a> {
    /// As it stands.
    Full(&'a [u8]),
    /// Partial IV: base IV (derived, or the key record's) XOR this, left-padded with zeros (RFC 9052 §3.1).
    Partial(&'a [u8]),
}

/// What is to be done with the content key, or with the sender's public key.
#[derive(Debug)]
pub enum Recipe<'a> {
    /// AEAD open. `aads` are the trials of a binding, most likely first; the first that holds wins.
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
    /// Signature check. `messages` are the trials.
    Verify {
        /// The signer's public key.
        key: &'a KeyRef,
        /// Signature algorithm.
        algorithm: Algorithm,
        /// To-be-signed bytes, a trial each.
        messages: &'a [&'a [u8]],
        /// r‖s, or Ed25519's 64 bytes.
        signature: &'a [u8],
    },
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
    /// The key that made it hold.
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

    /// Whether the key proves its device as the sender: a signature, or an AEAD key that one device alone holds.
    /// Not so for what only our public key protects.
    pub const fn proves_sender(&self) -> bool {
        self.sender
    }
}
