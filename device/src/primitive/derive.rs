//! Key derivations that are not COSE's alone: of an agreed secret, of a password.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use hkdf::Hkdf;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::Secret;
use super::digest::Hash;
use crate::error::SealError;

/// `H(counter ‖ Z ‖ info)`, counted from 1, cut to `len` (NIST SP 800-56C; the Concat KDF of RFC 7518 §4.6.2).
pub(crate) fn concat(hash: Hash, secret: &[u8], info: &[u8], len: usize) -> Secret {
    counted(hash, len, |counter| Zeroizing::new([counter, secret, info].concat()))
}

/// `H(Z ‖ counter ‖ info)`, counted from 1, cut to `len` (ANSI X9.63, SEC 1 §3.6.1).
pub(crate) fn x963(hash: Hash, secret: &[u8], info: &[u8], len: usize) -> Secret {
    counted(hash, len, |counter| Zeroizing::new([secret, counter, info].concat()))
}

fn counted(hash: Hash, len: usize, input: impl Fn(&[u8]) -> Secret) -> Secret {
    let mut okm = Zeroizing::new(Vec::with_capacity(len + hash.output_len()));
    for counter in 1u32.. {
        if okm.len() >= len {
            break;
        }
        okm.extend_from_slice(&hash.digest(&input(&counter.to_be_bytes())));
    }
    okm.truncate(len);
    okm
}

/// HKDF (RFC 5869); no salt is a salt of zeros (§2.2).
pub(crate) fn hkdf(
    hash: Hash,
    secret: &[u8],
    salt: Option<&[u8]>,
    info: &[u8],
    len: usize,
) -> Result<Secret, SealError> {
    let mut okm = Zeroizing::new(alloc::vec![0; len]);
    let done = match hash {
        Hash::Sha256 => Hkdf::<Sha256>::new(salt, secret).expand(info, &mut okm).is_ok(),
        Hash::Sha384 => Hkdf::<Sha384>::new(salt, secret).expand(info, &mut okm).is_ok(),
        Hash::Sha512 => Hkdf::<Sha512>::new(salt, secret).expand(info, &mut okm).is_ok(),
        Hash::Sha1 | Hash::Sha224 => false,
    };
    if done { Ok(okm) } else { Err(SealError::Encryption) }
}

/// PBKDF2 (RFC 8018 §5.2).
pub(crate) fn pbkdf2(
    hash: Hash,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    len: usize,
) -> Result<Secret, SealError> {
    let algorithm = match hash {
        Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Hash::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        Hash::Sha224 => return Err(SealError::AlgorithmNotAllowed("SHA-224 in PBKDF2")),
    };
    let iterations = NonZeroU32::new(iterations).ok_or(SealError::BadLength {
        what: "the iterations",
        min: 1,
        max: u32::MAX as usize,
    })?;
    let mut okm = Zeroizing::new(alloc::vec![0; len]);
    pbkdf2::derive(algorithm, iterations, salt, password, &mut okm);
    Ok(okm)
}
