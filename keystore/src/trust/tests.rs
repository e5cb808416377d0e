//! Paths: each rule is a row with a twin that differs in what the rule looks at, and passes.

mod authority;
mod devices;
mod pins;
mod revoked;
mod vectors;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Purpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SerialNumber,
    date_time_ymd,
};

use crate::fixture::{defaults, on_disk};
use crate::key::{Algorithm, Name};
use crate::recipe::Recipe;
use crate::trust::{Certified, Chain, Flaw, Usage};
use crate::{ImportOptions, Keystore};
use authority::{AT, Authority, anchor, ask, ask_at, import, key, known, says, says_ca, says_device, signer, trusting};

#[test]
fn a_path_to_an_anchor_gives_a_key_that_verifies() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let key = key();
    let leaf = root.issue(&says_device("meter-7"), &key);
    let Certified::Known(certified) = keystore.certified("default", &signer(&leaf, &[]), AT).unwrap() else {
        panic!("unknown")
    };
    assert_eq!(certified.id, format!("x5c:{}", hex::encode(crate::certificate::sha256(&leaf))));
    assert_eq!((certified.device.as_deref(), certified.policy.endpoint.as_deref()), (Some("meter-7"), Some("meter-7")));
    assert_eq!((certified.private, certified.version, certified.kid.len()), (false, 1, 32));
    assert!(certified.not_before.is_some_and(|from| from < AT) && certified.not_after.is_some_and(|until| AT < until));
    let signature = sign(&key, b"message");
    for (message, holds) in [(&b"message"[..], true), (b"massage", false)] {
        let recipe = Recipe::Verify {
            key: &certified,
            algorithm: Algorithm::Es256,
            messages: &[message],
            signature: &signature,
        };
        let ran = keystore.run(&recipe);
        assert_eq!(ran.is_ok_and(|(_, authentic)| authentic.proves_sender()), holds);
    }
}

fn sign(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der()).unwrap();
    key.sign(&aws_lc_rs::rand::SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

/// A change to what a device's certificate says.
type Change = fn(&mut CertificateParams);

#[test]
fn what_a_certificate_may_say() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let rows: [(&str, Change, Result<(), Flaw>); 16] = [
        ("as it should be", |_| {}, Ok(())),
        ("no keyUsage", |says| says.key_usages.clear(), Ok(())),
        ("nonRepudiation", |says| says.key_usages = vec![KeyUsagePurpose::ContentCommitment], Ok(())),
        ("keyAgreement", |says| says.key_usages = vec![KeyUsagePurpose::KeyAgreement], Err(Flaw::KeyUsage)),
        ("keyEncipherment", |says| says.key_usages = vec![KeyUsagePurpose::KeyEncipherment], Err(Flaw::KeyUsage)),
        ("clientAuth", |says| says.extended_key_usages = vec![Purpose::ClientAuth], Ok(())),
        ("any purpose", |says| says.extended_key_usages = vec![Purpose::Any], Ok(())),
        (
            "clientAuth among others",
            |says| says.extended_key_usages = vec![Purpose::CodeSigning, Purpose::ClientAuth],
            Ok(()),
        ),
        ("serverAuth", |says| says.extended_key_usages = vec![Purpose::ServerAuth], Err(Flaw::Purpose)),
        ("codeSigning", |says| says.extended_key_usages = vec![Purpose::CodeSigning], Err(Flaw::Purpose)),
        ("expired", |says| says.not_after = date_time_ymd(2026, 5, 31), Err(Flaw::Expired)),
        ("not yet valid", |says| says.not_before = date_time_ymd(2026, 6, 2), Err(Flaw::NotYetValid)),
        ("no end (IDevID)", |says| says.not_after = date_time_ymd(9999, 12, 31), Ok(())),
        ("a CA", |says| says.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), Err(Flaw::Path)),
        ("an unknown extension", |says| says.custom_extensions.push(extension(false)), Ok(())),
        ("an unknown critical one", |says| says.custom_extensions.push(extension(true)), Err(Flaw::Unreadable)),
    ];
    for (what, change, expected) in rows {
        let mut says = says_device("meter-7");
        change(&mut says);
        let leaf = root.issue(&says, &key());
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), expected.map(|()| Some("meter-7".to_owned())), "{what}");
    }
}

