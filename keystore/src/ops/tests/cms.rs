//! What CMS alone needs: the examples of its RFCs, OpenSSL's messages where the strongroom has the last word, and second
//! implementations. Each row has an untouched twin.

use std::path::PathBuf;

use aes_gcm::aead::KeyInit;
use base64ct::{Base64UrlUnpadded, Encoding};

use super::{Held, as_it_is, refused};
use crate::fixture::{bytes, key, offline};
use crate::key::{Algorithm, KeyRef};
use crate::ops::{kdf, unwrap};
use crate::recipe::{Hash, Info, Management, Nonce, Recipe, Start, Step, Under};
use crate::{Defaults, ImportOptions, Keystore};

fn hex(spaced: &str) -> Vec<u8> {
    bytes(&spaced.replace(' ', ""))
}

/// A keystore with one symmetric key, kid 01, of these algorithms.
fn oct(k: &[u8], algs: &str) -> Keystore {
    let k = Base64UrlUnpadded::encode_string(k);
    offline(&format!(r#"{{"kty":"oct","k":"{k}","paperknife":{{"kid_hex":"01","algs":[{algs}]}}}}"#))
}

#[test]
fn triple_des_unwraps_rfc_3217() {
    let cek = hex("2923 bf85 e06d d6ae 5291 49f1 f1ba e9ea b3a7 da3d 860d 3e98");
    let kek = hex("255e 0d1c 07b6 46df b313 4cc8 43ba 8aa7 1f02 5b7c 0838 251f");
    let wrapped =
        hex("6901 0761 8ef0 92b3 b48c a179 6b23 4ae9 fa33 ebb4 1596 0403 7db5 d6a8 4eb3 aac2 768c 6327 75a4 67d4");
    assert_eq!(*unwrap::unwrap_des(&kek, &wrapped).unwrap(), cek);
    for at in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[at] ^= 1;
        assert!(unwrap::unwrap_des(&kek, &altered).is_none(), "byte {at}");
    }
    for length in 0..wrapped.len() {
        assert!(unwrap::unwrap_des(&kek, &wrapped[..length]).is_none(), "cut to {length}");
    }
    assert!(unwrap::unwrap_des(&kek[..16], &wrapped).is_none(), "a KEK of another length");
}

#[test]
fn passwords_unwrap_rfc_3211() {
    let password = b"All n-entities must communicate with other n-entities via n-1 entiteeheehees";
    let kek = kdf::password(Hash::Sha1, password, &hex("12 34 56 78 78 56 34 12"), 500, 24).unwrap();
    assert_eq!(*kek, hex("6A8970BF68C92CAEA84A8DF28510858607126380CC47AB2D"));
    let cek = hex("8C637D887223A2F965B566EB014B0FA5D52300A3F7EA40FFFC577203C71BAF3B");
    let wrapped = hex("C03C514ABDB9E2C5AAC038572B5E24553876B377AAFB82ECA5A9D73F8AB143D9EC74E6CAD7DB260C");
    let iv = hex("BAF1CA7931213C4E");
    let run = |wrapped: &[u8], length| unwrap::unwrap_password(Algorithm::Des3Cbc, &kek, &iv, wrapped, length);
    assert_eq!(*run(&wrapped, 32).unwrap(), cek);
    for length in (0..64).filter(|length| *length != 32) {
        assert!(run(&wrapped, length).is_none(), "a key of {length}");
    }
    for length in 0..wrapped.len() {
        assert!(run(&wrapped[..length], 32).is_none(), "cut to {length}");
    }
}

#[test]
fn x963_derives_what_nist_says() {
    let z = hex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08");
    assert_eq!(*kdf::x963(Hash::Sha256, &z, &[], 16).unwrap(), hex("443024c3dae66b95e6f5670601558f71"));
    // By a second implementation, beyond one hash.
    use sha2::Digest;
    for (hash, length) in [(Hash::Sha224, 24), (Hash::Sha256, 33), (Hash::Sha384, 64), (Hash::Sha512, 64)] {
        let block = |counter: u32| -> Vec<u8> {
            let input = [&z[..], &counter.to_be_bytes(), b"info"].concat();
            match hash {
                Hash::Sha224 => sha2::Sha224::digest(input).to_vec(),
                Hash::Sha256 => sha2::Sha256::digest(input).to_vec(),
                Hash::Sha384 => sha2::Sha384::digest(input).to_vec(),
                _ => sha2::Sha512::digest(input).to_vec(),
            }
        };
        let expected = [block(1), block(2), block(3)].concat();
        assert_eq!(*kdf::x963(hash, &z, b"info", length).unwrap(), expected[..length], "{hash:?}");
    }
    assert!(kdf::x963(Hash::Sha256, &z, &[], 65).is_none(), "longer than any key");
}

#[test]
fn cek_hkdf_derives_rfc_9709() {
    let cek = hex("c702e7d0a9e064b09ba55245fb733cf3");
    let rows = [
        ("301b0609608648016503040106300e040c5c79058ba2f43447639d29e2", "2124ffb29fac4e0fbbc7d5d87492bff3"),
        ("301d06096086480165030401020410651f722ffd512c52fe072e507d72b377", "9cd102c52f1e19ece8729b35bfeceb50"),
    ];
    for (info, expected) in rows {
        assert_eq!(*kdf::content_bound(&cek, &hex(info)).unwrap(), hex(expected), "{info}");
    }
}

/// RFC 9709's key is made of one that was wrapped, and of nothing of another length.
#[test]
fn cek_hkdf_follows_a_key_wrap() {
    let keystore = oct(&[0x11; 15].iter().copied().chain([0]).collect::<Vec<_>>(), r#""A128KW""#);
    let key = key(&keystore, "01");
    let kek = [&[0x11; 15][..], &[0]].concat();
    let (cek, mut wrapped) = ([0x5a; 16], [0; 24]);
    aes_kw::KwAes128::new_from_slice(&kek).unwrap().wrap_key(&cek, &mut wrapped).unwrap();
    let bound = kdf::content_bound(&cek, b"info").unwrap();
    let sealed = gcm(&bound);
    let run = |info: &[u8], twice: bool, algorithm| {
        let (wrap, bind) = (Step::Unwrap { algorithm: Algorithm::A128Kw, wrapped: &wrapped }, Step::CekHkdf { info });
        let steps = if twice { vec![wrap, bind, bind] } else { vec![wrap, bind] };
        let management = Management { steps: &steps, ..as_it_is(&key) };
        super::super::run(&Recipe::Decrypt {
            management,
            algorithm,
            nonce: Nonce::Full(&[0; 12]),
            aads: &[b""],
            ciphertext: &sealed,
        })
    };
    assert_eq!(run(b"info", false, Algorithm::A128Gcm).unwrap().0, b"content");
    assert!(refused(run(b"other", false, Algorithm::A128Gcm)));
    assert!(refused(run(b"info", true, Algorithm::A128Gcm)));
    assert!(refused(run(b"info", false, Algorithm::A256Gcm)), "a CEK of another length");
}

fn gcm(key: &[u8]) -> Vec<u8> {
    use aes_gcm::aead::Aead;
    aes_gcm::Aes128Gcm::new_from_slice(key).unwrap().encrypt(&[0; 12].into(), &b"content"[..]).unwrap()
}

/// The encrypted key, the IV and the ciphertext of one of OpenSSL's EnvelopedData with RSA and AES-128-CBC: all that the
/// test needs of CMS, found by the bytes before them.
struct Enveloped {
    key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
}

fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/openssl-cms");
    if folder.exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no vectors at {}", folder.display());
    None
}

impl Enveloped {
    fn read(path: PathBuf) -> Self {
        let der = std::fs::read(path).unwrap();
        // rsaEncryption with NULL, then an OCTET STRING; aes128-CBC with its IV, then [0].
        let key = Self::value(Self::after(&der, "06092a864886f70d010101 0500 04"));
        let (iv, content) = Self::after(&der, "0609608648016503040102 0410").split_at(16);
        assert_eq!(content[0], 0x80, "no content");
        Self { key: key.to_vec(), iv: iv.to_vec(), ciphertext: Self::value(&content[1..]).to_vec() }
    }

    /// What a length is before.
    fn value(der: &[u8]) -> &[u8] {
        match der {
            [0x81, length, rest @ ..] => &rest[..usize::from(*length)],
            [0x82, high, low, rest @ ..] => &rest[..usize::from(u16::from_be_bytes([*high, *low]))],
            [length, rest @ ..] => &rest[..usize::from(*length)],
            [] => panic!("no length"),
        }
    }

    fn after<'a>(der: &'a [u8], marker: &str) -> &'a [u8] {
        let marker = hex(marker);
        let at = der.windows(marker.len()).position(|window| window == marker).unwrap();
        &der[at + marker.len()..]
    }

    fn open(&self, key: &KeyRef) -> Held {
        let start = Start::TransportV15 { key, ciphertext: &self.key, length: 16 };
        super::super::run(&Recipe::DecryptUnauthenticated {
            under: Under::Departure,
            management: Management { start, steps: &[] },
            algorithm: Algorithm::A128Cbc,
            iv: &self.iv,
            ciphertext: &self.ciphertext,
        })
    }
}

