//! `inspect`: what an envelope says of itself. Needs no key, and proves nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::Failed;

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
}

const EXAMPLE: &str = "\
Example:
  paperknife inspect sealed.cbor
  xxd -r -p sealed.hex | paperknife inspect";

/// PLACEHOLDER: replaced by the reader of envelopes.
pub(super) fn run(_arguments: Arguments) -> Result<ExitCode, Failed> {
    Err(Failed::said("inspect is not wired yet"))
}
