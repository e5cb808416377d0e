//! Keys that were encrypted to our RSA key. RSAES-OAEP (RFC 8017 §7.1) has MGF1 on its own hash: aws-lc answers alike and in
//! constant time whatever is wrong inside the padding. RSAES-PKCS1-v1_5 (§7.2) needs more: see [`PrivateKey::decrypt_v15`].

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey,
};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::{Secret, kdf};
use crate::private_key::RsaPrivate;
use crate::recipe::Hash;

/// What the pseudo-random keys are made for.
const REJECTION: &[u8] = b"paperknife implicit rejection";

/// Our private key in the primitive's forms.
pub(crate) struct PrivateKey {
    oaep: OaepPrivateDecryptingKey,
    v15: Pkcs1PrivateDecryptingKey,
    /// Known to nobody who does not have the key.
    rejection: Zeroizing<[u8; 32]>,
}

impl PrivateKey {
    /// None if the parts of the key do not belong together.
    pub(crate) fn new(key: &RsaPrivate) -> Option<Self> {
        let pkcs8 = key.to_pkcs8()?;
        let parsed = || PrivateDecryptingKey::from_pkcs8(&pkcs8).ok();
        let [d, ..] = &key.secret;
        let secret = Zeroizing::new([REJECTION, d].concat());
        let rejection = Zeroizing::new(digest(&SHA256, &secret).as_ref().try_into().ok()?);
        Some(Self {
            oaep: OaepPrivateDecryptingKey::new(parsed()?).ok()?,
            v15: Pkcs1PrivateDecryptingKey::new(parsed()?).ok()?,
            rejection,
        })
    }

    /// The key that was encrypted. The ciphertext is exactly as long as the modulus.
    pub(crate) fn decrypt(&self, algorithm: Algorithm, label: &[u8], ciphertext: &[u8]) -> Option<Secret> {
        let oaep = match algorithm {
            Algorithm::RsaOaepSha1 => &OAEP_SHA1_MGF1SHA1,
            Algorithm::RsaOaepSha256 => &OAEP_SHA256_MGF1SHA256,
            Algorithm::RsaOaepSha384 => &OAEP_SHA384_MGF1SHA384,
            Algorithm::RsaOaepSha512 => &OAEP_SHA512_MGF1SHA512,
            _ => return None,
        };
        if ciphertext.len() != self.oaep.key_size_bytes() {
            return None;
        }
        let label = (!label.is_empty()).then_some(label);
        let mut out = Zeroizing::new(vec![0; self.oaep.min_output_size()]);
        let length = self.oaep.decrypt(oaep, ciphertext, &mut out, label).ok()?.len();
        out.truncate(length);
        Some(out)
    }

    /// The key of `length` bytes that was encrypted, or in its place `HKDF(ciphertext, secret of the key)`: the same one for
    /// the same ciphertext, so that repetition tells nothing either. What is not right is never said: content that does not
    /// open under the other key says the same as content that was changed (RFC 3218 §2.3.2). Only a ciphertext of another
    /// length than the modulus is refused, which everybody sees.
    pub(crate) fn decrypt_v15(&self, ciphertext: &[u8], length: usize) -> Option<Secret> {
        if ciphertext.len() != self.v15.key_size_bytes() || length > usize::from(u8::MAX) {
            return None;
        }
        let mut key = kdf::hkdf(Hash::Sha256, Some(ciphertext), &self.rejection[..], &[REJECTION], length)?;
        let mut carried = Zeroizing::new(vec![0; self.v15.min_output_size()]);
        let found = self.v15.decrypt(ciphertext, &mut carried).map_or(usize::MAX, |carried| carried.len());
        let sound = found.ct_eq(&length);
        key.iter_mut().zip(carried.iter()).for_each(|(byte, carried)| byte.conditional_assign(carried, sound));
        Some(key)
    }
}
