//! HPKE to our key (RFC 9180): base mode, one message an encapsulation, as COSE uses it (draft-ietf-cose-hpke). Agreement,
//! HKDF and AEAD are those of the other operations; what is here is the schedule between them.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::hkdf::{self, HKDF_SHA256, HKDF_SHA384, HKDF_SHA512, Prk, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};

use crate::key::{Algorithm, Kty};
use crate::ops::aead::ContentKey;
use crate::ops::{Secret, agreement, kdf};

/// What begins every label (RFC 9180 §4).
const VERSION: &[u8] = b"HPKE-v1";
/// Base mode (RFC 9180 §5).
const MODE_BASE: u8 = 0;
/// Bytes of a nonce and of a tag: the same for all AEADs of HPKE.
const NONCE: usize = 12;
const TAG: usize = 16;

/// Numbers of RFC 9180 §7, and what they stand for. KEM and schedule have the same hash in every suite of COSE.
struct Suite {
    kem: u16,
    kdf: u16,
    aead: u16,
    kty: Kty,
    cipher: Algorithm,
    /// Bytes of the content key.
    key: usize,
}

/// The suites of COSE but for those on X448.
fn suite(algorithm: Algorithm) -> Option<Suite> {
    let kty = algorithm.hpke_kty()?;
    let (kem, kdf) = match kty {
        Kty::Ec2P256 => (0x10, 1),
        Kty::Ec2P384 => (0x11, 2),
        Kty::Ec2P521 => (0x12, 3),
        _ => (0x20, 1),
    };
    let (aead, cipher, key) = match algorithm {
        Algorithm::Hpke0 | Algorithm::Hpke0Ke | Algorithm::Hpke3 | Algorithm::Hpke3Ke => (1, Algorithm::A128Gcm, 16),
        Algorithm::Hpke4 | Algorithm::Hpke4Ke => (3, Algorithm::ChaCha20Poly1305, 32),
        _ => (2, Algorithm::A256Gcm, 32),
    };
    Some(Suite { kem, kdf, aead, kty, cipher, key })
}

/// The key and nonce that one encapsulation leads to.
pub(super) struct Context {
    key: ContentKey,
    nonce: Secret,
}

impl Context {
    /// SetupBaseR (RFC 9180 §5.1.1). None for an encapsulated key that is no point of the suite's curve.
    pub(super) fn of(
        algorithm: Algorithm,
        kty: Kty,
        private: &PrivateKey,
        encapsulated: &[u8],
        info: &[u8],
    ) -> Option<Self> {
        let suite = suite(algorithm).filter(|suite| suite.kty == kty)?;
        suite.schedule(&suite.decapsulate(private, encapsulated)?, info)
    }

    /// The first message of the context, its tag at its end; the first additional data that holds, and which.
    pub(super) fn open(&self, aads: &[&[u8]], ciphertext: &[u8]) -> Option<(Secret, usize)> {
        let (ciphertext, tag) = ciphertext.split_at_checked(ciphertext.len().checked_sub(TAG)?)?;
        let mut cleartext = Secret::new(vec![0; ciphertext.len()]);
        let mut trials = aads.iter().enumerate();
        let trial = trials.find_map(|(trial, aad)| {
            self.key.open(&self.nonce, aad, ciphertext, tag, &mut cleartext).map(|length| (trial, length))
        });
        let (trial, length) = trial?;
        cleartext.truncate(length);
        Some((cleartext, trial))
    }
}

impl Suite {
    /// DHKEM's Decap (RFC 9180 §4.1).
    fn decapsulate(&self, private: &PrivateKey, encapsulated: &[u8]) -> Option<Secret> {
        if encapsulated.len() != self.point() {
            return None;
        }
        let secret = agreement::secret(private, encapsulated)?;
        let ours = private.compute_public_key().ok()?;
        let id = [b"KEM".as_slice(), &self.kem.to_be_bytes()].concat();
        let prk = self.extract(&[], &id, "eae_prk", &secret);
        expand(&prk, &id, "shared_secret", &[encapsulated, ours.as_ref()].concat(), self.hash())
    }

    /// KeySchedule (RFC 9180 §5.1) without a pre-shared key.
    fn schedule(&self, shared_secret: &[u8], info: &[u8]) -> Option<Context> {
        let numbers = [self.kem, self.kdf, self.aead].map(u16::to_be_bytes);
        let id = [b"HPKE".as_slice(), &numbers.concat()].concat();
        let hashed = |label: &str, bytes: &[u8]| self.mac(&labeled(&id, label, bytes));
        let context = [&[MODE_BASE], hashed("psk_id_hash", &[]).as_ref(), hashed("info_hash", info).as_ref()].concat();
        let secret = self.extract(shared_secret, &id, "secret", &[]);
        let key = expand(&secret, &id, "key", &context, self.key)?;
        let nonce = expand(&secret, &id, "base_nonce", &context, NONCE)?;
        Some(Context { key: ContentKey::new(self.cipher, &key, &[])?, nonce })
    }

    /// LabeledExtract.
    fn extract(&self, salt: &[u8], id: &[u8], label: &str, secret: &[u8]) -> Prk {
        let algorithm: hkdf::Algorithm = match self.kdf {
            1 => HKDF_SHA256,
            2 => HKDF_SHA384,
            _ => HKDF_SHA512,
        };
        Salt::new(algorithm, salt).extract(&labeled(id, label, secret))
    }

    /// LabeledExtract without a salt, of which the schedule needs the bytes: HMAC under a key of zeros (RFC 5869 §2.2).
    fn mac(&self, labeled: &[u8]) -> hmac::Tag {
        let algorithm = match self.kdf {
            1 => HMAC_SHA256,
            2 => HMAC_SHA384,
            _ => HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, &[]), labeled)
    }

    /// Bytes of the hash, and of the shared secret.
    const fn hash(&self) -> usize {
        match self.kdf {
            1 => 32,
            2 => 48,
            _ => 64,
        }
    }

    /// Bytes of an encapsulated key: an uncompressed point, or u.
    const fn point(&self) -> usize {
        match self.kem {
            0x10 => 65,
            0x11 => 97,
            0x12 => 133,
            _ => 32,
        }
    }
}

fn labeled(id: &[u8], label: &str, bytes: &[u8]) -> Secret {
    Secret::new([VERSION, id, label.as_bytes(), bytes].concat())
}

/// LabeledExpand.
fn expand(prk: &Prk, id: &[u8], label: &str, info: &[u8], length: usize) -> Option<Secret> {
    let size = u16::try_from(length).ok()?.to_be_bytes();
    kdf::expand(prk, &[&size, VERSION, id, label.as_bytes(), info], length)
}
