-- Whether a run that has ended left everything as it was, so that what was read before it still holds: a copy that ended
-- well and had nothing to do, a count that found nothing otherwise. How many of these have run since a verification must
-- not matter to whoever asks for the last run that is none of them.
ALTER TABLE migration_runs ADD COLUMN idle BIGINT NOT NULL DEFAULT 0 CHECK (idle IN (0, 1));

-- One by one: figures that are no JSON, or hold what no text of PostgreSQL's can, are read by none of its functions. Such a
-- run stays one of the others.
DO $$
DECLARE
    run RECORD;
BEGIN
    FOR run IN SELECT id, run_type, stats_json FROM migration_runs
        WHERE status = 'success' AND run_type IN ('verify', 'initial', 'delta', 'final')
    LOOP
        BEGIN
            UPDATE migration_runs SET idle = 1 WHERE id = run.id AND CASE run.run_type
                WHEN 'verify' THEN
                    coalesce(CAST(run.stats_json AS json) ->> 'depth', '') = 'quick'
                    AND coalesce(CAST(run.stats_json AS json) ->> 'contradicted', '[]') = '[]'
                ELSE
                    CAST(run.stats_json AS json) -> 'resumed' IS NULL
                    AND coalesce(CAST(run.stats_json AS json) ->> 'transferred', '0') = '0'
                    AND coalesce(CAST(run.stats_json AS json) ->> 'adopted', '0') = '0'
                    AND coalesce(CAST(run.stats_json AS json) ->> 'quarantined', '0') = '0'
                    AND coalesce(CAST(run.stats_json AS json) ->> 'flags_changed', '0') = '0'
                    AND coalesce(CAST(run.stats_json AS json) ->> 'failed_folders', '0') = '0'
                END;
        EXCEPTION WHEN data_exception THEN
            NULL;
        END;
    END LOOP;
END $$;

-- The newest run of a kind that has begun and may have changed or found something.
CREATE INDEX idx_migration_runs_weighty ON migration_runs (mailbox_id, run_type, id)
    WHERE idle = 0 AND started_at IS NOT NULL;

-- The kind that all whole numbers have here.
ALTER TABLE migration_uploads ALTER COLUMN slot TYPE BIGINT;
