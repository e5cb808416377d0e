//! Events in the order of commits, put together from the rows that tell them: messages, refusals, and the events that
//! have rows of their own. All share one numbering, so a place in it is a place in the stream.
//!
//! Imports `item`, serde_json and rusqlite.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::item::{Span, Timestamp};
use crate::store::event::{Event, EventType, Interest};
use crate::store::failure::Failure;
use crate::store::glob;
use crate::store::id::{self, Id};
use crate::store::outbox::Parcel;
use crate::store::reader::messages::{self, Message};
use crate::store::reader::page::Cursor;
use crate::store::reader::refusals;

/// Bytes of an event above which its content is left to be fetched (Standard Webhooks advise 20 kB).
const MAX_EVENT: usize = 20_000;

/// Some events, and where to go on.
#[derive(Clone, Debug)]
pub struct Events {
    /// Each with its place.
    pub items: Vec<(Cursor, Event)>,
    /// All up to it was looked at.
    pub position: Cursor,
    /// Nothing more is there yet.
    pub is_last: bool,
}

/// Events by their rows: type, row, device.
pub(in crate::store) struct Referred {
    pub(in crate::store) events: Vec<(EventType, i64, Option<String>)>,
    pub(in crate::store) position: Cursor,
    pub(in crate::store) is_last: bool,
}

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    interest: &Interest,
    after: Cursor,
    max: usize,
) -> Result<Events, Failure> {
    let found = refer(connection, tenant, interest, after, None, max)?;
    let mut items = Vec::with_capacity(found.events.len());
    for (kind, source, _) in found.events {
        // Of one snapshot: what was found is there.
        if let Some(parcel) = parcel(connection, kind, source)? {
            items.push((Cursor { row: source, place: kind.code() }, parcel.event));
        }
    }
    Ok(Events { items, position: found.position, is_last: found.is_last })
}

/// A row that tells one event or more.
struct Teller {
    row: i64,
    kinds: Vec<EventType>,
    device: Option<String>,
}

/// At most `max` rows that tell something are looked at, so that a page costs what it costs, whatever is filtered out.
pub(in crate::store) fn refer(
    connection: &Connection,
    tenant: &str,
    interest: &Interest,
    after: Cursor,
    until: Option<Timestamp>,
    max: usize,
) -> Result<Referred, Failure> {
    let last = connection.prepare_cached("SELECT last_id FROM progress")?.query_row([], |row| row.get(0))?;
    let end = until.map_or(last, |until| id::floor(until).min(last));
    let mut tellers = Vec::new();
    let mut reach = end;
    // A row that told all it has is not looked at again: pages of one row go on too.
    let from = if after.place == i64::MAX { after.row.saturating_add(1) } else { after.row };
    for (sql, kinds) in TELLERS {
        if !kinds.iter().any(|kind| interest.wants(*kind)) {
            continue;
        }
        let found = tell(connection, sql, tenant, (from, end), max)?;
        if found.len() == max {
            reach = reach.min(found.last().map_or(end, |teller| teller.row));
        }
        tellers.extend(found);
    }
    tellers.retain(|teller| teller.row <= reach);
    tellers.sort_unstable_by_key(|teller| teller.row);
    let mut events = Vec::new();
    for teller in tellers {
        let device = teller.device.as_deref();
        if !glob::any(&interest.devices, device) || !named(connection, interest, &teller)? {
            continue;
        }
        let is_after = |kind: &EventType| (teller.row, kind.code()) > (after.row, after.place);
        let kinds = teller.kinds.iter().copied().filter(|kind| interest.wants(*kind)).filter(is_after);
        events.extend(kinds.map(|kind| (kind, teller.row, teller.device.clone())));
    }
    // Never behind where it began: an empty store has numbered nothing yet.
    let position = if reach < after.row { after } else { Cursor { row: reach, place: i64::MAX } };
    Ok(Referred { events, position, is_last: reach >= end })
}

type Source = (&'static str, &'static [EventType]);

/// `?1` tenant, `?2` and `?3` the first and last row, `?4` how many: row, two flags or a number, device.
const TELLERS: [Source; 3] = [
    (
        "SELECT m.id, m.gap_from IS NOT NULL, m.filled IS NOT NULL, e.name, 0 FROM message m
         LEFT JOIN device e ON e.id = m.device
         WHERE m.id >= ?2 AND m.id <= ?3 AND m.tenant = ?1 ORDER BY m.id LIMIT ?4",
        &[EventType::MessageOpened, EventType::DeviceGap, EventType::DeviceGapFilled],
    ),
    (
        "SELECT id, reason = 'sequence_reused', 0, device, 1 FROM refusal
         WHERE id >= ?2 AND id <= ?3 AND tenant = ?1 ORDER BY id LIMIT ?4",
        &[EventType::MessageRefused, EventType::DeviceNonceReuse],
    ),
    (
        "SELECT id, kind, 0, device, 2 FROM event
         WHERE id >= ?2 AND id <= ?3 AND tenant = ?1 ORDER BY id LIMIT ?4",
        &[EventType::MessageHeld, EventType::DeviceReplay, EventType::SubscriptionDisabled],
    ),
];

