//! Attacks on CMS that only a key in hand decides, each beside its untouched twin (cms.md §8, threats.md A and B), and
//! what the binding attribute proves (cms.md §10). Sealed by the device's module with the real algorithms.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystore::{Defaults, ImportOptions, Keystore};
use paperknife_device::cms::algorithm::{Agreement, Encryption, Signature, Wrap};
use paperknife_device::cms::attribute::{Attribute, Binding};
use paperknife_device::cms::recipient::{Identifier, KeyAgreement, Recipient};
use paperknife_device::cms::signer::Signer;
use paperknife_device::cms::{Cipher, Content, Nesting, Structure};
use paperknife_device::primitive::digest::Hash;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::NOW_S;
use crate::envelope::Limits;
use crate::envelope::cms::fixture::{at, contents, replaced, tlv};
use crate::guard::Arrival;
use crate::guard::settled::{Facts, Flag};
use crate::item::{Claims, Compat, Departure, Format, Reason, Sealed, Timestamp};
use crate::opening::tests::pairs::{OURS, THEIRS, pair};
use crate::opening::{Finding, House, find, off_by_default};

const CONTENT: &[u8] = b"[{\"n\":\"temp\",\"v\":23.5}]";
const KEK: [u8; 16] = *b"a key of sixteen";

fn named(kid: &str) -> Identifier {
    Identifier::KeyIdentifier(kid.as_bytes().to_vec())
}

fn jwk(kid: &str, [x, y, d]: [&str; 3], private: bool, alg: &str, record: &Value) -> Value {
    let mut key = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, "alg": alg, "paperknife": record});
    if private {
        key["d"] = json!(d);
    }
    key
}

/// The gateway's pair, a device that signs, one that shares a key, and one that agrees with a static key.
fn keys(record: &Value) -> Vec<Value> {
    let device = |name: &str| {
        let mut record = record.clone();
        record["device"] = json!(name);
        record
    };
    let kek = URL_SAFE_NO_PAD.encode(KEK);
    // whatever fits: both kinds of agreement
    let mut ours = jwk("gw", OURS, true, "ECDH-ES+A128KW", &json!({}));
    ours.as_object_mut().unwrap().remove("alg");
    vec![
        ours,
        jwk("signer", THEIRS, false, "ES256", &device("dev-1")),
        json!({"kty": "oct", "kid": "kek", "k": kek, "alg": "A128KW", "paperknife": device("dev-1")}),
        json!({"kty": "oct", "kid": "kek-2", "k": URL_SAFE_NO_PAD.encode(*b"another of these"), "alg": "A128KW",
               "paperknife": device("dev-2")}),
    ]
}

/// How a message is opened.
struct Desk {
    keys: Vec<Value>,
    names: &'static [&'static str],
    path: Option<&'static str>,
    endpoint: Option<&'static str>,
    audience: &'static str,
}

impl Desk {
    fn new() -> Self {
        Self { keys: keys(&json!({})), names: &[], path: None, endpoint: None, audience: "https://gw.example" }
    }

