-- The five tables of the data model, with its names, and what the proof needs beside them.
-- Columns below the line `-- beside the data model` are our own.

CREATE TABLE migration_jobs (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id            INTEGER NOT NULL REFERENCES tenants (id),
    ticket_id            INTEGER NULL REFERENCES tickets (id),
    domain               TEXT NOT NULL,
    phase                TEXT NOT NULL DEFAULT 'discovered' CHECK (phase IN ('discovered', 'preflight', 'initial_sync',
                             'delta_sync', 'cutover_ready', 'dns_cutover', 'final_sync', 'verified', 'closed', 'failed')),
    migration_gate       TEXT NOT NULL DEFAULT 'blocked' CHECK (migration_gate IN ('blocked', 'warning', 'ready_for_dns')),
    source_server_label  TEXT NOT NULL DEFAULT '',
    dest_imap_host       TEXT NOT NULL,
    notes                TEXT NOT NULL DEFAULT '',
    approved_by          TEXT NULL,
    approved_at          TEXT NULL,
    dns_cutover_at       TEXT NULL,
    created_at           TEXT NOT NULL,
    updated_at           TEXT NOT NULL,
    -- beside the data model
    failed_phase         TEXT NULL CHECK ((phase = 'failed') = (failed_phase IS NOT NULL)),
    dest_imap_port       INTEGER NOT NULL CHECK (dest_imap_port BETWEEN 1 AND 65535),
    dest_imap_security   TEXT NOT NULL CHECK (dest_imap_security IN ('tls', 'starttls', 'plain')),
    dest_insecure_tls    INTEGER NOT NULL DEFAULT 0 CHECK (dest_insecure_tls IN (0, 1)),
    approved_evidence_id INTEGER NULL,
    approval_note        TEXT NULL,
    override_reason      TEXT NULL,
    -- Sums over the mailboxes, kept by the same transactions that change them, so that lists stay cheap.
    messages_source      INTEGER NOT NULL DEFAULT 0,
    messages_dest        INTEGER NOT NULL DEFAULT 0,
    mailboxes            INTEGER NOT NULL DEFAULT 0,
    mailboxes_in_trouble INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX idx_migration_jobs_domain ON migration_jobs (domain);
CREATE INDEX idx_migration_jobs_phase ON migration_jobs (phase);
CREATE INDEX idx_migration_jobs_gate ON migration_jobs (migration_gate);
CREATE INDEX idx_migration_jobs_tenant ON migration_jobs (tenant_id);
CREATE INDEX idx_migration_jobs_ticket ON migration_jobs (ticket_id);
CREATE INDEX idx_migration_jobs_updated ON migration_jobs (updated_at);
-- What the overview shows as needing attention; it holds nothing else.
CREATE INDEX idx_migration_jobs_attention ON migration_jobs (updated_at)
    WHERE phase <> 'closed' AND (mailboxes_in_trouble > 0 OR phase = 'failed');

CREATE TABLE migration_mailboxes (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id                INTEGER NOT NULL REFERENCES migration_jobs (id),
    email                 TEXT NOT NULL,
    source_type           TEXT NOT NULL CHECK (source_type IN ('imap', 'imap_oauth', 'pst', 'mbox', 'eml', 'tgz', 'zimbra', 'dovecot')),
    source_host           TEXT NULL,
    source_user           TEXT NULL,
    credentials_ref       TEXT NULL,
    pst_path              TEXT NULL,
    folder_map_json       TEXT NULL,
    messages_source       INTEGER NOT NULL DEFAULT 0,
    messages_dest         INTEGER NOT NULL DEFAULT 0,
    bytes_source          INTEGER NOT NULL DEFAULT 0,
    bytes_dest            INTEGER NOT NULL DEFAULT 0,
    sync_percent          REAL NOT NULL DEFAULT 0,
    last_error            TEXT NULL,
    status                TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'syncing', 'ok', 'error', 'quarantine')),
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL,
    -- beside the data model
    tool                  TEXT NOT NULL DEFAULT 'native' CHECK (tool IN ('native', 'imapsync', 'readpst', 'imap-upload', 'zmmailbox', 'doveadm')),
    source_port           INTEGER NULL CHECK (source_port BETWEEN 1 AND 65535),
    source_security       TEXT NULL CHECK (source_security IN ('tls', 'starttls', 'plain')),
    source_insecure_tls   INTEGER NOT NULL DEFAULT 0 CHECK (source_insecure_tls IN (0, 1)),
    dest_user             TEXT NULL,
    dest_credentials_ref  TEXT NULL
);
CREATE INDEX idx_migration_mailboxes_job ON migration_mailboxes (job_id);
-- Several sources may feed one mailbox (a server and a file), but not the same one twice.
CREATE UNIQUE INDEX idx_migration_mailboxes_one ON migration_mailboxes
    (job_id, lower(email), source_type, coalesce(source_host, ''), coalesce(source_user, ''), coalesce(pst_path, ''));

