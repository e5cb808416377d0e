//! What JOSE alone needs: the examples of RFC 7518's appendices, Wycheproof's `json_web_key`, second implementations, and
//! the strongroom's rows of the attack list (J11–J14, J16, J18, J20). Each row has an untouched twin.

use aes_gcm::aead::{AeadInOut, KeyInit};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;

use super::{Held, as_it_is, refused, verify};
use crate::fixture::{bytes, defaults, key, offline};
use crate::key::{Algorithm, KeyRef, Kty, Name};
use crate::recipe::{EcY, Hash, Management, Nonce, Peer, Point, Recipe, Start, Step};
use crate::{ImportOptions, Keystore};

const PLAIN: &[u8] =
    b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy \
      without inconvenience";
const AAD: &[u8] = b"The second principle of Auguste Kerckhoffs";
const IV: &str = "1af38c2dc2b96ffdd86694092341bc04";
/// RFC 7518 B.1: E and T.
const B1: &str = "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2\
                  fc6f9b3f399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b\
                  384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db\
                  652c3fa36b0a7c5b3219fab3a30bc1c4";

const CBC: [Algorithm; 3] = [Algorithm::A128CbcHs256, Algorithm::A192CbcHs384, Algorithm::A256CbcHs512];

fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// 0, 1, 2 …
fn counted(length: usize) -> Vec<u8> {
    (0..length).map(|byte| byte as u8).collect()
}

