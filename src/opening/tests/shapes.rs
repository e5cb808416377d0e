//! Foreign COSE, sealed by the device's module with the real algorithms: what the negative list of cose.md §7 decides only
//! with a key in hand, each row beside its untouched twin.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystore::{Defaults, ImportOptions, Keystore};
use paperknife_device::cose::algorithm::{Encryption, Mac, Management, Signature};
use paperknife_device::cose::headers::{Headers, label};
use paperknife_device::cose::recipient::{Announced, Inputs, Party, Recipient, Sender, Source};
use paperknife_device::cose::signature::Signer;
use paperknife_device::cose::{Message, Nonce, Structure};
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::{NOW_S, reason};
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, Reason, Sealed, Timestamp};
use crate::opening::tests::pairs::{OURS, THEIRS, pair};
use crate::opening::{Finding, House, find};

const CONTENT: &[u8] = b"This is the content.";
const K16: [u8; 16] = *b"a key of sixteen";
const K32: [u8; 32] = *b"a key of two and thirty octets..";

fn ec(kid: &str, [x, y, d]: [&str; 3], private: bool, record: &Value) -> Value {
    let mut key = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, "paperknife": record});
    if private {
        key["d"] = json!(d);
    }
    key
}

fn oct(kid: &str, k: &[u8], alg: &str, record: &Value) -> Value {
    json!({"kty": "oct", "kid": kid, "k": URL_SAFE_NO_PAD.encode(k), "alg": alg, "paperknife": record})
}

/// How an envelope is opened.
#[derive(Clone)]
struct Desk {
    keys: Vec<Value>,
    aad: Option<Vec<u8>>,
    compat: &'static [&'static str],
    all_signers: bool,
}

impl Desk {
    fn of(keys: &[Value]) -> Self {
        Self { keys: keys.to_vec(), aad: None, compat: &["unauthenticated-sender"], all_signers: false }
    }

    fn open(&self, sealed: &[u8]) -> Finding {
        let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
        for key in &self.keys {
            keystore.import(key.to_string().as_bytes(), &ImportOptions::default()).unwrap();
        }
        let mut compat = Compat::default();
        self.compat.iter().for_each(|name| compat.allow(name).unwrap());
        let claims = Claims::default();
        let arrival = Arrival {
            unauthenticated_sender: compat.allows(crate::item::Departure::UnauthenticatedSender),
            external_aad: self.aad.as_deref(),
            all_signers: self.all_signers,
            ..Arrival::offline(&claims, &compat, Timestamp::from_seconds(NOW_S))
        };
        let house = House::new(keystore.into(), Limits::default());
        find(&house, &arrival, &Sealed { bytes: sealed.into(), cose_type: None }).unwrap()
    }

    fn why(&self, sealed: &[u8]) -> Option<Reason> {
        let finding = self.open(sealed);
        if let Finding::Opened(settled, _) = &finding {
            assert_eq!(settled.facts().content, CONTENT);
        }
        reason(&finding)
    }
}

fn seal(structure: Structure) -> Vec<u8> {
    seal_with(structure, |_| ())
}

fn seal_with(structure: Structure, change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::new(structure);
    change(&mut message);
    message.seal(CONTENT, &mut SysRng).unwrap().bytes
}

fn encrypt(recipient: Recipient) -> Vec<u8> {
    seal(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, vec![recipient]))
}

fn shared(management: Management, key: &[u8]) -> Recipient {
    Recipient::new(management, Source::Key(Key::symmetric(key).named(b"k")))
}

fn agreed(management: Management, sender: Sender) -> Recipient {
    Recipient::new(management, Source::Agreement(pair(OURS).named(b"gw"), sender))
}

const fn ephemeral() -> Sender {
    Sender::Ephemeral { compressed: false }
}

