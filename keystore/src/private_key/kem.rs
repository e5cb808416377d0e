//! ML-KEM private keys (FIPS 203): kept in the expanded form, which the primitive takes.

use aws_lc_rs::digest::{SHA3_256, digest};
use ml_kem::{DecapsulationKey, MlKem512, MlKem768, MlKem1024, Seed};
use zeroize::Zeroizing;

use crate::key::Algorithm;

/// An ML-KEM private key in its expanded form (FIPS 203 §7.1), with its parameter set.
pub(crate) struct Kem {
    pub(crate) set: Algorithm,
    pub(crate) private: Zeroizing<Vec<u8>>,
}

/// The public key's hash and 32 random bytes, which end the private key.
const TAIL: usize = 64;

impl Kem {
    /// The private key of that length whose hash of its public key holds (FIPS 203 §7.3). Which set it is of, its length says.
    pub(crate) fn new(private: &[u8]) -> Option<Self> {
        let of_length = |set: &Algorithm| set.kem().is_some_and(|sizes| sizes.private == private.len());
        let set = Algorithm::ALL.iter().copied().find(of_length)?;
        let key = Self { set, private: Zeroizing::new(private.to_vec()) };
        let tail = private.get(private.len().checked_sub(TAIL)?..)?;
        digest(&SHA3_256, key.public()).as_ref().eq(&tail[..TAIL / 2]).then_some(key)
    }

    /// The private key that a seed of 64 bytes expands to: d, then z (FIPS 203 §7.1).
    pub(crate) fn of_seed(set: Algorithm, seed: &[u8]) -> Option<Self> {
        let seed = Zeroizing::new(Seed::try_from(seed).ok()?);
        Self::new(&expanded(set, &seed)?)
    }

    /// The public key, which stands in the private one before its hash.
    pub(crate) fn public(&self) -> &[u8] {
        let size = self.set.kem().map_or(0, |sizes| sizes.public);
        let end = self.private.len().saturating_sub(TAIL);
        self.private.get(end.saturating_sub(size)..end).unwrap_or_default()
    }
}

#[expect(deprecated, reason = "the primitive takes no seed")]
fn expanded(set: Algorithm, seed: &Seed) -> Option<Zeroizing<Vec<u8>>> {
    use ml_kem::ExpandedKeyEncoding;
    let expanded = match set {
        Algorithm::MlKem512 => DecapsulationKey::<MlKem512>::from_seed(*seed).to_expanded_bytes().to_vec(),
        Algorithm::MlKem768 => DecapsulationKey::<MlKem768>::from_seed(*seed).to_expanded_bytes().to_vec(),
        Algorithm::MlKem1024 => DecapsulationKey::<MlKem1024>::from_seed(*seed).to_expanded_bytes().to_vec(),
        _ => return None,
    };
    Some(Zeroizing::new(expanded))
}
