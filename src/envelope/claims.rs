//! Claims that a layer makes about itself, whichever family it is of: CWT claims (RFC 9597), JWT claims (RFC 7519), the
//! attributes of CMS.
//!
//! Imports nothing.

/// What a layer claims. Proven once the layer is authentic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Subject.
    pub sub: Option<String>,
    /// Audience: whom it is for; one of them suffices, and none means anybody.
    pub aud: Vec<String>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<i64>,
    /// A known claim of another type than its due, or a claim outside the profile: refused only by policy.
    pub faulty: bool,
}
