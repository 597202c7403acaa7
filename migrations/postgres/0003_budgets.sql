-- What hosts were asked for, and who logs in for a mailbox's owner.

-- Bytes of a day (UTC, YYYY-MM-DD), so that a restart and other workers know what is spent already. `host` is the
-- host's name, with the account behind a blank where the host gives each account a budget of its own.
CREATE TABLE host_usage (
    host       TEXT NOT NULL,
    day        TEXT NOT NULL,
    downloaded BIGINT NOT NULL DEFAULT 0 CHECK (downloaded >= 0),
    uploaded   BIGINT NOT NULL DEFAULT 0 CHECK (uploaded >= 0),
    PRIMARY KEY (host, day)
);

-- Which processes work with a host: each takes its share of the connections and of the rate.
CREATE TABLE host_workers (
    host    TEXT NOT NULL,
    worker  TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (host, worker)
);

-- Who logs in where that is not the mailbox's owner (the authentication identity of RFC 4616).
ALTER TABLE migration_mailboxes ADD COLUMN source_admin TEXT NULL;
ALTER TABLE migration_mailboxes ADD COLUMN dest_admin TEXT NULL;

-- What a running run waits for, and until when.
ALTER TABLE migration_runs ADD COLUMN waiting TEXT NULL;

-- Messages whose UID at the destination has to be found out; empty where the server tells (UIDPLUS).
CREATE INDEX idx_migration_messages_nameless ON migration_messages (folder_id)
    WHERE state = 'arrived' AND dest_uid IS NULL;
