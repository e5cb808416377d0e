//! Life of keys and devices, seen by whoever looks keys up.

use serde_json::json;

use crate::error::AdminError;
use crate::fixture::{DEVICE, MASTER_JWK, SIGNER_JWK, bytes, defaults, import, key, key_set, on_disk};
use crate::key::{Name, Status};
use crate::{ImportOptions, Keystore};

fn id_of(keystore: &Keystore, kid_hex: &str) -> String {
    key(keystore, kid_hex).id.clone()
}

#[test]
fn first_start_has_one_gateway_key() {
    let (folder, keystore) = on_disk();
    let keys = keystore.keys("default").unwrap();
    let [gateway] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!((gateway.kty, gateway.r#use, gateway.status), ("EC", "enc", "active"));
    assert_eq!(gateway.algs, ["ECDH-ES+A128KW", "ECDH-ES+A256KW"]);
    assert!(bytes(&gateway.kid_hex).starts_with(b"gw-"));
    assert!(key(&keystore, &gateway.kid_hex).private);
    drop(keystore);
    let again = Keystore::open(folder.path(), defaults()).unwrap();
    assert_eq!(again.keys("default").unwrap(), keys, "and no second on the next start");
}

#[test]
fn what_the_operator_sees_has_the_contract_s_shape() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let id = id_of(&keystore, "01a2b3c4");
    let info = serde_json::to_value(&keystore.key("default", &id).unwrap()[0]).unwrap();
    for (member, value) in [
        ("id", json!(id)),
        ("version", json!(1)),
        ("kid_hex", json!("01a2b3c4")),
        ("kty", json!("oct")),
        ("use", json!("enc")),
        ("formats", json!(["cose"])),
        ("device", json!(DEVICE)),
        ("status", json!("active")),
        ("not_before", json!(null)),
        ("not_after", json!(null)),
        ("exportable", json!(false)),
    ] {
        assert_eq!(info[member], value, "{member}");
    }
    assert!(info["created"].as_str().is_some_and(|created| created.ends_with('Z') && created.len() == 24));
    assert_eq!(info["policy"]["paths"], json!(["/19/0/0", "/19/1/0"]));
    assert_eq!(info["policy"]["profile"], json!("paperknife-1"));
    for (kid, private) in [("01a2b3c4", "uJXxQ0s6A5fpTgAO1XsThQ"), ("67772d31", "hS8wSZ36hKP430Reh")] {
        let shown = serde_json::to_string(&keystore.key("default", &id_of(&keystore, kid)).unwrap()).unwrap();
        assert!(!shown.contains(private), "{shown}");
    }
}

#[test]
fn disabled_is_seen_at_once_and_can_be_taken_back() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let id = id_of(&keystore, "01a2b3c4");
    keystore.disable("default", &id, None, "lost in the field").unwrap();
    assert_eq!(key(&keystore, "01a2b3c4").status, Status::Disabled);
    assert_eq!(keystore.key("default", &id).unwrap()[0].reason.as_deref(), Some("lost in the field"));
    import(&keystore, MASTER_JWK);
    assert_eq!(key(&keystore, "01a2b3c4").status, Status::Disabled, "an import does not enable");
    keystore.enable("default", &id, Some(1)).unwrap();
    assert_eq!(key(&keystore, "01a2b3c4").status, Status::Active);
    assert!(matches!(keystore.enable("default", &id, None), Err(AdminError::Conflict(_))));
    assert!(matches!(keystore.disable("other", &id, None, ""), Err(AdminError::NotFound(_))));
    assert!(matches!(keystore.disable("default", &id, Some(2), ""), Err(AdminError::NotFound(_))));
}