/// A keystore with one symmetric key, kid 01.
fn oct(k: &[u8], alg: &str) -> Keystore {
    offline(&format!(r#"{{"kty":"oct","k":"{}","alg":"{alg}","paperknife":{{"kid_hex":"01"}}}}"#, base64url(k)))
}

fn open(key: &KeyRef, algorithm: Algorithm, iv: &[u8], aad: &[u8], sealed: &[u8]) -> Held {
    let aads: &[&[u8]] = &[b"another trial", aad];
    decrypt(as_it_is(key), algorithm, iv, aads, sealed)
}

fn decrypt(management: Management<'_>, algorithm: Algorithm, iv: &[u8], aads: &[&[u8]], sealed: &[u8]) -> Held {
    super::super::run(&Recipe::Decrypt { management, algorithm, nonce: Nonce::Full(iv), aads, ciphertext: sealed })
}

/// AES-CBC with HMAC by a second way: sha2 by hand and `aes` block by block. `padding` are the bytes after the cleartext.
fn seal_cbc(algorithm: Algorithm, key: &[u8], plain: &[u8], padding: &[u8]) -> Vec<u8> {
    use aes::cipher::{Array, BlockCipherEncrypt};
    let (mac, enc) = key.split_at(key.len() / 2);
    let mut before = bytes(IV);
    let mut sealed = Vec::new();
    for block in [plain, padding].concat().chunks(16) {
        let mut block: Vec<u8> = block.iter().zip(&before).map(|(byte, before)| byte ^ before).collect();
        let array = <&mut Array<u8, _>>::try_from(block.as_mut_slice()).unwrap();
        match enc.len() {
            16 => aes::Aes128::new_from_slice(enc).unwrap().encrypt_block(array),
            24 => aes::Aes192::new_from_slice(enc).unwrap().encrypt_block(array),
            _ => aes::Aes256::new_from_slice(enc).unwrap().encrypt_block(array),
        }
        sealed.extend_from_slice(&block);
        before = block;
    }
    let al = (AAD.len() as u64 * 8).to_be_bytes();
    let covered = [AAD, &bytes(IV), &sealed, &al].concat();
    let tag = match algorithm {
        Algorithm::A128CbcHs256 => hmac::<sha2::Sha256>(64, mac, &covered),
        Algorithm::A192CbcHs384 => hmac::<sha2::Sha384>(128, mac, &covered),
        _ => hmac::<sha2::Sha512>(128, mac, &covered),
    };
    [&sealed, &tag[..tag.len() / 2]].concat()
}

fn hmac<D: sha2::Digest>(block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> {
        key.iter().copied().chain(std::iter::repeat(0)).take(block).map(|byte| byte ^ with).collect()
    };
    let inner = D::digest([&pad(0x36)[..], message].concat());
    D::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
}

fn padding(plain: &[u8]) -> Vec<u8> {
    let pad = 16 - plain.len() % 16;
    vec![pad as u8; pad]
}

#[test]
fn aes_cbc_hmac_opens_rfc_7518_appendix_b() {
    let keystore = oct(&counted(32), "A128CBC-HS256");
    let (cleartext, proof) = open(&key(&keystore, "01"), Algorithm::A128CbcHs256, &bytes(IV), AAD, &bytes(B1)).unwrap();
    assert_eq!((cleartext.as_slice(), proof.trial()), (PLAIN, 1));
    assert!(proof.proves_sender());
    assert_eq!(seal_cbc(Algorithm::A128CbcHs256, &counted(32), PLAIN, &padding(PLAIN)), bytes(B1));
}

#[test]
fn aes_cbc_hmac_equals_another_implementation() {
    for algorithm in CBC {
        let k = counted(algorithm.content().unwrap().key);
        let keystore = oct(&k, algorithm.name());
        for length in [0, 1, 15, 16, 17, 100] {
            let plain = &PLAIN[..length];
            let sealed = seal_cbc(algorithm, &k, plain, &padding(plain));
            let opened = open(&key(&keystore, "01"), algorithm, &bytes(IV), AAD, &sealed);
            assert_eq!(opened.unwrap().0, plain, "{algorithm:?} {length}");
        }
    }
}

#[test]
fn j11_j13_what_is_not_as_it_was_sealed_is_one_refusal() {
    for algorithm in CBC {
        let k = counted(algorithm.content().unwrap().key);
        let keystore = oct(&k, algorithm.name());
        let key = key(&keystore, "01");
        let refuses = |iv: &[u8], aad: &[u8], sealed: &[u8]| refused(open(&key, algorithm, iv, aad, sealed));
        let (iv, sealed) = (bytes(IV), seal_cbc(algorithm, &k, PLAIN, &padding(PLAIN)));
        assert!(!refuses(&iv, AAD, &sealed), "the untouched twin");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(refuses(&iv, AAD, &altered), "{algorithm:?}: byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(refuses(&iv, AAD, &sealed[..length]), "{algorithm:?}: cut to {length}");
        }
        assert!(refuses(&iv[..8], AAD, &sealed) && refuses(&iv[..12], AAD, &sealed) && refuses(&[], AAD, &sealed));
        assert!(refuses(&iv, &AAD[1..], &sealed), "another AAD");
        // The tag is right and the padding is not.
        let tail = |pad: &[u8]| seal_cbc(algorithm, &k, &PLAIN[..16], pad);
        for pad in [[0; 16], [17; 16], [[1; 15].as_slice(), &[2]].concat().try_into().unwrap()] {
            assert!(refuses(&iv, AAD, &tail(&pad)), "{algorithm:?}: padding {pad:?}");
        }
        assert!(refuses(&iv, AAD, &seal_cbc(algorithm, &k, &[], &[])), "no block at all");
    }
}

// RFC 7518 C.
const BOB: &str = r#""kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw""#;
const ALICE_X: &str = "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0";
const ALICE_Y: &str = "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps";
const DERIVED: &str = "VqqN6vgjbSBcIijNcacQGg";

fn base64(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

/// AES-GCM with a zero nonce and no additional data, by `aes-gcm`.
fn seal_gcm(key: &[u8], plain: &[u8]) -> Vec<u8> {
    let (nonce, mut sealed) = ([0; 12], plain.to_vec());
    let buffer = sealed.as_mut_slice();
    let tag = match key.len() {
        16 => {
            aes_gcm::Aes128Gcm::new_from_slice(key).unwrap().encrypt_inout_detached(&nonce.into(), &[], buffer.into())
        }
        _ => aes_gcm::Aes256Gcm::new_from_slice(key).unwrap().encrypt_inout_detached(&nonce.into(), &[], buffer.into()),
    };
    [sealed, tag.unwrap().to_vec()].concat()
}

fn agree<'a>(key: &'a KeyRef, algorithm: Algorithm, x: &'a [u8], y: &'a [u8]) -> Start<'a> {
    let peer = Peer::Point(Point { kty: Kty::Ec2P256, x, y: Some(EcY::Full(y)) });
    Start::Agree { key, algorithm, peer }
}

#[test]
fn concat_derives_rfc_7518_appendix_c() {
    let keystore = offline(&format!(r#"{{{BOB},"alg":"ECDH-ES","paperknife":{{"kid_hex":"01"}}}}"#));
    let key = key(&keystore, "01");
    let (x, y) = (base64(ALICE_X), base64(ALICE_Y));
    let sealed = seal_gcm(&base64(DERIVED), b"content");
    let run = |algorithm, id: &str, apu: &[u8], apv: &[u8], length: usize| {
        let steps = [Step::Concat { algorithm_id: id, apu, apv, length }];
        let management = Management { start: agree(&key, algorithm, &x, &y), steps: &steps };
        decrypt(management, Algorithm::A128Gcm, &[0; 12], &[b""], &sealed)
    };
    let (content, proof) = run(Algorithm::EcdhEs, "A128GCM", b"Alice", b"Bob", 16).unwrap();
    assert_eq!(content, b"content");
    assert!(!proof.proves_sender(), "anybody can seal to a public key");
    // J16: what the derivation is bound to.
    assert!(refused(run(Algorithm::EcdhEs, "A128GCM", b"Bob", b"Alice", 16)));
    assert!(refused(run(Algorithm::EcdhEs, "A128GCM", b"", b"Bob", 16)));
    assert!(refused(run(Algorithm::EcdhEs, "A256GCM", b"Alice", b"Bob", 16)));
    assert!(refused(run(Algorithm::EcdhEs, "A128GCM", b"Alice", b"Bob", 32)));
    assert!(refused(run(Algorithm::EcdhEs, "A128GCM", b"Alice", b"Bob", usize::MAX)));
    assert!(refused(run(Algorithm::EcdhEsA128Kw, "A128GCM", b"Alice", b"Bob", 16)), "another algorithm of its family");
}

#[test]
fn concat_then_key_wrap_opens() {
    use aes_kw::KwAes192;
    let keystore = offline(&format!(r#"{{{BOB},"alg":"ECDH-ES+A192KW","paperknife":{{"kid_hex":"01"}}}}"#));
    let key = key(&keystore, "01");
    let (x, y) = (base64(ALICE_X), base64(ALICE_Y));
    let z = bytes("9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4");
    let kek = crate::ops::kdf::concat(&z, "ECDH-ES+A192KW", b"", b"", 24).unwrap();
    let (cek, mut wrapped) = (counted(32), [0; 40]);
    KwAes192::new_from_slice(&kek).unwrap().wrap_key(&cek, &mut wrapped).unwrap();
    let sealed = seal_gcm(&cek, b"content");
    let run = |wrapped: &[u8], wrap, length| {
        let concat = Step::Concat { algorithm_id: "ECDH-ES+A192KW", apu: b"", apv: b"", length };
        let steps = [concat, Step::Unwrap { algorithm: wrap, wrapped }];
        let management = Management { start: agree(&key, Algorithm::EcdhEsA192Kw, &x, &y), steps: &steps };
        decrypt(management, Algorithm::A256Gcm, &[0; 12], &[b""], &sealed)
    };
    assert_eq!(run(&wrapped, Algorithm::A192Kw, 24).unwrap().0, b"content");
    // J12, J16.
    for length in (0..40).filter(|length| *length != 40) {
        assert!(refused(run(&wrapped[..length], Algorithm::A192Kw, 24)), "encrypted key of {length}");
    }
    assert!(refused(run(&wrapped, Algorithm::A256Kw, 32)), "another KEK");
    assert!(refused(run(&wrapped, Algorithm::A192Kw, 16)), "a KEK of another length");
    assert!(refused(run(&[&wrapped[..], &[0; 8]].concat(), Algorithm::A192Kw, 24)), "a longer encrypted key");
}

#[test]
fn gcm_key_wrap_opens_with_its_own_sizes_alone() {
    for (algorithm, kek) in [(Algorithm::A128GcmKw, counted(16)), (Algorithm::A256GcmKw, counted(32))] {
        let keystore = oct(&kek, algorithm.name());
        let key = key(&keystore, "01");
        let cek = [0x5a; 16];
        let sealed_cek = seal_gcm(&kek, &cek);
        let (wrapped, tag) = sealed_cek.split_at(16);
        let sealed = seal_gcm(&cek, b"content");
        let run = |algorithm, iv: &[u8], tag: &[u8], wrapped: &[u8]| {
            let steps = [Step::GcmUnwrap { algorithm, iv, tag, wrapped }];
            let management = Management { steps: &steps, ..as_it_is(&key) };
            decrypt(management, Algorithm::A128Gcm, &[0; 12], &[b""], &sealed)
        };
        let (content, proof) = run(algorithm, &[0; 12], tag, wrapped).unwrap();
        assert_eq!(content, b"content");
        assert!(proof.proves_sender(), "a device's own key");
        for length in 0..16 {
            assert!(refused(run(algorithm, &[0; 12], &tag[..length], wrapped)), "tag of {length}");
            assert!(length == 12 || refused(run(algorithm, &[0; 16][..length], tag, wrapped)), "iv of {length}");
            assert!(refused(run(algorithm, &[0; 12], tag, &wrapped[..length])), "key of {length}");
        }
        let other = if algorithm == Algorithm::A128GcmKw { Algorithm::A256GcmKw } else { Algorithm::A128GcmKw };
        assert!(refused(run(other, &[0; 12], tag, wrapped)));
        assert!(refused(run(Algorithm::A128Kw, &[0; 12], tag, wrapped)), "no GCM key wrap");
    }
}

#[test]
fn passwords_are_stretched_as_rfc_6070_says() {
    let rows = [
        (1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        (2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        (4_096, "4b007901b765489abead49d926f721d065a429c1"),
    ];
    for (iterations, expected) in rows {
        let kek = crate::ops::kdf::password(Hash::Sha1, b"password", b"salt", iterations, 20).unwrap();
        assert_eq!(*kek, bytes(expected), "{iterations}");
    }
    let derive = |iterations, length| crate::ops::kdf::password(Hash::Sha256, b"password", b"salt", iterations, length);
    assert!(derive(1_000_000, 16).is_some() && derive(1_000_001, 16).is_none() && derive(0, 16).is_none());
    assert!(derive(1, 0).is_none() && derive(1, 65).is_none() && derive(1, 1 << 31).is_none(), "J20: caps");
}

#[test]
fn a_password_opens_by_its_own_algorithm_alone() {
    use aes_kw::KwAes256;
    let keystore = oct(b"entrap_o", "PBES2-HS512+A256KW");
    let key = key(&keystore, "01");
    let salt = b"PBES2-HS512+A256KW\0saltsalt";
    let kek = crate::ops::kdf::password(Hash::Sha512, b"entrap_o", salt, 1_000, 32).unwrap();
    let (cek, mut wrapped) = ([0x5a; 16], [0; 24]);
    KwAes256::new_from_slice(&kek).unwrap().wrap_key(&cek, &mut wrapped).unwrap();
    let sealed = seal_gcm(&cek, b"content");
    let run = |hash, salt: &[u8], iterations, length, algorithm| {
        let start = Start::Password { key: &key, hash, salt, iterations, length };
        let steps = [Step::Unwrap { algorithm, wrapped: &wrapped }];
        decrypt(Management { start, steps: &steps }, Algorithm::A128Gcm, &[0; 12], &[b""], &sealed)
    };
    let (content, proof) = run(Hash::Sha512, salt, 1_000, 32, Algorithm::A256Kw).unwrap();
    assert_eq!(content, b"content");
    assert!(proof.proves_sender());
    assert!(refused(run(Hash::Sha512, salt, 999, 32, Algorithm::A256Kw)));
    assert!(refused(run(Hash::Sha512, &salt[1..], 1_000, 32, Algorithm::A256Kw)));
    assert!(refused(run(Hash::Sha256, salt, 1_000, 16, Algorithm::A128Kw)), "another algorithm");
    assert!(refused(run(Hash::Sha512, salt, 1_000, 16, Algorithm::A256Kw)), "a KEK of another length");
    let start = Start::Password { key: &key, hash: Hash::Sha512, salt, iterations: 1, length: 16 };
    let direct = Management { start, steps: &[] };
    assert!(refused(decrypt(direct, Algorithm::A128Gcm, &[0; 12], &[b""], &sealed)), "no key wrap");
    assert!(refused(open(&key, Algorithm::A128Gcm, &[0; 12], b"", &sealed)), "a password is no content key");
}

/// The keys of a group, if all of them load.
fn key_set(group: &Value) -> Option<Keystore> {
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    let set = if group["public"].is_object() { &group["public"] } else { &group["private"] };
    keystore.import(set.to_string().as_bytes(), &ImportOptions::default()).ok().map(|_| keystore)
}

/// The strongroom's half of a JWS reader.
fn opens(keystore: &Keystore, jws: &str) -> bool {
    let parts: Vec<&str> = jws.split('.').collect();
    let [protected, payload, signature] = parts[..] else { return false };
    let Ok(header) = serde_json::from_slice::<Value>(&base64(protected)) else { return false };
    let signed = format!("{protected}.{payload}").into_bytes();
    let signature = base64(signature);
    let kid = header["kid"].as_str().unwrap().as_bytes();
    let keys = keystore.find("default", Some(Name::Kid(kid))).unwrap();
    keys.iter().any(|key| {
        let algorithm = header["alg"].as_str().and_then(|name| Algorithm::from_jose(name, key.kty));
        let Some(algorithm) = algorithm.filter(|algorithm| algorithm.suits_jose(key.kty)) else { return false };
        if algorithm.is_signature() {
            return verify(key, algorithm, &signed, &signature).is_ok();
        }
        let recipe = Recipe::Mac { management: as_it_is(key), algorithm, messages: &[&signed], tag: &signature };
        super::super::run(&recipe).is_ok()
    })
}

/// 1: HS256 and ES256 in one set, under names of their own, is marked invalid, and no danger where a key has one algorithm.
#[test]
fn wycheproof_json_web_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/wycheproof-jose/json_web_key_test.json");
    let Ok(file) = std::fs::read(path) else {
        eprintln!("SKIPPED: no vectors at {path}");
        return;
    };
    let file: Value = serde_json::from_slice(&file).unwrap();
    let mut counts = [0; 2];
    for group in file["testGroups"].as_array().unwrap() {
        let keystore = key_set(group);
        for test in group["tests"].as_array().unwrap() {
            let opened = keystore.as_ref().is_some_and(|keystore| opens(keystore, test["jws"].as_str().unwrap()));
            let expected = test["result"] == "valid" || test["tcId"] == 1;
            assert_eq!(opened, expected, "{} {}", test["tcId"], test["comment"]);
            counts[usize::from(opened)] += 1;
        }
    }
    assert_eq!(counts, [20, 6]);
}

#[test]
fn hs_takes_longer_keys_and_no_shorter_ones() {
    let rows = [
        (Algorithm::Hmac256_256, "HS256", 32, 64),
        (Algorithm::Hmac384_384, "HS384", 48, 128),
        (Algorithm::Hmac512_512, "HS512", 64, 128),
    ];
    for (algorithm, name, hash, block) in rows {
        for length in [hash, hash + 1, block] {
            let k = counted(length);
            let keystore = oct(&k, name);
            let key = key(&keystore, "01");
            let tag = match algorithm {
                Algorithm::Hmac256_256 => hmac::<sha2::Sha256>(block, &k, PLAIN),
                Algorithm::Hmac384_384 => hmac::<sha2::Sha384>(block, &k, PLAIN),
                _ => hmac::<sha2::Sha512>(block, &k, PLAIN),
            };
            let run = |tag: &[u8]| {
                super::super::run(&Recipe::Mac { management: as_it_is(&key), algorithm, messages: &[PLAIN], tag })
            };
            assert!(run(&tag).is_ok(), "{name} {length}");
            assert!(refused(run(&tag[..hash / 2])), "a cut tag");
        }
        let short = format!(r#"{{"kty":"oct","k":"{}","alg":"{name}"}}"#, base64url(&counted(hash - 1)));
        let keystore = Keystore::ephemeral(defaults()).unwrap();
        assert!(keystore.import(short.as_bytes(), &ImportOptions::default()).is_err(), "{name}: short");
    }
}
