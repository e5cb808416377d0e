-- Schema 1. What a message dirties: ends of append-only tables, one page of `identity`, and state once a batch.
-- `id` of delivery, message, refusal and held is the upper half of a UUIDv7 (48 bits of milliseconds, 12 of a counter):
-- it grows in the order of commits, so that these tables are found by UUID and listed by cursor without an index.
-- `checksum` is of the row itself (checksum.rs): no page has one.

-- Accounts of those who hand over. The token is 256 random bits: its hash needs no salt.
CREATE TABLE relay (
    name TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    profile TEXT NOT NULL,
    options TEXT NOT NULL,
    token_sha256 BLOB NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- received = pending + opened + duplicate + refused + held + expired, in every row, at every commit.
CREATE TABLE counter (
    relay TEXT PRIMARY KEY,
    received INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    held INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    refusals_kept INTEGER NOT NULL,
    refusals_evicted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: where numbering continues, the lowest item that may be pending, and how far `message_by_device` reaches.
CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    next_item INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    first_pending INTEGER NOT NULL,
    indexed INTEGER NOT NULL,
    probed INTEGER NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 1, 0, 1, 0, 0);

-- Append-only.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    relay TEXT NOT NULL,
    tenant TEXT NOT NULL,
    unauthenticated_sender INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    first_item INTEGER NOT NULL,
    items INTEGER NOT NULL
) STRICT;

-- Append-only: the sealed bytes and what the relay says of them. No row here ever changes.
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL,
    cose_type INTEGER,
    endpoint TEXT,
    prefix TEXT,
    path TEXT,
    time INTEGER,
    seq INTEGER,
    relay_id TEXT,
    repaired INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- The verdict of an item; an item without a row is pending. Append, but for held items that are concluded later.
CREATE TABLE conclusion (
    item INTEGER PRIMARY KEY,
    verdict TEXT NOT NULL,
    reason TEXT,
    message BLOB
) STRICT;

-- Append-only. The content stands behind what is scanned. `readings`: how many it has, so that none is missed.
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    identity BLOB NOT NULL,
    tenant TEXT NOT NULL,
    device INTEGER,
    received_at INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    sequence INTEGER,
    gap_from INTEGER,
    gap_to INTEGER,
    filled INTEGER,
    gaps_left TEXT,
    format TEXT NOT NULL,
    structure TEXT NOT NULL,
    content_type ANY,
    payload_error TEXT,
    relay TEXT NOT NULL,
    relay_endpoint TEXT,
    relay_prefix TEXT,
    relay_path TEXT,
    relay_time INTEGER,
    relay_seq INTEGER,
    relay_id TEXT,
    repaired INTEGER NOT NULL,
    proof TEXT NOT NULL,
    layers TEXT NOT NULL,
    content BLOB NOT NULL,
    readings INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- Append-only: measurements, in the order of their messages.
CREATE TABLE reading (
    message INTEGER NOT NULL,
    place INTEGER NOT NULL,
    time INTEGER NOT NULL,
    name TEXT,
    path TEXT,
    kind INTEGER NOT NULL,
    value ANY,
    unit TEXT,
    unit_source TEXT,
    time_anchor INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    update_time REAL,
    sum REAL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (message, place)
) STRICT, WITHOUT ROWID;

-- Once only: authenticated content that was opened. Outlives the message.
CREATE TABLE identity (
    identity BLOB PRIMARY KEY,
    message INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- State, written once a batch.
CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    first_seen INTEGER,
    last_seen INTEGER,
    last_message BLOB,
    max_silence_s INTEGER,
    opened INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

-- State, written once a batch: the numbers seen of a counter. Never forgotten.
CREATE TABLE sequence (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    kid_context BLOB NOT NULL,
    device INTEGER,
    accounted INTEGER NOT NULL,
    expected INTEGER,
    ranges BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (tenant, key, key_version, kid_context)
) STRICT, WITHOUT ROWID;
CREATE INDEX sequence_by_device ON sequence (device);

-- Built in sorted batches behind the messages, up to `progress.indexed`; readers scan the rest.
CREATE TABLE message_by_device (
    device INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (device, message)
) STRICT, WITHOUT ROWID;

-- Kept for operators; capped per relay. Sealed bytes and claims stay in `item`.
CREATE TABLE refusal (
    id INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    item INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    relay TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT,
    format TEXT,
    kid BLOB,
    device TEXT,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX refusal_by_relay ON refusal (relay, id);

-- Waiting for a key, or for an operator; capped per relay.
CREATE TABLE held (
    id INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    item INTEGER NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    relay TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT,
    format TEXT,
    key_names TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX held_by_relay ON held (relay, id);
