//! CRLs: what is recorded of an issuer is meant.

use rcgen::KeyUsagePurpose;

use crate::fixture::on_disk;
use crate::trust::Flaw;
use crate::trust::tests::authority::{AT, Authority, anchor, ask, ask_at, import, known, says_ca, signer, trusting};
use crate::{ImportOptions, Keystore};

/// The serial number of every certificate of these tests, and one of none.
const OURS: u8 = 7;
const OTHERS: u8 = 9;

/// DER of a CRL with one octet of its signature changed.
fn badly_signed(mut crl: Vec<u8>) -> Vec<u8> {
    *crl.last_mut().unwrap() ^= 1;
    crl
}

/// A CRL as RFC 2459 had it: no number, no extensions. Its signature is that of another.
fn without_extensions(crl: &[u8]) -> Vec<u8> {
    use crate::certificate::der::sequence;
    use x509_cert::der::{Decode, Encode};
    let mut parsed = x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(crl).unwrap();
    parsed.tbs_cert_list.crl_extensions = None;
    let parts = [
        parsed.tbs_cert_list.to_der().unwrap(),
        parsed.signature_algorithm.to_der().unwrap(),
        parsed.signature.to_der().unwrap(),
    ];
    sequence(&parts.concat())
}

#[test]
fn a_crl_is_obeyed_and_one_that_cannot_be_used_fails_closed() {
    let root = Authority::root(says_ca("root"));
    let (stranger, namesake) = (Authority::root(says_ca("stranger")), Authority::root(says_ca("root")));
    let leaf = root.device("meter-7");
    let rows = [
        ("none", None, known("meter-7")),
        ("of others", Some(root.crl(2026, &[OTHERS])), known("meter-7")),
        ("empty", Some(root.crl(2026, &[])), known("meter-7")),
        ("revoked", Some(root.crl(2026, &[OTHERS, OURS])), Err(Flaw::Revoked)),
        ("stale", Some(root.crl(2010, &[])), Err(Flaw::Status)),
        ("badly signed", Some(badly_signed(root.crl(2026, &[]))), Err(Flaw::Status)),
        ("of a namesake", Some(namesake.crl(2026, &[])), Err(Flaw::Status)),
        ("unreadable", Some(without_extensions(&root.crl(2026, &[]))), Err(Flaw::Status)),
        ("of another issuer", Some(stranger.crl(2026, &[OURS])), known("meter-7")),
    ];
    for (what, crl, expected) in rows {
        let (_folder, keystore) = trusting(&root);
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), known("meter-7"), "{what}: before");
        if let Some(crl) = crl {
            assert_eq!(import(&keystore, &crl).kind, "crl");
        }
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), expected, "{what}");
    }
}

#[test]
fn the_whole_path_is_asked_for() {
    let root = Authority::root(says_ca("root"));
    let between = root.authority(says_ca("between"));
    let leaf = between.device("meter-7");
    let rows = [
        ("root, of others", root.crl(2026, &[OTHERS]), known("meter-7")),
        ("root", root.crl(2026, &[OURS]), Err(Flaw::Revoked)),
        ("root, stale", root.crl(2010, &[]), Err(Flaw::Status)),
        ("between", between.crl(2026, &[OURS]), Err(Flaw::Revoked)),
        ("between, of others", between.crl(2026, &[OTHERS]), known("meter-7")),
        ("between, unreadable", without_extensions(&between.crl(2026, &[])), Err(Flaw::Status)),
    ];
    for (what, crl, expected) in rows {
        let (_folder, keystore) = trusting(&root);
        import(&keystore, &crl);
        assert_eq!(ask(&keystore, &signer(&leaf, &[&between.der])), expected, "{what}");
    }
}

