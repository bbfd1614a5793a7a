-- The truth: the events, one row an entry, in leaf order.
CREATE TABLE events (
    leaf INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    leaf_hash BLOB NOT NULL,
    entry BLOB NOT NULL
) STRICT;

-- Nothing recorded is altered: not even by whoever opens the database by hand.
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
-- There is none for INSERT OR REPLACE: any trigger on insert, even one that never fires, makes every event dearer by half;
-- `dunwell verify --log` names a replaced row.

-- What the store itself must remember; not derived from events.
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- Indexes that follow the events in bulk: what stands behind `indexed` is found through memory (index.rs).
CREATE TABLE indexed (one INTEGER PRIMARY KEY CHECK (one = 1), leaf INTEGER NOT NULL) STRICT;
INSERT INTO indexed VALUES (1, 0);
CREATE TABLE stream_index (
    stream BLOB NOT NULL, seq INTEGER NOT NULL, leaf INTEGER NOT NULL, PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE request_keys (request_key BLOB PRIMARY KEY, request BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE provider_refs (
    provider TEXT NOT NULL, ref TEXT NOT NULL, attempt BLOB NOT NULL, PRIMARY KEY (provider, ref)
) STRICT, WITHOUT ROWID;

-- Projections: thrown away and rebuilt from the events at will.
CREATE TABLE requests (
    request BLOB PRIMARY KEY,
    request_key BLOB NOT NULL,
    body_digest BLOB NOT NULL,
    stream BLOB NOT NULL,
    status TEXT NOT NULL,
    open INTEGER NOT NULL,
    channel TEXT,
    campaign BLOB,
    accepted_at INTEGER NOT NULL,
    due_at INTEGER,
    expires_at INTEGER NOT NULL,
    priority TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_campaign ON requests (campaign) WHERE campaign IS NOT NULL;
CREATE INDEX requests_open ON requests (due_at) WHERE open = 1;

CREATE TABLE points (
    point BLOB NOT NULL, stream BLOB NOT NULL, PRIMARY KEY (point, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
    account BLOB NOT NULL, stream BLOB NOT NULL, PRIMARY KEY (account, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
    attempt BLOB PRIMARY KEY,
    stream BLOB NOT NULL,
    request BLOB NOT NULL,
    provider TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    open INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_open ON attempts (started_at) WHERE open = 1;
CREATE TABLE inbound_refs (
    provider TEXT NOT NULL, ref TEXT NOT NULL, stream BLOB NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (provider, ref, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE reported (
    event_key BLOB PRIMARY KEY, stream BLOB NOT NULL, seq INTEGER NOT NULL, body_digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE permits (
    permit BLOB PRIMARY KEY, stream BLOB NOT NULL, status TEXT NOT NULL, expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX permits_issued ON permits (expires_at) WHERE status = 'issued';
CREATE TABLE reviews (
    review BLOB PRIMARY KEY,
    stream BLOB NOT NULL,
    channel TEXT NOT NULL,
    point BLOB NOT NULL,
    opened_at INTEGER NOT NULL,
    resolution TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_open ON reviews (opened_at) WHERE resolution IS NULL;
CREATE TABLE pauses (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- Which key an erasure destroys; `done` once it is gone from the keys' own file.
CREATE TABLE erasures (
    stream BLOB NOT NULL, seq INTEGER NOT NULL, key BLOB, done INTEGER NOT NULL, PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_pending ON erasures (stream) WHERE done = 0;