#[test]
fn kdf_inputs_are_completed_from_the_record_and_may_not_contradict_it() {
    let party = |identity: &str| Party { identity: Some(identity.into()), ..Party::default() };
    let inputs = |unsent| Inputs {
        party_u: party("lamp"),
        party_v: party("gateway"),
        salt: Some(b"salt".to_vec()),
        unsent,
        ..Inputs::default()
    };
    let derived = |inputs| Recipient { inputs, ..shared(Management::DirectHkdfSha256, &K32) };
    let desk = |record: Value| Desk::of(&[oct("k", &K32, "direct+HKDF-SHA-256", &record)]);
    let text = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let whole =
        json!({"party_u": {"identity": text("lamp")}, "party_v": {"identity": text("gateway")}, "salt": text("salt")});
    let sent = encrypt(derived(inputs(false)));
    let unsent = encrypt(derived(inputs(true)));
    assert_eq!(desk(json!({})).why(&sent), None, "the untouched twin");
    assert_eq!(desk(whole.clone()).why(&sent), None, "A17 the record says the same");
    assert_eq!(desk(whole.clone()).why(&unsent), None, "A17 party info from the record");
    assert_eq!(desk(json!({})).why(&unsent), Some(Reason::KdfNotUnique), "N17 neither salt nor nonce");
    let mut other = whole.clone();
    other["party_u"]["identity"] = json!(text("lump"));
    assert_eq!(desk(other.clone()).why(&sent), Some(Reason::BindingMismatch), "N17 wire contradicts the record");
    assert_eq!(desk(other).why(&unsent), Some(Reason::AuthFailed), "N17 another party");
    let mut salted = whole;
    salted["salt"] = json!(text("pepper"));
    assert_eq!(desk(salted).why(&sent), Some(Reason::BindingMismatch), "N17 another salt than on the wire");

    let private = Inputs { priv_other: Some(b"private".to_vec()), salt: Some(b"salt".to_vec()), ..Inputs::default() };
    let private = encrypt(derived(private));
    assert_eq!(desk(json!({"priv_other": text("private")})).why(&private), None, "the untouched twin");
    assert_eq!(desk(json!({})).why(&private), Some(Reason::AuthFailed), "N17 missing private info");
    let lenient = Desk { compat: &["unauthenticated-sender", "kdf-no-nonce"], ..desk(json!({})) };
    assert_eq!(lenient.why(&unsent), Some(Reason::AuthFailed), "by its compat name it is tried, without the salt");
}

#[test]
fn a_key_serves_its_own_type_and_algorithm_alone() {
    let none = json!({});
    let wrapped = encrypt(shared(Management::A128Kw, &K16));
    let gcm = seal(Structure::Encrypt0(Encryption::A128Gcm, Nonce::Random, Key::symmetric(&K16).named(b"k")));
    let mac = seal(Structure::Mac0(Mac::Hmac256_64, Key::symmetric(&K32).named(b"k")));
    let signed = seal(Structure::Sign1(Signer::new(Signature::Es256, pair(THEIRS).named(b"k"))));
    let rows = [
        (&wrapped, oct("k", &K16, "A128KW", &none), None, "the untouched twin"),
        (&wrapped, oct("k", &K16, "A128GCM", &none), Some(Reason::KeyNotUsable), "B4 an AEAD key that unwraps"),
        (
            &wrapped,
            oct("k", &[7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], "A128KW", &none),
            Some(Reason::AuthFailed),
            "N14 another KEK",
        ),
        (&wrapped, oct("k", &K32[..24], "A192KW", &none), Some(Reason::AlgNotAllowed), "N14 a KEK of another size"),
        (&wrapped, ec("k", THEIRS, false, &none), Some(Reason::KeyNotUsable), "N15 kid matches, kty does not"),
        (&gcm, oct("k", &K16, "A128GCM", &none), None, "the untouched twin"),
        (&gcm, oct("k", &K16, "AES-CCM-16-64-128", &none), Some(Reason::AlgNotAllowed), "N15 another algorithm"),
        (&gcm, oct("k", &K32, "HMAC 256/256", &none), Some(Reason::KeyNotUsable), "B4 a MAC key that decrypts"),
        (&mac, oct("k", &K32, "HMAC 256/64", &none), None, "the untouched twin"),
        (&mac, oct("k", &K32, "HMAC 256/256", &none), Some(Reason::AlgNotAllowed), "N20 a shorter tag than the key's"),
        (&mac, ec("k", THEIRS, false, &none), Some(Reason::KeyNotUsable), "B2 a public key as HMAC secret"),
        (&signed, ec("k", THEIRS, false, &none), None, "the untouched twin"),
        (&signed, ec("k", OURS, false, &none), Some(Reason::AuthFailed), "another signer's key"),
        (
            &signed,
            ec("k", OURS, true, &json!({"algs": ["ECDH-ES+A128KW"]})),
            Some(Reason::KeyNotUsable),
            "B4 an agreement key that verifies",
        ),
        (&signed, oct("k", &K16, "A128GCM", &none), Some(Reason::KeyNotUsable), "B4 a symmetric key that verifies"),
    ];
    for (sealed, key, expected, row) in rows {
        assert_eq!(Desk::of(&[key]).why(sealed), expected, "{row}");
    }
}

