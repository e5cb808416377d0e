//! Profile `senml-json`: a SenML pack in JSON (RFC 8428 §5). Stacks write data values in more forms than base64url.

use crate::codec::senml::{self, DataText};
use crate::relay::profiles::{Body, Found, Limits, Profile, Unfound, pack};

/// The places of the pack.
pub(super) fn find(profile: &Profile, body: &Body<'_>, limits: &Limits) -> Result<Found, Unfound> {
    pack::find(senml::decode_json(body.bytes, &pack::limits(limits), DataText::AsWritten), profile, body)
}
