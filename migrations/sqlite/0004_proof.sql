-- Proof, gate and paper: why a message is missing, what was signed, what the DNS said, who is told.

-- Why a message is where it is, for programs; `cause` says it for people. The headers are kept of what is missing.
ALTER TABLE migration_messages ADD COLUMN cause_kind TEXT NULL;
ALTER TABLE migration_messages ADD COLUMN header_from TEXT NULL;
ALTER TABLE migration_messages ADD COLUMN header_subject TEXT NULL;
ALTER TABLE migration_messages ADD COLUMN header_date TEXT NULL;

-- Messages that lie in another folder of the destination, and messages of which it holds more than one copy.
ALTER TABLE migration_evidence_folders ADD COLUMN misplaced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE migration_evidence_folders ADD COLUMN doubled INTEGER NOT NULL DEFAULT 0;

-- A waiver covers a message as it was: when that changes, the waiver expires. Several given at once share a batch.
ALTER TABLE migration_waivers ADD COLUMN batch TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN cause_kind TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN size INTEGER NULL;
ALTER TABLE migration_waivers ADD COLUMN internal_date TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN expired_at TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN expired_why TEXT NULL;
-- Where the message stood before: what it goes back to when the waiver ends.
ALTER TABLE migration_waivers ADD COLUMN former_state TEXT NULL;
CREATE INDEX idx_migration_waivers_message ON migration_waivers (message_id);
CREATE INDEX idx_migration_waivers_batch ON migration_waivers (batch);
-- Messages that lie twice in their folder have arrived and are residue all the same: they have a cause.
DROP INDEX idx_migration_messages_residue;
CREATE INDEX idx_migration_messages_residue ON migration_messages (folder_id, id)
    WHERE state <> 'arrived' OR fidelity = 'changed' OR cause_kind IS NOT NULL;

-- The figures that an approval signed, as JSON: whatever gets worse takes it away.
ALTER TABLE migration_jobs ADD COLUMN approval_signed TEXT NULL;
-- While nobody has approved again: when the last approval was taken away, and why.
ALTER TABLE migration_jobs ADD COLUMN approval_revoked_at TEXT NULL;
ALTER TABLE migration_jobs ADD COLUMN approval_revoked_why TEXT NULL;
-- After the cutover: how often stragglers are fetched, and how long the source must have been quiet.
ALTER TABLE migration_jobs ADD COLUMN straggler_minutes INTEGER NULL CHECK (straggler_minutes BETWEEN 5 AND 1440);
ALTER TABLE migration_jobs ADD COLUMN quiet_hours INTEGER NOT NULL DEFAULT 24 CHECK (quiet_hours BETWEEN 1 AND 720);
-- When the word came that the MX was changed: however early that is told to have been, quiet hours count from here.
ALTER TABLE migration_jobs ADD COLUMN dns_cutover_told_at TEXT NULL;
-- When the newest message of any source was first seen. It stays when that message is deleted there.
ALTER TABLE migration_jobs ADD COLUMN last_new_at TEXT NULL;
-- The hosts that the new MX will name, and DKIM selectors to look for: comma separated.
ALTER TABLE migration_jobs ADD COLUMN new_mx TEXT NOT NULL DEFAULT '';
ALTER TABLE migration_jobs ADD COLUMN dkim_selectors TEXT NOT NULL DEFAULT '';

-- Every verdict that differed from the one before.
CREATE TABLE migration_gate_history (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id       INTEGER NOT NULL REFERENCES migration_jobs (id),
    at           TEXT NOT NULL,
    from_gate    TEXT NOT NULL CHECK (from_gate IN ('blocked', 'warning', 'ready_for_dns')),
    to_gate      TEXT NOT NULL CHECK (to_gate IN ('blocked', 'warning', 'ready_for_dns')),
    reason       TEXT NOT NULL,
    evidence_id  INTEGER NULL,
    checks_json  TEXT NOT NULL,
    actor        TEXT NOT NULL
);
CREATE INDEX idx_migration_gate_history_job ON migration_gate_history (job_id, id);