    fn under(names: &'static [&'static str]) -> Self {
        Self { names, ..Self::new() }
    }

    fn compat(&self) -> Compat {
        let mut compat = Compat::default();
        self.names.iter().for_each(|name| compat.allow(name).unwrap());
        compat
    }

    fn house(&self) -> House {
        let compat = self.compat();
        let keystore = Keystore::ephemeral(Defaults { audience: vec![self.audience.to_owned()] }).unwrap();
        let also = off_by_default(&compat, Some(Format::Cms));
        let set = json!({ "keys": self.keys }).to_string();
        keystore.import(set.as_bytes(), &ImportOptions { also, ..ImportOptions::default() }).unwrap();
        House::new(keystore.into(), Limits::default())
    }

    fn open(&self, message: &[u8]) -> Finding {
        self.open_in(&self.house(), message)
    }

    fn open_in(&self, house: &House, message: &[u8]) -> Finding {
        let compat = self.compat();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let claims = Claims { path: owned(self.path), endpoint: owned(self.endpoint), ..Claims::default() };
        let arrival = Arrival {
            unauthenticated_sender: compat.allows(Departure::UnauthenticatedSender),
            ..Arrival::offline(&claims, &compat, Timestamp::from_seconds(NOW_S))
        };
        find(house, &arrival, &Sealed { bytes: message.into(), cose_type: None }).unwrap()
    }

    fn opens(&self, message: &[u8]) -> Facts {
        match self.open(message) {
            Finding::Opened(settled, _) => settled.facts().clone(),
            Finding::Refused(refusal) => panic!("refused {:?} {:?}", refusal.reason, refusal.detail),
            Finding::Held(held) => panic!("held {:?} {:?}", held.reason, held.key_names),
        }
    }

    fn reason(&self, message: &[u8]) -> Reason {
        match self.open(message) {
            Finding::Opened(settled, _) => panic!("opened {:?}", settled.facts().proven),
            Finding::Refused(refusal) => refusal.reason,
            Finding::Held(held) => held.reason,
        }
    }
}

fn seal(structure: &Structure, content: &Content) -> Vec<u8> {
    structure.seal(content, &mut SysRng).unwrap().content_info()
}

fn data() -> Content {
    Content::data(CONTENT)
}

fn within(structure: &Structure, content: &Content) -> Content {
    structure.seal(content, &mut SysRng).unwrap().nested(Nesting::ContentInfo)
}

fn signed_by(kid: &str, pair_of: [&str; 3], attributes: Vec<Attribute>) -> Structure {
    Structure::signed(Signer { attributes, ..Signer::new(named(kid), pair(pair_of), Signature::Es256) })
}

fn signed() -> Structure {
    signed_by("signer", THEIRS, Vec::new())
}

fn to_gateway(originator: Option<(Identifier, Key)>) -> Recipient {
    let agreement = Agreement::Standard(Hash::Sha256);
    let recipient = KeyAgreement::new(named("gw"), pair(OURS), agreement, Wrap::A128Kw);
    Recipient::KeyAgreement(KeyAgreement { originator, ..recipient })
}

fn kek(kid: &str, bytes: &[u8]) -> Recipient {
    Recipient::Kek(Key::symmetric(bytes).named(kid.as_bytes()))
}

fn gcm(recipient: Recipient, attributes: Vec<Attribute>) -> Structure {
    Structure::AuthEnvelopedData(Cipher::new(Encryption::A128Gcm), [recipient].into(), attributes)
}

fn cbc() -> Structure {
    Structure::EnvelopedData(Cipher::new(Encryption::A128Cbc), [to_gateway(None)].into())
}

/// Places in a message to recipients: their set, and within it.
const RECIPIENTS: &[usize] = &[1, 0, 1];

#[test]
fn a_signature_within_proves_its_device_and_what_it_is_stripped_from_proves_nobody() {
    let desk = Desk::new();
    let facts = desk.opens(&seal(&gcm(to_gateway(None), Vec::new()), &within(&signed(), &data())));
    assert_eq!(facts.proven.sender.as_deref(), Some("dev-1"));
    assert_eq!((facts.format, facts.structure, facts.layers.len()), (Format::Cms, "AuthEnvelopedData", 2));
    assert_eq!(facts.proven.signature_alg.as_deref(), Some("ES256"));
    assert_eq!(facts.proven.key_management_alg.as_deref(), Some("ECDH-ES+A128KW"));
    let stripped = seal(&gcm(to_gateway(None), Vec::new()), &data());
    assert_eq!(desk.reason(&stripped), Reason::UnauthenticatedSender);
    assert_eq!(Desk::under(&["unauthenticated-sender"]).opens(&stripped).proven.sender, None);
}

