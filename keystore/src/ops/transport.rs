//! RSAES-OAEP with an empty label, MGF1 on the same hash (RFC 8017 §7.1, RFC 8230 §3). Whatever is wrong inside the
//! padding, aws-lc answers alike and in constant time.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::Secret;
use crate::private_key::RsaPrivate;

/// The primitive's form of our private key; none if its parts do not belong together.
pub(crate) fn private_key(key: &RsaPrivate) -> Option<OaepPrivateDecryptingKey> {
    let key = PrivateDecryptingKey::from_pkcs8(&key.to_pkcs8()?).ok()?;
    OaepPrivateDecryptingKey::new(key).ok()
}

/// The key that was encrypted. The ciphertext is exactly as long as the modulus.
pub(crate) fn decrypt(key: &OaepPrivateDecryptingKey, algorithm: Algorithm, ciphertext: &[u8]) -> Option<Secret> {
    let oaep = match algorithm {
        Algorithm::RsaOaepSha1 => &OAEP_SHA1_MGF1SHA1,
        Algorithm::RsaOaepSha256 => &OAEP_SHA256_MGF1SHA256,
        Algorithm::RsaOaepSha512 => &OAEP_SHA512_MGF1SHA512,
        _ => return None,
    };
    if ciphertext.len() != key.key_size_bytes() {
        return None;
    }
    let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key.decrypt(oaep, ciphertext, &mut out, None).ok()?.len();
    out.truncate(length);
    Some(out)
}
