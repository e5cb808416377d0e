//! Leaf: codings and containers of records, each once, for its two callers: relay profiles unwrap with them what a relay
//! hands over, and `payload` decodes with them what a device sealed.
//!
//! May import minicbor, serde and serde_json, base64, hex, flate2; no room. Whatever is read here is hostile: limits are
//! checked before allocation, and nothing recurses beyond a depth that the caller sets.

pub mod inflate;
pub mod media_type;
pub mod senml;
pub mod text;
