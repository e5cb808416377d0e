//! JWE and JWS: the example of the profile to the byte, the vectors of RFC 7516, 7518 and 7797, what is refused.

use std::string::String;
use std::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Serialization;
use super::algorithm::{Encryption, Management, Signature};
use super::header::Header;
use super::jwe::{Jwe, Recipient};
use super::jws::{Jws, Signer};
use super::profile::Options;
use crate::device::Device;
use crate::error::SealError;
use crate::key::{Gateway, Kid, KidContext, SigningKey, SymmetricKey};
use crate::primitive::key::{Curve, Key};
use crate::script::Script;
use crate::seal::{Sealer, Shape};
use crate::sequence::Memory;

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The header of a compact message.
fn header(message: &str) -> Value {
    serde_json::from_slice(&decoded(message.split('.').next().unwrap())).unwrap()
}

/// The device of the profile's example, whose next number is 42.
fn device() -> Device<Memory> {
    let kid = |name: &str| Kid::new(name.as_bytes()).unwrap();
    let x = decoded("JZNsm7L44VZp0wOHka7jfRZa1FckJ62Ozp08IC2vzaw");
    let y = decoded("WiwifkmzlECGxwnj8ly-uqlageo2nlNTQT2dTcPbhuc");
    let sealer = Sealer {
        device: "dev-7".into(),
        audience: "https://gw.example".into(),
        path: Some("/19/0/0".into()),
        kid_context: None,
        symmetric: Some(SymmetricKey::master(kid("k1"), &decoded("TGLnJ56x4ehDnTViftu-xw")).unwrap()),
        signing: Some(SigningKey::p256(kid("d1"), &[5; 32]).unwrap()),
        gateway: Some(Gateway::new(kid("g1"), &x, &y).unwrap()),
    };
    let mut device = Device::new(sealer, Memory::default(), 1).unwrap();
    for shape in [Shape::S, Shape::P] {
        while device.next(shape) < Some(42) {
            device.draw(shape).unwrap().spend();
        }
    }
    device
}

const CONTENT: &[u8] = br#"[{"n":"/3303/0/5700","v":21.5}]"#;

#[test]
fn shape_s_is_the_profiles_example() {
    let sealed =
        device().seal_jose(Shape::S, CONTENT, &Options::default(), &mut Script::of(&[decoded("XRnmut5Gfm_9-w_D")]));
    let example = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwia2lkIjoiazEiLCJwazEiOnsiYXVkIjoiaHR0cHM6Ly9ndy5leGFtcGxlIiwi\
                   ZXAiOiJkZXYtNyIsInBhdGgiOiIvMTkvMC8wIiwic2VxIjo0Mn19..XRnmut5Gfm_9-w_D.\
                   a1RDMCxvBTYqTinSdhRqBxyKtZbbu1TDo1s1ImMVNA.Way8TGLwIYyfHPiSYKpfyw";
    assert_eq!(sealed.unwrap(), example);
}

#[test]
fn shapes_g_and_p_hide_who_signed() {
    for (shape, algorithm) in [(Shape::G, "dir"), (Shape::P, "ECDH-ES+A128KW")] {
        let sealed = device().seal_jose(shape, CONTENT, &Options::default(), &mut Script::endless()).unwrap();
        let header = header(&sealed);
        assert_eq!((&header["alg"], &header["cty"]), (&algorithm.into(), &"JOSE".into()));
        assert_eq!(header.get("pk1"), None);
    }
}

#[test]
fn the_binding_says_context_time_and_no_path() {
    let mut device = device();
    device.set_path(None);
    device.begin(KidContext::boot(1)).unwrap();
    let options = Options { issued_at: Some(7), content_format: Some(112), ..Options::default() };
    let sealed = device.seal_jose(Shape::S, CONTENT, &options, &mut Script::endless()).unwrap();
    let header = header(&sealed);
    let binding = r#"{"aud":"https://gw.example","ctx":"AAAAAQ","ep":"dev-7","iat":7,"path":null,"seq":0}"#;
    assert_eq!(header["pk1"], serde_json::from_str::<Value>(binding).unwrap());
    assert_eq!(header["cty"], "senml+cbor");
}

