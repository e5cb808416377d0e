//! Names of certificates in the form that they are recorded in: `x5t:HASH:HEX`, `is:HEX` (SHA-256 over issuer and serial
//! number, which may be long) and `ski:HEX`.

use aws_lc_rs::digest::{SHA256, digest};

use crate::key::Name;

/// Longest part of a name that is looked up, bytes: a Name of an issuer.
const PART_MAX: usize = 4_096;

/// The recorded form; none for a kid, which has a column of its own, and for what no certificate has.
pub(crate) fn recorded(name: &Name<'_>) -> Option<String> {
    match name {
        Name::Kid(_) => None,
        Name::IssuerSerial { issuer, serial } if issuer.len() <= PART_MAX && serial.len() <= 64 => {
            let length = (issuer.len() as u64).to_be_bytes();
            let hash = digest(&SHA256, &[&length, *issuer, *serial].concat());
            Some(format!("is:{}", hex::encode(hash)))
        }
        Name::Ski(ski) if (1..=256).contains(&ski.len()) => Some(format!("ski:{}", hex::encode(ski))),
        Name::Thumbprint { hash, value } if (1..=64).contains(&value.len()) => {
            Some(format!("x5t:{hash}:{}", hex::encode(value)))
        }
        Name::IssuerSerial { .. } | Name::Ski(_) | Name::Thumbprint { .. } => None,
    }
}
