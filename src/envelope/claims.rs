//! Claims that a layer makes about itself, whichever family it is of: CWT claims (RFC 9597), JWT claims (RFC 7519), the
//! attributes of CMS.
//!
//! Imports `item`.

use crate::item::Token;

/// What a layer claims. Proven once the layer is authentic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Subject.
    pub sub: Option<String>,
    /// Audience: whom it is for; one of them suffices, and none means anybody.
    pub aud: Vec<String>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<i64>,
    /// When it says it was signed, seconds since the epoch: reported where there is no `iat`, and never judged.
    pub signed_at: Option<i64>,
    /// Not to be opened from then on, seconds since the epoch.
    pub exp: Option<i64>,
    /// Not to be opened before, seconds since the epoch.
    pub nbf: Option<i64>,
    /// What a JWT says beside: reported, not judged.
    pub token: Option<Token>,
    /// A known claim of another type than its due, or a claim outside the profile: refused only by policy.
    pub faulty: bool,
}
