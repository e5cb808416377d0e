//! Pins: a certificate, or its key alone, that an operator vouches for; and the certificates of our own keys.

use rcgen::{ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd};

use crate::fixture::{defaults, on_disk};
use crate::key::{KeyRef, Name, Status};
use crate::trust::tests::authority::{
    AT, Authority, anchor, ask, ask_at, import, key, known, says, says_ca, says_device, signer, trusting,
};
use crate::trust::{Certified, Chain, Flaw, Usage};
use crate::{ImportOptions, Keystore};

fn pinned_to(device: &str) -> ImportOptions {
    ImportOptions { device: Some(device.to_owned()), algs: vec!["ES256".to_owned()], ..ImportOptions::default() }
}

fn certified(keystore: &Keystore, leaf: &[u8]) -> KeyRef {
    match keystore.certified("default", &signer(leaf, &[]), AT).unwrap() {
        Certified::Known(key) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pin_needs_no_path_and_comes_before_it() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let (alone, under) = (Authority::root(says_device("self")).der, root.device("meter-8"));
    assert_eq!(ask(&keystore, &signer(&alone, &[])), Ok(None));
    assert_eq!(ask(&keystore, &signer(&under, &[])), known("meter-8"));
    for (leaf, device) in [(&alone, "meter-7"), (&under, "gauge-8")] {
        let imported = keystore.import(leaf, &pinned_to(device)).unwrap().remove(0);
        assert_eq!((imported.kind, imported.device.as_deref()), ("key", Some(device)));
        assert_eq!(certified(&keystore, leaf).id, imported.id);
        assert_eq!(ask(&keystore, &signer(leaf, &[])), known(device));
    }
    assert!(matches!(keystore.certified("other", &signer(&alone, &[]), AT).unwrap(), Certified::Unknown));
}

#[test]
fn a_pinned_key_stands_for_every_certificate_of_it() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let key = key();
    keystore
        .import(key.public_key_pem().as_bytes(), &ImportOptions { kid: Some(vec![7]), ..pinned_to("meter-7") })
        .unwrap();
    let (alone, under) = (says_device("x").self_signed(&key).unwrap(), root.issue(&says_device("y"), &key));
    assert_eq!(ask(&keystore, &signer(alone.der(), &[])), known("meter-7"));
    assert_eq!(ask(&keystore, &signer(&under, &[])), known("meter-7"));
}

#[test]
fn a_pin_replaces_the_path_alone() {
    let (_folder, keystore) = on_disk();
    let mut expired = says_device("a");
    expired.not_after = date_time_ymd(2026, 5, 31);
    let mut agrees = says("b");
    agrees.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let mut server = says_device("c");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let rows = [
        (says_device("d"), known("meter-7")),
        (expired, Err(Flaw::Expired)),
        (agrees, Err(Flaw::KeyUsage)),
        (server, Err(Flaw::Purpose)),
    ];
    for (says, expected) in rows {
        let leaf = Authority::root(says).der;
        keystore.import(&leaf, &pinned_to("meter-7")).unwrap();
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), expected);
        let day_before = ask_at(&keystore, &signer(&leaf, &[]), AT - 2 * 86_400_000);
        assert!(expected != Err(Flaw::Expired) || day_before == known("meter-7"));
        let agreed = Chain { usage: Usage::Agrees, ..signer(&leaf, &[]) };
        assert!(ask(&keystore, &agreed).is_err(), "a signer's key agrees on nothing");
    }
}

#[test]
fn a_pin_that_was_withdrawn_is_not_trusted_by_a_path() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let leaf = root.device("meter-7");
    let id = keystore.import(&leaf, &pinned_to("meter-7")).unwrap().remove(0).id;
    keystore.disable("default", &id, None, "stolen").unwrap();
    assert_eq!(certified(&keystore, &leaf).status, Status::Disabled, "the guard refuses it");
    keystore.destroy("default", &id, None).unwrap();
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Err(Flaw::Withdrawn));
}

