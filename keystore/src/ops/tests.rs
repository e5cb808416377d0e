//! The worked examples of profile.md §10 through `run`, what must not open, and second implementations.

mod cms;
mod jose;
mod steps;
mod timing;
mod wycheproof;

use crate::error::OpenError;
use crate::fixture::{BINDING, CONTENT, DEVICE, MASTER, S_CIPHERTEXT, S_ENC, bytes, key, key_set, offline};
use crate::key::{Algorithm, KeyRef, Kty};
use crate::recipe::{Authentic, EcY, Hash, Info, Management, Nonce, Peer, Point, Recipe, Start, Step};

const EPHEMERAL_X: &str = "271b50f7fd197f9bcffd056b70040788862f20ecbb038d9accfc7c44315de7bc";
const P_CONTEXT: &str = "842283f6f6f683f6f6f682188044a101381c";
const P_WRAPPED: &str = "e802334bae771ffe6b50adbf22a234736650f339f2b5eb41";
const P_IV: &str = "257c1051875ee2dc9dfd96e9";
const P_CIPHERTEXT: &str = "f570319f6f26136dd3ab73e968803d61bbdb455997e85a21f96dcc578fc34c69b7ef59d226f2aadd21b1d0f159a02b17\
                            b3be4a82cf95a41985f83f7749759eb126f1d9ddd8bb3271c628e7578ae2fece6827338b0ec3039b03dec0a9ca841d93\
                            d61c013193a55bcd4825081234cf03d3bee74e3e4918b44b163c7e";
const P_SIGNATURE: &str = "3ca7c0c46cbf283358380427b0ba76985b71a2c2a6056b8169481d7a66a4e932\
                           6e59b7a72ed0d5dd54100b25e776e4fcdcab2c39b9927e8ca0aca8d26c0d9c74";
const G_ENC: &str = "8368456e637279707430 4f a4010a0312044401a2b3c406420138 5847";
const G_CIPHERTEXT: &str = "27286312fd6c7316a40a67e3e8b055e3817cb285347f0e72bd075f88c3350cb83a5ff872e5c280f2bc914c3b58af523b\
                            c4400d844e878aebae628e325e0c0f2645e876b61ab5a6bd2fa4c0951b75086eb209e3b9385606bdb3770bd398d49a30\
                            b4970bfb9baebd781e2583333fbb110fe34283";
const G_SIGNATURE: &str = "b9e4b52f11d65c8e879c79b0206aca34a0ac68d0359e0cd0285d7d329f9658f4\
                           9b57527afbd85b54a3233c336d948776bad4691fdd175d2460103fb298677f20";

type Held = Result<(Vec<u8>, Authentic), OpenError>;

fn hex(spaced: &str) -> Vec<u8> {
    bytes(&spaced.replace(' ', ""))
}

fn enc_structure(head: &str) -> Vec<u8> {
    [hex(head), bytes(BINDING)].concat()
}

fn sig_structure(protected: &str) -> Vec<u8> {
    let binding = [&[0x58, 0x47][..], &bytes(BINDING)].concat();
    [&[0x84, 0x6a][..], b"Signature1", &hex(protected), &binding, &[0x54], &bytes(CONTENT)].concat()
}

fn as_it_is(key: &KeyRef) -> Management<'_> {
    Management { start: Start::Device { key, kid_context: None }, steps: &[] }
}

fn decrypt_s(key: &KeyRef, partial: &[u8], aads: &[&[u8]], ciphertext: &[u8]) -> Held {
    super::run(&Recipe::Decrypt {
        management: as_it_is(key),
        algorithm: Algorithm::AesCcm16_64_128,
        nonce: Nonce::Partial(partial),
        aads,
        ciphertext,
    })
}

fn refused(held: Held) -> bool {
    held.is_err_and(|error| matches!(error, OpenError::Rejected))
}

#[test]
fn s_min_opens() {
    let keystore = offline(&key_set());
    let (wrong, right) = (b"another trial".to_vec(), enc_structure(S_ENC));
    let (content, proof) =
        decrypt_s(&key(&keystore, "01a2b3c4"), &[0x2a], &[&wrong, &right], &bytes(S_CIPHERTEXT)).unwrap();
    assert_eq!(content, bytes(CONTENT));
    assert_eq!((proof.trial(), proof.algorithm()), (1, Algorithm::AesCcm16_64_128));
    assert!(proof.proves_sender());
    assert_eq!(proof.key().device.as_deref(), Some(DEVICE));
}

