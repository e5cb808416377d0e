//! Countersignatures: the older form in labels 7 and 9 (RFC 8152 §4.5), the newer in 11 and 12 (RFC 9338), and what each
//! of them signs.
//!
//! Imports its neighbours and minicbor. They stand outside of what the message authenticates: they prove what their
//! own signature covers, and never who sent the message.

use std::ops::Range;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::headers::{Bucket, Headers, Level, Reading, byte_string};
use super::{Message, Way, scan};
use crate::envelope::{Binding, Fault};
use crate::item::{Compat, CoseType, Reason};

/// Most countersignatures under one label (cose.md §6).
const MOST: u64 = 16;
/// Longest signature, bytes.
const SIGNATURE: usize = 8 * 1024;

/// One countersignature.
#[derive(Clone, Debug)]
pub struct Countersignature {
    /// 7, 9, 11 or 12.
    pub label: i64,
    /// Its protected bucket, verbatim; nothing for the abbreviated forms 9 and 12.
    pub protected: Range<usize>,
    /// Its headers; empty for the abbreviated forms.
    pub headers: Headers,
    /// The signature.
    pub signature: Range<usize>,
}

/// What a countersignature stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The message.
    Body,
    /// A recipient, the nth of the outermost.
    Recipient(usize),
    /// A signer.
    Signer(usize),
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Body => out.write_str("body"),
            Self::Recipient(nth) => write!(out, "recipient {nth}"),
            Self::Signer(nth) => write!(out, "signer {nth}"),
        }
    }
}

impl Countersignature {
    /// Whether it is of the older form, which signs less than it seems to.
    pub const fn is_old(&self) -> bool {
        matches!(self.label, 7 | 9)
    }

    /// Whether it is a bare signature: algorithm and key come from elsewhere.
    pub const fn is_abbreviated(&self) -> bool {
        matches!(self.label, 9 | 12)
    }
}

/// Reads the value of a countersignature header.
pub(super) fn read(
    decoder: &mut Decoder<'_>,
    base: usize,
    label: i64,
    compat: &Compat,
) -> Result<Vec<Countersignature>, Fault> {
    if matches!(label, 9 | 12) {
        let signature = byte_string(decoder, base, 1..=SIGNATURE)?;
        return Ok(vec![Countersignature { label, protected: 0..0, headers: Headers::default(), signature }]);
    }
    let count = elements(decoder)?;
    // One countersignature begins with its protected bucket, an array of them with another array.
    if matches!(decoder.datatype(), Ok(Type::Bytes)) {
        return Ok(vec![one(decoder, base, label, count, compat)?]);
    }
    if count == 0 {
        return Err(FAULT);
    }
    if count > MOST {
        return Err(Fault { reason: Reason::TooLarge, detail: "too many countersignatures" });
    }
    (0..count).map(|_| elements(decoder).and_then(|count| one(decoder, base, label, count, compat))).collect()
}

const FAULT: Fault = Fault::malformed("a countersignature");

fn elements(decoder: &mut Decoder<'_>) -> Result<u64, Fault> {
    decoder.array().ok().flatten().ok_or(FAULT)
}

fn one(
    decoder: &mut Decoder<'_>,
    base: usize,
    label: i64,
    elements: u64,
    compat: &Compat,
) -> Result<Countersignature, Fault> {
    if elements != 3 {
        return Err(FAULT);
    }
    let protected = byte_string(decoder, base, 0..=usize::MAX)?;
    let bytes = decoder.input();
    let local = protected.start - base..protected.end - base;
    let reading = Reading { level: Level::Countersigner, compat };
    let mut headers = Headers::default();
    scan::whole(&bytes[local.clone()])?;
    headers.read(&bytes[local], protected.start, Bucket::Protected, reading)?;
    let start = decoder.position();
    decoder.skip().map_err(|_| FAULT)?;
    headers.read(&bytes[start..decoder.position()], base + start, Bucket::Unprotected, reading)?;
    headers.check(compat)?;
    let signature = byte_string(decoder, base, 1..=SIGNATURE)?;
    Ok(Countersignature { label, protected, headers, signature })
}

impl Message {
    /// Every countersignature, and what it stands on.
    pub fn countersignatures(&self) -> impl Iterator<Item = (Target, &Countersignature)> {
        let on = |target: Target| move |countersignature| (target, countersignature);
        let body = self.headers().countersignatures.iter().map(on(Target::Body));
        let signers = self.signers().iter().enumerate();
        let signers = signers
            .flat_map(move |(nth, signer)| signer.headers().countersignatures.iter().map(on(Target::Signer(nth))));
        let recipients = self.recipients().iter().enumerate();
        let recipients = recipients
            .flat_map(move |(nth, each)| each.headers().countersignatures.iter().map(on(Target::Recipient(nth))));
        body.chain(signers).chain(recipients)
    }

    /// Countersign_structure (RFC 9338 §3.3, RFC 8152 §4.5).
    pub fn countersigned(&self, target: Target, countersignature: &Countersignature, binding: &Binding) -> Vec<u8> {
        let (protected, third, further) = self.fields(target);
        let old = countersignature.is_old();
        let context = match (countersignature.is_abbreviated(), !old && further.is_some()) {
            (false, false) => "CounterSignature",
            (false, true) => "CounterSignatureV2",
            (true, false) => "CounterSignature0",
            (true, true) => "CounterSignature0V2",
        };
        // The older abbreviated form signs an empty sign_protected; the newer omits it.
        let signed_headers = (old || !countersignature.is_abbreviated())
            .then(|| super::verbatim(self.slice(&countersignature.protected)));
        let further = further.filter(|_| !old);
        let count = 4 + u64::from(signed_headers.is_some()) + u64::from(further.is_some());
        let mut out = Vec::with_capacity(64 + protected.len() + third.len() + binding.aad.len());
        let mut encoder = Encoder::new(&mut out);
        // Writing to a Vec does not fail.
        let _ = encoder.array(count).and_then(|e| e.str(context)?.bytes(protected).map(|_| ()));
        if let Some(signed_headers) = signed_headers {
            let _ = encoder.bytes(signed_headers);
        }
        let _ = encoder.bytes(&binding.aad).and_then(|e| e.bytes(third).map(|_| ()));
        if let Some(further) = further {
            let _ = encoder.array(1).and_then(|e| e.bytes(further).map(|_| ()));
        }
        out
    }

    /// Protected bucket, third element, and the further byte string where the structure has one: a Sign1's signature, a
    /// Mac's tag.
    fn fields(&self, target: Target) -> (&[u8], &[u8], Option<&[u8]>) {
        let signer = |nth: usize| {
            let signer = &self.signers()[nth];
            (super::verbatim(self.slice(&signer.protected)), self.slice(&signer.signature), None)
        };
        let recipient = |nth: usize| {
            let recipient = &self.recipients()[nth];
            (super::verbatim(self.slice(&recipient.protected)), self.slice(recipient.ciphertext()), None)
        };
        match target {
            Target::Signer(nth) if nth < self.signers().len() => signer(nth),
            Target::Recipient(nth) if nth < self.recipients().len() => recipient(nth),
            _ => {
                let further = match self.structure() {
                    CoseType::Mac | CoseType::Mac0 | CoseType::Sign1 => Some(self.authenticator(Way::BODY)),
                    CoseType::Encrypt | CoseType::Encrypt0 | CoseType::Sign => None,
                };
                (self.body_protected(), self.content(), further)
            }
        }
    }
}
