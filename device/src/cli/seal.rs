//! `seal`: one reading, one message. Of a shape of the profile in any format, or any structure (`structure`, `jose`,
//! `cms`).

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use paperknife_device::algorithm::{ContentAlgorithm, SignatureAlgorithm};
use paperknife_device::cms::profile as cms_profile;
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::jose::profile as jose_profile;
use paperknife_device::key::KidContext;
use paperknife_device::provision::SysRng;
use paperknife_device::seal::{Options, Sealer, Shape};
use paperknife_device::sequence::file::FileStorage;

use super::{Fault, file, keys, parse_format, parse_shape, print, read_content, read_gateway, read_key_set};

mod cms;
mod jose;
mod structure;

/// Seal one reading; the sealed bytes go to standard output
#[derive(Args)]
#[command(after_help = "Examples
A device of shape S seals a SenML CBOR reading and says when:
  printf '\\201\\242\\000\\154/3303/0/5700\\002\\371\\115\\140' |
    paperknife-device seal --shape S --key device.jwks.json --state device.state --iat now --hex -

The state file keeps the next sequence number of each key: it is written before a number is used.
Never copy it or set it back, and never use one key in two places: a number used twice gives the key away.

Any structure of COSE, JOSE or CMS, for other systems and tests; nonces and numbers are then the caller's care:
  paperknife-device seal --structure encrypt0 --alg A128GCM --key keys.json#k1 reading.cbor > sealed.cbor
  paperknife-device seal --structure encrypt --alg A256GCM --recipient ECDH-ES+A256KW:gateway.json#gw \\
    --recipient A128KW:keys.json#kek reading.cbor > sealed.cbor
  paperknife-device seal --structure mac --alg 'HMAC 256/256' --recipient direct+HKDF-SHA-256:keys.json \\
    --salt 0011223344556677 reading.cbor > sealed.cbor
  paperknife-device seal --structure jwe --alg A128GCM --recipient ECDH-ES+A128KW:gateway.json#gw reading.json > sealed.jose
  paperknife-device seal --structure signed-data --signer ES256:mine.json reading.cbor > signed.der
  paperknife-device seal --structure sign --signer ES256:mine.json --signer EdDSA:hers.json --aad 00ff - > signed.cbor")]
pub(super) struct Arguments {
    /// S: encrypted; G: signed, then encrypted; P: signed, then encrypted to the gateway's public key
    #[arg(long, value_parser = parse_shape, requires_all = ["key", "state"], required_unless_present = "structure")]
    shape: Option<Shape>,
    /// Format of a shape: cose, jose, or cms, which has no shape G
    #[arg(long, value_name = "FORMAT", default_value = "cose", value_parser = parse_format, conflicts_with = "structure")]
    format: Format,
    /// JWK Set with the device's private keys; FILE#KID for one key of several, with --structure
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File of sequence numbers, made where there is none
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Which device of the key set [default: the only one]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// JWK Set with the gateway's public key [default: the key without a device in --key]
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Of COSE: ESP256, ES256 or Ed25519 [default: by the key]
    #[arg(long, value_name = "ALG", value_parser = parse_signature)]
    sign_alg: Option<SignatureAlgorithm>,
    /// Of content. COSE: AES-CCM-16-64-128 (default of S and G), AES-CCM-16-128-128, A128GCM (default of P), A256GCM or
    /// ChaCha20-Poly1305; with another format or --structure any name of its registry
    #[arg(long, value_name = "NAME")]
    alg: Option<String>,
    /// CoAP Content-Format of the reading [default: none named, which means 112, SenML CBOR; in JOSE 110, SenML JSON]
    #[arg(long, value_name = "N")]
    content_format: Option<u16>,
    /// When it was measured: now, an RFC 3339 time, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    iat: Option<u64>,
    /// Claim cti, 4 to 16 bytes
    #[arg(long, value_name = "HEX")]
    cti: Option<String>,
    /// Boot epoch or key generation, 1 to 16 bytes
    #[arg(long, value_name = "HEX")]
    kid_context: Option<String>,
    /// Resource that the device writes to [default: the first of the key's paths]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The device does not know the resource
    #[arg(long, conflicts_with = "path")]
    no_path: bool,
    /// Application that it seals for [default: the first of the key's]
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// JOSE's key management [default: dir in S and G, ECDH-ES+A128KW in P]
    #[arg(long, value_name = "ALG")]
    management: Option<String>,
    /// CMS: the certificate (DER) of the device's signing key, to go along
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// CMS: the certificate (DER) of the gateway's key, to name it by
    #[arg(long, value_name = "FILE")]
    gateway_certificate: Option<PathBuf>,
    /// Ephemeral key with its y in full
    #[arg(long)]
    full_y: bool,
    /// Write the sealed bytes there
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write hexadecimal
    #[arg(long)]
    hex: bool,
    /// The reading; - for standard input
    #[arg(value_name = "FILE")]
    content: PathBuf,
    #[command(flatten)]
    structure: structure::Parts,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let content = read_content(&arguments.content)?;
    let sealed = match (&arguments.shape, &arguments.key, &arguments.state) {
        (Some(shape), Some(key), Some(state)) => of_shape(*shape, key, state, arguments, &content)?,
        _ => structure::seal(arguments, &content)?,
    };
    let bytes = if arguments.hex { format!("{}\n", hex::encode(sealed)).into_bytes() } else { sealed };
    match &arguments.out {
        Some(path) => std::fs::write(path, bytes).map_err(file(path)),
        None => print(&bytes),
    }
}