fn rsa_key(folder: &std::path::Path, alg: &str) -> (Keystore, KeyRef) {
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let file = std::fs::read(folder.join("keys/rcp-rsa.key.pem")).unwrap();
    let options = ImportOptions { kid: Some(vec![1]), algs: vec![alg.to_owned()], ..ImportOptions::default() };
    keystore.import(&file, &options).unwrap();
    let key = key(&keystore, "01");
    (keystore, key)
}

/// What padding, separator or length is wrong is never said: another key takes the place of the one that was carried, and
/// the content does not open. With CBC it would by chance, one time in 256: the derivation is such that none of these does.
#[test]
fn implicit_rejection_opens_none_of_the_oracle_s_questions() {
    let Some(folder) = vectors() else { return };
    let (_keystore, key) = rsa_key(&folder, "RSA1_5");
    let honest = Enveloped::read(folder.join("open/env-rsa-pkcs1-aes128cbc.der"));
    let (content, proof) = honest.open(&key).unwrap();
    assert_eq!(content, std::fs::read(folder.join("content/senml.json")).unwrap());
    assert!(!proof.proves_sender());
    let mut asked = 0;
    for entry in std::fs::read_dir(folder.join("refuse")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("env-bb-") || name.starts_with("env-rsa-") {
            assert!(refused(Enveloped::read(path).open(&key)), "{name}");
            asked += 1;
        }
    }
    assert_eq!(asked, 12);
    let (_keystore, oaep) = rsa_key(&folder, "RSA-OAEP-256");
    assert!(refused(honest.open(&oaep)), "a key of another algorithm");
}

