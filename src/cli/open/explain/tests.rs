//! Each input wrong in turn: the explanation names the layer and the value that opens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paperknife_device::algorithm::SignatureAlgorithm;
use paperknife_device::cms;
use paperknife_device::cose::algorithm::{Encryption, Management};
use paperknife_device::cose::headers::{ContentType, Headers};
use paperknife_device::cose::recipient::{Inputs, Party, Recipient, Sender, Source};
use paperknife_device::cose::{Message, Nonce, Structure};
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::key_set::KeySet;
use paperknife_device::primitive::key::{Curve, Key};
use paperknife_device::provision::{Blueprint, Kids, SysRng, provision};
use paperknife_device::seal::{Options, Shape};
use paperknife_device::sequence::Memory;
use serde_json::{Value, json};

use super::{Given, Scene, run, with_records};
use crate::guard::Arrival;
use crate::item::{Claims, Compat, Sealed, Timestamp};
use crate::opening::explain::{Explanation, Remedy};

const DEVICE: &str = "urn:dev:test:1";
const AUDIENCE: &str = "https://gw.example";
const PATHS: [&str; 2] = ["/19/0/0", "/19/1/0"];
const CONTENT: &[u8] = b"content";

/// What was sealed, and what somebody opens it with.
#[derive(Clone)]
struct Desk {
    sealed: Vec<u8>,
    keys: Vec<Value>,
    claims: Claims,
    audience: &'static str,
    aad: Option<&'static [u8]>,
    contexts: Vec<Vec<u8>>,
}

impl Desk {
    fn of(sealed: Vec<u8>, keys: &[Value]) -> Self {
        let claims = Claims::default();
        Self { sealed, keys: keys.to_vec(), claims, audience: AUDIENCE, aad: None, contexts: Vec::new() }
    }

    fn claiming(self, path: &str, endpoint: &str) -> Self {
        let claims = Claims { path: Some(path.to_owned()), endpoint: Some(endpoint.to_owned()), ..Claims::default() };
        Self { claims, ..self }
    }

    /// One member of every key's record of that kind in place of another.
    fn recording(self, kty: &str, member: &str, value: &Value) -> Self {
        let keys = with_records(&self.keys, |key| {
            if kty == "any" || key["kty"] == kty {
                key["paperknife"][member] = value.clone();
            }
        });
        Self { keys, ..self }
    }

    fn explained(&self) -> Explanation {
        let arrival = Arrival {
            external_aad: self.aad,
            ..Arrival::offline(&self.claims, Compat::STRICT, Timestamp::from_seconds(1_790_856_000))
        };
        let (keys, contexts) = (vec![json!({"keys": self.keys})], self.contexts.clone());
        let scene = Scene {
            keys,
            given: Given::default(),
            off: Vec::new(),
            audience: vec![self.audience.to_owned()],
            arrival,
            contexts,
        };
        run(&scene, &Sealed { bytes: self.sealed.as_slice().into(), cose_type: None }).unwrap()
    }

