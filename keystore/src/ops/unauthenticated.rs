//! AES-CTR and AES-CBC (RFC 9459), which notice no change: only under a layer that is authentic already.

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroize;

use crate::key::Algorithm;

const BLOCK: usize = 16;

/// The cleartext. None for an IV of another length, a ciphertext that is no multiple of the block, bad padding: one answer.
pub(crate) fn decrypt(algorithm: Algorithm, key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let cipher = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return None,
    };
    let key = UnboundCipherKey::new(cipher, key).ok()?;
    let padded = matches!(algorithm, Algorithm::A128Cbc | Algorithm::A192Cbc | Algorithm::A256Cbc);
    let key = if padded { DecryptingKey::cbc(key) } else { DecryptingKey::ctr(key) }.ok()?;
    if padded && (ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK)) {
        return None;
    }
    let mut cleartext = ciphertext.to_vec();
    let iv = DecryptionContext::Iv128(FixedLength::try_from(iv).ok()?);
    key.decrypt(&mut cleartext, iv).ok()?;
    if padded {
        cleartext = unpadded(cleartext)?;
    }
    Some(cleartext)
}

/// Cuts the padding of 1 to 16 bytes, each of which says how many they are (RFC 5652 §6.3). Every byte of the last block
/// is looked at, whatever the others are.
fn unpadded(mut cleartext: Vec<u8>) -> Option<Vec<u8>> {
    let (&pad, last) = (cleartext.last()?, cleartext.len().checked_sub(BLOCK)?);
    let outside = |at: usize| at < BLOCK.saturating_sub(pad.into());
    let wrong = cleartext[last..]
        .iter()
        .enumerate()
        .fold(0, |wrong, (at, byte)| wrong | if outside(at) { 0 } else { byte ^ pad });
    if wrong != 0 || !(1..=16).contains(&pad) {
        cleartext.zeroize();
        return None;
    }
    cleartext.truncate(cleartext.len() - usize::from(pad));
    Some(cleartext)
}
