//! Hash functions, and HMAC with them.

use alloc::vec::Vec;

use aws_lc_rs::{digest as lc, hmac as lc_hmac};

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// 20 bytes; off by default at the gateway, wherever it may be on at all.
    Sha1,
    /// 28 bytes.
    Sha224,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl Hash {
    /// Bytes of the digest.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &lc::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &lc::SHA224,
            Self::Sha256 => &lc::SHA256,
            Self::Sha384 => &lc::SHA384,
            Self::Sha512 => &lc::SHA512,
        };
        lc::digest(algorithm, message).as_ref().to_vec()
    }

    /// The whole tag.
    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => lc_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => lc_hmac::HMAC_SHA224,
            Self::Sha256 => lc_hmac::HMAC_SHA256,
            Self::Sha384 => lc_hmac::HMAC_SHA384,
            Self::Sha512 => lc_hmac::HMAC_SHA512,
        };
        lc_hmac::sign(&lc_hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }
}
