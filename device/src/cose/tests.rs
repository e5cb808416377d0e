//! Public vectors of the COSE working group reproduced, shapes read back by coset, and what must not be sealed.

use std::vec::Vec;

use aws_lc_rs::signature::{self as lc, KeyPair, PqdsaKeyPair, UnparsedPublicKey};
use coset::cbor::value::Value;
use coset::{
    CborSerializable, CoseEncrypt, CoseEncrypt0, CoseMac, CoseMac0, CoseSign, CoseSign1, TaggedCborSerializable,
};
use proptest::prelude::*;

use super::algorithm::{Encryption, Mac, Management, Signature};
use super::headers::{Headers, label};
use super::recipient::{Announced, Inputs, Party, Recipient, Sender, Source};
use super::signature::Signer;
use super::{Message, Nonce, Structure, Tagging};
use crate::error::SealError;
use crate::primitive::key::{Curve, Key, MlDsa};
use crate::script::Script;

const CONTENT: &[u8] = b"This is the content.";
const K16: &str = "849b57219dae48de646d07dbb533566e";
const K32: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f01f2e3d4c5b6a798897a6b5c4d3e2f100";
const MAC_K: &str = "849b57219dae48de646d07dbb533566e976686457c1491be3a76dcea6c427188\
                     00112233778899aa2122232425262728aabbccddeeffa5a6a7a8a9a0b1b2b3b4";
const CCM_IV: &str = "89f52f65a1c580933b5261a72f";
const IV: &str = "02d1f7e6f26c43d4868d87ce";

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn seal(message: &Message) -> Result<Vec<u8>, SealError> {
    message.seal(CONTENT, &mut Script::endless()).map(|sealed| sealed.bytes)
}

/// The elements of a tagged message.
fn elements(sealed: &[u8]) -> Vec<Value> {
    let Value::Tag(_, array) = Value::from_slice(sealed).unwrap() else { panic!("no tag") };
    array.into_array().unwrap()
}

/// aes-ccm-examples, aes-gcm-examples, chacha-poly-examples: the files "enc".
#[test]
fn encrypt0_gives_the_public_ciphertexts() {
    let k24 = &K32[..48];
    let (ccm7, cc20) = (&CCM_IV[..14], "5c3a9950bd2852f66e6c8d4f");
    let rows = [
        (10, K16, CCM_IV, "6899da0a132bd2d2b9b10915743ee1f7b92a4680e7c51bdbc1b320ea"),
        (30, K16, CCM_IV, "6899da0a132bd2d2b9b10915743ee1f7b92a4680903f2c00d37e14d4ebdc7ef2c03cf5a9"),
        (12, K16, ccm7, "191bd858dec79fc11da3428bdfa446ac240d591ffcf91eeb8035f87a"),
        (32, K16, ccm7, "191bd858dec79fc11da3428bdfa446ac240d591f3965fa7ca156fe666bc262807df0ee99"),
        (11, K32, CCM_IV, "28b3bddff844a736c5f0ee0f8c691fd0b7adf9173140cb621df47c2f"),
        (31, K32, CCM_IV, "28b3bddff844a736c5f0ee0f8c691fd0b7adf917b0cfa0d187c769a4ba100372a585bccc"),
        (13, K32, ccm7, "721908d60812806f2660054238e931adb575771e9bc42ff530baeb00"),
        (33, K32, ccm7, "721908d60812806f2660054238e931adb575771e723c6ffd415a07cdb9fa9ceecc6c81fc"),
        (1, K16, IV, "60973a94bb2898009ee52ecfd9ab1dd25867374b162e2c03568b41f57c3cc16f9166250a"),
        (2, k24, IV, "134d3b9223a00c1552c77585c157f467f295919d530fbe21f7689ab3cd4d18ffe8e17ceb"),
        (3, K32, IV, "9d64a5a59a3b04867dccf6b8ef82f7d1a3b25ef84eca2bc5d7593a96e943859a9cc24ad3"),
        (24, K32, cc20, "ca119c45926da993d29b5d0cac9a84228c7668d492a1b9d7e32020ef21372e74def431b9"),
    ];
    for (number, key, iv, ciphertext) in rows {
        let algorithm = *Encryption::ALL.iter().find(|known| known.id() == number).unwrap();
        let structure = Structure::Encrypt0(algorithm, Nonce::Iv(hex(iv)), Key::symmetric(&hex(key)));
        let sealed = seal(&Message::new(structure)).unwrap();
        assert_eq!(elements(&sealed)[2], Value::Bytes(hex(ciphertext)), "{}", algorithm.name());
    }
}

