//! The corridor, walked with real keys and real envelopes: each attack is a row beside its untouched twin.

use std::sync::Arc;

use keystore::{Defaults, ImportOptions, Keystore};
use paperknife_device::algorithm::{ContentAlgorithm, SignatureAlgorithm};
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::key::{Kid, SymmetricKey};
use paperknife_device::key_set::KeySet;
use paperknife_device::provision::{Blueprint, Kids, Provisioned, SysRng, provision};
use paperknife_device::seal::{Options, Sealer, Shape};
use paperknife_device::senml::{self, Reading};
use paperknife_device::sequence::Memory;
use serde_json::{Value, json};

use super::{Budgets, Finding, House, examine};
use crate::envelope::Limits;
use crate::guard::settled::{Facts, Flag};
use crate::item::{Claims, ItemId, Origin, Reason, Sealed, Taken, Timestamp};

mod certificates;
mod cms_attacks;
mod jose;
mod kem;
mod openssl_cms;
mod pairs;
mod round_trips;
mod shapes;
mod working_group;

const PATH: &str = "/19/0/0";
const AUDIENCE: &str = "https://gw.example";
const NOW_S: i64 = 1_790_856_000;

/// A gateway's house and one device that it knows.
struct Scene {
    house: House,
    device: Device<Memory>,
    shape: Shape,
}

/// What the relay says, and when.
struct Brought<'a> {
    path: Option<&'a str>,
    endpoint: Option<&'a str>,
    now_s: i64,
    unauthenticated_sender: bool,
}

impl Default for Brought<'_> {
    fn default() -> Self {
        Self { path: Some(PATH), endpoint: None, now_s: NOW_S, unauthenticated_sender: false }
    }
}

impl Scene {
    /// A device of this shape under the profile's defaults.
    fn of(shape: Shape) -> Self {
        Self::with(shape, &json!({}))
    }

    /// The same, with members of its keys' policy set.
    fn with(shape: Shape, policy: &Value) -> Self {
        let keystore = Keystore::ephemeral(Defaults { audience: vec![AUDIENCE.to_owned()] }).unwrap();
        let private = json!({"kty": "EC", "crv": "P-256", "kid": "gw", "use": "enc",
            "x": "JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko", "y": "lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I",
            "d": "hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU", "paperknife": {"profile": "paperknife-1"}});
        keystore.import(private.to_string().as_bytes(), &ImportOptions::default()).unwrap();
        let ours = KeySet::from_json(json!({"keys": [private]}).to_string().as_bytes()).unwrap().gateway().unwrap();
        let blueprint = Blueprint {
            device: "urn:dev:test:1",
            format: Format::Cose,
            audience: AUDIENCE,
            paths: &[Some(PATH), Some("/19/1/0")],
            shapes: &[shape],
            signature: SignatureAlgorithm::Esp256,
            gateway: ours.as_ref(),
        };
        let Provisioned { sealer, gateway_keys, .. } =
            provision(&blueprint, &mut Kids::default(), &mut SysRng).unwrap();
        let mut keys = json!(KeySet { keys: gateway_keys });
        for key in keys["keys"].as_array_mut().unwrap() {
            policy.as_object().unwrap().iter().for_each(|(member, value)| key["paperknife"][member] = value.clone());
        }
        keystore.import(keys.to_string().as_bytes(), &ImportOptions::default()).unwrap();
        let device = Device::new(sealer, Memory::default(), 16).unwrap();
        Self { house: House::new(Arc::new(keystore), Limits::default()), device, shape }
    }

    fn seal(&mut self, options: &Options) -> Vec<u8> {
        let content = senml::pack(&[Reading::number("/3303/0/5700", 21.5)]);
        self.device.seal(self.shape, &content, options, &mut SysRng).unwrap()
    }

    fn bring(&self, sealed: &[u8], brought: &Brought<'_>) -> Finding {
        examine(&self.house, &taken(sealed, "acme", brought)).unwrap()
    }

    fn honest(&mut self) -> Vec<u8> {
        self.seal(&Options::default())
    }
}

fn taken(sealed: &[u8], relay: &str, brought: &Brought<'_>) -> Taken {
    let claims = Claims {
        endpoint: brought.endpoint.map(str::to_owned),
        path: brought.path.map(str::to_owned),
        ..Claims::default()
    };
    let unauthenticated_sender = brought.unauthenticated_sender;
    Taken {
        id: ItemId(1),
        receipt: uuid::Uuid::nil(),
        index: 0,
        origin: Origin { relay: relay.into(), tenant: "default".into(), unauthenticated_sender },
        received_at: Timestamp::from_seconds(brought.now_s),
        sealed: Sealed { bytes: sealed.into(), cose_type: None },
        claims,
    }
}

