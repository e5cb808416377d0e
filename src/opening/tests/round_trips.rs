//! Every structure under every algorithm and every way to its key, sealed by the device module and opened here; and
//! nothing that is changed on the way. COSE here, `cms` and `jose` beneath.

use std::path::Path;
use std::sync::LazyLock;

use keystore::key::Algorithm;
use keystore::{Defaults, ImportOptions, Keystore};
use paperknife_device::cose::algorithm::{Encryption, Mac, Management, Signature};
use paperknife_device::cose::headers::{ContentType, Headers};
use paperknife_device::cose::recipient::{Announced, Inputs, Party, Recipient, Sender, Source};
use paperknife_device::cose::signature::Signer;
use paperknife_device::cose::{Message, Nonce, Sealed as Made, Structure, Tagging};
use paperknife_device::key_set::KeySet;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::NOW_S;
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, CoseType, Format, Sealed, Timestamp};
use crate::opening::{Finding, House, find, off_by_default};

mod cms;
mod jose;

/// One way to a content key, by names of test keys.
#[derive(Clone, Copy, Debug)]
struct Way {
    management: Management,
    key: &'static str,
    sender: Option<&'static str>,
    /// The key wrap that takes its key from this way.
    beneath: Option<Management>,
}

static KEY_SET: LazyLock<KeySet> = LazyLock::new(|| KeySet::from_json(&key_file()).unwrap());

/// Whoever holds the private keys and the shared ones.
static RECEIVER: LazyLock<House> = LazyLock::new(|| house(&key_file()));

/// Whoever holds the public keys: a private key on a curve is for agreement.
static VERIFIER: LazyLock<House> = LazyLock::new(|| {
    let mut set: Value = serde_json::from_slice(&key_file()).unwrap();
    for key in set["keys"].as_array_mut().unwrap() {
        let members = key.as_object_mut().unwrap();
        ["d", "p", "q", "dp", "dq", "qi", "priv"].iter().for_each(|secret| drop(members.remove(*secret)));
    }
    house(set.to_string().as_bytes())
});

fn house(key_set: &[u8]) -> House {
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let ciphers = Encryption::ALL.iter().filter(|one| !one.authenticates()).map(|one| one.name());
    let mut also: Vec<_> = ciphers.map(|name| Algorithm::from_name(name).unwrap()).collect();
    also.extend(off_by_default(&everything(), Some(Format::Jose)));
    keystore.import(key_set, &ImportOptions { also, ..ImportOptions::default() }).unwrap();
    House::new(keystore.into(), Limits::default())
}

/// Every departure.
fn everything() -> Compat {
    let mut compat = Compat::default();
    compat.allow("all").unwrap();
    compat
}

fn key_file() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/keys.jwks.json")).unwrap()
}

fn key(kid: &str) -> Key {
    KEY_SET.cose_key(Some(kid)).unwrap().0
}

/// A symmetric test key of that length.
fn symmetric(len: usize) -> Key {
    key(&format!("oct{len}"))
}

/// Every way but the direct one, whose key depends on the content's algorithm.
fn ways() -> Vec<Way> {
    let agreements = [("p256", "p256-sender"), ("p384", "p384-sender"), ("p521", "p521-sender")];
    let agreements = [&agreements[..], &[("x25519", "x25519-sender")]].concat();
    let mut ways = Vec::new();
    for &management in Management::ALL.iter().filter(|&&one| one != Management::Direct) {
        let way = |key, sender| Way { management, key, sender, beneath: None };
        match management {
            _ if management.agrees() => {
                let fixed = |&(key, sender)| way(key, management.is_static().then_some(sender));
                ways.extend(agreements.iter().map(fixed));
            }
            Management::A128Kw | Management::DirectHkdfAes128 => ways.push(way("oct16", None)),
            Management::A192Kw => ways.push(way("oct24", None)),
            Management::OaepSha1 | Management::OaepSha256 | Management::OaepSha512 => ways.push(way("rsa2048", None)),
            _ => ways.push(way("oct32", None)),
        }
    }
    let alone = |way: &&Way| way.management.agrees() && way.management.stands_alone();
    let beneath = |way: &Way| Way { beneath: Some(Management::A192Kw), ..*way };
    let nested: Vec<_> = ways.iter().filter(alone).map(beneath).collect();
    [ways, nested].concat()
}

impl Way {
    fn recipient(self) -> Recipient {
        let source = match self.sender {
            Some(sender) => Source::Agreement(key(self.key), Sender::Static(key(sender), Announced::Key)),
            None if self.management.agrees() => {
                Source::Agreement(key(self.key), Sender::Ephemeral { compressed: self.key == "p384" })
            }
            None => Source::Key(key(self.key)),
        };
        let derives = self.management.name().contains("HKDF");
        let nonce = derives.then(|| b"once".to_vec());
        let inputs = Inputs { party_u: Party { nonce, ..Party::default() }, ..Inputs::default() };
        let recipient = Recipient { inputs, ..Recipient::new(self.management, source) };
        match self.beneath {
            Some(wrap) => Recipient::new(wrap, Source::Recipients([recipient].into())),
            None => recipient,
        }
    }
}

