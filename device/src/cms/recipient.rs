//! Recipients: how the content key gets to whoever shall open the message (RFC 5652 §6.2, RFC 5753, RFC 8418, RFC 3211).

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use super::algorithm::{Agreement, Wrap, hashed, hmac};
use super::der::{
    CONTEXT, CONTEXT_CONSTRUCTED, algorithm, bits, explicit, issuer_and_serial, null, number, octets, retagged,
    sequence, tlv,
};
use super::oid;
use crate::error::SealError;
use crate::primitive::agreement::Pair;
use crate::primitive::digest::Hash;
use crate::primitive::kem::{self, MlKem};
use crate::primitive::key::{Curve, Key};
use crate::primitive::{Secret, cipher, derive, random, rsa};

/// Somebody who shall open the message.
pub enum Recipient {
    /// Encrypted to an RSA key.
    KeyTransport(Identifier, Key, Transport),
    /// Wrapped under a key that is agreed with public keys, all on one curve.
    KeyAgreement(KeyAgreement),
    /// Wrapped under a key that is encapsulated.
    Kem(Encapsulation),
    /// Wrapped under a shared key, named by its kid.
    Kek(Key),
    /// Wrapped under a key of a password.
    Password(Password),
}

/// Whose certificate or key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// `IssuerAndSerialNumber` as DER; [`Self::of_certificate`] reads it.
    IssuerAndSerial(Vec<u8>),
    /// The subject key identifier; the kid of a key without a certificate.
    KeyIdentifier(Vec<u8>),
}

/// How RSA encrypts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// RSAES-OAEP with a hash, also in its mask, and a label. SHA-1 is off by default at the gateway.
    Oaep(Hash, Option<Vec<u8>>),
    /// RSAES-PKCS1-v1_5; off by default at the gateway.
    Pkcs1,
}

/// A key agreement.
pub struct KeyAgreement {
    /// The recipients: whose key, and the key.
    pub receivers: Vec<(Identifier, Key)>,
    /// How the secret becomes a key-encryption key.
    pub agreement: Agreement,
    /// What it wraps with.
    pub wrap: Wrap,
    /// User keying material.
    pub ukm: Option<Vec<u8>>,
    /// The sender's lasting key and who it is (static-static); none: a key for this message alone.
    pub originator: Option<(Identifier, Key)>,
}

/// A key encapsulation (RFC 9629): ML-KEM, and HKDF with SHA-256.
pub struct Encapsulation {
    /// Whose key.
    pub receiver: Identifier,
    /// Of which parameter set.
    pub set: MlKem,
    /// The encapsulation key: 800, 1184 or 1568 bytes.
    pub public: Vec<u8>,
    /// What the key wraps with.
    pub wrap: Wrap,
    /// User keying material.
    pub ukm: Option<Vec<u8>>,
}

/// A password.
pub struct Password {
    /// Its bytes.
    pub password: Zeroizing<Vec<u8>>,
    /// Of PBKDF2. SHA-1 is what RFC 8018 means where none is named.
    pub hash: Hash,
    /// Of PBKDF2.
    pub iterations: u32,
    /// Bytes of the key-encryption key: 16, 24 or 32.
    pub key_len: usize,
}

impl Identifier {
    /// Issuer and serial number of a certificate (DER).
    pub fn of_certificate(certificate: &[u8]) -> Result<Self, SealError> {
        issuer_and_serial(certificate).map(Self::IssuerAndSerial)
    }

    /// The identifier of a key without a certificate: its kid.
    pub fn of_key(key: &Key) -> Result<Self, SealError> {
        key.kid().map(|kid| Self::KeyIdentifier(kid.to_vec())).ok_or(SealError::BadKey("named"))
    }

    pub(crate) const fn is_key_identifier(&self) -> bool {
        matches!(self, Self::KeyIdentifier(_))
    }

    /// `CHOICE { issuerAndSerialNumber, [0] subjectKeyIdentifier }`
    pub(crate) fn der(&self) -> Vec<u8> {
        match self {
            Self::IssuerAndSerial(der) => der.clone(),
            Self::KeyIdentifier(bytes) => tlv(CONTEXT, bytes),
        }
    }

    /// `CHOICE { issuerAndSerialNumber, rKeyId [0] SEQUENCE { subjectKeyIdentifier } }`
    fn of_receiver(&self) -> Vec<u8> {
        match self {
            Self::IssuerAndSerial(der) => der.clone(),
            Self::KeyIdentifier(bytes) => tlv(CONTEXT_CONSTRUCTED, &octets(bytes)),
        }
    }
}

impl KeyAgreement {
    /// With one receiver and a key for this message alone.
    pub fn new(receiver: Identifier, key: Key, agreement: Agreement, wrap: Wrap) -> Self {
        Self { receivers: [(receiver, key)].into(), agreement, wrap, ukm: None, originator: None }
    }
}

impl Recipient {
    /// Whether all is version 0 (RFC 5652 §6.1).
    pub(crate) const fn is_version_0(&self) -> bool {
        matches!(self, Self::KeyTransport(Identifier::IssuerAndSerial(_), ..))
    }

