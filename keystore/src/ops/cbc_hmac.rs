//! AES-CBC with HMAC (RFC 7518 §5.2): encrypt-then-MAC, the MAC first here, so that nobody learns of a padding that was
//! not authentic. The first half of the key is the MAC's, the second the cipher's.

use aws_lc_rs::hmac::{Context, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key};
use subtle::ConstantTimeEq;

use crate::key::Algorithm;
use crate::ops::cbc::{AES_BLOCK, Cbc, unpadded};

/// Both keys, ready for use.
pub(crate) struct CbcHmac {
    mac: Key,
    cipher: Cbc,
}

impl CbcHmac {
    /// None unless `key` has the algorithm's length.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        let hash = match algorithm {
            Algorithm::A128CbcHs256 => HMAC_SHA256,
            Algorithm::A192CbcHs384 => HMAC_SHA384,
            Algorithm::A256CbcHs512 => HMAC_SHA512,
            _ => return None,
        };
        if algorithm.content()?.key != key.len() {
            return None;
        }
        let (mac, cipher) = key.split_at(key.len() / 2);
        Some(Self { mac: Key::new(hash, mac), cipher: Cbc::aes(cipher)? })
    }

    /// Decrypts into `cleartext`, as long as the ciphertext; says how much of it is cleartext. `tag` has the algorithm's
    /// length.
    pub(crate) fn open(
        &self,
        iv: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
        cleartext: &mut [u8],
    ) -> Option<usize> {
        let mut mac = Context::with_key(&self.mac);
        let bits = (aad.len() as u64).checked_mul(8)?;
        [aad, iv, ciphertext, &bits.to_be_bytes()].iter().for_each(|part| mac.update(part));
        let begins = mac.sign().as_ref().get(..tag.len())?.ct_eq(tag);
        if !bool::from(begins) {
            return None;
        }
        cleartext.copy_from_slice(ciphertext);
        self.cipher.decrypt(iv, cleartext)?;
        unpadded(cleartext, AES_BLOCK)
    }
}