#[test]
fn what_cannot_be_sealed_spends_no_number() {
    let mut device = device();
    let mut refuse = |shape, content: &[u8], options| {
        let sealed = device.seal_jose(shape, content, &options, &mut Script::endless());
        assert_eq!(device.next(shape), Some(42));
        sealed.unwrap_err()
    };
    assert_eq!(refuse(Shape::S, b"", Options::default()), SealError::Empty);
    let unknown = Options { content_format: Some(9999), ..Options::default() };
    let reason = "a content format without a media type";
    assert_eq!(refuse(Shape::S, CONTENT, unknown), SealError::AlgorithmNotAllowed(reason));
    let agreed = Options { management: Some(Management::EcdhEs), ..Options::default() };
    assert_eq!(refuse(Shape::G, CONTENT, agreed), SealError::AlgorithmNotAllowed("ECDH-ES"));
    let unagreed = Options { management: Some(Management::Dir), ..Options::default() };
    assert_eq!(refuse(Shape::P, CONTENT, unagreed), SealError::AlgorithmNotAllowed("dir"));
}

/// RFC 7518 appendix C: the key that ECDH-ES agrees, from both sides' inputs.
#[test]
fn the_concat_kdf_is_that_of_rfc_7518() {
    let alice = decoded("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let bob = Key::curve(
        Curve::P256,
        &decoded("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"),
        &decoded("e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"),
        None,
    )
    .unwrap();
    let recipient = Recipient {
        apu: Some(b"Alice".to_vec()),
        apv: Some(b"Bob".to_vec()),
        ..Recipient::new(Management::EcdhEs, bob)
    };
    let jwe = Jwe::new(Encryption::A128Gcm, [recipient].into());
    let sealed = jwe.seal(b"content", &mut Script::of(&[alice, [9; 12].into()])).unwrap();
    let header = header(&sealed);
    assert_eq!(header["epk"]["x"], "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0");
    let parts: Vec<&str> = sealed.split('.').collect();
    let key = decoded("VqqN6vgjbSBcIijNcacQGg");
    let (ciphertext, tag) = super::encryption::gcm(&key, &[9; 12], parts[0].as_bytes(), b"content").unwrap();
    assert_eq!((decoded(parts[3]), decoded(parts[4])), (ciphertext, tag));
}

/// RFC 7516 appendix A.3: A128KW and A128CBC-HS256, to the byte.
#[test]
fn an_authenticated_cbc_is_that_of_rfc_7516() {
    let cek = [
        4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206, 107, 124, 212, 45, 111, 107, 9, 219,
        200, 177, 0, 240, 143, 156, 44, 207,
    ];
    let iv = [3, 22, 60, 12, 43, 67, 104, 105, 108, 108, 105, 99, 111, 116, 104, 101];
    let recipient = Recipient::new(Management::A128Kw, Key::symmetric(&decoded("GawgguFyGrWKav7AX4VKUg")));
    let jwe = Jwe::new(Encryption::A128CbcHs256, [recipient].into());
    let sealed = jwe.seal(b"Live long and prosper.", &mut Script::of(&[cek.into(), iv.into()])).unwrap();
    assert_eq!(
        sealed,
        "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.\
         AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ"
    );
}

/// RFC 7797 §4.2: HS256 over an unencoded payload.
#[test]
fn an_unencoded_payload_is_that_of_rfc_7797() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let mut jws = Jws::new(Signer::new(Signature::Hs256, Key::symmetric(&decoded(key))));
    (jws.unencoded, jws.detached) = (true, true);
    let sealed = jws.seal(b"$.02").unwrap();
    assert_eq!(
        sealed,
        "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"
    );
    jws.detached = false;
    assert_eq!(jws.seal(b"$.02"), Err(SealError::NotText));
    jws.serialization = Serialization::Flattened;
    let sealed: Value = serde_json::from_str(&jws.seal(b"$.02").unwrap()).unwrap();
    assert_eq!(sealed["payload"], "$.02");
}

