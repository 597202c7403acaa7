-- Checks of log-ins, and files of mailboxes that were looked at and not stored yet.

-- The last check of each log-in of a mailbox. A row goes when what it says no longer holds: another server, another
-- name, another secret. `lease_until` (seconds since 1970) tells when a check whose worker has died is anybody's again.
CREATE TABLE login_checks (
    mailbox_id   INTEGER NOT NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    side         TEXT NOT NULL CHECK (side IN ('source', 'dest')),
    job_id       INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    -- Lower case, so that one server is one host: what a worker takes is spread over hosts.
    host         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'checking', 'good', 'bad', 'held', 'none')),
    sentence     TEXT NULL,
    kind         TEXT NULL,
    unprotected  INTEGER NOT NULL DEFAULT 0 CHECK (unprotected IN (0, 1)),
    folders      INTEGER NULL,
    server       TEXT NULL,
    milliseconds INTEGER NULL,
    requested_at TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    checked_at   TEXT NULL,
    worker       TEXT NULL,
    lease_until  INTEGER NULL,
    PRIMARY KEY (mailbox_id, side)
);
CREATE INDEX idx_login_checks_open ON login_checks (requested_at) WHERE state IN ('waiting', 'checking');
CREATE INDEX idx_login_checks_job ON login_checks (job_id);

-- A file of mailboxes between its preview and its import. The whole of it is sealed, because it holds passwords.
CREATE TABLE import_previews (
    id         TEXT PRIMARY KEY,
    job_id     INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    file_blob  BLOB NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX idx_import_previews_expires ON import_previews (expires_at);
