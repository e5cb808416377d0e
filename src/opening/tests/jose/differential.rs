//! Against josekit 0.10.3 over mutants of sound tokens: what it opens and this reader refuses, each for a reason that is
//! listed here; and nothing that only this reader opens, but what is listed.

use std::collections::BTreeMap;

use josekit::jwe::{self, JweDecrypter};
use josekit::jwk::Jwk;
use josekit::jws::{self, JwsVerifier};
use paperknife_device::jose::algorithm::{Encryption, Management};
use paperknife_device::jose::header::Header;
use paperknife_device::jose::jwe::{Jwe, Recipient};
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::Desk;
use super::tokens::{CONTENT, b64, d1, flattened, g1, gateway, h1, maced, part, signed, unb64, w1, wrapping};
use crate::envelope::jose::{Message, Place};
use crate::envelope::{Limits, Reading};
use crate::opening::Finding;

/// How many mutants there are at least.
const MUTANTS: usize = 50_000;

/// What josekit opens and this reader refuses: our words, and what it overlooks (jose.md §1).
const STRICTER: &[(&str, &str)] = &[
    ("IV, ciphertext or tag of another length than the algorithm's", "it takes tags of GCM from one byte on"),
    ("a member twice", "the last of them wins"),
    ("a private key in an envelope", "it does not look at jwk"),
    ("algorithm in an unprotected header", "it takes alg and enc from any header"),
    ("b64 false that crit does not name", "it does not read crit in JSON, nor ask for it"),
    ("b64 that is neither true nor false", "it does not read b64 of a JWE"),
    ("both a JWE and a JWS", "it reads the members that it looks for"),
    ("crit is no list of names, or is empty or too long", "it reads `critical` in JSON, and takes an empty list"),
    ("crit names a registered header, or one that is not protected", "it does not compare crit with the headers"),
    ("members of the flattened form beside those of the general one", "it reads the members that it looks for"),
    ("not base64url, or not its one form", "it does not read headers that it does not use"),
    ("p2c that is no number of iterations", "it does not read p2c where there is no password"),
    ("zip, b64 or crit outside the protected header", "it does not ask where they stand"),
];

/// Whether a token says how its payload is encoded (RFC 7797), which josekit does not understand in the compact form: the
/// one thing that only this reader opens.
fn says_b64(token: &str) -> bool {
    let limits = Limits::default();
    let read = Message::parse(token.as_bytes(), Place::Outer, &Reading::strict(&limits));
    read.is_ok_and(|message| message.ways().any(|(_, way)| way.headers().b64.is_some()))
}

/// A small generator of numbers (xorshift64*), so that a finding comes again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len())]
    }
}

/// A token of one kind, and how josekit opens it.
struct Subject {
    compact: String,
    opener: Opener,
}

enum Opener {
    Jwe(Box<dyn JweDecrypter>),
    Jws(Box<dyn JwsVerifier>),
}

/// A key without the name and the use that josekit would hold a token to.
fn bare(mut key: Value) -> Jwk {
    let members = key.as_object_mut().unwrap();
    ["kid", "alg", "use"].iter().for_each(|member| drop(members.remove(*member)));
    Jwk::from_map(members.clone()).unwrap()
}

fn sealed(encryption: Encryption, management: Management, key: Key) -> String {
    Jwe::new(encryption, vec![Recipient::new(management, key)]).seal(CONTENT, &mut SysRng).unwrap()
}