fn facts(finding: &Finding) -> &Facts {
    match finding {
        Finding::Opened(settled, _) => settled.facts(),
        Finding::Held(held) => panic!("held: {held:?}"),
        Finding::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn reason(finding: &Finding) -> Option<Reason> {
    match finding {
        Finding::Opened(..) => None,
        Finding::Held(held) => Some(held.reason),
        Finding::Refused(refusal) => Some(refusal.reason),
    }
}

const SHAPES: [Shape; 3] = [Shape::S, Shape::G, Shape::P];

#[test]
fn each_shape_opens_and_proves_its_sender() {
    for shape in SHAPES {
        let mut scene = Scene::of(shape);
        let sealed = scene.honest();
        let finding = scene.bring(&sealed, &Brought::default());
        let facts = facts(&finding);
        assert_eq!(facts.proven.sender.as_deref(), Some("urn:dev:test:1"));
        assert_eq!(facts.proven.path.as_deref(), Some(PATH));
        assert_eq!(facts.proven.audience.as_deref(), Some(AUDIENCE));
        assert_eq!(facts.proven.sequence, Some(0));
        assert_eq!(facts.proven.signature_alg.is_some(), shape != Shape::S);
        assert_eq!(facts.sequenced.as_ref().unwrap().also.is_some(), shape == Shape::G);
        let Finding::Opened(_, payload) = &finding else { unreachable!() };
        assert_eq!(payload.readings.len(), 1);
    }
}

#[test]
fn every_changed_bit_keeps_an_envelope_shut_or_changes_nothing() {
    for shape in SHAPES {
        let mut scene = Scene::of(shape);
        let sealed = scene.honest();
        let untouched = scene.bring(&sealed, &Brought::default());
        let mut harmless = Vec::new();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let finding = scene.bring(&changed, &Brought::default());
            if reason(&finding).is_none() {
                assert_eq!(facts(&finding), facts(&untouched), "bit {bit} of {}", hex::encode(&sealed));
                harmless.push(sealed[bit / 8]);
            }
        }
        // Both points of an x have one shared secret (RFC 9053 §6.3.1): the sign of P's ephemeral y, CBOR true or false.
        let sign = |byte: &u8| matches!(byte, 0xf4 | 0xf5);
        assert!(harmless.len() == usize::from(shape == Shape::P) && harmless.iter().all(sign), "{harmless:x?}");
    }
}

#[test]
fn what_the_relay_claims_must_agree_with_what_is_bound() {
    for shape in SHAPES {
        let mut scene = Scene::of(shape);
        let sealed = scene.honest();
        let brought = |path, endpoint| Brought { path, endpoint, ..Brought::default() };
        let rows = [
            (brought(Some(PATH), Some("urn:dev:test:1")), None, "the untouched twin"),
            (brought(None, None), None, "no claim: any path of the key's list"),
            (brought(Some("/19/0/0/7"), None), None, "a resource instance is not bound"),
            (brought(Some("/19/1/0"), None), Some(Reason::BindingMismatch), "another path of the list"),
            (brought(Some("/3/0/0"), None), Some(Reason::BindingMismatch), "a path outside the list"),
            (brought(Some(PATH), Some("urn:dev:test:2")), Some(Reason::BindingMismatch), "another endpoint"),
        ];
        for (brought, expected, row) in rows {
            assert_eq!(reason(&scene.bring(&sealed, &brought)), expected, "{row}");
        }
    }
}

#[test]
fn freshness_is_judged_at_arrival_by_the_keys_policy() {
    let policy = json!({"iat_required": true, "max_age_s": 600, "late_after_s": 60, "max_future_s": 30});
    for shape in SHAPES {
        let mut scene = Scene::with(shape, &policy);
        let issued = |seconds: i64| Options { issued_at: Some((NOW_S + seconds) as u64), ..Options::default() };
        let rows = [
            (issued(0), None, &[][..]),
            (issued(29), None, &[]),
            (issued(31), Some(Reason::FromFuture), &[]),
            (issued(-61), None, &[Flag::Late]),
            (issued(-601), Some(Reason::TooOld), &[]),
            (Options::default(), Some(Reason::ClaimMissing), &[]),
        ];
        for (options, expected, flags) in rows {
            let sealed = scene.seal(&options);
            let finding = scene.bring(&sealed, &Brought::default());
            assert_eq!(reason(&finding), expected, "{:?}", options.issued_at);
            if expected.is_none() {
                assert_eq!(facts(&finding).flags, flags);
            }
        }
    }
}

#[test]
fn the_keys_policy_decides_what_may_be_tried() {
    let rows = [
        (Shape::S, json!({}), None, "the untouched twin"),
        (Shape::S, json!({"algs": ["A128GCM"]}), Some(Reason::AlgNotAllowed), "another algorithm"),
        (Shape::S, json!({"shapes": ["G"]}), Some(Reason::UnauthenticatedSender), "unsigned where a signature is due"),
        (Shape::G, json!({"shapes": ["S"]}), Some(Reason::ShapeNotAllowed), "G where S alone is allowed"),
        (Shape::P, json!({"shapes": ["G"]}), Some(Reason::ShapeNotAllowed), "P where G alone is allowed"),
        (Shape::S, json!({"formats": ["jose"]}), Some(Reason::KeyNotUsable), "a key for other formats"),
        (Shape::S, json!({"content_formats": [50]}), Some(Reason::ContentNotAllowed), "another content"),
        (Shape::S, json!({"max_plaintext": 19}), Some(Reason::ContentNotAllowed), "content too large"),
        (Shape::P, json!({"audience": ["https://other.example"]}), Some(Reason::AuthFailed), "another application"),
        (Shape::S, json!({"endpoint": "other"}), Some(Reason::AuthFailed), "another name of the device"),
    ];
    for (shape, policy, expected, row) in rows {
        let mut scene = Scene::with(shape, &policy);
        let sealed = scene.honest();
        assert_eq!(reason(&scene.bring(&sealed, &Brought::default())), expected, "{row}");
    }
}

#[test]
fn an_unknown_kid_is_held_by_its_name() {
    let mut scene = Scene::of(Shape::S);
    let mut sealed = scene.honest();
    let kid = scene.device.sealer().symmetric.as_ref().unwrap().kid().as_bytes().to_vec();
    let at = sealed.windows(kid.len()).position(|window| window == kid).unwrap();
    sealed[at] ^= 0xff;
    let Finding::Held(held) = scene.bring(&sealed, &Brought::default()) else { panic!("not held") };
    assert_eq!(held.reason, Reason::NoKey);
    assert_eq!(held.key_names, [crate::item::KeyName::Kid(sealed[at..at + kid.len()].to_vec())]);
}

#[test]
fn a_relay_that_fails_too_often_on_a_key_is_refused_for_it_and_no_other_is() {
    let mut scene = Scene::of(Shape::S);
    scene.house.budgets = Budgets::of(3);
    let honest = scene.honest();
    let mut forged = honest.clone();
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..3 {
        assert_eq!(reason(&scene.bring(&forged, &Brought::default())), Some(Reason::AuthFailed));
    }
    assert_eq!(reason(&scene.bring(&honest, &Brought::default())), Some(Reason::BudgetExhausted));
    let other = taken(&honest, "another relay", &Brought::default());
    assert_eq!(reason(&examine(&scene.house, &other).unwrap()), None);
}

#[test]
fn full_tags_have_no_budget() {
    let mut scene = Scene::of(Shape::S);
    scene.house.budgets = Budgets::of(1);
    let options = Options { content_algorithm: Some(ContentAlgorithm::AesCcm16_128_128), ..Options::default() };
    let honest = scene.seal(&options);
    let mut forged = honest.clone();
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..3 {
        assert_eq!(reason(&scene.bring(&forged, &Brought::default())), Some(Reason::AuthFailed));
    }
    assert_eq!(reason(&scene.bring(&honest, &Brought::default())), None);
}

#[test]
fn a_panic_while_opening_holds_the_item_for_the_operator() {
    let mut scene = Scene::of(Shape::S);
    let sealed = scene.honest();
    scene.house.probe = |taken| assert!(taken.index != 0, "planted");
    assert_eq!(reason(&scene.bring(&sealed, &Brought::default())), Some(Reason::InternalError));
    scene.house.probe = |_| ();
    assert_eq!(reason(&scene.bring(&sealed, &Brought::default())), None);
}

#[test]
fn identity_is_of_the_content_that_the_sender_authenticated() {
    // The same signed content, encrypted anew around it by whoever holds the symmetric key, stays one message: G again
    // under another Partial IV would differ inside, so only the outer layer of P can be remade.
    let mut scene = Scene::of(Shape::P);
    let (first, second) = (scene.honest(), scene.honest());
    let identity = |sealed: &[u8]| facts(&scene.bring(sealed, &Brought::default())).identity;
    assert_eq!(identity(&first), identity(&first));
    assert_ne!(identity(&first), identity(&second), "another number is another message");
}

#[test]
fn a_stranger_under_the_same_kid_opens_nothing() {
    let mut scene = Scene::of(Shape::S);
    let sealer = scene.device.sealer();
    let kid = Kid::new(sealer.symmetric.as_ref().unwrap().kid().as_bytes()).unwrap();
    let stranger = Sealer {
        device: sealer.device.clone(),
        audience: sealer.audience.clone(),
        path: sealer.path.clone(),
        kid_context: None,
        symmetric: Some(SymmetricKey::master(kid, &[9; 32]).unwrap()),
        signing: None,
        gateway: None,
    };
    let honest = scene.honest();
    scene.device = Device::new(stranger, Memory::default(), 16).unwrap();
    let forged = scene.honest();
    assert_eq!(reason(&scene.bring(&forged, &Brought::default())), Some(Reason::AuthFailed));
    assert_eq!(reason(&scene.bring(&honest, &Brought::default())), None, "the untouched twin");
}
