//! Opening of COSE in other shapes than the profile's, each beside the primitives that it comes to: what recipients,
//! signatures and MACs cost, and what the reader adds.

use aws_lc_rs::aead::{AES_128_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::key_wrap::{AES_128, AesKek, KeyWrap};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{self, KeyPair, ParsedPublicKey, VerificationAlgorithm};
use keystore::{Defaults, ImportOptions, Keystore};
use paperknife::envelope::Limits;
use paperknife::guard::Arrival;
use paperknife::item::{Claims, Compat, Sealed, Timestamp};
use paperknife::opening::{self, House};
use paperknife::store::ledger::Finding;
use paperknife_device::cose::algorithm::{Encryption, Mac, Management, Signature};
use paperknife_device::cose::recipient::{Inputs, Recipient, Sender, Source};
use paperknife_device::cose::signature::Signer;
use paperknife_device::cose::{Message, Nonce as SealNonce, Structure};
use paperknife_device::key_set::KeySet;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use crate::Failed;
use crate::cpu::{self, Samples};
use crate::primitives::CONTENT;
use crate::report::{Figure, Report, title};

/// The test keys of the peers, of every kind.
const KEYS: &str = include_str!("../../tests/peers/keys.jwks.json");
/// Bytes that each primitive authenticates beside, as the reader builds them for these messages.
const STRUCTURE: usize = 18;
/// COSE_KDF_Context of one recipient.
const KDF_CONTEXT: usize = 22;
/// Envelopes of a batch.
const BATCH: usize = 500;

/// The cryptography of one message, called directly.
type Bare = Box<dyn Fn() -> Result<(), Failed>>;

/// A shape, the kid of its key, and its floor.
struct Row {
    name: &'static str,
    kid: &'static str,
    structure: Structure,
    bare: Bare,
}

/// Measures every shape.
pub(crate) fn measure(batches: usize, report: &mut Report) -> Result<(), Failed> {
    title("Opening other shapes of COSE in memory, beside bare primitives (processor time a message)");
    rows()?.into_iter().try_for_each(|row| row.measure(batches, report))
}

fn rows() -> Result<Vec<Row>, Failed> {
    let row = |name, kid, structure, bare| Row { name, kid, structure, bare };
    let encrypt0 = |algorithm, kid| Ok::<_, Failed>(Structure::Encrypt0(algorithm, SealNonce::Random, key(kid)?));
    let encrypt = |recipient| Structure::Encrypt(Encryption::A128Gcm, SealNonce::Random, vec![recipient]);
    let sign = |algorithm, kid| Ok::<_, Failed>(Structure::Sign1(Signer::new(algorithm, key(kid)?)));
    let shared = |management, kid| Ok::<_, Failed>(Recipient::new(management, Source::Key(key(kid)?)));
    let agreed = |management, kid| {
        let source = Source::Agreement(key(kid)?, Sender::Ephemeral { compressed: false });
        Ok::<_, Failed>(encrypt(Recipient::new(management, source)))
    };
    let inputs = Inputs { salt: Some(b"salt".to_vec()), ..Inputs::default() };
    let derived = Recipient { inputs, ..shared(Management::DirectHkdfSha256, "oct32")? };
    Ok(vec![
        row("Encrypt0 A128GCM", "oct16", encrypt0(Encryption::A128Gcm, "oct16")?, aead(&AES_128_GCM)?),
        row(
            "Encrypt0 ChaCha20-Poly1305",
            "oct32",
            encrypt0(Encryption::ChaCha20Poly1305, "oct32")?,
            aead(&CHACHA20_POLY1305)?,
        ),
        row("Mac0 HMAC 256/256", "oct32", Structure::Mac0(Mac::Hmac256, key("oct32")?), mac()),
        row("Sign1 ES256", "p256", sign(Signature::Es256, "p256")?, es256()?),
        row("Sign1 Ed25519", "ed25519", sign(Signature::Ed25519, "ed25519")?, ed25519()?),
        row("Sign1 PS256, 2048 bits", "rsa2048", sign(Signature::Ps256, "rsa2048")?, ps256()?),
        row("Sign1 ML-DSA-44", "mldsa44", sign(Signature::MlDsa44, "mldsa44")?, ml_dsa()?),
        row("Encrypt A128KW", "oct16", encrypt(shared(Management::A128Kw, "oct16")?), wrapped()?),
        row("Encrypt direct+HKDF-SHA-256", "oct32", encrypt(derived), derivation()?),
        row("Encrypt ECDH-ES+HKDF-256, P-256", "p256", agreed(Management::EcdhEsHkdf256, "p256")?, {
            agreement(&ECDH_P256, false)?
        }),
        row("Encrypt ECDH-ES+HKDF-256, X25519", "x25519", agreed(Management::EcdhEsHkdf256, "x25519")?, {
            agreement(&X25519, false)?
        }),
        row("Encrypt ECDH-ES+A128KW, P-256", "p256", agreed(Management::EcdhEsA128Kw, "p256")?, {
            agreement(&ECDH_P256, true)?
        }),
        row(
            "Encrypt RSAES-OAEP w/ SHA-256, 2048 bits",
            "rsa2048",
            encrypt(shared(Management::OaepSha256, "rsa2048")?),
            transport()?,
        ),
    ])
}

fn jwk(kid: &str) -> Result<Value, Failed> {
    let set: Value = serde_json::from_str(KEYS).map_err(Failed::of)?;
    let mut keys = set["keys"].as_array().into_iter().flatten();
    keys.find(|key| key["kid"] == kid).cloned().ok_or_else(|| Failed(format!("no test key {kid}")))
}

fn key(kid: &str) -> Result<Key, Failed> {
    let set = json!({"keys": [jwk(kid)?]}).to_string();
    Ok(KeySet::from_json(set.as_bytes()).map_err(Failed::of)?.cose_key(None).map_err(Failed::of)?.0)
}

/// Whoever verifies holds the public half alone.
fn make_public(jwk: &mut Value) {
    if let Some(members) = jwk.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "d" | "p" | "q" | "dp" | "dq" | "qi" | "priv"));
    }
}

