//! Who is asking, whether they may, and how often; and the record of what they changed. May import what `api` may.
//!
//! Every route goes through [`pass`] with what it needs; a handler that wants to know its [`Caller`] gets it from
//! nowhere else, so a route that forgot its gate answers nothing.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use keystore::{Keystore, Scope};

use crate::api::{Desk, broken};
use crate::item::Source;
use crate::problem::{Code, Problem};
use crate::rate::Rate;

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
    /// The token's id and name: who did it.
    token: Arc<str>,
    name: Arc<str>,
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

/// Lets a request through with its caller, or answers 401, 403 or 429.
pub(in crate::api) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if gate.needs == Needs::Nothing {
        return next.run(request).await;
    }
    let caller = match identify(&gate.desk, request.headers(), request.extensions().get()).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let path = request.uri().path().to_owned();
    let response = match gate.admit(&caller) {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if gate.method != Method::GET {
        record(&caller, &gate.method, &path, &response);
    }
    response
}

impl Gate {
    fn admit(&self, caller: &Caller) -> Result<(), Problem> {
        spend(self.desk.rates.token.as_deref(), &caller.token)?;
        match self.needs {
            Needs::Scope(scope) if !caller.may(scope) => {
                let detail = format!("{} {} needs a token with scope {}", self.method, self.path, scope.name());
                Err(Problem::with_detail(Code::Forbidden, detail))
            }
            _ => Ok(()),
        }
    }
}

/// One of a rate, or 429 with the time to wait.
fn spend(rate: Option<&Rate>, asker: impl std::hash::Hash) -> Result<(), Problem> {
    let Some(rate) = rate else { return Ok(()) };
    rate.spend(asker).map_err(|wait| {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Problem::new(Code::RateLimited).retry_after(seconds)
    })
}

/// The audit of what operators and applications change, and what they try to: who, what, and how it ended. The path is
/// as it came, in URL encoding, so that no line break or control sequence of its sender is in the log; bodies, which may
/// hold secrets, are not.
fn record(caller: &Caller, method: &Method, path: &str, response: &Response) {
    let (token, name, tenant) = (&*caller.token, &*caller.name, &*caller.tenant);
    let (path, status) = (path.get(..MAX_PATH).unwrap_or(path), response.status().as_u16());
    tracing::info!(target: "audit", token, name, tenant, %method, path, status, "{method} {path}: {status}");
}

/// Characters of a path in the audit.
const MAX_PATH: usize = 512;

/// Missing, malformed, unknown, revoked: one answer for all of that. A source that guesses hears nothing but that it
/// asks too often; the right token is let in all the same, because who shares an address with a guesser must not be
/// shut out by it, and 256 bits are not guessed.
async fn identify(desk: &Desk, headers: &HeaderMap, source: Option<&Source>) -> Result<Caller, Problem> {
    let presented = presented(headers).map(str::to_owned);
    let check = move |keystore: &Keystore| match presented {
        Some(token) => keystore.token_check(&token).map_err(|error| broken(&error)),
        None => Ok(None),
    };
    let Some(token) = desk.ask_keystore(check).await? else {
        if let Some(source) = source {
            spend(desk.rates.guess.as_deref(), source)?;
        }
        return Err(Problem::new(Code::Unauthorized));
    };
    Ok(Caller {
        tenant: token.tenant.into(),
        token: token.id.into(),
        name: token.name.into(),
        scopes: token.scopes.into(),
    })
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
