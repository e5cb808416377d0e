//! Key bytes. The types with a secret in them are wiped on drop and have no `Debug`, `Clone`, `PartialEq` or `Serialize`,
//! so that a secret cannot wander by accident; they are converted into the primitives' own key types as early as can be.
//! At rest every key, public ones included, is a deterministic COSE_Key: see [`record`].

mod ec;
mod kem;
pub(crate) mod record;

use aws_lc_rs::rsa::PrivateDecryptingKey;
use curve25519_dalek::MontgomeryPoint;
use p256::pkcs8::PrivateKeyInfoRef;
use p256::pkcs8::der::Encode;
use p256::pkcs8::der::asn1::OctetStringRef;
use pkcs1::{RsaPrivateKey, UintRef};
use zeroize::Zeroizing;

use crate::key::{Algorithm, Kty};

pub(crate) use ec::{Curve, Point, Scalar};
pub(crate) use kem::Kem;

/// An X25519 private key with its public u-coordinate (RFC 7748).
pub(crate) struct X25519 {
    pub(crate) d: Zeroizing<[u8; 32]>,
    pub(crate) x: [u8; 32],
}

/// An RSA public key: big-endian, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RsaPublic {
    pub(crate) n: Vec<u8>,
    pub(crate) e: Vec<u8>,
}

/// An RSA private key of two primes, in the form of RFC 8017 §3.2.
pub(crate) struct RsaPrivate {
    pub(crate) public: RsaPublic,
    /// d, p, q, dP, dQ, qInv.
    pub(crate) secret: [Zeroizing<Vec<u8>>; 6],
}

/// A symmetric key: a profile master, or a key as it is, with its base IV.
pub(crate) struct Symmetric {
    pub(crate) k: Zeroizing<Vec<u8>>,
    pub(crate) base_iv: Option<Zeroizing<Vec<u8>>>,
}

/// The bytes of one key.
pub(crate) enum KeyMaterial {
    /// ML-DSA, with its parameter set.
    AkpPublic(Algorithm, Vec<u8>),
    EcPrivate(Scalar),
    EcPublic(Point),
    Ed25519Public([u8; 32]),
    Ed448Public([u8; 57]),
    KemPrivate(Kem),
    RsaPrivate(RsaPrivate),
    RsaPublic(RsaPublic),
    Symmetric(Symmetric),
    X25519Private(X25519),
    X25519Public([u8; 32]),
}

/// What a record holds: the key, and what else of it is secret.
pub(crate) struct Secrets {
    pub(crate) material: KeyMaterial,
    /// SuppPrivInfo of its KDF contexts (contract.md §1).
    pub(crate) priv_other: Option<Zeroizing<Vec<u8>>>,
}

impl X25519 {
    /// Any 32 bytes are a private key: the curve clamps them.
    pub(crate) fn new(d: &[u8]) -> Option<Self> {
        let d = Zeroizing::new(<[u8; 32]>::try_from(d).ok()?);
        Some(Self { x: MontgomeryPoint::mul_base_clamped(*d).to_bytes(), d })
    }
}

impl RsaPublic {
    /// A modulus of 2048 to 8192 bits and an odd exponent from 65537 to 2^33 (keystore.md §6), each without leading zeros
    /// (RFC 7518 §6.3.1).
    pub(crate) fn new(n: &[u8], e: &[u8]) -> Option<Self> {
        if n.first() == Some(&0) || e.first() == Some(&0) {
            return None;
        }
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        let exponent = e.iter().try_fold(0_u64, |so_far, byte| so_far.checked_mul(256)?.checked_add((*byte).into()))?;
        let sound = (2048..=8192).contains(&bits) && n.last()? & 1 == 1;
        let sound = sound && exponent & 1 == 1 && (65_537..1 << 33).contains(&exponent);
        sound.then(|| Self { n: n.to_vec(), e: e.to_vec() })
    }
}

impl RsaPrivate {
    /// The key of d, p, q, dP, dQ, qInv; none if they do not belong together, or if one prime is used twice.
    pub(crate) fn new(public: RsaPublic, parts: [Zeroizing<Vec<u8>>; 6]) -> Option<Self> {
        let key = Self { public, secret: parts.map(|part| Zeroizing::new(significant(&part).to_vec())) };
        let sound = key.secret[1] != key.secret[2] && PrivateDecryptingKey::from_pkcs8(&key.to_pkcs8()?).is_ok();
        sound.then_some(key)
    }

