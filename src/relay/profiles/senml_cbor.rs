//! Profile `senml-cbor`: a SenML pack in CBOR (RFC 8428 §6).

use crate::codec::senml;
use crate::relay::profiles::{Body, Found, Limits, Profile, Unfound, pack};

/// The places of the pack.
pub(super) fn find(profile: &Profile, body: &Body<'_>, limits: &Limits) -> Result<Found, Unfound> {
    pack::find(senml::decode_cbor(body.bytes, &pack::limits(limits)), profile, body)
}