#[test]
fn a_signature_around_ciphertext_counts_and_is_flagged_and_no_other_device_passes_for_the_inner_one() {
    let outer = |content| seal(&signed(), &content);
    let facts = Desk::new().opens(&outer(within(&gcm(to_gateway(None), Vec::new()), &data())));
    assert_eq!((facts.proven.sender.as_deref(), facts.flags.as_slice()), (Some("dev-1"), &[Flag::SignsCiphertext][..]));
    // the inner layer proves a device itself: the outer signer is it, or it is refused
    let twin = outer(within(&gcm(kek("kek", &KEK), Vec::new()), &data()));
    assert_eq!(Desk::new().opens(&twin).proven.sender.as_deref(), Some("dev-1"));
    let exchanged = outer(within(&gcm(kek("kek-2", b"another of these"), Vec::new()), &data()));
    assert_eq!(Desk::new().reason(&exchanged), Reason::BindingMismatch);
}

#[test]
fn a_recipient_of_another_message_opens_nothing() {
    for make in [|| kek("kek", &KEK), || to_gateway(None)] {
        let [one, other] = [(); 2].map(|()| seal(&gcm(make(), Vec::new()), &within(&signed(), &data())));
        let moved = replaced(&one, RECIPIENTS, |_| at(&other, RECIPIENTS).to_vec());
        Desk::new().opens(&one);
        assert_eq!(Desk::new().reason(&moved), Reason::AuthFailed);
    }
}

#[test]
fn a_static_key_is_its_senders_and_no_other_stands_for_it() {
    let mut desk = Desk::new();
    let record = json!({"device": "dev-1"});
    desk.keys[1] = jwk("static", THEIRS, false, "ECDH-SS+A128KW", &record);
    let sealed = seal(&gcm(to_gateway(Some((named("static"), pair(THEIRS)))), Vec::new()), &data());
    let facts = desk.opens(&sealed);
    assert_eq!(facts.proven.sender.as_deref(), Some("dev-1"));
    assert_eq!(facts.proven.key_management_alg.as_deref(), Some("ECDH-SS+A128KW"));
    let originator = [RECIPIENTS, &[0, 1, 0]].concat();
    let unknown = replaced(&sealed, &originator, |_| tlv(0x80, &[b"nobody"]));
    assert_eq!(desk.reason(&unknown), Reason::NoKey);
    // somebody else's name over the same key agreement
    desk.keys.push(jwk("other", OURS, false, "ECDH-SS+A128KW", &json!({"device": "dev-2"})));
    let replaced = replaced(&sealed, &originator, |_| tlv(0x80, &[b"other"]));
    assert_eq!(desk.reason(&replaced), Reason::AuthFailed);
}

#[test]
fn a_point_that_is_none_is_not_agreed_with() {
    let sealed = seal(&gcm(to_gateway(None), Vec::new()), &within(&signed(), &data()));
    let key = [RECIPIENTS, &[0, 1, 0]].concat();
    let with = |curve: &[u8], point: &[u8]| {
        let algorithm = tlv(0x30, &[curve]);
        replaced(&sealed, &key, |_| tlv(0xa1, &[&algorithm, &tlv(3, &[&[0], point])]))
    };
    let ec = tlv(6, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]);
    let x25519 = tlv(6, &[&[0x2b, 0x65, 0x6e]]);
    let rows: [(&[u8], Vec<u8>); 6] = [
        (&ec, vec![0]),
        (&ec, [&[4][..], &[0; 64]].concat()),
        (&ec, [&[4][..], &[1; 64]].concat()),
        (&ec, vec![4; 10]),
        (&ec, Vec::new()),
        (&x25519, vec![0; 32]),
    ];
    for (curve, point) in rows {
        assert_eq!(Desk::new().reason(&with(curve, &point)), Reason::AuthFailed, "{}", hex::encode(point));
    }
}

