//! Devices as the store knows them: when they were last heard, what is missing of them. May import what `api` may.

use axum::extract::{Path, State};
use axum::response::Response;

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, found, json};
use crate::problem::Problem;

/// `GET /v1/devices`
pub(in crate::api) async fn list(State(desk): State<Desk>, caller: Caller, members: Members) -> Result<Response, Problem> {
    let page = members.read(Members::page)?;
    let page = desk.ask(move |reader| reader.devices(&caller.tenant, &page)).await?;
    Ok(crate::api::list(&page))
}

/// `GET /v1/devices/{id}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(device): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let device = desk.ask(move |reader| reader.device(&caller.tenant, &device)).await?;
    Ok(json(&found(device)?))
}

/// `GET /v1/devices/{id}/gaps`
pub(in crate::api) async fn gaps(
    State(desk): State<Desk>,
    caller: Caller,
    Path(device): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let gaps = desk.ask(move |reader| reader.gaps(&caller.tenant, &device)).await?;
    Ok(json(&found(gaps)?))
}