fn of_shape(shape: Shape, key: &Path, state: &Path, arguments: &Arguments, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let sealer = sealer(key, arguments)?;
    let mut device = Device::new(sealer, FileStorage::open(state)?, 1)?;
    match arguments.format {
        Format::Cms => {
            let [certificate, gateway] = [&arguments.certificate, &arguments.gateway_certificate]
                .map(|path| path.as_deref().map(read_content).transpose());
            let (certificate, gateway) = (certificate?, gateway?);
            let options = cms_profile::Options {
                content_format: arguments.content_format,
                issued_at: arguments.iat,
                encryption: arguments.alg.as_deref().map(cms::encryption).transpose()?,
                certificate: certificate.as_deref(),
                gateway_certificate: gateway.as_deref(),
            };
            Ok(device.seal_cms(shape, content, &options, &mut SysRng)?)
        }
        Format::Cose => Ok(device.seal(shape, content, &options(arguments)?, &mut SysRng)?),
        Format::Jose => {
            let options = jose_profile::Options {
                content_format: arguments.content_format,
                issued_at: arguments.iat,
                management: arguments.management.as_deref().map(jose::management).transpose()?,
                encryption: arguments.alg.as_deref().map(jose::encryption).transpose()?,
            };
            Ok(device.seal_jose(shape, content, &options, &mut SysRng)?.into_bytes())
        }
    }
}

fn sealer(key: &Path, arguments: &Arguments) -> Result<Sealer, Fault> {
    let set = read_key_set(key)?;
    let mut sealer = set.sealer(arguments.device.as_deref()).map_err(keys(key))?;
    if let Some(path) = &arguments.gateway {
        sealer.gateway = Some(read_gateway(path)?);
    }
    if arguments.path.is_some() || arguments.no_path {
        sealer.path.clone_from(&arguments.path);
    }
    if let Some(audience) = &arguments.audience {
        sealer.audience.clone_from(audience);
    }
    if sealer.audience.is_empty() {
        return Err(Fault::NoAudience);
    }
    sealer.kid_context = bytes(arguments.kid_context.as_deref())?.map(|bytes| KidContext::new(&bytes)).transpose()?;
    Ok(sealer)
}

fn options(arguments: &Arguments) -> Result<Options, Fault> {
    Ok(Options {
        content_format: arguments.content_format,
        issued_at: arguments.iat,
        cti: bytes(arguments.cti.as_deref())?,
        content_algorithm: arguments.alg.as_deref().map(content_algorithm).transpose()?,
        signature_algorithm: arguments.sign_alg,
        full_y: arguments.full_y,
        ..Options::default()
    })
}

fn bytes(text: Option<&str>) -> Result<Option<Vec<u8>>, Fault> {
    text.map(hex::decode).transpose().map_err(|_| Fault::NotHex)
}

fn parse_signature(name: &str) -> Result<SignatureAlgorithm, String> {
    SignatureAlgorithm::from_name(name).ok_or_else(|| names(SignatureAlgorithm::ALL.iter().map(|known| known.name())))
}

fn content_algorithm(name: &str) -> Result<ContentAlgorithm, Fault> {
    let known = || names(ContentAlgorithm::ALL.iter().map(|known| known.name()));
    ContentAlgorithm::from_name(name).ok_or_else(|| Fault::Algorithm(known()))
}

fn names<'a>(known: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", known.collect::<Vec<_>>().join(", "))
}

fn parse_time(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time = match text {
        "now" => Timestamp::now(),
        _ => text.parse().map_err(|_| "now, an RFC 3339 time, or seconds since 1970".to_owned())?,
    };
    u64::try_from(time.as_second()).map_err(|_| "a time since 1970".to_owned())
}

#[cfg(test)]
mod tests;
