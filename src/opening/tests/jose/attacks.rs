//! The attack list of jose.md §8, row by row: J01–J23 refuse, each for its reason and beside its untouched twin; J24 is
//! what must open all the same.

use paperknife_device::jose::Serialization;
use paperknife_device::jose::algorithm::{Encryption, Management, Signature};
use paperknife_device::jose::header::Header;
use paperknife_device::jose::jwe::{Jwe, Recipient};
use paperknife_device::jose::jws::{Jws, Signer};
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::tokens::{
    AGREED, CONTENT, b64, d1, direct, flattened, g1, gateway, h1, hmac, jwe, k1, mac, maced, nested, part, pk1,
    shape_g, shape_p, shape_s, shared, signed, unb64, w1, with_alg, with_part, with_protected, wrapping,
};
use super::{Desk, facts, reason};
use crate::item::Reason;

const MALFORMED: Option<Reason> = Some(Reason::Malformed);
const NOT_AUTHENTIC: Option<Reason> = Some(Reason::AuthFailed);
const NOT_PROTECTED: Option<Reason> = Some(Reason::AlgNotProtected);
const NOT_ALLOWED: Option<Reason> = Some(Reason::AlgNotAllowed);
const NOT_USABLE: Option<Reason> = Some(Reason::KeyNotUsable);
const CRITICAL: Option<Reason> = Some(Reason::CritNotUnderstood);
const UNSUPPORTED: Option<Reason> = Some(Reason::Unsupported);
const TOO_LARGE: Option<Reason> = Some(Reason::TooLarge);

/// Rows of one attack: each token against what becomes of it.
struct Attack<'a> {
    id: &'static str,
    desk: &'a Desk<'a>,
}

impl<'a> Attack<'a> {
    /// The untouched twin opens.
    fn on(id: &'static str, desk: &'a Desk<'a>, twin: &str) -> Self {
        let attack = Self { id, desk };
        attack.row("the untouched twin", twin, None);
        attack
    }

    fn row(&self, row: &str, token: impl AsRef<[u8]>, expected: Option<Reason>) {
        let found = reason(&self.desk.open(token.as_ref()));
        assert_eq!(found, expected, "{}, {row}: {}", self.id, String::from_utf8_lossy(token.as_ref()));
    }
}

/// Keys of every kind that the rows take.
fn desk() -> Desk<'static> {
    Desk::of(&[d1(), g1(), k1(), h1()])
}

fn to_us() -> Desk<'static> {
    desk().under(&["unauthenticated-sender"])
}

fn mac_header() -> &'static str {
    r#"{"alg":"HS256","kid":"h1"}"#
}

