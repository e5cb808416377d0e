//! Keys and tokens to attack: built by the device's own sealing, taken apart and put together again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paperknife_device::jose::algorithm::{Encryption, Management, Signature};
use paperknife_device::jose::header::Header;
use paperknife_device::jose::jwe::{Jwe, Recipient};
use paperknife_device::jose::jws::{Jws, Signer};
use paperknife_device::primitive::key::{Curve, Key};
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::Desk;

pub(super) const AUDIENCE: &str = "https://gw.example";
pub(super) const AGREED: Management = Management::EcdhEsA128Kw;
pub(super) const PATH: &str = "/19/0/0";
pub(super) const CONTENT: &[u8] = br#"[{"n":"/3303/0/5700","v":21.5}]"#;
const K1: [u8; 16] = *b"a key of 16 byte";
const W1: [u8; 16] = *b"another 16 bytes";
const H1: [u8; 32] = *b"a MAC key of thirty-two bytes ok";

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A signer of the device: private half for sealing, public half for the desk.
pub(super) fn signer() -> Key {
    let d = hex::decode("f83a4797e160afc13428f10230b80c694b3b4a32f8a2c209c49dff1baca23013").unwrap();
    let (x, y) = signer_point();
    Key::curve(Curve::P256, &x, &y, Some(&d)).unwrap().named(b"d1")
}

fn signer_point() -> (Vec<u8>, Vec<u8>) {
    let x = hex::decode("e8ca83951df3a804e7ac1fabd85dbadec167f9987b287470b9b772d6ca30f959").unwrap();
    let y = hex::decode("c25f3ef250c294fb047959cc3b42356ea2d5d718a3e1d23ac2c8b65358dfeaf7").unwrap();
    (x, y)
}

/// Its public half.
pub(super) fn d1() -> Value {
    let (x, y) = signer_point();
    json!({"kty": "EC", "crv": "P-256", "kid": "d1", "alg": "ES256", "use": "sig", "x": b64(x), "y": b64(y)})
}

/// The gateway's key pair, and its public half for the device.
pub(super) fn g1() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "g1", "alg": "ECDH-ES+A128KW", "use": "enc",
        "x": "JZNsm7L44VZp0wOHka7jfRZa1FckJ62Ozp08IC2vzaw", "y": "WiwifkmzlECGxwnj8ly-uqlageo2nlNTQT2dTcPbhuc",
        "d": "4Kc9V0zzZ9IRqUYUOQPwzhUjyzEHpBhVMSKYNeiJ_Yg"})
}

pub(super) fn gateway() -> Key {
    let member = |name: &str| unb64(g1()[name].as_str().unwrap());
    Key::curve(Curve::P256, &member("x"), &member("y"), None).unwrap().named(b"g1")
}

/// The device's content key.
pub(super) fn k1() -> Value {
    json!({"kty": "oct", "kid": "k1", "alg": "A128GCM", "k": b64(K1)})
}

pub(super) fn shared() -> Key {
    Key::symmetric(&K1).named(b"k1")
}

/// The device's key for wrapping keys.
pub(super) fn w1() -> Value {
    json!({"kty": "oct", "kid": "w1", "k": b64(W1)})
}

pub(super) fn wrapping() -> Key {
    Key::symmetric(&W1).named(b"w1")
}

/// The device's MAC key.
pub(super) fn h1() -> Value {
    json!({"kty": "oct", "kid": "h1", "alg": "HS256", "k": b64(H1)})
}

pub(super) fn mac() -> Key {
    Key::symmetric(&H1).named(b"h1")
}

/// The same bytes as a key of another algorithm.
pub(super) fn with_alg(mut key: Value, alg: &str) -> Value {
    key["alg"] = json!(alg);
    key
}

/// A key under the profile, of the device `dev-7`, with members of its record set.
pub(super) fn profiled(mut key: Value, policy: &Value) -> Value {
    let mut record = json!({"profile": "paperknife-1", "formats": ["jose"], "paths": [PATH, "/19/1/0"]});
    if key["kty"] == "oct" {
        record["kdf"] = json!(null);
    }
    if key.get("d").is_none() {
        record["device"] = json!("dev-7");
    }
    policy.as_object().unwrap().iter().for_each(|(name, value)| record[name] = value.clone());
    key["paperknife"] = record;
    key
}

/// All keys of the device and the gateway under the profile.
pub(super) fn fleet(policy: &Value) -> Desk<'static> {
    let keys = [d1(), g1(), k1()].map(|key| profiled(key, policy));
    let desk = Desk { audience: &[AUDIENCE], ..Desk::of(&keys) };
    let claims = crate::item::Claims { path: Some(PATH.to_owned()), ..Default::default() };
    Desk { claims, ..desk }
}

pub(super) fn pk1() -> Value {
    json!({"aud": AUDIENCE, "ep": "dev-7", "path": PATH, "seq": 42})
}

pub(super) fn bound(pk1: &Value) -> Header {
    Header::new().with("pk1", pk1.clone())
}

pub(super) fn jwe(management: Management, key: Key, protected: Header, content: &[u8]) -> String {
    let jwe = Jwe { protected, ..Jwe::new(Encryption::A128Gcm, vec![Recipient::new(management, key)]) };
    jwe.seal(content, &mut SysRng).unwrap()
}

pub(super) fn direct(protected: Header, content: &[u8]) -> String {
    jwe(Management::Dir, shared(), protected, content)
}

pub(super) fn signed(protected: Header, content: &[u8]) -> String {
    let signer = Signer { protected, ..Signer::new(Signature::Es256, signer()) };
    Jws::new(signer).seal(content).unwrap()
}

/// A JWS under the MAC key, of a protected header of any text.
pub(super) fn maced(protected: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", b64(protected), b64(payload));
    format!("{input}.{}", b64(hmac(&H1, input.as_bytes())))
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// The shapes of the profile.
pub(super) fn shape_s(pk1: &Value) -> String {
    direct(bound(pk1), CONTENT)
}

pub(super) fn shape_g(pk1: &Value) -> String {
    direct(nested(), signed(bound(pk1), CONTENT).as_bytes())
}

pub(super) fn shape_p(pk1: &Value) -> String {
    jwe(AGREED, gateway(), nested(), signed(bound(pk1), CONTENT).as_bytes())
}

pub(super) fn nested() -> Header {
    Header::new().with("cty", "JOSE")
}

/// The nth part of a compact token, and the token with another in its place.
pub(super) fn part(token: &str, nth: usize) -> String {
    token.split('.').nth(nth).unwrap().to_owned()
}

pub(super) fn with_part(token: &str, nth: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[nth] = part;
    parts.join(".")
}

/// The token with the text of its protected header changed.
pub(super) fn with_protected(token: &str, change: impl FnOnce(String) -> String) -> String {
    let protected = String::from_utf8(unb64(&part(token, 0))).unwrap();
    with_part(token, 0, &b64(change(protected)))
}

/// The token as flattened JSON.
pub(super) fn flattened(token: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    match *parts.as_slice() {
        [protected, payload, signature] => json!({"protected": protected, "payload": payload, "signature": signature}),
        [protected, "", iv, ciphertext, tag] => {
            json!({"protected": protected, "iv": iv, "ciphertext": ciphertext, "tag": tag})
        }
        [protected, key, iv, ciphertext, tag] => json!({"protected": protected, "encrypted_key": key, "iv": iv,
            "ciphertext": ciphertext, "tag": tag}),
        _ => unreachable!("a compact token"),
    }
}
