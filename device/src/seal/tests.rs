//! Sealed bytes: equal to the worked examples, to the vectors, and open on the other side with independent code.

use std::borrow::ToOwned;
use std::vec::Vec;

use hex::{decode, encode};
use proptest::prelude::*;

use super::{MAX_CIPHERTEXT, Options, Sealer, Shape};
use crate::algorithm::{ContentAlgorithm, SignatureAlgorithm};
use crate::error::SealError;
use crate::header::Type;
use crate::key::{Gateway, Kid, KidContext, PublicKey, SigningKey, SymmetricKey};
use crate::script::Script;
use crate::sequence::{Memory, Number, Sequence, counter_name};

mod opener;
#[cfg(feature = "std")]
mod vectors;

use opener::Opener;

const AUDIENCE: &str = "https://gw.example";
const DEVICE: &str = "urn:dev:mac:0024befffe804ff1";
const PATH: &str = "/19/0/0";
const CONTENT: &str = "81a2006c2f333330332f302f3537303002f94d60";
const MASTER: &str = "b895f1434b3a0397e94e000ed57b1385017d2bc40bd4cd515ca736ace524fe02";
const SIGNING: &str = "f83a4797e160afc13428f10230b80c694b3b4a32f8a2c209c49dff1baca23013";
const GATEWAY: &str = "852f30499dfa84a3f8df445e87e1fd8ba8847f22ceb53f3f2bc6270a52de9f05";
const GATEWAY_X: &str = "25945c5669d8fb2dd3f6466dfd820c18b6f3562bba0d455ffad52ebca7c0664a";
const GATEWAY_Y: &str = "96d8be26c7e38fbf13e378283dd3e916ee7c552e6fe2f7e56ec74187d92cab92";

fn bytes(hex: &str) -> Vec<u8> {
    decode(hex).unwrap()
}

fn kid(hex: &str) -> Kid {
    Kid::new(&bytes(hex)).unwrap()
}

/// The device of the worked examples.
fn sealer() -> Sealer {
    Sealer {
        device: DEVICE.to_owned(),
        audience: AUDIENCE.to_owned(),
        path: Some(PATH.to_owned()),
        kid_context: None,
        symmetric: Some(SymmetricKey::master(kid("01a2b3c4"), &bytes(MASTER)).unwrap()),
        signing: Some(SigningKey::p256(kid("b1a2b3c4"), &bytes(SIGNING)).unwrap()),
        gateway: Some(Gateway::new(Kid::new(b"gw-1").unwrap(), &bytes(GATEWAY_X), &bytes(GATEWAY_Y)).unwrap()),
    }
}

/// Its gateway.
fn opener(sealer: &Sealer) -> Opener {
    Opener {
        master: bytes(MASTER),
        public: sealer.signing.as_ref().unwrap().public(),
        gateway: p256::SecretKey::from_slice(&bytes(GATEWAY)).unwrap(),
        audience: AUDIENCE,
        device: DEVICE,
        path: Some(PATH),
    }
}

/// A given number, by way of a counter that stands there.
fn number(value: u64) -> Number {
    let kid = kid("01");
    let mut storage = Memory::starting_at([(counter_name(&kid, None), value)]);
    Sequence::resume(&mut storage, &kid, None, 1).unwrap().draw(&mut storage).unwrap()
}

fn seal(shape: Shape, value: u64, options: &Options) -> Vec<u8> {
    sealer().seal(shape, number(value), &bytes(CONTENT), options, &mut Script::endless()).unwrap()
}

#[test]
fn worked_example_s() {
    assert_eq!(
        encode(seal(Shape::S, 42, &Options::default())),
        "d0834ca3010a044401a2b3c406412aa0581cc62b2f29d017c00edbe11924b33895e1cc39a78d059145a99b8a9941"
    );
}

#[test]
fn worked_example_s_with_content_format_and_iat() {
    let options = Options { content_format: Some(112), issued_at: Some(1_767_225_600), ..Options::default() };
    assert_eq!(
        encode(seal(Shape::S, 298, &options)),
        "d0835818a5010a031870044401a2b3c40642012a0fa1061a6955b900a0581c4f5f42093e5a472f30fbd35505634328ced14a514717e8a84a\
         65771f"
    );
}

