//! Devices: when they were last heard and what is missing of them, as the store knows it; their keys, as the keystore
//! does. May import what `api` may.

use axum::extract::{Path, State};
use axum::response::Response;
use keystore::{AdminError, Keystore};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, found, json, refused, whole};
use crate::problem::Problem;
use crate::store::reader::{Device, DeviceCounts};

/// `GET /v1/devices`
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    let page = members.read(Members::page)?;
    let tenant = caller.tenant.clone();
    let mut page = desk.ask(move |reader| reader.devices(&tenant, &page)).await?;
    let page = desk.ask_keystore(move |keystore| {
        for device in &mut page.items {
            device.keys = keys(keystore, &caller.tenant, &device.device)?.unwrap_or_default();
        }
        Ok(page)
    });
    Ok(json(&page.await?))
}

/// `GET /v1/devices/{id}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(device): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let (tenant, name) = (caller.tenant.clone(), device.clone());
    let heard = desk.ask(move |reader| reader.device(&tenant, &name)).await?;
    let device = desk.ask_keystore(move |keystore| {
        let known = keys(keystore, &caller.tenant, &device)?;
        let device = heard.or_else(|| known.is_some().then(|| unheard(&caller.tenant, &device)));
        Ok(device.map(|device| Device { keys: known.unwrap_or_default(), ..device }))
    });
    Ok(json(&found(device.await?)?))
}

/// Ids of a device's keys; none where the keystore does not know the device.
fn keys(keystore: &Keystore, tenant: &str, device: &str) -> Result<Option<Vec<String>>, Problem> {
    match keystore.device(tenant, device) {
        Err(AdminError::NotFound(_)) => Ok(None),
        known => known.map(|known| Some(known.keys)).map_err(|error| refused(&error)),
    }
}

/// A device that has keys, and of which nothing was opened yet.
fn unheard(tenant: &str, device: &str) -> Device {
    Device {
        device: device.to_owned(),
        tenant: tenant.to_owned(),
        class: None,
        keys: Vec::new(),
        first_seen: None,
        last_seen: None,
        last_message: None,
        silent: false,
        sequences: Vec::new(),
        counts: DeviceCounts { opened: 0, duplicate: 0, refused: 0 },
    }
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
    Ok(whole(found(gaps)?))
}
