//! Key bytes. These types are wiped on drop and have no `Debug`, `Clone`, `PartialEq` or `Serialize`, so that a secret
//! cannot wander by accident; they are converted into the primitives' own key types as early as can be.
//! At rest every key, public ones included, is a deterministic COSE_Key (RFC 9052 §7).

use minicbor::Decoder;
use p256::elliptic_curve::sec1::ToSec1Point;
use zeroize::Zeroizing;

use crate::cbor;
use crate::key::{Algorithm, Kty};

/// A P-256 point: affine coordinates, checked to be on the curve.
pub(crate) struct Point {
    pub(crate) x: [u8; 32],
    pub(crate) y: [u8; 32],
}

/// A P-256 private key with its public point.
pub(crate) struct Scalar {
    pub(crate) d: Zeroizing<[u8; 32]>,
    pub(crate) point: Point,
}

/// A symmetric key: a profile master, or a content key with its base IV.
pub(crate) struct Symmetric {
    pub(crate) k: Zeroizing<Vec<u8>>,
    pub(crate) base_iv: Option<Zeroizing<Vec<u8>>>,
}

/// The bytes of one key.
pub(crate) enum KeyMaterial {
    EcPrivate(Scalar),
    EcPublic(Point),
    Ed25519Public([u8; 32]),
    Symmetric(Symmetric),
}

impl Point {
    /// The point of these coordinates, if it is on the curve. The point at infinity has none.
    pub(crate) fn new(x: &[u8], y: &[u8]) -> Option<Self> {
        let (x, y) = (x.try_into().ok()?, y.try_into().ok()?);
        let point = Self { x, y };
        p256::PublicKey::from_sec1_bytes(&point.sec1()).ok().map(|_| point)
    }

    /// The point of this x whose y is odd or even, if there is one.
    pub(crate) fn decompress(x: &[u8], odd: bool) -> Option<Self> {
        let mut sec1 = [2 + u8::from(odd); 33];
        sec1[1..].copy_from_slice(<&[u8; 32]>::try_from(x).ok()?);
        p256::PublicKey::from_sec1_bytes(&sec1).ok().map(|key| Self::of(&key))
    }

    /// Coordinates of a checked key.
    pub(crate) fn of(key: &p256::PublicKey) -> Self {
        let (mut x, mut y) = ([0; 32], [0; 32]);
        let sec1 = key.to_sec1_point(false);
        x.copy_from_slice(&sec1.as_bytes()[1..33]);
        y.copy_from_slice(&sec1.as_bytes()[33..]);
        Self { x, y }
    }

    /// `04 ‖ x ‖ y` (SEC 1 §2.3.3).
    pub(crate) fn sec1(&self) -> [u8; 65] {
        let mut bytes = [4; 65];
        bytes[1..33].copy_from_slice(&self.x);
        bytes[33..].copy_from_slice(&self.y);
        bytes
    }
}

impl Scalar {
    /// The private key of a big-endian scalar in 1 … n−1.
    pub(crate) fn new(d: &[u8]) -> Option<Self> {
        let d = Zeroizing::new(<[u8; 32]>::try_from(d).ok()?);
        let secret = p256::SecretKey::from_slice(&d[..]).ok()?;
        Some(Self { point: Point::of(&secret.public_key()), d })
    }

    /// The bytes of a checked key.
    pub(crate) fn of(secret: &p256::SecretKey) -> Option<Self> {
        Self::new(&Zeroizing::new(secret.to_bytes()))
    }
}

impl KeyMaterial {
    /// Kind of key.
    pub(crate) const fn kty(&self) -> Kty {
        match self {
            Self::EcPrivate(_) | Self::EcPublic(_) => Kty::Ec2P256,
            Self::Ed25519Public(_) => Kty::OkpEd25519,
            Self::Symmetric(_) => Kty::Symmetric,
        }
    }

