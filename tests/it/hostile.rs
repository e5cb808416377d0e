//! Bad input: the documented answer or verdict, never a panic, never a 5xx; and mutants of honest envelopes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fleet;
use crate::gateway::Gateway;

/// A generator of numbers that repeats by its seed (SplitMix64's constants).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }
}

#[test]
fn bad_bodies_get_the_documented_answer() {
    let gateway = Gateway::start();
    let nested = [vec![0x81; 1_000_000], vec![0]].concat();
    let mut dice = Dice::new(1);
    let random: Vec<u8> = (0..60_000).map(|_| dice.roll() as u8).collect();
    let cut = hex::decode("d0834ca3010a044401a2b3c406412aa0581cc62b2f29").unwrap();
    let rows: [(&str, &[u8], u16, Option<&str>); 5] = [
        ("empty", b"", 400, Some("no_envelope")),
        ("10 MiB", &vec![0xd0; 10 << 20], 413, Some("body_too_large")),
        ("cut off", &cut, 202, None),
        ("10^6 nested arrays", &nested, 202, None),
        ("random bytes", &random, 202, None),
    ];
    for (name, body, status, code) in rows {
        let answer = gateway.ingest(body, &[]);
        assert_eq!(answer.status, status, "{name}");
        match code {
            Some(code) => assert_eq!(answer.json()["code"], code, "{name}"),
            None => {
                let item = &gateway.verdicts(&answer)[0];
                assert_eq!(item["verdict"], "refused", "{name}");
                let reason = item["reason"].as_str().unwrap();
                assert!(matches!(reason, "malformed" | "too_large"), "{name}: {reason}");
            }
        }
    }
    gateway.assert_conserved();
    assert_eq!(gateway.get("/healthz")["status"], "ok");
}

#[test]
fn bad_json_and_codings_get_the_documented_answer() {
    let gateway = Gateway::start();
    let place = gateway.place();
    let token = crate::gateway::done(&["relays", "add", "senml", "--profile", "senml-json", "--data", &place]);
    let bearer = format!("Bearer {token}");
    let deep = "[".repeat(100_000);
    for body in ["{", "[{\"n\":\"/1\",\"n\":\"/2\",\"vd\":\"AA\"}]", "null", "[]", deep.as_str()] {
        let answer = gateway.request("POST", "/ingest/senml", body.as_bytes(), &[("authorization", &bearer)]);
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("no_envelope")), "{:.40}", body);
    }
    let coded = |coding| gateway.ingest(b"x", &[("content-encoding", coding)]);
    assert_eq!((coded("br").status, coded("gzip, gzip").status), (415, 415));
    assert!(matches!(coded("gzip").status, 400 | 413 | 415), "no gzip at all");
}

#[test]
fn wrong_questions_are_problems() {
    let gateway = Gateway::start();
    let rows = [
        ("/v1/messages?colour=red", 400, "bad_request"),
        ("/v1/messages?limit=1001", 400, "bad_request"),
        ("/v1/messages?limit=many", 400, "bad_request"),
        ("/v1/messages?after=nonsense", 400, "bad_request"),
        ("/v1/messages/not-a-uuid", 404, "not_found"),
        ("/v1/messages/01890000-0000-7000-8000-000000000000", 404, "not_found"),
        ("/v1/nothing", 404, "not_found"),
        ("/v1/receipts/01890000-0000-7000-8000-000000000000", 404, "not_found"),
        ("/v1/receipts/01890000-0000-7000-8000-000000000000?wait=x", 400, "bad_request"),
    ];
    for (path, status, code) in rows {
        let answer = gateway.get_answer(path);
        assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert!(problem["request_id"].is_string() && problem["title"].is_string(), "{path}: {problem}");
    }
    assert_eq!(gateway.request("GET", "/v1/messages", &[], &[]).status, 401);
    let reader = crate::gateway::done(&["tokens", "add", "r", "--scope", "read", "--data", &gateway.place()]);
    let bearer = format!("Bearer {reader}");
    let refused = gateway.request("GET", "/v1/refusals", &[], &[("authorization", &bearer)]);
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("forbidden")));
    assert_eq!(gateway.request("GET", "/v1/messages", &[], &[("authorization", &bearer)]).status, 200);
}

/// 10,000 mutants of honest envelopes of every shape: what opens is exactly what was sealed.
#[test]
fn mutants_open_nothing_that_was_not_sealed() {
    const MUTANTS: usize = 10_000;
    let gateway = Gateway::start();
    let mut devices = fleet::known_devices(&gateway, 6);
    let mut sealed = Vec::new();
    let mut authentic = BTreeSet::new();
    for nth in 0..60 {
        let (device, value) = (&mut devices[nth % 6], nth as f64 / 4.0);
        sealed.push(device.seal(value));
        authentic.insert((device.name.clone(), value.to_string()));
    }
    let seed = 20_261_124;
    println!("seed {seed}");
    let mut dice = Dice::new(seed);
    // A CBOR sequence of envelopes is one delivery: neighbours must not harm each other either. What is no longer a
    // sequence is one malformed item, so mutants go one a delivery where they break it.
    let mut bodies: Vec<Vec<u8>> = (0..MUTANTS).map(|_| mutant(&sealed, &mut dice)).collect();
    bodies.extend(sealed);
    std::thread::scope(|scope| {
        for chunk in bodies.chunks(bodies.len().div_ceil(8)) {
            let gateway = &gateway;
            scope.spawn(move || {
                for body in chunk {
                    let answer = gateway.ingest(body, &[("x-path", fleet::PATH)]);
                    assert!(matches!(answer.status, 202 | 400), "{}", answer.status);
                }
            });
        }
    });
    gateway.settle();
    let value = |message: &Value| message["readings"][0]["value"].as_f64().expect("a value").to_string();
    let device = |message: &Value| message["proof"]["sender"].as_str().expect("a sender").to_owned();
    let messages = gateway.list("/v1/messages");
    let opened: BTreeSet<_> = messages.iter().map(|message| (device(message), value(message))).collect();
    assert_eq!(opened, authentic);
    assert_eq!(messages.len(), authentic.len(), "each once");
    gateway.assert_conserved();
}

/// One honest envelope changed in a few places, cut, lengthened, or crossed with another.
fn mutant(sealed: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = sealed[dice.below(sealed.len())].clone();
    match dice.below(5) {
        0 => bytes.truncate(dice.below(bytes.len())),
        1 => bytes.extend((0..=dice.below(8)).map(|_| dice.roll() as u8)),
        2 => {
            let other = &sealed[dice.below(sealed.len())];
            let at = dice.below(bytes.len().min(other.len()));
            bytes.splice(at.., other[at..].iter().copied());
        }
        _ => {
            for _ in 0..=dice.below(3) {
                let at = dice.below(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
            }
        }
    }
    bytes
}
