//! Project Wycheproof's vectors through the public operations: a key is imported, a recipe runs. `valid` is taken, `invalid`
//! is refused, `acceptable` is decided by [`ACCEPTABLE`]. What COSE does not define is refused too, or skipped by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce as Iv, UnboundKey};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;

use crate::key::{Algorithm, KeyRef, Kty, Name};
use crate::private_key::{Curve, Scalar, X25519};
use crate::recipe::{EcY, Hash, Info, Management, Nonce, Peer, Point, Recipe, Start, Step};
use crate::{Defaults, ImportOptions, Keystore};

/// What is made of `acceptable`, by file and flag; the first row that fits decides.
const ACCEPTABLE: &[(&str, &str, Outcome)] = &[
    // A wrapped key of 64 bits is shorter than RFC 3394 §2 allows, and no key of any algorithm here.
    ("aes_wrap", "ShortKey", Refused),
    // A compressed point is a form of its own in COSE (RFC 9053 §7.1.1).
    ("ecdh", "CompressedPoint", Taken),
    // RFC 7748 §6.1 lets one refuse the all-zero secret; we do.
    ("x25519", "ZeroSharedSecret", Refused),
    // Points on the twist and non-canonical coordinates: X25519 takes every u (RFC 7748 §5).
    ("x25519", "", Taken),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    Refused,
    /// Not COSE's, and no recipe can say it.
    Skipped(&'static str),
}

use Outcome::{Refused, Skipped, Taken};

#[derive(Default)]
struct Counts {
    taken: usize,
    refused: usize,
    /// Valid for the primitive, and with parameters that COSE does not define: refused.
    foreign: usize,
    skipped: BTreeMap<&'static str, usize>,
}

/// One keystore a file; each key is imported once.
struct Bench {
    keystore: Keystore,
    keys: BTreeMap<Vec<u8>, Option<KeyRef>>,
}

impl Bench {
    fn new() -> Self {
        Self { keystore: Keystore::ephemeral(Defaults::default()).unwrap(), keys: BTreeMap::new() }
    }

    /// The key of a file for one algorithm; none if import refuses it.
    fn key(&mut self, file: &[u8], algorithm: Algorithm) -> Option<KeyRef> {
        let id = [file, algorithm.name().as_bytes()].concat();
        if let Some(known) = self.keys.get(&id) {
            return known.clone();
        }
        let kid = (self.keys.len() as u32 + 1).to_be_bytes();
        let algs = vec![algorithm.name().to_owned()];
        let options = ImportOptions { kid: Some(kid.to_vec()), algs, ..ImportOptions::default() };
        let imported = self.keystore.import(file, &options).ok();
        let key = imported.map(|_| self.keystore.find("default", Some(Name::Kid(&kid))).unwrap().remove(0));
        self.keys.insert(id, key.clone());
        key
    }

    fn symmetric(&mut self, k: &[u8], algorithm: Algorithm) -> Option<KeyRef> {
        self.key(format!(r#"{{"kty":"oct","k":"{}"}}"#, base64url(k)).as_bytes(), algorithm)
    }

    fn run(&self, recipe: &Recipe<'_>) -> Outcome {
        if self.keystore.run(recipe).is_ok() { Taken } else { Refused }
    }

    /// Whether the management yields `expected`: a message sealed under that opens.
    fn yields(&self, management: Management<'_>, expected: &[u8]) -> Outcome {
        let Some((algorithm, sealed)) = seal(expected) else {
            return Skipped("a key of no content algorithm's length");
        };
        self.run(&Recipe::Decrypt {
            management,
            algorithm,
            nonce: Nonce::Full(&[0; 12]),
            aads: &[b""],
            ciphertext: &sealed,
        })
    }
}

fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// AES-GCM by the length of the key.
fn seal(key: &[u8]) -> Option<(Algorithm, Vec<u8>)> {
    let (algorithm, cipher) = match key.len() {
        16 => (Algorithm::A128Gcm, &AES_128_GCM),
        24 => (Algorithm::A192Gcm, &AES_192_GCM),
        32 => (Algorithm::A256Gcm, &AES_256_GCM),
        _ => return None,
    };
    let mut sealed = b"content".to_vec();
    let key = LessSafeKey::new(UnboundKey::new(cipher, key).unwrap());
    key.seal_in_place_append_tag(Iv::assume_unique_for_key([0; 12]), Aad::from(b""), &mut sealed).unwrap();
    Some((algorithm, sealed))
}

fn hex(test: &Value, member: &str) -> Vec<u8> {
    hex::decode(test[member].as_str().unwrap_or_default()).unwrap()
}

fn direct(key: &KeyRef) -> Management<'_> {
    Management { start: Start::Device { key, kid_context: None }, steps: &[] }
}

/// Runs every test of the files whose name begins so; `decide` is given bench, file name, group and test.
fn each(prefix: &str, mut decide: impl FnMut(&mut Bench, &str, &Value, &Value) -> Outcome) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/wycheproof");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no vectors at {}", folder.display());
        return;
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    for (path, name) in files.iter().map(|path| (path, name(path))).filter(|(_, name)| name.starts_with(prefix)) {
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (mut bench, mut counts) = (Bench::new(), Counts::default());
        for group in file["testGroups"].as_array().unwrap() {
            for test in group["tests"].as_array().unwrap() {
                let outcome = decide(&mut bench, &name, group, test);
                judge(&name, group, test, outcome, &mut counts);
            }
        }
        let Counts { taken, refused, foreign, skipped } = counts;
        let skipped: Vec<_> = skipped.iter().map(|(why, count)| format!("{count} {why}")).collect();
        eprintln!("{name}: {taken} taken, {refused} refused, {foreign} refused as not COSE's, skipped: {skipped:?}");
    }
}

