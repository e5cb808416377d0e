//! Keys as their owners may see them, and the gateway's public ones. No private or symmetric byte passes here. May import
//! what `api` may.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, accepts, json, refused, whole};
use crate::problem::Problem;

/// `GET /v1/keys`: every version of every key of the tenant.
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let asked = desk.ask_keystore(move |keystore| keystore.keys(&caller.tenant).map_err(|error| refused(&error)));
    Ok(whole(asked.await?))
}

/// The forms in which public keys are given, by media type; the first is given to whoever names none of them.
const FORMS: [&str; 3] = ["application/jwk-set+json", "application/cose-key-set", "application/x-pem-file"];

/// `GET /v1/keys/public`: to whom devices seal. It needs no token: whoever can reach us may seal to us.
pub(in crate::api) async fn public(
    State(desk): State<Desk>,
    headers: HeaderMap,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let asked = desk.ask_keystore(|keystore| keystore.public_keys(TENANT).map_err(|error| refused(&error)));
    let (keys, form) = (asked.await?, accepts(&headers, &FORMS));
    let body = match form {
        "application/cose-key-set" => keys.to_cose_key_set().into_response(),
        "application/x-pem-file" => keys.to_pem().into_response(),
        _ => json(&keys),
    };
    Ok(([(header::CONTENT_TYPE, form)], body).into_response())
}

/// Whose keys are given to those who are nobody's.
const TENANT: &str = "default";
