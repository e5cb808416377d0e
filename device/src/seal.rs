//! Sealing: content, keys and a number become one of the profile's three shapes (profile.md §1–§4).
//!
//! ```text
//! S  16([<<{1: alg, ? 3, 4: kid, 6: piv, ? 10, ? 15, ? 16}>>, {}, AEAD(content)])
//! G  16([<<{1: alg, 3: 18, 4: kid, 6: piv, ? 10, ? 16}>>, {}, AEAD(signed)])
//! P  96([<<{1: alg, 3: 18, ? 16}>>, {5: iv}, AEAD(signed), [[<<{1: -29 / -31}>>, {4: kid, -1: ephemeral}, wrapped CEK]]])
//!    signed = 18([<<{1: alg, ? 3, 4: kid, 6: piv, ? 10, ? 15}>>, {}, content, signature])
//! ```
//! coset builds the structures, their Enc_structure and Sig_structure; `header` writes the protected maps. Given keys,
//! number and randomness the bytes are the same each time: signatures are deterministic.

use alloc::string::String;
use alloc::vec::Vec;

use aes::cipher::KeyInit;
use aes::{Aes128, Aes256};
use aes_kw::AesKw;
use coset::cbor::value::Value;
use coset::iana::{Ec2KeyParameter, EllipticCurve, EnumI64, HeaderAlgorithmParameter, KeyParameter, KeyType};
use coset::{
    CoseEncrypt, CoseEncrypt0, CoseRecipient, CoseSign1, EncryptionContext, Header, HeaderBuilder, SignatureContext,
    TaggedCborSerializable, enc_structure_data, sig_structure_data,
};
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::aead;
use crate::algorithm::{ContentAlgorithm, KeyAgreement, SignatureAlgorithm};
use crate::binding;
use crate::error::SealError;
use crate::header::{self, COSE_SIGN1, Claims, PartialIv, Protected, Type};
use crate::kdf::{self, ContentKey};
use crate::key::{self, Gateway, Kid, KidContext, SigningKey, SymmetricKey};
use crate::sequence::Number;

/// A structure of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Encrypt0(Sign1): signed, and hidden by a symmetric key.
    G,
    /// Encrypt(Sign1): signed, and encrypted to the gateway's public key.
    P,
    /// Encrypt0: the device's own symmetric key proves the origin.
    S,
}

impl Shape {
    /// Its letter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::G => "G",
            Self::P => "P",
            Self::S => "S",
        }
    }

    /// The shape of that letter.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::G, Self::P, Self::S].into_iter().find(|shape| shape.name() == name)
    }

    /// Whether it needs the device's symmetric key.
    pub const fn encrypts_symmetrically(self) -> bool {
        matches!(self, Self::G | Self::S)
    }

    /// Whether it needs the device's signing key.
    pub const fn signs(self) -> bool {
        matches!(self, Self::G | Self::P)
    }
}

/// Who seals: a device's name, keys and what it is bound to.
pub struct Sealer {
    /// The device's identity in the gateway's keystore, `ep` of the binding.
    pub device: String,
    /// The application that it seals for.
    pub audience: String,
    /// The resource that it writes to, `/object/instance/resource`; none where it cannot know.
    pub path: Option<String>,
    /// Boot epoch or key generation.
    pub kid_context: Option<KidContext>,
    /// For shapes S and G.
    pub symmetric: Option<SymmetricKey>,
    /// For shapes G and P.
    pub signing: Option<SigningKey>,
    /// For shape P.
    pub gateway: Option<Gateway>,
}

/// What one message says beside its content. The default is the smallest message.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// CoAP Content-Format; none means 112, SenML CBOR.
    pub content_format: Option<u16>,
    /// The iat claim, seconds since 1970.
    pub issued_at: Option<u64>,
    /// The cti claim, 4 to 16 bytes.
    pub cti: Option<Vec<u8>>,
    /// Whether to repeat device and audience as sub and aud claims, for receivers other than the gateway.
    pub names: bool,
    /// The typ of the outer layer.
    pub typ: Option<Type>,
    /// Default: AES-CCM-16-64-128 in S and G, A128GCM in P (which has A256GCM beside it).
    pub content_algorithm: Option<ContentAlgorithm>,
    /// Default: ESP256 or Ed25519, by the key.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Whether P's ephemeral key has its y in full, for receivers that do not decompress points.
    pub full_y: bool,
}

