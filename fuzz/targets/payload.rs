//! Opened content under every content format that has a decoder: readings or a reason, and what is kept reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperknife::item::{ContentType, Timestamp};
use paperknife::payload::{Context, Reading, decode};

const CONTEXT: Context<'static> = Context {
    issued_at: None,
    received_at: Timestamp::from_millis(1_790_856_030_000),
    base_path: Some("/3303/0/5700"),
    base_path_proven: true,
    max_future_s: 300,
    max_readings: 256,
};

fuzz_target!(|bytes: &[u8]| {
    for number in [0, 42, 110, 112] {
        let payload = decode(Some(&ContentType::Format(number)), bytes, &CONTEXT);
        assert!(payload.error.is_none() || payload.readings.is_empty());
        for reading in &payload.readings {
            let kept = serde_json::to_vec(reading).expect("a reading is JSON");
            let back: Reading = serde_json::from_slice(&kept).expect("what is kept is a reading");
            assert_eq!(back.to_json(), reading.to_json());
        }
    }
});
