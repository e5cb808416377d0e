//! API tokens, for operators. The secret is in the answer that made it, and nowhere else. May import what `api` may.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keystore::{AdminError, Scope, TokenInfo};
use serde::{Deserialize, Serialize};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Body, Desk, found, json, refused, whole};
use crate::problem::{Code, Problem};

/// `GET /v1/tokens`: all of the tenant's, revoked ones included; operators have few.
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let items = own(&desk, &caller).await?;
    Ok(whole(items))
}

async fn own(desk: &Desk, caller: &Caller) -> Result<Vec<TokenInfo>, Problem> {
    let mut tokens = desk.ask_keystore(|keystore| keystore.tokens().map_err(|error| refused(&error))).await?;
    tokens.retain(|token| token.tenant == *caller.tenant);
    Ok(tokens)
}

/// The body of `POST /v1/tokens`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewToken {
    name: String,
    scopes: Vec<String>,
}

/// A token, this once with its secret.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    info: TokenInfo,
    token: String,
}

/// `POST /v1/tokens`: nobody gives more than they have.
pub(in crate::api) async fn add(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
    Body(new): Body<NewToken>,
) -> Result<Response, Problem> {
    members.none()?;
    let scopes = new.scopes.iter().map(|name| scope(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(scope) = scopes.iter().find(|scope| !caller.may(**scope)) {
        let detail = format!("only a token with scope {} can give it", scope.name());
        return Err(Problem::with_detail(Code::Forbidden, detail));
    }
    let made = desk.ask_keystore(move |keystore| make(keystore, &new.name, &scopes, &caller.tenant));
    Ok((StatusCode::CREATED, json(&made.await?)).into_response())
}

fn scope(name: &str) -> Result<Scope, Problem> {
    let unknown = || Problem::with_detail(Code::Unprocessable, format!("unknown scope {name:?}"));
    Scope::from_name(name).ok_or_else(unknown)
}

fn make(keystore: &keystore::Keystore, name: &str, scopes: &[Scope], tenant: &str) -> Result<Made, Problem> {
    let token = keystore.token_add(name, scopes, tenant).map_err(|error| refused(&error))?;
    let tokens = keystore.tokens().map_err(|error| refused(&error))?;
    let info =
        tokens.into_iter().find(|info| token.strip_prefix("pkn_").is_some_and(|rest| rest.starts_with(&info.id)));
    Ok(Made { info: found(info)?, token })
}

/// `DELETE /v1/tokens/{id}`: from the next request on, nobody is let in with it.
pub(in crate::api) async fn revoke(
    State(desk): State<Desk>,
    caller: Caller,
    Path(id): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    found(own(&desk, &caller).await?.into_iter().find(|token| token.id == id && token.status == "active"))?;
    let revoked = desk.ask_keystore(move |keystore| match keystore.token_revoke(&id) {
        Err(AdminError::NotFound(_)) => Err(Problem::new(Code::NotFound)),
        done => done.map_err(|error| refused(&error)),
    });
    revoked.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
