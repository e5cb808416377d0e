//! Who is asking, and whether they may. May import what `api` may.
//!
//! Every route goes through [`pass`] with what it needs; a handler that wants to know its [`Caller`] gets it from
//! nowhere else, so a route that forgot its gate answers nothing.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use keystore::{Keystore, Scope};

use crate::api::{Desk, broken};
use crate::problem::{Code, Problem};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Needs {
    /// A valid token, of any scope.
    AnyToken,
    /// No token.
    Nothing,
    /// A token with this scope.
    Scope(Scope),
}

/// Who a valid token stands for.
#[derive(Clone, Debug)]
pub(in crate::api) struct Caller {
    /// Scopes all that the caller sees.
    pub(in crate::api) tenant: Arc<str>,
    scopes: Arc<[Scope]>,
}

impl Caller {
    /// Whether the caller has the scope.
    pub(in crate::api) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// A route's gate.
#[derive(Clone)]
pub(in crate::api) struct Gate {
    /// Where tokens are known.
    pub(in crate::api) desk: Desk,
    /// What the route asks.
    pub(in crate::api) needs: Needs,
    /// The route's method, for whoever is turned away.
    pub(in crate::api) method: Method,
    /// The route's path.
    pub(in crate::api) path: &'static str,
}

/// Lets a request through with its caller, or answers 401 or 403.
pub(in crate::api) async fn pass(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if gate.needs == Needs::Nothing {
        return Ok(next.run(request).await);
    }
    let caller = identify(&gate.desk, request.headers()).await?;
    if let Needs::Scope(scope) = gate.needs
        && !caller.may(scope)
    {
        let detail = format!("{} {} needs a token with scope {}", gate.method, gate.path, scope.name());
        return Err(Problem::with_detail(Code::Forbidden, detail));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Missing, malformed, unknown, revoked: one answer for all of that.
async fn identify(desk: &Desk, headers: &HeaderMap) -> Result<Caller, Problem> {
    let presented = presented(headers).ok_or(Problem::new(Code::Unauthorized))?.to_owned();
    let check = move |keystore: &Keystore| keystore.token_check(&presented).map_err(|error| broken(&error));
    let token = desk.ask_keystore(check).await?;
    let token = token.ok_or(Problem::new(Code::Unauthorized))?;
    Ok(Caller { tenant: token.tenant.into(), scopes: token.scopes.into() })
}

/// The token of the one Authorization header (RFC 6750 §2.1).
fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or(Problem::new(Code::Unauthorized))
    }
}