#[test]
fn tags_and_signatures_have_exactly_their_length_and_context() {
    let key = |alg| oct("k", &K32, alg, &json!({}));
    let mac = seal(Structure::Mac0(Mac::Hmac256, Key::symmetric(&K32).named(b"k")));
    let desk = Desk::of(&[key("HMAC 256/256")]);
    assert_eq!(desk.why(&mac), None, "the untouched twin");
    // the tag is the last element: 58 20 and 32 bytes
    let (body, tag) = mac.split_at(mac.len() - 34);
    let truncated = [body, &[0x48], &tag[2..10]].concat();
    assert_eq!(desk.why(&truncated), Some(Reason::AuthFailed), "N20 truncated tag");
    assert_eq!(desk.why(&[body, &[0x40]].concat()), Some(Reason::AuthFailed), "N20 tag of length 0");
    let with_aad = Desk { aad: Some(b"external".to_vec()), ..desk };
    assert_eq!(with_aad.why(&mac), Some(Reason::AuthFailed), "N19 external_aad extra");
    let bound = seal_with(Structure::Mac0(Mac::Hmac256, Key::symmetric(&K32).named(b"k")), |message| {
        message.external_aad = b"external".to_vec();
    });
    assert_eq!(with_aad.why(&bound), None, "the untouched twin");
    assert_eq!(Desk { aad: None, ..with_aad }.why(&bound), Some(Reason::AuthFailed), "N19 external_aad missing");

    let signed = seal(Structure::Sign1(Signer::new(Signature::Es256, pair(THEIRS).named(b"k"))));
    let desk = Desk::of(&[ec("k", THEIRS, false, &json!({}))]);
    assert_eq!(desk.why(&signed), None, "the untouched twin");
    let (body, signature) = signed.split_at(signed.len() - 66);
    let ended = |signature: &[u8]| [body, &[0x58, signature.len() as u8], signature].concat();
    let (r, s) = signature[2..].split_at(32);
    let der = [&[0x30, 0x46, 0x02, 0x21, 0x00], r, &[0x02, 0x21, 0x00], s].concat();
    let rows = [
        (ended(&[r, s].concat()), None, "the untouched twin"),
        (ended(&[s, r].concat()), Some(Reason::AuthFailed), "N20 r and s exchanged"),
        (ended(&[&[0; 32], s].concat()), Some(Reason::AuthFailed), "N20 r = 0"),
        (ended(&[r, &[0; 32]].concat()), Some(Reason::AuthFailed), "N20 s = 0"),
        (ended(&[r, &[0xff; 32]].concat()), Some(Reason::AuthFailed), "N20 s >= n"),
        (ended(&der), Some(Reason::AuthFailed), "N20 DER"),
        (ended(&[r, s, &[0]].concat()), Some(Reason::AuthFailed), "N20 a byte more"),
        (ended(&[r, &s[..31]].concat()), Some(Reason::AuthFailed), "N20 a byte less"),
    ];
    for (sealed, expected, row) in rows {
        assert_eq!(desk.why(&sealed), expected, "{row}");
    }
}

#[test]
fn a_known_static_sender_is_proven_and_no_other_key_on_the_wire_is() {
    let sender = |announced| Sender::Static(pair(THEIRS).named(b"lamp"), announced);
    let inputs = Inputs { salt: Some(b"salt".to_vec()), ..Inputs::default() };
    let sealed = |announced| {
        encrypt(Recipient { inputs: inputs.clone(), ..agreed(Management::EcdhSsHkdf256, sender(announced)) })
    };
    let static_sender = json!({"kty": "EC", "crv": "P-256", "kid": "lamp", "x": THEIRS[0], "y": THEIRS[1], "paperknife": {"device": "urn:dev:lamp"}});
    let knowing = Desk::of(&[ec("gw", OURS, true, &json!({"static_sender": static_sender}))]);
    let blind = Desk::of(&[ec("gw", OURS, true, &json!({}))]);
    for announced in [Announced::Id, Announced::Key, Announced::Nowhere] {
        let Finding::Opened(settled, _) = knowing.open(&sealed(announced)) else { panic!("{announced:?}") };
        assert_eq!(settled.facts().proven.sender.as_deref(), Some("urn:dev:lamp"), "{announced:?}");
    }
    let Finding::Opened(settled, _) = blind.open(&sealed(Announced::Key)) else { panic!("not opened") };
    assert_eq!(settled.facts().proven.sender, None, "a key on the wire proves nobody");
    let strict = Desk { compat: &[], ..blind };
    assert_eq!(strict.why(&sealed(Announced::Key)), Some(Reason::UnauthenticatedSender));
    let stranger = Sender::Static(pair(OURS).named(b"lamp"), Announced::Key);
    let foreign = encrypt(Recipient { inputs, ..agreed(Management::EcdhSsHkdf256, stranger) });
    assert_eq!(knowing.why(&foreign), Some(Reason::BindingMismatch), "another static key than the record's");
}

