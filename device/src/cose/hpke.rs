//! HPKE to the receiver's public key (RFC 9180, draft-ietf-cose-hpke), base mode: the content itself in a COSE_Encrypt0,
//! or its key for each recipient of a COSE_Encrypt. The cryptography is rustls' own, none of the gateway's. Feature `hpke`.

use alloc::vec::Vec;

use coset::CoseRecipient;
use rustls::crypto::aws_lc_rs::hpke::{
    DH_KEM_P256_HKDF_SHA256_AES_128, DH_KEM_P256_HKDF_SHA256_AES_256, DH_KEM_P384_HKDF_SHA384_AES_256,
    DH_KEM_P521_HKDF_SHA512_AES_256, DH_KEM_X25519_HKDF_SHA256_AES_128, DH_KEM_X25519_HKDF_SHA256_CHACHA20_POLY1305,
};
use rustls::crypto::hpke::HpkePublicKey;

use super::headers::{Buckets, label};
use crate::algorithm::registered;
use crate::cbor;
use crate::error::SealError;
use crate::primitive::key::{Curve, Key, Material};

registered! {
    /// A suite of HPKE, by the number of its integrated form.
    Hpke {
        /// P-256, SHA-256, AES-128-GCM.
        Hpke0 = 35 "HPKE-0",
        /// P-384, SHA-384, AES-256-GCM.
        Hpke1 = 37 "HPKE-1",
        /// P-521, SHA-512, AES-256-GCM.
        Hpke2 = 39 "HPKE-2",
        /// X25519, SHA-256, AES-128-GCM.
        Hpke3 = 41 "HPKE-3",
        /// X25519, SHA-256, ChaCha20-Poly1305.
        Hpke4 = 42 "HPKE-4",
        /// P-256, SHA-256, AES-256-GCM.
        Hpke7 = 45 "HPKE-7",
    }
}

impl Hpke {
    /// Number of the form that brings a content key.
    pub const fn key_encryption(self) -> i32 {
        match self {
            Self::Hpke0 => 46,
            Self::Hpke1 => 47,
            Self::Hpke2 => 48,
            Self::Hpke3 => 49,
            Self::Hpke4 => 50,
            Self::Hpke7 => 53,
        }
    }

    const fn curve(self) -> Curve {
        match self {
            Self::Hpke0 | Self::Hpke7 => Curve::P256,
            Self::Hpke1 => Curve::P384,
            Self::Hpke2 => Curve::P521,
            Self::Hpke3 | Self::Hpke4 => Curve::X25519,
        }
    }

    fn suite(self) -> &'static dyn rustls::crypto::hpke::Hpke {
        match self {
            Self::Hpke0 => DH_KEM_P256_HKDF_SHA256_AES_128,
            Self::Hpke1 => DH_KEM_P384_HKDF_SHA384_AES_256,
            Self::Hpke2 => DH_KEM_P521_HKDF_SHA512_AES_256,
            Self::Hpke3 => DH_KEM_X25519_HKDF_SHA256_AES_128,
            Self::Hpke4 => DH_KEM_X25519_HKDF_SHA256_CHACHA20_POLY1305,
            Self::Hpke7 => DH_KEM_P256_HKDF_SHA256_AES_256,
        }
    }

    /// The encapsulated key, and the ciphertext with its tag.
    pub(super) fn seal(
        self,
        to: &Key,
        info: &[u8],
        aad: &[u8],
        content: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        let Material::Curve { curve, x, y, .. } = &to.material else {
            return Err(SealError::AlgorithmNotAllowed(self.name()));
        };
        if *curve != self.curve() {
            return Err(SealError::AlgorithmNotAllowed(self.name()));
        }
        let point = if y.is_empty() { x.clone() } else { [&[0x04], x.as_slice(), y].concat() };
        let sealed = self.suite().seal(info, aad, content, &HpkePublicKey(point));
        let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::BadKey(curve.name()))?;
        Ok((encapsulated.0, ciphertext))
    }

    /// A recipient that gets the content key of algorithm `next` (Recipient_structure of the draft).
    pub(super) fn recipient(self, to: &Key, next: i32, key: &[u8]) -> Result<CoseRecipient, SealError> {
        let headers = Buckets::default().for_algorithm(self.key_encryption(), true).naming(to.kid());
        let protected = headers.protected.protected()?;
        let info = cbor::bytes(|out| {
            let protected = protected.original_data.as_deref().unwrap_or_default();
            out.array(4)?.str("HPKE Recipient")?.i32(next)?.bytes(protected)?.bytes(&[])?;
            Ok(())
        });
        let (encapsulated, ciphertext) = self.seal(to, &info, &[], key)?;
        let unprotected = headers.unprotected.bytes(label::ENCAPSULATED_KEY, &encapsulated).unprotected();
        Ok(CoseRecipient { protected, unprotected, ciphertext: Some(ciphertext), recipients: Vec::new() })
    }
}