    /// Whether this key can run that algorithm at all. `derive`: a master, whose length need only suffice (profile.md §3).
    pub(crate) fn fits(&self, algorithm: Algorithm, derive: bool) -> bool {
        match self {
            Self::EcPrivate(_) => matches!(algorithm, Algorithm::EcdhEsA128Kw | Algorithm::EcdhEsA256Kw),
            Self::EcPublic(_) => matches!(algorithm, Algorithm::Es256 | Algorithm::Esp256),
            Self::Ed25519Public(_) => algorithm == Algorithm::Ed25519,
            Self::Symmetric(key) => algorithm
                .content()
                .is_some_and(|content| if derive { key.k.len() >= content.key } else { key.k.len() == content.key }),
        }
    }

    /// Deterministic COSE_Key. Labels 1 kty, 5 Base IV, −1 crv or k, −2 x, −3 y, −4 d, in the order of their encoding.
    pub(crate) fn to_cose_key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(cbor::build(160, |out| match self {
            Self::EcPrivate(Scalar { d, point }) => {
                out.map(5)?.u8(1)?.u8(2)?.i8(-1)?.u8(1)?;
                out.i8(-2)?.bytes(&point.x)?.i8(-3)?.bytes(&point.y)?.i8(-4)?.bytes(&d[..])?.ok()
            }
            Self::EcPublic(point) => {
                out.map(4)?.u8(1)?.u8(2)?.i8(-1)?.u8(1)?.i8(-2)?.bytes(&point.x)?.i8(-3)?.bytes(&point.y)?.ok()
            }
            Self::Ed25519Public(x) => out.map(3)?.u8(1)?.u8(1)?.i8(-1)?.u8(6)?.i8(-2)?.bytes(x)?.ok(),
            Self::Symmetric(key) => {
                out.map(2 + u64::from(key.base_iv.is_some()))?.u8(1)?.u8(4)?;
                if let Some(base_iv) = &key.base_iv {
                    out.u8(5)?.bytes(base_iv)?;
                }
                out.i8(-1)?.bytes(&key.k)?.ok()
            }
        }))
    }

    /// Reads what [`to_cose_key`](Self::to_cose_key) wrote; none if it is anything else.
    pub(crate) fn from_cose_key(bytes: &[u8]) -> Option<Self> {
        let mut read = Labels::read(bytes)?;
        match (read.kty, read.crv) {
            (2, Some(1)) => read.ec(),
            (1, Some(6)) => Some(Self::Ed25519Public(read.bytes(-2)?.try_into().ok()?)),
            (4, None) => Some(Self::Symmetric(Symmetric {
                k: Zeroizing::new(read.bytes(-1)?.to_vec()),
                base_iv: read.bytes(5).map(|iv| Zeroizing::new(iv.to_vec())),
            })),
            _ => None,
        }
    }
}

/// The labels of a record of ours, borrowed.
struct Labels<'a> {
    kty: u8,
    crv: Option<u8>,
    of: Vec<(i8, &'a [u8])>,
}

impl<'a> Labels<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let mut labels = Self { kty: 0, crv: None, of: Vec::new() };
        for _ in 0..decoder.map().ok()?? {
            match decoder.i8().ok()? {
                1 => labels.kty = decoder.u8().ok()?,
                -1 if labels.kty != 4 => labels.crv = Some(decoder.u8().ok()?),
                label => labels.of.push((label, decoder.bytes().ok()?)),
            }
        }
        (decoder.position() == bytes.len()).then_some(labels)
    }

    fn bytes(&mut self, label: i8) -> Option<&'a [u8]> {
        self.of.iter().find(|(of, _)| *of == label).map(|(_, bytes)| *bytes)
    }

    fn ec(&mut self) -> Option<KeyMaterial> {
        match self.bytes(-4) {
            Some(d) => Scalar::new(d).map(KeyMaterial::EcPrivate),
            None => Point::new(self.bytes(-2)?, self.bytes(-3)?).map(KeyMaterial::EcPublic),
        }
    }
}
