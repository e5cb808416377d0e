-- Schema 3: fewer pages a message. Identities are sorted in behind the messages, as `message_by_device` is: both reach up
-- to `progress.indexed`, and what is beyond it is known from `message`. Counters are rows in the order in which they were
-- met, not that of their names: devices that send one after the other share pages.

INSERT INTO message_by_device
    SELECT device, id FROM message
    WHERE id > (SELECT indexed FROM progress) AND device IS NOT NULL ORDER BY device, id;
UPDATE progress SET indexed = max(indexed, (SELECT ifnull(max(id), 0) FROM message));

-- State, written once a batch: the numbers seen of a counter. Never forgotten.
CREATE TABLE counted (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    kid_context BLOB NOT NULL,
    device INTEGER,
    accounted INTEGER NOT NULL,
    expected INTEGER,
    ranges BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (tenant, key, key_version, kid_context)
) STRICT;
INSERT INTO counted (tenant, key, key_version, kid_context, device, accounted, expected, ranges, checksum)
    SELECT tenant, key, key_version, kid_context, device, accounted, expected, ranges, checksum FROM sequence
    ORDER BY device, key, key_version, kid_context;
DROP TABLE sequence;
ALTER TABLE counted RENAME TO sequence;
CREATE INDEX sequence_by_device ON sequence (device);
