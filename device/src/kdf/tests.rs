//! The derivations of profile.md §3, byte for byte.

use hex::{decode, encode};

use super::{derive, info, kdf_context, key_encryption_key};
use crate::algorithm::{ContentAlgorithm, KeyAgreement};
use crate::header::PartialIv;

const MASTER: &str = "b895f1434b3a0397e94e000ed57b1385017d2bc40bd4cd515ca736ace524fe02";
const KID: &[u8] = &[0x01, 0xa2, 0xb3, 0xc4];

#[test]
fn the_worked_example_derives_its_key_base_iv_and_nonce() {
    let content = derive(&decode(MASTER).unwrap(), KID, None, ContentAlgorithm::AesCcm16_64_128);
    assert_eq!(encode(&*content.key), "189af2a8ccf3de76044bc7da30147d00");
    assert_eq!(encode(&*content.base_iv), "64a92c56d8a2d9ddfb0f3317e9");
    assert_eq!(encode(&*content.nonce(&PartialIv::new(42))), "64a92c56d8a2d9ddfb0f3317c3");
    assert_eq!(encode(&*content.nonce(&PartialIv::new(0x012a))), "64a92c56d8a2d9ddfb0f3316c3");
}

#[test]
fn each_kid_context_has_keys_of_its_own() {
    let master = decode(MASTER).unwrap();
    let content = derive(&master, KID, Some(&[0, 0, 0, 9]), ContentAlgorithm::AesCcm16_64_128);
    assert_eq!(encode(&*content.key), "6085cef711091341eb38287fe95d7399");
    assert_eq!(encode(&*content.base_iv), "18756baf878a94c474452c2d1e");
}

#[test]
fn info_is_deterministic_cbor() {
    let bytes = info(KID, None, ContentAlgorithm::ChaCha20Poly1305, "Key", 32);
    assert_eq!(encode(bytes), "866c70617065726b6e6966652d314401a2b3c4f61818634b65791820");
}

#[test]
fn the_kdf_context_has_null_parties_and_the_recipients_protected_bytes() {
    assert_eq!(encode(kdf_context(KeyAgreement::EcdhEsA128Kw)), "842283f6f6f683f6f6f682188044a101381c");
    assert_eq!(encode(kdf_context(KeyAgreement::EcdhEsA256Kw)), "842483f6f6f683f6f6f68219010044a101381e");
}

#[test]
fn the_worked_example_derives_its_kek() {
    let shared = decode("af5f77fb34f76ec9eb52a08c54468f80b1d63c1e7861307ded167107f158477b").unwrap();
    let kek = key_encryption_key(&shared, KeyAgreement::EcdhEsA128Kw);
    assert_eq!(encode(&*kek), "1c0a3f4c1061610e27572c3dfd250e7d");
}