/// A message whose keys and algorithms are known to fit, ready for its number: nothing that can be known beforehand
/// spends a number.
pub(crate) struct Plan<'a> {
    sealer: &'a Sealer,
    options: &'a Options,
    content: &'a [u8],
    layers: Layers<'a>,
}

enum Layers<'a> {
    G(Symmetric<'a>, Signer<'a>),
    P(Transport<'a>, Signer<'a>),
    S(Symmetric<'a>),
}

struct Symmetric<'a> {
    kid: &'a Kid,
    algorithm: ContentAlgorithm,
    content_key: ContentKey,
}

struct Signer<'a> {
    key: &'a SigningKey,
    algorithm: SignatureAlgorithm,
}

struct Transport<'a> {
    gateway: &'a Gateway,
    algorithm: ContentAlgorithm,
    agreement: KeyAgreement,
}

impl Sealer {
    /// Seals `content` (1 to about 65,000 bytes) under a number. `rng` serves shape P alone: ephemeral key, content key and
    /// IV, drawn in this order. The number is spent, whatever comes of it.
    pub fn seal<R: TryCryptoRng + ?Sized>(
        &self,
        shape: Shape,
        number: Number,
        content: &[u8],
        options: &Options,
        rng: &mut R,
    ) -> Result<Vec<u8>, SealError> {
        self.plan(shape, content, options)?.seal(number, rng)
    }

    /// Finds keys and algorithms for a message.
    pub(crate) fn plan<'a>(
        &'a self,
        shape: Shape,
        content: &'a [u8],
        options: &'a Options,
    ) -> Result<Plan<'a>, SealError> {
        check_lengths(content, options)?;
        let layers = match shape {
            Shape::G => Layers::G(self.symmetric(options)?, self.signer(options)?),
            Shape::P => Layers::P(self.transport(options)?, self.signer(options)?),
            Shape::S => Layers::S(self.symmetric(options)?),
        };
        Ok(Plan { sealer: self, options, content, layers })
    }

    fn symmetric(&self, options: &Options) -> Result<Symmetric<'_>, SealError> {
        let key = self.symmetric.as_ref().ok_or(SealError::KeyMissing("a symmetric key"))?;
        let algorithm = options.content_algorithm.unwrap_or(ContentAlgorithm::AesCcm16_64_128);
        let content_key = key.content_key(algorithm, self.kid_context.as_ref())?;
        Ok(Symmetric { kid: key.kid(), algorithm, content_key })
    }

    fn signer(&self, options: &Options) -> Result<Signer<'_>, SealError> {
        let key = self.signing.as_ref().ok_or(SealError::KeyMissing("a private signing key"))?;
        let algorithm = options.signature_algorithm.unwrap_or_else(|| key.default_algorithm());
        if !key.fits(algorithm) {
            return Err(SealError::AlgorithmNotAllowed(algorithm.name()));
        }
        Ok(Signer { key, algorithm })
    }

    fn transport(&self, options: &Options) -> Result<Transport<'_>, SealError> {
        let gateway = self.gateway.as_ref().ok_or(SealError::KeyMissing("the gateway's public key"))?;
        let algorithm = options.content_algorithm.unwrap_or(ContentAlgorithm::A128Gcm);
        let agreement =
            KeyAgreement::for_content(algorithm).ok_or_else(|| SealError::AlgorithmNotAllowed(algorithm.name()))?;
        Ok(Transport { gateway, algorithm, agreement })
    }
}