fn extension(critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
    extension.set_criticality(critical);
    extension
}

#[test]
fn purposes_are_widened_by_the_anchors_owner_or_the_compat_name() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let mut says = says_device("meter-7");
    says.extended_key_usages = vec![Purpose::CodeSigning];
    let leaf = root.issue(&says, &key());
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Err(Flaw::Purpose));
    assert_eq!(ask(&keystore, &Chain { any_purpose: true, ..signer(&leaf, &[]) }), known("meter-7"));
    // What was taken under the compat name is not taken without it.
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Err(Flaw::Purpose));
    let options = ImportOptions { purposes: vec!["1.3.6.1.5.5.7.3.3".to_owned()], ..ImportOptions::default() };
    anchor(&keystore, &root.der, &options);
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), known("meter-7"));
}

#[test]
fn every_certificate_of_the_path_is_held_to_the_rules_of_a_ca() {
    let rows: [(&str, Change, Result<(), Flaw>); 8] = [
        ("as it should be", |_| {}, Ok(())),
        ("no keyUsage", |says| says.key_usages.clear(), Ok(())),
        ("keyUsage without keyCertSign", |says| says.key_usages = vec![KeyUsagePurpose::CrlSign], Err(Flaw::KeyUsage)),
        ("no CA", |says| says.is_ca = IsCa::ExplicitNoCa, Err(Flaw::Path)),
        ("no basicConstraints", |says| says.is_ca = IsCa::NoCa, Err(Flaw::Path)),
        ("expired", |says| says.not_after = date_time_ymd(2026, 5, 31), Err(Flaw::Expired)),
        ("for servers", |says| says.extended_key_usages = vec![Purpose::ServerAuth], Err(Flaw::Purpose)),
        ("pathLen 0, as the last", |says| says.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)), Ok(())),
    ];
    let root = Authority::root(says_ca("root"));
    for (what, change, expected) in rows {
        let (_folder, keystore) = trusting(&root);
        let mut says = says_ca("between");
        change(&mut says);
        let between = root.authority(says);
        let leaf = between.device("meter-7");
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), Ok(None), "{what}: without it nobody is known");
        let expected = expected.map(|()| Some("meter-7".to_owned()));
        assert_eq!(ask(&keystore, &signer(&leaf, &[&between.der])), expected, "{what}: in the message");
        assert_eq!(import(&keystore, &between.der).kind, "certificate");
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), expected, "{what}: recorded");
    }
}

#[test]
fn a_path_may_be_as_long_as_its_cas_say() {
    for (longest, expected) in [(0, Err(Flaw::Path)), (1, known("meter-7"))] {
        let root = Authority::root(says_ca("root"));
        let (_folder, keystore) = trusting(&root);
        let mut says = says_ca("first");
        says.is_ca = IsCa::Ca(BasicConstraints::Constrained(longest));
        let first = root.authority(says);
        let second = first.authority(says_ca("second"));
        let leaf = second.device("meter-7");
        assert_eq!(ask(&keystore, &signer(&leaf, &[&second.der, &first.der])), expected);
    }
}

#[test]
fn names_stay_within_the_constraints_of_a_ca() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let mut says = says_ca("between");
    let permitted = vec![GeneralSubtree::DnsName("plant.example".to_owned())];
    says.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    let between = root.authority(says);
    for (host, expected) in [("m7.plant.example", known("meter-7")), ("m7.other.example", Err(Flaw::Path))] {
        let mut says = says_device("meter-7");
        says.subject_alt_names.push(SanType::DnsName(host.try_into().unwrap()));
        let leaf = between.issue(&says, &key());
        assert_eq!(ask(&keystore, &signer(&leaf, &[&between.der])), expected, "{host}");
    }
}