    /// PrivateKeyInfo (RFC 5208) around RSAPrivateKey (RFC 8017 A.1.2).
    pub(crate) fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let integer = |bytes| UintRef::new(bytes).ok();
        let [d, p, q, dp, dq, qi] = &self.secret;
        let key = RsaPrivateKey {
            modulus: integer(&self.public.n)?,
            public_exponent: integer(&self.public.e)?,
            private_exponent: integer(d)?,
            prime1: integer(p)?,
            prime2: integer(q)?,
            exponent1: integer(dp)?,
            exponent2: integer(dq)?,
            coefficient: integer(qi)?,
            other_prime_infos: None,
        };
        let der = Zeroizing::new(key.to_der().ok()?);
        let info = PrivateKeyInfoRef::new(pkcs1::ALGORITHM_ID, OctetStringRef::new(&der).ok()?);
        info.to_der().ok().map(Zeroizing::new)
    }
}

/// An unsigned integer without its leading zeros.
pub(crate) fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

impl KeyMaterial {
    /// Kind of key.
    pub(crate) const fn kty(&self) -> Kty {
        match self {
            Self::AkpPublic(..) | Self::KemPrivate(_) => Kty::Akp,
            Self::EcPrivate(Scalar { point, .. }) | Self::EcPublic(point) => point.curve.kty(),
            Self::Ed25519Public(_) => Kty::OkpEd25519,
            Self::Ed448Public(_) => Kty::OkpEd448,
            Self::RsaPrivate(_) | Self::RsaPublic(_) => Kty::Rsa,
            Self::Symmetric(_) => Kty::Symmetric,
            Self::X25519Private(_) | Self::X25519Public(_) => Kty::OkpX25519,
        }
    }

    /// The JWK member that holds what makes it this key, for faults.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::AkpPublic(..) | Self::KemPrivate(_) => "pub",
            Self::RsaPrivate(_) | Self::RsaPublic(_) => "n",
            Self::Symmetric(_) => "k",
            _ => "x",
        }
    }

    /// Whether this is a private key, which is the gateway's own.
    pub(crate) const fn is_private(&self) -> bool {
        matches!(self, Self::EcPrivate(_) | Self::KemPrivate(_) | Self::RsaPrivate(_) | Self::X25519Private(_))
    }

    /// Whether this key can run that algorithm at all. `derive`: a master, whose length need only suffice (profile.md §3).
    pub(crate) fn fits(&self, algorithm: Algorithm, derive: bool) -> bool {
        match self {
            Self::AkpPublic(set, _) => algorithm == *set,
            Self::EcPrivate(_) | Self::X25519Private(_) if algorithm.is_hpke() => {
                cfg!(feature = "hpke") && algorithm.hpke_kty() == Some(self.kty())
            }
            Self::EcPrivate(_) | Self::X25519Private(_) => algorithm.agreement().is_some(),
            Self::EcPublic(point) => point.curve.verifies(algorithm) || (point.curve.agrees() && algorithm.is_static()),
            Self::Ed25519Public(_) => algorithm == Algorithm::Ed25519,
            Self::Ed448Public(_) => algorithm == Algorithm::Ed448,
            Self::KemPrivate(key) => algorithm == key.set,
            Self::RsaPrivate(_) => algorithm.is_transport(),
            Self::RsaPublic(_) => algorithm.is_rsa_signature(),
            Self::Symmetric(key) if derive => {
                let long_enough = algorithm.content().is_some_and(|sizes| key.k.len() >= sizes.key);
                algorithm.is_aead() && algorithm.cose().is_some() && long_enough
            }
            Self::Symmetric(key) => algorithm.takes_symmetric(key.k.len()),
            Self::X25519Public(_) => algorithm.is_static(),
        }
    }

    /// Whether a key runs that algorithm only where its record names it: weak, or legal in RFC 9053 and better not.
    pub(crate) const fn only_by_name(algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Ed448 | Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => true,
            Algorithm::EcdhEsDes3Kw | Algorithm::RsaOaepSha1 | Algorithm::RsaPkcs1V15 => true,
            _ => algorithm.is_unauthenticated() || algorithm.is_password() || algorithm.is_ccm_sized(),
        }
    }
}
