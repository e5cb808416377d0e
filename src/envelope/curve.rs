//! Curves for key agreement, whichever family names them: RFC 9053 §7.1, RFC 7518 §6.2.1.1, RFC 8037 §2.
//!
//! Imports nothing. The strongroom finds whether a point is on its curve; readers need its name and its width.

/// A curve for key agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// X25519.
    X25519,
}

impl Curve {
    /// The name in the registries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::X25519 => "X25519",
        }
    }

    /// Bytes of a coordinate.
    pub const fn width(self) -> usize {
        match self {
            Self::P256 | Self::X25519 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}
