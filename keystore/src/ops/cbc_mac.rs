//! AES-CBC-MAC: zero IV, the last block filled up with zeros (RFC 9053 §3.2, ISO 9797-1 algorithm 1 with padding 1), and
//! HKDF with it for a PRF (RFC 9053 §5.1). It authenticates no more than its users do: a MAC key is bound to its length
//! of tag and to structures whose first bytes say how long they are.

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::Secret;

const BLOCK: usize = 16;

/// An AES key for CBC-MAC.
pub(crate) enum CbcMac {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl CbcMac {
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(|key| Self::Aes128(Box::new(key))),
            24 => Aes192::new_from_slice(key).ok().map(|key| Self::Aes192(Box::new(key))),
            32 => Aes256::new_from_slice(key).ok().map(|key| Self::Aes256(Box::new(key))),
            _ => None,
        }
    }

    /// The MAC of the parts, one after the other.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        let mut state = [0; BLOCK];
        self.absorb(&mut state, parts.iter().copied().flatten());
        state
    }

    /// The MAC of the parts, each of them filled up to whole blocks.
    pub(crate) fn mac_padded(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        let mut state = [0; BLOCK];
        for part in parts {
            self.absorb(&mut state, part.iter());
        }
        state
    }

    fn absorb<'a>(&self, state: &mut [u8; BLOCK], bytes: impl Iterator<Item = &'a u8>) {
        let mut filled = 0;
        for byte in bytes {
            state[filled] ^= byte;
            filled += 1;
            if filled == BLOCK {
                self.encrypt(state);
                filled = 0;
            }
        }
        if filled != 0 {
            self.encrypt(state);
        }
    }

    fn encrypt(&self, block: &mut [u8; BLOCK]) {
        match self {
            Self::Aes128(key) => key.encrypt_block(Array::cast_from_core_mut(block)),
            Self::Aes192(key) => key.encrypt_block(Array::cast_from_core_mut(block)),
            Self::Aes256(key) => key.encrypt_block(Array::cast_from_core_mut(block)),
        }
    }
}

/// The algorithm that derives from a symmetric secret of that length.
pub(crate) const fn direct(key: usize) -> Option<Algorithm> {
    match key {
        16 => Some(Algorithm::DirectHkdfAes128),
        32 => Some(Algorithm::DirectHkdfAes256),
        _ => None,
    }
}

/// HKDF-Expand with AES-CBC-MAC: `T(i) = MAC(secret, T(i−1) ‖ info ‖ i)`. The secret is the key; there is no extract step.
pub(crate) fn hkdf(secret: &[u8], info: &[u8], length: usize) -> Option<Secret> {
    let key = CbcMac::new(secret)?;
    let mut out = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(BLOCK)));
    let mut previous = Zeroizing::new([0; BLOCK]);
    for i in 1..=u8::try_from(length.div_ceil(BLOCK)).ok()? {
        let before: &[u8] = if i == 1 { &[] } else { &previous[..] };
        let block = key.mac(&[before, info, &[i]]);
        out.extend_from_slice(&block);
        *previous = block;
    }
    out.truncate(length);
    Some(out)
}