#[test]
fn worked_example_g() {
    let options = Options {
        content_format: Some(112),
        signature_algorithm: Some(SignatureAlgorithm::Es256),
        ..Options::default()
    };
    assert_eq!(
        encode(seal(Shape::G, 0x138, &options)),
        "d0834fa4010a0312044401a2b3c406420138a0587327286312fd6c7316a40a67e3e8b055e3817cb285347f0e72bd075f88c3350cb83a5ff8\
         72e5c280f2bc914c3b58af523bc4400d844e878aebae628e325e0c0f2645e876b61ab5a6bd2fa4c0951b75086eb209e3b9385606bdb3770b\
         d398d49a30b4970bfb9baebd781e2583333fbb110fe34283"
    );
}

#[test]
fn worked_example_p() {
    let mut rng = Script::of(&[
        bytes("54d903706bc815e62c986efb30a370d4c97839200a54cc971831149699e5335e"),
        bytes("eae7b8bb194ba5019bed52ac122d5a5b"),
        bytes("257c1051875ee2dc9dfd96e9"),
    ]);
    let options = Options { content_format: Some(112), ..Options::default() };
    let sealed = sealer().seal(Shape::P, number(0x134), &bytes(CONTENT), &options, &mut rng).unwrap();
    assert_eq!(
        encode(sealed),
        "d8608445a201010312a1054c257c1051875ee2dc9dfd96e9587bf570319f6f26136dd3ab73e968803d61bbdb455997e85a21f96dcc578fc3\
         4c69b7ef59d226f2aadd21b1d0f159a02b17b3be4a82cf95a41985f83f7749759eb126f1d9ddd8bb3271c628e7578ae2fece6827338b0ec3\
         039b03dec0a9ca841d93d61c013193a55bcd4825081234cf03d3bee74e3e4918b44b163c7e818344a101381ca2044467772d3120a4010220\
         01215820271b50f7fd197f9bcffd056b70040788862f20ecbb038d9accfc7c44315de7bc22f45818e802334bae771ffe6b50adbf22a23473\
         6650f339f2b5eb41"
    );
}

/// What pycose 1.1.0 sealed with the same keys (tests/peers/pycose_peer.py): S under a kid context, and G with ES256.
#[test]
fn the_other_side_opens_what_pycose_seals() {
    let opener = opener(&sealer());
    let s = "d083581ca501181e044401a2b3c4064202bc0a44000000090fa1061a6955b900a05824d5b3deb22bba8e832c191d9f98604a43a73bde5d20\
             1647416110711e98644e689c5c78cd";
    let opened = opener.open(&bytes(s)).unwrap();
    assert_eq!(opened.content, bytes(CONTENT));
    let mut device = sealer();
    device.kid_context = Some(KidContext::boot(9));
    let options = Options {
        issued_at: Some(1_767_225_600),
        content_algorithm: Some(ContentAlgorithm::AesCcm16_128_128),
        ..Options::default()
    };
    let ours = device.seal(Shape::S, number(700), &bytes(CONTENT), &options, &mut Script::endless()).unwrap();
    assert_eq!(encode(ours), s);
    let g = "d0834fa401010312044401a2b3c4064202bda0587b36e00e147fd516938fae9f846b61b3513eb22b2271d374fbb7436d02627e3ce70589c1\
             06853a78b29f4bbf16aac3707d23fdcf4a78b6cf2160d8b2aa43f39e8a0df11c9db5647a090b3ff5d6d01af4cce79dfecb546af199ebadd1\
             3d5f3fad6df14f269f143e2ee1a76cb65b7dd49ea82dbb613cfed80579ddbe5f";
    let opened = opener.open(&bytes(g)).unwrap();
    assert_eq!((opened.content, opened.signed.unwrap().algorithm), (bytes(CONTENT), -7));
}

#[test]
fn sizes_are_those_of_the_profile() {
    let plain = Options::default();
    let timed = Options { content_format: Some(112), issued_at: Some(1_767_225_600), ..Options::default() };
    let rows = [
        (Shape::S, 7, &plain, 46),
        (Shape::S, 300, &plain, 47),
        (Shape::S, 300, &timed, 59),
        (Shape::G, 300, &plain, 133),
        (Shape::G, 300, &timed, 145),
        (Shape::P, 300, &timed, 241),
    ];
    for (shape, value, options, length) in rows {
        assert_eq!(seal(shape, value, options).len(), length, "{shape:?} {value}");
    }
    let full = Options { full_y: true, ..timed };
    assert_eq!(seal(Shape::P, 300, &full).len(), 274);
}