/// The replacing key is always the same for a ciphertext, another for each, and another for each key.
#[test]
fn a_rejected_key_is_pseudo_random() {
    let Some(folder) = vectors() else { return };
    let (_keystore, key) = rsa_key(&folder, "RSA1_5");
    let crate::ops::Material::Transport(private) = &key.0.material else { panic!("no transport key") };
    let honest = Enveloped::read(folder.join("open/env-rsa-pkcs1-aes128cbc.der")).key;
    let carried = private.decrypt_v15(&honest, 16).unwrap();
    let other = |length| private.decrypt_v15(&honest, length).unwrap();
    assert_ne!(other(24)[..16], carried[..], "a CEK of another length is replaced too");
    assert_eq!(other(24), other(24));
    assert_eq!(other(32).len(), 32);
    let mut changed = honest.clone();
    changed[100] ^= 1;
    let replaced = private.decrypt_v15(&changed, 16).unwrap();
    assert_eq!(replaced, private.decrypt_v15(&changed, 16).unwrap());
    assert!(replaced != carried && replaced.iter().any(|byte| *byte != 0));
    assert!(private.decrypt_v15(&honest[1..], 16).is_none(), "its length is everybody's to see");
}

#[test]
fn oaep_takes_labels_and_its_own_hash() {
    use aws_lc_rs::rsa::{OAEP_SHA384_MGF1SHA384, OaepPublicEncryptingKey, PrivateDecryptingKey};
    let Some(folder) = vectors() else { return };
    let (_keystore, key) = rsa_key(&folder, "RSA-OAEP-384");
    let pem = std::fs::read_to_string(folder.join("keys/rcp-rsa.key.pem")).unwrap();
    let (_, der) = p256::pkcs8::Document::from_pem(&pem).unwrap();
    let public = PrivateDecryptingKey::from_pkcs8(der.as_bytes()).unwrap().public_key();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut out = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA384_MGF1SHA384, &[0x5a; 16], &mut out, Some(b"gateway1")).unwrap();
    let sealed = gcm(&[0x5a; 16]);
    let run = |algorithm, label: &[u8]| {
        let start = Start::Transport { key: &key, algorithm, label, ciphertext: &out };
        super::super::run(&Recipe::Decrypt {
            management: Management { start, steps: &[] },
            algorithm: Algorithm::A128Gcm,
            nonce: Nonce::Full(&[0; 12]),
            aads: &[b""],
            ciphertext: &sealed,
        })
    };
    assert_eq!(run(Algorithm::RsaOaepSha384, b"gateway1").unwrap().0, b"content");
    assert!(refused(run(Algorithm::RsaOaepSha384, b"")));
    assert!(refused(run(Algorithm::RsaOaepSha384, b"gateway2")));
    assert!(refused(run(Algorithm::RsaOaepSha256, b"gateway1")));
}

