//! Which counter a message draws from.

use std::borrow::ToOwned;

use rand_core::TryCryptoRng;

use super::Device;
use crate::error::SealError;
use crate::key::{Gateway, Kid, KidContext, SigningKey, SymmetricKey};
use crate::script::Script;
use crate::seal::{Options, Sealer, Shape};
use crate::sequence::{LIMIT, Memory};

fn sealer() -> Sealer {
    let signing = SigningKey::p256(Kid::new(&[2]).unwrap(), &[7; 32]).unwrap();
    let crate::key::PublicKey::P256(x, y) = signing.public() else { unreachable!() };
    Sealer {
        device: "d".to_owned(),
        audience: "a".to_owned(),
        path: None,
        kid_context: None,
        symmetric: Some(SymmetricKey::master(Kid::new(&[1]).unwrap(), &[9; 32]).unwrap()),
        signing: Some(signing),
        gateway: Some(Gateway::new(Kid::new(b"gw").unwrap(), &x, &y).unwrap()),
    }
}

fn device(storage: Memory) -> Device<Memory> {
    Device::new(sealer(), storage, 1).unwrap()
}

fn next(device: &Device<Memory>) -> [Option<u64>; 3] {
    [Shape::S, Shape::G, Shape::P].map(|shape| device.next(shape))
}

fn seal<R: TryCryptoRng>(device: &mut Device<Memory>, shape: Shape, rng: &mut R) {
    device.seal(shape, b"content", &Options::default(), rng).unwrap();
}

#[test]
fn s_draws_from_the_symmetric_keys_counter_and_p_from_the_signing_keys() {
    let mut device = device(Memory::default());
    let mut rng = Script::endless();
    seal(&mut device, Shape::S, &mut rng);
    seal(&mut device, Shape::S, &mut rng);
    seal(&mut device, Shape::P, &mut rng);
    assert_eq!(next(&device), [Some(2), Some(2), Some(1)]);
}

#[test]
fn g_draws_from_both_in_step() {
    for (symmetric, signing) in [(3, 8), (8, 3)] {
        let mut device = device(Memory::starting_at([("01".to_owned(), symmetric), ("02".to_owned(), signing)]));
        assert_eq!(device.next(Shape::G), Some(8));
        seal(&mut device, Shape::G, &mut Script::endless());
        assert_eq!(next(&device), [Some(9), Some(9), Some(9)]);
    }
}

#[test]
fn what_cannot_be_sealed_spends_no_number() {
    let mut device = device(Memory::default());
    let mut rng = Script::endless();
    assert_eq!(device.seal(Shape::S, b"", &Options::default(), &mut rng), Err(SealError::Empty));
    let wrong = Options { cti: Some([0; 3].into()), ..Options::default() };
    assert!(device.seal(Shape::S, b"c", &wrong, &mut rng).is_err());
    let wrong =
        Options { content_algorithm: Some(crate::algorithm::ContentAlgorithm::AesCcm16_64_128), ..Options::default() };
    assert!(device.seal(Shape::P, b"c", &wrong, &mut rng).is_err());
    assert_eq!(next(&device), [Some(0), Some(0), Some(0)]);
}

#[test]
fn exhaustion_is_an_error_until_a_new_kid_context_begins() {
    let mut device = device(Memory::starting_at([("01".to_owned(), LIMIT)]));
    let mut rng = Script::endless();
    let sealed = device.seal(Shape::S, b"c", &Options::default(), &mut rng);
    assert_eq!(sealed, Err(SealError::Exhausted));
    device.begin(KidContext::boot(1)).unwrap();
    seal(&mut device, Shape::S, &mut rng);
    assert_eq!(device.next(Shape::S), Some(1));
}

#[test]
fn a_shape_without_its_key_is_an_error() {
    let mut device = Device::new(Sealer { signing: None, gateway: None, ..sealer() }, Memory::default(), 1).unwrap();
    for shape in [Shape::G, Shape::P] {
        let sealed = device.seal(shape, b"c", &Options::default(), &mut Script::endless());
        assert!(matches!(sealed, Err(SealError::KeyMissing(_))));
        assert_eq!(device.next(shape), None);
    }
}