fn subjects() -> Vec<Subject> {
    let mac = jws::HS256.verifier_from_jwk(&bare(h1())).unwrap();
    let signature = jws::ES256.verifier_from_jwk(&bare(d1())).unwrap();
    let unwrap = jwe::A128KW.decrypter_from_jwk(&bare(w1())).unwrap();
    let agree = jwe::ECDH_ES_A128KW.decrypter_from_jwk(&bare(g1())).unwrap();
    let of = |compact: String, opener: Opener| Subject { compact, opener };
    vec![
        of(maced(r#"{"alg":"HS256","kid":"h1"}"#, CONTENT), Opener::Jws(Box::new(mac))),
        of(signed(Header::new(), CONTENT), Opener::Jws(Box::new(signature))),
        of(sealed(Encryption::A128Gcm, Management::A128Kw, wrapping()), Opener::Jwe(Box::new(unwrap.clone()))),
        of(sealed(Encryption::A128CbcHs256, Management::A128Kw, wrapping()), Opener::Jwe(Box::new(unwrap))),
        of(sealed(Encryption::A128Gcm, Management::EcdhEsA128Kw, gateway()), Opener::Jwe(Box::new(agree))),
    ]
}

impl Opener {
    /// What josekit makes of a token; a panic of its own is a no.
    fn open(&self, token: &str) -> Option<Vec<u8>> {
        let json = token.starts_with('{');
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match self {
            Self::Jwe(by) if json => jwe::deserialize_json(token, &**by).ok().map(|(content, _)| content),
            Self::Jwe(by) => jwe::deserialize_compact(token, &**by).ok().map(|(content, _)| content),
            Self::Jws(by) if json => jws::deserialize_json(token, &**by).ok().map(|(content, _)| content),
            Self::Jws(by) => jws::deserialize_compact(token, &**by).ok().map(|(content, _)| content),
        }));
        opened.ok().flatten()
    }
}

/// Members to put into headers, some of them sound.
const MEMBERS: &[&str] = &[
    r#""x":1"#,
    r#""x":{"y":[1.5,null]}"#,
    r#""typ":"JOSE""#,
    r#""typ":1"#,
    r#""cty":"text/plain""#,
    r#""kid":"h1""#,
    r#""kid":1"#,
    r#""alg":"HS256""#,
    r#""alg":"none""#,
    r#""b64":true"#,
    r#""b64":false"#,
    r#""b64":"false""#,
    r#""crit":[]"#,
    r#""crit":["x"]"#,
    r#""crit":["b64"]"#,
    r#""crit":["exp"]"#,
    r#""crit":"x""#,
    r#""zip":"DEF""#,
    r#""enc":"A128GCM""#,
    r#""apu":"AA""#,
    r#""apu":"A=""#,
    r#""jwk":{"kty":"oct","k":"AA"}"#,
    r#""jku":"https://x.example""#,
    r#""x5t":"AA""#,
    r#""p2c":1"#,
    r#""exp":1"#,
];

/// A protected header's text with something changed.
fn header(text: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.roll(2) {
        let member = dice.of(MEMBERS);
        text = match dice.roll(6) {
            0 => text.replacen('{', &format!("{{{member},"), 1),
            1 => text.replacen('{', "{ \n", 1),
            2 => format!("{}{}", text, dice.of(&[" ", "\n", "x", "}", "\0"])),
            3 => text.replacen("alg", dice.of(&["alg", "\\u0061lg", "Alg", "alg "]), 1),
            4 => text.replacen("128", dice.of(&["128", "256", "192"]), 1),
            _ => text.strip_suffix('}').map(|open| format!("{open},{member}}}")).unwrap_or(text),
        };
    }
    text
}