impl Plan<'_> {
    /// The sealed bytes.
    pub(crate) fn seal<R: TryCryptoRng + ?Sized>(&self, number: Number, rng: &mut R) -> Result<Vec<u8>, SealError> {
        let partial_iv = PartialIv::new(number.spend());
        match &self.layers {
            Layers::G(symmetric, signer) => {
                let signed = self.sign1(signer, &partial_iv);
                self.encrypt0(symmetric, &partial_iv, Some(COSE_SIGN1), Claims::default(), &signed)
            }
            Layers::P(transport, signer) => self.encrypt(transport, &self.sign1(signer, &partial_iv), rng),
            Layers::S(symmetric) => {
                self.encrypt0(symmetric, &partial_iv, self.options.content_format, self.claims(), self.content)
            }
        }
    }

    fn binding(&self) -> Vec<u8> {
        binding::external_aad(&self.sealer.audience, &self.sealer.device, self.sealer.path.as_deref())
    }

    fn claims(&self) -> Claims<'_> {
        let Options { issued_at, ref cti, names, .. } = *self.options;
        Claims {
            subject: names.then_some(&self.sealer.device),
            audience: names.then_some(&self.sealer.audience),
            issued_at,
            cti: cti.as_deref(),
        }
    }

    fn kid_context(&self) -> Option<&[u8]> {
        self.sealer.kid_context.as_ref().map(KidContext::as_bytes)
    }

    /// The inner layer of G and P (RFC 9052 §4.2, §4.4).
    fn sign1(&self, signer: &Signer<'_>, partial_iv: &PartialIv) -> Vec<u8> {
        let protected = header::verbatim(&Protected {
            algorithm: signer.algorithm.id(),
            content_type: self.options.content_format,
            kid: Some(signer.key.kid().as_bytes()),
            partial_iv: Some(partial_iv),
            kid_context: self.kid_context(),
            claims: self.claims(),
            typ: None,
        });
        let signed =
            sig_structure_data(SignatureContext::CoseSign1, protected.clone(), None, &self.binding(), self.content);
        let signature = signer.key.sign(&signed).to_vec();
        let payload = Some(self.content.to_vec());
        tagged(CoseSign1 { protected, unprotected: Header::default(), payload, signature })
    }

    /// S, and the outer layer of G (RFC 9052 §5.2, §5.3).
    fn encrypt0(
        &self,
        symmetric: &Symmetric<'_>,
        partial_iv: &PartialIv,
        content_type: Option<u16>,
        claims: Claims<'_>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let Symmetric { kid, algorithm, content_key } = symmetric;
        let protected = header::verbatim(&Protected {
            algorithm: algorithm.id(),
            content_type,
            kid: Some(kid.as_bytes()),
            partial_iv: Some(partial_iv),
            kid_context: self.kid_context(),
            claims,
            typ: self.options.typ.as_ref(),
        });
        let aad = enc_structure_data(EncryptionContext::CoseEncrypt0, protected.clone(), &self.binding());
        let nonce = content_key.nonce(partial_iv);
        let ciphertext = within_limit(aead::encrypt(*algorithm, &content_key.key, &nonce, &aad, plaintext)?)?;
        Ok(tagged(CoseEncrypt0 { protected, unprotected: Header::default(), ciphertext: Some(ciphertext) }))
    }

    /// The outer layer of P (RFC 9052 §5.1, RFC 9053 §6.4.1). Its external_aad is empty: the gateway does not know the
    /// device yet; the signature inside binds.
    fn encrypt<R: TryCryptoRng + ?Sized>(
        &self,
        transport: &Transport<'_>,
        plaintext: &[u8],
        rng: &mut R,
    ) -> Result<Vec<u8>, SealError> {
        let Transport { gateway, algorithm, agreement } = *transport;
        let ephemeral = key::random_scalar(rng)?;
        let content_key = random_key(algorithm.key_len(), rng)?;
        let iv = key::random::<12, R>(rng)?.to_vec();
        let protected = header::verbatim(&Protected {
            algorithm: algorithm.id(),
            content_type: Some(COSE_SIGN1),
            typ: self.options.typ.as_ref(),
            ..Protected::default()
        });
        let aad = enc_structure_data(EncryptionContext::CoseEncrypt, protected.clone(), &[]);
        let ciphertext = within_limit(aead::encrypt(algorithm, &content_key, &iv, &aad, plaintext)?)?;
        let shared = ephemeral.diffie_hellman(&gateway.point);
        let kek = kdf::key_encryption_key(shared.raw_secret_bytes(), agreement);
        let recipient = CoseRecipient {
            protected: header::verbatim(&header::recipient(agreement)),
            unprotected: recipient_header(gateway, &ephemeral.public_key(), self.options.full_y),
            ciphertext: Some(wrap(&kek, &content_key)?),
            recipients: Vec::new(),
        };
        let unprotected = HeaderBuilder::new().iv(iv).build();
        Ok(tagged(CoseEncrypt { protected, unprotected, ciphertext: Some(ciphertext), recipients: [recipient].into() }))
    }
}

