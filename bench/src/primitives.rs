//! The floor of opening: the same cryptography, called directly, over as many keys as there are devices, each in the form
//! that its primitive takes. No envelope is read, nothing is decided, nothing is kept.

use aes::Aes128;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyCompressedBin};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::key_wrap::{AES_128, AesKek, KeyWrap};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use ccm::aead::consts::{U8, U13};
use ccm::aead::{AeadInOut, KeyInit};

use crate::Failed;

type Ccm = ccm::Ccm<Aes128, U8, U13>;

/// Bytes of the profile's smallest messages, 46 in shape S: what is authenticated, and what is hidden.
const ENC_STRUCTURE: usize = 74;
/// One reading as SenML CBOR.
pub(crate) const CONTENT: usize = 20;
/// COSE_Sign1 around that content, and its Sig_structure.
const SIGN1: usize = 104;
const SIG_STRUCTURE: usize = 98;
/// Enc_structure of P's outer layer, whose external_aad is empty.
const OUTER_STRUCTURE: usize = 18;
/// COSE_KDF_Context of ECDH-ES+A128KW; OtherInfo and ECC-CMS-SharedInfo have about as much.
const KDF_CONTEXT: usize = 22;

/// How a format writes shape P: how much of what is authenticated and hidden, and how the agreed secret is derived.
#[derive(Clone, Copy)]
pub(crate) struct Wire {
    /// Whether the ephemeral key is a compressed point, and HKDF derives; else whole, and one SHA-256 does.
    extracts: bool,
    /// What the AEAD authenticates beside its content.
    aad: usize,
    /// What it hides: the signed message.
    signed: usize,
    /// What the signature covers.
    covered: usize,
    /// Content that a digest in what is signed stands for.
    digested: Option<usize>,
}

impl Wire {
    pub(crate) const CMS: Self = Self { extracts: false, aad: 0, signed: 440, covered: 220, digested: Some(CONTENT) };
    pub(crate) const COSE: Self =
        Self { extracts: true, aad: OUTER_STRUCTURE, signed: SIGN1, covered: SIG_STRUCTURE, digested: None };
    pub(crate) const JOSE: Self = Self { extracts: false, aad: 300, signed: 390, covered: 300, digested: None };
}

impl From<Unspecified> for Failed {
    fn from(_: Unspecified) -> Self {
        Self("a primitive refused what it was given".to_owned())
    }
}

/// Cryptography of shape S: one AES-CCM opening.
pub(crate) struct S {
    key: Ccm,
    nonce: [u8; 13],
    aad: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: [u8; 8],
}

impl S {
    /// One device's key and message.
    pub(crate) fn new(content: usize) -> Result<Self, Failed> {
        let key = Ccm::new(&random::<16>()?.into());
        let (nonce, aad) = (random::<13>()?, vec![0x5a; ENC_STRUCTURE]);
        let mut ciphertext = vec![0xa5; content];
        let tag = key
            .encrypt_inout_detached(&nonce.into(), &aad, ciphertext.as_mut_slice().into())
            .map_err(|_| Unspecified)?;
        Ok(Self { key, nonce, aad, ciphertext, tag: tag.into() })
    }

    /// The cleartext.
    pub(crate) fn open(&self) -> Result<Vec<u8>, Failed> {
        let mut content = self.ciphertext.clone();
        let buffer = content.as_mut_slice().into();
        let opened = self.key.decrypt_inout_detached(&self.nonce.into(), &self.aad, buffer, &self.tag.into());
        opened.map_err(|_| Unspecified)?;
        Ok(content)
    }
}

/// Cryptography of a signature: ECDSA on P-256.
pub(crate) struct Signed {
    key: ParsedPublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    /// One device's key and message.
    pub(crate) fn new(covered: usize) -> Result<Self, Failed> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let message = vec![0x5a; covered];
        let signature = pair.sign(&SystemRandom::new(), &message)?.as_ref().to_vec();
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).map_err(Failed::of)?;
        Ok(Self { key, message, signature })
    }

    /// Holds, or fails.
    pub(crate) fn verify(&self) -> Result<(), Failed> {
        Ok(self.key.verify_sig(&self.message, &self.signature)?)
    }
}

