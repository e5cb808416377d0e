//! The relay's answer cannot tell a verdict by its time (threats.md §1 rule 6): Welch's t over answers interleaved at
//! random. Long, and a matter of statistics: run by `make test-full`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use crate::fleet::{self, Simulated};
use crate::gateway::{Gateway, done};
use crate::hostile::Dice;

/// Samples of each class; threats.md asks for this many.
const SAMPLES: usize = 100_000;
/// Beyond this, two classes differ.
const LIMIT: f64 = 4.5;

/// One connection that is kept, so that what is timed is the answer.
struct Line {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    head: String,
}

impl Line {
    fn open(gateway: &Gateway) -> Self {
        let address = gateway.url().strip_prefix("http://").expect("a URL").to_owned();
        let stream = TcpStream::connect(&address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let answers = BufReader::new(stream.try_clone().expect("a reader"));
        let token = &gateway.relay_token;
        let head = format!(
            "POST /ingest/acme HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nx-path: {}\r\n",
            fleet::PATH
        );
        Self { stream, answers, head }
    }

    /// Nanoseconds from the last byte sent to the last byte of the answer.
    fn time(&mut self, body: &[u8]) -> f64 {
        let mut request = format!("{}content-length: {}\r\n\r\n", self.head, body.len()).into_bytes();
        request.extend_from_slice(body);
        let started = Instant::now();
        self.stream.write_all(&request).expect("sent");
        self.read_answer();
        started.elapsed().as_nanos() as f64
    }

    fn read_answer(&mut self) {
        let (mut line, mut length) = (String::new(), 0);
        self.answers.read_line(&mut line).expect("a status");
        assert!(line.contains(" 202 "), "{line}");
        loop {
            line.clear();
            self.answers.read_line(&mut line).expect("a header");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body).expect("a body");
    }
}

/// Welch's t of two classes. The slowest tenth of both together is left out: what the machine did meanwhile is no signal
/// of ours, and hides one.
fn welch(classes: &[Vec<f64>; 2]) -> f64 {
    let mut all: Vec<f64> = classes.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() * 9 / 10];
    let [(mean_a, error_a), (mean_b, error_b)] = classes.each_ref().map(|class| {
        let kept: Vec<f64> = class.iter().copied().filter(|&sample| sample <= most).collect();
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let variance = kept.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (kept.len() - 1) as f64;
        (mean, variance / kept.len() as f64)
    });
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}

/// Times two kinds of delivery, interleaved at random, and a probe right after each.
fn compare(gateway: &Gateway, name: &str, mut make: impl FnMut(usize) -> Vec<u8>) -> f64 {
    let mut dice = Dice::new(7);
    let mut line = Line::open(gateway);
    let (mut answers, mut probes) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    while answers.iter().any(|class| class.len() < SAMPLES) {
        let class = dice.below(2);
        let body = make(class);
        let answer = line.time(&body);
        let probe = line.time(b"no envelope, always the same");
        if answers[class].len() < SAMPLES {
            answers[class].push(answer);
            probes[class].push(probe);
        }
    }
    let (t, residue) = (welch(&answers), welch(&probes));
    println!("{name}: t = {t:.2} over {SAMPLES} answers a class; of the probe after it: t = {residue:.2}");
    t
}

fn tampered(device: &mut Simulated) -> Vec<u8> {
    let mut sealed = device.seal(20.0);
    *sealed.last_mut().expect("bytes") ^= 1;
    sealed
}

#[test]
#[ignore = "long, and statistics: `make test-full`"]
fn answers_tell_no_verdict_by_their_time() {
    // Refusals and held items beyond the quota are evicted all the time, as they would be in a flood.
    let gateway = Gateway::start();
    let mut devices = fleet::devices(&gateway, 10);
    // Shape S alone: all bodies of one length.
    let [mut known, mut unknown, mut revoked] = [9, 3, 0].map(|nth| devices.remove(nth));
    gateway.import_json(&json!({"keys": [known.keys["keys"][0], revoked.keys["keys"][0]]}));
    done(&["devices", "revoke", &revoked.name, "--data", &gateway.place()]);
    for device in [&mut known, &mut unknown, &mut revoked] {
        // Numbers of two bytes from here on.
        (0..300).for_each(|_| drop(device.seal(20.0)));
    }
    let mut failed = Vec::new();
    for (name, rival) in [("unknown kid, bad tag", 0), ("revoked key, bad tag", 1), ("opened, bad tag", 2)] {
        let t = compare(&gateway, name, |class| match (class, rival) {
            (0, _) => tampered(&mut known),
            (_, 0) => unknown.seal(20.0),
            (_, 1) => revoked.seal(20.0),
            _ => known.seal(20.0),
        });
        if t.abs() >= LIMIT {
            failed.push((name, t));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
#[ignore = "long, and statistics: `make test-full`"]
fn an_api_token_is_compared_in_constant_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let keystore = keystore::Keystore::open(folder.path(), keystore::Defaults::default()).expect("a keystore");
    let token = keystore.token_add("t", &[keystore::Scope::Read], "default").expect("a token");
    let secret = token.rfind('_').expect("its parts") + 1;
    let wrong = |at: usize| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("text")
    };
    let tokens = [wrong(secret), wrong(token.len() - 2)];
    let (mut dice, mut times) = (Dice::new(11), [Vec::new(), Vec::new()]);
    while times.iter().any(|class| class.len() < SAMPLES) {
        let class = dice.below(2);
        let started = Instant::now();
        let known = keystore.token_check(&tokens[class]).expect("a check");
        times[class].push(started.elapsed().as_nanos() as f64);
        assert!(known.is_none());
    }
    let t = welch(&times);
    println!("token wrong in its first, in its last character: t = {t:.2}");
    assert!(t.abs() < LIMIT, "{t}");
}
