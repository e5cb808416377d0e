//! Content encryption: AES-GCM and ChaCha20-Poly1305 on aws-lc-rs, AES-CCM, which it lacks, on `ccm` and `aes`.

use aes::Aes128;
use aes_gcm::aead::consts::{U8, U13, U16};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ccm::aead::inout::InOutBuf;
use ccm::aead::{AeadInOut, KeyInit};
use ccm::{Ccm, NonceSize, TagSize};
use zeroize::Zeroizing;

use crate::key::Algorithm;

type CcmTag8 = Ccm<Aes128, U8, U13>;
type CcmTag16 = Ccm<Aes128, U16, U13>;

/// A content key ready for use: its key schedule, and the base IV that Partial IVs are combined with.
pub(crate) struct ContentKey {
    cipher: Cipher,
    base_iv: Zeroizing<Vec<u8>>,
}

enum Cipher {
    AwsLc(LessSafeKey),
    CcmTag16(Box<CcmTag16>),
    CcmTag8(Box<CcmTag8>),
}

impl ContentKey {
    /// None unless `key` has exactly the algorithm's length. An empty `base_iv` means that there is none.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8], base_iv: &[u8]) -> Option<Self> {
        let cipher = match algorithm {
            Algorithm::A128Gcm => aws_lc(&AES_128_GCM, key)?,
            Algorithm::A256Gcm => aws_lc(&AES_256_GCM, key)?,
            Algorithm::ChaCha20Poly1305 => aws_lc(&CHACHA20_POLY1305, key)?,
            Algorithm::AesCcm16_64_128 => Cipher::CcmTag8(Box::new(CcmTag8::new_from_slice(key).ok()?)),
            Algorithm::AesCcm16_128_128 => Cipher::CcmTag16(Box::new(CcmTag16::new_from_slice(key).ok()?)),
            _ => return None,
        };
        Some(Self { cipher, base_iv: Zeroizing::new(base_iv.to_vec()) })
    }

    /// Empty where there is none.
    pub(crate) fn base_iv(&self) -> &[u8] {
        &self.base_iv
    }

    /// Decrypts `ciphertext` into `cleartext`, of the same length. False: nothing in `cleartext` may be used.
    pub(crate) fn open(&self, nonce: &[u8], aad: &[u8], ciphertext: &[u8], tag: &[u8], cleartext: &mut [u8]) -> bool {
        match &self.cipher {
            Cipher::AwsLc(key) => Nonce::try_assume_unique_for_key(nonce)
                .and_then(|nonce| key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, cleartext))
                .is_ok(),
            Cipher::CcmTag8(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext).is_some(),
            Cipher::CcmTag16(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext).is_some(),
        }
    }
}

fn aws_lc(algorithm: &'static aws_lc_rs::aead::Algorithm, key: &[u8]) -> Option<Cipher> {
    UnboundKey::new(algorithm, key).ok().map(|key| Cipher::AwsLc(LessSafeKey::new(key)))
}

fn open_ccm<M, N>(
    key: &Ccm<Aes128, M, N>,
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
    cleartext: &mut [u8],
) -> Option<()>
where
    M: ccm::aead::array::ArraySize + TagSize,
    N: ccm::aead::array::ArraySize + NonceSize,
{
    let (nonce, tag) = (nonce.try_into().ok()?, tag.try_into().ok()?);
    let buffer = InOutBuf::new(ciphertext, cleartext).ok()?;
    key.decrypt_inout_detached(nonce, aad, buffer, tag).ok()
}
