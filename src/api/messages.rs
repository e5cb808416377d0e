//! Opened messages: what was proven, what the relay claims, and the cleartext. May import what `api` may.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, found, id, json};
use crate::item::ContentType;
use crate::problem::Problem;
use crate::store::reader::MessageFilter;

/// `GET /v1/messages`
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    let (filter, page, with_content) = members.read(|members| {
        let filter = MessageFilter {
            device: members.text("device"),
            since: members.time("since")?,
            until: members.time("until")?,
        };
        Ok((filter, members.page()?, members.flag("content")?))
    })?;
    let page = desk.ask(move |reader| reader.messages(&caller.tenant, &filter, &page, with_content)).await?;
    Ok(json(&page))
}

/// `GET /v1/messages/{id}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let id = id(&name)?;
    let message = desk.ask(move |reader| reader.message(&caller.tenant, id)).await?;
    Ok(json(&found(message)?))
}

/// `GET /v1/messages/{id}/content`: the cleartext as it was sealed. It is a device's, not ours: a browser must neither
/// show it nor guess what it is.
pub(in crate::api) async fn content(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let id = id(&name)?;
    let message = found(desk.ask(move |reader| reader.message(&caller.tenant, id)).await?)?;
    let headers = [
        (header::CONTENT_TYPE, media_type(message.content_format.as_ref())),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
    ];
    Ok((headers, found(message.content)?).into_response())
}

/// The media type of a content type; bytes of an unknown kind are bytes.
fn media_type(content_type: Option<&ContentType>) -> HeaderValue {
    let octets = HeaderValue::from_static("application/octet-stream");
    match content_type {
        Some(ContentType::Media(name)) => HeaderValue::from_str(name).unwrap_or(octets),
        Some(ContentType::Format(number)) => registered(*number).map_or(octets, HeaderValue::from_static),
        None => octets,
    }
}

/// CoAP Content-Formats (IANA registry) that LwM2M devices send.
const fn registered(content_format: u64) -> Option<&'static str> {
    match content_format {
        0 => Some("text/plain; charset=utf-8"),
        40 => Some("application/link-format"),
        50 => Some("application/json"),
        60 => Some("application/cbor"),
        110 => Some("application/senml+json"),
        112 => Some("application/senml+cbor"),
        11542 => Some("application/vnd.oma.lwm2m+tlv"),
        11543 => Some("application/vnd.oma.lwm2m+json"),
        11544 => Some("application/vnd.oma.lwm2m+cbor"),
        _ => None,
    }
}
