//! New keys: the gateway's own P-256 pair.

use zeroize::Zeroizing;

use crate::error::AdminError;
use crate::private_key::{Curve, KeyMaterial, Scalar};
use crate::root;

/// A private key drawn until it lies in 1 … n−1, which the first draw does but for a chance of 2^-32.
pub(crate) fn p256() -> Result<KeyMaterial, AdminError> {
    loop {
        let mut d = Zeroizing::new([0; 32]);
        root::fill(&mut d[..])?;
        if let Some(scalar) = Scalar::new(Curve::P256, &d[..]) {
            return Ok(KeyMaterial::EcPrivate(scalar));
        }
    }
}

/// A kid for a gateway key: `gw-` and eight random hex digits, text that an operator can read out.
pub(crate) fn gateway_kid() -> Result<Vec<u8>, AdminError> {
    let mut random = [0; 4];
    root::fill(&mut random)?;
    Ok(format!("gw-{}", hex::encode(random)).into_bytes())
}