    /// Whether it makes version 3.
    pub(crate) const fn is_of_version_3(&self) -> bool {
        matches!(self, Self::Kem(_) | Self::Password(_))
    }

    /// `RecipientInfo` that brings `key`.
    pub(crate) fn wrap<R: TryCryptoRng + ?Sized>(&self, key: &[u8], rng: &mut R) -> Result<Vec<u8>, SealError> {
        match self {
            Self::KeyTransport(whose, public, transport) => transport.info(whose, public, key),
            Self::KeyAgreement(agreement) => agreement.info(key, rng),
            Self::Kem(encapsulation) => encapsulation.info(key),
            Self::Kek(kek) => kek_info(kek, key),
            Self::Password(password) => password.info(key, rng),
        }
    }
}

impl Transport {
    fn info(&self, whose: &Identifier, public: &Key, key: &[u8]) -> Result<Vec<u8>, SealError> {
        let version = if whose.is_key_identifier() { 2 } else { 0 };
        let encrypted = match self {
            Self::Oaep(hash, label) => rsa::oaep(public, *hash, label.as_deref(), key)?,
            Self::Pkcs1 => rsa::pkcs1(public, key)?,
        };
        Ok(sequence(&[&number(version), &whose.der(), &self.identifier(), &octets(&encrypted)]))
    }

    /// RFC 4055 §4.1; RFC 3370 §4.2.1.
    fn identifier(&self) -> Vec<u8> {
        match self {
            Self::Oaep(hash, label) => {
                let source = |label: &Vec<u8>| explicit(2, &algorithm(oid::P_SPECIFIED, &octets(label)));
                let source = label.as_ref().map(source).unwrap_or_default();
                algorithm(oid::RSAES_OAEP, &sequence(&[&hashed(*hash), &source]))
            }
            Self::Pkcs1 => algorithm(oid::RSA_ENCRYPTION, &null()),
        }
    }
}

impl KeyAgreement {
    /// `[1] SEQUENCE { 3, [0] originator, [1] ukm?, keyEncryptionAlgorithm, recipientEncryptedKeys }`
    fn info<R: TryCryptoRng + ?Sized>(&self, key: &[u8], rng: &mut R) -> Result<Vec<u8>, SealError> {
        let (_, first) = self.receivers.first().ok_or(SealError::KeyMissing("a recipient"))?;
        let own = match &self.originator {
            Some((_, own)) => Pair::lasting(own, first)?,
            None => Pair::ephemeral(first, rng)?,
        };
        let originator = match &self.originator {
            Some((whose, _)) => whose.der(),
            None => originator_key(&own),
        };
        let wrapped = self.receivers.iter().map(|(whose, public)| {
            let kek = self.agreement.derive(&own.agree(public)?, &self.shared_info(), self.wrap.key_len())?;
            Ok(sequence(&[&whose.of_receiver(), &octets(&cipher::wrap(&kek, key)?)]))
        });
        let wrapped: Vec<Vec<u8>> = wrapped.collect::<Result<_, SealError>>()?;
        let ukm = self.ukm.as_ref().map(|ukm| explicit(1, &octets(ukm))).unwrap_or_default();
        let info = sequence(&[
            &number(3),
            &explicit(0, &originator),
            &ukm,
            &self.agreement.identifier(&self.wrap.identifier())?,
            &sequence(&[&wrapped.concat()]),
        ]);
        Ok(retagged(CONTEXT_CONSTRUCTED | 1, info))
    }

    /// `ECC-CMS-SharedInfo` (RFC 5753 §7.2).
    fn shared_info(&self) -> Vec<u8> {
        let bits = (self.wrap.key_len() as u32 * 8).to_be_bytes();
        let ukm = self.ukm.as_ref().map(|ukm| explicit(0, &octets(ukm))).unwrap_or_default();
        sequence(&[&self.wrap.identifier(), &ukm, &explicit(2, &octets(&bits))])
    }
}

/// `originatorKey [1] SEQUENCE { algorithm, publicKey }`; the curve is the recipient's (RFC 5753 §7.1.2).
fn originator_key(own: &Pair) -> Vec<u8> {
    let arcs = if own.curve == Curve::X25519 { oid::X25519 } else { oid::EC_PUBLIC_KEY };
    retagged(CONTEXT_CONSTRUCTED | 1, sequence(&[&algorithm(arcs, &[]), &bits(&own.point())]))
}