/// hmac-examples, cbc-mac-examples: the files "enc". RFC 9053 gives HMAC 384/384 a key of 48 bytes, the files too.
#[test]
fn mac0_gives_the_public_tags() {
    let rows = [
        (Mac::Hmac256, "a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c58"),
        (
            Mac::Hmac384,
            "998d26c6459aaeecf44ed20ce00c8ccedf0a1f3d22a92fc05db08c5aeb1cb594caaf5a5c5e2e9d01cce7e77a93aa8c62",
        ),
        (
            Mac::Hmac512,
            "4a555bf971f7c1891d9ddf304a1a132e2d6f817449474d813e6d04d65962bed8\
             bba70c17e1f5308fa39962959a4b9b8d7da8e6d849b209dcd3e98cc0f11eddf2",
        ),
        (Mac::Hmac256_64, "11f9e357975fb849"),
        (Mac::AesMac128_64, "8584dbf007fdc69f"),
        (Mac::AesMac128_128, "f0c295e78f3091e95513fa0427adbe25"),
        (Mac::AesMac256_64, "726043745027214f"),
        (Mac::AesMac256_128, "403152cc208c1d501e1dc2a789ae49e4"),
    ];
    for (algorithm, tag) in rows {
        let key = Key::symmetric(&hex(MAC_K)[..algorithm.key_len()]);
        let sealed = seal(&Message::new(Structure::Mac0(algorithm, key))).unwrap();
        assert_eq!(elements(&sealed)[3], Value::Bytes(hex(tag)), "{}", algorithm.name());
    }
}

/// hkdf-aes-examples and hkdf-hmac-sha-examples, files 01 (salt), 05 (identities beside it) and 06 (nonces beside it).
#[test]
fn derived_keys_give_the_public_ciphertexts() {
    let salted = Inputs { salt: Some(b"aabbccddeeffgghh".to_vec()), ..Inputs::default() };
    let named = |identity: &str| Party { identity: Some(identity.into()), ..Party::default() };
    let identified = Inputs { party_u: named("Sender"), party_v: named("Recipient"), ..salted.clone() };
    let once = |nonce: &str| Party { nonce: Some(nonce.into()), ..Party::default() };
    let fresh = Inputs { party_u: once("S101"), party_v: once("R102"), ..salted.clone() };
    let secret = &MAC_K[..64];
    let rows = [
        (Management::DirectHkdfAes128, K16, &salted, "efcf947dddd19d2e894c9388b6032a987a06ff7e64a88d3c11075e9a"),
        (Management::DirectHkdfAes128, K16, &identified, "3fdd6899fabe65586e86aa7c4fcf34f2a3a9b40d1d3fe9fbfb78a159"),
        (Management::DirectHkdfAes128, K16, &fresh, "41346629b4d9f26a8f9920516acd338a27265afda28258d2071a60bc"),
        (Management::DirectHkdfAes256, K32, &salted, "709789d0577240924b3f0c12c6a51f4ac92e09733dabf536f06c4be0"),
        (Management::DirectHkdfSha256, secret, &salted, "5192b2794858242de0bc141017137ede1f597ab41f58d809452f3a2b"),
        (Management::DirectHkdfSha256, secret, &identified, "c4cec13466eeaa20d92e94fbd1fe9b97793af44a21408ede75a96f47"),
        (Management::DirectHkdfSha256, secret, &fresh, "08f7bf5ae142a79ed4bdedc978559d762c394444527f2f797aecc298"),
        (Management::DirectHkdfSha512, secret, &salted, "97b849aa156a3c7fe2bedb813e03cc769ead876a45b05778b3acf2c1"),
    ];
    for (management, secret, inputs, ciphertext) in rows {
        let key = Key::symmetric(&hex(secret));
        let recipient = Recipient { inputs: inputs.clone(), ..Recipient::new(management, Source::Key(key)) };
        let nonce = Nonce::Iv(hex("bfe89563ee070ce187bdf1c472"));
        let structure = Structure::Encrypt(Encryption::Ccm16_64_128, nonce, [recipient].into());
        let sealed = seal(&Message::new(structure)).unwrap();
        assert_eq!(elements(&sealed)[2], Value::Bytes(hex(ciphertext)), "{}", management.name());
    }
}

