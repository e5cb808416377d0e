//! A second opinion: coset parses the same bytes. Where verdicts differ, the difference is one of a list (cose.md §8).

use std::sync::Arc;

use coset::{CoseEncrypt, CoseEncrypt0, CoseMac, CoseMac0, CoseSign, CoseSign1, TaggedCborSerializable};
use proptest::prelude::{any, prop, proptest};
use proptest::test_runner::Config;

use super::{CIPHERTEXT, DIRECT, POINT, PROTECTED, WRAPPED, agreed, encrypt, encrypt0, nested};
use crate::envelope::cose::{Message, Place};
use crate::envelope::{Fault, Limits, Reading};
use crate::item::Reason;

/// Whether coset parses the bytes as the structure that their tag names.
fn coset_reads(bytes: &[u8]) -> bool {
    CoseEncrypt0::from_tagged_slice(bytes).is_ok()
        || CoseEncrypt::from_tagged_slice(bytes).is_ok()
        || CoseMac0::from_tagged_slice(bytes).is_ok()
        || CoseMac::from_tagged_slice(bytes).is_ok()
        || CoseSign1::from_tagged_slice(bytes).is_ok()
        || CoseSign::from_tagged_slice(bytes).is_ok()
}

fn ours(bytes: &[u8]) -> Result<Message, Fault> {
    let shared: Arc<[u8]> = bytes.into();
    Message::parse(&shared, None, Place::Outer, &Reading::strict(&Limits::default()))
}

/// Why we may refuse what coset takes: a strict form or a header rule that it leaves to its caller.
fn is_documented(fault: &Fault) -> bool {
    const OURS: &[&str] = &[
        // encodings: coset takes indefinite outer items and heads longer than need be
        "indefinite length",
        "not the shortest form of a head",
        // one label in both buckets, whatever it says there; within nested values coset does not look
        "a label twice",
        "a map key twice",
        "a map key that is neither number nor text",
        // crit in the unprotected bucket, twice, or naming what is not there
        "crit outside the protected bucket",
        "crit names a label twice",
        "crit names a label that is not in the protected bucket",
        // IV and Partial IV over both buckets; lengths
        "IV and Partial IV",
        "no IV",
        "an IV of another length than the algorithm's",
        "a header value too long or empty",
        // no recipients, no signers, nil content, no algorithm
        "no recipient",
        "no signer",
        "detached content is not supplied",
        "no algorithm",
        "a signer without an algorithm",
        // shapes of recipients
        "a recipient without ciphertext",
        "a ciphertext where the key is agreed",
        "no ciphertext where a key is wrapped",
        "a protected header where none may be",
        "recipients where none may be",
        "no key to agree with",
        "a direct recipient that is not the only one",
        "more layers of recipients than allowed",
        // keys, claims, certificates, countersignatures: opaque to coset
        "a key in a header",
        "a key without a type",
        "a key without a coordinate, or of another width than its curve's",
        "a private key in an envelope",
        "a label is a number or a text",
        "a header value is a byte string",
        "a countersignature",
        "a header bucket is a map",
        "an algorithm is a number or a text",
        "a countersignature in the protected bucket",
        "certificates are byte strings",
        "an array of less than two certificates",
        "a thumbprint is an algorithm and a digest",
        "a URI is a text",
        "a party's nonce is a byte string or a number",
        "claims are a map",
        "a content type is a number or a text",
        "nested too deep",
        "protected headers where nothing protects them",
    ];
    fault.reason != Reason::Malformed || OURS.contains(&fault.detail)
}

/// coset's reader of CBOR takes undefined for nil: said with nil, we read the bytes too, or refuse them by the list.
fn is_documented_as_nil(bytes: &[u8]) -> bool {
    let nil: Vec<u8> = bytes.iter().map(|&byte| if byte == 0xf7 { 0xf6 } else { byte }).collect();
    nil != bytes && ours(&nil).map_or_else(|fault| is_documented(&fault), |_| true)
}

fn samples() -> Vec<Vec<u8>> {
    let agreed = agreed(POINT);
    let hex = [
        encrypt0(PROTECTED, "a0", CIPHERTEXT),
        encrypt0("a4010a02810404410106412a", "a0", CIPHERTEXT),
        encrypt0(PROTECTED, "a118218241ff41fe", CIPHERTEXT),
        encrypt(&[DIRECT]),
        encrypt(&[WRAPPED, WRAPPED]),
        encrypt(&[&agreed]),
        encrypt(&[&nested(3)]),
        "d8628440a041ff818343a10126a041ff".to_owned(),
        "d28443a10126a041ff41ff".to_owned(),
        "d18443a10105a041ff41ff".to_owned(),
        "d8618543a10105a041ff41ff818340a1012541".to_owned() + "ff",
    ];
    hex.iter().map(|hex| hex::decode(hex).unwrap()).collect()
}

/// Judges one input: agreement, or a difference of the list.
fn judge(bytes: &[u8]) {
    match (ours(bytes), coset_reads(bytes)) {
        (Err(fault), true) => {
            let listed = is_documented(&fault) || is_documented_as_nil(bytes);
            assert!(listed, "coset reads, we do not ({}): {}", fault.detail, hex::encode(bytes));
        }
        // coset refuses a whole message for one unregistered number, a CWT tag around it, or what it does not nest.
        (Ok(_), false) | (Ok(_), true) | (Err(_), false) => {}
    }
}

#[test]
fn what_coset_takes_and_we_refuse_is_listed() {
    assert!(ours(&samples()[0]).is_ok() && coset_reads(&samples()[0]), "both read the untouched");
    let listed = [
        encrypt0("a0", "a3010a044401a2b3c406412a", CIPHERTEXT),
        encrypt0(PROTECTED, "a1010a", CIPHERTEXT),
        encrypt0(PROTECTED, "a10541ff", CIPHERTEXT),
        encrypt0(PROTECTED, "a0", "f6"),
        encrypt0("a301180a044401a2b3c406412a", "a0", CIPHERTEXT),
        format!("d09f4c{PROTECTED}a0{CIPHERTEXT}ff"),
        encrypt(&["8340a10125f7"]),
    ];
    for hex in listed {
        let bytes = hex::decode(&hex).unwrap();
        assert!(coset_reads(&bytes) && ours(&bytes).is_err(), "{hex}");
        judge(&bytes);
    }
    let cwt = hex::decode(format!("d83d{}", encrypt0(PROTECTED, "a0", CIPHERTEXT))).unwrap();
    assert!(!coset_reads(&cwt) && ours(&cwt).is_ok(), "a CWT's tag");
    let unregistered = hex::decode(encrypt(&["8340a10139ffff41ff", WRAPPED])).unwrap();
    assert!(!coset_reads(&unregistered) && ours(&unregistered).is_ok(), "a recipient of an unknown algorithm");
}

proptest! {
    #![proptest_config(Config::with_cases(if cfg!(debug_assertions) { 50_000 } else { 200_000 }))]

    #[test]
    fn mutants_are_judged_alike_or_by_the_list(
        sample in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let samples = samples();
        let mut bytes = sample.get(&samples).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        judge(&bytes);
    }
}
