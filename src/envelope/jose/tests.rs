//! Reading JOSE: what is taken, what is refused and why, and that no bytes make it stumble. What needs a key to be told
//! apart is attacked in the corridor.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::{Form, Kind, Message, Place, is_whole, json};
use crate::envelope::{Fault, Limits, Reading};
use crate::item::{Compat, Reason};

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_under(text: &str, names: &[&str], detached: Option<&[u8]>) -> Result<Message, Fault> {
    let mut compat = Compat::default();
    names.iter().for_each(|name| compat.allow(name).unwrap());
    let limits = Limits::default();
    Message::parse(text.as_bytes(), Place::Outer, &Reading { limits: &limits, compat: &compat, detached })
}

fn read(text: &str) -> Result<Message, Fault> {
    read_under(text, &[], None)
}

fn jws(protected: &str) -> String {
    format!("{}.{}.{}", b64(protected.as_bytes()), b64(b"payload"), b64(&[1; 64]))
}

/// A JWE of A128GCM; the encrypted key is as long as its algorithm wants it.
fn jwe(protected: &str, encrypted_key: usize) -> String {
    let parts = [protected.as_bytes(), &vec![1; encrypted_key], &[2; 12], b"ciphertext", &[3; 16]];
    parts.map(b64).join(".")
}