/// `{4: kid, -1: {1: 2, -1: 1, -2: x, -3: y / sign of y}}`
fn recipient_header(gateway: &Gateway, ephemeral: &p256::PublicKey, full_y: bool) -> Header {
    let (x, y) = key::coordinates(ephemeral);
    let y = if full_y { Value::from(y.as_slice()) } else { Value::from(y[31] & 1 == 1) };
    let member = |label: i64, value: Value| (Value::from(label), value);
    let cose_key = Value::Map(
        [
            member(KeyParameter::Kty.to_i64(), KeyType::EC2.to_i64().into()),
            member(Ec2KeyParameter::Crv.to_i64(), EllipticCurve::P_256.to_i64().into()),
            member(Ec2KeyParameter::X.to_i64(), x.as_slice().into()),
            member(Ec2KeyParameter::Y.to_i64(), y),
        ]
        .into(),
    );
    HeaderBuilder::new()
        .key_id(gateway.kid.as_bytes().to_vec())
        .value(HeaderAlgorithmParameter::EphemeralKey.to_i64(), cose_key)
        .build()
}

/// `AES-KW[kek](content key)` (RFC 3394).
fn wrap(kek: &[u8], content_key: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut wrapped = alloc::vec![0; content_key.len() + aes_kw::IV_LEN];
    let done = if kek.len() == 32 {
        AesKw::<Aes256>::new_from_slice(kek).map(|wrapper| wrapper.wrap_key(content_key, &mut wrapped).is_ok())
    } else {
        AesKw::<Aes128>::new_from_slice(kek).map(|wrapper| wrapper.wrap_key(content_key, &mut wrapped).is_ok())
    };
    if done == Ok(true) { Ok(wrapped) } else { Err(SealError::Encryption) }
}

fn random_key<R: TryCryptoRng + ?Sized>(len: usize, rng: &mut R) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut content_key = Zeroizing::new(alloc::vec![0; len]);
    rng.try_fill_bytes(&mut content_key).map_err(|_| SealError::Randomness)?;
    Ok(content_key)
}

fn check_lengths(content: &[u8], options: &Options) -> Result<(), SealError> {
    if content.is_empty() {
        return Err(SealError::Empty);
    }
    if content.len() > MAX_CIPHERTEXT {
        return Err(SealError::TooLarge);
    }
    match &options.cti {
        Some(cti) if !(4..=16).contains(&cti.len()) => Err(SealError::BadLength { what: "a cti", min: 4, max: 16 }),
        _ => Ok(()),
    }
}

fn within_limit(ciphertext: Vec<u8>) -> Result<Vec<u8>, SealError> {
    if ciphertext.len() > MAX_CIPHERTEXT { Err(SealError::TooLarge) } else { Ok(ciphertext) }
}

#[expect(clippy::expect_used, reason = "no header has a label twice, the one thing that coset refuses")]
fn tagged(structure: impl TaggedCborSerializable) -> Vec<u8> {
    structure.to_tagged_vec().expect("no header has a label twice")
}

/// Bytes of ciphertext and tag (profile.md §2).
const MAX_CIPHERTEXT: usize = 65_535;

#[cfg(test)]
mod tests;
