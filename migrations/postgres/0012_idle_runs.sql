-- Whether a run that has ended left everything as it was, so that what was read before it still holds: a copy that ended
-- well and had nothing to do, a count that found nothing otherwise. How many of these have run since a verification must
-- not matter to whoever asks for the last run that is none of them.
ALTER TABLE migration_runs ADD COLUMN idle BIGINT NOT NULL DEFAULT 0 CHECK (idle IN (0, 1));

-- Where a name holds what no text of PostgreSQL's can, its functions refuse the whole: such a run stays one of the others.
UPDATE migration_runs SET idle = 1 WHERE CASE
    WHEN position('\u0000' IN stats_json) > 0 THEN FALSE
    WHEN status = 'success' AND run_type = 'verify' THEN
        coalesce(CAST(stats_json AS json) ->> 'depth', '') = 'quick'
        AND coalesce(CAST(stats_json AS json) ->> 'contradicted', '[]') = '[]'
    WHEN status = 'success' AND run_type IN ('initial', 'delta', 'final') THEN
        CAST(stats_json AS json) -> 'resumed' IS NULL
        AND coalesce(CAST(stats_json AS json) ->> 'transferred', '0') = '0'
        AND coalesce(CAST(stats_json AS json) ->> 'adopted', '0') = '0'
        AND coalesce(CAST(stats_json AS json) ->> 'quarantined', '0') = '0'
        AND coalesce(CAST(stats_json AS json) ->> 'flags_changed', '0') = '0'
        AND coalesce(CAST(stats_json AS json) ->> 'failed_folders', '0') = '0'
    ELSE FALSE END;

-- The newest run of a kind that has begun and may have changed or found something.
CREATE INDEX idx_migration_runs_weighty ON migration_runs (mailbox_id, run_type, id)
    WHERE idle = 0 AND started_at IS NOT NULL;
