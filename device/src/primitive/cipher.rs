//! Symmetric encryption: AEADs, AES-CBC and AES-CTR, and the AES key wrap. The key's length chooses among AES-128, AES-192
//! and AES-256; a length that none of them has is refused.

use alloc::vec::Vec;

use aes::cipher::{Array, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::consts::{U7, U8, U9, U10, U11, U12, U13, U16};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use aes_kw::AesKw;
use aws_lc_rs::cipher::{
    self, Algorithm, EncryptingKey, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;

use crate::error::SealError;

/// AES-GCM: nonce 12, ciphertext ‖ tag of 16.
pub(crate) fn gcm(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let with = Payload { msg: plaintext, aad };
    let ciphertext = match key.len() {
        16 => aead::<Aes128Gcm>(key, nonce, with),
        24 => aead::<AesGcm<Aes192, U12>>(key, nonce, with),
        _ => aead::<Aes256Gcm>(key, nonce, with),
    };
    ciphertext.ok_or(SealError::Encryption)
}

/// AES-CCM: nonce 7 to 13, ciphertext ‖ tag of 16.
pub(crate) fn ccm(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let with = Payload { msg: plaintext, aad };
    macro_rules! by_key {
        ($nonce:ty) => {
            match key.len() {
                16 => aead::<Ccm<Aes128, U16, $nonce>>(key, nonce, with),
                24 => aead::<Ccm<Aes192, U16, $nonce>>(key, nonce, with),
                _ => aead::<Ccm<Aes256, U16, $nonce>>(key, nonce, with),
            }
        };
    }
    let ciphertext = match nonce.len() {
        7 => by_key!(U7),
        8 => by_key!(U8),
        9 => by_key!(U9),
        10 => by_key!(U10),
        11 => by_key!(U11),
        12 => by_key!(U12),
        _ => by_key!(U13),
    };
    ciphertext.ok_or(SealError::Encryption)
}

/// AES-CCM with a tag of 8: nonce 7 or 13.
pub(crate) fn ccm8(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let with = Payload { msg: plaintext, aad };
    let ciphertext = match (key.len(), nonce.len()) {
        (16, 7) => aead::<Ccm<Aes128, U8, U7>>(key, nonce, with),
        (16, _) => aead::<Ccm<Aes128, U8, U13>>(key, nonce, with),
        (_, 7) => aead::<Ccm<Aes256, U8, U7>>(key, nonce, with),
        _ => aead::<Ccm<Aes256, U8, U13>>(key, nonce, with),
    };
    ciphertext.ok_or(SealError::Encryption)
}

/// ChaCha20-Poly1305: nonce 12, ciphertext ‖ tag of 16.
pub(crate) fn chacha20_poly1305(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    aead::<ChaCha20Poly1305>(key, nonce, Payload { msg: plaintext, aad }).ok_or(SealError::Encryption)
}

fn aead<C: KeyInit + Aead>(key: &[u8], nonce: &[u8], with: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = <&Array<u8, C::NonceSize>>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.encrypt(nonce, with).ok()
}

/// AES-CTR: initial counter 16. Authenticates nothing.
pub(crate) fn ctr(key: &[u8], iv: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let encrypted = || {
        let key = EncryptingKey::ctr(UnboundCipherKey::new(aes(key), key).ok()?).ok()?;
        let mut bytes = plaintext.to_vec();
        key.less_safe_encrypt(&mut bytes, context(iv)?).ok()?;
        Some(bytes)
    };
    encrypted().ok_or(SealError::Encryption)
}

/// AES-CBC with PKCS #7 padding: IV 16. Authenticates nothing.
pub(crate) fn cbc(key: &[u8], iv: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let encrypted = || {
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(aes(key), key).ok()?).ok()?;
        let mut bytes = plaintext.to_vec();
        key.less_safe_encrypt(&mut bytes, context(iv)?).ok()?;
        Some(bytes)
    };
    encrypted().ok_or(SealError::Encryption)
}

const fn aes(key: &[u8]) -> &'static Algorithm {
    match key.len() {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        _ => &cipher::AES_256,
    }
}

fn context(iv: &[u8]) -> Option<EncryptionContext> {
    Some(EncryptionContext::Iv128(<[u8; 16]>::try_from(iv).ok()?.into()))
}

/// `AES-KW[kek](content key)` (RFC 3394).
pub(crate) fn wrap(kek: &[u8], key: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut wrapped = alloc::vec![0; key.len() + aes_kw::IV_LEN];
    let done = match kek.len() {
        16 => AesKw::<Aes128>::new_from_slice(kek).map(|with| with.wrap_key(key, &mut wrapped).is_ok()),
        24 => AesKw::<Aes192>::new_from_slice(kek).map(|with| with.wrap_key(key, &mut wrapped).is_ok()),
        _ => AesKw::<Aes256>::new_from_slice(kek).map(|with| with.wrap_key(key, &mut wrapped).is_ok()),
    };
    if done == Ok(true) { Ok(wrapped) } else { Err(SealError::Encryption) }
}