#[test]
fn a_binding_that_differs_does_not_open() {
    let honest = sealer();
    for shape in [Shape::S, Shape::G, Shape::P] {
        let sealed = seal(shape, 5, &Options::default());
        assert!(opener(&honest).open(&sealed).is_some());
        assert!(Opener { path: Some("/19/1/0"), ..opener(&honest) }.open(&sealed).is_none(), "{shape:?}");
        assert!(Opener { path: None, ..opener(&honest) }.open(&sealed).is_none(), "{shape:?}");
        assert!(Opener { audience: "other", ..opener(&honest) }.open(&sealed).is_none(), "{shape:?}");
        assert!(Opener { device: "other", ..opener(&honest) }.open(&sealed).is_none(), "{shape:?}");
    }
}

#[test]
fn algorithms_that_do_not_fit_are_errors() {
    let with = |content_algorithm, signature_algorithm| Options {
        content_algorithm,
        signature_algorithm,
        ..Options::default()
    };
    let not_in_p =
        [ContentAlgorithm::AesCcm16_128_128, ContentAlgorithm::AesCcm16_64_128, ContentAlgorithm::ChaCha20Poly1305];
    for algorithm in not_in_p {
        let sealed = sealer().seal(Shape::P, number(1), b"c", &with(Some(algorithm), None), &mut Script::endless());
        assert_eq!(sealed, Err(SealError::AlgorithmNotAllowed(algorithm.name())));
    }
    let options = with(None, Some(SignatureAlgorithm::Ed25519));
    let sealed = sealer().seal(Shape::G, number(1), b"c", &options, &mut Script::endless());
    assert_eq!(sealed, Err(SealError::AlgorithmNotAllowed("Ed25519")));
}

#[test]
fn a_short_master_does_not_serve_a_long_key() {
    let mut device = sealer();
    device.symmetric = Some(SymmetricKey::master(kid("01"), &[1; 16]).unwrap());
    let options = Options { content_algorithm: Some(ContentAlgorithm::A256Gcm), ..Options::default() };
    let sealed = device.seal(Shape::S, number(1), b"c", &options, &mut Script::endless());
    assert_eq!(sealed, Err(SealError::MasterTooShort(32)));
}

#[test]
fn a_key_used_as_it_is_has_one_algorithm_and_no_kid_context() {
    let mut device = sealer();
    device.symmetric = Some(SymmetricKey::plain(kid("01"), &[1; 16], &[2; 13]).unwrap());
    let gcm = Options { content_algorithm: Some(ContentAlgorithm::A128Gcm), ..Options::default() };
    let sealed = device.seal(Shape::S, number(1), b"c", &gcm, &mut Script::endless());
    assert_eq!(sealed, Err(SealError::AlgorithmNotAllowed("A128GCM")));
    assert!(device.seal(Shape::S, number(1), b"c", &Options::default(), &mut Script::endless()).is_ok());
    device.kid_context = Some(KidContext::boot(1));
    let sealed = device.seal(Shape::S, number(1), b"c", &Options::default(), &mut Script::endless());
    assert_eq!(sealed, Err(SealError::KidContextWithoutDerivation));
}

#[test]
fn content_has_a_byte_and_ciphertext_at_most_65535() {
    let sealed =
        |content: &[u8]| sealer().seal(Shape::S, number(1), content, &Options::default(), &mut Script::endless());
    assert_eq!(sealed(b""), Err(SealError::Empty));
    assert!(sealed(&std::vec![0; MAX_CIPHERTEXT - 8]).is_ok());
    assert_eq!(sealed(&std::vec![0; MAX_CIPHERTEXT - 7]), Err(SealError::TooLarge));
    assert_eq!(sealed(&std::vec![0; MAX_CIPHERTEXT + 1]), Err(SealError::TooLarge));
}

#[test]
fn keys_of_wrong_lengths_are_not_taken() {
    assert!(Kid::new(&[]).is_err() && Kid::new(&[0; 17]).is_err() && Kid::new(&[0; 16]).is_ok());
    assert!(KidContext::new(&[]).is_err() && KidContext::new(&[0; 17]).is_err());
    assert!(SymmetricKey::master(kid("01"), &[0; 15]).is_err() && SymmetricKey::master(kid("01"), &[0; 33]).is_err());
    assert!(SymmetricKey::plain(kid("01"), &[0; 16], &[0; 11]).is_err());
    assert!(SigningKey::p256(kid("01"), &[0; 32]).is_err() && SigningKey::p256(kid("01"), &[0xff; 32]).is_err());
    assert!(SigningKey::ed25519(kid("01"), &[0; 31]).is_err());
    assert!(Gateway::new(kid("01"), &[0; 32], &[1; 32]).is_err(), "not on the curve");
    assert!(Gateway::new(kid("01"), &[0; 31], &[1; 33]).is_err());
}

