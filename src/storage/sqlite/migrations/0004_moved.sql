-- The requests that moved in each commit since `requests` last took them over in bulk, packed (moved.rs).
CREATE TABLE moved (place INTEGER PRIMARY KEY, rows BLOB NOT NULL) STRICT;
