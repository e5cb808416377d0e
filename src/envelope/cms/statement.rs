//! The binding attribute of profile `paperknife-1`: what a device says its message is for (cms.md §10).
//!
//! Imports its neighbours and `envelope::Fault`. CMS has no external data: what COSE binds unsent travels here, under
//! the signature or the tag.

use std::ops::Range;

use super::walk::{Fields, Node, UTF8, leaf};
use crate::envelope::Fault;

/// The only profile there is.
const PROFILE: &str = "paperknife-1";
/// Octets of a text.
const TEXT: usize = 255;
/// Octets of a key context.
const KEY_CONTEXT: usize = 16;
/// Highest sequence number.
const SEQUENCE_MAX: u64 = (1 << 40) - 1;
/// Highest CoAP Content-Format.
const FORMAT_MAX: u64 = 65_535;

/// ```text
/// PaperknifeBinding ::= SEQUENCE {              -- DER, IMPLICIT TAGS
///   profile UTF8String, audience UTF8String, endpoint UTF8String, path UTF8String OPTIONAL,
///   keyContext    [0] OCTET STRING (SIZE(1..16)) OPTIONAL,
///   sequence      [1] INTEGER (0..1099511627775) OPTIONAL,
///   contentFormat [2] INTEGER (0..65535) OPTIONAL }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The application.
    pub audience: String,
    /// The device.
    pub endpoint: String,
    /// The resource; none where the device cannot know it.
    pub path: Option<String>,
    /// Boot epoch or key generation.
    pub key_context: Option<Range<usize>>,
    /// Sequence number.
    pub sequence: Option<u64>,
    /// CoAP Content-Format of the content.
    pub content_format: Option<u64>,
}

impl Statement {
    pub(super) fn of(value: Node<'_>) -> Result<Self, Fault> {
        let mut fields = value.within();
        if text(&mut fields)? != PROFILE {
            return Err(Fault::unsupported("a binding of another profile"));
        }
        let (audience, endpoint) = (text(&mut fields)?, text(&mut fields)?);
        let path = fields.optional(UTF8).map(bounded).transpose()?;
        let key_context = fields.optional(leaf(0)).map(Node::range);
        let sequence = fields.optional(leaf(1)).map(Node::number).transpose()?;
        let content_format = fields.optional(leaf(2)).map(Node::number).transpose()?;
        fields.end("after the fields of a binding")?;
        let sized = key_context.as_ref().is_none_or(|context| (1..=KEY_CONTEXT).contains(&context.len()));
        let counted = sequence.is_none_or(|number| number <= SEQUENCE_MAX);
        let registered = content_format.is_none_or(|number| number <= FORMAT_MAX);
        if !(sized && counted && registered) {
            return Err(Fault::malformed("a field of a binding beyond its bounds"));
        }
        Ok(Self { audience, endpoint, path, key_context, sequence, content_format })
    }
}

fn text(fields: &mut Fields<'_>) -> Result<String, Fault> {
    fields.one(UTF8, "a text of a binding is due").and_then(bounded)
}

fn bounded(node: Node<'_>) -> Result<String, Fault> {
    let text = node.text()?;
    if (1..=TEXT).contains(&text.len()) { Ok(text) } else { Err(Fault::malformed("a text of 1 to 255 octets is due")) }
}
