-- Callbacks that count once and were taken, by keyed hash, until nobody would believe them again. Not derived from events:
-- what was signed is in none of them.
CREATE TABLE callbacks_taken (
    signed BLOB PRIMARY KEY, believed_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callbacks_taken_until ON callbacks_taken (believed_until);
