-- Schema 2: what is told to others. Most events are told by the rows that are kept anyway: a message is
-- `message.opened` (and `device.gap`, `device.gap_filled`), a refusal is `message.refused` (and `device.nonce_reuse`).
-- All of them share one numbering, so that a place in it is a place in the stream of events.

-- Append-only: the events that no other row tells. `data` is the event's, as JSON.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    kind INTEGER NOT NULL,
    device TEXT,
    data TEXT NOT NULL
) STRICT;

-- Who is told what. enqueued = delivered + pending + dead + expired, in every row, at every commit.
CREATE TABLE subscription (
    id INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL,
    spec TEXT NOT NULL,
    failing_since INTEGER,
    enqueued INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One event for one subscription. `source` is the row that tells the event; the body is made when it is sent.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    source INTEGER NOT NULL,
    device TEXT,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER
) STRICT;
CREATE INDEX outbox_by_subscription ON outbox (subscription, id);
CREATE INDEX outbox_due ON outbox (subscription, next_attempt, id) WHERE status = 'pending';
CREATE INDEX outbox_by_device ON outbox (subscription, device, id) WHERE status = 'pending';

-- How sending went.
CREATE TABLE attempt (
    delivery INTEGER NOT NULL,
    at INTEGER NOT NULL,
    status_code INTEGER,
    error TEXT,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (delivery, at)
) STRICT, WITHOUT ROWID;
