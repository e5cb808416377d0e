//! Every JWE and JWS: each key management on each curve, under each content encryption, in each serialization; each
//! signature in each serialization.

use paperknife_device::jose::Serialization;
use paperknife_device::jose::algorithm::{Encryption, Management, Signature};
use paperknife_device::jose::header::Header;
use paperknife_device::jose::jwe::{Jwe, Recipient};
use paperknife_device::jose::jws::{Jws, Signer};
use paperknife_device::provision::SysRng;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{NOW_S, RECEIVER, VERIFIER, content_of, everything, key};
use crate::guard::Arrival;
use crate::item::{Claims, Sealed, Timestamp};
use crate::opening::{Finding, House, find};

/// Names of the test keys that receive by a key management.
fn receivers(management: Management, encryption: Encryption) -> Vec<String> {
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    match management {
        Management::Dir => [format!("oct{}", encryption.key_len())].into(),
        _ if management.agrees() => of(&["p256", "p384", "p521", "x25519"]),
        _ if management.name().starts_with("RSA") => of(&["rsa2048"]),
        Management::A128Kw | Management::A128GcmKw => of(&["oct16"]),
        Management::A192Kw | Management::A192GcmKw => of(&["oct24"]),
        // a password's bytes are any bytes
        _ => of(&["oct32"]),
    }
}

fn signer_key(algorithm: Signature) -> &'static str {
    match algorithm {
        Signature::Es256 => "p256",
        Signature::Es384 => "p384",
        Signature::Es512 => "p521",
        Signature::Es256k => "k256",
        Signature::EdDsa | Signature::Ed25519 => "ed25519",
        Signature::Hs256 => "oct32",
        Signature::Hs384 => "oct48",
        Signature::Hs512 => "oct64",
        Signature::MlDsa44 => "mldsa44",
        Signature::MlDsa65 => "mldsa65",
        Signature::MlDsa87 => "mldsa87",
        _ => "rsa2048",
    }
}

/// Every JWE to one recipient, compact.
fn jwes() -> Vec<(String, Jwe)> {
    let mut all = Vec::new();
    for &encryption in Encryption::ALL {
        for &management in Management::ALL {
            for receiver in receivers(management, encryption) {
                let name = format!("{} {} {receiver}", management.name(), encryption.name());
                let recipient = Recipient::new(management, key(&receiver));
                all.push((name, Jwe::new(encryption, [recipient].into())));
            }
        }
    }
    all
}

fn jws(algorithm: Signature) -> Jws {
    Jws::new(Signer::new(algorithm, key(signer_key(algorithm))))
}

/// A shared key is the receiver's, a public one the verifier's.
fn verifier(algorithm: Signature) -> &'static House {
    if algorithm.name().starts_with("HS") { &RECEIVER } else { &VERIFIER }
}

fn open(house: &House, message: &str, detached: Option<&[u8]>) -> Finding {
    let claims = Claims::default();
    let compat = everything();
    let arrival = Arrival {
        unauthenticated_sender: true,
        detached,
        all_signers: true,
        ..Arrival::offline(&claims, &compat, Timestamp::from_seconds(NOW_S))
    };
    find(house, &arrival, &Sealed { bytes: message.as_bytes().into(), cose_type: None }).unwrap()
}

/// What does not open with its content.
fn fault(name: &str, house: &House, message: &str, detached: Option<&[u8]>) -> Option<String> {
    match content_of(&open(house, message, detached)) {
        Ok(b"content") => None,
        other => Some(format!("{name}: {other:?}")),
    }
}

