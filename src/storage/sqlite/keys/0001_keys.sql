-- Wrapped keys only: each is encrypted under a key that comes from the master key, which is not here.
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE data_keys (
    stream BLOB NOT NULL,
    id BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (stream, id)
) STRICT, WITHOUT ROWID;
