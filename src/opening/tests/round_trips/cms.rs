//! Every structure of CMS: each recipient under each content encryption, each signature in each form, each pair of layers in
//! both forms of nesting.

use std::sync::LazyLock;

use keystore::{Defaults, ImportOptions, Keystore};
use paperknife_device::cms::algorithm::{Agreement, Encryption, Signature, Wrap};
use paperknife_device::cms::attribute::Attribute;
use paperknife_device::cms::recipient::{Identifier, KeyAgreement, Password, Recipient, Transport};
use paperknife_device::cms::signer::Signer;
use paperknife_device::cms::{Cipher, Content, Nesting, Signed, Structure};
use paperknife_device::primitive::digest::Hash;
use paperknife_device::provision::SysRng;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{NOW_S, content_of, everything, key, key_file};
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Format, Sealed, Timestamp};
use crate::opening::{Finding, House, find, off_by_default};

/// Whoever holds both halves of every pair. All that proves a sender is one device's: layers may stand in one another.
static BOTH: LazyLock<House> = LazyLock::new(|| {
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let also = off_by_default(&everything(), Some(Format::Cms));
    let options = ImportOptions { also, ..ImportOptions::default() };
    let set: Value = serde_json::from_slice(&key_file()).unwrap();
    for key in set["keys"].as_array().unwrap() {
        let halves = match (key["kty"].as_str(), key["crv"].as_str()) {
            (Some("oct" | "AKP"), _) | (_, Some("Ed25519" | "Ed448" | "secp256k1")) => vec![public(key.clone())],
            _ => vec![key.clone(), public(key.clone())],
        };
        for half in halves {
            keystore.import(json!({"keys": [half]}).to_string().as_bytes(), &options).unwrap();
        }
    }
    House::new(keystore.into(), Limits::default())
});

/// What proves a sender: the public half of a pair, where it is one. A sender's own agrees, any other verifies.
fn public(mut key: Value) -> Value {
    let members = key.as_object_mut().unwrap();
    ["d", "p", "q", "dp", "dq", "qi"].iter().for_each(|secret| drop(members.remove(*secret)));
    if key["kid"].as_str().unwrap().ends_with("-sender") {
        key["use"] = json!("enc");
    }
    key["paperknife"] = json!({"device": "device"});
    key
}

const CURVES: [(&str, &str); 4] =
    [("p256", "p256-sender"), ("p384", "p384-sender"), ("p521", "p521-sender"), ("x25519", "x25519-sender")];

fn named(kid: &str) -> Identifier {
    Identifier::KeyIdentifier(kid.as_bytes().to_vec())
}

/// A way to the content key, made anew each time: keys cannot be copied.
#[derive(Clone, Debug)]
enum Way {
    Agreement(&'static str, Agreement, Wrap, bool, Option<&'static str>),
    Kek(&'static str),
    Password(Hash),
    Transport(Transport),
}

impl Way {
    fn recipient(&self) -> Recipient {
        match self {
            Self::Agreement(name, agreement, wrap, ukm, sender) => {
                let mut recipient = KeyAgreement::new(named(name), key(name), *agreement, *wrap);
                recipient.ukm = ukm.then(|| b"user keying material".to_vec());
                recipient.originator = sender.map(|sender| (named(sender), key(sender)));
                Recipient::KeyAgreement(recipient)
            }
            Self::Kek(name) => Recipient::Kek(key(name)),
            Self::Password(hash) => {
                Recipient::Password(Password { hash: *hash, ..Password::of_key(&key("oct16"), 1000).unwrap() })
            }
            Self::Transport(transport) => Recipient::KeyTransport(named("rsa2048"), key("rsa2048"), transport.clone()),
        }
    }
}

const HASHES: [Hash; 5] = [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];

fn agreements(curve: &str) -> Vec<Agreement> {
    let mut all: Vec<_> = HASHES.map(Agreement::Standard).into();
    match curve {
        "x25519" => all.extend([Hash::Sha256, Hash::Sha384, Hash::Sha512].map(Agreement::Hkdf)),
        _ => all.extend(HASHES.map(Agreement::Cofactor)),
    }
    all
}

fn ways() -> Vec<Way> {
    let mut all = Vec::new();
    for (name, sender) in CURVES {
        for agreement in agreements(name) {
            for &wrap in Wrap::ALL {
                all.push(Way::Agreement(name, agreement, wrap, false, None));
                all.push(Way::Agreement(name, agreement, wrap, true, Some(sender)));
            }
        }
    }
    all.extend(["oct16", "oct24", "oct32"].map(Way::Kek));
    all.extend([Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512].map(Way::Password));
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        all.extend([None, Some(b"gateway".to_vec())].map(|label| Way::Transport(Transport::Oaep(hash, label))));
    }
    all.push(Way::Transport(Transport::Pkcs1));
    all
}