impl Encapsulation {
    /// `[4] SEQUENCE { id-ori-kem, SEQUENCE { 0, rid, kem, kemct, kdf, kekLength, [0] ukm?, wrap, encryptedKey } }`
    fn info(&self, key: &[u8]) -> Result<Vec<u8>, SealError> {
        let (ciphertext, secret) = kem::encapsulate(self.set, &self.public)?;
        let (wrap, length) = (self.wrap.identifier(), number(self.wrap.key_len() as u64));
        let ukm = self.ukm.as_ref().map(|ukm| explicit(0, &octets(ukm))).unwrap_or_default();
        // CMSORIforKEMOtherInfo (RFC 9629 §5)
        let info = sequence(&[&wrap, &length, &ukm]);
        let kek = derive::hkdf(Hash::Sha256, &secret, None, &info, self.wrap.key_len())?;
        let arc = match self.set {
            MlKem::MlKem512 => 1,
            MlKem::MlKem768 => 2,
            MlKem::MlKem1024 => 3,
        };
        let (kem, kdf) = (algorithm(&oid::ml_kem(arc), &[]), algorithm(&oid::hkdf(28), &[]));
        let wrapped = octets(&cipher::wrap(&kek, key)?);
        let fields =
            [number(0), self.receiver.der(), kem, octets(&ciphertext), kdf, length, ukm, wrap, wrapped].concat();
        let info = sequence(&[&crate::cms::der::oid(oid::ORI_KEM), &sequence(&[&fields])]);
        Ok(retagged(CONTEXT_CONSTRUCTED | 4, info))
    }
}

/// `[2] SEQUENCE { 4, SEQUENCE { keyIdentifier }, wrap, encryptedKey }`
fn kek_info(kek: &Key, key: &[u8]) -> Result<Vec<u8>, SealError> {
    let kid = kek.kid().ok_or(SealError::BadKey("named"))?;
    let secret = kek.secret()?;
    let wrap = Wrap::for_key(secret.len()).ok_or(SealError::AlgorithmNotAllowed("a key wrap"))?;
    let wrapped = octets(&cipher::wrap(secret, key)?);
    let info = sequence(&[&number(4), &sequence(&[&octets(kid)]), &wrap.identifier(), &wrapped]);
    Ok(retagged(CONTEXT_CONSTRUCTED | 2, info))
}

impl Password {
    /// With PBKDF2-HMAC-SHA-256 and a key of 32 bytes.
    pub fn new(password: &[u8], iterations: u32) -> Self {
        Self { password: Zeroizing::new(password.to_vec()), hash: Hash::Sha256, iterations, key_len: 32 }
    }

    /// The same, of a symmetric key's bytes.
    pub fn of_key(key: &Key, iterations: u32) -> Result<Self, SealError> {
        Ok(Self::new(key.secret()?, iterations))
    }

    /// `[3] SEQUENCE { 0, [0] keyDerivationAlgorithm, keyEncryptionAlgorithm, encryptedKey }`
    fn info<R: TryCryptoRng + ?Sized>(&self, key: &[u8], rng: &mut R) -> Result<Vec<u8>, SealError> {
        let arc = match self.key_len {
            16 => 2,
            24 => 22,
            32 => 42,
            _ => return Err(SealError::AlgorithmNotAllowed("a key of a password")),
        };
        let (salt, iv) = (random(16, rng)?, random(16, rng)?);
        let kek = derive::pbkdf2(self.hash, &self.password, &salt, self.iterations, self.key_len)?;
        let encryption = algorithm(oid::PWRI_KEK, &algorithm(&oid::aes(arc), &octets(&iv)));
        let derivation = retagged(CONTEXT_CONSTRUCTED, self.derivation(&salt));
        let wrapped = octets(&pwri_wrap(&kek, &iv, key, rng)?);
        Ok(retagged(CONTEXT_CONSTRUCTED | 3, sequence(&[&number(0), &derivation, &encryption, &wrapped])))
    }

    /// PBKDF2-params (RFC 8018 appendix A.2).
    fn derivation(&self, salt: &[u8]) -> Vec<u8> {
        let function = if self.hash == Hash::Sha1 { Vec::new() } else { hmac(self.hash) };
        let fields = [octets(salt), number(self.iterations.into()), number(self.key_len as u64), function];
        algorithm(oid::PBKDF2, &sequence(&[&fields.concat()]))
    }
}

/// `CBC(CBC(length ‖ complement of the first three bytes ‖ key ‖ random))`: the second pass takes the last block of the
/// first as its IV (RFC 3211 §2.3.1).
fn pwri_wrap<R: TryCryptoRng + ?Sized>(kek: &[u8], iv: &[u8], key: &[u8], rng: &mut R) -> Result<Vec<u8>, SealError> {
    let [a, b, c, ..] = *key else {
        return Err(SealError::Encryption);
    };
    let len = (key.len() + 4).next_multiple_of(16).max(32);
    let mut block: Secret = Zeroizing::new([&[key.len() as u8, !a, !b, !c], key].concat());
    let padding = random(len - block.len(), rng)?;
    block.extend_from_slice(&padding);
    let once = blocks(kek, iv, &block)?;
    blocks(kek, &once[len - 16..], &once)
}

/// CBC of whole blocks, without padding: what a padded one has before its last block.
fn blocks(kek: &[u8], iv: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut ciphertext = cipher::cbc(kek, iv, plaintext)?;
    ciphertext.truncate(plaintext.len());
    Ok(ciphertext)
}