#[test]
fn nobody_is_known_without_an_anchor_and_a_namesake_is_none() {
    let (root, namesake) = (Authority::root(says_ca("root")), Authority::root(says_ca("root")));
    let stranger = Authority::root(says_ca("stranger"));
    let (_folder, keystore) = trusting(&root);
    assert_eq!(ask(&keystore, &signer(&stranger.device("meter-7"), &[&stranger.der])), Ok(None));
    // Same subject, same issuer, same serial number: known by name, and not by its key.
    let (honest, rogue) = (root.device("meter-7"), namesake.device("meter-7"));
    assert_eq!(ask(&keystore, &signer(&honest, &[])), known("meter-7"));
    assert_eq!(ask(&keystore, &signer(&rogue, &[])), Err(Flaw::Path));
    assert_eq!(ask(&keystore, &signer(&rogue, &[&namesake.der])), Err(Flaw::Path));
    // A candidate is not trusted for being recorded.
    assert_eq!(import(&keystore, &namesake.der).kind, "certificate");
    import(&keystore, &stranger.der);
    assert_eq!(ask(&keystore, &signer(&rogue, &[])), Err(Flaw::Path));
    assert_eq!(ask(&keystore, &signer(&stranger.device("meter-7"), &[])), Ok(None));
    let elsewhere = keystore.certified("other", &signer(&honest, &[]), AT).unwrap();
    assert!(matches!(elsewhere, Certified::Unknown), "of another tenant");
}

#[test]
fn an_anchor_is_a_ca_and_valid_itself() {
    let (_folder, keystore) = on_disk();
    let refused = |der: &[u8]| {
        let options = ImportOptions { anchor: true, ..ImportOptions::default() };
        keystore.import(der, &options).unwrap_err().to_string()
    };
    let device = Authority::root(says_device("meter-7"));
    assert!(refused(&device.der).contains("must be the certificate of a CA"));
    let mut says = says_ca("root");
    says.key_usages = vec![KeyUsagePurpose::CrlSign];
    assert!(refused(&Authority::root(says).der).contains("keyCertSign"));
    assert!(refused(crate::fixture::SIGNER_JWK.as_bytes()).contains("only a certificate"));
    let mut says = says_ca("root");
    says.not_after = date_time_ymd(2026, 5, 31);
    let root = Authority::root(says);
    anchor(&keystore, &root.der, &ImportOptions::default());
    let leaf = root.device("meter-7");
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Err(Flaw::Expired));
    assert_eq!(ask_at(&keystore, &signer(&leaf, &[]), AT - 86_400_000 * 2), known("meter-7"));
}

#[test]
fn a_key_that_agreed_needs_another_usage_than_one_that_signed() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let mut says = says("meter-7");
    says.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let (agrees, signs) = (root.issue(&says, &key()), root.device("meter-7"));
    let agreed = |leaf| Chain { usage: Usage::Agrees, ..signer(leaf, &[]) };
    assert_eq!(ask(&keystore, &agreed(&agrees)), known("meter-7"));
    assert_eq!(ask(&keystore, &agreed(&signs)), Err(Flaw::KeyUsage));
    assert_eq!(ask(&keystore, &signer(&agrees, &[])), Err(Flaw::KeyUsage));
    assert_eq!(ask(&keystore, &signer(&signs, &[])), known("meter-7"));
    let Certified::Known(key) = keystore.certified("default", &agreed(&agrees), AT).unwrap() else { panic!() };
    assert!(!key.policy.algs.is_empty() && key.policy.algs.iter().all(|algorithm| algorithm.is_static()));
}