CREATE TABLE migration_runs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id           INTEGER NOT NULL REFERENCES migration_jobs (id),
    mailbox_id       INTEGER NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    run_type         TEXT NOT NULL CHECK (run_type IN ('preflight', 'initial', 'delta', 'final', 'verify',
                         'pst_extract', 'pst_upload', 'tgz_export', 'tgz_import')),
    tool             TEXT NOT NULL CHECK (tool IN ('native', 'imapsync', 'readpst', 'imap-upload', 'zmmailbox', 'doveadm', 'verify')),
    status           TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'success', 'partial', 'failed')),
    exit_code        INTEGER NULL,
    log_path         TEXT NOT NULL DEFAULT '',
    stats_json       TEXT NOT NULL DEFAULT '{}',
    started_at       TEXT NULL,
    finished_at      TEXT NULL,
    triggered_by     TEXT NOT NULL,
    -- beside the data model
    params_json      TEXT NOT NULL DEFAULT '{}',
    summary          TEXT NULL,
    queued_at        TEXT NOT NULL,
    -- The queue: a worker holds a run by a lease that it renews; a run whose lease has ended is taken up again.
    worker           TEXT NULL,
    lease_until      INTEGER NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    done             INTEGER NOT NULL DEFAULT 0,
    total            INTEGER NOT NULL DEFAULT 0,
    bytes_done       INTEGER NOT NULL DEFAULT 0,
    bytes_total      INTEGER NOT NULL DEFAULT 0,
    bytes_per_second REAL NOT NULL DEFAULT 0,
    eta_seconds      INTEGER NULL
);
CREATE INDEX idx_migration_runs_job ON migration_runs (job_id);
CREATE INDEX idx_migration_runs_status ON migration_runs (status, id);
CREATE INDEX idx_migration_runs_mailbox ON migration_runs (mailbox_id, run_type, id);
-- One run at a time for a mailbox, whoever asks and however many workers there are.
CREATE UNIQUE INDEX idx_migration_runs_one_active ON migration_runs (mailbox_id) WHERE status IN ('queued', 'running');
-- A job's runs at work are counted through this index, so no sum of them can drift.
CREATE INDEX idx_migration_runs_active ON migration_runs (job_id) WHERE status IN ('queued', 'running');

CREATE TABLE migration_gate_checks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id      INTEGER NOT NULL REFERENCES migration_jobs (id),
    check_id    TEXT NOT NULL CHECK (check_id IN ('count_ratio', 'folder_coverage', 'inbox_complete', 'sent_complete',
                    'content_match', 'pst_quarantine', 'delta_pending', 'manual_approval')),
    status      TEXT NOT NULL CHECK (status IN ('pass', 'warn', 'fail')),
    message     TEXT NOT NULL,
    checked_at  TEXT NOT NULL
);
-- The present result of each check; what it was before stands in the audit log.
CREATE UNIQUE INDEX idx_migration_gate_checks_one ON migration_gate_checks (job_id, check_id);

CREATE TABLE migration_credentials (
    id           TEXT PRIMARY KEY,
    mailbox_id   INTEGER NOT NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    secret_blob  BLOB NOT NULL,
    created_at   TEXT NOT NULL,
    expires_at   TEXT NULL
);
CREATE INDEX idx_migration_credentials_mailbox ON migration_credentials (mailbox_id);

CREATE TABLE migration_phase_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id      INTEGER NOT NULL REFERENCES migration_jobs (id),
    from_phase  TEXT NOT NULL,
    to_phase    TEXT NOT NULL,
    at          TEXT NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL
);
CREATE INDEX idx_migration_phase_history_job ON migration_phase_history (job_id, id);

CREATE TABLE migration_run_steps (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id       INTEGER NOT NULL REFERENCES migration_runs (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('queued', 'running', 'success', 'partial', 'failed')),
    done         INTEGER NOT NULL DEFAULT 0,
    total        INTEGER NOT NULL DEFAULT 0,
    bytes_done   INTEGER NOT NULL DEFAULT 0,
    bytes_total  INTEGER NOT NULL DEFAULT 0,
    note         TEXT NULL,
    started_at   TEXT NULL,
    finished_at  TEXT NULL
);
CREATE UNIQUE INDEX idx_migration_run_steps_one ON migration_run_steps (run_id, position);

CREATE TABLE migration_run_events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id   INTEGER NOT NULL REFERENCES migration_runs (id) ON DELETE CASCADE,
    at       TEXT NOT NULL,
    level    TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')),
    kind     TEXT NOT NULL,
    message  TEXT NOT NULL
);
CREATE INDEX idx_migration_run_events_run ON migration_run_events (run_id, id);