fn direct(len: usize) -> Recipient {
    Recipient::new(Management::Direct, Source::Key(symmetric(len)))
}

fn signer(algorithm: Signature) -> Signer {
    let kid = match algorithm {
        Signature::Es256 | Signature::Esp256 => "p256",
        Signature::Es384 | Signature::Esp384 => "p384",
        Signature::Es512 | Signature::Esp512 => "p521",
        Signature::Es256k => "k256",
        Signature::EdDsa | Signature::Ed25519 => "ed25519",
        Signature::Ed448 => "ed448",
        Signature::MlDsa44 => "mldsa44",
        Signature::MlDsa65 => "mldsa65",
        Signature::MlDsa87 => "mldsa87",
        _ => "rsa2048",
    };
    Signer::new(algorithm, key(kid))
}

fn encryptions() -> Vec<Encryption> {
    Encryption::ALL.iter().copied().filter(|one| one.authenticates()).collect()
}

/// Every structure, with what tells it apart from the others.
fn structures() -> Vec<(String, Structure)> {
    let mut all = Vec::new();
    for algorithm in encryptions() {
        let (name, len) = (algorithm.name(), algorithm.key_len());
        all.push((format!("Encrypt0 {name}"), Structure::Encrypt0(algorithm, Nonce::Random, symmetric(len))));
        let mut encrypt = |way: String, recipient| {
            let structure = Structure::Encrypt(algorithm, Nonce::Random, [recipient].into());
            all.push((format!("Encrypt {name} {way}"), structure));
        };
        encrypt("direct".to_owned(), direct(len));
        ways().into_iter().for_each(|way| encrypt(format!("{way:?}"), way.recipient()));
    }
    for &algorithm in Mac::ALL {
        let (name, len) = (algorithm.name(), algorithm.key_len());
        all.push((format!("Mac0 {name}"), Structure::Mac0(algorithm, symmetric(len))));
        let mut mac = |way: String, recipient| {
            all.push((format!("Mac {name} {way}"), Structure::Mac(algorithm, [recipient].into())));
        };
        mac("direct".to_owned(), direct(len));
        ways().into_iter().for_each(|way| mac(format!("{way:?}"), way.recipient()));
    }
    for &algorithm in Signature::ALL {
        all.push((format!("Sign1 {}", algorithm.name()), Structure::Sign1(signer(algorithm))));
        let two = [signer(Signature::Ed25519), signer(algorithm)];
        all.push((format!("Sign {}", algorithm.name()), Structure::Sign(two.into())));
    }
    let wrapped: Vec<_> = ways().into_iter().filter(|way| !way.management.stands_alone()).collect();
    let recipients = wrapped.iter().take(12).map(|way| way.recipient()).collect();
    #[cfg(feature = "hpke")]
    all.extend(encapsulated());
    all.push(("Encrypt to twelve".to_owned(), Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, recipients)));
    all
}

/// Each suite of HPKE, with the content and with its key.
#[cfg(feature = "hpke")]
fn encapsulated() -> Vec<(String, Structure)> {
    use paperknife_device::cose::hpke::Hpke;
    let mut all = Vec::new();
    for &hpke in Hpke::ALL {
        let receiver = || match hpke {
            Hpke::Hpke0 | Hpke::Hpke7 => key("p256"),
            Hpke::Hpke1 => key("p384"),
            Hpke::Hpke2 => key("p521"),
            Hpke::Hpke3 | Hpke::Hpke4 => key("x25519"),
        };
        all.push((hpke.name().to_owned(), Structure::HpkeEncrypt0(hpke, receiver())));
        for algorithm in encryptions() {
            let structure = Structure::HpkeEncrypt(algorithm, Nonce::Random, vec![(hpke, receiver())]);
            all.push((format!("{}-KE {}", hpke.name(), algorithm.name()), structure));
        }
    }
    all
}

const fn cose_type(structure: &Structure) -> CoseType {
    match structure {
        Structure::Encrypt(..) => CoseType::Encrypt,
        Structure::Encrypt0(..) => CoseType::Encrypt0,
        #[cfg(feature = "hpke")]
        Structure::HpkeEncrypt(..) => CoseType::Encrypt,
        #[cfg(feature = "hpke")]
        Structure::HpkeEncrypt0(..) => CoseType::Encrypt0,
        Structure::Mac(..) => CoseType::Mac,
        Structure::Mac0(..) => CoseType::Mac0,
        Structure::Sign(_) => CoseType::Sign,
        Structure::Sign1(_) => CoseType::Sign1,
    }
}

/// Who opens it.
fn opener(structure: &Structure) -> &'static House {
    match structure {
        Structure::Sign(_) | Structure::Sign1(_) => &VERIFIER,
        _ => &RECEIVER,
    }
}