#[test]
fn a_message_opens_through_any_usable_recipient_and_layers_of_them() {
    let ours = Desk::of(&[ec("gw", OURS, true, &json!({}))]);
    let stranger = || Recipient::new(Management::A128Kw, Source::Key(Key::symmetric(&K16).named(b"stranger")));
    let both = vec![stranger(), agreed(Management::EcdhEsA128Kw, ephemeral())];
    let sealed = seal(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, both));
    assert_eq!(ours.why(&sealed), None);
    let within = Recipient::new(
        Management::A128Kw,
        Source::Recipients(vec![agreed(Management::EcdhEsHkdf256, Sender::Ephemeral { compressed: true })]),
    );
    assert_eq!(ours.why(&encrypt(within)), None);
    assert_eq!(Desk::of(&[]).why(&sealed), Some(Reason::NoKey));
}

#[test]
fn encryption_without_authentication_opens_below_a_signature_alone() {
    let inner = |algorithm| {
        Message::new(Structure::Encrypt0(algorithm, Nonce::Iv(vec![3; 16]), Key::symmetric(&K16).named(b"c")))
    };
    let outer = || {
        let mut outer = Message::new(Structure::Sign1(Signer::new(Signature::Es256, pair(THEIRS).named(b"k"))));
        outer.headers.protected = Headers::new().integer(label::CONTENT_TYPE, 16);
        outer
    };
    for (algorithm, name) in [(Encryption::A128Ctr, "A128CTR"), (Encryption::A128Cbc, "A128CBC")] {
        let desk = Desk::of(&[ec("k", THEIRS, false, &json!({})), oct("c", &K16, name, &json!({}))]);
        let sealed = inner(algorithm).seal_within(&outer(), CONTENT, &mut SysRng).unwrap().bytes;
        assert_eq!(desk.why(&sealed), None, "{name} below a signature");
        let Finding::Opened(settled, _) = desk.open(&sealed) else { panic!("not opened") };
        assert!(settled.facts().proven.sender.as_deref().is_some_and(|sender| sender.starts_with("jwk:")));
        let bound = Desk { aad: Some(b"external".to_vec()), ..desk };
        assert_eq!(bound.why(&sealed), Some(Reason::AuthFailed), "N21 with external_aad");
    }
}

#[test]
fn of_several_signers_one_suffices_or_all_that_are_known_must_hold() {
    let signers = || {
        vec![
            Signer::new(Signature::Es256, pair(THEIRS).named(b"a")),
            Signer::new(Signature::Es256, pair(OURS).named(b"b")),
        ]
    };
    let sealed = seal(Structure::Sign(signers()));
    let (a, b) = (ec("a", THEIRS, false, &json!({})), ec("b", OURS, false, &json!({})));
    let mut forged = sealed.clone();
    *forged.last_mut().unwrap() ^= 1;
    let any = Desk::of(&[a.clone(), b.clone()]);
    let all = Desk { all_signers: true, ..any.clone() };
    assert_eq!((any.why(&sealed), all.why(&sealed)), (None, None), "the untouched twin");
    assert_eq!((any.why(&forged), all.why(&forged)), (None, Some(Reason::AuthFailed)), "the second does not hold");
    let first = Desk { all_signers: true, ..Desk::of(&[a]) };
    assert_eq!(first.why(&forged), None, "an unknown signer is passed over");
    assert_eq!(Desk::of(&[b]).why(&forged), Some(Reason::AuthFailed));
}

