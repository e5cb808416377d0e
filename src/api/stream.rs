//! The live feed as server-sent events. What a consumer read last is all that it needs to go on: the store is the
//! buffer, here are some events at most. May import what `api` may.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, broken};
use crate::delivery::stream::Feed;
use crate::problem::{Code, Problem};
use crate::store::event::{Event, EventType, Interest};
use crate::store::glob::Glob;
use crate::store::reader::Cursor;

/// Events on their way to one consumer.
const BUFFERED: usize = 64;
/// A consumer that takes nothing for so long is let go; it comes back with the last id that it saw.
const SLOW: Duration = Duration::from_secs(30);
/// Between comments that show that the line is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After a failure of ours.
const RETRY: Duration = Duration::from_secs(1);

/// `GET /v1/stream[?events=message.opened,device.gap&device=GLOB]`
pub(in crate::api) async fn follow(
    State(desk): State<Desk>,
    caller: Caller,
    headers: HeaderMap,
    members: Members,
) -> Result<Response, Problem> {
    let interest = members.read(|members| {
        let events = members.parsed("events", "types of events, joined by commas", types)?.unwrap_or_default();
        let device = members.parsed("device", "a pattern of device names", Glob::parse)?;
        Ok(Interest { events, devices: device.into_iter().collect(), names: Vec::new() })
    })?;
    let after = last_seen(&headers)?;
    let control = desk.delivery.clone();
    let feed = tokio::task::spawn_blocking(move || control.feed(&caller.tenant, interest, after)).await;
    let feed = feed.map_err(|error| broken(&error))?.map_err(|failure| broken(&failure))?;
    let (sender, receiver) = mpsc::channel(BUFFERED);
    tokio::spawn(pump(feed, sender));
    let events = futures_util::stream::unfold(receiver, async |mut receiver: mpsc::Receiver<sse::Event>| {
        receiver.recv().await.map(|event| (Ok::<_, Infallible>(event), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

fn types(value: &str) -> Option<Vec<EventType>> {
    value.split(',').map(EventType::from_name).collect()
}

fn last_seen(headers: &HeaderMap) -> Result<Option<Cursor>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let cursor = value.to_str().ok().and_then(|value| Cursor::from_str(value).ok());
    let wrong = || Problem::with_detail(Code::BadRequest, "Last-Event-ID is the id of an event of this stream");
    cursor.map(Some).ok_or_else(wrong)
}

/// From the store to the consumer, until either ends.
async fn pump(mut feed: Feed, consumer: mpsc::Sender<sse::Event>) {
    loop {
        let next = tokio::select! {
            next = feed.next() => next,
            () = consumer.closed() => return,
        };
        match next {
            Ok(Some(events)) => {
                for (cursor, event) in events {
                    let taken = tokio::time::timeout(SLOW, consumer.send(frame(cursor, &event)));
                    if !matches!(taken.await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
            Ok(None) => return,
            Err(failure) => {
                tracing::warn!(%failure, "a stream waits: {failure}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn frame(cursor: Cursor, event: &Event) -> sse::Event {
    let frame = sse::Event::default().id(cursor.to_string()).event(event.kind.as_str());
    // An event is text members and raw JSON: it can be written.
    frame.json_data(event).unwrap_or_default()
}