fn judge(name: &str, group: &Value, test: &Value, outcome: Outcome, counts: &mut Counts) {
    let flags: Vec<_> = test["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let decided =
        |(file, flag, _): &&(&str, &str, Outcome)| name.starts_with(file) && (flag.is_empty() || flags.contains(flag));
    let expected = match test["result"].as_str().unwrap() {
        "valid" => Taken,
        "invalid" => Refused,
        _ => ACCEPTABLE.iter().find(decided).unwrap_or_else(|| panic!("{name}: undecided {flags:?}")).2,
    };
    match outcome {
        Skipped(why) => *counts.skipped.entry(why).or_default() += 1,
        Refused if expected == Taken && foreign(name, group, test) => counts.foreign += 1,
        _ => assert_eq!(outcome, expected, "{name} {}: {} {flags:?}", test["tcId"], test["comment"]),
    }
    match outcome {
        Taken => counts.taken += 1,
        Refused if expected == Refused => counts.refused += 1,
        Refused | Skipped(_) => {}
    }
}

/// Parameters that COSE does not define: lengths of nonce, tag, key.
fn foreign(name: &str, group: &Value, test: &Value) -> bool {
    let (iv, tag) = (group["ivSize"].as_u64(), group["tagSize"].as_u64());
    match name.split('_').next().unwrap() {
        "aes" if name.starts_with("aes_gcm") => iv != Some(96) || tag != Some(128),
        "aes" if name.starts_with("aes_ccm") => !matches!((iv, tag), (Some(56 | 104), Some(64 | 128))),
        "chacha20" => iv != Some(96),
        "hmac" => tag != Some(64).filter(|_| name.contains("256")) && tag != group["keySize"].as_u64(),
        "rsa" if name.starts_with("rsa_oaep") => test["msg"].as_str().unwrap().len() < 32,
        _ => false,
    }
}

#[test]
fn aead() {
    let decide = |bench: &mut Bench, name: &str, group: &Value, test: &Value| {
        let (iv, tag) = (group["ivSize"].as_u64().unwrap(), group["tagSize"].as_u64().unwrap());
        let algorithm = match (name.contains("ccm"), group["keySize"].as_u64().unwrap(), iv, tag) {
            (false, 128, ..) => Algorithm::A128Gcm,
            (false, 192, ..) => Algorithm::A192Gcm,
            (false, ..) if name.starts_with("chacha") => Algorithm::ChaCha20Poly1305,
            (false, ..) => Algorithm::A256Gcm,
            (true, 128, 56, 64) => Algorithm::AesCcm64_64_128,
            (true, 128, 56, _) => Algorithm::AesCcm64_128_128,
            (true, 128, _, 64) => Algorithm::AesCcm16_64_128,
            (true, 128, ..) => Algorithm::AesCcm16_128_128,
            (true, 256, 56, 64) => Algorithm::AesCcm64_64_256,
            (true, 256, 56, _) => Algorithm::AesCcm64_128_256,
            (true, 256, _, 64) => Algorithm::AesCcm16_64_256,
            (true, 256, ..) => Algorithm::AesCcm16_128_256,
            (true, ..) => return Skipped("AES-192-CCM"),
        };
        let Some(key) = bench.symmetric(&hex(test, "key"), algorithm) else {
            return Skipped("a key of one repeated byte");
        };
        bench.run(&Recipe::Decrypt {
            management: direct(&key),
            algorithm,
            nonce: Nonce::Full(&hex(test, "iv")),
            aads: &[&hex(test, "aad")],
            ciphertext: &[hex(test, "ct"), hex(test, "tag")].concat(),
        })
    };
    each("aes_gcm", decide);
    each("aes_ccm", decide);
    each("chacha20", decide);
}

/// The sizes that CMS may give (RFC 5084 §3): of these every one, of the others none.
#[test]
fn aead_of_sized_nonce_and_tag() {
    let decide = |bench: &mut Bench, name: &str, group: &Value, test: &Value| {
        let [key, nonce, tag] = ["keySize", "ivSize", "tagSize"].map(|size| group[size].as_u64().unwrap() / 8);
        let ccm = name.contains("ccm");
        let (algorithm, sizes) = match (ccm, key) {
            (false, 16) => (Algorithm::A128Gcm, (8..=16).contains(&nonce)),
            (false, 24) => (Algorithm::A192Gcm, (8..=16).contains(&nonce)),
            (false, _) => (Algorithm::A256Gcm, (8..=16).contains(&nonce)),
            (true, 16) => (Algorithm::A128Ccm, (7..=13).contains(&nonce) && tag >= 12),
            (true, 24) => (Algorithm::A192Ccm, (7..=13).contains(&nonce) && tag >= 12),
            (true, _) => (Algorithm::A256Ccm, (7..=13).contains(&nonce) && tag >= 12),
        };
        let Some(key) = bench.symmetric(&hex(test, "key"), algorithm) else {
            return Skipped("a key of one repeated byte");
        };
        let outcome = bench.run(&Recipe::Decrypt {
            management: direct(&key),
            algorithm,
            nonce: Nonce::Sized { nonce: &hex(test, "iv"), tag: tag as usize },
            aads: &[&hex(test, "aad")],
            ciphertext: &[hex(test, "ct"), hex(test, "tag")].concat(),
        });
        if sizes {
            return outcome;
        }
        assert_eq!(outcome, Refused, "{name} {}", test["tcId"]);
        Skipped("sizes that RFC 5084 does not allow; refused")
    };
    each("aes_gcm", decide);
    each("aes_ccm", decide);
}

#[test]
fn key_wrap() {
    each("aes_wrap", |bench, _, group, test| {
        let algorithm = match group["keySize"].as_u64().unwrap() {
            128 => Algorithm::A128Kw,
            192 => Algorithm::A192Kw,
            _ => Algorithm::A256Kw,
        };
        let Some(key) = bench.symmetric(&hex(test, "key"), algorithm) else {
            return Skipped("a key of one repeated byte");
        };
        let (wrapped, mut cek) = (hex(test, "ct"), hex(test, "msg"));
        if cek.len() > 64 {
            return Skipped("a key of no content algorithm's length");
        }
        cek.resize(if matches!(cek.len(), 16 | 24 | 32) { cek.len() } else { 16 }, 0);
        let steps = [Step::Unwrap { algorithm, wrapped: &wrapped }];
        bench.yields(Management { steps: &steps, ..direct(&key) }, &cek)
    });
}

#[test]
fn hmac() {
    each("hmac", |bench, name, group, test| {
        let (bits, tag) = (group["keySize"].as_u64().unwrap(), group["tagSize"].as_u64().unwrap());
        let (algorithm, size) = match name {
            "hmac_sha256_test.json" if tag == 64 => (Algorithm::Hmac256_64, 256),
            "hmac_sha256_test.json" => (Algorithm::Hmac256_256, 256),
            "hmac_sha384_test.json" => (Algorithm::Hmac384_384, 384),
            _ => (Algorithm::Hmac512_512, 512),
        };
        if bits != size {
            return Skipped("a key that is not as long as the hash");
        }
        let Some(key) = bench.symmetric(&hex(test, "key"), algorithm) else {
            return Skipped("a key of one repeated byte");
        };
        let (message, tag) = (hex(test, "msg"), hex(test, "tag"));
        bench.run(&Recipe::Mac { management: direct(&key), algorithm, messages: &[&message], tag: &tag })
    });
}

/// HKDF's output begins with its shorter outputs: the longest key that the expected one begins with is derived.
#[test]
fn hkdf() {
    each("hkdf", |bench, name, _, test| {
        let (hash, algorithm) = match name {
            "hkdf_sha256_test.json" => (Hash::Sha256, Algorithm::DirectHkdfSha256),
            _ => (Hash::Sha512, Algorithm::DirectHkdfSha512),
        };
        let Some(key) = bench.symmetric(&hex(test, "ikm"), algorithm) else {
            return Skipped("a secret of one repeated byte, or longer than 64");
        };
        let (salt, info, okm) = (hex(test, "salt"), hex(test, "info"), hex(test, "okm"));
        if okm.is_empty() {
            return Skipped("an output longer than any key");
        }
        let length = if okm.len() < 32 { 16 } else { 32 };
        let salt = (!salt.is_empty()).then_some(salt.as_slice());
        let steps = [Step::Hkdf { hash, salt, info: Info::public(&info), length }];
        bench.yields(Management { steps: &steps, ..direct(&key) }, &okm[..length])
    });
}

fn agrees(bench: &Bench, ours: &KeyRef, point: Point<'_>, shared: &[u8]) -> Outcome {
    let cek = crate::ops::kdf::hkdf(Hash::Sha256, None, shared, &[b"info"], 16).unwrap();
    let steps = [Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info::public(b"info"), length: 16 }];
    let start = Start::Agree { key: ours, algorithm: Algorithm::EcdhEsHkdf256, peer: Peer::Point(point) };
    bench.yields(Management { start, steps: &steps }, &cek)
}

