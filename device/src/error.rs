//! Why nothing was sealed. One enum for the crate's core; no variant carries a key byte. Imports nothing of the crate.

use alloc::string::String;

/// Why a reading was not sealed, or a key not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A content algorithm that the shape does not have, or that a key used as it is does not fit.
    #[error("{0} does not fit this shape and key")]
    AlgorithmNotAllowed(&'static str),
    /// Not CBOR, or a label twice; 0 where the label is a text or not known.
    #[error("header parameter {0} cannot be written")]
    BadHeader(i64),
    /// A kid, kid context or cti outside the profile's lengths.
    #[error("{what} must have {min} to {max} bytes")]
    BadLength {
        /// Which value.
        what: &'static str,
        /// Least bytes.
        min: usize,
        /// Most bytes.
        max: usize,
    },
    /// Not a point of P-256, or a scalar out of range.
    #[error("not a valid {0} key")]
    BadKey(&'static str),
    /// The AEAD or the key wrap refused its input.
    #[error("encryption failed")]
    Encryption,
    /// Nothing to seal.
    #[error("the content is empty")]
    Empty,
    /// The counter has reached 2^40 − 1: a new kid context or a new key is due (profile.md §6).
    #[error("the sequence is exhausted: a new kid context or a new key is due")]
    Exhausted,
    /// The shape needs a key that the device does not have.
    #[error("this shape needs {0}")]
    KeyMissing(&'static str),
    /// A kid context separates derived keys; a key used as it is would repeat nonces under it.
    #[error("a key that is used as it is cannot have a kid context")]
    KidContextWithoutDerivation,
    /// The master has fewer bytes than the content key.
    #[error("the master must be at least as long as the content key: {0} bytes")]
    MasterTooShort(usize),
    /// The same secret would give the same key each time: neither a salt nor PartyU's nonce (RFC 9053 §6.1.2).
    #[error("{0} needs a salt or a nonce of PartyU")]
    NotUnique(&'static str),
    /// A payload that travels as it is must be text; in the compact serialization printable ASCII without dots.
    #[error("this content cannot be sent unencoded")]
    NotText,
    /// The source of randomness failed.
    #[error("no randomness")]
    Randomness,
    /// The counter could not be read or kept; nothing was sealed with a number that is not stored.
    #[error("the sequence number could not be kept: {0}")]
    Storage(String),
    /// The ciphertext would exceed 65,535 bytes.
    #[error("the content is too large")]
    TooLarge,
}
