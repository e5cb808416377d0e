//! `inspect`: what an envelope says of itself. Needs no key, and proves nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use serde_json::json;

use crate::cli::{Failed, read_bytes, say};
use crate::envelope::{self, Envelope, Reading};
use crate::item::{Compat, Sealed};

/// Show what an envelope says of itself: all of it unproven
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The envelope; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,
    /// Structure of an untagged COSE message
    #[arg(long, value_enum, value_name = "T")]
    pub(super) cose_type: Option<super::open::CoseType>,
    /// Print CBOR diagnostic notation instead (RFC 8949 §8)
    #[arg(long)]
    pub(super) diag: bool,
}

const EXAMPLE: &str = "\
Example:
  paperknife inspect sealed.cbor
  xxd -r -p sealed.hex | paperknife inspect";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let sealed = Sealed {
        bytes: super::carried(&read_bytes(&arguments.file)?).into(),
        cose_type: arguments.cose_type.map(crate::item::CoseType::from),
    };
    if arguments.diag {
        say(minicbor::display(&sealed.bytes));
        return Ok(ExitCode::from(u8::from(!is_cbor(&sealed.bytes))));
    }
    let format = envelope::family(&sealed.bytes, sealed.cose_type);
    let limits = envelope::Limits::default();
    let strict = Envelope::parse(&sealed, &Reading::strict(&limits));
    let fault = strict.as_ref().err().cloned();
    // What the strict form refuses may still say what it is.
    let read = strict
        .or_else(|_| Envelope::parse(&sealed, &Reading { compat: &Compat::everything(), ..Reading::strict(&limits) }));
    let says = read.map_or(serde_json::Value::Null, |envelope| envelope.describe());
    say(json!({
        "proven": false,
        "note": "an envelope's own words: nothing of this is proven until a key opens it",
        "format": format,
        "bytes": sealed.bytes.len(),
        "says": says,
        "fault": fault.as_ref().map(|fault| json!({"reason": fault.reason, "detail": fault.detail})),
    }));
    Ok(ExitCode::from(u8::from(fault.is_some())))
}

/// Whether the bytes are CBOR items, one or more, to the end.
fn is_cbor(bytes: &[u8]) -> bool {
    let mut decoder = minicbor::Decoder::new(bytes);
    while decoder.position() < bytes.len() {
        if decoder.skip().is_err() {
            return false;
        }
    }
    !bytes.is_empty()
}