impl Row {
    fn house(&self) -> Result<House, Failed> {
        let keystore = Keystore::ephemeral(Defaults::default()).map_err(Failed::of)?;
        let mut jwk = jwk(self.kid)?;
        if matches!(self.structure, Structure::Sign1(_)) {
            make_public(&mut jwk);
        }
        keystore.import(jwk.to_string().as_bytes(), &ImportOptions::default()).map_err(Failed::of)?;
        Ok(House::new(keystore.into(), Limits::default()))
    }

    fn measure(self, batches: usize, report: &mut Report) -> Result<(), Failed> {
        let house = self.house()?;
        let Self { name, structure, bare, .. } = self;
        let sealed = Message::new(structure).seal(&[0xa5; CONTENT], &mut SysRng).map_err(Failed::of)?;
        let sealed = Sealed { bytes: sealed.bytes.into(), cose_type: None };
        let (mut floor, mut opening) = (Samples::default(), Samples::default());
        open(&house, &sealed)?; // warms the key
        for _ in 0..batches {
            let (time, done) = cpu::of(|| (0..BATCH).try_for_each(|_| bare()));
            done?;
            floor.add(time, BATCH);
            let (time, done) = cpu::of(|| (0..BATCH).try_for_each(|_| open(&house, &sealed)));
            done?;
            opening.add(time, BATCH);
        }
        let figure = Figure::new(format!("opening in memory, {name}"), opening.median(), "us").min(opening.min());
        report.add(Figure { floor: Some(floor.median()), ..figure });
        Ok(())
    }
}

fn open(house: &House, sealed: &Sealed) -> Result<(), Failed> {
    let claims = Claims::default();
    let arrival = Arrival {
        unauthenticated_sender: true,
        ..Arrival::offline(&claims, Compat::STRICT, Timestamp::from_seconds(1_780_000_000))
    };
    match opening::find(house, &arrival, sealed).map_err(Failed::of)? {
        Finding::Opened(..) => Ok(()),
        other => Err(Failed(format!("an envelope did not open: {other:?}"))),
    }
}

/// Content under a key that is ready.
fn aead(algorithm: &'static Algorithm) -> Result<Bare, Failed> {
    let content = Content::sealed(algorithm)?;
    let key = content.ready()?;
    Ok(Box::new(move || content.open(&key)))
}

/// Sealed content, and its key.
struct Content {
    algorithm: &'static Algorithm,
    key: Vec<u8>,
    sealed: Vec<u8>,
}

impl Content {
    fn sealed(algorithm: &'static Algorithm) -> Result<Self, Failed> {
        let mut content = Self { algorithm, key: vec![0x17; algorithm.key_len()], sealed: vec![0xa5; CONTENT] };
        let (nonce, aad) = (Nonce::assume_unique_for_key([3; NONCE_LEN]), Aad::from([0x5a; STRUCTURE]));
        content.ready()?.seal_in_place_append_tag(nonce, aad, &mut content.sealed)?;
        Ok(content)
    }

    fn ready(&self) -> Result<LessSafeKey, Failed> {
        Ok(LessSafeKey::new(UnboundKey::new(self.algorithm, &self.key)?))
    }

    fn open(&self, key: &LessSafeKey) -> Result<(), Failed> {
        let (ciphertext, tag) = self.sealed.split_at(CONTENT);
        let (nonce, aad) = (Nonce::assume_unique_for_key([3; NONCE_LEN]), Aad::from([0x5a; STRUCTURE]));
        Ok(key.open_separate_gather(nonce, aad, ciphertext, tag, &mut [0; CONTENT])?)
    }

    /// As far as key management matters: its key is new with every message.
    fn open_anew(&self) -> Result<(), Failed> {
        self.open(&self.ready()?)
    }
}