/// Cryptography of shape G: S around a signature.
pub(crate) struct G(S, Signed);

impl G {
    /// One device's keys and message.
    pub(crate) fn new() -> Result<Self, Failed> {
        Ok(Self(S::new(SIGN1)?, Signed::new(SIG_STRUCTURE)?))
    }

    /// The signed bytes.
    pub(crate) fn open(&self) -> Result<Vec<u8>, Failed> {
        let signed = self.0.open()?;
        self.1.verify()?;
        Ok(signed)
    }
}

/// Cryptography of shape P: key agreement, derivation, unwrapping, AEAD, then a signature.
pub(crate) struct P {
    wire: Wire,
    ephemeral: Vec<u8>,
    wrapped: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    sealed: Vec<u8>,
    signed: Signed,
}

impl P {
    /// One message to the gateway whose private key this is.
    pub(crate) fn new(gateway: &PrivateKey, wire: Wire) -> Result<Self, Failed> {
        let ephemeral = PrivateKey::generate(&ECDH_P256)?;
        let public = ephemeral.compute_public_key()?;
        let compressed: EcPublicKeyCompressedBin<'_> = public.as_be_bytes()?;
        let ephemeral = if wire.extracts { compressed.as_ref().to_vec() } else { public.as_ref().to_vec() };
        let (kek, cek, nonce) = (kek(gateway, &ephemeral, wire)?, random::<16>()?, random::<NONCE_LEN>()?);
        let mut wrapped = vec![0; cek.len() + 8];
        AesKek::new(&AES_128, &kek)?.wrap(&cek, &mut wrapped)?;
        let mut sealed = vec![0xa5; wire.signed];
        let aad = Aad::from(vec![0x5a; wire.aad]);
        content_key(&cek)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)?;
        Ok(Self { wire, ephemeral, wrapped, nonce, sealed, signed: Signed::new(wire.covered)? })
    }

    /// The signed bytes.
    pub(crate) fn open(&self, gateway: &PrivateKey) -> Result<Vec<u8>, Failed> {
        let kek = kek(gateway, &self.ephemeral, self.wire)?;
        let mut cek = [0; 16];
        AesKek::new(&AES_128, &kek)?.unwrap(&self.wrapped, &mut cek)?;
        let (ciphertext, tag) = self.sealed.split_at(self.sealed.len() - AES_128_GCM.tag_len());
        let mut signed = vec![0; ciphertext.len()];
        let (nonce, aad) = (Nonce::assume_unique_for_key(self.nonce), Aad::from(vec![0x5a; self.wire.aad]));
        content_key(&cek)?.open_separate_gather(nonce, aad, ciphertext, tag, &mut signed)?;
        if let Some(content) = self.wire.digested {
            std::hint::black_box(digest(&SHA256, &signed[..content]));
        }
        self.signed.verify()?;
        Ok(signed)
    }
}

/// The gateway's private key, in the primitive's form.
pub(crate) fn gateway() -> Result<PrivateKey, Failed> {
    Ok(PrivateKey::generate(&ECDH_P256)?)
}

fn kek(gateway: &PrivateKey, ephemeral: &[u8], wire: Wire) -> Result<[u8; 16], Failed> {
    let peer = UnparsedPublicKey::new(&ECDH_P256, ephemeral);
    let kek = agree(gateway, peer, Unspecified, |shared| {
        let mut kek = [0; 16];
        if !wire.extracts {
            kek.copy_from_slice(&digest(&SHA256, &[shared, &[0x5a; KDF_CONTEXT + 4]].concat()).as_ref()[..16]);
            return Ok(kek);
        }
        let derived = Salt::none(HKDF_SHA256).extract(shared);
        derived.expand(&[&[0x5a; KDF_CONTEXT]], Sixteen).and_then(|okm| okm.fill(&mut kek))?;
        Ok(kek)
    });
    Ok(kek?)
}

struct Sixteen;

impl KeyType for Sixteen {
    fn len(&self) -> usize {
        16
    }
}

fn content_key(cek: &[u8]) -> Result<LessSafeKey, Failed> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, cek)?))
}

fn random<const N: usize>() -> Result<[u8; N], Failed> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}
