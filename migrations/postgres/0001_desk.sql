-- The Desk's own nouns: who works here, for whom, and on what ticket.
-- Times are ISO 8601 text in UTC, truth values are 0 and 1: both databases read them alike.

CREATE TABLE tenants (
    id          BIGSERIAL PRIMARY KEY,
    name        TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE UNIQUE INDEX idx_tenants_name ON tenants (lower(name));

CREATE TABLE users (
    id             BIGSERIAL PRIMARY KEY,
    email          TEXT NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    name           TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('technician', 'ops_lead', 'super_admin')),
    password_hash  TEXT NOT NULL,
    disabled       BIGINT NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    -- Raised when a password, a role or the account's state changes: older sessions and JWTs end with it.
    generation     BIGINT NOT NULL DEFAULT 0,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    last_login_at  TEXT NULL
);
CREATE UNIQUE INDEX idx_users_email ON users (lower(email));

-- tower-sessions' records; `data` is MessagePack or JSON as the session layer writes it.
CREATE TABLE sessions (
    id          TEXT PRIMARY KEY,
    data        BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX idx_sessions_expires ON sessions (expires_at);

-- Service tokens: the secret itself is never stored, only its SHA-256.
CREATE TABLE tokens (
    id            BIGSERIAL PRIMARY KEY,
    name          TEXT NOT NULL,
    secret_hash   TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    expires_at    TEXT NULL,
    last_used_at  TEXT NULL,
    revoked_at    TEXT NULL
);

-- Small facts of the installation: the hash of the set-up link while no user exists, …
CREATE TABLE settings (
    key         TEXT PRIMARY KEY,
    value       TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);

CREATE TABLE tickets (
    id          BIGSERIAL PRIMARY KEY,
    tenant_id   BIGINT NOT NULL REFERENCES tenants (id),
    subject     TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 300),
    body        TEXT NOT NULL DEFAULT '',
    status      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE INDEX idx_tickets_tenant ON tickets (tenant_id);
CREATE INDEX idx_tickets_status ON tickets (status, id);

CREATE TABLE ticket_attachments (
    id          BIGSERIAL PRIMARY KEY,
    ticket_id   BIGINT NOT NULL REFERENCES tickets (id),
    name        TEXT NOT NULL,
    media_type  TEXT NOT NULL,
    size        BIGINT NOT NULL,
    digest      TEXT NOT NULL,
    content     BYTEA NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL
);
CREATE INDEX idx_ticket_attachments_ticket ON ticket_attachments (ticket_id);

-- Append-only and hash-chained: each row's hash covers the one before it.
CREATE TABLE audit_log (
    id             BIGINT PRIMARY KEY,
    at             TEXT NOT NULL,
    actor          TEXT NOT NULL,
    action         TEXT NOT NULL,
    job_id         BIGINT NULL,
    subject        TEXT NOT NULL,
    before         TEXT NULL,
    after          TEXT NULL,
    reason         TEXT NULL,
    previous_hash  TEXT NOT NULL,
    hash           TEXT NOT NULL UNIQUE
);
CREATE INDEX idx_audit_job ON audit_log (job_id, id);
CREATE INDEX idx_audit_action ON audit_log (action, id);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE OR DELETE ON audit_log
FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