/// hkdf-aes-examples/hmac-aes-128-04: four blocks of output.
#[test]
fn a_long_key_comes_of_several_blocks() {
    let inputs = Inputs { salt: Some(b"aabbccddeeffgghh".to_vec()), ..Inputs::default() };
    let source = Source::Key(Key::symmetric(&hex(K16)));
    let recipient = Recipient { inputs, ..Recipient::new(Management::DirectHkdfAes128, source) };
    let sealed = seal(&Message::new(Structure::Mac(Mac::Hmac512, [recipient].into()))).unwrap();
    let tag = "414b7441d3b882aeed8bc71cfe79c07a684b2fb93db412f9c8196aff9c903f1f\
               19fb6dfb27f31343a57d341351bbde557132cb30b804cfad2d7ebd075cf439e1";
    assert_eq!(elements(&sealed)[3], Value::Bytes(hex(tag)));
}

#[test]
fn ml_dsa_signs_sig_structure() {
    let rows = [
        (Signature::MlDsa44, MlDsa::MlDsa44, &lc::ML_DSA_44_SIGNING, &lc::ML_DSA_44),
        (Signature::MlDsa65, MlDsa::MlDsa65, &lc::ML_DSA_65_SIGNING, &lc::ML_DSA_65),
        (Signature::MlDsa87, MlDsa::MlDsa87, &lc::ML_DSA_87_SIGNING, &lc::ML_DSA_87),
    ];
    for (algorithm, set, signing, verification) in rows {
        let seed = [7; 32];
        let mut message = Message::new(Structure::Sign1(Signer::new(algorithm, Key::ml_dsa(set, &seed))));
        message.external_aad = b"aad".to_vec();
        let signed = CoseSign1::from_tagged_slice(&seal(&message).unwrap()).unwrap();
        let pair = PqdsaKeyPair::from_seed(signing, &seed).unwrap();
        let public = UnparsedPublicKey::new(verification, pair.public_key().as_ref());
        let verify = |aad: &[u8]| signed.verify_signature(aad, |signature, data| public.verify(data, signature));
        assert!(verify(b"aad").is_ok() && verify(b"other").is_err(), "{}", algorithm.name());
    }
}

fn ec() -> Key {
    let scalar = [5; 32];
    let point = p256::SecretKey::from_slice(&scalar).unwrap().public_key();
    let (x, y) = crate::key::coordinates(&point);
    Key::curve(Curve::P256, &x, &y, Some(&scalar)).unwrap().named(b"ec")
}

fn direct() -> Recipient {
    Recipient::new(Management::Direct, Source::Key(Key::symmetric(&[1; 16]).named(b"k")))
}

fn wrapped() -> Recipient {
    Recipient::new(Management::A128Kw, Source::Key(Key::symmetric(&[2; 16]).named(b"kek")))
}

fn encrypt(recipients: Vec<Recipient>) -> Message {
    Message::new(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, recipients))
}

#[test]
fn each_structure_has_its_tag() {
    let key = || Key::symmetric(&[1; 16]);
    let signer = || Signer::new(Signature::Es256, ec());
    let sealed = |structure| seal(&Message::new(structure)).unwrap();
    assert!(CoseEncrypt::from_tagged_slice(&seal(&encrypt([direct()].into())).unwrap()).is_ok());
    let encrypt0 = sealed(Structure::Encrypt0(Encryption::A128Gcm, Nonce::Random, key()));
    assert!(CoseEncrypt0::from_tagged_slice(&encrypt0).is_ok());
    assert!(CoseMac::from_tagged_slice(&sealed(Structure::Mac(Mac::AesMac128_64, [direct()].into()))).is_ok());
    assert!(CoseMac0::from_tagged_slice(&sealed(Structure::Mac0(Mac::AesMac128_64, key()))).is_ok());
    assert!(CoseSign1::from_tagged_slice(&sealed(Structure::Sign1(signer()))).is_ok());
    let signed = CoseSign::from_tagged_slice(&sealed(Structure::Sign([signer(), signer()].into()))).unwrap();
    assert_eq!(signed.signatures.len(), 2);
}

#[test]
fn tags_are_the_callers() {
    let mut message = encrypt([direct()].into());
    let tagged = seal(&message).unwrap();
    message.tagging = Tagging::Untagged;
    let untagged = seal(&message).unwrap();
    message.tagging = Tagging::Cwt;
    let cwt = seal(&message).unwrap();
    assert_eq!(tagged, [&[0xd8, 96], untagged.as_slice()].concat());
    assert_eq!(cwt, [&[0xd8, 61], tagged.as_slice()].concat());
}

