//! Key derivation: the device's content key and base IV from its master, and the KEK of shape P. Both by HKDF-SHA-256
//! (RFC 5869) without salt.

use alloc::vec::Vec;

use coset::{CborSerializable, CoseKdfContext, CoseKdfContextBuilder, SuppPubInfo};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::algorithm::{ContentAlgorithm, KeyAgreement};
use crate::binding::PROFILE;
use crate::cbor;
use crate::header::{self, PartialIv};

/// A content key with the base IV of its nonces.
pub(crate) struct ContentKey {
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) base_iv: Zeroizing<Vec<u8>>,
}

impl ContentKey {
    /// `base_iv XOR (PIV left-padded with zeros)` (RFC 9052 §3.1). A base IV is at least 12 bytes, a PIV at most 5.
    pub(crate) fn nonce(&self, partial_iv: &PartialIv) -> Zeroizing<Vec<u8>> {
        let mut nonce = self.base_iv.clone();
        for (byte, piv) in nonce.iter_mut().rev().zip(partial_iv.as_bytes().iter().rev()) {
            *byte ^= piv;
        }
        nonce
    }
}

/// `HKDF[salt = empty, ikm = master](info(type, L), L)`, once as "Key" and once as "IV" (profile.md §3).
pub(crate) fn derive(master: &[u8], kid: &[u8], kid_context: Option<&[u8]>, algorithm: ContentAlgorithm) -> ContentKey {
    let expand_as = |purpose: &str, len: usize| expand(master, &info(kid, kid_context, algorithm, purpose, len), len);
    ContentKey { key: expand_as("Key", algorithm.key_len()), base_iv: expand_as("IV", algorithm.nonce_len()) }
}

/// `HKDF[salt = empty, ikm = shared secret](COSE_KDF_Context, KEK length)` (RFC 9053 §5.2, §6.4).
pub(crate) fn key_encryption_key(shared_secret: &[u8], agreement: KeyAgreement) -> Zeroizing<Vec<u8>> {
    expand(shared_secret, &kdf_context(agreement), agreement.kek_len())
}

/// `["paperknife-1", kid, kid context / null, alg, type, L]`
fn info(kid: &[u8], kid_context: Option<&[u8]>, algorithm: ContentAlgorithm, purpose: &str, len: usize) -> Vec<u8> {
    cbor::bytes(|to| {
        to.array(6)?.str(PROFILE)?.bytes(kid)?;
        match kid_context {
            Some(context) => to.bytes(context)?,
            None => to.null()?,
        };
        to.i32(algorithm.id())?.str(purpose)?.u64(len as u64)?.ok()
    })
}

/// COSE_KDF_Context with all party fields null; the last element is the recipient's protected bytes.
#[expect(clippy::expect_used, reason = "integers, nulls and byte strings always encode")]
fn kdf_context(agreement: KeyAgreement) -> Vec<u8> {
    let context: CoseKdfContext = CoseKdfContextBuilder::new()
        .algorithm(key_wrap(agreement))
        .supp_pub_info(SuppPubInfo {
            key_data_length: agreement.kek_len() as u64 * 8,
            protected: header::verbatim(&header::recipient(agreement)),
            other: None,
        })
        .build();
    context.to_vec().expect("integers, nulls and byte strings always encode")
}

const fn key_wrap(agreement: KeyAgreement) -> coset::iana::Algorithm {
    match agreement {
        KeyAgreement::EcdhEsA128Kw => coset::iana::Algorithm::A128KW,
        KeyAgreement::EcdhEsA256Kw => coset::iana::Algorithm::A256KW,
    }
}

#[expect(clippy::expect_used, reason = "at most 32 bytes are asked for; HKDF-SHA-256 gives up to 8,160")]
fn expand(ikm: &[u8], info: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut okm = Zeroizing::new(alloc::vec![0; len]);
    Hkdf::<Sha256>::new(None, ikm).expand(info, &mut okm).expect("at most 32 bytes are asked for");
    okm
}

#[cfg(test)]
mod tests;