#[test]
fn s_opens_again_from_the_kept_key() {
    let keystore = offline(&key_set());
    let (key, aad) = (key(&keystore, "01a2b3c4"), enc_structure(S_ENC));
    for _ in 0..3 {
        assert_eq!(decrypt_s(&key, &[0x2a], &[&aad], &bytes(S_CIPHERTEXT)).unwrap().0, bytes(CONTENT));
    }
}

#[test]
fn s_does_not_open_altered() {
    let keystore = offline(&key_set());
    let (key, aad) = (key(&keystore, "01a2b3c4"), enc_structure(S_ENC));
    let sealed = bytes(S_CIPHERTEXT);
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(refused(decrypt_s(&key, &[0x2a], &[&aad], &altered)), "byte {at}");
    }
    for length in 0..sealed.len() {
        assert!(refused(decrypt_s(&key, &[0x2a], &[&aad], &sealed[..length])), "cut to {length}");
    }
    for partial in [&[][..], &[0x2b], &[0, 0x2a, 0], &[0; 14]] {
        assert!(refused(decrypt_s(&key, partial, &[&aad], &sealed)), "partial IV {partial:?}");
    }
    assert!(refused(decrypt_s(&key, &[0x2a], &[], &sealed)), "no trial");
    assert!(refused(decrypt_s(&key, &[0x2a], &[&aad[1..]], &sealed)), "another AAD");
}

#[test]
fn g_opens_layer_by_layer() {
    let keystore = offline(&key_set());
    let aad = enc_structure(G_ENC);
    let (inner, _) = decrypt_s(&key(&keystore, "01a2b3c4"), &[1, 0x38], &[&aad], &bytes(G_CIPHERTEXT)).unwrap();
    assert!(inner.ends_with(&bytes(G_SIGNATURE)));
    let signed = sig_structure("50 a401260318700444b1a2b3c406420138");
    let proof = verify(&key(&keystore, "b1a2b3c4"), Algorithm::Es256, &signed, &bytes(G_SIGNATURE)).unwrap().1;
    assert!(proof.proves_sender());
}

fn verify(key: &KeyRef, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Held {
    super::run(&Recipe::Verify { key, algorithm, messages: &[b"another trial", message], signature })
}

struct P {
    algorithm: Algorithm,
    wrap: Algorithm,
    x: Vec<u8>,
    odd: bool,
    context: Vec<u8>,
    wrapped: Vec<u8>,
    iv: Vec<u8>,
}

impl Default for P {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::A128Gcm,
            wrap: Algorithm::EcdhEsA128Kw,
            x: bytes(EPHEMERAL_X),
            odd: false,
            context: bytes(P_CONTEXT),
            wrapped: bytes(P_WRAPPED),
            iv: bytes(P_IV),
        }
    }
}

impl P {
    fn open(&self, key: &KeyRef, y: Option<&[u8]>) -> Held {
        let (wrap, length) = match self.wrap {
            Algorithm::EcdhEsA256Kw => (Algorithm::A256Kw, 32),
            _ => (Algorithm::A128Kw, 16),
        };
        let steps = [
            Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info::public(&self.context), length },
            Step::Unwrap { algorithm: wrap, wrapped: &self.wrapped },
        ];
        let y = Some(y.map_or(EcY::Odd(self.odd), EcY::Full));
        let peer = Peer::Point(Point { kty: Kty::Ec2P256, x: &self.x, y });
        super::run(&Recipe::Decrypt {
            management: Management { start: Start::Agree { key, algorithm: self.wrap, peer }, steps: &steps },
            algorithm: self.algorithm,
            nonce: Nonce::Full(&self.iv),
            aads: &[&hex("8367 456e6372797074 45 a201010312 40")],
            ciphertext: &bytes(P_CIPHERTEXT),
        })
    }
}