#[test]
fn a_rotated_gateway_key_still_opens_what_was_sealed_to_it() {
    let (_folder, keystore) = on_disk();
    let first = keystore.keys("default").unwrap().remove(0);
    let second = keystore.rotate("default", &first.id).unwrap();
    assert_eq!((&second.id, second.version, second.status), (&first.id, 2, "active"));
    assert_ne!((&second.kid_hex, &second.thumbprint), (&first.kid_hex, &first.thumbprint));
    assert_eq!(key(&keystore, &first.kid_hex).status, Status::Retiring);
    let published = serde_json::to_value(keystore.public_keys("default").unwrap()).unwrap();
    assert_eq!(published["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(published["keys"][0]["paperknife"]["kid_hex"], json!(second.kid_hex));
    keystore.disable("default", &first.id, Some(1), "overlap is over").unwrap();
    assert_eq!(key(&keystore, &second.kid_hex).status, Status::Active);
    let third = keystore.rotate("default", &first.id).unwrap();
    assert_eq!(third.version, 3);
    import(&keystore, SIGNER_JWK);
    let signer = id_of(&keystore, "b1a2b3c4");
    assert!(matches!(keystore.rotate("default", &signer), Err(AdminError::Invalid(_))));
}

#[test]
fn destroyed_leaves_a_tombstone_and_no_byte() {
    let (folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let id = id_of(&keystore, "01a2b3c4");
    let sealed: Vec<u8> = keystore
        .records
        .read(|reader| {
            let sql = "SELECT sealed FROM key WHERE kid = x'01a2b3c4'";
            Ok::<_, AdminError>(reader.query_row(sql, [], |row| row.get(0))?)
        })
        .unwrap();
    keystore.destroy("default", &id, None).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let file = std::fs::read(&path).unwrap();
        assert!(!file.windows(16).any(|window| sealed[17..].starts_with(window)), "{}", path.display());
    }
    assert!(keystore.find("default", Some(Name::Kid(&bytes("01a2b3c4")))).unwrap().is_empty());
    let tombstone = keystore.key("default", &id).unwrap().remove(0);
    assert_eq!((tombstone.status, tombstone.kid_hex.as_str()), ("destroyed", "01a2b3c4"));
    assert!(matches!(keystore.enable("default", &id, None), Err(AdminError::Conflict(_))));
    assert!(matches!(keystore.disable("default", &id, None, ""), Err(AdminError::Conflict(_))));
    let conflict = |file: &str| {
        matches!(keystore.import(file.as_bytes(), &ImportOptions::default()), Err(AdminError::Conflict(_)))
    };
    assert!(conflict(MASTER_JWK), "the same key does not come back");
    let another = MASTER_JWK.replace("uJXx", "uJXy");
    assert!(conflict(&another.replace("804ff1", "804ff2")), "nor another device under its name");
    assert!(!conflict(&another), "but its own device with a new key does");
}

#[test]
fn a_revoked_device_has_no_usable_key() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let devices = keystore.devices("default").unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].device.as_str(), devices[0].keys.len()), (DEVICE, 2));
    let revoked = keystore.device_revoke("default", DEVICE, "stolen").unwrap();
    assert_eq!((revoked.status, revoked.reason.as_deref()), ("revoked", Some("stolen")));
    for kid in ["01a2b3c4", "b1a2b3c4"] {
        assert_eq!(key(&keystore, kid).status, Status::Disabled, "{kid}");
    }
    let new = MASTER_JWK.replace("uJXx", "uJXy").replace("01a2b3c4", "02a2b3c4");
    assert!(matches!(keystore.import(new.as_bytes(), &ImportOptions::default()), Err(AdminError::Conflict(_))));
    assert_eq!(keystore.device_add("default", DEVICE).unwrap().status, "active");
    import(&keystore, &new);
    assert_eq!(key(&keystore, "02a2b3c4").status, Status::Active);
    assert_eq!(key(&keystore, "01a2b3c4").status, Status::Disabled, "identity is the key version, not the name");
    assert!(matches!(keystore.device_add("default", DEVICE), Err(AdminError::Conflict(_))));
    assert!(matches!(keystore.device_revoke("default", "nobody", ""), Err(AdminError::NotFound(_))));
    assert!(matches!(keystore.device_revoke("other", DEVICE, ""), Err(AdminError::NotFound(_))));
    assert!(matches!(keystore.device_add("default", "a\nb"), Err(AdminError::Invalid(_))));
}

#[test]
fn public_keys_are_public() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let published = keystore.public_keys("default").unwrap();
    let json = serde_json::to_value(&published).unwrap();
    let gateway = &json["keys"][1];
    assert_eq!(json["keys"].as_array().map(Vec::len), Some(2), "only the gateway's own");
    assert_eq!(gateway["x"], json!("JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko"));
    assert_eq!(gateway["y"], json!("lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I"));
    assert_eq!(
        (&gateway["kid"], &gateway["alg"], &gateway["use"]),
        (&json!("gw-1"), &json!("ECDH-ES+A128KW"), &json!("enc"))
    );
    assert_eq!(gateway["d"], json!(null));
    let cose = published.to_cose_key_set();
    let label = bytes("a6010202446767"); // {1: 2, 2: h'…
    assert!(cose.starts_with(&[0x82]) && cose.windows(4).any(|window| window == &label[..4]));
    let pem = published.to_pem();
    assert_eq!(pem.matches("-----BEGIN PUBLIC KEY-----").count(), 2);
    let d = bytes("852f30499dfa84a3f8df445e87e1fd8ba8847f22ceb53f3f2bc6270a52de9f05");
    assert!(!cose.windows(16).any(|window| window == &d[..16]));
    assert!(keystore.public_keys("other").unwrap().keys().is_empty());
    // What leaves comes back, as an encrypting device would read it.
    assert!(
        p256::pkcs8::DecodePublicKey::from_public_key_pem(
            pem.split_inclusive("-----\n").take(2).collect::<String>().as_str()
        )
        .map(|_: p256::PublicKey| ())
        .is_ok()
    );
}

#[test]
fn administration_beside_a_running_server_is_obeyed() {
    let (folder, server) = on_disk();
    let command = Keystore::open(folder.path(), defaults()).unwrap();
    import(&command, &key_set());
    server.generation().unwrap();
    let id = id_of(&server, "01a2b3c4");
    let before = server.generation().unwrap();
    command.destroy("default", &id, None).unwrap();
    assert_ne!(server.generation().unwrap(), before);
    assert!(server.find("default", Some(Name::Kid(&bytes("01a2b3c4")))).unwrap().is_empty());
}