/// Triple DES and AES in CBC mode by second implementations: only where it is said why.
#[test]
fn triple_des_opens_under_a_departure() {
    use des::cipher::{Array, BlockCipherEncrypt};
    let k: Vec<u8> = (1..=24).collect();
    let keystore = oct(&k, r#""DES-EDE3-CBC""#);
    let key = key(&keystore, "01");
    let cipher = des::TdesEde3::new_from_slice(&k).unwrap();
    let (mut before, mut sealed) = ([7; 8], Vec::new());
    for block in b"content of a message\x04\x04\x04\x04".chunks(8) {
        let mut block: [u8; 8] = std::array::from_fn(|at| block[at] ^ before[at]);
        cipher.encrypt_block(Array::cast_from_core_mut(&mut block));
        sealed.extend_from_slice(&block);
        before = block;
    }
    let run = |iv: &[u8], ciphertext: &[u8]| {
        super::super::run(&Recipe::DecryptUnauthenticated {
            under: Under::Departure,
            management: as_it_is(&key),
            algorithm: Algorithm::Des3Cbc,
            iv,
            ciphertext,
        })
    };
    let (content, proof) = run(&[7; 8], &sealed).unwrap();
    assert_eq!(content, b"content of a message");
    assert!(!proof.proves_sender());
    assert!(refused(run(&[7; 16], &sealed)) && refused(run(&[7; 8], &sealed[..20])) && refused(run(&[7; 8], &[])));
}

/// A salt of any length that the modulus has room for, and of no other than the one that was made.
#[test]
fn pss_takes_the_salt_that_it_is_told() {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{KeyPair, RSA_PSS_SHA256, RsaKeyPair, RsaPssSaltLength};
    let Some(folder) = vectors() else { return };
    let pem = std::fs::read_to_string(folder.join("keys/rcp-rsa.key.pem")).unwrap();
    let (_, der) = p256::pkcs8::Document::from_pem(&pem).unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).unwrap();
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let options = ImportOptions { kid: Some(vec![1]), ..ImportOptions::default() };
    keystore.import(pair.public_key().as_der().unwrap().as_ref(), &options).unwrap();
    let key = key(&keystore, "01");
    let sign = |encoding: &'static _| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), b"message", &mut signature).unwrap();
        signature
    };
    let rows = [
        (32, sign(&RSA_PSS_SHA256)),
        (0, sign(&const { RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0)) })),
        (222, sign(&const { RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(222)) })),
    ];
    let run = |algorithm, mgf, salt, signature: &[u8]| {
        let messages: &[&[u8]] = &[b"another trial", b"message"];
        super::super::run(&Recipe::VerifyPss { key: &key, algorithm, mgf, salt, messages, signature })
    };
    for (salt, signature) in &rows {
        assert_eq!(run(Algorithm::Ps256, Hash::Sha256, *salt, signature).unwrap().1.trial(), 1, "{salt}");
        for wrong in [0, 20, 31, 32, 33, 222, 223, usize::MAX].iter().filter(|wrong| *wrong != salt) {
            assert!(refused(run(Algorithm::Ps256, Hash::Sha256, *wrong, signature)), "{salt} taken for {wrong}");
        }
        assert!(refused(run(Algorithm::Ps384, Hash::Sha384, *salt, signature)));
        assert!(refused(run(Algorithm::Ps256, Hash::Sha512, *salt, signature)));
        assert!(refused(run(Algorithm::Rs256, Hash::Sha256, *salt, signature)));
        assert!(refused(run(Algorithm::Ps256, Hash::Sha256, *salt, &signature[1..])));
    }
}

