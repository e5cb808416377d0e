//! What was refused, and why: for operators alone. May import what `api` may.

use axum::extract::{Path, State};
use axum::response::Response;

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, found, id, json};
use crate::item::Reason;
use crate::problem::Problem;
use crate::store::reader::RefusalFilter;

/// `GET /v1/refusals`
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    let (filter, page, sealed) =
        members.read(|members| Ok((filter(members)?, members.page()?, members.flag("sealed")?)))?;
    let page = desk.ask(move |reader| reader.refusals(&caller.tenant, &filter, &page, sealed)).await?;
    Ok(json(&page))
}

/// The filters that refused and held items have in common.
pub(in crate::api) fn filter(members: &mut Members) -> Result<RefusalFilter, Problem> {
    Ok(RefusalFilter {
        relay: members.text("relay"),
        reason: members.parsed("reason", "a reason of the contract", Reason::from_name)?,
        device: members.text("device"),
        since: members.time("since")?,
        until: members.time("until")?,
    })
}

/// `GET /v1/refusals/{id}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    let sealed = members.read(|members| members.flag("sealed"))?;
    let id = id(&name)?;
    let refusal = desk.ask(move |reader| reader.refusal(&caller.tenant, id, sealed)).await?;
    Ok(json(&found(refusal)?))
}
