//! Content encryption (RFC 7518 §5).

use alloc::vec::Vec;

use super::algorithm::Encryption;
use crate::error::SealError;
use crate::primitive::cipher;
use crate::primitive::digest::Hash;

/// Ciphertext, and tag.
pub(crate) fn encrypt(
    algorithm: Encryption,
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    if key.len() != algorithm.key_len() || iv.len() != algorithm.iv_len() {
        return Err(SealError::AlgorithmNotAllowed(algorithm.name()));
    }
    match algorithm {
        Encryption::A128Gcm | Encryption::A192Gcm | Encryption::A256Gcm => gcm(key, iv, aad, plaintext),
        Encryption::A128CbcHs256 => cbc_hmac(Hash::Sha256, key, iv, aad, plaintext),
        Encryption::A192CbcHs384 => cbc_hmac(Hash::Sha384, key, iv, aad, plaintext),
        Encryption::A256CbcHs512 => cbc_hmac(Hash::Sha512, key, iv, aad, plaintext),
    }
}

/// AES-GCM with its tag of 16 bytes apart.
pub(crate) fn gcm(key: &[u8], iv: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let mut ciphertext = cipher::gcm(key, iv, aad, plaintext)?;
    let tag = ciphertext.split_off(plaintext.len());
    Ok((ciphertext, tag))
}

/// The first half of the key authenticates, the second encrypts; the tag is the first half of
/// `HMAC(AAD ‖ IV ‖ ciphertext ‖ bits of the AAD in 8 bytes)` (§5.2.2.1).
fn cbc_hmac(hash: Hash, key: &[u8], iv: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let (mac_key, encryption_key) = key.split_at(key.len() / 2);
    let ciphertext = cipher::cbc(encryption_key, iv, plaintext)?;
    let bits = (aad.len() as u64 * 8).to_be_bytes();
    let mut tag = hash.hmac(mac_key, &[aad, iv, &ciphertext, &bits].concat());
    tag.truncate(hash.output_len() / 2);
    Ok((ciphertext, tag))
}
