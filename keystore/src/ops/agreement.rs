//! ECDH-ES on P-256, then HKDF-SHA-256: the KEK of `ECDH-ES+A128KW` and `ECDH-ES+A256KW` (RFC 9053 §6.4).

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::{kdf, unwrap};
use crate::private_key::Scalar;
use crate::recipe::{EcY, Point};

/// The primitive's form of our private key.
pub(crate) fn private_key(scalar: &Scalar) -> Option<PrivateKey> {
    PrivateKey::from_private_key(&ECDH_P256, &scalar.d[..]).ok()
}

/// `KEK = HKDF-SHA-256(salt = empty, ikm = Z, info = kdf_context)`, Z the x-coordinate of d·E at full width.
/// None for a point that is not on the curve: infinity, x ≥ p and a square that has no root included.
pub(crate) fn kek(
    private: &PrivateKey,
    wrap: Algorithm,
    ephemeral: Point<'_>,
    kdf_context: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let length = unwrap::kek_length(wrap)?;
    let (bytes, size) = sec1(ephemeral)?;
    let peer = UnparsedPublicKey::new(&ECDH_P256, &bytes[..size]);
    agree(private, peer, (), |z| kdf::expand(&Salt::none(HKDF_SHA256).extract(z), kdf_context, length).ok_or(())).ok()
}

/// The point in its SEC 1 form, and how many bytes of the array it takes.
fn sec1(point: Point<'_>) -> Option<([u8; 65], usize)> {
    let mut bytes = [0; 65];
    bytes[1..33].copy_from_slice(<&[u8; 32]>::try_from(point.x).ok()?);
    match point.y? {
        EcY::Full(y) => {
            bytes[0] = 4;
            bytes[33..].copy_from_slice(<&[u8; 32]>::try_from(y).ok()?);
            Some((bytes, 65))
        }
        EcY::Odd(odd) => {
            bytes[0] = 2 + u8::from(odd);
            Some((bytes, 33))
        }
    }
}
