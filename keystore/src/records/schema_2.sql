-- Other names of a key: those of its certificate. An index and no more: what a row says counts only where the policy of the
-- key itself, which is under its MAC, says so too.
CREATE TABLE key_name (
    tenant  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, id, version)
) STRICT, WITHOUT ROWID;