#[test]
fn ecdh() {
    each("ecdh", |bench, name, _, test| {
        let (curve, kty) = match name {
            "ecdh_secp256r1_ecpoint_test.json" => (Curve::P256, Kty::Ec2P256),
            "ecdh_secp384r1_ecpoint_test.json" => (Curve::P384, Kty::Ec2P384),
            _ => (Curve::P521, Kty::Ec2P521),
        };
        let private = hex(test, "private");
        let private = crate::private_key::significant(&private);
        let d = [vec![0; curve.width() - private.len()], private.to_vec()].concat();
        let point = Scalar::new(curve, &d).unwrap().point;
        let (x, y) = (base64url(&point.x), base64url(&point.y));
        let crv = curve.name();
        let jwk = format!(r#"{{"kty":"EC","crv":"{crv}","x":"{x}","y":"{y}","d":"{}"}}"#, base64url(&d));
        let ours = bench.key(jwk.as_bytes(), Algorithm::EcdhEsHkdf256).unwrap();
        let public = hex(test, "public");
        let Some((form, coordinates)) = public.split_first() else { return Refused };
        let (x, y) = coordinates.split_at(curve.width().min(coordinates.len()));
        let y = match form {
            2 | 3 if y.is_empty() => EcY::Odd(*form == 3),
            _ => EcY::Full(y),
        };
        agrees(bench, &ours, Point { kty, x, y: Some(y) }, &hex(test, "shared"))
    });
}

#[test]
fn x25519() {
    each("x25519", |bench, _, _, test| {
        let private = hex(test, "private");
        let x = base64url(&X25519::new(&private).unwrap().x);
        let jwk = format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}","d":"{}"}}"#, base64url(&private));
        let ours = bench.key(jwk.as_bytes(), Algorithm::EcdhEsHkdf256).unwrap();
        let public = hex(test, "public");
        agrees(bench, &ours, Point { kty: Kty::OkpX25519, x: &public, y: None }, &hex(test, "shared"))
    });
}

