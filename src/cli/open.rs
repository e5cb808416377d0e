//! `open`: one envelope, offline and stateless; one JSON verdict.

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, ValueEnum};

use keystore::Defaults;
use serde_json::{Value, json};

use crate::cli::{Failed, now, read_bytes, say};
use crate::envelope;
use crate::guard::Arrival;
use crate::guard::settled::{Facts, Refusal};
use crate::item::{Claims, Compat, Departure, Reason, Sealed, Timestamp, Verdict};
use crate::opening::{self, House};
use crate::payload::Payload;
use crate::store::ledger::{Finding, Held};

mod explain;
mod given;

/// Open one envelope, offline; print one JSON verdict
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Keys: a JWK Set or JWK, with private or public members
    #[arg(long, value_name = "FILE")]
    pub(super) jwks: Vec<PathBuf>,
    /// Keys: PEM or DER private keys, public keys and certificates. A certificate gives its names to its private key; with
    /// `--anchors` any other is only a candidate for a path, without them that of a device proves itself
    #[arg(long, value_name = "FILE")]
    pub(super) key: Vec<PathBuf>,
    /// Certificates of CAs, PEM or DER: whom one of them certifies is a sender
    #[arg(long, value_name = "PEM")]
    pub(super) anchors: Vec<PathBuf>,
    /// CRL, PEM or DER: of its issuer's certificates, those that it names are revoked, and where it cannot be used all are
    #[arg(long, value_name = "FILE")]
    pub(super) crl: Vec<PathBuf>,
    /// A file with a password, for envelopes that were sealed under one; one newline at its end is dropped
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
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
    /// Departures from the strict default, by name, comma-separated; `all` for every one
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = departure)]
    pub(super) compat: Vec<String>,
    /// The content, where the envelope leaves it out
    #[arg(long, value_name = "FILE")]
    pub(super) detached: Option<PathBuf>,
    /// Of a COSE_Sign: one signer suffices, or all that are known must hold
    #[arg(long, value_enum, default_value_t = Signers::Any)]
    pub(super) signers: Signers,
    /// Where it does not open, say which check failed, and which other value of the keys' records would have opened it
    #[arg(long)]
    pub(super) explain: bool,
    /// A kid context that the device may have derived its keys with, for `--explain`
    #[arg(long, value_name = "HEX", value_parser = hex_bytes, requires = "explain")]
    pub(super) context: Vec<HexBytes>,
    /// Format of the envelope
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub(super) format: Format,
    /// Structure of an untagged COSE message
    #[arg(long, value_enum, value_name = "T")]
    pub(super) cose_type: Option<CoseType>,
    /// Judge times as of this instant (RFC 3339). Default: now
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    pub(super) at: Option<Timestamp>,
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

/// How many signers must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Signers {
    All,
    Any,
}

/// A name that is known.
fn departure(name: &str) -> Result<String, String> {
    Compat::default().allow(name).map(|()| name.to_owned())
}

fn compat(arguments: &Arguments) -> Result<Compat, Failed> {
    let mut compat = Compat::default();
    arguments.compat.iter().try_for_each(|name| compat.allow(name)).map_err(Failed::Usage)?;
    Ok(compat)
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let compat = compat(arguments)?;
    let sealed = Sealed {
        bytes: super::carried(&read_bytes(&arguments.file)?).into(),
        cose_type: arguments.cose_type.map(crate::item::CoseType::from),
    };
    let off = opening::off_by_default(&compat, envelope::family(&sealed.bytes, sealed.cose_type));
    let given = given::Given::read(arguments)?;
    let audience: Vec<_> = arguments.audience.iter().cloned().collect();
    let keystore = given.keystore(Defaults { audience: audience.clone() }, &off)?;
    let house = House::new(keystore.into(), envelope::Limits::default());
    let detached = arguments.detached.as_deref().map(read_bytes).transpose()?;
    let claims = Claims { endpoint: arguments.endpoint.clone(), path: arguments.path.clone(), ..Claims::default() };
    let arrival = Arrival {
        unauthenticated_sender: compat.allows(Departure::UnauthenticatedSender),
        external_aad: arguments.aad.as_ref().map(|aad| aad.0.as_slice()),
        detached: detached.as_deref(),
        all_signers: arguments.signers == Signers::All,
        judges_expiry: arguments.at.is_some(),
        ..Arrival::offline(&claims, &compat, arguments.at.unwrap_or_else(now))
    };
    let finding = opening::find(&house, &arrival, &sealed).map_err(|failure| Failed::said(failure.to_string()))?;
    let (verdict, code) = match &finding {
        Finding::Opened(settled, payload) => (opened(settled.facts(), payload), 0),
        Finding::Refused(refusal) => (refused(refusal), 3),
        Finding::Held(held) => (waiting(held), 4),
    };
    let mut verdict = with_claims(verdict, &claims);
    if arguments.explain && code != 0 {
        let contexts = arguments.context.iter().map(|context| context.0.clone()).collect();
        let (keys, given) = (given.records(), given.without_records());
        let scene = explain::Scene { keys, given, off, audience, arrival, contexts };
        verdict["explanation"] = json!(explain::run(&scene, &sealed)?);
    }
    say(verdict);
    Ok(ExitCode::from(code))
}

fn opened(facts: &Facts, payload: &Payload) -> Value {
    let content = BASE64.encode(&facts.content);
    json!({
        "verdict": Verdict::Opened,
        "reason": null,
        "detail": null,
        "gap_before": null,
        "fills": null,
        "gap_left": null,
        "identity_hex": hex::encode(facts.identity),
        "device": facts.proven.sender,
        "format": facts.format,
        "structure": facts.structure,
        "layers": facts.layers,
        "proof": facts.proven,
        "flagged": facts.flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>(),
        "content_format": facts.content_type,
        "content_b64": content,
        "plaintext_b64": content,
        "readings": payload.readings,
        "payload_error": payload.error,
    })
}

fn refused(refusal: &Refusal) -> Value {
    let mut verdict = unopened(Verdict::Refused, refusal.reason, refusal.detail.as_deref(), refusal.format);
    verdict["kid_hex"] = json!(refusal.kid.as_ref().map(hex::encode));
    verdict["device"] = json!(refusal.device);
    verdict
}

fn waiting(held: &Held) -> Value {
    let mut verdict = unopened(Verdict::Held, held.reason, held.detail.as_deref(), held.format);
    verdict["key_names"] = json!(held.key_names);
    verdict
}

/// A verdict without content: nothing is proven.
fn unopened(verdict: Verdict, reason: Reason, detail: Option<&str>, format: Option<crate::item::Format>) -> Value {
    json!({
        "verdict": verdict,
        "reason": reason,
        "detail": detail,
        "gap_before": null,
        "fills": null,
        "gap_left": null,
        "identity_hex": null,
        "device": null,
        "format": format,
        "structure": null,
        "layers": [],
        "proof": null,
        "flagged": [],
        "content_format": null,
        "content_b64": null,
        "plaintext_b64": null,
        "readings": [],
        "payload_error": null,
    })
}

fn with_claims(mut verdict: Value, claims: &Claims) -> Value {
    verdict["claims"] = json!({
        "relay": null,
        "relay_endpoint": claims.endpoint,
        "relay_prefix": null,
        "relay_path": claims.path,
        "relay_time": null,
        "relay_seq": null,
        "repaired": false,
    });
    verdict
}
