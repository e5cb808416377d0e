//! Keys of every type and what is done with them, for every format: COSE, CMS and JOSE each bring their own names for it.
//! Public-key operations, CBC and CTR are AWS-LC's, the AEADs and the key wrap the same crates as the profile's. Imports
//! [`crate::error`] alone. Feature `primitives`, which each format beyond the profile's COSE asks for.

pub(crate) mod agreement;
pub(crate) mod cipher;
pub(crate) mod derive;
pub mod digest;
pub mod kem;
pub mod key;
pub(crate) mod rsa;
pub(crate) mod signature;

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::error::SealError;

/// Private bytes.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// `len` random bytes, wiped when dropped.
pub(crate) fn random<R: TryCryptoRng + ?Sized>(len: usize, rng: &mut R) -> Result<Secret, SealError> {
    let mut bytes = Zeroizing::new(alloc::vec![0; len]);
    rng.try_fill_bytes(&mut bytes).map_err(|_| SealError::Randomness)?;
    Ok(bytes)
}