#[test]
fn signatures() {
    let decide = |bench: &mut Bench, name: &str, group: &Value, test: &Value| {
        let algorithm = match name {
            _ if name.starts_with("ecdsa_secp256k1") => Algorithm::Es256K,
            _ if name.starts_with("ecdsa_secp256r1") => Algorithm::Es256,
            _ if name.starts_with("ecdsa_secp384r1") => Algorithm::Esp384,
            _ if name.starts_with("ecdsa_secp521r1") => Algorithm::Es512,
            "ed25519_test.json" => Algorithm::Ed25519,
            "ed448_test.json" => Algorithm::Ed448,
            _ if name.starts_with("mldsa_44") => Algorithm::MlDsa44,
            _ if name.starts_with("mldsa_65") => Algorithm::MlDsa65,
            _ if name.contains("sha256") => Algorithm::Ps256,
            _ if name.contains("sha384") => Algorithm::Ps384,
            _ => Algorithm::Ps512,
        };
        if test["ctx"].as_str().is_some_and(|context| !context.is_empty()) {
            return Skipped("an ML-DSA context, which COSE has not");
        }
        // A key of another length has no SubjectPublicKeyInfo there.
        let file = group["publicKeyDer"].as_str().map(|der| hex::decode(der).unwrap());
        let akp = || {
            let (alg, public) = (algorithm.name(), base64url(&hex(group, "publicKey")));
            format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{public}"}}"#).into_bytes()
        };
        let Some(key) = bench.key(&file.unwrap_or_else(akp), algorithm) else { return Refused };
        let (message, signature) = (hex(test, "msg"), hex(test, "sig"));
        bench.run(&Recipe::Verify { key: &key, algorithm, messages: &[&message], signature: &signature })
    };
    for prefix in ["ecdsa", "ed25519", "ed448", "mldsa", "rsa_pss"] {
        each(prefix, decide);
    }
}

