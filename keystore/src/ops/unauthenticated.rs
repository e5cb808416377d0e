//! AES-CTR and CBC (RFC 9459, RFC 3370), which notice no change: only under a layer that is authentic already, or where the
//! operator asks for it by name.

use zeroize::Zeroize;

use crate::key::Algorithm;
use crate::ops::cbc::{Cbc, unpadded};
use crate::ops::ctr;

/// The cleartext. None for an IV of another length, a ciphertext that is no multiple of the block, bad padding: one answer.
pub(crate) fn decrypt(algorithm: Algorithm, key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::A128Ctr | Algorithm::A192Ctr | Algorithm::A256Ctr => ctr(key, iv, ciphertext),
        _ => cbc(&Cbc::new(algorithm, key)?, iv, ciphertext),
    }
}

fn ctr(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let mut cleartext = ciphertext.to_vec();
    ctr::decrypt(key, iv, &mut cleartext)?;
    Some(cleartext)
}

fn cbc(key: &Cbc, iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let mut cleartext = ciphertext.to_vec();
    key.decrypt(iv, &mut cleartext)?;
    match unpadded(&cleartext, key.block()) {
        Some(length) => {
            cleartext.truncate(length);
            Some(cleartext)
        }
        None => {
            cleartext.zeroize();
            None
        }
    }
}
