//! CMS: the binding of the profile to the byte, the vectors of RFC 5753, RFC 3211 and RFC 9709, what is refused.

use std::vec::Vec;

use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, ML_KEM_768};

use super::algorithm::{Encryption, Signature, Wrap};
use super::attribute::{Attribute, Binding};
use super::recipient::{Encapsulation, Identifier, Password, Recipient};
use super::signer::Signer;
use super::{Cipher, Content, Nesting, Structure};
use crate::error::SealError;
use crate::primitive::cipher::wrap;
use crate::primitive::derive::hkdf;
use crate::primitive::digest::Hash;
use crate::primitive::kem::MlKem;
use crate::primitive::key::Key;
use crate::script::Script;

/// The profile's example, 77 bytes.
#[test]
fn the_binding_is_the_profiles_example() {
    let binding = Binding {
        audience: "a".into(),
        endpoint: "dev-1".into(),
        path: Some("/3303/0/5700".into()),
        key_context: Some([0, 1].into()),
        sequence: Some(300),
        content_format: Some(110),
    };
    let example = "304b06146982a6d8a6a69fc7caf7ddbfc3ce98f99185867b313330310c0c70617065726b6e6966652d310c01610c0564\
                   65762d310c0c2f333330332f302f35373030800200018102012c82016e";
    assert_eq!(Attribute::binding(&binding).der(), hex::decode(example).unwrap());
}

#[test]
fn a_binding_leaves_out_what_the_device_does_not_know() {
    let binding = Binding { audience: "a".into(), endpoint: "b".into(), sequence: Some(0), ..Binding::default() };
    let der = Attribute::binding(&binding).der();
    assert!(der.ends_with(&hex::decode("0c01610c0162810100").unwrap()), "{}", hex::encode(der));
}

#[test]
fn a_time_is_utc_time_until_2049() {
    let value = |seconds| {
        let der = Attribute::signing_time(seconds).der();
        std::string::String::from_utf8(der[der.len() - 15..].to_vec()).unwrap()
    };
    assert_eq!(&value(1_709_209_845)[2..], "240229123045Z");
    assert_eq!(&value(2_524_607_999)[2..], "491231235959Z");
    assert_eq!(value(2_524_608_000), "20500101000000Z");
}

fn kek(len: usize) -> Key {
    Key::symmetric(&std::vec![7; len]).named(b"kek")
}

fn to_kek(encryption: Encryption) -> Structure {
    Structure::AuthEnvelopedData(Cipher::new(encryption), [Recipient::Kek(kek(16))].into(), Vec::new())
}

fn seal(structure: &Structure) -> Result<Vec<u8>, SealError> {
    structure.seal(&Content::data(b"content"), &mut Script::endless()).map(|sealed| sealed.content_info())
}

#[test]
fn what_receivers_refuse_is_not_sealed() {
    let unfit = |name| Err(SealError::AlgorithmNotAllowed(name));
    let gcm = Cipher::new(Encryption::A128Gcm);
    assert_eq!(seal(&to_kek(Encryption::A128Cbc)), unfit("A128CBC"));
    assert_eq!(seal(&Structure::EnvelopedData(gcm, [Recipient::Kek(kek(16))].into())), unfit("A128GCM"));
    assert_eq!(seal(&Structure::EncryptedData(gcm, kek(16))), unfit("A128GCM"));
    let nobody = Structure::AuthEnvelopedData(gcm, Vec::new(), Vec::new());
    assert_eq!(seal(&nobody), Err(SealError::KeyMissing("a recipient")));
    let unnamed = Recipient::Kek(Key::symmetric(&[1; 16]));
    let unnamed = Structure::AuthEnvelopedData(gcm, [unnamed].into(), Vec::new());
    assert_eq!(seal(&unnamed), Err(SealError::BadKey("named")));
    let signer = Signer::new(Identifier::KeyIdentifier(b"k".into()), kek(32), Signature::Es256);
    assert_eq!(seal(&Structure::signed(signer)), unfit("ES256"));
    assert_eq!(Wrap::for_key(17), None);
}

#[test]
fn attributes_come_with_the_content_type_of_what_is_nested() {
    let inner = Structure::DigestedData(Hash::Sha256).seal(&Content::data(b"x"), &mut Script::endless()).unwrap();
    let outer = |nesting| {
        to_kek(Encryption::A128Gcm).seal(&inner.nested(nesting), &mut Script::endless()).unwrap().content_info()
    };
    let attribute = Attribute::content_type(super::oid::DIGESTED_DATA).der();
    let has = |der: &[u8]| der.windows(attribute.len()).any(|window| window == attribute);
    assert!(has(&outer(Nesting::Structure)));
    assert!(!has(&outer(Nesting::ContentInfo)));
}

/// RFC 9709 appendix A.1: the key that is derived for AES-128-GCM.
#[test]
fn a_derived_key_is_that_of_rfc_9709() {
    let identifier = hex::decode("301b0609608648016503040106300e040c5c79058ba2f43447639d29e2").unwrap();
    let key = hex::decode("c702e7d0a9e064b09ba55245fb733cf3").unwrap();
    let (derived, _) = super::algorithm::cek_hkdf(&key, &identifier).unwrap();
    assert_eq!(hex::encode(&*derived), "2124ffb29fac4e0fbbc7d5d87492bff3");
}

#[test]
fn a_password_recipient_makes_version_3() {
    let password = Password::new(b"secret", 1000);
    let cipher = Cipher::new(Encryption::A256Cbc);
    let sealed = Structure::EnvelopedData(cipher, [Recipient::Password(password)].into());
    let sealed = sealed.seal(&Content::data(b"content"), &mut Script::endless()).unwrap();
    // SEQUENCE of more than 127 bytes, INTEGER 3, SET
    assert_eq!(sealed.structure[3..7], [0x02, 0x01, 0x03, 0x31]);
}

/// RFC 9629 §3 to §5: the KEK that the holder of the decapsulation key derives unwraps the content key.
#[test]
fn an_encapsulated_key_wraps_the_content_key() {
    let private = DecapsulationKey::generate(&ML_KEM_768).unwrap();
    let public = private.encapsulation_key().unwrap().key_bytes().unwrap().as_ref().to_vec();
    let receiver = Identifier::KeyIdentifier(b"kem".into());
    let recipient = || Encapsulation {
        receiver: receiver.clone(),
        set: MlKem::MlKem768,
        public: public.clone(),
        wrap: Wrap::A256Kw,
        ukm: None,
    };
    let content_key = [9; 32];
    let info = Recipient::Kem(recipient()).wrap(&content_key, &mut Script::endless()).unwrap();
    // kemct is the one string of its length; the wrapped key is the last
    let at = info.windows(4).position(|window| window == [0x04, 0x82, 0x04, 0x40]).unwrap() + 4;
    let ciphertext = Ciphertext::from(&info[at..at + 1088]);
    let secret = private.decapsulate(ciphertext).unwrap();
    let other_info = hex::decode("3010300b060960864801650304012d020120").unwrap();
    let kek = hkdf(Hash::Sha256, secret.as_ref(), None, &other_info, 32).unwrap();
    assert!(info.ends_with(&wrap(&kek, &content_key).unwrap()));
    let short = Encapsulation { public: [1; 800].into(), ..recipient() };
    let refused = Recipient::Kem(short).wrap(&content_key, &mut Script::endless());
    assert_eq!(refused, Err(SealError::BadKey("ML-KEM")));
}