#[test]
fn every_jwe_opens_with_its_content() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (name, mut jwe) in jwes() {
        for &serialization in Serialization::ALL {
            jwe.serialization = serialization;
            let sealed = jwe.seal(b"content", &mut SysRng).unwrap_or_else(|error| panic!("{name}: {error}"));
            faults.extend(fault(&format!("{name} {serialization:?}"), &RECEIVER, &sealed, None));
            count += 1;
        }
    }
    assert!(count > 500, "{count} combinations");
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_jws_opens_with_its_content() {
    let mut faults = Vec::new();
    for &algorithm in Signature::ALL {
        let house = verifier(algorithm);
        for &serialization in Serialization::ALL {
            for (detached, unencoded) in [(false, false), (true, false), (false, true), (true, true)] {
                let jws = Jws { serialization, detached, unencoded, ..jws(algorithm) };
                let sealed = jws.seal(b"content").unwrap();
                let name = format!("{} {serialization:?} {detached} {unencoded}", algorithm.name());
                faults.extend(fault(&name, house, &sealed, detached.then_some(b"content")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn several_recipients_and_several_signers_open() {
    let recipients = || {
        [(Management::A128Kw, "oct16"), (Management::EcdhEsA256Kw, "p384"), (Management::RsaOaep256, "rsa2048")]
            .map(|(management, name)| Recipient::new(management, key(name)))
    };
    let jwe = Jwe { serialization: Serialization::General, ..Jwe::new(Encryption::A256Gcm, recipients().into()) };
    let sealed = jwe.seal(b"content", &mut SysRng).unwrap();
    assert_eq!(fault("JWE", &RECEIVER, &sealed, None), None);
    let signers = [Signature::Es256, Signature::EdDsa, Signature::Ps384];
    let signers = signers.map(|algorithm| Signer::new(algorithm, key(signer_key(algorithm))));
    let jws = Jws { signers: signers.into(), serialization: Serialization::General, ..jws(Signature::Es256) };
    assert_eq!(fault("JWS", &VERIFIER, &jws.seal(b"content").unwrap(), None), None);
}

#[derive(Clone, Debug)]
struct Case {
    jwe: Index,
    content: Vec<u8>,
    serialization: Serialization,
    aad: Option<Vec<u8>>,
    parties: (Option<Vec<u8>>, Option<Vec<u8>>),
    own_headers: bool,
    compressed: bool,
    changed: Index,
    bit: u8,
}

fn case() -> impl Strategy<Value = Case> {
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    let serialization = proptest::sample::select(Serialization::ALL);
    let maybe = || proptest::option::of(proptest::collection::vec(any::<u8>(), 1..40));
    let flags = (any::<bool>(), any::<bool>());
    (any::<Index>(), bytes(200), serialization, proptest::option::of(bytes(40)), (maybe(), maybe()), flags)
        .prop_flat_map(|made| (Just(made), any::<Index>(), 0..8_u8))
        .prop_map(|((jwe, content, serialization, aad, parties, (own_headers, compressed)), changed, bit)| Case {
            jwe,
            content,
            serialization,
            aad,
            parties,
            own_headers,
            compressed,
            changed,
            bit,
        })
}

impl Case {
    fn seal(&self) -> (String, String) {
        let mut jwes = jwes();
        let (name, mut jwe) = jwes.swap_remove(self.jwe.index(jwes.len()));
        jwe.serialization = self.serialization;
        jwe.compressed = self.compressed;
        if self.serialization != Serialization::Compact {
            jwe.aad.clone_from(&self.aad);
            jwe.own_headers = self.own_headers;
            jwe.unprotected = Header::new().with("jku", "https://elsewhere.example");
        }
        (jwe.recipients[0].apu, jwe.recipients[0].apv) = self.parties.clone();
        (name, jwe.seal(&self.content, &mut SysRng).unwrap())
    }
}

/// One bit of one byte changed; none where that is no text.
fn changed(message: &str, at: Index, bit: u8) -> Option<String> {
    let mut bytes = message.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    String::from_utf8(bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the algorithms, the content, the place of the headers: what was sealed opens, and with one bit changed it
    /// never opens with other content.
    #[test]
    fn what_is_sealed_opens_and_what_is_changed_never_lies(case in case()) {
        let (name, sealed) = case.seal();
        let finding = open(&RECEIVER, &sealed, None);
        prop_assert_eq!(content_of(&finding), Ok(case.content.as_slice()), "{}", name);
        if let Some(changed) = changed(&sealed, case.changed, case.bit)
            && let Ok(content) = content_of(&open(&RECEIVER, &changed, None))
        {
            prop_assert_eq!(content, case.content.as_slice(), "{}: other content", name);
        }
    }

    #[test]
    fn what_is_signed_opens_and_what_is_changed_never_lies(
        algorithm in proptest::sample::select(Signature::ALL),
        serialization in proptest::sample::select(Serialization::ALL),
        content in proptest::collection::vec(any::<u8>(), 0..200),
        at in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let sealed = Jws { serialization, ..jws(algorithm) }.seal(&content).unwrap();
        let house = verifier(algorithm);
        let finding = open(house, &sealed, None);
        prop_assert_eq!(content_of(&finding), Ok(content.as_slice()), "{:?}", algorithm);
        if let Some(changed) = changed(&sealed, at, bit)
            && let Ok(opened) = content_of(&open(house, &changed, None))
        {
            prop_assert_eq!(opened, content.as_slice(), "{:?}: other content", algorithm);
        }
    }
}
