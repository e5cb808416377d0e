//! Whose a certificate is: the sources of a device's name, in order.

use rcgen::{CertificateParams, DnType, SanType};

use crate::fixture::{defaults, on_disk};
use crate::trust::Flaw;
use crate::trust::tests::authority::{
    Authority, alternatives, anchor, ask, key, known, says_ca, says_device, signer, trusting,
};
use crate::{ImportOptions, Keystore};

/// hardwareModuleName of type 1.3.6.1.4.1.99999.1 and serial number `SN-0001`; a URI.
const MODULE: &str = "a022 06082b06010505070804 a016 3014 06092b06010401868d1f01 0407534e2d30303031";
const MODULE_NAME: &str = "1.3.6.1.4.1.99999.1:534e2d30303031";
const URI: &str = "8611 75726e3a6465763a6f733a33322d313233";
const URI_NAME: &str = "urn:dev:os:32-123";

fn with(names: &[&str]) -> CertificateParams {
    let mut says = says_device("meter-7");
    says.distinguished_name.push(DnType::from_oid(&[2, 5, 4, 5]), "SN-7");
    let contents: String = names.concat().replace(' ', "");
    if !names.is_empty() {
        says.custom_extensions.push(alternatives(&format!("30{:02x}{contents}", contents.len() / 2)));
    }
    says
}

fn of(root: &Authority, keystore: &Keystore, says: &CertificateParams) -> Result<Option<String>, Flaw> {
    ask(keystore, &signer(&root.issue(says, &key()), &[]))
}

#[test]
fn the_first_source_that_names_exactly_one_device_counts() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let other = MODULE.replace("3031", "3032");
    let broken = MODULE.replace("0407", "0c07");
    let rows: [(&[&str], &str); 9] = [
        (&[MODULE, URI], MODULE_NAME),
        (&[URI, MODULE], MODULE_NAME),
        (&[URI], URI_NAME),
        (&[MODULE], MODULE_NAME),
        (&[], "SN-7"),
        (&[MODULE, &other, URI], URI_NAME),
        (&[MODULE, &broken, URI], URI_NAME),
        (&[URI, URI], "SN-7"),
        (&["8608 75726e3a0a313233"], "SN-7"),
    ];
    for (names, device) in rows {
        assert_eq!(of(&root, &keystore, &with(names)), known(device), "{names:?}");
    }
    assert_eq!(of(&root, &keystore, &says_device("meter-7")), known("meter-7"), "CN comes last");
}

#[test]
fn the_anchors_owner_says_which_sources_count() {
    let (_folder, keystore) = on_disk();
    let root = Authority::root(says_ca("root"));
    let rows: [(&[&str], _); 4] = [
        (&["common-name"], known("meter-7")),
        (&["serial-number", "hardware-module"], known("SN-7")),
        (&["uri", "hardware-module"], known(MODULE_NAME)),
        (&["uri"], Err(Flaw::NoDevice)),
    ];
    for (sources, expected) in rows {
        let device_from = sources.iter().map(|source| (*source).to_owned()).collect();
        anchor(&keystore, &root.der, &ImportOptions { device_from, ..ImportOptions::default() });
        assert_eq!(of(&root, &keystore, &with(&[MODULE])), expected, "{sources:?}");
    }
    let device_from = vec!["cn".to_owned()];
    let options = ImportOptions { anchor: true, device_from, ..ImportOptions::default() };
    assert!(keystore.import(&root.der, &options).unwrap_err().to_string().contains("hardware-module"));
}

#[test]
fn alternative_names_that_cannot_be_read_name_nobody() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    // An OtherName whose type is no OID.
    let found = of(&root, &keystore, &with(&["a006 0c0178 a0010c"]));
    assert_eq!(found, Err(Flaw::Unreadable));
}

#[test]
fn who_is_nobody_is_the_subject_offline_and_none_elsewhere() {
    let root = Authority::root(says_ca("root"));
    let mut says = says_device("meter-7");
    says.distinguished_name = rcgen::DistinguishedName::new();
    says.distinguished_name.push(DnType::OrganizationName, "Example");
    let (_folder, keystore) = trusting(&root);
    assert_eq!(of(&root, &keystore, &says), Err(Flaw::NoDevice));
    let offline = Keystore::ephemeral(defaults()).unwrap();
    anchor(&offline, &root.der, &ImportOptions::default());
    assert_eq!(of(&root, &offline, &says), known("O=Example"));
}

#[test]
fn bytes_are_exact_and_case_counts() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    for name in ["METER-7", "meter-7 ", "mètre-7"] {
        assert_eq!(of(&root, &keystore, &says_device(name)), known(name));
    }
    let mut says = says_device("meter-7");
    says.subject_alt_names.push(SanType::URI("URN:dev:x".try_into().unwrap()));
    assert_eq!(of(&root, &keystore, &says), known("URN:dev:x"));
}

#[test]
fn a_revoked_device_is_nobody_by_whatever_certificate() {
    let root = Authority::root(says_ca("root"));
    let (_folder, keystore) = trusting(&root);
    let (seven, eight) = (root.device("meter-7"), root.device("meter-8"));
    assert_eq!(ask(&keystore, &signer(&seven, &[])), known("meter-7"));
    keystore.device_add("default", "meter-7").unwrap();
    assert_eq!(ask(&keystore, &signer(&seven, &[])), known("meter-7"));
    keystore.device_revoke("default", "meter-7", "stolen").unwrap();
    assert_eq!(ask(&keystore, &signer(&seven, &[])), Err(Flaw::NoDevice));
    assert_eq!(ask(&keystore, &signer(&root.device("meter-7"), &[])), Err(Flaw::NoDevice));
    assert_eq!(ask(&keystore, &signer(&eight, &[])), known("meter-8"));
}