#[test]
fn the_attributes_name_the_algorithms_that_are_used() {
    let signer = |protection| Signer {
        algorithm_protection: protection,
        ..Signer::new(named("signer"), pair(THEIRS), Signature::Es256)
    };
    let twin = seal(&Structure::signed(signer(true)), &data());
    Desk::new().opens(&twin);
    // the signature's hash and the digest's are others than CMSAlgorithmProtection says
    let signer_info = [1, 0, 3, 0];
    let sha384 = tlv(0x30, &[&tlv(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2]])]);
    let es384 = tlv(0x30, &[&tlv(6, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]])]);
    let swapped = replaced(&twin, &[&signer_info[..], &[2]].concat(), |_| sha384.clone());
    let swapped = replaced(&swapped, &[&signer_info[..], &[4]].concat(), |_| es384.clone());
    assert_eq!(Desk::new().reason(&swapped), Reason::AlgNotAllowed);
    let mixed = replaced(&twin, &[&signer_info[..], &[2]].concat(), |_| sha384);
    assert_eq!(Desk::new().reason(&mixed), Reason::AlgNotAllowed);
}

#[test]
fn of_several_signers_one_that_is_known_and_fails_refuses_and_unknown_ones_are_passed_over() {
    let twin = seal(&signed(), &data());
    let signers = [1, 0, 3];
    let good = contents(at(&twin, &signers)).to_vec();
    let stranger = replaced(&good, &[1], |_| tlv(0x80, &[b"stranger"]));
    let broken = replaced(&good, &[5], |signature| {
        let mut bytes = contents(signature).to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        tlv(4, &[&bytes])
    });
    let with = |infos: &[&[u8]]| replaced(&twin, &signers, |_| tlv(0x31, infos));
    Desk::new().opens(&with(&[&stranger, &good]));
    assert_eq!(Desk::new().reason(&with(&[&good, &broken])), Reason::AuthFailed);
    assert_eq!(Desk::new().reason(&with(&[&stranger])), Reason::NoKey);
    assert_eq!(Desk::new().reason(&with(&[])), Reason::Malformed);
}

#[test]
fn below_encryption_that_notices_no_change_a_signature_is_due_and_there_is_one_answer() {
    let inside = Desk::under(&["cbc-sign-inside"]);
    let twin = seal(&cbc(), &within(&signed(), &data()));
    assert_eq!(inside.opens(&twin).proven.sender.as_deref(), Some("dev-1"));
    assert_eq!(Desk::new().reason(&twin), Reason::AlgNotAllowed);
    let broken = |content: &[u8]| seal(&cbc(), &Content::data(content));
    let mut trailing = within(&signed(), &data());
    let unknown = within(&signed_by("stranger", THEIRS, Vec::new()), &data());
    let weak = within(&Structure::DigestedData(Hash::Sha256), &data());
    trailing.octets[40] ^= 0xff;
    for content in [CONTENT, &trailing.octets, &unknown.octets, &weak.octets, b"\x30\x80\x06\x01\x00"] {
        assert_eq!(inside.reason(&broken(content)), Reason::AuthFailed, "{}", hex::encode(content));
    }
    let around = seal(&signed(), &within(&cbc(), &data()));
    assert_eq!(Desk::under(&["cbc-under-signature"]).opens(&around).content, CONTENT);
    assert_eq!(Desk::under(&["cbc-sign-inside", "cbc-bare"]).reason(&around), Reason::AlgNotAllowed);
}

#[test]
fn compression_goes_with_a_signature() {
    let compressed = Structure::CompressedData;
    let (with, bare) = (Desk::under(&["compressed"]), Desk::under(&["compressed-bare", "unauthenticated-sender"]));
    let outside = seal(&signed(), &within(&compressed, &data()));
    let inside = seal(&compressed, &within(&signed(), &data()));
    let alone = seal(&compressed, &data());
    for message in [&outside, &inside] {
        assert_eq!(with.opens(message).content, CONTENT);
    }
    assert_eq!(with.reason(&alone), Reason::UnauthenticatedSender);
    assert_eq!(bare.opens(&alone).structure, "CompressedData");
    assert_eq!(bare.reason(&outside), Reason::AlgNotAllowed);
    assert_eq!(Desk::new().reason(&alone), Reason::UnauthenticatedSender);
}