#[test]
fn countersignatures_are_reported_where_their_key_is_known_and_prove_no_sender() {
    let countersigner = || Signer::new(Signature::Es256, pair(OURS).named(b"notary"));
    let structures: [Structure; 3] = [
        Structure::Sign1(Signer::new(Signature::Es256, pair(THEIRS).named(b"k"))),
        Structure::Sign(vec![Signer::new(Signature::Es256, pair(THEIRS).named(b"k"))]),
        Structure::Mac0(Mac::Hmac256, Key::symmetric(&K32).named(b"m")),
    ];
    for structure in structures {
        let sealed = seal_with(structure, |message| message.countersigners = vec![countersigner()]);
        let mac = oct("m", &K32, "HMAC 256/256", &json!({}));
        let known =
            [ec("k", THEIRS, false, &json!({})), mac, ec("notary", OURS, false, &json!({"device": "urn:notary"}))];
        let Finding::Opened(settled, _) = Desk::of(&known).open(&sealed) else { panic!("not opened") };
        let proven = &settled.facts().proven;
        assert_eq!(proven.countersignatures.len(), 1, "{:?}", settled.facts().layers);
        let countersigned = &proven.countersignatures[0];
        assert_eq!((countersigned.label, countersigned.on.as_str()), (11, "body"));
        assert_eq!(countersigned.signer.as_deref(), Some("urn:notary"));
        assert_ne!(proven.sender.as_deref(), Some("urn:notary"));
        let Finding::Opened(settled, _) = Desk::of(&known[..2]).open(&sealed) else { panic!("not opened") };
        assert_eq!(settled.facts().layers[0].countersignatures[0].verified, None, "its key is not known");
        assert!(settled.facts().proven.countersignatures.is_empty());
    }
}

#[test]
fn the_keystore_takes_in_a_record_exactly_the_names_that_there_are() {
    let names: Vec<&str> = crate::item::Departure::ALL.iter().map(|departure| departure.as_str()).collect();
    assert_eq!(names, keystore::key::COMPAT);
    let label = format!("{}reserved", keystore::key::UNDERSTOOD);
    assert!(Compat::STRICT.with(&[label]).understands("reserved"));
}

#[test]
fn what_a_keys_record_allows_reaches_no_other_keys_message() {
    let unprotected = |kid: &[u8], key: &[u8]| {
        let structure = Structure::Encrypt0(Encryption::A128Gcm, Nonce::Random, Key::symmetric(key).named(kid));
        let mut message = Message::new(structure);
        message.headers.unprotected = Headers::new().integer(label::ALG, 1);
        message
    };
    let sealed = |message: Message| message.seal(CONTENT, &mut SysRng).unwrap().bytes;
    let departing = oct("a", &K16, "A128GCM", &json!({"compat": ["unprotected-alg"]}));
    let gateway = ec("gw", OURS, true, &json!({}));
    let desk = Desk { compat: &[], ..Desk::of(&[departing, oct("b", &K32[..16], "A128GCM", &json!({})), gateway]) };
    assert_eq!(desk.why(&sealed(unprotected(b"a", &K16))), None, "its own record allows it");
    assert_eq!(desk.why(&sealed(unprotected(b"b", &K32[..16]))), Some(Reason::AlgNotProtected), "another key");
    assert_eq!(desk.why(&sealed(unprotected(b"c", &K16))), Some(Reason::AlgNotProtected), "a key that is not known");
    let outer = || {
        let recipients = vec![agreed(Management::EcdhEsA128Kw, ephemeral())];
        let mut outer = Message::new(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, recipients));
        outer.headers.protected = Headers::new().integer(label::CONTENT_TYPE, 16);
        outer
    };
    let within = |message: Message| message.seal_within(&outer(), CONTENT, &mut SysRng).unwrap().bytes;
    assert_eq!(desk.why(&within(unprotected(b"a", &K16))), None, "within another layer");
    assert_eq!(desk.why(&within(unprotected(b"b", &K32[..16]))), Some(Reason::AlgNotProtected));
}

#[test]
fn a_signer_that_is_passed_over_is_tried_where_its_own_record_allows_it() {
    let signers = || {
        let mut lenient = Signer::new(Signature::Es256, pair(THEIRS).named(b"a"));
        lenient.headers.unprotected = Headers::new().integer(label::ALG, -7);
        vec![lenient, Signer::new(Signature::Es256, pair(OURS).named(b"b"))]
    };
    let sealed = seal(Structure::Sign(signers()));
    let key = |record| ec("a", THEIRS, false, &record);
    assert_eq!(Desk::of(&[key(json!({}))]).why(&sealed), Some(Reason::NoKey), "passed over, and no other is known");
    assert_eq!(Desk::of(&[key(json!({"compat": ["unprotected-alg"]}))]).why(&sealed), None);
}