fn mac() -> Bare {
    let (bytes, message) = ([0x17; 32], [0x5a; STRUCTURE + CONTENT]);
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, &bytes), &message);
    Box::new(move || Ok(hmac::verify(&hmac::Key::new(HMAC_SHA256, &bytes), &message, tag.as_ref())?))
}

/// A signature over what the reader builds.
fn signed(
    algorithm: &'static dyn VerificationAlgorithm,
    public: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failed>,
) -> Result<Bare, Failed> {
    let message = [0x5a; STRUCTURE + CONTENT];
    let signature = sign(&message)?;
    let key = ParsedPublicKey::new(algorithm, public).map_err(Failed::of)?;
    Ok(Box::new(move || Ok(key.verify_sig(&message, &signature)?)))
}

fn es256() -> Result<Bare, Failed> {
    let pair = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?;
    signed(&signature::ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref(), |message| {
        Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
    })
}

fn ed25519() -> Result<Bare, Failed> {
    let pair = signature::Ed25519KeyPair::generate()?;
    signed(&signature::ED25519, pair.public_key().as_ref(), |message| Ok(pair.sign(message).as_ref().to_vec()))
}

fn ps256() -> Result<Bare, Failed> {
    let pair = signature::RsaKeyPair::generate(KeySize::Rsa2048)?;
    signed(&signature::RSA_PSS_2048_8192_SHA256, pair.public_key().as_ref(), |message| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&signature::RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)?;
        Ok(signature)
    })
}

fn ml_dsa() -> Result<Bare, Failed> {
    let pair = signature::PqdsaKeyPair::generate(&signature::ML_DSA_44_SIGNING)?;
    signed(&signature::ML_DSA_44, pair.public_key().as_ref(), |message| {
        let mut signature = vec![0; signature::ML_DSA_44_SIGNING.signature_len()];
        let length = pair.sign(message, &mut signature)?;
        signature.truncate(length);
        Ok(signature)
    })
}

/// The content key, wrapped.
struct Wrapped(Vec<u8>);

impl Wrapped {
    fn of(kek: &[u8], key: &[u8]) -> Result<Self, Failed> {
        let mut wrapped = vec![0; key.len() + 8];
        AesKek::new(&AES_128, kek)?.wrap(key, &mut wrapped)?;
        Ok(Self(wrapped))
    }

    fn unwrap(&self, kek: &[u8]) -> Result<(), Failed> {
        AesKek::new(&AES_128, kek)?.unwrap(&self.0, &mut [0; 16])?;
        Ok(())
    }
}

fn wrapped() -> Result<Bare, Failed> {
    let content = Content::sealed(&AES_128_GCM)?;
    let wrapped = Wrapped::of(&[0x18; 16], &content.key)?;
    Ok(Box::new(move || {
        wrapped.unwrap(&[0x18; 16])?;
        content.open_anew()
    }))
}

fn derive(salt: &[u8], secret: &[u8]) -> Result<[u8; 16], Unspecified> {
    let mut key = [0; 16];
    let derived = Salt::new(HKDF_SHA256, salt).extract(secret);
    derived.expand(&[&[0x5a; KDF_CONTEXT]], Sixteen).and_then(|okm| okm.fill(&mut key))?;
    Ok(key)
}

struct Sixteen;

impl KeyType for Sixteen {
    fn len(&self) -> usize {
        16
    }
}

fn derivation() -> Result<Bare, Failed> {
    let content = Content::sealed(&AES_128_GCM)?;
    Ok(Box::new(move || {
        derive(b"salt", &[0x19; 32])?;
        content.open_anew()
    }))
}

/// Agreement and derivation, with or without a key wrap.
fn agreement(algorithm: &'static agreement::Algorithm, wraps: bool) -> Result<Bare, Failed> {
    let content = Content::sealed(&AES_128_GCM)?;
    let (ours, theirs) = (PrivateKey::generate(algorithm)?, PrivateKey::generate(algorithm)?);
    let public = theirs.compute_public_key()?.as_ref().to_vec();
    let agreed = move || agree(&ours, UnparsedPublicKey::new(algorithm, &public), Unspecified, |z| derive(&[], z));
    let wrapped = Wrapped::of(&agreed()?, &content.key)?;
    Ok(Box::new(move || {
        let key = agreed()?;
        if wraps {
            wrapped.unwrap(&key)?;
        }
        content.open_anew()
    }))
}

fn transport() -> Result<Bare, Failed> {
    let content = Content::sealed(&AES_128_GCM)?;
    let private = PrivateDecryptingKey::generate(KeySize::Rsa2048)?;
    let public = OaepPublicEncryptingKey::new(private.public_key())?;
    let mut encrypted = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &content.key, &mut encrypted, None)?;
    let private = OaepPrivateDecryptingKey::new(private)?;
    Ok(Box::new(move || {
        private.decrypt(&OAEP_SHA256_MGF1SHA256, &encrypted, &mut vec![0; private.min_output_size()], None)?;
        content.open_anew()
    }))
}