#[test]
fn a_broken_source_of_randomness_is_an_error() {
    let zeros = Script::of(&[std::vec![0; 32 * 8]]);
    let mut rng = zeros;
    let sealed = sealer().seal(Shape::P, number(1), b"c", &Options::default(), &mut rng);
    assert_eq!(sealed, Err(SealError::Randomness));
    assert_eq!(rng.left(), 0);
}

/// A shape with a content algorithm that it has.
fn combination() -> impl Strategy<Value = (Shape, ContentAlgorithm)> {
    let symmetric = proptest::sample::select(ContentAlgorithm::ALL);
    let transport = proptest::sample::select(&[ContentAlgorithm::A128Gcm, ContentAlgorithm::A256Gcm]);
    prop_oneof![
        symmetric.clone().prop_map(|algorithm| (Shape::S, algorithm)),
        symmetric.prop_map(|algorithm| (Shape::G, algorithm)),
        transport.prop_map(|algorithm| (Shape::P, algorithm)),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let cti = proptest::option::of(proptest::collection::vec(any::<u8>(), 4..=16));
    let typ = proptest::option::of(any::<u16>().prop_map(Type::Number));
    let content_format =
        proptest::option::of(any::<u16>().prop_filter("18 means a signed layer", |format| *format != 18));
    (content_format, proptest::option::of(any::<u64>()), cti, typ, any::<bool>(), any::<bool>()).prop_map(
        |(content_format, issued_at, cti, typ, names, full_y)| Options {
            content_format,
            issued_at,
            cti,
            typ,
            names,
            full_y,
            ..Options::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn what_is_sealed_opens_with_all_that_it_says(
        (shape, content_algorithm) in combination(),
        signature in proptest::sample::select(SignatureAlgorithm::ALL),
        options in options(),
        value in 0u64..(1 << 40) - 1,
        context in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..=16)),
        content in proptest::collection::vec(any::<u8>(), 1..600),
        seed in any::<u8>(),
    ) {
        let mut device = sealer();
        if signature == SignatureAlgorithm::Ed25519 {
            device.signing = Some(SigningKey::ed25519(kid("b1a2b3c4"), &[seed; 32]).unwrap());
        }
        device.kid_context = context.as_deref().map(|bytes| KidContext::new(bytes).unwrap());
        let options = Options {
            content_algorithm: Some(content_algorithm),
            signature_algorithm: Some(signature),
            ..options
        };
        let mut rng = Script::of(&[std::vec![seed | 1; 32]]);
        let sealed = device.seal(shape, number(value), &content, &options, &mut rng).unwrap();
        let opened = opener(&device).open(&sealed).unwrap();
        prop_assert_eq!(&opened.content, &content);
        prop_assert_eq!(opened.outer.algorithm, i64::from(content_algorithm.id()));
        prop_assert_eq!(opened.signed.is_some(), shape.signs());
        if let Some(signed) = &opened.signed {
            prop_assert_eq!(signed.algorithm, i64::from(signature.id()));
            prop_assert_eq!(&signed.kid, &bytes("b1a2b3c4"));
        }
        let innermost = opened.signed.clone().unwrap_or_else(|| opened.outer.clone());
        prop_assert_eq!(innermost.partial_iv.iter().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte)), value);
        prop_assert_eq!(&innermost.kid_context, &context);
        prop_assert_eq!(innermost.content_type, options.content_format.map(u64::from));
        prop_assert_eq!((innermost.issued_at, innermost.cti), (options.issued_at, options.cti));
        if shape == Shape::G {
            prop_assert_eq!(&opened.outer.partial_iv, &innermost.partial_iv);
            prop_assert_eq!(&opened.outer.kid_context, &context);
        }
    }

    #[test]
    fn any_changed_bit_keeps_it_shut(
        shape in proptest::sample::select(&[Shape::S, Shape::G, Shape::P]),
        at in any::<proptest::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut sealed = seal(shape, 300, &Options::default());
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(opener(&sealer()).open(&sealed).is_none());
    }
}

#[test]
fn a_public_key_is_the_points_coordinates() {
    let PublicKey::P256(x, y) = sealer().signing.unwrap().public() else { panic!("a P-256 key") };
    assert_eq!(encode(x), "e8ca83951df3a804e7ac1fabd85dbadec167f9987b287470b9b772d6ca30f959");
    assert_eq!(encode(y), "c25f3ef250c294fb047959cc3b42356ea2d5d718a3e1d23ac2c8b65358dfeaf7");
}
