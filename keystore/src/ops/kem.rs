//! ML-KEM decapsulation (FIPS 203 §7.3). It never fails for a ciphertext of the right length: one that was changed yields a
//! secret that is pseudo-random (implicit rejection, §6.3), so that the key wrap that follows decides.

use aws_lc_rs::kem::{
    Algorithm as Set, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024,
};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::Secret;
use crate::private_key::Kem;

/// The primitive's form of our private key.
pub(crate) fn private_key(key: &Kem) -> Option<DecapsulationKey> {
    DecapsulationKey::new(set(key.set)?, &key.private).ok()
}

/// The secret that was encapsulated, if the ciphertext has the length of the set.
pub(crate) fn decapsulate(key: &DecapsulationKey, algorithm: Algorithm, ciphertext: &[u8]) -> Option<Secret> {
    if ciphertext.len() != algorithm.kem()?.ciphertext {
        return None;
    }
    let secret = key.decapsulate(Ciphertext::from(ciphertext)).ok()?;
    Some(Zeroizing::new(secret.as_ref().to_vec()))
}

/// Whether the private key opens what its public key encapsulates.
pub(crate) fn is_sound(key: &Kem) -> bool {
    let agree = || {
        let public = EncapsulationKey::new(set(key.set)?, key.public()).ok()?;
        let (ciphertext, secret) = public.encapsulate().ok()?;
        let decapsulated = decapsulate(&private_key(key)?, key.set, ciphertext.as_ref())?;
        Some(decapsulated.as_slice() == secret.as_ref())
    };
    agree().unwrap_or(false)
}

const fn set(algorithm: Algorithm) -> Option<&'static Set> {
    match algorithm {
        Algorithm::MlKem512 => Some(&ML_KEM_512),
        Algorithm::MlKem768 => Some(&ML_KEM_768),
        Algorithm::MlKem1024 => Some(&ML_KEM_1024),
        _ => None,
    }
}