#[test]
fn each_serialization_is_told_by_its_parts() {
    let compact = jws(r#"{"alg":"ES256"}"#);
    let sealed = jwe(r#"{"alg":"dir","enc":"A128GCM"}"#, 0);
    let protected = b64(br#"{"alg":"ES256"}"#);
    let flattened = format!(r#"{{"protected":"{protected}","payload":"","signature":"AAAA"}}"#);
    let general = format!(r#"{{"payload":"","signatures":[{{"protected":"{protected}","signature":"AAAA"}}]}}"#);
    let rows = [
        (compact, Kind::Jws, Form::Compact),
        (sealed, Kind::Jwe, Form::Compact),
        (flattened, Kind::Jws, Form::Flattened),
        (general, Kind::Jws, Form::General),
    ];
    for (text, kind, form) in rows {
        let message = read(&text).unwrap();
        assert_eq!((message.kind(), message.form()), (kind, form), "{text}");
        assert!(is_whole(text.as_bytes()), "{text}");
    }
}

#[test]
fn what_is_authenticated_is_the_text_received() {
    let token = jws("{ \"alg\" : \"ES256\" }");
    let message = read(&token).unwrap();
    let (_, way) = message.ways().next().unwrap();
    assert_eq!(message.authenticated(way), token.rsplit_once('.').unwrap().0.as_bytes());
    let protected = b64(br#"{"alg":"dir","enc":"A128GCM"}"#);
    let iv = b64(&[2; 12]);
    let tag = b64(&[3; 16]);
    let json = format!(r#"{{"protected":"{protected}","aad":"YWFk","iv":"{iv}","ciphertext":"AA","tag":"{tag}"}}"#);
    let message = read(&json).unwrap();
    let (_, way) = message.ways().next().unwrap();
    assert_eq!(message.authenticated(way), format!("{protected}.YWFk").as_bytes());
}

#[test]
fn a_payload_comes_from_one_place() {
    let head = b64(br#"{"alg":"ES256"}"#);
    let apart = format!("{head}..AAAA");
    assert_eq!(read_under(&apart, &[], Some(b"content")).unwrap().content(), b"content");
    assert_eq!(read(&apart).unwrap().content(), b"");
    assert_eq!(read_under(&jws(r#"{"alg":"ES256"}"#), &[], Some(b"content")).unwrap_err().reason, Reason::Malformed);
    let json = format!(r#"{{"protected":"{head}","signature":"AAAA"}}"#);
    assert_eq!(read_under(&json, &[], Some(b"content")).unwrap().content(), b"content");
    assert_eq!(read(&json).unwrap_err().reason, Reason::Malformed);
    let sealed = jwe(r#"{"alg":"dir","enc":"A128GCM"}"#, 0);
    assert_eq!(read_under(&sealed, &[], Some(b"content")).unwrap_err().reason, Reason::Malformed);
}

#[test]
fn content_types_say_what_is_within() {
    let rows = [
        ("JOSE", Some(Place::Inner)),
        ("jose+json", Some(Place::Inner)),
        ("application/jose", Some(Place::Inner)),
        ("JWT", Some(Place::InnerJwt)),
        ("Application/jwt", Some(Place::InnerJwt)),
        ("senml+json", None),
        ("application/", None),
        ("applicationjose", None),
        ("é", None),
    ];
    for (cty, expected) in rows {
        let message = read(&jws(&format!(r#"{{"alg":"ES256","cty":"{cty}"}}"#))).unwrap();
        assert_eq!(Message::nested(message.way(0).unwrap()), expected, "{cty}");
    }
    let head = b64(br#"{"alg":"ES256"}"#);
    let unprotected = format!(r#"{{"protected":"{head}","header":{{"cty":"JOSE"}},"payload":"","signature":"AAAA"}}"#);
    assert_eq!(Message::nested(read(&unprotected).unwrap().way(0).unwrap()), None);
}

/// Each is a header of a JWE, and what stands against it.
#[test]
fn headers_of_another_type_are_malformed() {
    let twin = read(&jwe(r#"{"alg":"dir","enc":"A128GCM","kid":"k"}"#, 0));
    assert!(twin.is_ok());
    let members = [
        r#""kid":1"#,
        r#""kid":"""#,
        r#""kid":null"#,
        r#""cty":1"#,
        r#""typ":[]"#,
        r#""zip":true"#,
        r#""jku":1"#,
        r#""x5u":{}"#,
        r#""jwk":"k""#,
        r#""jwk":{"kty":"oct","k":"AA"}"#,
        r#""jwk":{"kty":"RSA","oth":[]}"#,
        r#""jwk":{"kty":"AKP","priv":"AA"}"#,
        r#""epk":"k""#,
        r#""epk":{}"#,
        r#""epk":{"kty":"EC"}"#,
        r#""epk":{"kty":"EC","crv":"P-256"}"#,
        r#""epk":{"kty":"OKP","crv":"X25519","x":"AA"}"#,
        r#""apu":"A""#,
        r#""apu":"AB""#,
        r#""apv":1"#,
        r#""iv":"AA=""#,
        r#""tag":"AA+A""#,
        r#""p2s":"AAAA""#,
        r#""p2c":-1"#,
        r#""p2c":1000.0"#,
        r#""b64":"true""#,
        r#""crit":{}"#,
        r#""x5c":"AAAA""#,
        r#""x5c":[]"#,
        r#""x5c":["A-_A"]"#,
        r#""x5c":["AA"]"#,
        r#""x5t":1"#,
        r#""x5t#S256":"A""#,
        r#""pk1":1"#,
    ];
    for member in members {
        let fault = read(&jwe(&format!(r#"{{"alg":"dir","enc":"A128GCM",{member}}}"#), 0)).unwrap_err();
        assert_eq!(fault.reason, Reason::Malformed, "{member}");
    }
}

/// Each is JSON of a JWS or JWE, and what stands against it.
#[test]
fn json_of_another_form_is_malformed() {
    let head = b64(br#"{"alg":"ES256"}"#);
    let sealed = b64(br#"{"alg":"dir","enc":"A128GCM"}"#);
    let texts = [
        "{".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        r#"{"payload":""}"#.to_owned(),
        format!(r#"{{"payload":1,"protected":"{head}","signature":""}}"#),
        r#"{"payload":"","protected":1,"signature":""}"#.to_owned(),
        r#"{"payload":"","protected":"","signature":""}"#.to_owned(),
        r#"{"payload":"","protected":"e30","signature":""}"#.to_owned(),
        format!(r#"{{"payload":"","protected":"{head}","signature":1}}"#),
        format!(r#"{{"payload":"","protected":"{head}","header":[],"signature":""}}"#),
        r#"{"payload":"","signatures":{}}"#.to_owned(),
        r#"{"payload":"","signatures":[1]}"#.to_owned(),
        format!(r#"{{"payload":"","signatures":[{{"protected":"{head}"}}]}}"#),
        format!(r#"{{"payload":"","signatures":[],"protected":"{head}"}}"#),
        format!(r#"{{"payload":"","protected":"{head}","signature":"","recipients":[]}}"#),
        format!(r#"{{"protected":"{sealed}","ciphertext":1}}"#),
        format!(r#"{{"protected":"{sealed}","ciphertext":"AA","unprotected":1}}"#),
        format!(r#"{{"protected":"{sealed}","ciphertext":"AA","recipients":1}}"#),
        format!(r#"{{"protected":"{sealed}","ciphertext":"AA","encrypted_key":"","recipients":[{{}}]}}"#),
        format!(r#"{{"payload":"","protected":"{head}","signature":""}} x"#),
    ];
    for text in texts {
        assert_eq!(read(&text).map(|_| ()).unwrap_err().reason, Reason::Malformed, "{text}");
    }
}

#[test]
fn of_several_the_reason_that_got_furthest_is_told() {
    let signature = |protected: &str, header: &str| {
        let protected = b64(protected.as_bytes());
        format!(r#"{{"protected":"{protected}","header":{header},"signature":"AAAA"}}"#)
    };
    let unknown = signature(r#"{"alg":"X1"}"#, "{}");
    let critical = signature(r#"{"alg":"ES256","x":1,"crit":["x"]}"#, "{}");
    let unprotected = signature(r#"{"x":1}"#, r#"{"alg":"ES256"}"#);
    let off = signature(r#"{"alg":"none"}"#, "{}");
    let good = signature(r#"{"alg":"ES256"}"#, "{}");
    let of = |signatures: &[&String]| {
        let list = signatures.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(",");
        read(&format!(r#"{{"payload":"","signatures":[{list}]}}"#))
    };
    let reason = |signatures: &[&String]| of(signatures).unwrap_err().reason;
    assert_eq!(reason(&[&unknown]), Reason::Unsupported);
    assert_eq!(reason(&[&critical, &unknown]), Reason::CritNotUnderstood);
    assert_eq!(reason(&[&unknown, &unprotected, &critical]), Reason::AlgNotProtected);
    assert_eq!(reason(&[&off, &unprotected]), Reason::AlgNotAllowed);
    let message = of(&[&unknown, &critical, &unprotected, &off, &good]).unwrap();
    assert_eq!(message.ways().map(|(nth, _)| nth).collect::<Vec<_>>(), [4]);
}

#[test]
fn an_envelope_is_described_without_a_key() {
    let token = jws(r#"{"alg":"ES256","kid":"d1","pk1":{"aud":"a","ep":"e","path":null,"seq":7},"x":1}"#);
    let described = read(&token).unwrap().describe();
    assert_eq!(described["structure"], "JWS");
    assert_eq!(described["serialization"], "compact");
    let shown = &described["signatures"][0];
    assert_eq!(shown["headers"]["protected"]["pk1"]["seq"], 7);
    assert_eq!(shown["headers"]["protected"]["x"], "not interpreted");
    assert!(described["paperknife_1"]["broken"].is_string());
    let sealed = read(&jwe(r#"{"alg":"dir","enc":"A128GCM","kid":"k1"}"#, 0)).unwrap().describe();
    assert_eq!((&sealed["ciphertext_bytes"], &sealed["enc"]), (&10.into(), &"A128GCM".into()));
    assert_eq!(sealed["paperknife_1"], true);
}

#[test]
fn what_only_looks_like_jose_is_not_found() {
    let whole = jws(r#"{"alg":"ES256"}"#);
    assert!(is_whole(whole.as_bytes()));
    let others = [
        "eyJhbGciOiJFUzI1NiJ9".to_owned(),
        "a.b.c".to_owned(),
        format!("{whole}."),
        jws(r#"{"typ":"JWT"}"#),
        r#"{"payload":"x","signature":"y"}"#.to_owned(),
        r#"{"signature":"y","header":{"kid":"k"}}"#.to_owned(),
        r#"{"ciphertext":"x"}"#.to_owned(),
        r#"{"e":[{"n":"/3303/0/5700","v":1}]}"#.to_owned(),
    ];
    for other in others {
        assert!(!is_whole(other.as_bytes()), "{other}");
    }
}

#[test]
fn json_is_cut_off_at_its_limits() {
    let values = |count: usize| format!(r#"{{"a":[{}]}}"#, vec!["0"; count].join(","));
    assert!(json::object(values(4_094).as_bytes()).is_ok());
    assert_eq!(json::object(values(4_095).as_bytes()).unwrap_err().reason, Reason::TooLarge);
    let depth = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(json::object(depth(15).as_bytes()).is_ok());
    assert_eq!(json::object(depth(16).as_bytes()).unwrap_err().reason, Reason::Malformed);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_stumble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let limits = Limits::default();
        let _ = Message::parse(&bytes, Place::Outer, &Reading::strict(&limits));
        let _ = is_whole(&bytes);
    }

    #[test]
    fn no_protected_header_makes_the_reader_stumble(header in "\\{(\"(alg|enc|kid|crit|b64|epk|p2c|pk1|x5c)\":(\"ES256\"|\"dir\"|1|\\[\\]|true|null),?){0,6}\\}") {
        for text in [jws(&header), jwe(&header, 0), jwe(&header, 24)] {
            if let Ok(message) = read_under(&text, &["all"], None) {
                prop_assert!(message.describe().is_object());
                prop_assert!(is_whole(text.as_bytes()));
            }
        }
    }

    #[test]
    fn what_is_read_is_what_was_written(payload in prop::collection::vec(any::<u8>(), 0..64), signature in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = format!("{}.{}.{}", b64(br#"{"alg":"ES256"}"#), b64(&payload), b64(&signature));
        let message = read(&text).unwrap();
        prop_assert_eq!(message.content(), &payload);
        prop_assert_eq!(message.way(0).unwrap().bytes(), &signature);
    }
}
