//! Honest bodies inflate whole; bombs, stacks and leftovers do not.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::{any, proptest};

use crate::codec::inflate::{Error, inflate};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_supported_coding_gives_the_body_back() {
    let body = b"d08354a3010a031870044c75726e3a6465763a6f773a31".as_slice();
    for (coding, coded) in
        [("gzip", gzip(body)), ("GZIP ", gzip(body)), ("deflate", zlib(body)), ("identity", body.to_vec())]
    {
        assert_eq!(inflate(&coded, coding, 1000).as_deref(), Ok(body), "{coding}");
    }
}

#[test]
fn a_bomb_stops_at_ten_times_its_coded_size() {
    let bomb = gzip(&vec![0; 10_000_000]);
    assert_eq!(inflate(&bomb, "gzip", usize::MAX), Err(Error::TooLarge));
}

#[test]
fn the_body_limit_holds_below_the_ratio() {
    let noise: Vec<u8> = (0u32..2000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    assert_eq!(inflate(&gzip(&noise), "gzip", noise.len() - 1), Err(Error::TooLarge));
    assert_eq!(inflate(&gzip(&noise), "gzip", noise.len()), Ok(noise.clone()));
    assert_eq!(inflate(&noise, "identity", noise.len() - 1), Err(Error::TooLarge));
}

#[test]
fn other_codings_stacks_leftovers_and_cut_bodies_are_refused() {
    let coded = gzip(b"payload payload");
    for coding in ["br", "zstd", "gzip, gzip", "compress"] {
        assert_eq!(inflate(&coded, coding, 1000), Err(Error::Unsupported), "{coding}");
    }
    assert_eq!(inflate(&[coded.clone(), b"more".to_vec()].concat(), "gzip", 1000), Err(Error::Malformed));
    assert_eq!(inflate(&coded[..coded.len() - 3], "gzip", 1000), Err(Error::Malformed));
    assert_eq!(inflate(b"not gzip", "gzip", 1000), Err(Error::Malformed));
}

proptest! {
    #[test]
    fn no_input_exceeds_the_cap(coded in proptest::collection::vec(any::<u8>(), 0..300), limit in 0usize..200) {
        for coding in ["gzip", "deflate", ""] {
            if let Ok(body) = inflate(&coded, coding, limit) {
                assert!(body.len() <= limit);
            }
        }
    }
}
