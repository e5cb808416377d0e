//! AES-CTR in place: by itself, where a format asks for it (RFC 9459), and within CCM (RFC 3610 §2.3).

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

/// Decrypts. None for a key of another length than AES has, or a first counter block of other than 16 bytes.
pub(crate) fn decrypt(key: &[u8], counter: &[u8], bytes: &mut [u8]) -> Option<()> {
    let cipher = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return None,
    };
    let key = UnboundCipherKey::new(cipher, key).and_then(DecryptingKey::ctr).ok()?;
    let counter = DecryptionContext::Iv128(FixedLength::try_from(counter).ok()?);
    key.decrypt(bytes, counter).ok().map(drop)
}