#[test]
fn p_compressed_opens_layer_by_layer() {
    let keystore = offline(&key_set());
    let (inner, proof) = P::default().open(&key(&keystore, "67772d31"), None).unwrap();
    assert!(!proof.proves_sender(), "anybody can seal to a public key");
    assert!(inner.ends_with(&bytes(P_SIGNATURE)));
    let signed = sig_structure("50 a401280318700444b1a2b3c406420134");
    let signer = key(&keystore, "b1a2b3c4");
    assert_eq!(verify(&signer, Algorithm::Esp256, &signed, &bytes(P_SIGNATURE)).unwrap().1.trial(), 1);
}

#[test]
fn p_opens_with_the_full_point_too() {
    let keystore = offline(&key_set());
    let point =
        crate::private_key::Point::decompress(crate::private_key::Curve::P256, &bytes(EPHEMERAL_X), false).unwrap();
    assert!(P::default().open(&key(&keystore, "67772d31"), Some(&point.y)).is_ok());
}

#[test]
fn p_does_not_open_altered() {
    let keystore = offline(&key_set());
    let gateway = key(&keystore, "67772d31");
    let mut wrapped = bytes(P_WRAPPED);
    wrapped[0] ^= 1;
    let cases = [
        ("x that no point has", P { x: [0xff; 32].to_vec(), ..P::default() }),
        ("x off the curve", P { x: [&[0; 31][..], &[1]].concat(), ..P::default() }),
        ("short x", P { x: bytes(EPHEMERAL_X)[..31].to_vec(), ..P::default() }),
        ("another context", P { context: bytes("842283f6f6f683f6f6f682188044a101381e"), ..P::default() }),
        ("altered wrap", P { wrapped, ..P::default() }),
        ("short wrap", P { wrapped: bytes(P_WRAPPED)[..16].to_vec(), ..P::default() }),
        ("no wrap", P { wrapped: Vec::new(), ..P::default() }),
        ("the other KEK", P { wrap: Algorithm::EcdhEsA256Kw, ..P::default() }),
        ("no wrap algorithm", P { wrap: Algorithm::A128Gcm, ..P::default() }),
        ("CEK of another length", P { algorithm: Algorithm::A256Gcm, ..P::default() }),
        ("no content algorithm", P { algorithm: Algorithm::Es256, ..P::default() }),
        ("short IV", P { iv: bytes(P_IV)[..11].to_vec(), ..P::default() }),
        ("long IV", P { iv: [0; 13].to_vec(), ..P::default() }),
    ];
    for (what, altered) in cases {
        assert!(refused(altered.open(&gateway, None)), "{what}");
    }
    for y in [&[0; 32][..], &[0; 31], &[0xff; 32], &[]] {
        assert!(refused(P::default().open(&gateway, Some(y))), "y {y:?}");
    }
    assert!(P::default().open(&gateway, None).is_ok(), "the untouched twin");
    // −E agrees on the same x-coordinate: nothing is learnt or forged by it, and the signed content is the same.
    assert!(P { odd: true, ..P::default() }.open(&gateway, None).is_ok());
}

#[test]
fn a_key_serves_only_what_it_is_for() {
    let keystore = offline(&key_set());
    let [gateway, master, signer] = ["67772d31", "01a2b3c4", "b1a2b3c4"].map(|kid| key(&keystore, kid));
    let (aad, signed) = (enc_structure(S_ENC), sig_structure("50 a401280318700444b1a2b3c406420134"));
    for wrong in [&gateway, &signer] {
        assert!(refused(decrypt_s(wrong, &[0x2a], &[&aad], &bytes(S_CIPHERTEXT))));
    }
    for wrong in [&master, &signer] {
        assert!(refused(P::default().open(wrong, None)));
    }
    for wrong in [&gateway, &master] {
        assert!(refused(verify(wrong, Algorithm::Esp256, &signed, &bytes(P_SIGNATURE))));
    }
    assert!(refused(verify(&signer, Algorithm::Ed25519, &signed, &bytes(P_SIGNATURE))));
    assert!(refused(verify(&signer, Algorithm::A128Gcm, &signed, &bytes(P_SIGNATURE))));
    let der_length = [&bytes(P_SIGNATURE)[..], &[0]].concat();
    assert!(refused(verify(&signer, Algorithm::Esp256, &signed, &der_length)));
    assert!(refused(verify(&signer, Algorithm::Esp256, &signed, &[0; 64])));
    assert!(refused(verify(&signer, Algorithm::Esp256, &signed, &[])));
}

