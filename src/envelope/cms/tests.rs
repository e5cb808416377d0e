//! CMS messages, read: the vectors of `openssl-cms` and what the test makes of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Message, is_whole};
use crate::envelope::{Limits, Reading};
use crate::item::Compat;

fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/openssl-cms"))
}

fn parse(bytes: &[u8], compat: &Compat) -> Result<Message, super::Fault> {
    let limits = Limits::default();
    Message::parse(&Arc::from(bytes), &Reading { limits: &limits, compat, detached: None })
}

#[test]
fn probe() {
    let mut all = Compat::default();
    all.allow("all").unwrap();
    for folder in ["open", "refuse"] {
        let mut files: Vec<_> = std::fs::read_dir(vectors().join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let start = std::time::Instant::now();
            let of_all = parse(&bytes, &all);
            let time = start.elapsed();
            let strict = parse(&bytes, Compat::STRICT);
            let say = |r: &Result<Message, super::Fault>| match r {
                Ok(m) => format!("ok {:?}", m.fault()),
                Err(f) => format!("ERR {:?}", f),
            };
            println!(
                "{} {:?} {} | {} | {}",
                file.file_name().unwrap().to_string_lossy(),
                time,
                is_whole(&bytes),
                say(&of_all),
                say(&strict)
            );
        }
    }
}
