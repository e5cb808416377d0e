//! What became of a delivery: for operators, never for the relay that has the receipt. May import what `api` may.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use tokio::time::{Instant, sleep};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, found, id, json};
use crate::problem::Problem;

/// Longest wait that a request can ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// From one look to the next: conclusions follow their take by milliseconds, and a look is one indexed read.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// `GET /v1/receipts/{id}[?wait=5s]`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    let wait = members.read(|members| members.duration("wait"))?.unwrap_or_default().min(MAX_WAIT);
    let (id, until) = (id(&name)?, Instant::now() + wait);
    loop {
        let tenant = caller.tenant.clone();
        let state = found(desk.ask(move |reader| reader.receipt(&tenant, id)).await?)?;
        if !state.is_pending() || Instant::now() >= until {
            return Ok(json(&state));
        }
        sleep(LOOK_AGAIN).await;
    }
}
