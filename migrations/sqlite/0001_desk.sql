-- The Desk's own nouns: who works here, for whom, and on what ticket.
-- Times are ISO 8601 text in UTC, truth values are 0 and 1: both databases read them alike.

CREATE TABLE tenants (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE UNIQUE INDEX idx_tenants_name ON tenants (lower(name));

CREATE TABLE users (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    email          TEXT NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    name           TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('technician', 'ops_lead', 'super_admin')),
    password_hash  TEXT NOT NULL,
    disabled       INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    -- Raised when a password, a role or the account's state changes: older sessions and JWTs end with it.
    generation     INTEGER NOT NULL DEFAULT 0,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    last_login_at  TEXT NULL
);
CREATE UNIQUE INDEX idx_users_email ON users (lower(email));

-- tower-sessions' records; `data` is MessagePack or JSON as the session layer writes it.
CREATE TABLE sessions (
    id          TEXT PRIMARY KEY,
    data        BLOB NOT NULL,
    expires_at  INTEGER NOT NULL
);
CREATE INDEX idx_sessions_expires ON sessions (expires_at);

-- Service tokens: the secret itself is never stored, only its SHA-256.
CREATE TABLE tokens (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
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
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL REFERENCES tenants (id),
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
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_id   INTEGER NOT NULL REFERENCES tickets (id),
    name        TEXT NOT NULL,
    media_type  TEXT NOT NULL,
    size        INTEGER NOT NULL,
    digest      TEXT NOT NULL,
    content     BLOB NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL
);
CREATE INDEX idx_ticket_attachments_ticket ON ticket_attachments (ticket_id);

-- Append-only and hash-chained: each row's hash covers the one before it.
CREATE TABLE audit_log (
    id             INTEGER PRIMARY KEY,
    at             TEXT NOT NULL,
    actor          TEXT NOT NULL,
    action         TEXT NOT NULL,
    job_id         INTEGER NULL,
    subject        TEXT NOT NULL,
    before         TEXT NULL,
    after          TEXT NULL,
    reason         TEXT NULL,
    previous_hash  TEXT NOT NULL,
    hash           TEXT NOT NULL UNIQUE
);
CREATE INDEX idx_audit_job ON audit_log (job_id, id);
CREATE INDEX idx_audit_action ON audit_log (action, id);

CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_is_not_shortened BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