#[test]
fn several_recipients_of_one_algorithm_leave_it_protected() {
    let recipient = |name: &[u8]| Recipient::new(Management::A128GcmKw, Key::symmetric(&[1; 16]).named(name));
    let mut jwe = Jwe::new(Encryption::A128Gcm, [recipient(b"a"), recipient(b"b")].into());
    let sealed = |jwe: &Jwe| jwe.seal(CONTENT, &mut Script::endless());
    assert_eq!(sealed(&jwe), Err(SealError::AlgorithmNotAllowed("more than one recipient")));
    jwe.serialization = Serialization::General;
    let alike: Value = serde_json::from_str(&sealed(&jwe).unwrap()).unwrap();
    let protected = |message: &Value| -> Value {
        serde_json::from_slice(&decoded(message["protected"].as_str().unwrap())).unwrap()
    };
    assert_eq!(protected(&alike)["alg"], "A128GCMKW");
    assert_eq!(alike["recipients"][1]["header"]["kid"], "b");
    jwe.recipients.push(Recipient::new(Management::A128Kw, Key::symmetric(&[2; 16])));
    let mixed: Value = serde_json::from_str(&sealed(&jwe).unwrap()).unwrap();
    assert_eq!(protected(&mixed).get("alg"), None);
    assert_eq!(mixed["recipients"][2]["header"]["alg"], "A128KW");
}

#[test]
fn what_receivers_refuse_is_not_sealed() {
    let unfit = |name| Err(SealError::AlgorithmNotAllowed(name));
    let sealed = |jwe: &Jwe| jwe.seal(CONTENT, &mut Script::endless());
    let to = |management, len| Jwe::new(Encryption::A128Gcm, [Recipient::new(management, oct(len))].into());
    assert_eq!(sealed(&Jwe::new(Encryption::A128Gcm, Vec::new())), Err(SealError::KeyMissing("a recipient")));
    assert_eq!(sealed(&to(Management::Dir, 32)), unfit("A128GCM"));
    assert_eq!(sealed(&to(Management::A256Kw, 16)), unfit("A256KW"));
    let mut several = to(Management::Dir, 16);
    several.recipients.push(Recipient::new(Management::A128Kw, oct(16)));
    several.serialization = Serialization::General;
    assert_eq!(sealed(&several), unfit("a direct recipient beside others"));
    let mut beside = to(Management::Dir, 16);
    beside.aad = Some(Vec::new());
    assert_eq!(sealed(&beside), unfit("an unprotected header or aad"));
    let signed = |algorithm, key| Jws::new(Signer::new(algorithm, key)).seal(CONTENT);
    assert_eq!(signed(Signature::Hs512, oct(32)), unfit("HS512"));
    assert_eq!(signed(Signature::Es256, oct(32)), unfit("ES256"));
}

fn oct(len: usize) -> Key {
    Key::symmetric(&std::vec![1; len])
}

#[test]
fn a_name_that_is_no_text_cannot_be_sent() {
    let signer = Signer::new(Signature::Hs256, oct(32).named(&[0xff]));
    assert_eq!(Jws::new(signer).seal(CONTENT), Err(SealError::BadKey("named in text")));
}

#[test]
fn a_critical_parameter_is_named_once_each() {
    let protected = Header::new().with("pk1", "x").critical("pk1");
    let mut jws = Jws::new(Signer { protected, ..Signer::new(Signature::Hs256, oct(32)) });
    jws.unencoded = true;
    let sealed: String = jws.seal(b"x").unwrap();
    assert_eq!(header(&sealed)["crit"], serde_json::json!(["pk1", "b64"]));
}
