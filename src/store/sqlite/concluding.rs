//! Concludes items: once-only and sequence are decided here, in the transaction that keeps the verdict.
//!
//! Imports `guard::settled`, `payload` types and rusqlite. Whatever the finding, an item moves from one term of the
//! conservation to another exactly once.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::guard::settled::{Facts, Flag, Refusal};
use crate::item::{ContentType, Format, ItemId, Reason, Timestamp, Verdict};
use crate::payload::Payload;
use crate::store::Conclusion;
use crate::store::checksum;
use crate::store::failure::Failure;
use crate::store::flags;
use crate::store::id::Id;
use crate::store::ledger::{Concluding, Finding, Held, Outcome};
use crate::store::measure;
use crate::store::sqlite::books::{self, Books, Came};
use crate::store::sqlite::pen::Pen;
use crate::store::sqlite::sequences::{Advance, Step};
use crate::store::sqlite::waiting;
use crate::store::text;

/// An item that is being concluded, and what is known of it.
pub(in crate::store) struct Standing {
    item: i64,
    /// Pending or held.
    verdict: Verdict,
    pub(in crate::store) came: Arc<Came>,
    pub(in crate::store) now: Timestamp,
    open_time: Duration,
}

/// What becomes of an item.
struct Ruling {
    verdict: Verdict,
    reason: Option<Reason>,
    message: Option<Uuid>,
    format: Option<Format>,
    gap: bool,
}

impl Books {
    /// Concludes the items of a batch, in order.
    pub(in crate::store) fn conclude(
        &mut self,
        pen: &mut Pen<'_>,
        findings: &[Concluding],
        now: Timestamp,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes = Vec::with_capacity(findings.len());
        for concluding in findings {
            if let Some(standing) = self.standing(pen.connection, concluding, now)? {
                let ruling = self.rule(pen, &standing, &concluding.finding)?;
                outcomes.push(self.enter(pen, &standing, &ruling)?);
            }
        }
        Ok(outcomes)
    }

    /// None for what is neither pending nor held: somebody else was faster, or a cap.
    fn standing(
        &self,
        connection: &Connection,
        concluding: &Concluding,
        now: Timestamp,
    ) -> Result<Option<Standing>, Failure> {
        let item = concluding.item.0;
        let verdict = if self.is_pending(item) { Verdict::Pending } else { Verdict::Held };
        if verdict == Verdict::Held && !is_held(connection, item)? {
            return Ok(None);
        }
        let came = match self.came(item) {
            Some(came) => came,
            None => Arc::new(read_back(connection, item)?),
        };
        Ok(Some(Standing { item, verdict, came, now, open_time: concluding.open_time }))
    }

    fn rule(&mut self, pen: &mut Pen<'_>, standing: &Standing, finding: &Finding) -> Result<Ruling, Failure> {
        if standing.verdict == Verdict::Held && !matches!(finding, Finding::Held(_)) {
            pen.connection.prepare_cached("DELETE FROM held WHERE item = ?1")?.execute([standing.item])?;
        }
        match finding {
            Finding::Held(held) => self.hold(pen.connection, standing, held),
            Finding::Opened(settled, payload) => self.open(pen, standing, settled.facts(), payload),
            Finding::Refused(refusal) => self.refuse(pen.connection, standing, refusal),
        }
    }

    /// Keeps the verdict and counts it.
    fn enter(&mut self, pen: &mut Pen<'_>, standing: &Standing, ruling: &Ruling) -> Result<Outcome, Failure> {
        let &Ruling { verdict, reason, message, format, gap } = ruling;
        let (reason_name, bytes) = (reason.map(Reason::as_str), message.map(Uuid::into_bytes));
        pen.conclusion.execute(params![standing.item, verdict.as_str(), reason_name, bytes])?;
        if verdict != standing.verdict {
            self.tallies.shift(&standing.came.relay, standing.verdict, verdict, 1);
            self.draft.conclude(
                standing.item,
                Conclusion {
                    relay: Arc::clone(&standing.came.relay),
                    verdict,
                    reason,
                    format,
                    open_time: standing.open_time,
                    visible_after: books::since(standing.came.received_at, standing.now),
                    gap,
                },
            );
        }
        Ok(Outcome { item: ItemId(standing.item), verdict, reason, message })
    }