#[test]
fn the_anchors_policy_is_that_of_every_key_under_it() {
    let (_folder, keystore) = on_disk();
    let root = Authority::root(says_ca("root"));
    let options = ImportOptions {
        algs: vec!["ES384".to_owned(), "EdDSA".to_owned()],
        profile: Some("paperknife-1".to_owned()),
        ..ImportOptions::default()
    };
    anchor(&keystore, &root.der, &options);
    let of = |algorithm, format| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let leaf = root.issue(&says_device("meter-7"), &key);
        match keystore.certified("default", &Chain { format, ..signer(&leaf, &[]) }, AT).unwrap() {
            Certified::Known(key) => Ok((key.policy.algs.clone(), key.policy.strict_profile)),
            Certified::Unusable(flaw) => Err(flaw),
            Certified::Unknown => panic!("unknown"),
        }
    };
    assert_eq!(of(&PKCS_ECDSA_P384_SHA384, "cms"), Ok((vec![Algorithm::Es384], true)));
    assert_eq!(of(&PKCS_ED25519, "cose"), Ok((vec![Algorithm::Ed25519], true)));
    anchor(&keystore, &root.der, &ImportOptions { algs: vec!["EdDSA".to_owned()], ..ImportOptions::default() });
    assert_eq!(of(&PKCS_ECDSA_P384_SHA384, "cms"), Err(Flaw::Key));
    // Where nothing is stated, whatever the key can do.
    anchor(&keystore, &root.der, &ImportOptions::default());
    let (algs, strict) = of(&rcgen::PKCS_ECDSA_P256_SHA256, "cms").unwrap();
    assert!(algs.contains(&Algorithm::Es256) && algs.iter().all(|algorithm| algorithm.is_signature()) && !strict);
}

#[test]
fn limits_come_first() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let leaf = root.device("meter-7");
    let (big, root) = (vec![0x30; 16 * 1024 + 1], root.der.as_slice());
    assert_eq!(ask(&keystore, &signer(&leaf, &[root; 16])), known("meter-7"));
    for chain in [signer(&leaf, &[root; 17]), signer(&leaf, &[&big]), signer(&big, &[])] {
        assert_eq!(ask(&keystore, &chain), Err(Flaw::TooLarge));
    }
    assert_eq!(ask(&keystore, &signer(&leaf, &[&big[1..], &[], b"\x30\x80"])), known("meter-7"), "others do not count");
    assert_eq!(ask(&keystore, &signer(&big[1..], &[])), Err(Flaw::Unreadable));
}

#[test]
fn of_namesakes_that_come_with_a_certificate_three_are_tried() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let between = root.authority(says_ca("between"));
    let wrong: Vec<_> = (0..3).map(|_| root.authority(says_ca("between")).der).collect();
    let leaf = between.device("meter-7");
    assert_eq!(ask(&keystore, &signer(&leaf, &[&wrong[0], &wrong[1], &wrong[2], &between.der])), Err(Flaw::Path));
    assert_eq!(ask(&keystore, &signer(&leaf, &[&wrong[0], &wrong[1], &between.der, &wrong[2]])), known("meter-7"));
    // What is recorded counts beside them.
    import(&keystore, &between.der);
    let leaf = between.device("meter-8");
    assert_eq!(ask(&keystore, &signer(&leaf, &[&wrong[0], &wrong[1], &wrong[2]])), known("meter-8"));
}

#[test]
fn a_path_is_kept_by_certificate_and_while_it_holds() {
    let (root, namesake) = (Authority::root(says_ca("root")), Authority::root(says_ca("root")));
    let (_folder, keystore) = trusting(&root);
    let mut says = says_device("meter-7");
    (says.not_before, says.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
    let leaf = root.issue(&says, &key());
    let day = 86_400_000;
    for (at, expected) in [
        (AT, known("meter-7")),
        (AT + day, known("meter-7")),
        (AT + 366 * day, Err(Flaw::Expired)),
        (AT - 366 * day, Err(Flaw::NotYetValid)),
        (AT, known("meter-7")),
    ] {
        assert_eq!(ask_at(&keystore, &signer(&leaf, &[]), at), expected);
    }
    assert_eq!(ask(&keystore, &signer(&namesake.issue(&says, &key()), &[])), Err(Flaw::Path), "same issuer and serial");
    // What is kept ends with the anchor.
    let id = hex::encode(crate::certificate::sha256(&root.der));
    keystore.forget("default", &id).unwrap();
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Ok(None));
    assert!(keystore.forget("default", &id).is_err());
}

#[test]
fn another_process_anchor_is_known_after_generation() {
    let root = Authority::root(says_ca("root"));
    let (folder, keystore) = on_disk();
    let leaf = root.device("meter-7");
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), Ok(None));
    let other = Keystore::open(folder.path(), defaults()).unwrap();
    anchor(&other, &root.der, &ImportOptions::default());
    keystore.generation().unwrap();
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), known("meter-7"));
}

