//! Questions that a refusal must not answer by its time (cms.md §5, jose.md §8): Welch's t over refusals of two kinds, at
//! random, the slowest tenth cut off. Long, and a matter of statistics: run by `make test-full`.

use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::rand;
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};

use super::refused;
use crate::fixture::key;
use crate::key::{Algorithm, KeyRef};
use crate::recipe::{Management, Nonce, Recipe, Start, Under};
use crate::{Defaults, ImportOptions, Keystore};

/// Samples of both kinds together.
const SAMPLES: usize = 100_000;
/// Beyond this, the two kinds differ.
const LIMIT: f64 = 4.5;
/// Different questions of each kind.
const POOL: usize = 64;

const KEY: &str = include_str!("../../import/tests/rsa_pkcs8.pem");

/// Asks questions of two kinds at random and holds their times to [`LIMIT`].
fn alike(what: &str, kinds: [&[Vec<u8>]; 2], ask: impl Fn(&[u8]) -> bool) {
    let mut bits = vec![0; SAMPLES];
    rand::fill(&mut bits).unwrap();
    let mut times = [Vec::new(), Vec::new()];
    for (at, bit) in bits.iter().enumerate() {
        let kind = usize::from(bit & 1);
        let question = &kinds[kind][at % kinds[kind].len()];
        let started = Instant::now();
        let refused = black_box(ask(black_box(question)));
        let taken = started.elapsed().as_nanos() as f64;
        assert!(refused, "{what}: no refusal");
        times[kind].push(taken);
    }
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let cut = all[all.len() * 9 / 10];
    let [one, other] = times.map(|times| spread(&times.into_iter().filter(|time| *time <= cut).collect::<Vec<_>>()));
    let t = (one.0 - other.0) / (one.1 + other.1).sqrt();
    eprintln!("{what}: t = {t:.2}, {:.0} and {:.0} ns", one.0, other.0);
    assert!(t.abs() < LIMIT, "{what}: t = {t:.2}");
}

/// Mean, and variance of the mean.
fn spread(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

fn private_key(alg: &str) -> (Keystore, KeyRef) {
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let options = ImportOptions { kid: Some(vec![1]), algs: vec![alg.to_owned()], ..ImportOptions::default() };
    keystore.import(KEY.as_bytes(), &options).unwrap();
    let key = key(&keystore, "01");
    (keystore, key)
}

fn public_key() -> PublicEncryptingKey {
    let (_, der) = p256::pkcs8::Document::from_pem(KEY).unwrap();
    PrivateDecryptingKey::from_pkcs8(der.as_bytes()).unwrap().public_key()
}

fn carrying(length: usize) -> Vec<Vec<u8>> {
    let public = Pkcs1PublicEncryptingKey::new(public_key()).unwrap();
    let carry = |at: usize| {
        let mut out = vec![0; public.ciphertext_size()];
        public.encrypt(&vec![at as u8; length], &mut out).unwrap();
        out
    };
    (0..POOL).map(carry).collect()
}

/// Below the modulus, and with hardly a chance of any padding.
fn at_random() -> Vec<Vec<u8>> {
    let draw = |_| {
        let mut out = vec![0; public_key().key_size_bytes()];
        rand::fill(&mut out[1..]).unwrap();
        out
    };
    (0..POOL).map(draw).collect()
}

fn decrypts_not(start: Start<'_>) -> bool {
    refused(super::super::run(&Recipe::Decrypt {
        management: Management { start, steps: &[] },
        algorithm: Algorithm::A128Gcm,
        nonce: Nonce::Full(&[0; 12]),
        aads: &[b""],
        ciphertext: &[0; 64],
    }))
}

#[test]
#[ignore = "minutes; a matter of statistics: make test-full"]
fn rsa_padding_is_not_told_by_time() {
    let (_keystore, key) = private_key("RSA1_5");
    let ask = |ciphertext: &[u8]| decrypts_not(Start::TransportV15 { key: &key, ciphertext, length: 16 });
    let (sound, broken, short) = (carrying(16), at_random(), carrying(15));
    alike("PKCS#1 v1.5, another key and no padding", [&sound, &broken], ask);
    alike("PKCS#1 v1.5, another key and one of another length", [&sound, &short], ask);
}

/// Manger's question: whether the first byte is zero.
#[test]
#[ignore = "minutes; a matter of statistics: make test-full"]
fn oaep_s_first_byte_is_not_told_by_time() {
    let (_keystore, key) = private_key("RSA-OAEP-256");
    let public = OaepPublicEncryptingKey::new(public_key()).unwrap();
    let of_another_label = |_| {
        let mut out = vec![0; public.ciphertext_size()];
        public.encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 16], &mut out, Some(b"another")).unwrap();
        out
    };
    let labelled: Vec<_> = (0..POOL).map(of_another_label).collect();
    let algorithm = Algorithm::RsaOaepSha256;
    let ask = |ciphertext: &[u8]| decrypts_not(Start::Transport { key: &key, algorithm, label: &[], ciphertext });
    alike("RSAES-OAEP, another label and no padding", [&labelled, &at_random()], ask);
}

/// Where in the last block of CBC a padding is wrong.
#[test]
#[ignore = "a matter of statistics: make test-full"]
fn cbc_padding_is_not_told_by_time() {
    let k = base64(&[0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    let jwk = format!(r#"{{"kty":"oct","k":"{k}","paperknife":{{"kid_hex":"01","algs":["A128CBC"]}}}}"#);
    let keystore = crate::fixture::offline(&jwk);
    let key = key(&keystore, "01");
    let ask = |ciphertext: &[u8]| {
        refused(super::super::run(&Recipe::DecryptUnauthenticated {
            under: Under::Departure,
            management: super::as_it_is(&key),
            algorithm: Algorithm::A128Cbc,
            iv: &[0; 16],
            ciphertext,
        }))
    };
    let ending = |last: [u8; 16]| -> Vec<Vec<u8>> { (0..POOL).map(|at| sealed(at as u8, last)).collect() };
    let (mut first, mut last) = ([16; 16], [16; 16]);
    (first[0], last[14]) = (1, 1);
    alike("CBC, padding wrong at its beginning and at its end", [&ending(first), &ending(last)], ask);
    alike("CBC, padding wrong and longer than a block", [&ending(first), &ending([17; 16])], ask);
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::encode_string(bytes)
}

/// Two blocks under the key above: `filling`, then `last`.
fn sealed(filling: u8, last: [u8; 16]) -> Vec<u8> {
    use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
    let k = [0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut blocks = [[filling; 16], last].concat();
    let key = EncryptingKey::cbc(UnboundCipherKey::new(&AES_128, &k).unwrap()).unwrap();
    key.less_safe_encrypt(&mut blocks, EncryptionContext::Iv128([0; 16].into())).unwrap();
    blocks
}
