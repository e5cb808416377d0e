//! A key at rest: a deterministic COSE_Key (RFC 9052 §7, RFC 8230 §4, RFC 9964), written and read by this file alone.
//! Labels: 1 kty, 3 alg (ML-DSA only; ML-KEM has none yet), 5 Base IV; −1 … −8 by kind; −65537, of the private range, SuppPrivInfo.

use std::convert::Infallible;

use minicbor::Decoder;
use minicbor::encode::Error;
use zeroize::Zeroizing;

use crate::cbor::{self, Writer};
use crate::key::{Algorithm, Kty};
use crate::private_key::{
    Curve, Kem, KeyMaterial, Point, RsaPrivate, RsaPublic, Scalar, Secrets, Symmetric, X25519, significant,
};

const PRIV_OTHER: i32 = -65_537;

/// Reserved for a record: an RSA key of 8192 bits takes 4.6 KiB.
const CAPACITY: usize = 8 * 1024;

/// A public or private key without the members that only a record has.
pub(crate) fn of_key(material: &KeyMaterial) -> Zeroizing<Vec<u8>> {
    encode(material, None)
}

impl Secrets {
    /// The bytes that are sealed.
    pub(crate) fn to_record(&self) -> Zeroizing<Vec<u8>> {
        encode(&self.material, self.priv_other.as_ref().map(|bytes| bytes.as_slice()))
    }

    /// Reads what [`to_record`](Self::to_record) wrote; none if it is anything else.
    pub(crate) fn from_record(bytes: &[u8]) -> Option<Self> {
        let read = Labels::read(bytes)?;
        let priv_other = read.bytes(PRIV_OTHER).map(|bytes| Zeroizing::new(bytes.to_vec()));
        Some(Self { material: read.material()?, priv_other })
    }
}

fn encode(material: &KeyMaterial, priv_other: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(cbor::build(CAPACITY, |out| {
        let more = u64::from(priv_other.is_some());
        write(out, material, more)?;
        match priv_other {
            Some(bytes) => out.i32(PRIV_OTHER)?.bytes(bytes)?.ok(),
            None => Ok(()),
        }
    }))
}

/// The map of `more` entries than the key itself has.
fn write(out: &mut Writer, material: &KeyMaterial, more: u64) -> Result<(), Error<Infallible>> {
    match material {
        KeyMaterial::AkpPublic(set, key) => {
            out.map(3 + more)?.u8(1)?.u8(7)?.u8(3)?.i64(set.cose().unwrap_or_default())?.i8(-1)?.bytes(key)?.ok()
        }
        KeyMaterial::EcPrivate(Scalar { d, point }) => point_of(out, point, 5 + more)?.i8(-4)?.bytes(d)?.ok(),
        KeyMaterial::EcPublic(point) => point_of(out, point, 4 + more)?.ok(),
        KeyMaterial::Ed25519Public(x) => okp(out, 6, x, 3 + more)?.ok(),
        KeyMaterial::Ed448Public(x) => okp(out, 7, x, 3 + more)?.ok(),
        KeyMaterial::KemPrivate(key) => out.map(2 + more)?.u8(1)?.u8(7)?.i8(-2)?.bytes(&key.private)?.ok(),
        KeyMaterial::RsaPrivate(RsaPrivate { public, secret }) => {
            rsa(out, public, 9 + more)?;
            for (label, bytes) in (3..).zip(secret) {
                out.i8(-label)?.bytes(bytes)?;
            }
            Ok(())
        }
        KeyMaterial::RsaPublic(public) => rsa(out, public, 3 + more)?.ok(),
        KeyMaterial::Symmetric(key) => {
            out.map(2 + u64::from(key.base_iv.is_some()) + more)?.u8(1)?.u8(4)?;
            if let Some(base_iv) = &key.base_iv {
                out.u8(5)?.bytes(base_iv)?;
            }
            out.i8(-1)?.bytes(&key.k)?.ok()
        }
        KeyMaterial::X25519Private(key) => okp(out, 4, &key.x, 4 + more)?.i8(-4)?.bytes(&key.d[..])?.ok(),
        KeyMaterial::X25519Public(x) => okp(out, 4, x, 3 + more)?.ok(),
    }
}

