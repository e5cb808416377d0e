//! Each input wrong in turn: the explanation names the layer and the value that opens.

use paperknife_device::algorithm::{ContentAlgorithm, SignatureAlgorithm};
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::provision::{Blueprint, Kids, SysRng, provision};
use paperknife_device::seal::{Options, Shape};
use paperknife_device::sequence::Memory;
use serde_json::{Value, json};

use super::{Given, Scene, run, with_records};
use crate::guard::{Arrival, Guess};
use crate::item::{Claims, Compat, Sealed, Timestamp};
use crate::opening::explain::{Explanation, Remedy};

const DEVICE: &str = "urn:dev:test:1";
const AUDIENCE: &str = "https://gw.example";
const PATHS: [&str; 2] = ["/19/0/0", "/19/1/0"];

/// What a device sealed, and the keys that open it.
struct Sample {
    sealed: Vec<u8>,
    keys: Value,
}

fn sample(shape: Shape, options: &Options) -> Sample {
    let blueprint = Blueprint {
        device: DEVICE,
        format: Format::Cose,
        audience: AUDIENCE,
        paths: &[Some(PATHS[0]), Some(PATHS[1])],
        shapes: &[shape],
        signature: SignatureAlgorithm::Esp256,
        gateway: None,
    };
    let provisioned = provision(&blueprint, &mut Kids::default(), &mut SysRng).unwrap();
    let keys = json!(paperknife_device::key_set::KeySet { keys: provisioned.gateway_keys });
    let mut device = Device::new(provisioned.sealer, Memory::default(), 1).unwrap();
    Sample { sealed: device.seal(shape, b"content", options, &mut SysRng).unwrap(), keys }
}

fn explained(keys: &Value, sealed: &[u8], claims: &Claims, audience: &str) -> Explanation {
    let arrival = Arrival {
        relay: "",
        tenant: "default",
        received_at: Timestamp::from_seconds(1_790_856_000),
        claims,
        unauthenticated_sender: false,
        external_aad: None,
        compat: Compat::STRICT,
        detached: None,
        all_signers: false,
        judges_expiry: true,
        guess: Guess::default(),
    };
    let scene = Scene {
        keys: vec![keys.clone()],
        given: Given::default(),
        off: Vec::new(),
        audience: vec![audience.to_owned()],
        arrival,
        contexts: Vec::new(),
    };
    run(&scene, &Sealed { bytes: sealed.into(), cose_type: None }).unwrap()
}

fn claims(path: &str, endpoint: &str) -> Claims {
    Claims { path: Some(path.to_owned()), endpoint: Some(endpoint.to_owned()), ..Claims::default() }
}

/// Every key's record with one member changed.
fn changed(keys: &Value, member: &str, value: &Value) -> Value {
    with_records(std::slice::from_ref(keys), |key| key["paperknife"][member] = value.clone()).remove(0)
}

#[test]
fn each_wrong_input_is_named_with_the_value_that_opens() {
    for shape in [Shape::S, Shape::G] {
        let Sample { sealed, keys } = sample(shape, &Options::default());
        let rows = [
            (keys.clone(), claims(PATHS[1], DEVICE), "path", PATHS[0], 0),
            (keys.clone(), claims(PATHS[0], "another"), "endpoint", DEVICE, if shape == Shape::G { 1 } else { 0 }),
            (
                changed(&keys, "endpoint", &json!("another")),
                claims(PATHS[0], DEVICE),
                "endpoint of the record",
                DEVICE,
                0,
            ),
            (
                changed(&keys, "audience", &json!(["https://old.example"])),
                claims(PATHS[0], DEVICE),
                "audience",
                AUDIENCE,
                0,
            ),
            (changed(&keys, "paths", &json!([PATHS[1]])), claims(PATHS[0], DEVICE), "paths of the record", "any", 0),
        ];
        for (keys, claims, input, value, layer) in rows {
            let explanation = explained(&keys, &sealed, &claims, AUDIENCE);
            let remedy = Remedy { input, value: value.to_owned() };
            assert!(explanation.would_open.contains(&remedy), "{shape:?} {input}: {explanation:?}");
            assert!(explanation.layer <= layer.max(1), "{shape:?} {input}: {explanation:?}");
        }
        let nothing =
            explained(&changed(&keys, "device", &json!("stranger")), &[0xd0], &claims(PATHS[0], DEVICE), AUDIENCE);
        assert!(nothing.would_open.is_empty());
    }
}

#[test]
fn algorithm_and_kid_context_are_explained() {
    let options = Options { content_algorithm: Some(ContentAlgorithm::AesCcm16_128_128), ..Options::default() };
    let Sample { sealed, keys } = sample(Shape::S, &options);
    let narrowed = changed(&keys, "algs", &json!(["AES-CCM-16-64-128"]));
    let explanation = explained(&narrowed, &sealed, &claims(PATHS[0], DEVICE), AUDIENCE);
    let remedy = Remedy { input: "algs of the record", value: "AES-CCM-16-128-128".to_owned() };
    assert!(explanation.would_open.contains(&remedy), "{explanation:?}");
}
