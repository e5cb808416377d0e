//! Relay accounts, for operators. May import what `api` may.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Body, Desk, broken, found, json, whole};
use crate::item::Timestamp;
use crate::problem::{Code, Problem};
use crate::relay::accounts::{Request, Unmade, make};
use crate::store::failure::Failure;
use crate::store::intake::Account;

/// An account without its token's hash.
#[derive(Serialize)]
struct Relay {
    name: String,
    tenant: String,
    profile: String,
    options: BTreeMap<String, String>,
    created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Relay {
    fn of(account: Account, token: Option<&str>) -> Self {
        let Account { name, tenant, profile, options, created, .. } = account;
        Self { name, tenant, profile, options, created, token: token.map(str::to_owned) }
    }
}

/// `GET /v1/relays`: all of the tenant's; operators have few.
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let accounts = desk.ask_intake(move |intake| intake.accounts(&caller.tenant)).await?;
    let items: Vec<_> = accounts.into_iter().map(|account| Relay::of(account, None)).collect();
    Ok(whole(items))
}

/// `GET /v1/relays/{name}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    Ok(json(&Relay::of(own(&desk, &caller, name).await?, None)))
}

/// The account of that name, if it is the caller's tenant's.
async fn own(desk: &Desk, caller: &Caller, name: String) -> Result<Account, Problem> {
    let account = desk.ask_intake(move |intake| intake.account(&name)).await?;
    found(account.filter(|account| account.tenant == *caller.tenant))
}

/// The body of `POST /v1/relays`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewRelay {
    name: String,
    profile: Option<String>,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

/// `POST /v1/relays`: the only answer that holds the token.
pub(in crate::api) async fn add(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
    Body(new): Body<NewRelay>,
) -> Result<Response, Problem> {
    members.none()?;
    let NewRelay { name, profile, options } = new;
    let profile = profile.unwrap_or_else(|| "raw".to_owned());
    let request = Request { name, tenant: caller.tenant.to_string(), profile, options };
    let (account, token) = make(&*desk.clock, request).map_err(|unmade| refuse(&unmade))?;
    let kept = account.clone();
    let added = desk.ask_intake(move |intake| match intake.add_account(&kept) {
        Err(Failure::Conflict(_)) => Ok(false),
        done => done.map(|()| true),
    });
    if !added.await? {
        return Err(Problem::with_detail(Code::Conflict, "a relay of that name exists"));
    }
    Ok((StatusCode::CREATED, json(&Relay::of(account, Some(token.reveal())))).into_response())
}

fn refuse(unmade: &Unmade) -> Problem {
    match unmade {
        Unmade::Random(_) => broken(unmade),
        Unmade::Name | Unmade::Option(_) | Unmade::Profile(_) => {
            Problem::with_detail(Code::Unprocessable, unmade.to_string())
        }
    }
}

/// `DELETE /v1/relays/{name}`: what it handed over stays.
pub(in crate::api) async fn remove(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let account = own(&desk, &caller, name).await?;
    desk.ask_intake(move |intake| intake.remove_account(&account.name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
