//! Signatures by the check value of Standard Webhooks, rotation, and records that were lifted.

use aws_lc_rs::hmac;
use base64ct::{Base64, Encoding};
use rusqlite::Connection;

use super::{PREFIX, signature};
use crate::{AdminError, Defaults, Keystore, OpenError};

fn keystore() -> (tempfile::TempDir, Keystore) {
    let data = tempfile::tempdir().unwrap();
    let keystore = Keystore::open(data.path(), Defaults::default()).unwrap();
    (data, keystore)
}

fn expected(secret: &str, message: &str) -> String {
    let secret = Base64::decode_vec(secret.strip_prefix(PREFIX).unwrap()).unwrap();
    assert_eq!(secret.len(), 32);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
    format!("v1,{}", Base64::encode_string(mac.as_ref()))
}

#[test]
fn the_check_value_holds() {
    let secret = Base64::decode_vec("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let body = br#"{"type":"message.opened","id":"msg_01","time":"2026-10-01T12:00:00Z","data":{"device":"d1"}}"#;
    let signed = signature(&secret, "msg_01.1790856000.", body);
    assert_eq!(signed, "v1,nc2pZ77SYF73pPmn3Ywqul0LdKJHDxSl8mA71oN85bc=");
}

#[test]
fn the_secret_is_shown_once_and_signs() {
    let (data, keystore) = keystore();
    let secret = keystore.webhook_add("t", "w").unwrap();
    let signed = keystore.webhook_sign("t", "w", "id.1.", b"body").unwrap().unwrap();
    assert_eq!(signed, expected(&secret, "id.1.body"));
    assert!(matches!(keystore.webhook_add("t", "w"), Err(AdminError::Conflict(_))));
    assert_eq!(keystore.webhook_sign("other", "w", "", b"").unwrap(), None);
    // At rest it is sealed: neither its text nor its bytes are in the file.
    drop(keystore);
    let file = std::fs::read(data.path().join("keystore.db")).unwrap();
    let bytes = Base64::decode_vec(secret.strip_prefix(PREFIX).unwrap()).unwrap();
    assert!(!file.windows(32).any(|window| window == bytes));
}

#[test]
fn during_an_overlap_both_secrets_sign_and_after_it_one() {
    let (_data, keystore) = keystore();
    let old = keystore.webhook_add("t", "w").unwrap();
    let new = keystore.webhook_rotate("t", "w", 3600).unwrap();
    let both = format!("{} {}", expected(&new, "p.b"), expected(&old, "p.b"));
    assert_eq!(keystore.webhook_sign("t", "w", "p.", b"b").unwrap().unwrap(), both);
    let newest = keystore.webhook_rotate("t", "w", 0).unwrap();
    assert_eq!(keystore.webhook_sign("t", "w", "p.", b"b").unwrap().unwrap(), expected(&newest, "p.b"));
    keystore.webhook_remove("t", "w").unwrap();
    assert_eq!(keystore.webhook_sign("t", "w", "p.", b"b").unwrap(), None);
    assert!(matches!(keystore.webhook_rotate("t", "w", 0), Err(AdminError::NotFound(_))));
}

#[test]
fn a_secret_does_not_move_to_another_webhook_nor_live_longer() {
    let (data, keystore) = keystore();
    keystore.webhook_add("t", "w").unwrap();
    keystore.webhook_add("t", "x").unwrap();
    let edits = [
        "UPDATE webhook SET current = (SELECT current FROM webhook WHERE id = 'x') WHERE id = 'w'",
        "UPDATE webhook SET previous = current, previous_until = 9999999999999 WHERE id = 'x'",
    ];
    let hand = Connection::open(data.path().join("keystore.db")).unwrap();
    for edit in edits {
        hand.execute(edit, []).unwrap();
    }
    for id in ["w", "x"] {
        assert!(matches!(keystore.webhook_sign("t", id, "", b""), Err(OpenError::Tampered(_))), "{id}");
    }
}
