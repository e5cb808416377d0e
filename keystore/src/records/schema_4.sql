-- Certificates beside those that are pinned, which are rows of `key`: anchors, with what their owner allows, and candidates
-- for a path, which are not trusted for being here. And the newest CRL of each issuer.
CREATE TABLE certificate (
    tenant  TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    role    TEXT    NOT NULL,
    der     BLOB    NOT NULL,
    policy  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    mac     BLOB    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE crl (
    tenant  TEXT    NOT NULL,
    issuer  TEXT    NOT NULL,
    der     BLOB    NOT NULL,
    created INTEGER NOT NULL,
    mac     BLOB    NOT NULL,
    PRIMARY KEY (tenant, issuer)
) STRICT;
