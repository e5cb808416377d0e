//! Keys of a set for any format: every key type.

use std::format;
use std::vec::Vec;

use zeroize::Zeroizing;

use super::{Base64, Jwk, KeySet, KeySetError};
use crate::error::SealError;
use crate::primitive::key::{Curve, Key, MlDsa, RsaPrivate};

impl KeySet {
    /// The key of that name (`kid`, or `kid_hex`), or the only one.
    pub fn key(&self, name: Option<&str>) -> Result<Key, KeySetError> {
        let (at, key) = self.find(name)?;
        key.key().map_err(|fault| KeySetError::Key { number: at + 1, fault })
    }

    pub(crate) fn find(&self, name: Option<&str>) -> Result<(usize, &Jwk), KeySetError> {
        let named = |key: &Jwk| name.is_none_or(|name| key.is_named(name));
        let mut found = self.keys.iter().enumerate().filter(|(_, key)| named(key));
        match (found.next(), found.next(), name) {
            (Some(only), None, _) => Ok(only),
            (Some(_), Some(_), _) => Err(KeySetError::Device("several keys: name one, as FILE#KID".into())),
            (None, _, Some(name)) => Err(KeySetError::Device(format!("no key named {name}"))),
            (None, _, None) => Err(KeySetError::Device("no key".into())),
        }
    }
}

impl Jwk {
    fn is_named(&self, name: &str) -> bool {
        let kid_hex = self.paperknife.as_ref().and_then(|policy| policy.kid_hex.as_deref());
        self.kid.as_deref() == Some(name) || kid_hex == Some(name)
    }

    pub(crate) fn key(&self) -> Result<Key, SealError> {
        let mut key = self.material()?;
        if let Some(kid) = self.name()? {
            key = key.named(&kid);
        }
        let base_iv = self.paperknife.as_ref().and_then(|policy| policy.base_iv.as_ref());
        Ok(match base_iv {
            Some(base_iv) => key.with_base_iv(&base_iv.0),
            None => key,
        })
    }

    /// `kid_hex`, else the UTF-8 bytes of `kid`; of any length, unlike the profile's.
    fn name(&self) -> Result<Option<Vec<u8>>, SealError> {
        match self.paperknife.as_ref().and_then(|policy| policy.kid_hex.as_deref()) {
            Some(hex) => hex::decode(hex).map(Some).map_err(|_| SealError::BadKey("kid_hex: not a named")),
            None => Ok(self.kid.as_ref().map(|kid| kid.as_bytes().to_vec())),
        }
    }

    fn material(&self) -> Result<Key, SealError> {
        match self.kty.as_str() {
            "oct" => Ok(Key::symmetric(given(self.k.as_ref())?)),
            "EC" | "OKP" => self.curve(),
            "RSA" if self.d.is_some() => self.rsa(),
            "RSA" => Ok(Key::rsa_public(given(self.n.as_ref())?, given(self.e.as_ref())?)),
            "AKP" => {
                let algorithm = self.alg.as_deref().and_then(MlDsa::from_name);
                Ok(Key::ml_dsa(algorithm.ok_or(INCOMPLETE)?, given(self.seed.as_ref())?))
            }
            _ => Err(INCOMPLETE),
        }
    }

    fn curve(&self) -> Result<Key, SealError> {
        let curve = self.crv.as_deref().and_then(Curve::from_name).ok_or(SealError::BadKey("supported"))?;
        let y = self.y.as_ref().map_or(&[][..], |y| &y.0);
        Key::curve(curve, given(self.x.as_ref())?, y, self.d.as_ref().map(|d| d.0.as_slice()))
    }

    fn rsa(&self) -> Result<Key, SealError> {
        let secret = |part: &Option<Base64>| given(part.as_ref()).map(|bytes| Zeroizing::new(bytes.to_vec()));
        Ok(Key::rsa_private(RsaPrivate {
            n: given(self.n.as_ref())?.to_vec(),
            e: given(self.e.as_ref())?.to_vec(),
            d: secret(&self.d)?,
            p: secret(&self.p)?,
            q: secret(&self.q)?,
            dp: secret(&self.dp)?,
            dq: secret(&self.dq)?,
            qi: secret(&self.qi)?,
        }))
    }
}

fn given(part: Option<&Base64>) -> Result<&[u8], SealError> {
    part.map(|bytes| bytes.0.as_slice()).ok_or(INCOMPLETE)
}

const INCOMPLETE: SealError = SealError::BadKey("complete JWK");
