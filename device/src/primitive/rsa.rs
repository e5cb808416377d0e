//! RSA encryption of a content key.

use alloc::vec::Vec;

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents,
};

use super::digest::Hash;
use super::key::{Key, Material};
use crate::error::SealError;

const BAD: SealError = SealError::BadKey("RSA");

/// `RSAES-OAEP[hash, MGF1 with the same hash, label](content key)` (RFC 8017 §7.1)
pub(crate) fn oaep(public: &Key, hash: Hash, label: Option<&[u8]>, key: &[u8]) -> Result<Vec<u8>, SealError> {
    let algorithm = match hash {
        Hash::Sha1 => &OAEP_SHA1_MGF1SHA1,
        Hash::Sha256 => &OAEP_SHA256_MGF1SHA256,
        Hash::Sha384 => &OAEP_SHA384_MGF1SHA384,
        Hash::Sha512 => &OAEP_SHA512_MGF1SHA512,
        Hash::Sha224 => return Err(SealError::AlgorithmNotAllowed("SHA-224 in OAEP")),
    };
    let public = OaepPublicEncryptingKey::new(encrypting(public)?).map_err(|_| BAD)?;
    let mut ciphertext = alloc::vec![0; public.ciphertext_size()];
    let len = public.encrypt(algorithm, key, &mut ciphertext, label).map_err(|_| SealError::Encryption)?.len();
    ciphertext.truncate(len);
    Ok(ciphertext)
}

/// `RSAES-PKCS1-v1_5(content key)` (RFC 8017 §7.2); off by default at the gateway.
pub(crate) fn pkcs1(public: &Key, key: &[u8]) -> Result<Vec<u8>, SealError> {
    let public = Pkcs1PublicEncryptingKey::new(encrypting(public)?).map_err(|_| BAD)?;
    let mut ciphertext = alloc::vec![0; public.ciphertext_size()];
    let len = public.encrypt(key, &mut ciphertext).map_err(|_| SealError::Encryption)?.len();
    ciphertext.truncate(len);
    Ok(ciphertext)
}

fn encrypting(public: &Key) -> Result<PublicEncryptingKey, SealError> {
    let (n, e) = match &public.material {
        Material::RsaPublic { n, e } => (n, e),
        Material::RsaPrivate(pair) => (&pair.n, &pair.e),
        _ => return Err(BAD),
    };
    PublicKeyComponents { n, e }.try_into().map_err(|_| BAD)
}
