//! The symmetric primitives by COSE's names: content encryption, MACs, and the key derivations.

use alloc::vec::Vec;

use aes::cipher::consts::U16;
use aes::cipher::{Array, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes128, Aes256};
use zeroize::Zeroizing;

use super::algorithm::{Encryption, Kdf, Mac};
use crate::error::SealError;
use crate::primitive::digest::Hash;
use crate::primitive::{Secret, cipher, derive};

/// Ciphertext and tag: `AEAD[key](nonce, aad, plaintext)`, or CTR and CBC with PKCS #7 padding, without a tag.
pub(crate) fn encrypt(
    algorithm: Encryption,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    if key.len() != algorithm.key_len() || nonce.len() != algorithm.nonce_len() {
        return Err(SealError::Encryption);
    }
    match algorithm {
        Encryption::A128Gcm | Encryption::A192Gcm | Encryption::A256Gcm => cipher::gcm(key, nonce, aad, plaintext),
        Encryption::Ccm16_64_128 | Encryption::Ccm16_64_256 | Encryption::Ccm64_64_128 | Encryption::Ccm64_64_256 => {
            cipher::ccm8(key, nonce, aad, plaintext)
        }
        Encryption::Ccm16_128_128
        | Encryption::Ccm16_128_256
        | Encryption::Ccm64_128_128
        | Encryption::Ccm64_128_256 => cipher::ccm(key, nonce, aad, plaintext),
        Encryption::ChaCha20Poly1305 => cipher::chacha20_poly1305(key, nonce, aad, plaintext),
        Encryption::A128Ctr | Encryption::A192Ctr | Encryption::A256Ctr => cipher::ctr(key, nonce, plaintext),
        Encryption::A128Cbc | Encryption::A192Cbc | Encryption::A256Cbc => cipher::cbc(key, nonce, plaintext),
    }
}

/// The tag: HMAC (RFC 9053 §3.1), or AES-CBC-MAC with a zero IV and zero padding (§3.2), cut to the algorithm's length.
pub(crate) fn mac(algorithm: Mac, key: &[u8], message: &[u8]) -> Result<Vec<u8>, SealError> {
    if key.len() != algorithm.key_len() {
        return Err(SealError::AlgorithmNotAllowed(algorithm.name()));
    }
    let mut tag = match algorithm {
        Mac::Hmac256_64 | Mac::Hmac256 => Hash::Sha256.hmac(key, message),
        Mac::Hmac384 => Hash::Sha384.hmac(key, message),
        Mac::Hmac512 => Hash::Sha512.hmac(key, message),
        Mac::AesMac128_64 | Mac::AesMac128_128 | Mac::AesMac256_64 | Mac::AesMac256_128 => {
            cbc_mac(key, message)?.to_vec()
        }
    };
    tag.truncate(algorithm.tag_len());
    Ok(tag)
}

fn cbc_mac(key: &[u8], message: &[u8]) -> Result<[u8; 16], SealError> {
    match key.len() {
        16 => chain::<Aes128>(key, message),
        _ => chain::<Aes256>(key, message),
    }
}

/// `T = AES[key](T XOR block)` over the zero-padded blocks.
fn chain<C: BlockCipherEncrypt + KeyInit + BlockSizeUser<BlockSize = U16>>(
    key: &[u8],
    message: &[u8],
) -> Result<[u8; 16], SealError> {
    let cipher = C::new_from_slice(key).map_err(|_| SealError::BadKey("symmetric"))?;
    let mut tag: Array<u8, U16> = [0; 16].into();
    for block in message.chunks(16) {
        for (byte, more) in tag.iter_mut().zip(block) {
            *byte ^= more;
        }
        cipher.encrypt_block(&mut tag);
    }
    Ok(tag.into())
}

/// `KDF[salt, secret](info, length)`; no salt is a salt of zeros (RFC 5869 §2.2).
pub(crate) fn derive(
    kdf: Kdf,
    secret: &[u8],
    salt: Option<&[u8]>,
    info: &[u8],
    len: usize,
) -> Result<Secret, SealError> {
    match kdf {
        Kdf::Sha256 => derive::hkdf(Hash::Sha256, secret, salt, info, len),
        Kdf::Sha512 => derive::hkdf(Hash::Sha512, secret, salt, info, len),
        Kdf::Aes(key_len) if secret.len() == key_len => expand_aes(secret, info, len),
        Kdf::Aes(_) => Err(SealError::BadKey("shared secret")),
    }
}

/// `T(i) = CBC-MAC[secret](T(i-1) ‖ info ‖ i)`: no extract step, so no salt (RFC 9053 §5.1).
fn expand_aes(secret: &[u8], info: &[u8], len: usize) -> Result<Secret, SealError> {
    let mut okm = Zeroizing::new(Vec::with_capacity(len + 16));
    let mut previous = Zeroizing::new(Vec::new());
    for counter in 1..=u8::MAX {
        *previous = cbc_mac(secret, &Zeroizing::new([&previous, info, &[counter]].concat()))?.to_vec();
        okm.extend_from_slice(&previous);
        if okm.len() >= len {
            break;
        }
    }
    okm.truncate(len);
    Ok(okm)
}