#[test]
fn detached_content_travels_apart() {
    let mut message = Message::new(Structure::Mac0(Mac::AesMac128_64, Key::symmetric(&[1; 16])));
    message.detached = true;
    let sealed = message.seal(CONTENT, &mut Script::endless()).unwrap();
    assert_eq!(sealed.detached.as_deref(), Some(CONTENT));
    assert_eq!(elements(&sealed.bytes)[2], Value::Null);
}

#[test]
fn a_partial_iv_is_added_to_the_base_iv() {
    let full = seal(&Message::new(Structure::Encrypt0(
        Encryption::A128Gcm,
        Nonce::Iv(hex("0001020304050607080908f5")),
        Key::symmetric(&[1; 16]),
    )));
    let partial = seal(&Message::new(Structure::Encrypt0(
        Encryption::A128Gcm,
        Nonce::Partial(hex("0201")),
        Key::symmetric(&[1; 16]).with_base_iv(&hex("000102030405060708090af4")),
    )));
    assert_eq!(elements(&full.unwrap())[2], elements(&partial.unwrap())[2]);
    let none = Structure::Encrypt0(Encryption::A128Gcm, Nonce::Partial(hex("01")), Key::symmetric(&[1; 16]));
    assert_eq!(seal(&Message::new(none)), Err(SealError::KeyMissing("a base IV")));
}

#[test]
fn a_key_wrap_takes_its_key_from_a_recipient_beneath() {
    let beneath =
        Recipient::new(Management::EcdhEsHkdf256, Source::Agreement(ec(), Sender::Ephemeral { compressed: true }));
    let message = encrypt([Recipient::new(Management::A128Kw, Source::Recipients([beneath].into()))].into());
    let sealed = CoseEncrypt::from_tagged_slice(&seal(&message).unwrap()).unwrap();
    let outer = &sealed.recipients[0];
    assert_eq!(outer.protected.original_data.as_deref(), Some(&[][..]));
    assert_eq!(outer.ciphertext.as_ref().map(Vec::len), Some(24));
    assert_eq!(outer.recipients[0].ciphertext.as_deref(), Some(&[][..]));
    let ephemeral = outer.recipients[0].unprotected.rest.iter().find(|(label, _)| *label == coset::Label::Int(-1));
    assert!(ephemeral.is_some());
}

#[test]
fn a_static_sender_is_announced_as_asked() {
    for (announced, label) in [(Announced::Id, Some(-3)), (Announced::Key, Some(-2)), (Announced::Nowhere, None)] {
        let source = Source::Agreement(ec(), Sender::Static(ec(), announced));
        let sealed = seal(&encrypt([Recipient::new(Management::EcdhSsA128Kw, source)].into())).unwrap();
        let sealed = CoseEncrypt::from_tagged_slice(&sealed).unwrap();
        let rest = &sealed.recipients[0].unprotected.rest;
        assert_eq!(rest.first().map(|(label, _)| label.clone()), label.map(coset::Label::Int));
    }
}

/// RFC 9338 §3.3: further byte strings of the target make it the second version, in an array of their own.
#[test]
fn a_countersignature_covers_all_byte_strings() {
    let mut message = Message::new(Structure::Mac0(Mac::AesMac128_64, Key::symmetric(&[1; 16])));
    message.countersigners = [Signer::new(Signature::Es256, ec())].into();
    message.countersigner0 = Some(Signer::new(Signature::Es256, ec()));
    let sealed = CoseMac0::from_tagged_slice(&seal(&message).unwrap()).unwrap();
    let protected = sealed.protected.original_data.clone().unwrap();
    let by_label = |wanted| sealed.unprotected.rest.iter().find(|(label, _)| *label == coset::Label::Int(wanted));
    let full = by_label(label::COUNTERSIGNATURE).unwrap().1.as_array().unwrap().clone();
    let common = [b"".as_slice().into(), CONTENT.into(), Value::Array([sealed.tag.as_slice().into()].into())];
    let covered = |context: &str, own: &[Value]| {
        let head = [context.into(), protected.as_slice().into()];
        Value::Array(head.into_iter().chain(own.iter().cloned()).chain(common.clone()).collect()).to_vec().unwrap()
    };
    let verify = |data: &[u8], signature: &Value| {
        use p256::ecdsa::signature::Verifier;
        let scalar = p256::SecretKey::from_slice(&[5; 32]).unwrap();
        let signature = p256::ecdsa::Signature::from_slice(signature.as_bytes().unwrap()).unwrap();
        p256::ecdsa::VerifyingKey::from(scalar.public_key()).verify(data, &signature).is_ok()
    };
    assert!(verify(&covered("CounterSignatureV2", &full[..1]), &full[2]));
    assert!(verify(&covered("CounterSignature0V2", &[]), &by_label(label::COUNTERSIGNATURE0).unwrap().1));
}

