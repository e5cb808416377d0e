-- Webhook secrets, sealed. The one before stays until its overlap ends.
CREATE TABLE webhook (
    tenant         TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    current        BLOB    NOT NULL,
    previous       BLOB,
    previous_until INTEGER,
    created        INTEGER NOT NULL,
    mac            BLOB    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