/// A JWS under the MAC key with members beside alg and kid.
fn mac_with(members: &str) -> String {
    maced(&format!(r#"{{"alg":"HS256","kid":"h1",{members}}}"#), CONTENT)
}

/// A direct JWE in flattened JSON whose protected header is `protected`, of the same parts as `token`.
fn with_headers(token: &str, protected: Option<&Value>, unprotected: &Value) -> String {
    let mut json = flattened(token);
    match protected {
        Some(protected) => json["protected"] = json!(b64(protected.to_string())),
        None => drop(json.as_object_mut().unwrap().remove("protected")),
    }
    json["unprotected"] = unprotected.clone();
    json.to_string()
}

#[test]
fn j01_what_must_be_protected_is() {
    let desk = desk();
    let token = direct(Header::new(), CONTENT);
    let attack = Attack::on("J01", &desk, &token);
    let kid = json!({"kid": "k1"});
    attack.row(
        "alg",
        with_headers(&token, Some(&json!({"enc": "A128GCM"})), &json!({"alg": "dir", "kid": "k1"})),
        NOT_PROTECTED,
    );
    attack.row(
        "enc",
        with_headers(&token, Some(&json!({"alg": "dir"})), &json!({"enc": "A128GCM", "kid": "k1"})),
        NOT_PROTECTED,
    );
    attack.row(
        "both",
        with_headers(&token, None, &json!({"alg": "dir", "enc": "A128GCM", "kid": "k1"})),
        NOT_PROTECTED,
    );
    let protected = json!({"alg": "dir", "enc": "A128GCM"});
    for (name, value) in [("zip", json!("DEF")), ("crit", json!(["x"])), ("b64", json!(false))] {
        let mut unprotected = kid.clone();
        unprotected[name] = value;
        attack.row(name, with_headers(&token, Some(&protected), &unprotected), MALFORMED);
    }
    let mut jws = flattened(&maced(mac_header(), CONTENT));
    jws["header"] = json!({"b64": false});
    attack.row("b64 of a JWS", jws.to_string(), MALFORMED);
    drop(jws.as_object_mut().unwrap().remove("protected"));
    jws["header"] = json!({"alg": "HS256", "kid": "h1"});
    attack.row("alg of a JWS", jws.to_string(), NOT_PROTECTED);
}

#[test]
fn j02_names_stand_once() {
    let desk = desk();
    let token = maced(mac_header(), CONTENT);
    let attack = Attack::on("J02", &desk, &token);
    let mut twice = flattened(&token);
    twice["header"] = json!({"kid": "h1"});
    attack.row("one name in two headers, equal", twice.to_string(), MALFORMED);
    attack.row(
        "duplicate in the protected header",
        maced(r#"{"alg":"HS256","kid":"h1","kid":"h1"}"#, CONTENT),
        MALFORMED,
    );
    attack.row("duplicate, one escaped", maced(r#"{"alg":"HS256","kid":"h1","\u006bid":"h1"}"#, CONTENT), MALFORMED);
    attack.row("duplicate below", mac_with(r#""x":{"a":1,"a":1}"#), MALFORMED);
    let flat = flattened(&token).to_string();
    attack.row("duplicate at the top", flat.replacen('{', r#"{"payload":"","#, 1), MALFORMED);
    attack.row("duplicate in epk", mac_with(r#""epk":{"kty":"EC","kty":"EC","crv":"P-256"}"#), MALFORMED);
    attack.row("duplicate in jwk", mac_with(r#""jwk":{"kty":"EC","kty":"EC"}"#), MALFORMED);
    attack.row(
        "duplicate in claims",
        maced(r#"{"alg":"HS256","kid":"h1","typ":"JWT"}"#, br#"{"exp":9999999999,"exp":1}"#),
        MALFORMED,
    );
}

#[test]
fn j03_none_is_never_allowed() {
    for compat in [&[][..], &["all"]] {
        let desk = desk().under(compat);
        let attack = Attack::on("J03", &desk, &maced(mac_header(), CONTENT));
        for alg in ["none", "NONE", "nOnE"] {
            let protected = b64(json!({"alg": alg, "kid": "h1"}).to_string());
            attack.row(alg, format!("{protected}.{}.", b64(CONTENT)), NOT_ALLOWED);
            attack.row(
                alg,
                with_part(
                    &direct(Header::new(), CONTENT),
                    0,
                    &b64(json!({"alg": alg, "enc": "A128GCM", "kid": "k1"}).to_string()),
                ),
                NOT_ALLOWED,
            );
        }
    }
}

#[test]
fn j04_a_public_key_is_no_secret() {
    let desk = Desk::of(&[d1()]);
    let attack = Attack::on("J04", &desk, &signed(Header::new(), CONTENT));
    let x = unb64(d1()["x"].as_str().unwrap());
    let point = [&[4][..], &x, &unb64(d1()["y"].as_str().unwrap())].concat();
    for (row, secret) in [("x", x), ("the point", point), ("the JWK", d1().to_string().into_bytes())] {
        let input = format!("{}.{}", b64(r#"{"alg":"HS256","kid":"d1"}"#), b64(CONTENT));
        let mut key = [0; 32];
        key.iter_mut().zip(&secret).for_each(|(to, from)| *to = *from);
        attack.row(row, format!("{input}.{}", b64(hmac(&key, input.as_bytes()))), NOT_USABLE);
    }
}

#[test]
fn j05_no_key_comes_out_of_an_envelope() {
    let desk = Desk::of(&[d1()]);
    let attack = Attack::on("J05", &desk, &signed(Header::new(), CONTENT));
    let (x, y) = ("80gVGnLqGjcqI7rxYo6p9eOlWfsnXxhl7LRmqYKl89s", "AYC1VsGFchlh9nviCnqljHtHyPJCGZosHsaEk-0vNXw");
    let own = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let forged = |name: &str, value: &Value| {
        // signed by nobody that we know
        let token = signed(Header::new().with(name, value.clone()), b"another content");
        with_part(&token, 1, &b64(CONTENT))
    };
    attack.row("jwk", forged("jwk", &own), NOT_AUTHENTIC);
    attack.row("x5c", forged("x5c", &json!(["AAAA"])), NOT_AUTHENTIC);
    attack.row("jku", forged("jku", &json!("https://evil.example/jwks")), NOT_AUTHENTIC);
    attack.row("x5u", forged("x5u", &json!("https://evil.example/x5u")), NOT_AUTHENTIC);
    attack.row("a private jwk", signed(Header::new().with("jwk", json!({"kty": "EC", "d": "AA"})), CONTENT), MALFORMED);
}

#[test]
fn j06_what_is_critical_is_understood_or_refused() {
    let desk = desk();
    let attack = Attack::on("J06", &desk, &maced(mac_header(), CONTENT));
    let rows = [
        ("understood", r#""pk1":{"aud":"a","ep":"jwk","path":null,"seq":1},"crit":["pk1"]"#, None),
        ("unknown", r#""x":1,"crit":["x"]"#, CRITICAL),
        ("empty", r#""crit":[]"#, MALFORMED),
        ("twice", r#""x":1,"crit":["x","x"]"#, MALFORMED),
        ("no list", r#""x":1,"crit":"x""#, MALFORMED),
        ("no text", r#""x":1,"crit":[1]"#, MALFORMED),
        ("absent", r#""crit":["x"]"#, MALFORMED),
        ("registered", r#""crit":["kid"]"#, MALFORMED),
    ];
    for (row, members, expected) in rows {
        let token = mac_with(members);
        attack.row(row, &token, expected);
        attack.row(row, flattened(&token).to_string(), expected);
        let members: Value = serde_json::from_str(&format!("{{{members}}}")).unwrap();
        let header = members
            .as_object()
            .unwrap()
            .iter()
            .fold(Header::new(), |header, (name, value)| header.with(name, value.clone()));
        let token = direct(header, CONTENT);
        attack.row(row, &token, expected);
        attack.row(row, flattened(&token).to_string(), expected);
    }
    attack.row("b64 of a JWE", direct(Header::new().with("b64", true).critical("b64"), CONTENT), CRITICAL);
    let understood = desk.clone().under(&["crit-understood:x"]);
    Attack::on("J06", &understood, &mac_with(rows[1].1));
}

#[test]
fn j07_an_unencoded_payload_is_said_to_be_one() {
    let desk = desk();
    let jws = |unencoded: bool, content: &[u8]| {
        let signer = Signer::new(Signature::Hs256, mac());
        Jws { unencoded, ..Jws::new(signer) }.seal(content).unwrap()
    };
    let attack = Attack::on("J07", &desk, &jws(true, b"spaces are fine"));
    let raw = |protected: &str, payload: &str| {
        let input = format!("{}.{payload}", b64(protected));
        let key = *b"a MAC key of thirty-two bytes ok";
        format!("{input}.{}", b64(hmac(&key, input.as_bytes())))
    };
    let critical = r#"{"alg":"HS256","kid":"h1","b64":false,"crit":["b64"]}"#;
    attack.row("built by hand", raw(critical, "plain"), None);
    attack.row("without crit", raw(r#"{"alg":"HS256","kid":"h1","b64":false}"#, "plain"), MALFORMED);
    attack.row("as text", raw(r#"{"alg":"HS256","kid":"h1","b64":"false","crit":["b64"]}"#, "plain"), MALFORMED);
    attack.row("a dot in the payload", raw(critical, "a.b"), MALFORMED);
    attack.row("a control character", raw(critical, "a\nb"), MALFORMED);
    let half = |token: &str| json!({"protected": part(token, 0), "signature": part(token, 2)});
    let (plain, encoded) = (raw(critical, "cGxhaW4"), maced(mac_header(), b"plain"));
    let mixed = json!({"payload": "cGxhaW4", "signatures": [half(&plain), half(&encoded)]});
    attack.row("mixed", mixed.to_string(), MALFORMED);
}

#[test]
fn j08_base64url_has_one_form() {
    let desk = desk();
    for token in [maced(mac_header(), CONTENT), jwe(Management::A128Kw, shared(), Header::new(), CONTENT)] {
        let desk = Desk { keys: vec![h1(), with_alg(k1(), "A128KW")], ..desk.clone() };
        let attack = Attack::on("J08", &desk, &token);
        for nth in 0..token.split('.').count() {
            let text = part(&token, nth);
            for odd in ["=", "+", "/", " ", "\n", "?"] {
                attack.row(odd, with_part(&token, nth, &format!("{text}{odd}")), MALFORMED);
                let inside = format!("{}{odd}{}", &text[..4], &text[5..]);
                attack.row(odd, with_part(&token, nth, &inside), MALFORMED);
            }
            let (short, last) = text.split_at(text.len() - 1);
            let unused = match text.len() % 4 {
                2 => 0b1111,
                3 => 0b11,
                _ => continue,
            };
            const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let at = ALPHABET.iter().position(|letter| [*letter] == last.as_bytes()).unwrap();
            let set = char::from(ALPHABET[at | unused]);
            attack.row("unused bits", with_part(&token, nth, &format!("{short}{set}")), MALFORMED);
        }
    }
}

#[test]
fn j09_parts_are_counted_before_they_are_decoded() {
    let desk = desk();
    let token = maced(mac_header(), CONTENT);
    let attack = Attack::on("J09", &desk, &token);
    let head = part(&token, 0);
    for dots in [1, 3, 5, 1_000_000] {
        attack.row("dots", format!("{head}{}", ".".repeat(dots)), MALFORMED);
    }
}

#[test]
fn j10_an_envelope_is_one_thing() {
    let desk = desk();
    let (jws, jwe) = (maced(mac_header(), CONTENT), direct(Header::new(), CONTENT));
    let attack = Attack::on("J10", &desk, &jwe);
    let mut both = flattened(&jwe);
    both["signature"] = json!(part(&jws, 2));
    attack.row("a JWE and a JWS", both.to_string(), MALFORMED);
    let mut mixed = flattened(&jws);
    mixed["signatures"] = json!([{"protected": part(&jws, 0), "signature": part(&jws, 2)}]);
    attack.row("flattened and general JWS", mixed.to_string(), MALFORMED);
    let mut mixed = flattened(&jwe);
    mixed["recipients"] = json!([{}]);
    mixed["header"] = json!({"x": 1});
    attack.row("flattened and general JWE", mixed.to_string(), MALFORMED);
    let mut many = flattened(&jwe);
    many["recipients"] = json!([{}]);
    attack.row("one recipient in the general form", many.to_string(), None);
    for count in [17, 100_000] {
        many["recipients"] = Value::Array(vec![json!({}); count]);
        attack.row("too many recipients", many.to_string(), TOO_LARGE);
    }
    many["recipients"] = json!([]);
    attack.row("no recipient", many.to_string(), MALFORMED);
    let signature_due = super::tokens::fleet(&json!({}));
    let bare = super::tokens::jwe(AGREED, gateway(), nested(), shape_s(&pk1()).as_bytes());
    assert_eq!(reason(&signature_due.open(bare.as_bytes())), MALFORMED, "J10, a JWE where a JWS is due");
}

#[test]
fn j11_lengths_are_the_algorithms() {
    let desk = Desk::of(&[k1(), h1(), with_alg(w1(), "A128GCMKW")]);
    let token = direct(Header::new(), CONTENT);
    let attack = Attack::on("J11", &desk, &token);
    let tag = unb64(&part(&token, 4));
    for length in (0..16).chain([17]) {
        let other: Vec<u8> = tag.iter().chain(&[0]).take(length).copied().collect();
        attack.row("tag", with_part(&token, 4, &b64(other)), MALFORMED);
    }
    for length in [0, 8, 13, 16] {
        attack.row("IV", with_part(&token, 2, &b64(vec![0; length])), MALFORMED);
    }
    let wrapped = jwe(Management::A128GcmKw, wrapping(), Header::new(), CONTENT);
    attack.row("GCM key wrap, untouched", &wrapped, None);
    for (name, lengths) in [("iv", [0, 8, 13, 16]), ("tag", [0, 4, 15, 17])] {
        for length in lengths {
            let cut = with_protected(&wrapped, |header| {
                let mut header: Value = serde_json::from_str(&header).unwrap();
                header[name] = json!(b64(vec![1; length]));
                header.to_string()
            });
            attack.row(name, cut, MALFORMED);
        }
    }
    let token = maced(mac_header(), CONTENT);
    let mac = unb64(&part(&token, 2));
    for length in [0, 1, 16, 31] {
        attack.row("HMAC", with_part(&token, 2, &b64(&mac[..length])), NOT_AUTHENTIC);
    }
}

#[test]
fn j12_encrypted_keys_are_of_the_shape_of_their_algorithm() {
    let desk = Desk::of(&[k1(), g1(), with_alg(w1(), "A128KW")]).under(&["unauthenticated-sender"]);
    let token = direct(Header::new(), CONTENT);
    let attack = Attack::on("J12", &desk, &token);
    attack.row("dir", with_part(&token, 1, &b64([0; 24])), MALFORMED);
    let agreed = jwe(Management::EcdhEs, gateway(), Header::new(), CONTENT);
    attack.row("ECDH-ES, untouched", &agreed, NOT_ALLOWED);
    attack.row("ECDH-ES", with_part(&agreed, 1, &b64([0; 24])), MALFORMED);
    let wrapped = jwe(Management::A128Kw, wrapping(), Header::new(), CONTENT);
    attack.row("A128KW, untouched", &wrapped, None);
    for length in (0..8).chain([16, 32]) {
        attack.row("A128KW", with_part(&wrapped, 1, &b64(vec![0; length])), MALFORMED);
    }
    attack.row("a key that was not wrapped so", with_part(&wrapped, 1, &b64([0; 24])), NOT_AUTHENTIC);
    let longer = Jwe::new(Encryption::A256Gcm, vec![Recipient::new(Management::A128Kw, wrapping())]);
    let longer = part(&longer.seal(CONTENT, &mut SysRng).unwrap(), 1);
    attack.row("a key of another length", with_part(&wrapped, 1, &longer), MALFORMED);
}

#[test]
fn j13_bad_tag_and_bad_padding_are_one() {
    let key = json!({"kty": "oct", "kid": "c1", "alg": "A128CBC-HS256", "k": h1()["k"]});
    let desk = Desk::of(&[key]);
    let key = Key::symmetric(b"a MAC key of thirty-two bytes ok").named(b"c1");
    let sealed = Jwe::new(Encryption::A128CbcHs256, vec![Recipient::new(Management::Dir, key)]);
    let token = sealed.seal(CONTENT, &mut SysRng).unwrap();
    let attack = Attack::on("J13", &desk, &token);
    let flipped = |nth: usize, at: usize| {
        let mut bytes = unb64(&part(&token, nth));
        let at = if at == usize::MAX { bytes.len() - 1 } else { at };
        bytes[at] ^= 1;
        b64(bytes)
    };
    let (bad_tag, bad_padding) = (flipped(4, 0), flipped(3, usize::MAX));
    attack.row("bad tag", with_part(&token, 4, &bad_tag), NOT_AUTHENTIC);
    attack.row("bad padding", with_part(&token, 3, &bad_padding), NOT_AUTHENTIC);
    attack.row("both", with_part(&with_part(&token, 4, &bad_tag), 3, &bad_padding), NOT_AUTHENTIC);
    attack.row("no ciphertext", with_part(&token, 3, ""), MALFORMED);
    attack.row("half a block", with_part(&token, 3, &b64([0; 8])), MALFORMED);
    let details: Vec<_> = [with_part(&token, 4, &bad_tag), with_part(&token, 3, &bad_padding)]
        .iter()
        .map(|token| match desk.open(token.as_bytes()) {
            crate::opening::Finding::Refused(refusal) => refusal.detail,
            _ => None,
        })
        .collect();
    assert_eq!(details[0], details[1], "J13, one answer");
}

/// An RSA key pair of the JOSE cookbook (RFC 7520 §5.1); none where the vectors are not there.
fn rsa() -> Option<(Value, Key)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/jose-cookbook/jwe");
    let file = std::fs::read(folder.join("5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2.json")).ok()?;
    let file: Value = serde_json::from_slice(&file).unwrap();
    let mut key = file["input"]["key"].clone();
    key["kid"] = json!("r1");
    let member = |name: &str| unb64(key[name].as_str().unwrap());
    let public = Key::rsa_public(&member("n"), &member("e")).named(b"r1");
    Some((key, public))
}

#[test]
fn j14_rsa_v15_is_off_and_when_on_answers_alike() {
    let Some((key, public)) = rsa() else { return eprintln!("SKIPPED: J14 needs a key of the JOSE cookbook") };
    let token = jwe(Management::Rsa15, public, Header::new(), CONTENT);
    let off = Desk::of(std::slice::from_ref(&key)).under(&["unauthenticated-sender"]);
    assert_eq!(reason(&off.open(token.as_bytes())), NOT_ALLOWED, "J14, off");
    let desk = off.under(&["unauthenticated-sender", "rsa1_5"]);
    let attack = Attack::on("J14", &desk, &token);
    let encrypted = unb64(&part(&token, 1));
    let mut changed = encrypted.clone();
    changed[40] ^= 1;
    attack.row("padding", with_part(&token, 1, &b64(&changed)), NOT_AUTHENTIC);
    attack.row("zeros", with_part(&token, 1, &b64(vec![0; encrypted.len()])), NOT_AUTHENTIC);
    attack.row("a byte less", with_part(&token, 1, &b64(&encrypted[1..])), NOT_AUTHENTIC);
    attack.row("a byte more", with_part(&token, 1, &b64([&encrypted[..], &[0]].concat())), NOT_AUTHENTIC);
    let other = with_protected(&token, |header| header.replace("A128GCM", "A256GCM"));
    attack.row("a key of another length", other, NOT_AUTHENTIC);
    let oaep = with_alg(key, "RSA-OAEP-256");
    let desk = Desk::of(&[oaep]).under(&["unauthenticated-sender", "rsa1_5"]);
    assert_eq!(reason(&desk.open(token.as_bytes())), NOT_ALLOWED, "J14, an OAEP key");
}

#[test]
fn j15_ephemeral_keys_are_whole_points_of_our_curve() {
    let desk = to_us();
    let token = jwe(AGREED, gateway(), Header::new(), CONTENT);
    let attack = Attack::on("J15", &desk, &token);
    let with_epk = |epk: Value| {
        with_protected(&token, |header| {
            let mut header: Value = serde_json::from_str(&header).unwrap();
            header["epk"] = epk;
            header.to_string()
        })
    };
    let point = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)});
    let (x, y) = (unb64(g1()["x"].as_str().unwrap()), unb64(g1()["y"].as_str().unwrap()));
    let mut off = y.clone();
    off[31] ^= 1;
    attack.row("off the curve", with_epk(point(&x, &off)), NOT_AUTHENTIC);
    attack.row("(0, 0)", with_epk(point(&[0; 32], &[0; 32])), NOT_AUTHENTIC);
    attack.row("x beyond the field", with_epk(point(&[0xff; 32], &y)), NOT_AUTHENTIC);
    attack.row("short x", with_epk(point(&x[1..], &y)), MALFORMED);
    attack.row("no y", with_epk(json!({"kty": "EC", "crv": "P-256", "x": b64(&x)})), MALFORMED);
    let mut private = point(&x, &y);
    private["d"] = g1()["d"].clone();
    attack.row("with d", with_epk(private), MALFORMED);
    attack.row("another curve", with_epk(json!({"kty": "OKP", "crv": "X25519", "x": b64(&x)})), NOT_USABLE);
    attack.row("an unknown curve", with_epk(json!({"kty": "OKP", "crv": "X448", "x": b64([1; 56])})), UNSUPPORTED);
    attack.row("no object", with_epk(json!("epk")), MALFORMED);
    attack.row("none", with_protected(&token, |header| header.replace("\"epk\"", "\"other\"")), MALFORMED);
}

#[test]
fn j15_small_order_points_agree_on_nothing() {
    let pair = json!({"kty": "OKP", "crv": "X25519", "kid": "x1", "alg": "ECDH-ES+A128KW",
        "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08", "d": "XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os"});
    let desk = Desk::of(std::slice::from_ref(&pair)).under(&["unauthenticated-sender"]);
    let public = paperknife_device::primitive::key::Curve::X25519;
    let key = Key::curve(public, &unb64(pair["x"].as_str().unwrap()), &[], None).unwrap().named(b"x1");
    let token = jwe(AGREED, key, Header::new(), CONTENT);
    let attack = Attack::on("J15", &desk, &token);
    let orders = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for u in orders {
        let small = with_protected(&token, |header| {
            let mut header: Value = serde_json::from_str(&header).unwrap();
            header["epk"]["x"] = json!(b64(hex::decode(u).unwrap()));
            header.to_string()
        });
        attack.row("small order", small, NOT_AUTHENTIC);
    }
}

#[test]
fn j16_what_a_derivation_is_bound_to_counts() {
    let desk = to_us();
    let recipient =
        Recipient { apu: Some(b"d1".to_vec()), apv: Some(b"g1".to_vec()), ..Recipient::new(AGREED, gateway()) };
    let token = Jwe::new(Encryption::A128Gcm, vec![recipient]).seal(CONTENT, &mut SysRng).unwrap();
    let attack = Attack::on("J16", &desk, &token);
    // The header is not protected here, so that it is the derivation which refuses.
    let protected = String::from_utf8(unb64(&part(&token, 0))).unwrap();
    for (row, from, to) in [("apu", b64("d1"), b64("d2")), ("apv", b64("g1"), b64("g2"))] {
        attack.row(row, with_part(&token, 0, &b64(protected.replace(&from, &to))), NOT_AUTHENTIC);
    }
    let moved = Recipient { apu: Some(b"d1".to_vec()), ..Recipient::new(AGREED, gateway()) };
    let jwe = Jwe {
        serialization: Serialization::Flattened,
        own_headers: true,
        ..Jwe::new(Encryption::A128Gcm, vec![moved])
    };
    let mut json: Value = serde_json::from_str(&jwe.seal(CONTENT, &mut SysRng).unwrap()).unwrap();
    let desk = to_us().under(&["unauthenticated-sender", "unprotected-alg"]);
    let attack = Attack::on("J16", &desk, &json.to_string());
    json["header"]["apu"] = json!(b64("d2"));
    attack.row("apu outside the protected header", json.to_string(), NOT_AUTHENTIC);
    drop(json["header"].as_object_mut().unwrap().remove("apu"));
    attack.row("no apu", json.to_string(), NOT_AUTHENTIC);
    json["header"]["apv"] = json!(b64("d1"));
    attack.row("apu as apv", json.to_string(), NOT_AUTHENTIC);
}

#[test]
fn j17_signatures_are_two_numbers_of_full_width() {
    let desk = Desk::of(&[d1()]);
    let token = signed(Header::new(), CONTENT);
    let attack = Attack::on("J17", &desk, &token);
    let signature = unb64(&part(&token, 2));
    let (r, s) = signature.split_at(32);
    let n = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let zero = [0; 32];
    let der = [&[0x30, 70, 2, 33, 0][..], r, &[2, 33, 0], s].concat();
    let rows = [
        ("r is 0", [&zero, s].concat()),
        ("s is 0", [r, &zero].concat()),
        ("both are 0", [zero, zero].concat()),
        ("r is n", [&n, s].concat()),
        ("s is n", [r, &n].concat()),
        ("DER", der),
        ("long", [&[0], r, &[0], s].concat()),
        ("short", signature[..63].to_vec()),
        ("empty", Vec::new()),
    ];
    for (row, signature) in rows {
        attack.row(row, with_part(&token, 2, &b64(signature)), NOT_AUTHENTIC);
    }
    attack.row("ES256 under ES384", with_protected(&token, |header| header.replace("ES256", "ES384")), NOT_USABLE);
}

#[test]
fn j18_a_key_does_what_it_is_for() {
    let sealed = direct(Header::new(), CONTENT);
    let signature = signed(Header::new(), CONTENT);
    let token = maced(mac_header(), CONTENT);
    Attack::on("J18", &desk(), &sealed);
    Attack::on("J18", &desk(), &signature);
    Attack::on("J18", &desk(), &token);
    let under = |key: Value, token: &str| {
        let desk = Desk::of(&[key]);
        desk.house().map(|house| reason(&desk.open_in(&house, token.as_bytes())))
    };
    let with = |mut key: Value, name: &str, value: Value| {
        key[name] = value;
        key
    };
    assert_eq!(under(with_alg(k1(), "A128KW"), &sealed), Some(NOT_USABLE), "alg of another use");
    assert_eq!(under(with_alg(k1(), "A128GCMKW"), &sealed), Some(NOT_USABLE), "alg of another use");
    assert_eq!(under(with_alg(d1(), "ES384"), &signature), None, "alg of another curve");
    assert_eq!(under(with(d1(), "use", json!("enc")), &signature), None, "use");
    assert_eq!(under(with(with(d1(), "key_ops", json!(["sign"])), "use", json!(null)), &signature), None, "key_ops");
    assert_eq!(under(with(k1(), "kid", json!("d1")), &signature), Some(NOT_USABLE), "a secret for a signature");
    assert_eq!(under(with(d1(), "kid", json!("k1")), &sealed), Some(NOT_USABLE), "a signer for a secret");
    assert_eq!(under(with(k1(), "k", json!(b64([7; 15]))), &sealed), None, "length");
    let elsewhere = json!({"formats": ["cose"]});
    assert_eq!(under(with(h1(), "paperknife", elsewhere), &token), Some(NOT_USABLE), "another format");
    assert_eq!(under(with_alg(h1(), "HS512"), &token), None, "a MAC key that is too short");
    let master = json!({"profile": "paperknife-1", "formats": ["jose"], "kdf": "paperknife-1", "device": "d"});
    let master = with(with(k1(), "paperknife", master), "alg", json!(null));
    assert!(matches!(under(master, &shape_s(&pk1())), None | Some(Some(Reason::KeyNotUsable))), "a master");
}

#[test]
fn j19_compression_is_off_and_when_on_is_capped() {
    let zipped = |content: &[u8]| {
        let jwe =
            Jwe { compressed: true, ..Jwe::new(Encryption::A128Gcm, vec![Recipient::new(Management::Dir, shared())]) };
        jwe.seal(content, &mut SysRng).unwrap()
    };
    let token = zipped(CONTENT);
    assert_eq!(reason(&desk().open(token.as_bytes())), NOT_ALLOWED, "J19, off");
    let desk = desk().under(&["zip"]);
    let attack = Attack::on("J19", &desk, &token);
    attack.row("a bomb", zipped(&vec![0; 1 << 20]), TOO_LARGE);
    attack.row("more than ten times", zipped(&[0; 4_096]), TOO_LARGE);
    let raw = |content: &[u8]| direct(Header::new().with("zip", "DEF"), content);
    // one stored block
    let stored = [&[1, 3, 0, 0xfc, 0xff][..], b"abc"].concat();
    attack.row("a stored block", raw(&stored), None);
    attack.row("cut", raw(&stored[..stored.len() - 1]), MALFORMED);
    attack.row("bytes after", raw(&[&stored[..], &[0]].concat()), MALFORMED);
    attack.row("no DEFLATE", raw(b"\xff\xff\xff"), MALFORMED);
    attack.row("in small letters", direct(Header::new().with("zip", "def"), CONTENT), UNSUPPORTED);
}

#[test]
fn j20_the_work_of_passwords_is_capped() {
    let password = b"correct horse battery staple";
    let desk = Desk::of(&[json!({"kty": "oct", "kid": "p1", "k": b64(password)})]).under(&["pbes2"]);
    let recipient = |iterations| Recipient {
        iterations,
        ..Recipient::new(Management::Pbes2A128Kw, Key::symmetric(password).named(b"p1"))
    };
    let token = Jwe::new(Encryption::A128Gcm, vec![recipient(1_000)]).seal(CONTENT, &mut SysRng).unwrap();
    let attack = Attack::on("J20", &desk, &token);
    let off = desk.clone().under(&[]);
    assert_eq!(reason(&off.open(token.as_bytes())), NOT_ALLOWED, "J20, off");
    let with = |name: &str, value: Value| {
        with_protected(&token, |header| {
            let mut header: Value = serde_json::from_str(&header).unwrap();
            header[name] = value;
            header.to_string()
        })
    };
    attack.row("p2c of 0", with("p2c", json!(0)), MALFORMED);
    attack.row("p2c of 999", with("p2c", json!(999)), MALFORMED);
    attack.row("p2c of 1,000,001", with("p2c", json!(1_000_001)), TOO_LARGE);
    attack.row("p2c of 2^40", with("p2c", json!(1_u64 << 40)), TOO_LARGE);
    attack.row("p2c as text", with("p2c", json!("1000")), MALFORMED);
    attack.row("p2c with an exponent", with_protected(&token, |header| header.replace(":1000", ":1e3")), MALFORMED);
    attack.row("p2c with a point", with_protected(&token, |header| header.replace(":1000", ":1000.0")), MALFORMED);
    attack.row("short p2s", with("p2s", json!(b64([1; 7]))), MALFORMED);
    attack.row("long p2s", with("p2s", json!(b64([1; 257]))), MALFORMED);
    attack.row("other p2s", with("p2s", json!(b64([1; 16]))), NOT_AUTHENTIC);
    let header = json!({"alg": "PBES2-HS256+A128KW", "kid": "p1", "p2c": 1_000_000, "p2s": b64([1; 8])});
    let many = json!({"protected": b64(r#"{"enc":"A128GCM"}"#), "iv": b64([0; 12]), "ciphertext": "AA", "tag": b64([0; 16]),
        "recipients": vec![json!({"header": header, "encrypted_key": b64([0; 24])}); 16]});
    let desk = desk.clone().under(&["pbes2", "unprotected-alg"]);
    assert_eq!(reason(&desk.open(many.to_string().as_bytes())), TOO_LARGE, "J20, sixteen times a million");
}

#[test]
fn j21_headers_are_small_and_sound_json() {
    let desk = desk();
    let attack = Attack::on("J21", &desk, &mac_with(r#""x":{"a":[1,2,{"b":null}]}"#));
    let nested = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    attack.row("depth 10,000", mac_with(&format!(r#""x":{nested}"#)), TOO_LARGE);
    let seventeen = format!("{}1{}", "[".repeat(16), "]".repeat(16));
    attack.row("depth 17", mac_with(&format!(r#""x":{seventeen}"#)), MALFORMED);
    let sixteen = format!("{}1{}", "[".repeat(15), "]".repeat(15));
    attack.row("depth 16", mac_with(&format!(r#""x":{sixteen}"#)), None);
    attack.row("a megabyte", mac_with(&format!(r#""x":"{}""#, "a".repeat(1 << 20))), TOO_LARGE);
    attack.row("17 KiB", mac_with(&format!(r#""x":"{}""#, "a".repeat(17 * 1024))), TOO_LARGE);
    let members: Vec<String> = (0..64).map(|nth| format!(r#""x{nth}":1"#)).collect();
    attack.row("66 members", mac_with(&members.join(",")), TOO_LARGE);
    let token = |protected: &[u8]| {
        let input = format!("{}.{}", b64(protected), b64(CONTENT));
        format!("{input}.{}", b64(hmac(b"a MAC key of thirty-two bytes ok", input.as_bytes())))
    };
    attack.row("no UTF-8", token(b"{\"alg\":\"HS256\",\"kid\":\"h1\",\"x\":\"\xff\"}"), MALFORMED);
    attack.row("a byte order mark", token(b"\xef\xbb\xbf{\"alg\":\"HS256\",\"kid\":\"h1\"}"), MALFORMED);
    attack.row("NUL", mac_with(r#""x":"\u0000""#), MALFORMED);
    attack.row("a raw control character", mac_with("\"x\":\"\u{1}\""), MALFORMED);
    attack.row("a lone surrogate", mac_with(r#""x":"\ud800""#), MALFORMED);
    attack.row("bytes after", maced(r#"{"alg":"HS256","kid":"h1"}x"#, CONTENT), MALFORMED);
    attack.row("kid a number", maced(r#"{"alg":"HS256","kid":1}"#, CONTENT), MALFORMED);
    attack.row("kid empty", maced(r#"{"alg":"HS256","kid":""}"#, CONTENT), MALFORMED);
    attack.row(
        "kid of 257 bytes",
        maced(&json!({"alg": "HS256", "kid": "k".repeat(257)}).to_string(), CONTENT),
        MALFORMED,
    );
    attack.row("an array", maced(r#"["HS256"]"#, CONTENT), MALFORMED);
    attack.row("empty", maced("{}", CONTENT), MALFORMED);
    attack.row("no bytes", with_part(&maced(mac_header(), CONTENT), 0, ""), MALFORMED);
    attack.row("no alg", maced(r#"{"kid":"h1"}"#, CONTENT), MALFORMED);
    attack.row("alg in small letters", maced(r#"{"alg":"hs256","kid":"h1"}"#, CONTENT), UNSUPPORTED);
    attack.row("alg of COSE alone", maced(r#"{"alg":"ESP256","kid":"h1"}"#, CONTENT), UNSUPPORTED);
}

#[test]
fn j22_parts_belong_together() {
    let desk = to_us();
    let jws = signed(Header::new(), CONTENT);
    let attack = Attack::on("J22", &desk, &jws);
    let other = signed(Header::new(), b"another content");
    attack.row("the signature of another", with_part(&jws, 2, &part(&other, 2)), NOT_AUTHENTIC);
    let (one, two) = (jwe(AGREED, gateway(), Header::new(), CONTENT), jwe(AGREED, gateway(), Header::new(), CONTENT));
    attack.row("another's recipient", with_part(&with_part(&one, 0, &part(&two, 0)), 1, &part(&two, 1)), NOT_AUTHENTIC);
    attack.row("another's encrypted key", with_part(&one, 1, &part(&two, 1)), NOT_AUTHENTIC);
    attack.row(
        "aad added",
        {
            let mut json = flattened(&direct(Header::new(), CONTENT));
            json["aad"] = json!(b64("more"));
            json.to_string()
        },
        NOT_AUTHENTIC,
    );
    let fleet = super::tokens::fleet(&json!({}));
    let (g, p) = (shape_g(&pk1()), shape_p(&pk1()));
    let attack = Attack::on("J22", &fleet, &p);
    Attack::on("J22", &fleet, &g);
    for token in [&g, &p] {
        let removed = with_protected(token, |header| header.replace(r#""cty":"JOSE","#, ""));
        assert_ne!(&removed, token);
        assert!(reason(&fleet.open(removed.as_bytes())).is_some(), "J22, cty removed");
    }
    let stripped = jwe(AGREED, gateway(), nested(), CONTENT);
    attack.row("nothing signed inside", stripped, MALFORMED);
}

#[test]
fn j23_times_are_whole_seconds() {
    let desk = desk();
    let token = |claims: &str| maced(r#"{"alg":"HS256","kid":"h1","typ":"JWT"}"#, claims.as_bytes());
    let attack = Attack::on("J23", &desk, &token(r#"{"exp":9999999999,"nbf":0,"iat":0}"#));
    for name in ["exp", "nbf", "iat"] {
        for value in [r#""9999999999""#, "NaN", "-1", "1e400", "1.5", "1e9", "null", "true"] {
            attack.row(name, token(&format!(r#"{{"{name}":{value}}}"#)), MALFORMED);
        }
    }
}

#[test]
fn j24_what_is_ignored_is_ignored() {
    let desk = desk();
    let house = desk.house().unwrap();
    let token = maced(mac_header(), CONTENT);
    let attack = Attack::on("J24", &desk, &token);
    attack.row("unknown members", mac_with(r#""x":[1.5,{"y":null}],"jku":"https://x.example","b64":true"#), None);
    attack.row("white space and order", maced("{ \"kid\" : \"h1\",\r\n \"alg\" : \"HS256\" }", CONTENT), None);
    attack.row("an empty payload", maced(mac_header(), b""), None);
    let mut beside = flattened(&token);
    beside["extra"] = json!({"deep": [1, 2]});
    attack.row("other members at the top", beside.to_string(), None);
    beside["header"] = json!({});
    attack.row("an empty header", beside.to_string(), None);
    let unknown = json!({"protected": b64(r#"{"alg":"X1","kid":"h1"}"#), "signature": "AAAA"});
    let known = json!({"protected": part(&token, 0), "signature": part(&token, 2)});
    let both = json!({"payload": b64(CONTENT), "signatures": [unknown, known]});
    attack.row("an unknown signature beside", both.to_string(), None);
    let recipients =
        vec![Recipient::new(Management::A128GcmKw, shared()), Recipient::new(Management::A128Kw, wrapping())];
    let general = Jwe { serialization: Serialization::General, ..Jwe::new(Encryption::A128Gcm, recipients) };
    let mut general: Value = serde_json::from_str(&general.seal(CONTENT, &mut SysRng).unwrap()).unwrap();
    let wrapped = Desk::of(&[with_alg(w1(), "A128KW")]).under(&["unprotected-alg"]);
    let attack = Attack::on("J24", &wrapped, &general.to_string());
    general["recipients"][0]["header"]["alg"] = json!("X1");
    attack.row("an unknown recipient beside", general.to_string(), None);
    let identity = |token: &str| facts(&desk.open_in(&house, token.as_bytes())).identity;
    assert_eq!(identity(&flattened(&token).to_string()), identity(&token), "J24, a duplicate");
}
