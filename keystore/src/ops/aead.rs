//! Content encryption: AES-GCM and ChaCha20-Poly1305 on aws-lc-rs, AES-CCM, which it lacks, on `ccm` and `aes`, AES-CBC with
//! HMAC on [`cbc_hmac`](crate::ops::cbc_hmac).

use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U7, U8, U13, U16};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ccm::Ccm;
use ccm::aead::inout::InOutBuf;
use ccm::aead::{AeadInOut, KeyInit};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::cbc_hmac::CbcHmac;

/// A content key ready for use: its key schedule, and the base IV that Partial IVs are combined with.
pub(crate) struct ContentKey {
    cipher: Cipher,
    base_iv: Zeroizing<Vec<u8>>,
}

/// CCM by AES key, tag and nonce, in bytes.
enum Cipher {
    AwsLc(LessSafeKey),
    CbcHmac(Box<CbcHmac>),
    Ccm128Tag16Nonce13(Box<Ccm<Aes128, U16, U13>>),
    Ccm128Tag16Nonce7(Box<Ccm<Aes128, U16, U7>>),
    Ccm128Tag8Nonce13(Box<Ccm<Aes128, U8, U13>>),
    Ccm128Tag8Nonce7(Box<Ccm<Aes128, U8, U7>>),
    Ccm256Tag16Nonce13(Box<Ccm<Aes256, U16, U13>>),
    Ccm256Tag16Nonce7(Box<Ccm<Aes256, U16, U7>>),
    Ccm256Tag8Nonce13(Box<Ccm<Aes256, U8, U13>>),
    Ccm256Tag8Nonce7(Box<Ccm<Aes256, U8, U7>>),
}

impl ContentKey {
    /// None unless `key` has exactly the algorithm's length. An empty `base_iv` means that there is none.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8], base_iv: &[u8]) -> Option<Self> {
        let cipher = match algorithm {
            Algorithm::A128Gcm => aws_lc(&AES_128_GCM, key),
            Algorithm::A192Gcm => aws_lc(&AES_192_GCM, key),
            Algorithm::A256Gcm => aws_lc(&AES_256_GCM, key),
            Algorithm::ChaCha20Poly1305 => aws_lc(&CHACHA20_POLY1305, key),
            Algorithm::A128CbcHs256 | Algorithm::A192CbcHs384 | Algorithm::A256CbcHs512 => {
                CbcHmac::new(algorithm, key).map(|key| Cipher::CbcHmac(Box::new(key)))
            }
            Algorithm::AesCcm16_64_128 => ccm(key).map(Cipher::Ccm128Tag8Nonce13),
            Algorithm::AesCcm16_64_256 => ccm(key).map(Cipher::Ccm256Tag8Nonce13),
            Algorithm::AesCcm64_64_128 => ccm(key).map(Cipher::Ccm128Tag8Nonce7),
            Algorithm::AesCcm64_64_256 => ccm(key).map(Cipher::Ccm256Tag8Nonce7),
            Algorithm::AesCcm16_128_128 => ccm(key).map(Cipher::Ccm128Tag16Nonce13),
            Algorithm::AesCcm16_128_256 => ccm(key).map(Cipher::Ccm256Tag16Nonce13),
            Algorithm::AesCcm64_128_128 => ccm(key).map(Cipher::Ccm128Tag16Nonce7),
            Algorithm::AesCcm64_128_256 => ccm(key).map(Cipher::Ccm256Tag16Nonce7),
            _ => None,
        };
        Some(Self { cipher: cipher?, base_iv: Zeroizing::new(base_iv.to_vec()) })
    }

    /// Empty where there is none.
    pub(crate) fn base_iv(&self) -> &[u8] {
        &self.base_iv
    }

    /// Decrypts `ciphertext` into `cleartext`, of the same length; says how much of it is cleartext. None: nothing in
    /// `cleartext` may be used.
    pub(crate) fn open(
        &self,
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
        cleartext: &mut [u8],
    ) -> Option<usize> {
        let holds = match &self.cipher {
            Cipher::CbcHmac(key) => return key.open(nonce, aad, ciphertext, tag, cleartext),
            Cipher::AwsLc(key) => Nonce::try_assume_unique_for_key(nonce)
                .and_then(|nonce| key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, cleartext))
                .is_ok(),
            Cipher::Ccm128Tag16Nonce13(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm128Tag16Nonce7(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm128Tag8Nonce13(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm128Tag8Nonce7(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm256Tag16Nonce13(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm256Tag16Nonce7(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm256Tag8Nonce13(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
            Cipher::Ccm256Tag8Nonce7(key) => open_ccm(key.as_ref(), nonce, aad, ciphertext, tag, cleartext),
        };
        holds.then_some(ciphertext.len())
    }
}

fn aws_lc(algorithm: &'static aws_lc_rs::aead::Algorithm, key: &[u8]) -> Option<Cipher> {
    UnboundKey::new(algorithm, key).ok().map(|key| Cipher::AwsLc(LessSafeKey::new(key)))
}

fn ccm<C: KeyInit>(key: &[u8]) -> Option<Box<C>> {
    C::new_from_slice(key).ok().map(Box::new)
}

fn open_ccm<C: AeadInOut>(
    key: &C,
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
    cleartext: &mut [u8],
) -> bool {
    let (Ok(nonce), Ok(tag)) = (nonce.try_into(), tag.try_into()) else { return false };
    InOutBuf::new(ciphertext, cleartext).is_ok_and(|buffer| key.decrypt_inout_detached(nonce, aad, buffer, tag).is_ok())
}