#[test]
fn an_edited_row_is_not_trusted() {
    let (root, rogue) = (Authority::root(says_ca("root")), Authority::root(says_ca("rogue")));
    let (folder, keystore) = trusting(&root);
    import(&keystore, &rogue.der);
    let leaf = rogue.device("meter-7");
    let file = rusqlite::Connection::open(folder.path().join("keystore.db")).unwrap();
    let edits = [
        "UPDATE certificate SET role = 'anchor', policy = (SELECT policy FROM certificate WHERE role = 'anchor')",
        "UPDATE certificate SET tenant = 'default', created = created + 1",
        "UPDATE certificate SET der = (SELECT der FROM certificate WHERE role = 'candidate')",
        "UPDATE certificate SET mac = zeroblob(36)",
    ];
    for edit in edits {
        file.execute_batch(&format!("CREATE TEMP TABLE before AS SELECT * FROM certificate; {edit}")).unwrap();
        keystore.generation().unwrap();
        assert!(keystore.certified("default", &signer(&leaf, &[]), AT).is_err(), "{edit}");
        assert!(keystore.certificates("default").is_err(), "{edit}");
        let restore = "DELETE FROM certificate; INSERT INTO certificate SELECT * FROM before; DROP TABLE before";
        file.execute_batch(restore).unwrap();
        keystore.generation().unwrap();
        assert_eq!(ask(&keystore, &signer(&leaf, &[])), Ok(None), "{edit}");
    }
}

#[test]
fn a_candidate_is_found_by_its_names_and_the_path_decides() {
    let (root, stranger) = (Authority::root(says_ca("root")), Authority::root(says_ca("stranger")));
    let (_folder, keystore) = trusting(&root);
    let mut says = says_device("meter-7");
    says.serial_number = Some(SerialNumber::from_slice(&[0x81, 2, 3]));
    let (leaf, other) = (root.issue(&says, &key()), stranger.device("meter-8"));
    for der in [&leaf, &other] {
        assert_eq!(import(&keystore, der).kind, "certificate");
    }
    let issuer = hex::decode("300f310d300b06035504030c04726f6f74").unwrap();
    let by_serial = Name::IssuerSerial { issuer: &issuer, serial: &[0, 0x81, 2, 3] };
    let sha256 = crate::certificate::sha256(&leaf);
    let by_hash = Name::Thumbprint { hash: -16, value: &sha256 };
    for name in [by_serial, by_hash] {
        assert_eq!(keystore.candidates("default", name).unwrap(), std::slice::from_ref(&leaf), "{name:?}");
        assert!(keystore.candidates("other", name).unwrap().is_empty());
        assert!(keystore.find("default", Some(name)).unwrap().is_empty(), "it is no key of its own");
    }
    assert_eq!(ask(&keystore, &signer(&leaf, &[])), known("meter-7"));
    assert_eq!(ask(&keystore, &signer(&other, &[])), Ok(None));
}

#[test]
fn what_is_recorded_is_listed() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let between = root.authority(says_ca("between"));
    import(&keystore, &between.der);
    import(&keystore, &root.crl(2026, &[9]));
    let listed = keystore.certificates("default").unwrap();
    let shown: Vec<_> = listed.iter().map(|of| (of.role, of.subject.as_str(), of.issuer.as_str())).collect();
    assert_eq!(shown, [("anchor", "CN=root", "CN=root"), ("candidate", "CN=between", "CN=root")]);
    assert!(listed[0].policy.is_some() && listed[1].policy.is_none());
    let crls = keystore.crls("default").unwrap();
    assert_eq!((crls.len(), crls[0].revoked, crls[0].verified, crls[0].readable), (1, 1, true, true));
    assert!(keystore.certificates("other").unwrap().is_empty() && keystore.crls("other").unwrap().is_empty());
    // An anchor that comes again as part of a chain stays one.
    assert_eq!(import(&keystore, &root.der).kind, "certificate");
    assert_eq!(keystore.certificates("default").unwrap()[0].role, "anchor");
}
