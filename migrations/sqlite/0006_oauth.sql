-- OAuth 2: applications that are registered with providers, and the consents that were given to them.

-- An application. Its secret (a client secret, a certificate's key, a service account's key) is sealed.
CREATE TABLE oauth_apps (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT NOT NULL UNIQUE,
    provider       TEXT NOT NULL CHECK (provider IN ('microsoft', 'google', 'custom')),
    client_id      TEXT NOT NULL,
    proof          TEXT NOT NULL CHECK (proof IN ('none', 'secret', 'certificate', 'service_account')),
    secret_blob    BLOB NULL,
    certificate    TEXT NULL,
    directory      TEXT NULL,
    authorize_url  TEXT NULL,
    token_url      TEXT NULL,
    device_url     TEXT NULL,
    revoke_url     TEXT NULL,
    scopes         TEXT NOT NULL DEFAULT '',
    -- A token is shown to these mail servers and to no other, whatever a mailbox says: comma separated.
    mail_hosts     TEXT NOT NULL,
    secret_expires_on  TEXT NULL,
    created_by     TEXT NOT NULL,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    CHECK ((proof = 'none') = (secret_blob IS NULL))
);

-- A consent: of one mailbox's owner, or (without a mailbox) for all mailboxes of a job whose accounts lie in its domain.
CREATE TABLE oauth_consents (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id      INTEGER NOT NULL REFERENCES oauth_apps (id),
    job_id      INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    mailbox_id  INTEGER NULL REFERENCES migration_mailboxes (id) ON DELETE CASCADE,
    side        TEXT NOT NULL CHECK (side IN ('source', 'dest')),
    way         TEXT NOT NULL CHECK (way IN ('authorization_code', 'device_code', 'client_credentials', 'service_account')),
    domain      TEXT NULL,
    directory   TEXT NULL,
    -- The new server that an ops lead knew of, for all mailboxes of a job.
    dest        TEXT NULL,
    state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'valid', 'expired', 'revoked', 'failed')),
    error       TEXT NULL,
    account     TEXT NULL,
    granted_by  TEXT NULL,
    granted_at  TEXT NULL,
    expires_at  TEXT NULL,
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    CHECK ((mailbox_id IS NULL) = (domain IS NOT NULL))
);
CREATE UNIQUE INDEX idx_oauth_consents_mailbox ON oauth_consents (mailbox_id, side) WHERE mailbox_id IS NOT NULL;
CREATE UNIQUE INDEX idx_oauth_consents_job ON oauth_consents (job_id, side) WHERE mailbox_id IS NULL;
CREATE INDEX idx_oauth_consents_of_job ON oauth_consents (job_id);
CREATE INDEX idx_oauth_consents_app ON oauth_consents (app_id);

-- The tokens of a consent, sealed: one row, or one for each account where the provider gives them by account. Who renews
-- them is named, so that a refresh token that ends with its use is used by one process, once, and is never written over
-- by an answer to an older one.
CREATE TABLE oauth_tokens (
    consent_id     INTEGER NOT NULL REFERENCES oauth_consents (id) ON DELETE CASCADE,
    subject        TEXT NOT NULL DEFAULT '',
    access_blob    BLOB NULL,
    access_until   TEXT NULL,
    refresh_blob   BLOB NULL,
    refreshed_at   TEXT NULL,
    renewer        TEXT NULL,
    renewer_until  TEXT NULL,
    PRIMARY KEY (consent_id, subject)
);

-- Browsers that were sent to a provider and have to come back: by a state that is used once, in the browser that left.
CREATE TABLE oauth_requests (
    state_digest    TEXT PRIMARY KEY,
    consent_id      INTEGER NOT NULL REFERENCES oauth_consents (id) ON DELETE CASCADE,
    browser_digest  TEXT NOT NULL,
    verifier_blob   BLOB NOT NULL,
    redirect_url    TEXT NOT NULL,
    link_id         INTEGER NULL,
    asked_by        TEXT NOT NULL,
    any_account     INTEGER NOT NULL DEFAULT 0,
    created_at      TEXT NOT NULL,
    expires_at      TEXT NOT NULL,
    used_at         TEXT NULL
);
CREATE INDEX idx_oauth_requests_consent ON oauth_requests (consent_id);
CREATE INDEX idx_oauth_requests_age ON oauth_requests (expires_at);

-- Codes that wait to be typed in at a provider's page.
CREATE TABLE oauth_devices (
    consent_id        INTEGER PRIMARY KEY REFERENCES oauth_consents (id) ON DELETE CASCADE,
    device_blob       BLOB NOT NULL,
    user_code         TEXT NOT NULL,
    verification_url  TEXT NOT NULL,
    interval_seconds  INTEGER NOT NULL,
    next_poll_at      TEXT NOT NULL,
    expires_at        TEXT NOT NULL,
    asked_by          TEXT NOT NULL,
    any_account       INTEGER NOT NULL DEFAULT 0
);

-- Links that ask a mailbox's owner to consent. The token itself is not stored.
CREATE TABLE oauth_links (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    consent_id  INTEGER NOT NULL REFERENCES oauth_consents (id) ON DELETE CASCADE,
    nonce       TEXT NOT NULL UNIQUE,
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    used_at     TEXT NULL,
    revoked_at  TEXT NULL
);
CREATE INDEX idx_oauth_links_consent ON oauth_links (consent_id);

-- A digest of the accounts and servers that an ops lead has let a consent for all mailboxes of the job serve.
ALTER TABLE migration_mailboxes ADD COLUMN oauth_confirmed TEXT NULL;
