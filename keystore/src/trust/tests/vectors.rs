//! The certificates of the CMS vectors, each as its messages ask for it.

use std::path::PathBuf;

use crate::fixture::defaults;
use crate::key::Algorithm;
use crate::trust::tests::authority::{AT, ask, import, known, signer};
use crate::trust::{Certified, Chain, Flaw};
use crate::{ImportOptions, Keystore};

fn keys() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/openssl-cms/keys");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no vectors at {}", folder.display());
    None
}

fn der(folder: &std::path::Path, name: &str) -> Vec<u8> {
    use base64ct::{Base64, Encoding};
    let pem = std::fs::read_to_string(folder.join(name)).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    Base64::decode_vec(&body).unwrap()
}

#[test]
fn the_certificates_of_the_cms_vectors() {
    let Some(folder) = keys() else { return };
    let untouched = |name| known(name);
    let rows: [(&str, &[&str], &str, _); 21] = [
        ("sig-p256", &[], "", untouched("sig-p256")),
        ("sig-p256", &[], "root.crl.pem", untouched("sig-p256")),
        ("sig-p384", &[], "root.crl.pem", untouched("sig-p384")),
        ("sig-rsa", &[], "root.crl.pem", untouched("sig-rsa")),
        ("sig-ed25519", &[], "root.crl.pem", untouched("sig-ed25519")),
        ("sig-rsa-rsaca", &[], "root.crl.pem", untouched("sig-rsa-rsaca")),
        ("sig-inter", &["inter"], "root.crl.pem", untouched("sig-inter")),
        ("sig-inter", &[], "", Ok(None)),
        ("sig-rogue", &[], "root.crl.pem", Ok(None)),
        ("sig-rogue-samename", &[], "", Err(Flaw::Path)),
        ("sig-expired", &[], "root.crl.pem", Err(Flaw::Expired)),
        ("sig-future", &[], "root.crl.pem", Err(Flaw::NotYetValid)),
        ("sig-revoked", &[], "root.crl.pem", Err(Flaw::Revoked)),
        ("sig-revoked", &[], "", untouched("sig-revoked")),
        ("sig-noku", &[], "root.crl.pem", Err(Flaw::KeyUsage)),
        ("sig-critunk", &[], "root.crl.pem", Err(Flaw::Unreadable)),
        ("sig-notca-child", &["sig-p256"], "root.crl.pem", Err(Flaw::Path)),
        ("sig-pathlen", &["inter2", "inter"], "root.crl.pem", Err(Flaw::Path)),
        ("sig-rsa1024", &[], "root.crl.pem", Err(Flaw::Key)),
        ("sig-p256", &[], "root-stale.crl.pem", Err(Flaw::Status)),
        ("sig-codesign", &[], "", Err(Flaw::Purpose)),
    ];
    for (name, others, crl, expected) in rows {
        let keystore = Keystore::ephemeral(defaults()).unwrap();
        let anchors = std::fs::read(folder.join("trust.pem")).unwrap();
        keystore.import(&anchors, &ImportOptions { anchor: true, ..ImportOptions::default() }).unwrap();
        if !crl.is_empty() {
            import(&keystore, &std::fs::read(folder.join(crl)).unwrap());
        }
        let others: Vec<_> = others.iter().map(|name| der(&folder, &format!("{name}.crt.pem"))).collect();
        let others: Vec<_> = others.iter().map(Vec::as_slice).collect();
        let leaf = der(&folder, &format!("{name}.crt.pem"));
        assert_eq!(ask(&keystore, &signer(&leaf, &others)), expected, "{name} with {crl:?}");
    }
}

#[test]
fn what_is_off_by_default_elsewhere_is_normal_in_cms() {
    let Some(folder) = keys() else { return };
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    let anchors = std::fs::read(folder.join("trust.pem")).unwrap();
    keystore.import(&anchors, &ImportOptions { anchor: true, ..ImportOptions::default() }).unwrap();
    let leaf = der(&folder, "sig-rsa.crt.pem");
    for (format, pkcs1) in [("cms", true), ("cose", false), ("jose", false)] {
        let Certified::Known(key) = keystore.certified("default", &Chain { format, ..signer(&leaf, &[]) }, AT).unwrap()
        else {
            panic!("{format}")
        };
        let algs = &key.policy.algs;
        assert_eq!((algs.contains(&Algorithm::Rs256), algs.contains(&Algorithm::Ps256)), (pkcs1, true), "{format}");
    }
}

#[test]
fn the_manufacturers_certificate_of_the_cms_vectors_names_its_module() {
    let Some(folder) = keys() else { return };
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    let anchors = std::fs::read(folder.join("trust.pem")).unwrap();
    keystore.import(&anchors, &ImportOptions { anchor: true, ..ImportOptions::default() }).unwrap();
    let (leaf, inter) = (der(&folder, "sig-idevid.crt.pem"), der(&folder, "inter.crt.pem"));
    let device = ask(&keystore, &signer(&leaf, &[&inter])).unwrap().unwrap();
    assert!(device.ends_with(":534e2d30303031"), "{device}");
}
