//! The symmetric primitives: content encryption, MACs, AES key wrap, and the key derivations.

use alloc::vec::Vec;

use aes::cipher::{Array, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::consts::{U7, U8, U12, U13, U16};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use aes_kw::AesKw;
use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::algorithm::{Encryption, Kdf, Mac};
use super::key::Secret;
use crate::error::SealError;

/// Ciphertext and tag: `AEAD[key](nonce, aad, plaintext)`, or CTR and CBC with PKCS #7 padding, without a tag.
pub(crate) fn encrypt(
    algorithm: Encryption,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let with = Payload { msg: plaintext, aad };
    let ciphertext = match algorithm {
        Encryption::A128Gcm => aead::<Aes128Gcm>(key, nonce, with),
        Encryption::A192Gcm => aead::<AesGcm<Aes192, U12>>(key, nonce, with),
        Encryption::A256Gcm => aead::<Aes256Gcm>(key, nonce, with),
        Encryption::Ccm16_64_128 => aead::<Ccm<Aes128, U8, U13>>(key, nonce, with),
        Encryption::Ccm16_64_256 => aead::<Ccm<Aes256, U8, U13>>(key, nonce, with),
        Encryption::Ccm64_64_128 => aead::<Ccm<Aes128, U8, U7>>(key, nonce, with),
        Encryption::Ccm64_64_256 => aead::<Ccm<Aes256, U8, U7>>(key, nonce, with),
        Encryption::Ccm16_128_128 => aead::<Ccm<Aes128, U16, U13>>(key, nonce, with),
        Encryption::Ccm16_128_256 => aead::<Ccm<Aes256, U16, U13>>(key, nonce, with),
        Encryption::Ccm64_128_128 => aead::<Ccm<Aes128, U16, U7>>(key, nonce, with),
        Encryption::Ccm64_128_256 => aead::<Ccm<Aes256, U16, U7>>(key, nonce, with),
        Encryption::ChaCha20Poly1305 => aead::<ChaCha20Poly1305>(key, nonce, with),
        Encryption::A128Ctr => ctr(&cipher::AES_128, key, nonce, plaintext),
        Encryption::A192Ctr => ctr(&cipher::AES_192, key, nonce, plaintext),
        Encryption::A256Ctr => ctr(&cipher::AES_256, key, nonce, plaintext),
        Encryption::A128Cbc => cbc(&cipher::AES_128, key, nonce, plaintext),
        Encryption::A192Cbc => cbc(&cipher::AES_192, key, nonce, plaintext),
        Encryption::A256Cbc => cbc(&cipher::AES_256, key, nonce, plaintext),
    };
    ciphertext.ok_or(SealError::Encryption)
}

fn aead<C: KeyInit + Aead>(key: &[u8], nonce: &[u8], with: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = <&Array<u8, C::NonceSize>>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.encrypt(nonce, with).ok()
}

fn ctr(algorithm: &'static cipher::Algorithm, key: &[u8], iv: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut bytes = plaintext.to_vec();
    key.less_safe_encrypt(&mut bytes, context(iv)?).ok()?;
    Some(bytes)
}

fn cbc(algorithm: &'static cipher::Algorithm, key: &[u8], iv: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut bytes = plaintext.to_vec();
    key.less_safe_encrypt(&mut bytes, context(iv)?).ok()?;
    Some(bytes)
}

fn context(iv: &[u8]) -> Option<EncryptionContext> {
    Some(EncryptionContext::Iv128(<[u8; 16]>::try_from(iv).ok()?.into()))
}

/// The tag: HMAC (RFC 9053 §3.1), or AES-CBC-MAC with a zero IV and zero padding (§3.2), cut to the algorithm's length.
pub(crate) fn mac(algorithm: Mac, key: &[u8], message: &[u8]) -> Result<Vec<u8>, SealError> {
    if key.len() != algorithm.key_len() {
        return Err(SealError::AlgorithmNotAllowed(algorithm.name()));
    }
    let hmac = |hash| hmac::sign(&hmac::Key::new(hash, key), message).as_ref().to_vec();
    let mut tag = match algorithm {
        Mac::Hmac256_64 | Mac::Hmac256 => hmac(hmac::HMAC_SHA256),
        Mac::Hmac384 => hmac(hmac::HMAC_SHA384),
        Mac::Hmac512 => hmac(hmac::HMAC_SHA512),
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

/// `KDF[salt, secret](info, length)`; no salt is a salt of zeros (RFC 5869 §2.2).
pub(crate) fn derive(
    kdf: Kdf,
    secret: &[u8],
    salt: Option<&[u8]>,
    info: &[u8],
    len: usize,
) -> Result<Secret, SealError> {
    let mut okm = Zeroizing::new(alloc::vec![0; len]);
    let done = match kdf {
        Kdf::Sha256 => Hkdf::<Sha256>::new(salt, secret).expand(info, &mut okm).is_ok(),
        Kdf::Sha512 => Hkdf::<Sha512>::new(salt, secret).expand(info, &mut okm).is_ok(),
        Kdf::Aes(key_len) if secret.len() == key_len => return expand_aes(secret, info, len),
        Kdf::Aes(_) => false,
    };
    if done { Ok(okm) } else { Err(SealError::BadKey("shared secret")) }
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