#[test]
fn a_chain_file_pins_its_first_and_records_the_others() {
    let root = Authority::root(says_ca("root"));
    let between = root.authority(says_ca("between"));
    let (leaf, next) = (between.device("a"), between.device("meter-8"));
    let pem = [&leaf, &between.der, &root.der].map(|der| pem(der)).concat();
    let (_folder, keystore) = on_disk();
    let imported = keystore.import(pem.as_bytes(), &pinned_to("meter-7")).unwrap();
    let kinds: Vec<_> = imported.iter().map(|of| of.kind).collect();
    assert_eq!(kinds, ["key", "certificate", "certificate"]);
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), known("meter-7"));
    assert_eq!(ask(&keystore, &signer(&next, &[])), Ok(None), "none of them is an anchor");
    anchor(&keystore, &root.der, &ImportOptions::default());
    assert_eq!(ask(&keystore, &signer(&next, &[])), known("meter-8"));
}

fn pem(der: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    let text = Base64::encode_string(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[test]
fn offline_a_certificate_proves_itself_until_there_are_anchors() {
    let root = Authority::root(says_ca("root"));
    let between = root.authority(says_ca("between"));
    let leaf = between.device("meter-7");
    let alone = Keystore::ephemeral(defaults()).unwrap();
    import(&alone, &leaf);
    let device = ask(&alone, &signer(&leaf, &[])).unwrap().unwrap();
    assert!(device.starts_with("jwk:"), "{device}");
    let anchored = Keystore::ephemeral(defaults()).unwrap();
    anchor(&anchored, &root.der, &ImportOptions::default());
    assert_eq!(import(&anchored, &leaf).kind, "certificate");
    assert_eq!(ask(&anchored, &signer(&leaf, &[])), Ok(None), "the path decides");
    import(&anchored, &between.der);
    assert_eq!(ask(&anchored, &signer(&leaf, &[])), known("meter-7"));
}

#[test]
fn a_certificate_of_our_own_key_gives_it_its_names_in_whatever_order() {
    let root = Authority::root(says_ca("root"));
    let key = key();
    let mut says = says("gateway");
    says.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    // rcgen gives a SKI to whoever states basicConstraints.
    says.is_ca = IsCa::ExplicitNoCa;
    let certificate = root.issue(&says, &key);
    let private = key.serialize_pem();
    let options = ImportOptions {
        kid: Some(b"gw".to_vec()),
        algs: vec!["ECDH-ES+A128KW".to_owned()],
        ..ImportOptions::default()
    };
    let both = [private.clone(), pem(&certificate)].concat();
    let orders: [&[&[u8]]; 4] = [
        &[private.as_bytes(), &certificate],
        &[&certificate, private.as_bytes()],
        &[both.as_bytes()],
        &[private.as_bytes(), &certificate, private.as_bytes()],
    ];
    for offline in [false, true] {
        for order in orders {
            let (_folder, on_disk) = on_disk();
            let keystore = if offline { Keystore::ephemeral(defaults()).unwrap() } else { on_disk };
            // Offline nobody names algorithms: they follow from the keys.
            let options = if offline { ImportOptions::default() } else { options.clone() };
            for file in order {
                keystore.import(file, &options).unwrap();
            }
            is_ours(&keystore, &certificate);
        }
    }
}

fn is_ours(keystore: &Keystore, certificate: &[u8]) {
    let issuer = hex::decode("300f310d300b06035504030c04726f6f74").unwrap();
    let ski = crate::certificate::Certificate::read(certificate).unwrap().ski.unwrap();
    for name in [Name::IssuerSerial { issuer: &issuer, serial: &[7] }, Name::Ski(&ski)] {
        let found = keystore.find("default", Some(name)).unwrap();
        assert_eq!(found.len(), 1, "{name:?}");
        assert!(found[0].private && found[0].device.is_none());
    }
    let agreed = Chain { usage: Usage::Agrees, ..signer(certificate, &[]) };
    assert!(matches!(keystore.certified("default", &agreed, AT).unwrap(), Certified::Unknown), "ours is no sender's");
}