-- What the domain's DNS said, as several resolvers saw it. `before` is kept for the rollback.
CREATE TABLE migration_dns_snapshots (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id    INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    taken_at  TEXT NOT NULL,
    moment    TEXT NOT NULL CHECK (moment IN ('before', 'cutover', 'after')),
    taken_by  TEXT NOT NULL,
    -- How long the MX could be kept, by this reading: the countdown needs it of many readings at once.
    mx_ttl    INTEGER NULL,
    dns_json  TEXT NOT NULL
);
CREATE INDEX idx_migration_dns_snapshots_job ON migration_dns_snapshots (job_id, id);

-- Outgoing webhooks. The secret is sealed, and so is the URL: at many receivers its path is the password. Only the
-- origin (scheme, host, port) can be read. A delivery holds the very bytes that are signed.
CREATE TABLE webhooks (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    origin       TEXT NOT NULL,
    url_blob     BLOB NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    events       TEXT NOT NULL,
    secret_blob  BLOB NOT NULL,
    -- The secret before this one still signs for a day, so that receivers can change over without losing anything.
    old_secret_blob   BLOB NULL,
    old_secret_until  TEXT NULL,
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    last_attempt_at   TEXT NULL,
    last_error        TEXT NULL,
    created_by   TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL
);

CREATE TABLE webhook_deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id       INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    message_id       TEXT NOT NULL,
    event            TEXT NOT NULL,
    job_id           INTEGER NULL,
    payload          TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'delivered', 'failed')),
    attempts         INTEGER NOT NULL DEFAULT 0,
    next_attempt_at  TEXT NOT NULL,
    -- While it lasts, one process posts to this webhook and no other.
    lease_until      TEXT NULL,
    response_status  INTEGER NULL,
    error            TEXT NULL,
    created_at       TEXT NOT NULL,
    attempted_at     TEXT NULL,
    delivered_at     TEXT NULL,
    replay_of        INTEGER NULL
);
CREATE INDEX idx_webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX idx_webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE status = 'queued';
CREATE INDEX idx_webhook_deliveries_leased ON webhook_deliveries (webhook_id, lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX idx_webhook_deliveries_age ON webhook_deliveries (created_at);

-- Webhooks that came in with an id: the same one again from the same sender changes nothing.
CREATE TABLE webhook_receipts (
    sender       TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    body_digest  TEXT NOT NULL,
    received_at  TEXT NOT NULL,
    PRIMARY KEY (sender, message_id)
);

-- Signed links to one job, for a ticket of another system or for the customer. The token itself is not stored.
CREATE TABLE share_links (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id        INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL CHECK (kind IN ('badge', 'customer')),
    label         TEXT NOT NULL DEFAULT '',
    nonce         TEXT NOT NULL UNIQUE,
    created_by    TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    expires_at    TEXT NOT NULL,
    revoked_at    TEXT NULL,
    last_used_at  TEXT NULL
);
CREATE INDEX idx_share_links_job ON share_links (job_id, id);

-- Reports that were made, without their content: which digest was signed when, for whom, on which evidence. The file
-- itself lies on the ticket, where it was attached.
CREATE TABLE migration_reports (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id        INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    generated_at  TEXT NOT NULL,
    edition       TEXT NOT NULL CHECK (edition IN ('full', 'customer')),
    evidence_id   INTEGER NULL,
    digest        TEXT NOT NULL,
    signature     TEXT NOT NULL,
    made_by       TEXT NOT NULL,
    attached_at   TEXT NULL,
    -- 1: attached by Gatepost itself when the job was verified; once for each evidence.
    automatic     INTEGER NOT NULL DEFAULT 0 CHECK (automatic IN (0, 1))
);
CREATE INDEX idx_migration_reports_job ON migration_reports (job_id, id);
CREATE UNIQUE INDEX idx_migration_reports_automatic ON migration_reports (job_id, evidence_id) WHERE automatic = 1;

-- The audit log's newest row, written with each row: so that rows cut off its end are missed.
INSERT INTO settings (key, value, updated_at)
    SELECT 'audit_head', id || ':' || hash, at FROM audit_log ORDER BY id DESC LIMIT 1;