/// Most of the encrypted messages are no keys: what the padding holds is looked at beneath the recipe, too.
#[test]
fn key_transport() {
    each("rsa_oaep", |bench, name, group, test| {
        let algorithm = match name {
            _ if name.contains("sha1") => Algorithm::RsaOaepSha1,
            _ if name.contains("sha256") => Algorithm::RsaOaepSha256,
            _ => Algorithm::RsaOaepSha512,
        };
        let key = bench.key(&hex(group, "privateKeyPkcs8"), algorithm).unwrap();
        let (ciphertext, message) = (hex(test, "ct"), hex(test, "msg"));
        let crate::ops::Material::Transport(private) = &key.0.material else { panic!("no transport key") };
        let label = hex(test, "label");
        let decrypted = private.decrypt(algorithm, &label, &ciphertext);
        let holds = test["result"] == "valid";
        assert_eq!(decrypted.map(|bytes| bytes.to_vec()), holds.then(|| message.clone()), "{name} {}", test["tcId"]);
        let start = Start::Transport { key: &key, algorithm, label: &label, ciphertext: &ciphertext };
        let mut cek = message;
        if !matches!(cek.len(), 16 | 24 | 32) {
            cek.resize(16, 0);
            assert_eq!(bench.yields(Management { start, steps: &[] }, &cek), Refused, "a CEK of another length");
            return if holds { Skipped("a message that is no key; decrypts") } else { Refused };
        }
        bench.yields(Management { start, steps: &[] }, &cek)
    });
}