fn point_of<'a>(out: &'a mut Writer, point: &Point, entries: u64) -> Result<&'a mut Writer, Error<Infallible>> {
    out.map(entries)?.u8(1)?.u8(2)?.i8(-1)?.i64(point.curve.cose())?;
    out.i8(-2)?.bytes(&point.x)?.i8(-3)?.bytes(&point.y)
}

fn okp<'a>(out: &'a mut Writer, curve: u8, x: &[u8], entries: u64) -> Result<&'a mut Writer, Error<Infallible>> {
    out.map(entries)?.u8(1)?.u8(1)?.i8(-1)?.u8(curve)?.i8(-2)?.bytes(x)
}

fn rsa<'a>(out: &'a mut Writer, public: &RsaPublic, entries: u64) -> Result<&'a mut Writer, Error<Infallible>> {
    out.map(entries)?.u8(1)?.u8(3)?.i8(-1)?.bytes(&public.n)?.i8(-2)?.bytes(&public.e)
}

/// The labels of a record of ours, borrowed.
struct Labels<'a> {
    kty: u8,
    alg: Option<i64>,
    crv: Option<i64>,
    of: Vec<(i32, &'a [u8])>,
}

impl<'a> Labels<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let mut labels = Self { kty: 0, alg: None, crv: None, of: Vec::new() };
        for _ in 0..decoder.map().ok()?? {
            match decoder.i32().ok()? {
                1 => labels.kty = decoder.u8().ok()?,
                3 => labels.alg = Some(decoder.i64().ok()?),
                -1 if matches!(labels.kty, 1 | 2) => labels.crv = Some(decoder.i64().ok()?),
                label => labels.of.push((label, decoder.bytes().ok()?)),
            }
        }
        (decoder.position() == bytes.len()).then_some(labels)
    }

    fn bytes(&self, label: i32) -> Option<&'a [u8]> {
        self.of.iter().find(|(of, _)| *of == label).map(|(_, bytes)| *bytes)
    }

    fn material(&self) -> Option<KeyMaterial> {
        match (self.kty, self.crv) {
            (1, Some(4)) => self.x25519(),
            (1, Some(6)) => Some(KeyMaterial::Ed25519Public(self.bytes(-2)?.try_into().ok()?)),
            (1, Some(7)) => Some(KeyMaterial::Ed448Public(self.bytes(-2)?.try_into().ok()?)),
            (2, Some(crv)) => self.ec(Curve::from_cose(crv)?),
            (3, None) => self.rsa(),
            (4, None) => Some(KeyMaterial::Symmetric(Symmetric {
                k: secret(self.bytes(-1)?),
                base_iv: self.bytes(5).map(secret),
            })),
            (7, None) if self.alg.is_none() => Kem::new(self.bytes(-2)?).map(KeyMaterial::KemPrivate),
            (7, None) => {
                let set = Algorithm::from_cose(self.alg?, Kty::Akp)?;
                Some(KeyMaterial::AkpPublic(set, self.bytes(-1)?.to_vec()))
            }
            _ => None,
        }
    }

    fn ec(&self, curve: Curve) -> Option<KeyMaterial> {
        match self.bytes(-4) {
            Some(d) => Scalar::new(curve, d).map(KeyMaterial::EcPrivate),
            None => Point::new(curve, self.bytes(-2)?, self.bytes(-3)?).map(KeyMaterial::EcPublic),
        }
    }

    fn x25519(&self) -> Option<KeyMaterial> {
        match self.bytes(-4) {
            Some(d) => X25519::new(d).map(KeyMaterial::X25519Private),
            None => Some(KeyMaterial::X25519Public(self.bytes(-2)?.try_into().ok()?)),
        }
    }

    fn rsa(&self) -> Option<KeyMaterial> {
        let public = RsaPublic::new(self.bytes(-1)?, self.bytes(-2)?)?;
        if self.bytes(-3).is_none() {
            return Some(KeyMaterial::RsaPublic(public));
        }
        let member = |label| self.bytes(label).map(|bytes| secret(significant(bytes)));
        let secret = [member(-3)?, member(-4)?, member(-5)?, member(-6)?, member(-7)?, member(-8)?];
        Some(KeyMaterial::RsaPrivate(RsaPrivate { public, secret }))
    }
}

fn secret(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}
