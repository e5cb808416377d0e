-- Every row that carries meaning ends in a MAC over its table's name and the columns before it, in this order.
CREATE TABLE keyring (
    dek      INTEGER PRIMARY KEY,
    status   TEXT    NOT NULL,
    seals    INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    wrapped  BLOB    NOT NULL,
    constant BLOB    NOT NULL,
    mac      BLOB    NOT NULL
) STRICT;

CREATE TABLE key (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    kid        BLOB    NOT NULL,
    thumbprint TEXT    NOT NULL,
    kty        TEXT    NOT NULL,
    use        TEXT    NOT NULL,
    algs       TEXT    NOT NULL,
    formats    TEXT    NOT NULL,
    device     TEXT,
    status     TEXT    NOT NULL,
    reason     TEXT,
    changed    INTEGER NOT NULL,
    not_before INTEGER,
    not_after  INTEGER,
    exportable INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    policy     TEXT    NOT NULL,
    sealed     BLOB,
    mac        BLOB    NOT NULL,
    UNIQUE (tenant, id, version)
) STRICT;
CREATE INDEX key_kid ON key (tenant, kid);
CREATE INDEX key_device ON key (tenant, device);
CREATE INDEX key_thumbprint ON key (thumbprint);

CREATE TABLE device (
    tenant  TEXT    NOT NULL,
    device  TEXT    NOT NULL,
    status  TEXT    NOT NULL,
    reason  TEXT,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    mac     BLOB    NOT NULL,
    PRIMARY KEY (tenant, device)
) STRICT;

CREATE TABLE token (
    id      TEXT    NOT NULL PRIMARY KEY,
    name    TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    scopes  TEXT    NOT NULL,
    status  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    mac     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX token_name ON token (name) WHERE status = 'active';
