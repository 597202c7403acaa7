-- Files of mail as sources.

-- A file of a mailbox, from its first byte to its deletion. Its bytes lie below uploads/ of the data path, named by the
-- id, or where they lay before when it came from the server itself. Rows stay when the bytes go.
CREATE TABLE migration_uploads (
    id               TEXT PRIMARY KEY,
    mailbox_id       BIGINT NOT NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    job_id           BIGINT NOT NULL REFERENCES migration_jobs (id),
    -- Its number among the files of the mailbox: the upper part of its messages' UIDs, so never given twice.
    slot             INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 254),
    name             TEXT NOT NULL,
    origin           TEXT NOT NULL CHECK (origin IN ('tus', 'multipart', 'server')),
    state            TEXT NOT NULL DEFAULT 'receiving'
                     CHECK (state IN ('receiving', 'stored', 'ready', 'refused', 'deleted')),
    -- Where the bytes lie: relative to the data path, or absolute for a file of the server.
    path             TEXT NOT NULL,
    bytes            BIGINT NOT NULL CHECK (bytes >= 0),
    received         BIGINT NOT NULL DEFAULT 0 CHECK (received >= 0 AND received <= bytes),
    -- What the sender said and what was read back, in hex.
    sha256_expected  TEXT NULL,
    sha256           TEXT NULL,
    -- What the sender told of it, as it was written (tus: Upload-Metadata).
    metadata         TEXT NULL,
    run_id           BIGINT NULL REFERENCES migration_runs (id) ON DELETE SET NULL,
    inspection_json  TEXT NULL,
    error            TEXT NULL,
    created_by       TEXT NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    expires_at       TEXT NULL,
    deleted_at       TEXT NULL,
    -- Who removed it before its mail was proved to have arrived, and why.
    removed_early_by  TEXT NULL,
    removed_early_why TEXT NULL,
    UNIQUE (mailbox_id, slot)
);
CREATE INDEX idx_migration_uploads_job ON migration_uploads (job_id);
-- The same bytes are taken into one mailbox once.
CREATE UNIQUE INDEX idx_migration_uploads_once ON migration_uploads (mailbox_id, sha256)
    WHERE sha256 IS NOT NULL AND state IN ('stored', 'ready');
CREATE INDEX idx_migration_uploads_expiry ON migration_uploads (expires_at) WHERE expires_at IS NOT NULL;

-- The pieces of an upload as they arrived, so that both ends can compare before they go on.
CREATE TABLE migration_upload_pieces (
    upload_id  TEXT NOT NULL REFERENCES migration_uploads (id) ON DELETE CASCADE,
    at         BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    sha256     TEXT NOT NULL,
    PRIMARY KEY (upload_id, at)
);

-- A file may arrive while a run is at work on its mailbox: the run that reads it through waits its turn in the queue, as
-- do runs that are asked for while a file is read.
DROP INDEX idx_migration_runs_one_active;
CREATE UNIQUE INDEX idx_migration_runs_one_active ON migration_runs (mailbox_id)
    WHERE status IN ('queued', 'running') AND run_type <> 'pst_extract';