/// HKDF is checked by s-min; here every algorithm opens what a second implementation sealed.
mod differential {
    use aes_gcm::aead::{Aead, KeyInit, Payload};

    use super::{Algorithm, MASTER, Nonce, Recipe, as_it_is, bytes, key, offline, refused};

    fn sealed_as_it_is(algorithm: &str, k: &[u8]) -> crate::Keystore {
        use base64ct::{Base64UrlUnpadded, Encoding};
        offline(&format!(
            r#"{{"kty":"oct","alg":"{algorithm}","k":"{}","paperknife":{{"kid_hex":"01"}}}}"#,
            Base64UrlUnpadded::encode_string(k)
        ))
    }

    fn open(keystore: &crate::Keystore, algorithm: Algorithm, nonce: &[u8], sealed: &[u8]) -> super::Held {
        super::super::run(&Recipe::Decrypt {
            management: as_it_is(&key(keystore, "01")),
            algorithm,
            nonce: Nonce::Full(nonce),
            aads: &[b"aad"],
            ciphertext: sealed,
        })
    }

    #[test]
    fn gcm_of_another_implementation_opens() {
        let k = bytes(MASTER);
        for length in [0, 1, 16, 1_000, 65_536] {
            let message = vec![7; length];
            let payload = || Payload { msg: &message, aad: b"aad" };
            let nonce = [3; 12];
            let a128 = aes_gcm::Aes128Gcm::new_from_slice(&k[..16]).unwrap().encrypt(&nonce.into(), payload()).unwrap();
            let a256 = aes_gcm::Aes256Gcm::new_from_slice(&k).unwrap().encrypt(&nonce.into(), payload()).unwrap();
            let of_128 = sealed_as_it_is("A128GCM", &k[..16]);
            assert_eq!(open(&of_128, Algorithm::A128Gcm, &nonce, &a128).unwrap().0, message);
            let of_256 = sealed_as_it_is("A256GCM", &k);
            assert_eq!(open(&of_256, Algorithm::A256Gcm, &nonce, &a256).unwrap().0, message);
            assert!(refused(open(&of_256, Algorithm::A256Gcm, &nonce, &a128)));
            assert!(refused(open(&of_256, Algorithm::ChaCha20Poly1305, &nonce, &a256)), "not this key's algorithm");
        }
    }

    #[test]
    fn ccm_of_rfc_3610_style_lengths_opens() {
        use aes_gcm::aead::consts::{U8, U13, U16};
        let (k, nonce) = (&bytes(MASTER)[..16], [5; 13]);
        let short = ccm::Ccm::<aes::Aes128, U8, U13>::new_from_slice(k).unwrap();
        let long = ccm::Ccm::<aes::Aes128, U16, U13>::new_from_slice(k).unwrap();
        for length in [0, 1, 15, 16, 17, 4_096] {
            let message = vec![7; length];
            let payload = || Payload { msg: &message, aad: b"aad" };
            let sealed = short.encrypt(&nonce.into(), payload()).unwrap();
            let of_64 = sealed_as_it_is("AES-CCM-16-64-128", k);
            assert_eq!(open(&of_64, Algorithm::AesCcm16_64_128, &nonce, &sealed).unwrap().0, message);
            let sealed = long.encrypt(&nonce.into(), payload()).unwrap();
            let of_128 = sealed_as_it_is("AES-CCM-16-128-128", k);
            assert_eq!(open(&of_128, Algorithm::AesCcm16_128_128, &nonce, &sealed).unwrap().0, message);
            assert!(refused(open(&of_128, Algorithm::AesCcm16_128_128, &nonce, &sealed[..sealed.len() - 8])));
            assert!(refused(open(&of_64, Algorithm::AesCcm16_64_128, &nonce, &sealed)), "a tag of another length");
        }
    }