fn ciphers() -> Vec<Cipher> {
    let derived = Encryption::ALL.iter().filter(|one| one.authenticates());
    let derived = derived.map(|&encryption| Cipher { encryption, derived: true });
    Encryption::ALL.iter().copied().map(Cipher::new).chain(derived).collect()
}

fn to(cipher: Cipher, recipient: Recipient) -> Structure {
    match cipher.encryption.authenticates() {
        true => Structure::AuthEnvelopedData(cipher, [recipient].into(), Vec::new()),
        false => Structure::EnvelopedData(cipher, [recipient].into()),
    }
}

/// Every signature with a key that has it.
fn signatures() -> Vec<(Signature, &'static str)> {
    let mut all = Vec::new();
    for &algorithm in Signature::ALL {
        let names: &[&str] = match algorithm {
            Signature::Es256 | Signature::Es512 => &["p256", "p521"],
            Signature::Es384 => &["p256", "p384", "p521"],
            Signature::Ed25519 => &["ed25519"],
            _ => &["rsa2048"],
        };
        all.extend(names.iter().map(|&name| (algorithm, name)));
    }
    all
}

fn signer(algorithm: Signature, name: &str) -> Signer {
    Signer::new(named(name), key(name), algorithm)
}

/// One of each structure, for nesting.
fn structures() -> [(&'static str, Structure); 7] {
    let kek = || Recipient::Kek(key("oct16"));
    [
        ("SignedData", Structure::signed(signer(Signature::Es256, "p256"))),
        ("AuthEnvelopedData", to(Cipher::new(Encryption::A128Gcm), Way::Kek("oct32").recipient())),
        ("EnvelopedData", to(Cipher::new(Encryption::A128Cbc), kek())),
        ("AuthenticatedData", Structure::AuthenticatedData(Hash::Sha256, [kek()].into(), Vec::new())),
        ("EncryptedData", Structure::EncryptedData(Cipher::new(Encryption::A256Cbc), key("oct32"))),
        ("DigestedData", Structure::DigestedData(Hash::Sha256)),
        ("CompressedData", Structure::CompressedData),
    ]
}

fn seal(structure: &Structure, content: &[u8]) -> Vec<u8> {
    structure.seal(&Content::data(content), &mut SysRng).unwrap().content_info()
}

fn open(message: &[u8], detached: Option<&[u8]>) -> Finding {
    let claims = Claims::default();
    let compat = everything();
    let arrival = Arrival {
        unauthenticated_sender: true,
        detached,
        all_signers: true,
        ..Arrival::offline(&claims, &compat, Timestamp::from_seconds(NOW_S))
    };
    find(&BOTH, &arrival, &Sealed { bytes: message.into(), cose_type: None }).unwrap()
}

/// What does not open with its content.
fn fault(name: &str, message: &[u8], detached: Option<&[u8]>) -> Option<String> {
    match content_of(&open(message, detached)) {
        Ok(b"content") => None,
        other => Some(format!("{name}: {other:?}")),
    }
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_way_to_the_content_key_opens() {
    let mut faults = Vec::new();
    for way in ways() {
        for cipher in [Encryption::A256Gcm, Encryption::A128Cbc].map(Cipher::new) {
            let sealed = seal(&to(cipher, way.recipient()), b"content");
            faults.extend(fault(&format!("{cipher:?} {way:?}"), &sealed, None));
        }
        let mac = Structure::AuthenticatedData(Hash::Sha256, [way.recipient()].into(), Vec::new());
        faults.extend(fault(&format!("AuthenticatedData {way:?}"), &seal(&mac, b"content"), None));
    }
    none(&faults);
}

#[test]
fn every_content_encryption_and_mac_opens() {
    let mut faults = Vec::new();
    let agreement = || Way::Agreement("p256", Agreement::Standard(Hash::Sha256), Wrap::A128Kw, false, None);
    for cipher in ciphers() {
        for way in [Way::Kek("oct32"), agreement()] {
            let sealed = seal(&to(cipher, way.recipient()), b"content");
            faults.extend(fault(&format!("{cipher:?} {way:?}"), &sealed, None));
        }
    }
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        for attributes in [Vec::new(), vec![Attribute::signing_time(NOW_S as u64)]] {
            let name = format!("{hash:?} {}", attributes.len());
            let mac = Structure::AuthenticatedData(hash, [Way::Kek("oct16").recipient()].into(), attributes);
            faults.extend(fault(&name, &seal(&mac, b"content"), None));
        }
    }
    none(&faults);
}

#[test]
fn every_signature_opens() {
    let mut faults = Vec::new();
    for (algorithm, name) in signatures() {
        for detached in [false, true] {
            let made = || signer(algorithm, name);
            let forms = [
                made(),
                Signer { bare: true, ..made() },
                Signer { algorithm_protection: true, ..made() },
                Signer { rsa_encryption: true, ..made() },
                Signer { attributes: vec![Attribute::signing_time(NOW_S as u64)], ..made() },
            ];
            for (nth, form) in forms.into_iter().enumerate() {
                let signed = Signed { signers: vec![form], certificates: Vec::new(), detached };
                let sealed = seal(&Structure::SignedData(signed), b"content");
                let row = format!("{} {name} form {nth} detached {detached}", algorithm.name());
                faults.extend(fault(&row, &sealed, detached.then_some(b"content")));
            }
        }
    }
    none(&faults);
}

#[test]
fn several_recipients_and_several_signers_open() {
    let agreed = Way::Agreement("p521", Agreement::Cofactor(Hash::Sha512), Wrap::A256Kw, true, None);
    let ways = [Way::Transport(Transport::Oaep(Hash::Sha256, None)), agreed, Way::Kek("oct24")];
    let recipients = ways.iter().map(Way::recipient).collect();
    let sealed =
        seal(&Structure::AuthEnvelopedData(Cipher::new(Encryption::A128Ccm), recipients, Vec::new()), b"content");
    assert_eq!(fault("recipients", &sealed, None), None);
    let signers = signatures().into_iter().take(6).map(|(algorithm, name)| signer(algorithm, name)).collect();
    let signed = Signed { signers, certificates: Vec::new(), detached: false };
    assert_eq!(fault("signers", &seal(&Structure::SignedData(signed), b"content"), None), None);
}

#[test]
fn every_pair_of_layers_opens_in_both_forms() {
    let mut faults = Vec::new();
    for (inner_name, inner) in structures() {
        let sealed = inner.seal(&Content::data(b"content"), &mut SysRng).unwrap();
        for nesting in [Nesting::Structure, Nesting::ContentInfo] {
            for (outer_name, outer) in structures() {
                let whole = outer.seal(&sealed.nested(nesting), &mut SysRng).unwrap().content_info();
                let row = format!("{outer_name} around {inner_name}, {nesting:?}");
                faults.extend(fault(&row, &whole, None));
            }
        }
    }
    none(&faults);
}

/// A structure of any kind, by numbers that shrink.
fn any_structure(at: Index, cipher: Index) -> (String, Structure) {
    let (ways, signatures, ciphers) = (ways(), signatures(), ciphers());
    let rest = structures().len();
    let nth = at.index(ways.len() + signatures.len() + rest);
    if let Some(way) = ways.get(nth) {
        let cipher = *cipher.get(&ciphers);
        return (format!("{cipher:?} {way:?}"), to(cipher, way.recipient()));
    }
    match signatures.get(nth - ways.len()) {
        Some((algorithm, name)) => {
            (format!("{} {name}", algorithm.name()), Structure::signed(signer(*algorithm, name)))
        }
        None => {
            let (name, structure) = structures().into_iter().nth(nth - ways.len() - signatures.len()).unwrap();
            (name.to_owned(), structure)
        }
    }
}

/// CBC and digests alone authenticate nothing: a changed one may open with other content, and says so.
const fn authenticates(structure: &Structure) -> bool {
    matches!(structure, Structure::AuthEnvelopedData(..) | Structure::AuthenticatedData(..) | Structure::SignedData(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the structure and the content: what was sealed opens; with one bit changed it never opens with other
    /// content, if anything authenticates it.
    #[test]
    fn what_is_sealed_opens_and_what_is_changed_never_lies(
        at in any::<Index>(),
        cipher in any::<Index>(),
        content in proptest::collection::vec(any::<u8>(), 1..200),
        changed in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let (name, structure) = any_structure(at, cipher);
        let mut sealed = seal(&structure, &content);
        let finding = open(&sealed, None);
        prop_assert_eq!(content_of(&finding), Ok(content.as_slice()), "{}", name);
        let at = changed.index(sealed.len());
        sealed[at] ^= 1 << bit;
        if let Ok(opened) = content_of(&open(&sealed, None))
            && authenticates(&structure)
        {
            prop_assert_eq!(opened, content.as_slice(), "{}: other content", name);
        }
    }
}
