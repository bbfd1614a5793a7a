-- How far each webhook's receiver has been told. Not derived from events: nobody else remembers it. It holds places in the
-- log and no words.
CREATE TABLE webhooks (name TEXT PRIMARY KEY, next_leaf INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- Notices behind `next_leaf` that were not taken: to be tried again (`due_at`), or given up.
CREATE TABLE webhook_backlog (
    name TEXT NOT NULL,
    leaf INTEGER NOT NULL,
    stream BLOB NOT NULL,
    type TEXT NOT NULL,
    tries INTEGER NOT NULL,
    first_tried_at INTEGER,
    last_tried_at INTEGER,
    due_at INTEGER,
    error TEXT,
    PRIMARY KEY (name, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_dead ON webhook_backlog (name, leaf) WHERE due_at IS NULL;