/// PrivateKeyInfo of an ML-KEM key as RFC 9935 §6 writes it: `expanded` alone, or behind a seed.
fn kem_pkcs8(arc: u8, expanded: &[u8], seed: Option<&[u8]>) -> Vec<u8> {
    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, value].concat()
    }
    let octets = |bytes: &[u8]| tlv(4, bytes);
    let key = match seed {
        Some(seed) => tlv(0x30, &[&[4, seed.len() as u8][..], seed, &octets(expanded)].concat()),
        None => octets(expanded),
    };
    let algorithm = [&hex("300b06096086480165030404")[..], &[arc]].concat();
    tlv(0x30, &[&hex("020100")[..], &algorithm, &octets(&key)].concat())
}

/// RFC 9629: what was encapsulated to our key derives the KEK; what was changed derives another.
#[test]
fn ml_kem_opens_what_was_encapsulated_to_us() {
    use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
    let rows = [
        (1, &ML_KEM_512, Algorithm::MlKem512),
        (2, &ML_KEM_768, Algorithm::MlKem768),
        (3, &ML_KEM_1024, Algorithm::MlKem1024),
    ];
    for (arc, set, algorithm) in rows {
        let private = DecapsulationKey::generate(set).unwrap();
        let expanded = private.key_bytes().unwrap();
        let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
        let options = ImportOptions { kid: Some(vec![1]), ..ImportOptions::default() };
        keystore.import(&kem_pkcs8(arc, expanded.as_ref(), None), &options).unwrap();
        let key = key(&keystore, "01");
        assert_eq!((key.policy.algs.as_slice(), key.private), (&[algorithm][..], true));

        let (ciphertext, secret) = private.encapsulation_key().unwrap().encapsulate().unwrap();
        let kek = kdf::hkdf(Hash::Sha256, None, secret.as_ref(), &[b"info"], 16).unwrap();
        let (cek, mut wrapped) = ([0x5a; 16], [0; 24]);
        aes_kw::KwAes128::new_from_slice(&kek).unwrap().wrap_key(&cek, &mut wrapped).unwrap();
        let (sealed, info) = (gcm(&cek), Info::public(b"info"));
        let derivation = Step::Hkdf { hash: Hash::Sha256, salt: None, info, length: 16 };
        let unwrap = Step::Unwrap { algorithm: Algorithm::A128Kw, wrapped: &wrapped };
        let run = |algorithm, ciphertext: &[u8], steps: &[Step<'_>]| {
            let start = Start::Decapsulate { key: &key, algorithm, ciphertext };
            super::super::run(&Recipe::Decrypt {
                management: Management { start, steps },
                algorithm: Algorithm::A128Gcm,
                nonce: Nonce::Full(&[0; 12]),
                aads: &[b""],
                ciphertext: &sealed,
            })
        };
        let steps = [derivation, unwrap];
        let (content, proof) = run(algorithm, ciphertext.as_ref(), &steps).unwrap();
        assert_eq!(content, b"content");
        assert!(!proof.proves_sender(), "anybody can seal to a public key");
        let mut changed = ciphertext.as_ref().to_vec();
        changed[7] ^= 1;
        assert!(refused(run(algorithm, &changed, &steps)));
        assert!(refused(run(algorithm, &changed[1..], &steps)));
        assert!(refused(run(algorithm, ciphertext.as_ref(), &[derivation])), "no key wrap");
        assert!(refused(run(algorithm, ciphertext.as_ref(), &[unwrap])), "no derivation");
        for (_, _, other) in rows.iter().filter(|row| row.2 != algorithm) {
            assert!(refused(run(*other, ciphertext.as_ref(), &steps)));
        }
    }
}

