//! Known answers for what Wycheproof does not cover, and the rows of the negative list that are the strongroom's: N14, N15,
//! N16, N20 of the COSE reader, B2, B4, B7, B8, B16 of the threats. Each row has an untouched twin.

use aes_gcm::aead::consts::{U7, U8, U13, U16};
use ccm::aead::{Aead, KeyInit, Payload};

use super::{Held, as_it_is, refused, verify};
use crate::fixture::{bytes, key, offline};
use crate::key::{Algorithm, KeyRef, Kty};
use crate::recipe::{EcY, Hash, Info, Management, Nonce, Peer, Point, Recipe, Start, Step, Under};
use crate::{Keystore, fixture};

const K16: &str = "849b57219dae48de646d07dbb533566e";
const K32: &str = "849b57219dae48de646d07dbb533566e976686457c1491be3a76dcea6c427188";
const CONTENT: &[u8] = b"This is the content.";

/// A keystore with one symmetric key, kid 01.
fn oct(k: &str, alg: &str) -> Keystore {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let k = Base64UrlUnpadded::encode_string(&bytes(k));
    offline(&format!(r#"{{"kty":"oct","k":"{k}","alg":"{alg}","paperknife":{{"kid_hex":"01"}}}}"#))
}

fn mac(management: Management<'_>, algorithm: Algorithm, message: &[u8], tag: &[u8]) -> Held {
    super::super::run(&Recipe::Mac { management, algorithm, messages: &[b"another trial", message], tag })
}

#[test]
fn macs_hold_and_nothing_else_does() {
    // The COSE working group's examples for direct MACs, and RFC 4231's construction at another length.
    let mac0 = |alg: &str| bytes(&format!("84634d414343{alg}4054{}", hex::encode(CONTENT)));
    let k48 = format!("{K32}{K16}");
    let k64 = format!("{K32}{K32}");
    let rows = [
        (Algorithm::AesMac128_64, K16, "a1010e", Some("c1ca820e6e247089")),
        (Algorithm::AesMac128_128, K16, "a1011819", None),
        (Algorithm::AesMac256_64, K32, "a1010f", None),
        (Algorithm::AesMac256_128, K32, "a101181a", None),
        (Algorithm::Hmac256_64, K32, "a10104", None),
        (Algorithm::Hmac256_256, K32, "a10105", None),
        (Algorithm::Hmac384_384, &k48, "a10106", None),
        (Algorithm::Hmac512_512, &k64, "a10107", None),
    ];
    for (algorithm, k, protected, known) in rows {
        let keystore = oct(k, algorithm.name());
        let (key, message) = (key(&keystore, "01"), mac0(protected));
        let sizes = algorithm.mac().unwrap();
        let tag = known.map_or_else(|| expected_mac(algorithm, &bytes(k), &message), bytes);
        let (content, proof) = mac(as_it_is(&key), algorithm, &message, &tag).unwrap();
        assert_eq!((content.len(), proof.trial(), proof.algorithm()), (0, 1, algorithm));
        assert!(proof.proves_sender(), "a device's own key");
        assert_eq!(tag.len(), sizes.tag);
        for cut in 0..tag.len() {
            assert!(refused(mac(as_it_is(&key), algorithm, &message, &tag[..cut])), "{algorithm:?}: tag cut to {cut}");
        }
        let longer = [&tag[..], &[0]].concat();
        assert!(refused(mac(as_it_is(&key), algorithm, &message, &longer)), "{algorithm:?}: a longer tag");
        assert!(refused(mac(as_it_is(&key), algorithm, &message[1..], &tag)), "{algorithm:?}: another message");
        for other in rows.iter().map(|row| row.0).filter(|other| *other != algorithm) {
            assert!(refused(mac(as_it_is(&key), other, &message, &tag)), "{algorithm:?} as {other:?}");
        }
    }
}

/// Second implementations: HMAC over sha2's digests by hand (RFC 2104), CBC-MAC as the last block of CBC by aws-lc.
fn expected_mac(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    fn hmac<D: Digest>(block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
        let pad = |with: u8| -> Vec<u8> {
            let padded = key.iter().copied().chain(std::iter::repeat(0)).take(block);
            padded.map(|byte| byte ^ with).collect()
        };
        let inner = D::digest([&pad(0x36)[..], message].concat());
        D::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
    }
    let mut tag = match algorithm {
        Algorithm::Hmac256_64 | Algorithm::Hmac256_256 => hmac::<sha2::Sha256>(64, key, message),
        Algorithm::Hmac384_384 => hmac::<sha2::Sha384>(128, key, message),
        Algorithm::Hmac512_512 => hmac::<sha2::Sha512>(128, key, message),
        _ => cbc_mac(key, message),
    };
    tag.truncate(algorithm.mac().unwrap().tag);
    tag
}

fn cbc_mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
    let cipher = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let mut padded = message.to_vec();
    padded.resize(message.len().next_multiple_of(16), 0);
    let key = EncryptingKey::cbc(UnboundCipherKey::new(cipher, key).unwrap()).unwrap();
    key.less_safe_encrypt(&mut padded, EncryptionContext::Iv128([0; 16].into())).unwrap();
    padded[padded.len() - 16..].to_vec()
}

#[test]
fn every_ccm_opens_with_its_own_sizes_alone() {
    fn sealed<M, N>(key: &[u8], nonce: &[u8], aes256: bool) -> Vec<u8>
    where
        M: ccm::aead::array::ArraySize + ccm::TagSize,
        N: ccm::aead::array::ArraySize + ccm::NonceSize,
    {
        let (nonce, payload) = (nonce.try_into().unwrap(), Payload { msg: CONTENT, aad: b"aad" });
        if aes256 {
            ccm::Ccm::<aes::Aes256, M, N>::new_from_slice(key).unwrap().encrypt(nonce, payload).unwrap()
        } else {
            ccm::Ccm::<aes::Aes128, M, N>::new_from_slice(key).unwrap().encrypt(nonce, payload).unwrap()
        }
    }
    let nonce = bytes("a0a1a2a3a4a5a6a7a8a9aaabac");
    let rows = [
        (Algorithm::AesCcm16_64_128, sealed::<U8, U13>(&bytes(K16), &nonce, false), 13),
        (Algorithm::AesCcm16_64_256, sealed::<U8, U13>(&bytes(K32), &nonce, true), 13),
        (Algorithm::AesCcm64_64_128, sealed::<U8, U7>(&bytes(K16), &nonce[..7], false), 7),
        (Algorithm::AesCcm64_64_256, sealed::<U8, U7>(&bytes(K32), &nonce[..7], true), 7),
        (Algorithm::AesCcm16_128_128, sealed::<U16, U13>(&bytes(K16), &nonce, false), 13),
        (Algorithm::AesCcm16_128_256, sealed::<U16, U13>(&bytes(K32), &nonce, true), 13),
        (Algorithm::AesCcm64_128_128, sealed::<U16, U7>(&bytes(K16), &nonce[..7], false), 7),
        (Algorithm::AesCcm64_128_256, sealed::<U16, U7>(&bytes(K32), &nonce[..7], true), 7),
    ];
    for (algorithm, sealed, size) in rows {
        let keystore = oct(if algorithm.content().unwrap().key == 16 { K16 } else { K32 }, algorithm.name());
        let key = key(&keystore, "01");
        let open = |nonce: &[u8], sealed: &[u8]| {
            let (management, nonce) = (as_it_is(&key), Nonce::Full(nonce));
            super::super::run(&Recipe::Decrypt { management, algorithm, nonce, aads: &[b"aad"], ciphertext: sealed })
        };
        assert_eq!(open(&nonce[..size], &sealed).unwrap().0, CONTENT, "{algorithm:?}");
        for wrong in (0..=13).filter(|length| *length != size) {
            assert!(refused(open(&nonce[..wrong], &sealed)), "{algorithm:?}: nonce of {wrong}");
        }
        assert!(refused(open(&[0; 64], &sealed)), "{algorithm:?}: an oversized nonce");
        assert!(refused(open(&nonce[..size], &sealed[..sealed.len() - 1])), "{algorithm:?}: a cut tag");
        assert!(refused(open(&nonce[..size], &[])), "{algorithm:?}: no tag at all");
    }
}

#[test]
fn hkdf_aes_derives_what_the_examples_say() {
    // The COSE working group's HKDF-AES-128-13 and HKDF-AES-256-01.
    let rows = [
        (
            K16,
            Algorithm::DirectHkdfAes128,
            "840a834653656e646572f6f683f6f6f683188043a1012b4c5075626c6963204f74686572",
            "1c13cab7971bfde757ef20ae086fee3fd06e173d101132d85a02a996",
        ),
        (
            "0f1e2d3c4b5a69788796a5b4c3d2e1f01f2e3d4c5b6a798897a6b5c4d3e2f100",
            Algorithm::DirectHkdfAes256,
            "840a83f6f6f683f6f6f682188043a1012c",
            "709789d0577240924b3f0c12c6a51f4ac92e09733dabf536f06c4be0",
        ),
    ];
    for (k, algorithm, context, sealed) in rows {
        let keystore = oct(k, algorithm.name());
        let key = key(&keystore, "01");
        let open = |context: &str, length: usize| {
            let context = bytes(context);
            let steps = [Step::HkdfAes { info: Info::public(&context), length }];
            super::super::run(&Recipe::Decrypt {
                management: Management { steps: &steps, ..as_it_is(&key) },
                algorithm: Algorithm::AesCcm16_64_128,
                nonce: Nonce::Full(&bytes("bfe89563ee070ce187bdf1c472")),
                aads: &[&bytes("8367456e637279707443a1010a40")],
                ciphertext: &bytes(sealed),
            })
        };
        assert_eq!(open(context, 16).unwrap().0, CONTENT);
        assert!(refused(open(&context.replace("1880", "10"), 16)), "another length in the context");
        for length in [0, 15, 17, 32, 64, 100_000] {
            assert!(refused(open(context, length)), "{length} bytes for a key of 16");
        }
    }
}

/// RFC 3686 §6, test vector 1, in the form of RFC 9459: the IV is the whole first counter block. SP 800-38A F.2.1 for CBC.
#[test]
fn unauthenticated_content_opens_only_under_what_is_authentic() {
    let signer = offline(&fixture::key_set());
    let under = super::super::run(&Recipe::Decrypt {
        management: as_it_is(&key(&signer, "01a2b3c4")),
        algorithm: Algorithm::AesCcm16_64_128,
        nonce: Nonce::Partial(&[0x2a]),
        aads: &[&super::enc_structure(fixture::S_ENC)],
        ciphertext: &bytes(fixture::S_CIPHERTEXT),
    })
    .unwrap()
    .1;
    let open = |key: &KeyRef, algorithm, iv: &[u8], ciphertext: &[u8]| {
        let management = as_it_is(key);
        super::super::run(&Recipe::DecryptUnauthenticated {
            under: Under::Layer(&under),
            management,
            algorithm,
            iv,
            ciphertext,
        })
    };
    let keystore = oct("ae6852f8121067cc4bf7a5765577f39e", "A128CTR");
    let (ctr, iv) = (key(&keystore, "01"), bytes("00000030000000000000000000000001"));
    let sealed = bytes("e4095d4fb7a7b3792d6175a3261311b8");
    let (content, proof) = open(&ctr, Algorithm::A128Ctr, &iv, &sealed).unwrap();
    assert_eq!(content, b"Single block msg");
    assert!(!proof.proves_sender(), "nothing was authenticated");
    assert!(refused(open(&ctr, Algorithm::A128Ctr, &iv[1..], &sealed)));
    assert!(refused(open(&ctr, Algorithm::A128Cbc, &iv, &sealed)), "one key, one algorithm");
    assert!(refused(super::super::run(&Recipe::Decrypt {
        management: as_it_is(&ctr),
        algorithm: Algorithm::A128Ctr,
        nonce: Nonce::Full(&iv),
        aads: &[b""],
        ciphertext: &sealed,
    })));

    let keystore = oct("2b7e151628aed2a6abf7158809cf4f3c", "A128CBC");
    let (cbc, iv) = (key(&keystore, "01"), bytes("000102030405060708090a0b0c0d0e0f"));
    for length in 0..34 {
        let content = vec![7; length];
        let sealed = cbc_sealed(&bytes("2b7e151628aed2a6abf7158809cf4f3c"), &content);
        assert_eq!(open(&cbc, Algorithm::A128Cbc, &iv, &sealed).unwrap().0, content);
        assert!(refused(open(&cbc, Algorithm::A128Cbc, &iv, &sealed[..sealed.len() - 1])));
    }
    // The first block of F.2.1 has no padding at its end.
    assert!(refused(open(&cbc, Algorithm::A128Cbc, &iv, &bytes("7649abac8119b246cee98e9b12e9197d"))));
    assert!(refused(open(&cbc, Algorithm::A128Cbc, &iv, &[])));
}

fn cbc_sealed(key: &[u8], content: &[u8]) -> Vec<u8> {
    use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
    let mut sealed = content.to_vec();
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, key).unwrap()).unwrap();
    let iv = bytes("000102030405060708090a0b0c0d0e0f");
    let iv = EncryptionContext::Iv128(<[u8; 16]>::try_from(iv.as_slice()).unwrap().into());
    key.less_safe_encrypt(&mut sealed, iv).unwrap();
    sealed
}

