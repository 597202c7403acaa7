-- Waves, schedules and pauses: runs that start, wait and rest by themselves.

-- Jobs and mailboxes that move together.
CREATE TABLE migration_waves (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    name               TEXT NOT NULL,
    notes              TEXT NOT NULL DEFAULT '',
    -- Runs of waves with a smaller one are begun first.
    position           INTEGER NOT NULL CHECK (position BETWEEN 1 AND 1000000),
    mailboxes_at_once  INTEGER NULL CHECK (mailboxes_at_once BETWEEN 1 AND 1000),
    bytes_per_second   INTEGER NULL CHECK (bytes_per_second >= 1024),
    created_by         TEXT NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE UNIQUE INDEX idx_migration_waves_name ON migration_waves (lower(name));

-- A mailbox is in its own wave, else in its job's.
ALTER TABLE migration_jobs ADD COLUMN wave_id INTEGER NULL REFERENCES migration_waves (id) ON DELETE SET NULL;
ALTER TABLE migration_mailboxes ADD COLUMN wave_id INTEGER NULL REFERENCES migration_waves (id) ON DELETE SET NULL;
-- The wave of an active run's mailbox, kept here so that handing out a run costs no look at mailboxes and jobs.
ALTER TABLE migration_runs ADD COLUMN wave_id INTEGER NULL REFERENCES migration_waves (id) ON DELETE SET NULL;
CREATE INDEX idx_migration_jobs_wave ON migration_jobs (wave_id) WHERE wave_id IS NOT NULL;
CREATE INDEX idx_migration_mailboxes_wave ON migration_mailboxes (wave_id) WHERE wave_id IS NOT NULL;
CREATE INDEX idx_migration_runs_wave ON migration_runs (wave_id) WHERE wave_id IS NOT NULL;

-- Since when the schedule that is now in force for a job is so: what another would have started before counts not.
ALTER TABLE migration_jobs ADD COLUMN scheduled_since TEXT NULL;

-- When runs start by themselves: the installation's (one row, from its configuration), a wave's, a job's.
CREATE TABLE migration_schedules (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    scope           TEXT NOT NULL CHECK (scope IN ('default', 'wave', 'job')),
    job_id          INTEGER NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    wave_id         INTEGER NULL REFERENCES migration_waves (id) ON DELETE CASCADE,
    expression      TEXT NOT NULL,
    time_zone       TEXT NOT NULL,
    -- HH:MM-HH:MM in that zone, over midnight where the first is the later one.
    open_hours      TEXT NULL,
    jitter_minutes  INTEGER NOT NULL DEFAULT 0 CHECK (jitter_minutes BETWEEN 0 AND 720),
    enabled         INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- Moments before this one are none of it.
    since           TEXT NOT NULL,
    updated_by      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    CHECK ((scope = 'job') = (job_id IS NOT NULL)),
    CHECK ((scope = 'wave') = (wave_id IS NOT NULL))
);
CREATE UNIQUE INDEX idx_migration_schedules_one
    ON migration_schedules (scope, coalesce(job_id, 0), coalesce(wave_id, 0));

-- Every moment at which runs of a job were due, and what became of it. Whoever writes the row has the moment: of several
-- processes on one database one starts the runs.
CREATE TABLE migration_schedule_runs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule_id  INTEGER NOT NULL REFERENCES migration_schedules (id) ON DELETE CASCADE,
    job_id       INTEGER NOT NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    due_at       TEXT NOT NULL,
    decided_at   TEXT NOT NULL,
    -- The machine by whose clock: only it may void what its clock decided in a future that was none.
    decided_by   TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('started', 'skipped', 'missed', 'failed')),
    reason       TEXT NULL,
    runs         INTEGER NOT NULL DEFAULT 0 CHECK (runs >= 0),
    UNIQUE (schedule_id, job_id, due_at)
);
CREATE INDEX idx_migration_schedule_runs_job ON migration_schedule_runs (job_id, due_at);
CREATE INDEX idx_migration_schedule_runs_age ON migration_schedule_runs (decided_at);

-- What rests until somebody lets it go on. Who did it when, and who ended it, stands in the audit log too.
CREATE TABLE migration_pauses (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    scope      TEXT NOT NULL CHECK (scope IN ('everything', 'host', 'wave', 'job')),
    job_id     INTEGER NULL REFERENCES migration_jobs (id) ON DELETE CASCADE,
    wave_id    INTEGER NULL REFERENCES migration_waves (id) ON DELETE CASCADE,
    host       TEXT NULL,
    reason     TEXT NOT NULL DEFAULT '',
    paused_by  TEXT NOT NULL,
    paused_at  TEXT NOT NULL,
    CHECK ((scope = 'job') = (job_id IS NOT NULL)),
    CHECK ((scope = 'wave') = (wave_id IS NOT NULL)),
    CHECK ((scope = 'host') = (host IS NOT NULL))
);
CREATE UNIQUE INDEX idx_migration_pauses_one
    ON migration_pauses (scope, coalesce(job_id, 0), coalesce(wave_id, 0), coalesce(host, ''));