#[test]
fn of_the_crls_of_an_issuer_the_newest_that_verifies_is_kept() {
    let root = Authority::root(says_ca("root"));
    let (old, new) = (root.crl(2025, &[]), root.crl(2026, &[OURS]));
    let (bad_old, bad_new) = (badly_signed(root.crl(2024, &[])), badly_signed(root.crl(2026, &[])));
    let rows: [(&str, &[&[u8]], _); 6] = [
        ("old, new", &[&old, &new], Err(Flaw::Revoked)),
        ("new, old", &[&new, &old], Err(Flaw::Revoked)),
        ("bad, good", &[&bad_new, &old], known("meter-7")),
        ("good, bad", &[&old, &bad_new], known("meter-7")),
        ("bad, bad", &[&bad_old, &bad_new], Err(Flaw::Status)),
        ("again", &[&new, &new], Err(Flaw::Revoked)),
    ];
    let leaf = root.device("meter-7");
    for (what, crls, expected) in rows {
        let (_folder, keystore) = trusting(&root);
        crls.iter().for_each(|crl| drop(import(&keystore, crl)));
        assert_eq!(keystore.crls("default").unwrap().len(), 1, "{what}");
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), expected, "{what}");
    }
}

#[test]
fn where_policy_wants_a_crl_there_must_be_one_of_every_issuer() {
    let (_folder, keystore) = on_disk();
    let root = Authority::root(says_ca("root"));
    anchor(&keystore, &root.der, &ImportOptions { revocation_required: true, ..ImportOptions::default() });
    let between = root.authority(says_ca("between"));
    let (near, far) = (root.device("meter-7"), between.device("meter-8"));
    let of = |keystore: &Keystore| (ask(keystore, &signer(&near, &[])), ask(keystore, &signer(&far, &[&between.der])));
    assert_eq!(of(&keystore), (Err(Flaw::Status), Err(Flaw::Status)));
    import(&keystore, &root.crl(2026, &[]));
    assert_eq!(of(&keystore), (known("meter-7"), Err(Flaw::Status)));
    import(&keystore, &between.crl(2026, &[]));
    assert_eq!(of(&keystore), (known("meter-7"), known("meter-8")));
    let id = keystore.crls("default").unwrap()[0].id.clone();
    keystore.forget("default", &id).unwrap();
    assert_eq!(of(&keystore), (Err(Flaw::Status), Err(Flaw::Status)));
}

#[test]
fn an_anchor_that_may_not_sign_crls_has_none() {
    let mut says = says_ca("root");
    let rows = [
        (vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign], known("meter-7")),
        (Vec::new(), known("meter-7")),
        (vec![KeyUsagePurpose::KeyCertSign], Err(Flaw::Status)),
    ];
    for (usages, expected) in rows {
        // rcgen lets only who may sign a CRL do so: the CRL comes from one that may.
        says.key_usages = usages;
        let root = Authority::root(says.clone());
        let crl = root.may_sign_crls().crl(2026, &[]);
        let (_folder, keystore) = trusting(&root);
        import(&keystore, &crl);
        assert_eq!(ask(&keystore, &signer(&root.device("meter-7"), &[])), expected, "{:?}", says.key_usages);
    }
}

#[test]
fn a_kept_path_ends_with_its_crl() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    import(&keystore, &root.crl(2020, &[]));
    let leaf = root.device("meter-7");
    let before_2030 = 1_893_456_000_000 - 1;
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), known("meter-7"));
    assert_eq!(ask_at(&keystore, &signer(&leaf, &[]), before_2030), known("meter-7"));
    assert_eq!(ask_at(&keystore, &signer(&leaf, &[]), before_2030 + 1_000), Err(Flaw::Status));
    import(&keystore, &root.crl(2026, &[OURS]));
    assert_eq!(ask_at(&keystore, &signer(&leaf, &[]), AT), Err(Flaw::Revoked));
}

#[test]
fn an_edited_crl_fails_closed() {
    let root = Authority::root(says_ca("root"));
    let (folder, keystore) = trusting(&root);
    import(&keystore, &root.crl(2026, &[OURS]));
    let leaf = root.device("meter-7");
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Err(Flaw::Revoked));
    let file = rusqlite::Connection::open(folder.path().join("keystore.db")).unwrap();
    file.execute("UPDATE crl SET der = ?", [root.crl(2026, &[])]).unwrap();
    keystore.generation().unwrap();
    assert!(keystore.certified("default", &signer(&leaf, &[]), AT).is_err());
}
