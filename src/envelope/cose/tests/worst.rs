//! What costs a reader most: 64 KiB of each, read, described and recognised in less than ten milliseconds (threats.md §2).

use std::time::{Duration, Instant};

use crate::envelope::cose::sequence;
use crate::envelope::{Envelope, Limits, Reading, recognise};
use crate::item::{Compat, CoseType, Sealed};

const SIZE: usize = 64 * 1024;
/// Ten milliseconds as it is shipped; without optimization the same passes take some ten times as long.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 10 });

/// The head of an item.
fn head(major: u8, argument: usize) -> Vec<u8> {
    let major = major << 5;
    let octets = (argument as u64).to_be_bytes();
    match argument {
        0..24 => vec![major | octets[7]],
        24..0x100 => vec![major | 24, octets[7]],
        0x100..0x1_0000 => vec![major | 25, octets[6], octets[7]],
        _ => [&[major | 26], &octets[4..]].concat(),
    }
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len()), content.to_vec()].concat()
}

fn text(content: &str) -> Vec<u8> {
    [head(3, content.len()), content.as_bytes().to_vec()].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len()), items.concat()].concat()
}

/// A map; values are 0.
fn map(keys: &[Vec<u8>]) -> Vec<u8> {
    let entries: Vec<u8> = keys.iter().flat_map(|key| [key.as_slice(), &[0]].concat()).collect();
    [head(5, keys.len()), entries].concat()
}

/// `count` text labels of `size` bytes that differ in the last.
fn alike(count: u8, size: usize) -> Vec<Vec<u8>> {
    let label = |nth: u8| text(&format!("{}{}", "x".repeat(size - 1), char::from(b'!' + nth)));
    (0..count).map(label).collect()
}

/// As many labels as a bucket may have, none of which means anything.
fn crowded(first: usize) -> Vec<u8> {
    map(&(0..64).map(|nth| head(0, 1_000 + first + nth)).collect::<Vec<_>>())
}

fn encrypt0(protected: &[u8], unprotected: &[u8]) -> Vec<u8> {
    [vec![0xd0], array(&[bytes(protected), unprotected.to_vec(), bytes(&[0; 16])])].concat()
}

fn recipients(count: usize, recipient: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let all: Vec<_> = (0..count).map(recipient).collect();
    let body = [bytes(&[0xa1, 1, 1]), vec![0xa0], bytes(&[0; 16]), array(&all)];
    [vec![0xd8, 96], array(&body)].concat()
}

fn rows() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |of: &[u8]| [of.repeat(SIZE - 1), vec![0]].concat();
    let wide = array(&vec![array(&vec![vec![0]; 4_000]); 16]);
    let nested = (0..12).fold(vec![0], |inner, _| map(&[alike(60, 85), vec![inner]].concat()));
    let twins = (0..9).fold(text(&"y".repeat(100)), |inner, _| map(&[array(&[inner.clone(), vec![0]]), inner]));
    let in_recipients = recipients(64, |_| array(&[bytes(&crowded(0)), crowded(100), bytes(&[])]));
    let layered = |nth: usize| {
        let inner = array(&[bytes(&crowded(0)), crowded(100), bytes(&[1; 24])]);
        let middle = array(&[bytes(&[]), crowded(nth), bytes(&[1; 24]), array(&[inner])]);
        array(&[bytes(&[]), crowded(nth), bytes(&[1; 24]), array(&[middle])])
    };
    let critical = [head(0, 2), array(&(0..16).map(|nth| head(0, 1_000 + nth)).collect::<Vec<_>>())].concat();
    let certificates = [head(0, 33), array(&vec![bytes(&[7; 8_000]); 8])].concat();
    let countersigned = array(&vec![array(&[bytes(&crowded(0)), crowded(100), bytes(&[1; 64])]); 16]);
    let with = |entry: &[u8]| [head(5, 1), entry.to_vec()].concat();
    vec![
        ("nested arrays", deep(&[0x81])),
        ("nested maps", deep(&[0xa1])),
        ("nested tags", deep(&[0xc6])),
        ("nested tags of a message", deep(&[0xd0])),
        ("wide arrays", [vec![0xd0], wide].concat()),
        ("labels alike, protected", encrypt0(&map(&alike(60, 1_000)), &[0xa0])),
        ("labels alike, unprotected", encrypt0(&[0xa1, 1, 1], &map(&alike(60, 1_000)))),
        ("maps as labels", encrypt0(&[0xa1, 1, 1], &nested)),
        ("maps as labels of maps", encrypt0(&[0xa1, 1, 1], &twins)),
        ("64 recipients of 128 labels", in_recipients),
        ("21 recipients in three layers", recipients(21, layered)),
        ("16 critical labels", encrypt0(&with(&critical), &crowded(0))),
        ("8 certificates", encrypt0(&[0xa1, 1, 1], &with(&certificates))),
        ("16 countersignatures", encrypt0(&[0xa1, 1, 1], &with(&[vec![11], countersigned].concat()))),
        ("a length that lies", [vec![0xd0, 0x83, 0x5b], vec![0xff; 8]].concat()),
        ("a string of empty chunks", [vec![0xd0, 0x83, 0x5f], vec![0x40; SIZE - 10], vec![0xff]].concat()),
        ("arrays without end", [vec![0xd0], vec![0x9f; SIZE - 1]].concat()),
        ("maps without end", [vec![0xd0, 0xbf], [0, 0].repeat(SIZE / 2 - 1)].concat()),
        ("an empty message again and again", [0xd0, 0x83, 0x40, 0xa0, 0x40].repeat(SIZE / 5)),
        ("long heads", [vec![0xd0], [0x9b, 0, 0, 0, 0, 0, 0, 0, 1].repeat(SIZE / 9)].concat()),
        ("zeros", vec![0; SIZE]),
    ]
}

/// The least of several tries: what the input costs, not what else the machine does.
fn cost(sealed: &Sealed, compat: &Compat) -> Duration {
    let limits = Limits::default();
    let once = || {
        let begun = Instant::now();
        recognise(&sealed.bytes, sealed.cose_type);
        sequence(&sealed.bytes);
        if let Ok(envelope) = Envelope::parse(sealed, &Reading { limits: &limits, compat, detached: None }) {
            let _ = (envelope.describe(), envelope.key_names());
        }
        begun.elapsed()
    };
    (0..10).map(|_| once()).min().unwrap_or_default()
}

#[test]
fn no_input_of_64_kib_takes_ten_milliseconds() {
    for (name, bytes) in rows() {
        assert!(bytes.len() <= SIZE, "{name}: {} bytes", bytes.len());
        for compat in [Compat::STRICT, &Compat::everything()] {
            for cose_type in [None, Some(CoseType::Encrypt), Some(CoseType::Encrypt0), Some(CoseType::Sign)] {
                let took = cost(&Sealed { bytes: bytes.as_slice().into(), cose_type }, compat);
                println!("{took:>10.1?}  {name}");
                assert!(took < LIMIT, "{name}: {took:?} as {cose_type:?}");
            }
        }
    }
}