#[test]
fn the_record_of_a_key_may_want_every_signer_and_take_a_sender_that_nobody_knows() {
    let sign = || [(THEIRS, b"a"), (OURS, b"b")].map(|(key, kid)| Signer::new(Signature::Es256, pair(key).named(kid)));
    let mut forged = seal(Structure::Sign(sign().into()));
    *forged.last_mut().unwrap() ^= 1;
    let desk = |record| Desk::of(&[ec("a", THEIRS, false, &record), ec("b", OURS, false, &json!({}))]);
    assert_eq!(desk(json!({"signers": "any"})).why(&forged), None, "the untouched twin");
    assert_eq!(desk(json!({"signers": "all"})).why(&forged), Some(Reason::AuthFailed));

    let sealed = encrypt(agreed(Management::EcdhEsA128Kw, ephemeral()));
    let gateway = |record| Desk { compat: &[], ..Desk::of(&[ec("gw", OURS, true, &record)]) };
    assert_eq!(gateway(json!({})).why(&sealed), Some(Reason::UnauthenticatedSender));
    assert_eq!(gateway(json!({"compat": ["unauthenticated-sender"]})).why(&sealed), None);
}

#[test]
fn claims_in_a_header_are_judged_as_any_tokens_are() {
    let entry = |number: i8, value: &Value| {
        let mut encoder = minicbor::Encoder::new(Vec::new());
        encoder.i8(number).unwrap();
        match value {
            Value::Array(texts) => {
                encoder.array(texts.len() as u64).unwrap();
                texts.iter().for_each(|text| drop(encoder.str(text.as_str().unwrap()).map(|_| ())));
            }
            Value::String(text) => drop(encoder.str(text).map(|_| ())),
            number if number.is_f64() => drop(encoder.f64(number.as_f64().unwrap()).map(|_| ())),
            number => drop(encoder.i64(number.as_i64().unwrap()).map(|_| ())),
        }
        encoder.into_writer()
    };
    let sealed = |claims: &[(i8, Value)]| {
        let entries: Vec<u8> = claims.iter().flat_map(|(number, value)| entry(*number, value)).collect();
        let encoded = [vec![0xa0 | claims.len() as u8], entries].concat();
        let structure = Structure::Sign1(Signer::new(Signature::Es256, pair(THEIRS).named(b"k")));
        let mut message = Message::new(structure);
        message.headers.protected = Headers::new().encoded(label::CLAIMS, &encoded).unwrap();
        message.seal(CONTENT, &mut SysRng).unwrap().bytes
    };
    let record = json!({"device": "urn:dev:lamp", "audience": ["https://gw.example"], "max_future_s": 300});
    let desk = Desk::of(&[ec("k", THEIRS, false, &record)]);
    let (iss, sub, aud, exp, nbf) = (1, 2, 3, 4, 5);
    let at = |offset: i64| json!(NOW_S + offset);
    let rows = [
        ("none", vec![], None),
        ("valid", vec![(exp, at(1)), (nbf, at(-1))], None),
        ("a float", vec![(exp, json!(NOW_S as f64 + 0.5))], None),
        ("expired", vec![(exp, at(-301))], Some(Reason::TooOld)),
        ("expired, a float", vec![(exp, json!((NOW_S - 301) as f64))], Some(Reason::TooOld)),
        ("not yet", vec![(nbf, at(301))], Some(Reason::FromFuture)),
        ("ours among several", vec![(aud, json!(["a", "https://gw.example"]))], None),
        ("for others", vec![(aud, json!(["a"]))], Some(Reason::BindingMismatch)),
        ("of another", vec![(sub, json!("urn:dev:lantern"))], Some(Reason::BindingMismatch)),
    ];
    for (row, claims, expected) in rows {
        assert_eq!(desk.why(&sealed(&claims)), expected, "{row}");
    }
    let issued = sealed(&[(iss, json!("urn:issuer")), (sub, json!("urn:dev:lamp"))]);
    let Finding::Opened(settled, _) = desk.open(&issued) else { panic!("not opened") };
    let token = settled.facts().proven.token.clone().unwrap();
    assert_eq!((token.iss.as_deref(), token.sub.as_deref()), (Some("urn:issuer"), Some("urn:dev:lamp")));
}