/// What the gateway finds in a message, with what the caller supplies beside it.
fn open(house: &House, made: &Made, external_aad: &[u8], named: Option<CoseType>) -> Finding {
    let mut compat = Compat::default();
    ["ed448", "rsa-oaep-sha1"].iter().for_each(|name| compat.allow(name).unwrap());
    let claims = Claims::default();
    let arrival = Arrival {
        unauthenticated_sender: true,
        external_aad: Some(external_aad),
        detached: made.detached.as_deref(),
        all_signers: true,
        ..Arrival::offline(&claims, &compat, Timestamp::from_seconds(NOW_S))
    };
    find(house, &arrival, &Sealed { bytes: made.bytes.as_slice().into(), cose_type: named }).unwrap()
}

fn content_of(finding: &Finding) -> Result<&[u8], String> {
    match finding {
        Finding::Opened(settled, _) => Ok(&settled.facts().content),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn every_combination_opens_with_its_content() {
    let mut faults = Vec::new();
    let structures = structures();
    let count = structures.len();
    for (name, structure) in structures {
        let house = opener(&structure);
        let made =
            Message::new(structure).seal(b"content", &mut SysRng).unwrap_or_else(|error| panic!("{name}: {error}"));
        match content_of(&open(house, &made, &[], None)) {
            Ok(b"content") => {}
            other => faults.push(format!("{name}: {other:?}")),
        }
    }
    assert!(count > 1_000, "{count} combinations");
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn what_authenticates_nothing_opens_within_what_does() {
    for &algorithm in Encryption::ALL.iter().filter(|one| !one.authenticates()) {
        let inner = Structure::Encrypt0(algorithm, Nonce::Random, symmetric(algorithm.key_len()));
        let mut outer = Message::new(Structure::Mac0(Mac::Hmac256, key("oct32-outer")));
        outer.headers.protected = Headers::new().content_type(&ContentType::Number(16));
        let made = Message::new(inner).seal_within(&outer, b"content", &mut SysRng).unwrap();
        let finding = open(&RECEIVER, &made, &[], None);
        assert_eq!(content_of(&finding), Ok(b"content".as_slice()), "{}", algorithm.name());
    }
}

#[test]
fn a_partial_iv_is_added_to_the_keys_base_iv() {
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let jwk = json!({"kty": "oct", "kid": "based", "k": "AAECAwQFBgcICQoLDA0ODw",
        "paperknife": {"base_iv": "AAABAgMEBQYHCAkK", "kdf": null}});
    let set = json!({"keys": [jwk]}).to_string();
    keystore.import(set.as_bytes(), &ImportOptions::default()).unwrap();
    let sender = KeySet::from_json(set.as_bytes()).unwrap().cose_key(None).unwrap().0;
    let structure = Structure::Encrypt0(Encryption::A128Gcm, Nonce::Partial(vec![0, 7]), sender);
    let made = Message::new(structure).seal(b"content", &mut SysRng).unwrap();
    let claims = Claims::default();
    let arrival = Arrival {
        external_aad: Some(&[]),
        ..Arrival::offline(&claims, Compat::STRICT, Timestamp::from_seconds(NOW_S))
    };
    let house = House::new(keystore.into(), Limits::default());
    let finding = find(&house, &arrival, &Sealed { bytes: made.bytes.into(), cose_type: None }).unwrap();
    assert_eq!(content_of(&finding), Ok(b"content".as_slice()));
}

#[derive(Clone, Debug)]
struct Case {
    structure: Index,
    content: Vec<u8>,
    external_aad: Vec<u8>,
    tagging: Tagging,
    detached: bool,
    changed: Index,
    bit: u8,
}

fn case() -> impl Strategy<Value = Case> {
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    let tagging = prop_oneof![Just(Tagging::Cwt), Just(Tagging::Tagged), Just(Tagging::Untagged)];
    (any::<Index>(), bytes(200), bytes(40), tagging, any::<bool>(), any::<Index>(), 0..8_u8).prop_map(
        |(structure, content, external_aad, tagging, detached, changed, bit)| Case {
            structure,
            content,
            external_aad,
            tagging,
            detached,
            changed,
            bit,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the structure, content, external_aad, tags: what was sealed opens; with other external_aad, or one bit
    /// changed, it never opens with other content.
    #[test]
    fn what_is_sealed_opens_and_what_is_changed_never_lies(case in case()) {
        let mut structures = structures();
        let (name, structure) = structures.swap_remove(case.structure.index(structures.len()));
        let named = (case.tagging == Tagging::Untagged).then(|| cose_type(&structure));
        let house = opener(&structure);
        let mut message = Message::new(structure);
        message.external_aad.clone_from(&case.external_aad);
        message.tagging = case.tagging;
        message.detached = case.detached;
        let mut made = message.seal(&case.content, &mut SysRng).unwrap();
        let finding = open(house, &made, &case.external_aad, named);
        prop_assert_eq!(content_of(&finding), Ok(case.content.as_slice()), "{}", name);
        let other = [case.external_aad.as_slice(), b"x"].concat();
        prop_assert!(content_of(&open(house, &made, &other, named)).is_err(), "{}: any external_aad", name);
        let at = case.changed.index(made.bytes.len());
        made.bytes[at] ^= 1 << case.bit;
        if let Ok(content) = content_of(&open(house, &made, &case.external_aad, named)) {
            prop_assert_eq!(content, case.content.as_slice(), "{}: other content", name);
        }
    }
}