#[test]
fn ml_kem_keys_are_sound_recorded_and_published() {
    use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768};
    let private = DecapsulationKey::generate(&ML_KEM_768).unwrap();
    let expanded = private.key_bytes().unwrap().as_ref().to_vec();
    let options = ImportOptions { kid: Some(vec![1]), algs: vec!["ML-KEM-768".to_owned()], ..ImportOptions::default() };
    let (_folder, keystore) = crate::fixture::on_disk();
    keystore.import(&kem_pkcs8(2, &expanded, None), &options).unwrap();
    assert_eq!(key(&keystore, "01").policy.algs, [Algorithm::MlKem768], "read back");
    let published = serde_json::to_value(keystore.public_keys("default").unwrap()).unwrap();
    let jwk = published["keys"].as_array().unwrap().iter().find(|key| key["kty"] == "AKP").unwrap().clone();
    let public = private.encapsulation_key().unwrap().key_bytes().unwrap();
    assert_eq!(jwk["alg"], "ML-KEM-768");
    assert_eq!(jwk["pub"], Base64UrlUnpadded::encode_string(public.as_ref()));
    assert!(jwk.get("priv").is_none());

    // The hash of the public key, a byte of the private one, another set, a seed of another key.
    let (mut hash, mut secret) = (expanded.clone(), expanded.clone());
    hash[2_400 - 64] ^= 1;
    secret[100] ^= 1;
    let seeded = kem_pkcs8(2, &expanded, Some(&[7; 64]));
    let files = [kem_pkcs8(2, &hash, None), kem_pkcs8(2, &secret, None), kem_pkcs8(3, &expanded, None), seeded];
    for (row, file) in files.iter().enumerate() {
        assert!(keystore.import(file, &options).is_err(), "row {row}");
    }

    // A seed alone, and with what it expands to; one private key, so that the second is known already.
    let seed = [&hex("3054020100300b0609608648016503040402 0442 8040")[..], &[7; 64]].concat();
    let whole = crate::private_key::Kem::of_seed(Algorithm::MlKem768, &[7; 64]).unwrap().private;
    let (_folder, keystore) = crate::fixture::on_disk();
    assert!(!keystore.import(&seed, &options).unwrap()[0].updated);
    assert!(keystore.import(&kem_pkcs8(2, &whole, Some(&[7; 64])), &options).unwrap()[0].updated);
    assert!(keystore.import(&seed[..seed.len() - 1], &options).is_err());
}