    /// Stopped at `layer`, and these inputs alone would have opened it.
    fn expect(&self, what: &str, layer: usize, remedies: &[(&'static str, &str)]) {
        let remedy = |(input, value): &(&'static str, &str)| Remedy { input, value: (*value).to_owned() };
        let would_open = remedies.iter().map(remedy).collect();
        assert_eq!(self.explained(), Explanation { layer, would_open }, "{what}");
    }
}

/// The gateway's coordinates and private number.
const GATEWAY: [&str; 3] = [
    "JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko",
    "lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I",
    "hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU",
];

fn gateway_key(record: &Value) -> Value {
    let [x, y, d] = GATEWAY;
    json!({"kty": "EC", "crv": "P-256", "kid": "gw", "use": "enc", "x": x, "y": y, "d": d, "paperknife": record})
}

/// A reading in a shape of the profile, with the keys that open it, claimed as it was sealed.
fn shaped(shape: Shape) -> Desk {
    sealed_in(Format::Cose, shape)
}

fn sealed_in(format: Format, shape: Shape) -> Desk {
    let private = gateway_key(&json!({"profile": "paperknife-1"}));
    let gateway = KeySet::from_json(json!({"keys": [private]}).to_string().as_bytes()).unwrap().gateway().unwrap();
    let blueprint = Blueprint {
        device: DEVICE,
        format,
        audience: AUDIENCE,
        paths: &[Some(PATHS[0]), Some(PATHS[1])],
        shapes: &[shape],
        signature: SignatureAlgorithm::Esp256,
        gateway: gateway.as_ref(),
    };
    let provisioned = provision(&blueprint, &mut Kids::default(), &mut SysRng).unwrap();
    let mut keys = json!(provisioned.gateway_keys).as_array().unwrap().clone();
    if shape == Shape::P {
        keys.push(private);
    }
    let mut device = Device::new(provisioned.sealer, Memory::default(), 1).unwrap();
    let sealed = match format {
        Format::Cms => device.seal_cms(shape, CONTENT, &cms::profile::Options::default(), &mut SysRng),
        _ => device.seal(shape, CONTENT, &Options::default(), &mut SysRng),
    };
    Desk::of(sealed.unwrap(), &keys).claiming(PATHS[0], DEVICE)
}

#[test]
fn what_the_profile_binds_is_explained_at_the_layer_that_binds_it() {
    // The layer that is bound to path and audience, and the one that proves the sender.
    for (shape, bound, sender) in [(Shape::S, 0, 0), (Shape::G, 0, 1), (Shape::P, 1, 1)] {
        let desk = shaped(shape);
        let row = |what: &str| format!("{shape:?}: {what}");
        let elsewhere = desk.clone().claiming(PATHS[1], DEVICE);
        elsewhere.expect(&row("path"), bound, &[("path", PATHS[0])]);
        let another = desk.clone().claiming(PATHS[0], "another");
        another.expect(&row("endpoint"), sender, &[("endpoint", DEVICE)]);
        let renamed = desk.clone().recording("any", "endpoint", &json!("another"));
        renamed.expect(&row("endpoint of the record"), bound, &[("endpoint of the record", DEVICE)]);
        let moved = desk.clone().recording("any", "audience", &json!(["https://old.example"]));
        moved.expect(&row("audience"), bound, &[("audience", AUDIENCE)]);
        let narrowed = desk.clone().recording("any", "paths", &json!([PATHS[1]]));
        narrowed.expect(&row("paths of the record"), bound, &[("paths of the record", "any")]);
    }
}

#[test]
fn what_the_binding_attribute_of_cms_says_is_explained_too() {
    for (shape, bound) in [(Shape::S, 0), (Shape::P, 1)] {
        let desk = sealed_in(Format::Cms, shape);
        let row = |what: &str| format!("CMS {shape:?}: {what}");
        desk.clone().claiming(PATHS[1], DEVICE).expect(&row("path"), bound, &[("path", PATHS[0])]);
        desk.clone().claiming(PATHS[0], "another").expect(&row("endpoint"), bound, &[("endpoint", DEVICE)]);
        let moved = desk.clone().recording("any", "audience", &json!(["https://old.example"]));
        moved.expect(&row("audience"), bound, &[("audience", AUDIENCE)]);
    }
}

#[test]
fn the_signers_record_alone_is_explained_at_its_own_layer() {
    let desk = shaped(Shape::G);
    let moved = desk.clone().recording("EC", "audience", &json!(["https://old.example"]));
    moved.expect("audience of the signer", 1, &[("audience", AUDIENCE)]);
    let other = desk.recording("EC", "algs", &json!(["ES256"]));
    other.expect("algorithm of the signer", 1, &[("algs of the record", "ESP256")]);
}

#[test]
fn external_aad_that_was_not_bound_is_explained() {
    let key = oct("k", b"a key of sixteen", "A128GCM", &json!({}));
    let sealed = Message::new(Structure::Encrypt0(Encryption::A128Gcm, Nonce::Random, named(b"a key of sixteen")));
    let sealed = sealed.seal(CONTENT, &mut SysRng).unwrap().bytes;
    let desk = Desk { aad: Some(b"elsewhere"), ..Desk::of(sealed, &[key]) };
    desk.expect("external_aad", 0, &[("external_aad", "none")]);
}

fn named(key: &[u8]) -> Key {
    Key::symmetric(key).named(b"k")
}

fn oct(kid: &str, k: &[u8], alg: &str, record: &Value) -> Value {
    json!({"kty": "oct", "kid": kid, "k": URL_SAFE_NO_PAD.encode(k), "alg": alg, "paperknife": record})
}

/// The same message outermost, and as what a COSE_Encrypt to the gateway holds.
fn at_each_layer(message: &Message, structure: u16) -> [(usize, Vec<u8>); 2] {
    let [x, y, _] = GATEWAY.map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
    let receiver = Key::curve(Curve::P256, &x, &y, None).unwrap().named(b"gw");
    let source = Source::Agreement(receiver, Sender::Ephemeral { compressed: false });
    let recipients = vec![Recipient::new(Management::EcdhEsA128Kw, source)];
    let mut outer = Message::new(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, recipients));
    outer.headers.protected = Headers::new().content_type(&ContentType::Number(structure));
    let within = message.seal_within(&outer, CONTENT, &mut SysRng).unwrap().bytes;
    [(0, message.seal(CONTENT, &mut SysRng).unwrap().bytes), (1, within)]
}

fn outer_key() -> Value {
    gateway_key(&json!({}))
}

#[test]
fn an_algorithm_is_explained_that_the_record_or_the_envelope_states_wrongly() {
    let record = json!({"algs": ["AES-CCM-16-128-128"]});
    let key = |record| json!({"kty": "oct", "kid": "k", "k": URL_SAFE_NO_PAD.encode(b"a key of sixteen"), "paperknife": record});
    let encrypt = || Structure::Encrypt0(Encryption::Ccm16_128_128, Nonce::Random, named(b"a key of sixteen"));
    for (layer, sealed) in at_each_layer(&Message::new(encrypt()), 16) {
        let desk = Desk::of(sealed, &[key(json!({"algs": ["AES-CCM-16-64-128"]})), outer_key()]);
        desk.expect("algs of the record", layer, &[("algs of the record", "AES-CCM-16-128-128")]);
    }
    // A firmware that says one algorithm and runs another; the record allows what it runs.
    let mut mistaken = Message::new(encrypt());
    mistaken.headers.protected = Headers::new().integer(1, 10);
    for (layer, sealed) in at_each_layer(&mistaken, 16) {
        let desk = Desk::of(sealed, &[key(record.clone()), outer_key()]);
        desk.expect("algorithm", layer, &[("algorithm", "AES-CCM-16-128-128")]);
    }
}

/// Keys that profile.md §3 derives of one master for AES-CCM-16-64-128: without kid context, and with 00000009.
const MASTER: &str = "b895f1434b3a0397e94e000ed57b1385017d2bc40bd4cd515ca736ace524fe02";
const WITHOUT: [&str; 2] = ["189af2a8ccf3de76044bc7da30147d00", "64a92c56d8a2d9ddfb0f3317e9"];
const WITHIN_9: [&str; 2] = ["6085cef711091341eb38287fe95d7399", "18756baf878a94c474452c2d1e"];

#[test]
fn a_kid_context_is_explained_that_the_envelope_states_wrongly() {
    let bytes = |hex: &str| hex::decode(hex).unwrap();
    let record = json!({"kid_hex": "01a2b3c4", "kdf": "paperknife-1"});
    let master = oct("k", &bytes(MASTER), "AES-CCM-16-64-128", &record);
    let message = |[key, base_iv]: [&str; 2], stated: Option<&str>| {
        let key = Key::symmetric(&bytes(key)).named(&bytes("01a2b3c4")).with_base_iv(&bytes(base_iv));
        let nonce = Nonce::Partial(vec![1]);
        let mut message = Message::new(Structure::Encrypt0(Encryption::Ccm16_64_128, nonce, key));
        if let Some(context) = stated {
            message.headers.protected = Headers::new().bytes(10, &bytes(context));
        }
        message
    };
    let rows =
        [(WITHOUT, Some("00000009"), "none"), (WITHIN_9, None, "00000009"), (WITHIN_9, Some("00000008"), "00000009")];
    for (derived, stated, value) in rows {
        for (layer, sealed) in at_each_layer(&message(derived, stated), 16) {
            let contexts = vec![bytes("00000009"), bytes("0000000a")];
            let desk = Desk { contexts, ..Desk::of(sealed, &[master.clone(), outer_key()]) };
            desk.expect(&format!("{stated:?}"), layer, &[("kid context", value)]);
        }
    }
}

const SECRET: &[u8] = b"a key of two and thirty octets..";
const OTHER: &[u8] = b"another of two and thirty octets";

/// A record with every input of a derivation.
fn whole_record() -> Value {
    let party = |name: &str| {
        let field = |field: &str| URL_SAFE_NO_PAD.encode(format!("{name} {field}"));
        json!({"identity": field("identity"), "nonce": field("nonce"), "other": field("other")})
    };
    let text = |text: &str| URL_SAFE_NO_PAD.encode(text);
    json!({"party_u": party("u"), "party_v": party("v"), "salt": text("salt"), "pub_other": text("public"),
        "priv_other": text("private")})
}

/// Encrypted under a key that all of it derived, none of it on the wire.
fn derived(inputs: Inputs) -> Message {
    let source = Source::Key(named(SECRET));
    let recipient = Recipient { inputs, ..Recipient::new(Management::DirectHkdfSha256, source) };
    Message::new(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, vec![recipient]))
}

fn whole_inputs() -> Inputs {
    let party = |name: &str| {
        let field = |field: &str| Some(format!("{name} {field}").into_bytes());
        Party { identity: field("identity"), nonce: field("nonce"), other: field("other") }
    };
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    Inputs {
        party_u: party("u"),
        party_v: party("v"),
        salt: bytes("salt"),
        pub_other: bytes("public"),
        priv_other: bytes("private"),
        unsent: true,
    }
}

#[test]
fn each_input_of_a_derivation_is_explained() {
    let places = [
        "/party_u/identity",
        "/party_u/nonce",
        "/party_u/other",
        "/party_v/identity",
        "/party_v/nonce",
        "/party_v/other",
        "/salt",
        "/pub_other",
        "/priv_other",
    ];
    let record = |record: &Value| oct("k", SECRET, "direct+HKDF-SHA-256", record);
    let samples = at_each_layer(&derived(whole_inputs()), 96);
    // Outermost and within by turns.
    for (place, (layer, sealed)) in places.iter().zip(samples.iter().cycle()) {
        let right = whole_record().pointer(place).unwrap().as_str().unwrap().to_owned();
        let mut wrong = whole_record();
        *wrong.pointer_mut(place).unwrap() = json!(URL_SAFE_NO_PAD.encode("wrong"));
        // Another device's record has the value that opens.
        let other = oct("other", OTHER, "direct+HKDF-SHA-256", &whole_record());
        let desk = Desk::of(sealed.clone(), &[record(&wrong), other, outer_key()]);
        let input = super::KDF_INPUTS.iter().find(|known| place.strip_prefix('/') == Some(known)).unwrap();
        desk.expect(place, *layer, &[(*input, right.as_str())]);
    }
}

#[test]
fn an_input_of_a_derivation_is_explained_that_nothing_was_derived_with() {
    let Inputs { party_u, party_v, .. } = whole_inputs();
    let sealed = derived(Inputs { party_u, party_v, unsent: true, ..Inputs::default() });
    let whole = whole_record();
    let record =
        |member: &str| json!({"party_u": whole["party_u"], "party_v": whole["party_v"], member: whole[member]});
    for (layer, sealed) in at_each_layer(&sealed, 96) {
        for member in ["salt", "pub_other", "priv_other"] {
            let key = oct("k", SECRET, "direct+HKDF-SHA-256", &record(member));
            Desk::of(sealed.clone(), &[key, outer_key()]).expect(member, layer, &[(member, "none")]);
        }
        let swapped = json!({"party_v": whole["party_u"], "party_u": whole["party_v"]});
        let key = oct("k", SECRET, "direct+HKDF-SHA-256", &swapped);
        let remedy = ("party_u and party_v", "each in the other's place");
        Desk::of(sealed, &[key, outer_key()]).expect("parties swapped", layer, &[remedy]);
    }
}

#[test]
fn a_base_iv_and_a_derivation_are_explained() {
    let message = |key: Key| {
        let message = Message::new(Structure::Encrypt0(Encryption::Ccm16_64_128, Nonce::Partial(vec![1]), key));
        message.seal(CONTENT, &mut SysRng).unwrap().bytes
    };
    let key = b"a key of sixteen";
    let base_iv = |text: &[u8; 13]| json!({"base_iv": URL_SAFE_NO_PAD.encode(text)});
    let sealed = message(named(key).with_base_iv(b"a base of ivs"));
    let wrong = oct("k", key, "AES-CCM-16-64-128", &base_iv(b"another of iv"));
    let other = oct("other", b"another, sixteen", "AES-CCM-16-64-128", &base_iv(b"a base of ivs"));
    let value = URL_SAFE_NO_PAD.encode(b"a base of ivs");
    Desk::of(sealed, &[wrong, other]).expect("base IV", 0, &[("base_iv", &value)]);

    let plain = Message::new(Structure::Encrypt0(Encryption::Ccm16_64_128, Nonce::Random, named(key)));
    let sealed = plain.seal(CONTENT, &mut SysRng).unwrap().bytes;
    let derives = oct("k", key, "AES-CCM-16-64-128", &json!({"kdf": "paperknife-1"}));
    Desk::of(sealed, &[derives]).expect("kdf", 0, &[("kdf", "none")]);
}

#[test]
fn nothing_opens_what_no_key_of_the_desk_sealed() {
    let mut desk = shaped(Shape::S);
    let last = desk.sealed.len() - 1;
    desk.sealed[last] ^= 1;
    desk.expect("a forged tag", 0, &[]);
    desk.sealed = vec![0xd0];
    desk.expect("no envelope", 0, &[]);
}