#[test]
fn segments_and_a_new_outside_make_no_other_message() {
    let sealed = seal(&signed(), &data());
    let segmented = replaced(&sealed, &[1, 0, 2, 1, 0], |octets| {
        let segments: Vec<Vec<u8>> = contents(octets).chunks(5).map(|part| tlv(4, &[part])).collect();
        tlv(0x24, &segments.iter().map(Vec::as_slice).collect::<Vec<_>>())
    });
    assert_ne!(sealed, segmented);
    let (desk, house) = (Desk::new(), Desk::new().house());
    let identity = |message: &[u8]| match desk.open_in(&house, message) {
        Finding::Opened(settled, _) => settled.facts().identity,
        Finding::Refused(_) | Finding::Held(_) => panic!("it does not open"),
    };
    assert_eq!(identity(&sealed), identity(&segmented));
    let inner = within(&signed(), &data());
    let [one, other] = [(); 2].map(|()| seal(&gcm(to_gateway(None), Vec::new()), &inner));
    assert_eq!(identity(&one), identity(&other), "encrypted anew, signed once");
    let another = seal(&gcm(to_gateway(None), Vec::new()), &within(&signed(), &Content::data(b"other")));
    assert_ne!(identity(&one), identity(&another));
}

fn binding() -> Binding {
    Binding {
        audience: "https://gw.example".to_owned(),
        endpoint: "dev-1".to_owned(),
        path: Some("/3303/0/5700".to_owned()),
        key_context: Some(vec![0, 1]),
        sequence: Some(300),
        content_format: Some(110),
    }
}

/// Shapes P and S with a binding.
fn bound(binding: &Binding) -> [Vec<u8>; 2] {
    let attributes = || vec![Attribute::binding(binding), Attribute::signing_time(NOW_S as u64)];
    let inner = within(&signed_by("signer", THEIRS, attributes()), &data());
    [seal(&gcm(to_gateway(None), Vec::new()), &inner), seal(&gcm(kek("kek", &KEK), attributes()), &data())]
}

#[test]
fn the_binding_attribute_proves_what_it_says_in_both_shapes() {
    let desk = Desk { path: Some("/3303/0/5700"), endpoint: Some("dev-1"), ..Desk::new() };
    for message in bound(&binding()) {
        let facts = desk.opens(&message);
        let proven = &facts.proven;
        assert_eq!(proven.audience.as_deref(), Some("https://gw.example"));
        assert_eq!((proven.path.as_deref(), proven.sequence), (Some("/3303/0/5700"), Some(300)));
        assert_eq!(proven.kid_context.as_deref(), Some(&[0, 1][..]));
        assert_eq!(proven.issued_at, Some(Timestamp::from_seconds(NOW_S)));
        assert_eq!(facts.content_type, Some(crate::item::ContentType::Format(110)));
        assert_eq!(facts.sequenced.as_ref().map(|sequenced| sequenced.number), Some(300));
    }
    let unbound = desk.opens(&seal(&signed(), &data()));
    assert_eq!((unbound.proven.audience, unbound.proven.path, unbound.proven.sequence), (None, None, None));
}

#[test]
fn a_binding_for_another_application_device_or_path_is_a_mismatch() {
    let desk = || Desk { path: Some("/3303/0/5700"), endpoint: Some("dev-1"), ..Desk::new() };
    let others = [
        Binding { audience: "https://other.example".to_owned(), ..binding() },
        Binding { endpoint: "dev-2".to_owned(), ..binding() },
        Binding { path: Some("/3303/1/5700".to_owned()), ..binding() },
    ];
    for other in &others {
        for message in bound(other) {
            assert_eq!(desk().reason(&message), Reason::BindingMismatch, "{other:?}");
        }
    }
    for message in bound(&binding()) {
        let strict = json!({"path_binding": "required", "endpoint_binding": "pinned"});
        let elsewhere = Desk { keys: keys(&strict), endpoint: Some("dev-9"), ..desk() };
        assert_eq!(elsewhere.reason(&message), Reason::BindingMismatch, "the relay names another device");
        let swapped = Desk { path: Some("/3303/2/5700"), ..desk() };
        assert_eq!(swapped.reason(&message), Reason::BindingMismatch, "the relay names another path");
        Desk { keys: keys(&strict), ..desk() }.opens(&message);
    }
}