    fn open(
        &mut self,
        pen: &mut Pen<'_>,
        standing: &Standing,
        facts: &Facts,
        payload: &Payload,
    ) -> Result<Ruling, Failure> {
        let connection = pen.connection;
        if let Some(first) = self.recent.first_of(&mut pen.first, &facts.identity)? {
            return self.repeat(connection, standing, facts, first);
        }
        let device = match &facts.proven.sender {
            Some(sender) => Some(self.devices.change(connection, &standing.came.tenant, sender)?.id),
            None => None,
        };
        let advance = match &facts.sequenced {
            Some(sequenced) => self.sequences.advance(connection, &standing.came.tenant, device, sequenced),
            None => Ok(Advance::Step(Step::default())),
        };
        match advance {
            // Nothing has changed yet, and nothing behind it waits.
            Err(Failure::Damaged(words)) => self.hold(connection, standing, &damaged(facts, words)),
            Err(failure) => Err(failure),
            Ok(Advance::Behind) => self.refuse(connection, standing, &refusal(facts, Reason::OrderViolated)),
            Ok(Advance::Reused) => self.refuse(connection, standing, &refusal(facts, Reason::SequenceReused)),
            Ok(Advance::Step(step)) => self.keep(pen, standing, facts, payload, device, &step),
        }
    }

    /// The same authenticated content again.
    fn repeat(
        &mut self,
        connection: &Connection,
        standing: &Standing,
        facts: &Facts,
        first: i64,
    ) -> Result<Ruling, Failure> {
        if let Some(sender) = &facts.proven.sender {
            self.devices.change(connection, &standing.came.tenant, sender)?.duplicated();
        }
        let message = Some(Id::of_message(first, &facts.identity).uuid());
        self.post_replay(connection, standing, facts.proven.sender.as_deref(), message)?;
        Ok(Ruling { verdict: Verdict::Duplicate, reason: None, message, format: Some(facts.format), gap: false })
    }

    /// A new message.
    fn keep(
        &mut self,
        pen: &mut Pen<'_>,
        standing: &Standing,
        facts: &Facts,
        payload: &Payload,
        device: Option<i64>,
        step: &Step,
    ) -> Result<Ruling, Failure> {
        let id = Id::of_message(self.ordinals.next(standing.now), &facts.identity);
        self.recent.enter(facts.identity, id.ordinal, device);
        insert_message(pen, id, standing, facts, payload, device, step)?;
        for (place, reading) in payload.readings.iter().enumerate() {
            measure::write(&mut pen.reading, id.ordinal, place, reading)?;
        }
        let message = id.uuid();
        if let Some(sender) = &facts.proven.sender {
            let device = self.devices.change(pen.connection, &standing.came.tenant, sender)?;
            device.opened(standing.came.received_at, message, facts.max_silence_s);
        }
        let sender = facts.proven.sender.as_deref();
        self.post_message(pen.connection, standing, id.ordinal, sender, (&payload.readings, step))?;
        Ok(Ruling {
            verdict: Verdict::Opened,
            reason: None,
            message: Some(message),
            format: Some(facts.format),
            gap: step.gap_before.is_some(),
        })
    }

    fn refuse(&mut self, connection: &Connection, standing: &Standing, refusal: &Refusal) -> Result<Ruling, Failure> {
        if let Some(device) = &refusal.device {
            self.devices.change(connection, &standing.came.tenant, device)?.refused();
        }
        let id = Id::random(self.ordinals.next(standing.now));
        let mut statement = connection.prepare_cached(
            "INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
             checksum('refusal', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11))",
        )?;
        statement.execute(params![
            id.ordinal,
            id.tail,
            standing.item,
            standing.came.tenant,
            standing.came.relay,
            standing.came.received_at.millis(),
            refusal.reason.as_str(),
            refusal.detail,
            refusal.format.map(Format::as_str),
            refusal.kid,
            refusal.device
        ])?;
        self.tallies.keep_refusal(&standing.came.relay);
        self.post_refusal(connection, standing, id.ordinal, refusal.device.as_deref(), refusal.reason)?;
        let (reason, format) = (Some(refusal.reason), refusal.format);
        Ok(Ruling { verdict: Verdict::Refused, reason, message: None, format, gap: false })
    }

    fn hold(&mut self, connection: &Connection, standing: &Standing, held: &Held) -> Result<Ruling, Failure> {
        // What is held already keeps its place; only why may have changed.
        let id = Id::random(self.ordinals.next(standing.now));
        let mut statement = connection.prepare_cached(
            "INSERT INTO held VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
             checksum('held', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)) ON CONFLICT (item) DO UPDATE SET
             reason = excluded.reason, detail = excluded.detail, format = excluded.format,
             key_names = excluded.key_names,
             checksum = checksum('held', held.id, held.tail, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        statement.execute(params![
            id.ordinal,
            id.tail,
            standing.item,
            standing.came.tenant,
            standing.came.relay,
            standing.came.received_at.millis(),
            held.reason.as_str(),
            held.detail,
            held.format.map(Format::as_str),
            to_json(&held.key_names)?
        ])?;
        if standing.verdict == Verdict::Pending {
            self.post_held(connection, standing, id, held)?;
        }
        let reason = Some(held.reason);
        Ok(Ruling { verdict: Verdict::Held, reason, message: None, format: held.format, gap: false })
    }
}