fn tell(
    connection: &Connection,
    sql: &str,
    tenant: &str,
    (from, to): (i64, i64),
    max: usize,
) -> Result<Vec<Teller>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![tenant, from, to, max], |row| {
        let (one, other, source): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(4)?);
        Ok(Teller { row: row.get(0)?, kinds: kinds(source, one, other), device: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn kinds(source: i64, one: i64, other: i64) -> Vec<EventType> {
    use EventType::{DeviceGap, DeviceGapFilled, DeviceNonceReuse, MessageOpened, MessageRefused};
    let all: Vec<_> = match source {
        0 => vec![(1, MessageOpened), (one, DeviceGap), (other, DeviceGapFilled)],
        1 => vec![(1, MessageRefused), (one, DeviceNonceReuse)],
        _ => return EventType::from_code(one).into_iter().collect(),
    };
    all.into_iter().filter(|(holds, _)| *holds != 0).map(|(_, kind)| kind).collect()
}

/// Whether a message has a reading of a name that is wanted.
fn named(connection: &Connection, interest: &Interest, teller: &Teller) -> Result<bool, Failure> {
    if interest.names.is_empty() {
        return Ok(true);
    }
    let mut statement = connection.prepare_cached("SELECT name FROM reading WHERE message = ?1 AND name NOT NULL")?;
    let names = statement.query_map([teller.row], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(names.iter().any(|name| interest.names.iter().any(|glob| glob.matches(name))))
}

/// What an event's row tells; none where it is no longer kept.
pub(in crate::store) fn parcel(
    connection: &Connection,
    kind: EventType,
    source: i64,
) -> Result<Option<Parcel>, Failure> {
    match kind {
        EventType::MessageOpened | EventType::DeviceGap | EventType::DeviceGapFilled => {
            let message = messages::at(connection, source)?;
            message.map(|message| of_message(kind, source, message)).transpose()
        }
        EventType::MessageRefused | EventType::DeviceNonceReuse => {
            let Some((id, refusal)) = refusals::at(connection, source)? else { return Ok(None) };
            let event = Event { device: refusal.device.clone(), ..event(kind, id, &refusal)? };
            Ok(Some(Parcel { event, content: None }))
        }
        EventType::SubscriptionTest => Ok(None),
        EventType::DeviceReplay | EventType::MessageHeld | EventType::SubscriptionDisabled => {
            let mut statement = connection.prepare_cached("SELECT tail, device, data FROM event WHERE id = ?1")?;
            let found = statement.query_row([source], |row| read(row, kind, source)).optional()?;
            Ok(found.map(|event| Parcel { event, content: None }))
        }
    }
}

fn read(row: &Row<'_>, kind: EventType, source: i64) -> rusqlite::Result<Event> {
    let data: String = row.get(2)?;
    let data =
        RawValue::from_string(data).map_err(|error| crate::store::text::wrong(rusqlite::types::Type::Text, error))?;
    let id = Id { ordinal: source, tail: row.get(0)? };
    Ok(Event { kind, id: kind.id(id), time: id.time(), data, device: row.get(1)? })
}

/// A gap, as its event tells it.
#[derive(Serialize)]
struct GapData<'a> {
    device: Option<&'a str>,
    message: uuid::Uuid,
    key: Option<&'a str>,
    #[serde(with = "crate::item::hex_option")]
    kid_context_hex: Option<Vec<u8>>,
    #[serde(flatten)]
    span: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps_left: Option<&'a [Span]>,
}

fn of_message(kind: EventType, source: i64, mut message: Message) -> Result<Parcel, Failure> {
    let id = Id::parse(message.id).unwrap_or(Id { ordinal: source, tail: 0 });
    let filled = kind == EventType::DeviceGapFilled;
    let content = Some((message.content_format.clone(), message.content.clone().unwrap_or_default()));
    let event = match kind {
        EventType::MessageOpened => {
            let whole = event(kind, id, &message)?;
            if whole.data.get().len() > MAX_EVENT {
                message.content = None;
                message.readings.clear();
                event(kind, id, &Linked { link: format!("/v1/messages/{}", message.id), message: &message })?
            } else {
                whole
            }
        }
        _ => event(
            kind,
            id,
            &GapData {
                device: message.device.as_deref(),
                message: message.id,
                key: message.proof.key.as_deref(),
                kid_context_hex: message.proof.kid_context.clone(),
                span: if filled { message.fills } else { message.gap_before },
                gaps_left: filled.then_some(message.gaps_left.as_slice()),
            },
        )?,
    };
    Ok(Parcel { event: Event { device: message.device, ..event }, content })
}

/// A message too large to be sent whole: without content and readings, and where they are.
#[derive(Serialize)]
struct Linked<'a> {
    #[serde(flatten)]
    message: &'a Message,
    link: String,
}

fn event(kind: EventType, id: Id, data: &impl Serialize) -> Result<Event, Failure> {
    let data = serde_json::value::to_raw_value(data).map_err(|error| Failure::Damaged(error.to_string()))?;
    Ok(Event { kind, id: kind.id(id), time: id.time(), data, device: None })
}
