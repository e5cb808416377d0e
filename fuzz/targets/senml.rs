//! SenML packs in both forms: whatever comes, records within the limits or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperknife::codec::senml::{DataText, Limits, Record, Value, decode_cbor, decode_json};

const LIMITS: Limits = Limits { records: 64, depth: 16, name: 256, output: 4096 };

fuzz_target!(|bytes: &[u8]| {
    let packs = [
        decode_cbor(bytes, &LIMITS),
        decode_json(bytes, &LIMITS, DataText::AsWritten),
        decode_json(bytes, &LIMITS, DataText::Base64url),
    ];
    for records in packs.into_iter().flatten() {
        assert!(records.len() <= LIMITS.records);
        assert!(records.iter().map(size).sum::<usize>() <= LIMITS.output);
        assert!(records.iter().all(|record| (1..=LIMITS.name).contains(&record.name.len())));
        assert!(records.iter().all(|record| record.value.is_some() || record.sum.is_some()));
    }
});

fn size(record: &Record) -> usize {
    let value = match &record.value {
        Some(Value::Data(bytes)) => bytes.len(),
        Some(Value::DataText(text) | Value::Objlink(text) | Value::Text(text)) => text.len(),
        Some(Value::Boolean(_) | Value::Number(_)) | None => 0,
    };
    record.name.len() + record.unit.as_ref().map_or(0, String::len) + value
}
