//! MACs: HMAC on aws-lc-rs, AES-MAC on [`cbc_mac`](crate::ops::cbc_mac) (RFC 9053 §3). Tags are compared in constant time, at
//! exactly the length that the algorithm has.

use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key, sign};
use subtle::ConstantTimeEq;

use crate::key::Algorithm;
use crate::ops::cbc_mac::CbcMac;

/// A MAC key ready for use.
pub(crate) enum MacKey {
    Aes(CbcMac),
    Hmac(Box<Key>),
}

impl MacKey {
    /// `key` has the algorithm's length: the caller has seen to that.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        let hash = match algorithm {
            Algorithm::Hmac256_256 | Algorithm::Hmac256_64 => HMAC_SHA256,
            Algorithm::Hmac384_384 => HMAC_SHA384,
            Algorithm::Hmac512_512 => HMAC_SHA512,
            _ => return algorithm.mac().and_then(|_| CbcMac::new(key)).map(Self::Aes),
        };
        Some(Self::Hmac(Box::new(Key::new(hash, key))))
    }

    /// Whether `tag`, of the algorithm's length, is the beginning of this message's MAC.
    pub(crate) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        let begins = |mac: &[u8]| mac.get(..tag.len()).is_some_and(|mac| bool::from(mac.ct_eq(tag)));
        match self {
            Self::Aes(key) => begins(&key.mac(&[message])),
            Self::Hmac(key) => begins(sign(key, message).as_ref()),
        }
    }
}