    #[test]
    fn chacha20_poly1305_of_rfc_8439_opens() {
        // RFC 8439 §2.8.2.
        let keystore = sealed_as_it_is("ChaCha20-Poly1305", &(0x80..0xa0).collect::<Vec<u8>>());
        let sealed = bytes(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
             1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
             3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
        );
        let (content, _) = super::super::run(&Recipe::Decrypt {
            management: as_it_is(&key(&keystore, "01")),
            algorithm: Algorithm::ChaCha20Poly1305,
            nonce: Nonce::Full(&bytes("070000004041424344454647")),
            aads: &[&bytes("50515253c0c1c2c3c4c5c6c7")],
            ciphertext: &sealed,
        })
        .unwrap();
        assert!(content.starts_with(b"Ladies and Gentlemen"));
    }

    #[test]
    fn key_wrap_of_another_implementation_unwraps() {
        use aes_kw::{KwAes128, KwAes256};
        let unwrap = super::super::unwrap::unwrap;
        let (kek, cek) = (bytes(MASTER), [9; 32]);
        let mut wrapped = [0; 40];
        KwAes128::new_from_slice(&kek[..16]).unwrap().wrap_key(&cek, &mut wrapped).unwrap();
        assert_eq!(*unwrap(Algorithm::A128Kw, &kek[..16], &wrapped).unwrap(), cek);
        KwAes256::new_from_slice(&kek).unwrap().wrap_key(&cek, &mut wrapped).unwrap();
        assert_eq!(*unwrap(Algorithm::A256Kw, &kek, &wrapped).unwrap(), cek);
        assert!(unwrap(Algorithm::A128Kw, &kek, &wrapped).is_none());
    }

    #[test]
    fn agreement_equals_another_implementation() {
        use crate::key::Kty;
        use crate::private_key::{Curve, Point as Public, Scalar};
        use crate::recipe::{EcY, Point};
        for seed in 1..20_u8 {
            let scalar = |byte: u8| Scalar::new(Curve::P256, &[byte; 32]).unwrap();
            let (ours, theirs) = (scalar(seed), scalar(seed + 100));
            let private = super::super::agreement::ec(&ours).unwrap();
            let Public { x, y, .. } = &theirs.point;
            let [full, compressed] = [EcY::Full(y), EcY::Odd(y[31] & 1 == 1)].map(|y| {
                let point = Point { kty: Kty::Ec2P256, x, y: Some(y) };
                super::super::agreement::secret(&private, &super::super::agreement::encoded(&point).unwrap()).unwrap()
            });
            assert_eq!(*full, *compressed);
            let secret = p256::SecretKey::from_slice(&ours.d[..]).unwrap();
            let z = secret.diffie_hellman(&p256::PublicKey::from_sec1_bytes(&theirs.point.sec1()).unwrap());
            assert_eq!(full.as_slice(), z.raw_secret_bytes().as_slice());
        }
    }
}

mod ed25519 {
    use super::{Algorithm, bytes, key, offline, refused, verify};

    // RFC 8032 §7.1, test 2.
    const X: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn keystore() -> crate::Keystore {
        offline(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","alg":"EdDSA","paperknife":{{"kid_hex":"01"}}}}"#))
    }

    #[test]
    fn rfc_8032_verifies() {
        let key = key(&keystore(), "01");
        assert!(verify(&key, Algorithm::Ed25519, &[0x72], &bytes(SIGNATURE)).is_ok());
        assert!(refused(verify(&key, Algorithm::Ed25519, &[0x73], &bytes(SIGNATURE))));
    }

    #[test]
    fn s_beyond_the_order_is_refused() {
        // S + L: the same point, another encoding (RFC 8032 §5.1.7).
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut malleable = bytes(SIGNATURE);
        let mut carry = 0;
        for (byte, of_order) in malleable[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(of_order);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert!(refused(verify(&key(&keystore(), "01"), Algorithm::Ed25519, &[0x72], &malleable)));
    }

    #[test]
    fn weak_points_are_no_keys() {
        let weak = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0200000000000000000000000000000000000000000000000000000000000000",
        ];
        for x in weak {
            assert!(super::super::verify::Verifier::ed25519(&bytes(x).try_into().unwrap()).is_none(), "{x}");
        }
    }
}