/// How an item came, from disk: it was taken by an earlier process, held meanwhile, or one of too many at once.
fn read_back(connection: &Connection, item: i64) -> Result<Came, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT i.endpoint, i.prefix, i.path, i.time, i.seq, i.relay_id, i.repaired, d.relay, d.tenant, d.received_at
         FROM item i JOIN delivery d ON d.id = i.delivery WHERE i.id = ?1",
    )?;
    let came = statement.query_row([item], |row| {
        Ok(Came {
            relay: row.get("relay")?,
            tenant: row.get("tenant")?,
            received_at: Timestamp::from_millis(row.get("received_at")?),
            claims: waiting::claims(row)?,
        })
    })?;
    Ok(came)
}

fn is_held(connection: &Connection, item: i64) -> Result<bool, Failure> {
    Ok(connection.prepare_cached("SELECT 1 FROM held WHERE item = ?1")?.exists([item])?)
}

/// A refusal of what is authentic: its sequence number is against it.
fn refusal(facts: &Facts, reason: Reason) -> Refusal {
    let detail = facts.sequenced.as_ref().map(|sequenced| format!("sequence number {}", sequenced.number));
    Refusal {
        reason,
        detail,
        format: Some(facts.format),
        kid: facts.proven.kid.clone(),
        device: facts.proven.sender.clone(),
    }
}

/// Whether the content is a replay cannot be told: it waits for an operator.
const fn damaged(facts: &Facts, words: String) -> Held {
    Held { reason: Reason::InternalError, format: Some(facts.format), key_names: Vec::new(), detail: Some(words) }
}

fn insert_message(
    pen: &mut Pen<'_>,
    id: Id,
    standing: &Standing,
    facts: &Facts,
    payload: &Payload,
    device: Option<i64>,
    step: &Step,
) -> Result<(), Failure> {
    let claims = &standing.came.claims;
    let gaps_left = if step.gaps_left.is_empty() { None } else { Some(to_json(&step.gaps_left)?) };
    let columns = params![
        id.ordinal,
        facts.identity,
        standing.came.tenant,
        device,
        standing.came.received_at.millis(),
        flag_bits(facts, step),
        facts.proven.sequence.map(u64::cast_signed),
        step.gap_before.map(|gap| gap.from.cast_signed()),
        step.gap_before.map(|gap| gap.to.cast_signed()),
        step.fills.map(|filled| filled.from.cast_signed()),
        gaps_left,
        facts.format.as_str(),
        facts.structure,
        content_type(facts.content_type.as_ref()),
        payload.error.map(text::payload_error_name),
        standing.came.relay,
        claims.endpoint,
        claims.prefix,
        claims.path,
        claims.time.map(Timestamp::millis),
        claims.seq.map(u64::cast_signed),
        claims.id,
        claims.repaired,
        to_json(&facts.proven)?,
        to_json(&facts.layers)?,
        facts.content,
        i64::try_from(payload.readings.len()).unwrap_or(i64::MAX)
    ];
    // The device stands in a row of its own.
    Ok(checksum::write(&mut pen.message, "message", columns, params![facts.proven.sender])?)
}

fn flag_bits(facts: &Facts, step: &Step) -> i64 {
    let has = |flag| facts.flags.contains(&flag);
    flags::bit(step.gap_before.is_some(), flags::GAP_BEFORE)
        | flags::bit(step.out_of_order, flags::OUT_OF_ORDER)
        | flags::bit(has(Flag::Late), flags::LATE)
        | flags::bit(has(Flag::EndpointMismatch), flags::ENDPOINT_MISMATCH)
        | flags::bit(has(Flag::SignsCiphertext), flags::SIGNS_CIPHERTEXT)
}

fn content_type(content_type: Option<&ContentType>) -> rusqlite::types::Value {
    match content_type {
        Some(ContentType::Format(number)) => number.cast_signed().into(),
        Some(ContentType::Media(name)) => name.clone().into(),
        None => rusqlite::types::Value::Null,
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Damaged(error.to_string()))
}