/// A mutant: of its letters, of its parts, of its headers, of its serialization; where a MAC can be made, made anew.
fn mutant(subject: &Subject, dice: &mut Dice) -> String {
    let token = &subject.compact;
    match dice.roll(5) {
        0 => letters(token, dice),
        1 => parts(token, dice),
        2 if token.starts_with(&b64(r#"{"alg":"HS256"#)[..16]) => {
            let text = header(r#"{"alg":"HS256","kid":"h1"}"#, dice);
            let token = maced(&text, CONTENT);
            if dice.roll(2) == 0 { token } else { serialized(&token, dice) }
        }
        2 => {
            let text = String::from_utf8(unb64(&part(token, 0))).unwrap();
            super::tokens::with_part(token, 0, &b64(header(&text, dice)))
        }
        3 => serialized(token, dice),
        _ => letters(&serialized(token, dice), dice),
    }
}

fn letters(token: &str, dice: &mut Dice) -> String {
    let mut bytes = token.as_bytes().to_vec();
    for _ in 0..=dice.roll(2) {
        let at = dice.roll(bytes.len());
        match dice.roll(4) {
            0 => bytes[at] = dice.of(b"AQgw_-.=+/{\" \n0"),
            1 => bytes.insert(at, dice.of(b"AQgw_-.=+/{\" \n0")),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at.max(1)),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn parts(token: &str, dice: &mut Dice) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let at = dice.roll(parts.len());
    parts[at] = match dice.roll(5) {
        0 => String::new(),
        1 => format!("{}=", parts[at]),
        2 => b64(&unb64(&parts[at])[..dice.roll(unb64(&parts[at]).len().max(1))]),
        3 => b64([unb64(&parts[at]), vec![0; 1 + dice.roll(3)]].concat()),
        _ => {
            let other = dice.roll(parts.len());
            parts[other].clone()
        }
    };
    parts.join(".")
}

/// The token in JSON, members moved, added or doubled.
fn serialized(token: &str, dice: &mut Dice) -> String {
    let mut json = flattened(token);
    let jws = json.get("payload").is_some();
    let own: Value = serde_json::from_str(&format!("{{{}}}", dice.of(MEMBERS))).unwrap();
    match dice.roll(7) {
        0 => json["header"] = own,
        1 if !jws => json["unprotected"] = own,
        2 => json["other"] = json!({"deep": [1, {}]}),
        3 if jws => {
            let signature = json!({"protected": json["protected"], "signature": json["signature"]});
            json = json!({"payload": json["payload"], "signatures": [signature]});
        }
        3 => {
            let key = json.as_object_mut().unwrap().remove("encrypted_key");
            json["recipients"] = json!([{"encrypted_key": key, "header": own}]);
        }
        4 => {
            let protected = String::from_utf8(unb64(json["protected"].as_str().unwrap())).unwrap();
            drop(json.as_object_mut().unwrap().remove("protected"));
            json["header"] = serde_json::from_str(&protected).unwrap_or_default();
        }
        5 => json["signatures"] = json!([]),
        _ => {}
    }
    let text = json.to_string();
    match dice.roll(6) {
        0 => text.replacen('{', &format!(r#"{{"{}":"AAAA","#, dice.of(&["payload", "protected", "iv", "x"])), 1),
        1 => text.replacen(',', " ,\n ", 1),
        2 => format!("{text}{}", dice.of(&["", " ", "x"])),
        _ => text,
    }
}

/// Our verdict: the content, or the words of the refusal.
fn verdict(desk: &Desk<'_>, house: &crate::opening::House, token: &str) -> Result<Vec<u8>, String> {
    match desk.open_in(house, token.as_bytes()) {
        Finding::Opened(settled, _) => Ok(settled.facts().content.clone()),
        Finding::Refused(refusal) => Err(refusal.detail.unwrap_or_default()),
        Finding::Held(held) => Err(format!("held: {}", held.reason.as_str())),
    }
}

#[test]
fn josekit_differs_over_mutants_only_as_listed() {
    let mut keys = [h1(), d1(), g1(), super::tokens::with_alg(w1(), "A128KW")];
    keys.iter_mut().for_each(|key| drop(key.as_object_mut().unwrap().remove("kid")));
    let desk = Desk::of(&keys).under(&["unauthenticated-sender"]);
    let house = desk.house().unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let subjects = subjects();
    for subject in &subjects {
        let theirs = subject.opener.open(&subject.compact);
        assert_eq!(
            (theirs.as_deref(), verdict(&desk, &house, &subject.compact).ok().as_deref()),
            (Some(CONTENT), Some(CONTENT))
        );
    }
    let mut unlisted: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let (mut both, mut neither) = (0, 0);
    for nth in 0..MUTANTS {
        let subject = &subjects[nth % subjects.len()];
        let token = mutant(subject, &mut dice);
        let (theirs, ours) = (subject.opener.open(&token), verdict(&desk, &house, &token));
        let why = match (theirs, ours) {
            (Some(theirs), Ok(ours)) => {
                assert_eq!(theirs, ours, "{token}");
                both += 1;
                continue;
            }
            (None, Err(_)) => {
                neither += 1;
                continue;
            }
            (Some(_), Err(detail)) if STRICTER.iter().any(|(listed, _)| *listed == detail) => continue,
            (Some(_), Err(detail)) => format!("josekit opens: {detail}"),
            (None, Ok(_)) if says_b64(&token) => continue,
            (None, Ok(_)) => "only we open".to_owned(),
        };
        unlisted.entry(why).or_insert_with(|| (0, token)).0 += 1;
    }
    assert!(unlisted.is_empty(), "{unlisted:#?}");
    assert!(both > 1_000 && neither > 10_000, "{both} opened by both, {neither} by neither");
}
