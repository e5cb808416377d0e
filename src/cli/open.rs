//! `open`: one envelope, offline and stateless; one JSON verdict.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::Failed;

/// Open one envelope, offline; print one JSON verdict
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Keys: a JWK Set or JWK, with private or public members
    #[arg(long, value_name = "FILE")]
    pub(super) jwks: Vec<PathBuf>,
    /// Keys: PEM or DER private keys, public keys and certificates
    #[arg(long, value_name = "FILE")]
    pub(super) key: Vec<PathBuf>,
    /// The path that the relay claims
    #[arg(long)]
    pub(super) path: Option<String>,
    /// The endpoint name that the relay claims
    #[arg(long, value_name = "NAME")]
    pub(super) endpoint: Option<String>,
    /// A name by which devices address us
    #[arg(long, value_name = "AUD")]
    pub(super) audience: Option<String>,
    /// external_aad, outright: overrides path, endpoint and audience for that purpose
    #[arg(long, value_name = "HEX", value_parser = hex_bytes)]
    pub(super) aad: Option<HexBytes>,
    /// Format of the envelope
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub(super) format: Format,
    /// Structure of an untagged COSE message
    #[arg(long, value_enum, value_name = "T")]
    pub(super) cose_type: Option<CoseType>,
    /// Judge times as of this instant (RFC 3339). Default: now
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    pub(super) at: Option<crate::item::Timestamp>,
    /// The envelope; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,
}

const EXAMPLE: &str = "\
Example:
  paperknife open --jwks keys.jwks --path /3303/0/5700 --endpoint urn:dev:mac:0024befffe804ff1 \\
                  --audience https://gw.example sealed.cbor

Exit codes: 0 opened, 1 failed, 2 usage, 3 refused, 4 held (no key).";

/// Bytes given as hex.
#[derive(Clone, Debug)]
pub(super) struct HexBytes(pub(super) Vec<u8>);

fn hex_bytes(text: &str) -> Result<HexBytes, hex::FromHexError> {
    hex::decode(text).map(HexBytes)
}

/// A format, or whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Auto,
    Cms,
    Cose,
    Jose,
}

/// The structure of an untagged message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CoseType {
    Encrypt,
    Encrypt0,
    Mac,
    Mac0,
    Sign,
    Sign1,
}

impl From<CoseType> for crate::item::CoseType {
    fn from(named: CoseType) -> Self {
        match named {
            CoseType::Encrypt => Self::Encrypt,
            CoseType::Encrypt0 => Self::Encrypt0,
            CoseType::Mac => Self::Mac,
            CoseType::Mac0 => Self::Mac0,
            CoseType::Sign => Self::Sign,
            CoseType::Sign1 => Self::Sign1,
        }
    }
}

/// PLACEHOLDER: replaced by offline opening.
pub(super) fn run(_arguments: Arguments) -> Result<ExitCode, Failed> {
    Err(Failed::said("open is not wired yet"))
}