-- The ledger: every folder and every message of a source, and what became of it.
CREATE TABLE migration_folders (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox_id       INTEGER NOT NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    source_path      TEXT NOT NULL,
    dest_path        TEXT NOT NULL,
    special_use      TEXT NULL,
    -- The epoch of dest_uid in migration_messages.
    dest_epoch       INTEGER NULL,
    cursor_epoch     INTEGER NULL,
    cursor_next_uid  INTEGER NULL,
    cursor_modseq    INTEGER NULL,
    visited_at       TEXT NULL,
    gone_at          TEXT NULL
);
CREATE UNIQUE INDEX idx_migration_folders_one ON migration_folders (mailbox_id, source_path);

-- A cursor advances only after what it covers is in the ledger; its history shows that.
CREATE TABLE migration_cursor_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    folder_id   INTEGER NOT NULL REFERENCES migration_folders (id) ON DELETE CASCADE,
    epoch       INTEGER NOT NULL,
    next_uid    INTEGER NOT NULL,
    modseq      INTEGER NULL,
    at          TEXT NOT NULL
);
CREATE INDEX idx_migration_cursor_history_folder ON migration_cursor_history (folder_id, id);

CREATE TABLE migration_messages (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    folder_id          INTEGER NOT NULL REFERENCES migration_folders (id) ON DELETE CASCADE,
    uid                INTEGER NOT NULL,
    size               INTEGER NOT NULL,
    internal_date      TEXT NOT NULL,
    flags              TEXT NOT NULL,
    state              TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('arrived', 'pending', 'quarantined', 'waived')),
    cause              TEXT NULL,
    dest_uid           INTEGER NULL,
    digest             BLOB NULL,
    canonical_digest   BLOB NULL,
    bytes              INTEGER NULL,
    message_id_header  TEXT NULL,
    dropped_flags      TEXT NULL,
    adopted            INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1)),
    fidelity           TEXT NULL CHECK (fidelity IN ('identical', 'equivalent', 'rewritten', 'changed')),
    verified_at        TEXT NULL,
    first_seen_at      TEXT NOT NULL,
    copied_at          TEXT NULL
);
CREATE UNIQUE INDEX idx_migration_messages_one ON migration_messages (folder_id, uid);
-- The residue is small beside the ledger: this index holds nothing else.
CREATE INDEX idx_migration_messages_residue ON migration_messages (folder_id, id)
    WHERE state <> 'arrived' OR fidelity = 'changed';

-- A message given up on purpose: by whom and why. The row stays when the message itself has gone from the source.
CREATE TABLE migration_waivers (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox_id  INTEGER NOT NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    message_id  INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          TEXT NOT NULL
);
CREATE INDEX idx_migration_waivers_mailbox ON migration_waivers (mailbox_id, id);

-- What a verification read of one mailbox. Never changed: a waiver adds a new row that names the old one.
CREATE TABLE migration_evidence (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id       INTEGER NOT NULL REFERENCES migration_jobs (id),
    mailbox_id   INTEGER NOT NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    run_id       INTEGER NOT NULL,
    replaces     INTEGER NULL,
    depth        TEXT NOT NULL CHECK (depth IN ('quick', 'standard', 'deep')),
    read_at      TEXT NOT NULL,
    source       INTEGER NOT NULL,
    arrived      INTEGER NOT NULL,
    pending      INTEGER NOT NULL,
    quarantined  INTEGER NOT NULL,
    waived       INTEGER NOT NULL
);
CREATE INDEX idx_migration_evidence_mailbox ON migration_evidence (mailbox_id, id);
CREATE INDEX idx_migration_evidence_job ON migration_evidence (job_id, id);

CREATE TABLE migration_evidence_folders (
    evidence_id  INTEGER NOT NULL REFERENCES migration_evidence (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    folder_id    INTEGER NULL,
    source_path  TEXT NOT NULL,
    dest_path    TEXT NULL,
    special_use  TEXT NULL,
    visited      INTEGER NOT NULL CHECK (visited IN (0, 1)),
    source       INTEGER NOT NULL,
    arrived      INTEGER NOT NULL,
    pending      INTEGER NOT NULL,
    quarantined  INTEGER NOT NULL,
    waived       INTEGER NOT NULL,
    extra        INTEGER NOT NULL,
    changed      INTEGER NOT NULL,
    rewritten    INTEGER NOT NULL,
    flags_lost   INTEGER NOT NULL,
    bodies_read  INTEGER NOT NULL,
    note         TEXT NULL,
    PRIMARY KEY (evidence_id, position)
);
