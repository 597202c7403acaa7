-- Proof, gate and paper: why a message is missing, what was signed, what the DNS said, who is told.

-- Why a message is where it is, for programs; `cause` says it for people. The headers are kept of what is missing.
ALTER TABLE migration_messages ADD COLUMN cause_kind TEXT NULL;
ALTER TABLE migration_messages ADD COLUMN header_from TEXT NULL;
ALTER TABLE migration_messages ADD COLUMN header_subject TEXT NULL;
ALTER TABLE migration_messages ADD COLUMN header_date TEXT NULL;

-- Messages that lie in another folder of the destination, and messages of which it holds more than one copy.
ALTER TABLE migration_evidence_folders ADD COLUMN misplaced BIGINT NOT NULL DEFAULT 0;
ALTER TABLE migration_evidence_folders ADD COLUMN doubled BIGINT NOT NULL DEFAULT 0;

-- A waiver covers a message as it was: when that changes, the waiver expires. Several given at once share a batch.
ALTER TABLE migration_waivers ADD COLUMN batch TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN cause_kind TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN size BIGINT NULL;
ALTER TABLE migration_waivers ADD COLUMN internal_date TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN expired_at TEXT NULL;
ALTER TABLE migration_waivers ADD COLUMN expired_why TEXT NULL;
CREATE INDEX idx_migration_waivers_message ON migration_waivers (message_id);

-- The figures that an approval signed, as JSON: whatever gets worse takes it away.
ALTER TABLE migration_jobs ADD COLUMN approval_signed TEXT NULL;
-- After the cutover: how often stragglers are fetched, and how long the source must have been quiet.
ALTER TABLE migration_jobs ADD COLUMN straggler_minutes BIGINT NULL CHECK (straggler_minutes BETWEEN 5 AND 1440);
ALTER TABLE migration_jobs ADD COLUMN quiet_hours BIGINT NOT NULL DEFAULT 24 CHECK (quiet_hours BETWEEN 1 AND 720);

-- Every verdict that differed from the one before.
CREATE TABLE migration_gate_history (
    id           BIGSERIAL PRIMARY KEY,
    job_id       BIGINT NOT NULL REFERENCES migration_jobs (id),
    at           TEXT NOT NULL,
    from_gate    TEXT NOT NULL CHECK (from_gate IN ('blocked', 'warning', 'ready_for_dns')),
    to_gate      TEXT NOT NULL CHECK (to_gate IN ('blocked', 'warning', 'ready_for_dns')),
    reason       TEXT NOT NULL,
    evidence_id  BIGINT NULL,
    checks_json  TEXT NOT NULL,
    actor        TEXT NOT NULL
);
CREATE INDEX idx_migration_gate_history_job ON migration_gate_history (job_id, id);

-- What the domain's DNS said, as several resolvers saw it. `before` is kept for the rollback.
CREATE TABLE migration_dns_snapshots (
    id        BIGSERIAL PRIMARY KEY,
    job_id    BIGINT NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    taken_at  TEXT NOT NULL,
    moment    TEXT NOT NULL CHECK (moment IN ('before', 'cutover', 'after')),
    taken_by  TEXT NOT NULL,
    dns_json  TEXT NOT NULL
);
CREATE INDEX idx_migration_dns_snapshots_job ON migration_dns_snapshots (job_id, id);

-- Outgoing webhooks. The secret is sealed; a delivery holds the very bytes that are signed.
CREATE TABLE webhooks (
    id           BIGSERIAL PRIMARY KEY,
    url          TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    events       TEXT NOT NULL,
    secret_blob  BYTEA NOT NULL,
    disabled     BIGINT NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_by   TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL
);

CREATE TABLE webhook_deliveries (
    id               BIGSERIAL PRIMARY KEY,
    webhook_id       BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    message_id       TEXT NOT NULL,
    event            TEXT NOT NULL,
    job_id           BIGINT NULL,
    payload          TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'delivered', 'failed')),
    attempts         BIGINT NOT NULL DEFAULT 0,
    next_attempt_at  BIGINT NOT NULL,
    response_status  BIGINT NULL,
    error            TEXT NULL,
    created_at       TEXT NOT NULL,
    attempted_at     TEXT NULL,
    delivered_at     TEXT NULL,
    replay_of        BIGINT NULL
);
CREATE INDEX idx_webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX idx_webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE status = 'queued';

-- Webhooks that came in with an id: the same one again changes nothing.
CREATE TABLE webhook_receipts (
    message_id   TEXT PRIMARY KEY,
    body_digest  TEXT NOT NULL,
    received_at  TEXT NOT NULL
);

-- Signed links to one job, for a ticket of another system or for the customer. The token itself is not stored.
CREATE TABLE share_links (
    id            BIGSERIAL PRIMARY KEY,
    job_id        BIGINT NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
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