#[test]
fn what_receivers_refuse_is_not_sealed() {
    let fits = |name| Err(SealError::AlgorithmNotAllowed(name));
    assert_eq!(seal(&encrypt(Vec::new())), Err(SealError::KeyMissing("a recipient")));
    assert_eq!(seal(&encrypt([direct(), wrapped()].into())), fits("a direct recipient beside others"));
    let short = Recipient::new(Management::A192Kw, Source::Key(Key::symmetric(&[2; 16])));
    assert_eq!(seal(&encrypt([short].into())), fits("A192KW"));
    let repeated = Recipient::new(Management::DirectHkdfSha256, Source::Key(Key::symmetric(&[2; 16])));
    assert_eq!(seal(&encrypt([repeated].into())), Err(SealError::NotUnique("direct+HKDF-SHA-256")));
    let source = Source::Agreement(ec(), Sender::Static(ec(), Announced::Key));
    let repeated = Recipient::new(Management::EcdhSsHkdf256, source);
    assert_eq!(seal(&encrypt([repeated].into())), Err(SealError::NotUnique("ECDH-SS+HKDF-256")));
    let crossed = Message::new(Structure::Sign1(Signer::new(Signature::Es512, ec())));
    assert_eq!(seal(&crossed), fits("ES512"));
    assert_eq!(seal(&Message::new(Structure::Sign(Vec::new()))), Err(SealError::KeyMissing("a signer")));
}

#[test]
fn what_authenticates_nothing_stays_within_what_does() {
    let bare = || Message::new(Structure::Encrypt0(Encryption::A128Ctr, Nonce::Random, Key::symmetric(&[1; 16])));
    let outer = || Message::new(Structure::Mac0(Mac::AesMac128_64, Key::symmetric(&[1; 16])));
    assert_eq!(seal(&bare()), Err(SealError::AlgorithmNotAllowed("A128CTR")));
    let within =
        |inner: &Message, outer: &Message| inner.seal_within(outer, CONTENT, &mut Script::endless()).map(|_| ());
    assert_eq!(within(&bare(), &outer()), Ok(()));
    assert_eq!(within(&bare(), &bare()), Err(SealError::AlgorithmNotAllowed("A128CTR")));
    let mut said = bare();
    said.headers.protected = Headers::new().content_type(&super::headers::ContentType::Number(0));
    assert_eq!(within(&said, &outer()), Err(SealError::AlgorithmNotAllowed("A128CTR")));
}

proptest! {
    /// Whatever the recipients, coset reads back as many as there are, in their order.
    #[test]
    fn recipients_keep_their_order(kids in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..16), 1..8)) {
        let named = |kid: &Vec<u8>| {
            Recipient::new(Management::A128Kw, Source::Key(Key::symmetric(&[2; 16]).named(kid)))
        };
        let sealed = seal(&encrypt(kids.iter().map(named).collect())).unwrap();
        let sealed = CoseEncrypt::from_tagged_slice(&sealed).unwrap();
        let read: Vec<_> = sealed.recipients.iter().map(|recipient| recipient.unprotected.key_id.clone()).collect();
        prop_assert_eq!(read, kids);
    }

    /// A header parameter stands as it was given, in its bucket.
    #[test]
    fn headers_are_as_given(label in -70_000_i64..70_000, value in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assume!(!(1..=12).contains(&label));
        let mut message = Message::new(Structure::Mac0(Mac::AesMac128_64, Key::symmetric(&[1; 16])));
        message.headers.protected = Headers::new().bytes(label, &value);
        message.headers.unprotected = Headers::new().encoded(label - 1, &[0xf6]).unwrap();
        let sealed = CoseMac0::from_tagged_slice(&seal(&message).unwrap()).unwrap();
        prop_assert_eq!(&sealed.protected.header.rest, &[(coset::Label::Int(label), Value::Bytes(value))]);
        let in_rest = sealed.unprotected.rest.iter().any(|(known, _)| *known == coset::Label::Int(label - 1));
        prop_assert!(in_rest);
    }
}
