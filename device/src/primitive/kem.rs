//! Key encapsulation: ML-KEM (FIPS 203), by AWS-LC, which draws on the system's randomness.

use alloc::vec::Vec;

use aws_lc_rs::kem::{EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
use zeroize::Zeroizing;

use super::Secret;
use crate::error::SealError;

/// A parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlKem {
    /// ML-KEM-512.
    MlKem512,
    /// ML-KEM-768.
    MlKem768,
    /// ML-KEM-1024.
    MlKem1024,
}

/// Ciphertext, and the secret of 32 bytes that it brings.
pub(crate) fn encapsulate(set: MlKem, public: &[u8]) -> Result<(Vec<u8>, Secret), SealError> {
    let algorithm = match set {
        MlKem::MlKem512 => &ML_KEM_512,
        MlKem::MlKem768 => &ML_KEM_768,
        MlKem::MlKem1024 => &ML_KEM_1024,
    };
    let public = EncapsulationKey::new(algorithm, public).map_err(|_| SealError::BadKey("ML-KEM"))?;
    let (ciphertext, secret) = public.encapsulate().map_err(|_| SealError::Encryption)?;
    Ok((ciphertext.as_ref().to_vec(), Zeroizing::new(secret.as_ref().to_vec())))
}