/// N14: what a step yields has the length that the next one takes, and no other.
#[test]
fn lengths_are_bound_from_step_to_step() {
    let kek = bytes(K16);
    let wrap = |cek: &[u8]| {
        let mut wrapped = vec![0; cek.len() + 8];
        aes_kw::KwAes128::new_from_slice(&kek).unwrap().wrap_key(cek, &mut wrapped).unwrap();
        wrapped
    };
    let keystore = oct(K16, "A128KW");
    let key = key(&keystore, "01");
    let open = |steps: &[Step<'_>], algorithm: Algorithm, cek: &[u8]| {
        let sealed = gcm(cek);
        super::super::run(&Recipe::Decrypt {
            management: Management { steps, ..as_it_is(&key) },
            algorithm,
            nonce: Nonce::Full(&[0; 12]),
            aads: &[b""],
            ciphertext: &sealed,
        })
    };
    let (short, long) = ([1; 16], [2; 32]);
    let (of_short, of_long) = (wrap(&short), wrap(&long));
    let unwrap = |algorithm, wrapped| [Step::Unwrap { algorithm, wrapped }];
    assert!(open(&unwrap(Algorithm::A128Kw, &of_short), Algorithm::A128Gcm, &short).is_ok());
    assert!(open(&unwrap(Algorithm::A128Kw, &of_long), Algorithm::A256Gcm, &long).is_ok());
    let rows: [(&str, &[Step<'_>], Algorithm, &[u8]); 7] = [
        ("a CEK that is too long", &unwrap(Algorithm::A128Kw, &of_long), Algorithm::A128Gcm, &short),
        ("a CEK that is too short", &unwrap(Algorithm::A128Kw, &of_short), Algorithm::A256Gcm, &long),
        ("A192KW with a key of 16", &unwrap(Algorithm::A192Kw, &of_short), Algorithm::A128Gcm, &short),
        ("A256KW with a key of 16", &unwrap(Algorithm::A256Kw, &of_short), Algorithm::A128Gcm, &short),
        ("no key wrap", &unwrap(Algorithm::A128Gcm, &of_short), Algorithm::A128Gcm, &short),
        ("the KEK as the CEK", &[], Algorithm::A128Gcm, &kek),
        ("a cut wrap", &unwrap(Algorithm::A128Kw, &of_short[..16]), Algorithm::A128Gcm, &short),
    ];
    for (what, steps, algorithm, cek) in rows {
        assert!(refused(open(steps, algorithm, cek)), "{what}");
    }
    // The CEK of 16 bytes is the KEK of the next layer, which must not take 32.
    let inner = {
        let mut wrapped = vec![0; 24];
        aes_kw::KwAes128::new_from_slice(&short).unwrap().wrap_key(&[3; 16], &mut wrapped).unwrap();
        wrapped
    };
    let two = |first, second| {
        [
            Step::Unwrap { algorithm: Algorithm::A128Kw, wrapped: first },
            Step::Unwrap { algorithm: second, wrapped: &inner },
        ]
    };
    assert!(open(&two(&of_short, Algorithm::A128Kw), Algorithm::A128Gcm, &[3; 16]).is_ok());
    assert!(refused(open(&two(&of_short, Algorithm::A256Kw), Algorithm::A128Gcm, &[3; 16])));
    assert!(refused(open(&two(&of_long, Algorithm::A128Kw), Algorithm::A128Gcm, &[3; 16])));
}

fn gcm(key: &[u8]) -> Vec<u8> {
    use aes_gcm::{Aes128Gcm, Aes256Gcm};
    let nonce = [0; 12];
    match key.len() {
        16 => Aes128Gcm::new_from_slice(key).unwrap().encrypt((&nonce).into(), CONTENT).unwrap(),
        _ => Aes256Gcm::new_from_slice(key).unwrap().encrypt((&nonce).into(), CONTENT).unwrap(),
    }
}

const P256: &str = r#""kty":"EC","crv":"P-256","x":"Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0","y":"HlLtdXARY_f55A3fnzQbPcm6hgr34Mp8p-nuzQCE0Zw""#;
const P256_D: &str = "r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8";
const SENDER_X: &str = "mPUKT_bAWGHIhg0TpjjqVsP1rXWQu_vwVOHHtNkdYoA";
const SENDER_Y: &str = "8BQAsImGeAS46fyWw5MhYfGTT0IjBpFw2SS34Dv4Irs";

fn base64(text: &str) -> Vec<u8> {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

/// Z of the two pairs above, by another implementation.
fn z() -> Vec<u8> {
    let secret = p256::SecretKey::from_slice(&base64(P256_D)).unwrap();
    let public = [&[4][..], &base64(SENDER_X), &base64(SENDER_Y)].concat();
    secret.diffie_hellman(&p256::PublicKey::from_sec1_bytes(&public).unwrap()).raw_secret_bytes().to_vec()
}

fn derived(hash: Hash, info: &[u8], length: usize) -> Vec<u8> {
    use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA512, KeyType, Salt};
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let algorithm = if hash == Hash::Sha256 { HKDF_SHA256 } else { HKDF_SHA512 };
    let mut key = vec![0; length];
    let prk = Salt::new(algorithm, &[]).extract(&z());
    prk.expand(&[info], Length(length)).unwrap().fill(&mut key).unwrap();
    key
}

fn ours(members: &str) -> Keystore {
    offline(&format!(r#"{{{P256},"d":"{P256_D}","paperknife":{{"kid_hex":"01"{members}}}}}"#))
}

fn agree(start: Start<'_>, steps: &[Step<'_>], cek: &[u8]) -> Held {
    super::super::run(&Recipe::Decrypt {
        management: Management { start, steps },
        algorithm: if cek.len() == 16 { Algorithm::A128Gcm } else { Algorithm::A256Gcm },
        nonce: Nonce::Full(&[0; 12]),
        aads: &[b""],
        ciphertext: &gcm(cek),
    })
}

/// N16, B7: a point that is no public key of our curve agrees on nothing.
#[test]
fn points_are_checked_before_they_are_agreed_with() {
    let keystore = ours("");
    let ours = key(&keystore, "01");
    let (x, y, cek) = (base64(SENDER_X), base64(SENDER_Y), derived(Hash::Sha256, b"info", 16));
    let steps = [Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info::public(b"info"), length: 16 }];
    let with = |kty, x: &[u8], y| {
        let peer = Peer::Point(Point { kty, x, y });
        agree(Start::Agree { key: &ours, algorithm: Algorithm::EcdhEsHkdf256, peer }, &steps, &cek)
    };
    let full = |y| Some(EcY::Full(y));
    assert!(with(Kty::Ec2P256, &x, full(&y)).is_ok(), "the untouched twin");
    assert!(with(Kty::Ec2P256, &x, Some(EcY::Odd(y[31] & 1 == 1))).is_ok(), "y as its sign");
    let p = bytes("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let mut off = y.clone();
    off[31] ^= 1;
    let rows: [(&str, Kty, &[u8], Option<EcY<'_>>); 13] = [
        ("off the curve", Kty::Ec2P256, &x, full(&off)),
        ("(0, 0)", Kty::Ec2P256, &[0; 32], full(&[0; 32])),
        ("x = p", Kty::Ec2P256, &p, full(&y)),
        ("x = 2^256 - 1", Kty::Ec2P256, &[0xff; 32], Some(EcY::Odd(false))),
        ("no root", Kty::Ec2P256, &bytes(&format!("{}04", "00".repeat(31))), Some(EcY::Odd(true))),
        ("no y", Kty::Ec2P256, &x, None),
        ("short x", Kty::Ec2P256, &x[1..], full(&y)),
        ("short y", Kty::Ec2P256, &x, full(&y[1..])),
        ("long x", Kty::Ec2P256, &[&[0], &x[..]].concat(), full(&y)),
        ("empty", Kty::Ec2P256, &[], full(&[])),
        ("another curve", Kty::Ec2P384, &x, full(&y)),
        ("another curve of the same width", Kty::Ec2Secp256k1, &x, full(&y)),
        ("an X25519 key", Kty::OkpX25519, &x, None),
    ];
    for (what, kty, x, y) in rows {
        assert!(refused(with(kty, x, y)), "{what}");
    }
}

/// B8: all seven encodings of small order agree on zero, which is refused (RFC 7748 §6.1).
#[test]
fn x25519_agrees_on_no_zero() {
    // RFC 7748 §6.1: Alice's and Bob's keys, and K.
    let keystore = offline(
        r#"{"kty":"OKP","crv":"X25519","d":"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo",
            "x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo","paperknife":{"kid_hex":"01"}}"#,
    );
    let ours = key(&keystore, "01");
    let k = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    let cek = super::super::kdf::hkdf(Hash::Sha512, None, &k, &[b"info"], 32).unwrap();
    let steps = [Step::Hkdf { hash: Hash::Sha512, salt: None, info: Info::public(b"info"), length: 32 }];
    let with = |x: &str, y| {
        let x = bytes(x);
        let peer = Peer::Point(Point { kty: Kty::OkpX25519, x: &x, y });
        agree(Start::Agree { key: &ours, algorithm: Algorithm::EcdhEsHkdf512, peer }, &steps, &cek)
    };
    let bob = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
    assert!(with(bob, None).is_ok());
    assert!(refused(with(bob, Some(EcY::Odd(true)))), "a y that the curve has not");
    assert!(refused(with(&bob[2..], None)), "a short u");
    let spki = format!("302a300506032b656e032100{bob}");
    assert!(refused(with(&spki, None)), "another encoding of the same key");
    for small in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        assert!(refused(with(small, None)), "{small}");
    }
}

/// K6, N15: a key runs the algorithms of its record, and each of them with its own steps.
#[test]
fn an_agreement_is_followed_by_its_own_steps() {
    let keystore = ours(r#","algs":["ECDH-ES+HKDF-256"]"#);
    let ours = key(&keystore, "01");
    let point = Point { kty: Kty::Ec2P256, x: &base64(SENDER_X), y: Some(EcY::Full(&base64(SENDER_Y))) };
    let cek = derived(Hash::Sha256, b"info", 16);
    let hkdf = |hash, length| Step::Hkdf { hash, salt: None, info: Info::public(b"info"), length };
    let start = |algorithm| Start::Agree { key: &ours, algorithm, peer: Peer::Point(point) };
    let own = Algorithm::EcdhEsHkdf256;
    assert!(agree(start(own), &[hkdf(Hash::Sha256, 16)], &cek).is_ok());
    let wrapped = [0; 24];
    let unwrap = Step::Unwrap { algorithm: Algorithm::A128Kw, wrapped: &wrapped };
    let private =
        Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info { bytes: b"info", private: true }, length: 16 };
    let rows: [(&str, Algorithm, &[Step<'_>]); 9] = [
        ("Z as the key", own, &[]),
        ("another hash", own, &[hkdf(Hash::Sha512, 16)]),
        ("another length", own, &[hkdf(Hash::Sha256, 32)]),
        ("no derivation", own, &[unwrap]),
        ("another derivation", own, &[Step::HkdfAes { info: Info::public(b"info"), length: 16 }]),
        ("an algorithm that the record has not", Algorithm::EcdhEsA128Kw, &[hkdf(Hash::Sha256, 16), unwrap]),
        ("no agreement", Algorithm::A128Gcm, &[hkdf(Hash::Sha256, 16)]),
        ("static, that the record has not", Algorithm::EcdhSsHkdf256, &[hkdf(Hash::Sha256, 16)]),
        ("SuppPrivInfo that the record has not", own, &[private]),
    ];
    for (what, algorithm, steps) in rows {
        assert!(refused(agree(start(algorithm), steps, &cek)), "{what}");
    }
    assert!(refused(agree(Start::Device { key: &ours, kid_context: None }, &[hkdf(Hash::Sha256, 16)], &cek)));
}

#[test]
fn private_info_joins_the_context_and_never_leaves() {
    let keystore = ours(
        r#","algs":["ECDH-ES+HKDF-256"],"priv_other":"UHJpdmF0ZSBPdGhlcg","salt":"YWFiYg","party_u":{"identity":"QQ"}"#,
    );
    let ours = key(&keystore, "01");
    let inputs = &ours.policy.kdf_inputs;
    assert!(inputs.priv_other);
    assert_eq!((inputs.salt.as_deref(), inputs.party_u.identity.as_deref()), (Some(&b"aabb"[..]), Some(&b"A"[..])));
    assert!(
        !format!("{ours:?}").contains("rivate Other") && !format!("{ours:?}").contains(&hex::encode("Private Other"))
    );
    let point = Point { kty: Kty::Ec2P256, x: &base64(SENDER_X), y: Some(EcY::Full(&base64(SENDER_Y))) };
    let start = Start::Agree { key: &ours, algorithm: Algorithm::EcdhEsHkdf256, peer: Peer::Point(point) };
    let cek = derived(Hash::Sha256, &[&b"\x85head\x4d"[..], b"Private Other"].concat(), 16);
    let step =
        |private| Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info { bytes: b"\x85head", private }, length: 16 };
    assert!(agree(start, &[step(true)], &cek).is_ok());
    assert!(refused(agree(start, &[step(false)], &cek)));
}

#[test]
fn a_static_sender_is_proven_and_a_static_point_is_not() {
    let sender = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{SENDER_X}","y":"{SENDER_Y}","paperknife":{{"device":"d1","kid_hex":"0a"}}}}"#
    );
    let keystore = ours(&format!(r#","algs":["ECDH-SS+HKDF-256"],"static_sender":{sender}"#));
    let ours = key(&keystore, "01");
    let known = ours.static_sender.clone().unwrap();
    assert_eq!((known.device.as_deref(), known.kid.as_slice(), known.private), (Some("d1"), &[0x0a][..], false));
    let cek = derived(Hash::Sha256, b"info", 16);
    let steps = [Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info::public(b"info"), length: 16 }];
    let with = |algorithm, peer| agree(Start::Agree { key: &ours, algorithm, peer }, &steps, &cek);
    let (_, proof) = with(Algorithm::EcdhSsHkdf256, Peer::Key(&known)).unwrap();
    assert_eq!((proof.proves_sender(), proof.key().device.as_deref()), (true, Some("d1")));
    let (x, y) = (base64(SENDER_X), base64(SENDER_Y));
    let point = Peer::Point(Point { kty: Kty::Ec2P256, x: &x, y: Some(EcY::Full(&y)) });
    let (_, proof) = with(Algorithm::EcdhSsHkdf256, point).unwrap();
    assert_eq!((proof.proves_sender(), proof.key().id.as_str()), (false, ours.id.as_str()));
    assert!(refused(with(Algorithm::EcdhEsHkdf256, Peer::Key(&known))), "ephemeral means a point");
    assert!(refused(with(Algorithm::EcdhSsHkdf256, Peer::Key(&ours))), "our own key is nobody's static one");

    // A record of its own does the same.
    let recorded = offline(&format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{SENDER_X}","y":"{SENDER_Y}","use":"enc","paperknife":{{"device":"d2","kid_hex":"0b"}}}}"#
    ));
    let recorded = key(&recorded, "0b");
    let (_, proof) = with(Algorithm::EcdhSsHkdf256, Peer::Key(&recorded)).unwrap();
    assert_eq!((proof.proves_sender(), proof.key().device.as_deref()), (true, Some("d2")));
}

/// N20, B1, B2: forms of signatures that are none, and keys of another kind.
#[test]
fn signatures_are_of_their_key_and_their_form() {
    let keystore = offline(&fixture::key_set());
    let signer = key(&keystore, "b1a2b3c4");
    let (message, signature) = (super::sig_structure("50 a401280318700444b1a2b3c406420134"), bytes(super::P_SIGNATURE));
    let verify = |algorithm, signature: &[u8]| verify(&signer, algorithm, &message, signature);
    assert!(verify(Algorithm::Es256, &signature).is_ok());
    let n = bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (r, s) = signature.split_at(32);
    let der = [&[0x30, 0x44, 2, 0x20][..], r, &[2, 0x20], s].concat();
    let rows: [(&str, Vec<u8>); 9] = [
        ("r = 0", [&[0; 32], s].concat()),
        ("s = 0", [r, &[0; 32]].concat()),
        ("r = s = 0", vec![0; 64]),
        ("r = n", [&n, s].concat()),
        ("s = n", [r, &n].concat()),
        ("DER", der),
        ("cut", signature[..63].to_vec()),
        ("padded", [&[0], &signature[..]].concat()),
        ("empty", Vec::new()),
    ];
    for (what, signature) in rows {
        assert!(refused(verify(Algorithm::Es256, &signature)), "{what}");
    }
    for other in Algorithm::ALL.iter().filter(|other| !matches!(other, Algorithm::Es256 | Algorithm::Esp256)) {
        assert!(refused(verify(*other, &signature)), "{other:?}");
        assert!(refused(mac(as_it_is(&signer), *other, &message, &signature)), "a public key as a MAC key: {other:?}");
    }
}

/// Any hash of ECDSA goes with any NIST curve, each by its own name and at the curve's width (RFC 9053 §2.1, RFC 5753 §7);
/// whether a format allows the mix is the guard's. A signature of one hash is none of another.
#[test]
fn ecdsa_takes_any_hash_on_any_nist_curve() {
    use p256::ecdsa::signature::hazmat::PrehashSigner;
    use sha2::Digest;
    let signing = p256::ecdsa::SigningKey::from_slice(&base64(P256_D)).unwrap();
    let sign = |digest: &[u8]| -> Vec<u8> {
        let signature: p256::ecdsa::Signature = signing.sign_prehash(digest).unwrap();
        signature.to_bytes().to_vec()
    };
    let rows = [
        (Algorithm::Es256, sign(&sha2::Sha256::digest(CONTENT))),
        (Algorithm::Es384, sign(&sha2::Sha384::digest(CONTENT))),
        (Algorithm::Es512, sign(&sha2::Sha512::digest(CONTENT))),
    ];
    let keystore = offline(&format!(r#"{{{P256},"paperknife":{{"kid_hex":"01"}}}}"#));
    let key = key(&keystore, "01");
    for (algorithm, signature) in &rows {
        assert!(verify(&key, *algorithm, CONTENT, signature).is_ok(), "{algorithm:?}");
        for other in Algorithm::ALL.iter().filter(|other| *other != algorithm) {
            let same = [*algorithm, *other] == [Algorithm::Es256, Algorithm::Esp256];
            assert_eq!(refused(verify(&key, *other, CONTENT, signature)), !same, "{algorithm:?} as {other:?}");
        }
        let longer = [&[0][..], &signature[..32], &[0], &signature[32..]].concat();
        assert!(refused(verify(&key, *algorithm, CONTENT, &longer)), "a zero before r and s");
        assert!(refused(verify(&key, *algorithm, CONTENT, &[0; 64])), "r = s = 0");
    }
}
