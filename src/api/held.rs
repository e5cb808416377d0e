//! What waits for a key, or for us. May import what `api` may.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::refusals::filter;
use crate::api::{Desk, found, id, json};
use crate::problem::Problem;

/// `GET /v1/held`
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    let (filter, page, sealed) =
        members.read(|members| Ok((filter(members)?, members.page()?, members.flag("sealed")?)))?;
    let page = desk.ask(move |reader| reader.held(&caller.tenant, &filter, &page, sealed)).await?;
    Ok(json(&page))
}

/// `GET /v1/held/{id}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    let sealed = members.read(|members| members.flag("sealed"))?;
    let id = id(&name)?;
    let held = desk.ask(move |reader| reader.held_item(&caller.tenant, id, sealed)).await?;
    Ok(json(&found(held)?))
}

/// `POST /v1/held/reopen`: asks opening's owner to try held items again, those of `internal_error` too, which no key
/// brings back by itself. The answer does not wait for it.
pub(in crate::api) async fn reopen(State(desk): State<Desk>, members: Members) -> Result<Response, Problem> {
    members.none()?;
    desk.reopen.ask();
    Ok((StatusCode::ACCEPTED, json(&serde_json::json!({ "status": "asked" }))).into_response())
}
