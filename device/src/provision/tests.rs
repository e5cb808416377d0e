//! New devices: both sides' key sets fit each other, and the gateway's holds no private key.

use std::string::{String, ToString};
use std::vec::Vec;

use super::{Blueprint, Kids, Provisioned, key_sets, provision};
use crate::algorithm::SignatureAlgorithm;
use crate::device::Device;
use crate::error::SealError;
use crate::format::Format;
use crate::key::{Gateway, Kid, PublicKey, SigningKey};
use crate::key_set::KeySet;
use crate::script::Script;
use crate::seal::{Options, Shape};
use crate::sequence::Memory;

fn gateway() -> Gateway {
    let key = SigningKey::p256(Kid::new(b"gw").unwrap(), &[3; 32]).unwrap();
    let PublicKey::P256(x, y) = key.public() else { unreachable!() };
    Gateway::new(Kid::new(b"gw").unwrap(), &x, &y).unwrap()
}

fn make(shapes: &[Shape], signature: SignatureAlgorithm, gateway: &Gateway) -> Provisioned {
    let blueprint = Blueprint {
        device: "urn:d",
        format: Format::Cose,
        audience: "a",
        paths: &[Some("/1/2/3"), None],
        shapes,
        signature,
        gateway: Some(gateway),
    };
    provision(&blueprint, &mut Kids::default(), &mut Script::endless()).unwrap()
}

fn text(set: &KeySet) -> String {
    String::from_utf8(set.to_json().to_vec()).unwrap()
}

#[test]
fn each_shape_has_the_keys_that_it_needs() {
    let gateway = gateway();
    let rows = [(Shape::S, "oct"), (Shape::G, "oct EC"), (Shape::P, "EC")];
    for (shape, expected) in rows {
        let made = make(&[shape], SignatureAlgorithm::Esp256, &gateway);
        let kinds: Vec<&str> = made.gateway_keys.iter().map(|key| key.kty.as_str()).collect();
        assert_eq!(kinds.join(" "), expected);
    }
    assert_eq!(make(&[Shape::P], SignatureAlgorithm::Ed25519, &gateway).gateway_keys[0].kty, "OKP");
}

#[test]
fn a_device_read_back_from_its_key_set_seals_the_same_bytes() {
    let gateway = gateway();
    for signature in [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519] {
        let shapes = [Shape::S, Shape::G, Shape::P];
        let (_, device_side) = key_sets([make(&shapes, signature, &gateway)], Some(&gateway));
        let read = KeySet::from_json(&device_side.to_json()).unwrap_or_else(|fault| panic!("{fault}"));
        let first = make(&shapes, signature, &gateway).sealer;
        let second = read.sealer(None).unwrap_or_else(|fault| panic!("{fault}"));
        let [first, second] = [first, second].map(|sealer| {
            let mut device = Device::new(sealer, Memory::default(), 16).unwrap();
            shapes.map(|shape| device.seal(shape, b"c", &Options::default(), &mut Script::endless()).unwrap())
        });
        assert_eq!(first, second);
    }
}

#[test]
fn the_gateways_side_has_the_policy_and_no_private_key() {
    let gateway = gateway();
    let made = make(&[Shape::G], SignatureAlgorithm::Esp256, &gateway);
    let (gateway_side, device_side) = key_sets([made], Some(&gateway));
    let gateway_text = text(&gateway_side);
    assert!(!gateway_text.contains("\"d\""));
    assert!(text(&device_side).contains("\"d\""));
    let json: serde_json::Value = serde_json::from_str(&gateway_text).unwrap();
    for key in json["keys"].as_array().unwrap() {
        let policy = &key["paperknife"];
        assert_eq!(policy["device"], "urn:d");
        assert_eq!(policy["profile"], "paperknife-1");
        assert_eq!(policy["audience"], serde_json::json!(["a"]));
        assert_eq!(policy["paths"], serde_json::json!(["/1/2/3", null]));
        assert_eq!(policy["shapes"], serde_json::json!(["G"]));
        assert_eq!(policy["kid_hex"].as_str().unwrap().len(), 8);
    }
}

#[test]
fn kids_are_never_drawn_twice() {
    let mut kids = Kids::default();
    let mut rng = Script::of(&[[1, 2, 3, 4].repeat(3), [5, 6, 7, 8].to_vec()]);
    assert_eq!(kids.draw(&mut rng).unwrap().as_bytes(), [1, 2, 3, 4]);
    assert_eq!(kids.draw(&mut rng).unwrap().as_bytes(), [5, 6, 7, 8]);
    let stuck = &mut Script::of(&[[1, 2, 3, 4].repeat(64)]);
    assert_eq!(kids.draw(stuck), Err(SealError::Randomness));
}

#[test]
fn the_systems_randomness_serves() {
    let blueprint = Blueprint {
        device: "d",
        format: Format::Cose,
        audience: "a",
        paths: &[],
        shapes: &[Shape::S],
        signature: SignatureAlgorithm::Esp256,
        gateway: None,
    };
    let masters: [String; 2] = core::array::from_fn(|_| {
        let made = provision(&blueprint, &mut Kids::default(), &mut super::SysRng).unwrap();
        text(&KeySet { keys: made.device_keys }).to_string()
    });
    assert_ne!(masters[0], masters[1]);
}
