//! Content encryption: `AEAD[key](nonce, aad, plaintext)` with the profile's five algorithms.

use alloc::vec::Vec;

use aes::Aes128;
use aes_gcm::aead::array::Array;
use aes_gcm::aead::consts::{U8, U13, U16};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;

use crate::algorithm::ContentAlgorithm;
use crate::error::SealError;

/// Ciphertext and tag. Fails where key or nonce have not the algorithm's length.
pub(crate) fn encrypt(
    algorithm: ContentAlgorithm,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let payload = Payload { msg: plaintext, aad };
    let ciphertext = match algorithm {
        ContentAlgorithm::A128Gcm => encrypt_with::<Aes128Gcm>(key, nonce, payload),
        ContentAlgorithm::A256Gcm => encrypt_with::<Aes256Gcm>(key, nonce, payload),
        ContentAlgorithm::AesCcm16_128_128 => encrypt_with::<Ccm<Aes128, U16, U13>>(key, nonce, payload),
        ContentAlgorithm::AesCcm16_64_128 => encrypt_with::<Ccm<Aes128, U8, U13>>(key, nonce, payload),
        ContentAlgorithm::ChaCha20Poly1305 => encrypt_with::<ChaCha20Poly1305>(key, nonce, payload),
    };
    ciphertext.ok_or(SealError::Encryption)
}

fn encrypt_with<C: KeyInit + Aead>(key: &[u8], nonce: &[u8], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = <&Array<u8, C::NonceSize>>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.encrypt(nonce, payload).ok()
}
