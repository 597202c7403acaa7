-- Tokens that a provider is still to take back (RFC 7009). The consent is gone, or its tokens are, when a row appears, so
-- nothing of the row refers to it; what people are shown is written here. The token is forgotten once the provider has
-- confirmed, or when it is given up.
CREATE TABLE oauth_revocations (
    id            BIGSERIAL PRIMARY KEY,
    consent_id    BIGINT NOT NULL,
    app_id        BIGINT NULL REFERENCES oauth_apps (id) ON DELETE SET NULL,
    app_name      TEXT NOT NULL,
    job_id        BIGINT NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    mailbox_id    BIGINT NULL REFERENCES migration_mailboxes (id) ON DELETE SET NULL,
    email         TEXT NOT NULL,
    side          TEXT NOT NULL CHECK (side IN ('source', 'dest')),
    directory     TEXT NULL,
    token_blob    BYTEA NULL,
    state         TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'confirmed', 'given_up')),
    tries         BIGINT NOT NULL DEFAULT 0,
    error         TEXT NULL,
    withdrawn_by  TEXT NOT NULL,
    withdrawn_at  TEXT NOT NULL,
    next_try_at   TEXT NULL,
    settled_at    TEXT NULL,
    CHECK ((state = 'waiting') = (token_blob IS NOT NULL)),
    CHECK ((state = 'waiting') = (next_try_at IS NOT NULL))
);
CREATE INDEX idx_oauth_revocations_due ON oauth_revocations (next_try_at) WHERE state = 'waiting';
CREATE INDEX idx_oauth_revocations_job ON oauth_revocations (job_id);
CREATE INDEX idx_oauth_revocations_mailbox ON oauth_revocations (mailbox_id) WHERE mailbox_id IS NOT NULL;
CREATE INDEX idx_oauth_revocations_app ON oauth_revocations (app_id) WHERE app_id IS NOT NULL;
