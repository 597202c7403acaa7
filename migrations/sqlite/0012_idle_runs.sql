-- Whether a run that has ended left everything as it was, so that what was read before it still holds: a copy that ended
-- well and had nothing to do, a count that found nothing otherwise. How many of these have run since a verification must
-- not matter to whoever asks for the last run that is none of them.
ALTER TABLE migration_runs ADD COLUMN idle INTEGER NOT NULL DEFAULT 0 CHECK (idle IN (0, 1));

UPDATE migration_runs SET idle = 1 WHERE CASE WHEN NOT json_valid(stats_json) THEN 0
    WHEN status = 'success' AND run_type = 'verify' THEN
        coalesce(json_extract(stats_json, '$.depth'), '') = 'quick'
        AND coalesce(json_extract(stats_json, '$.contradicted'), '[]') = '[]'
    WHEN status = 'success' AND run_type IN ('initial', 'delta', 'final') THEN
        json_type(stats_json, '$.resumed') IS NULL
        AND coalesce(json_extract(stats_json, '$.transferred'), 0) = 0
        AND coalesce(json_extract(stats_json, '$.adopted'), 0) = 0
        AND coalesce(json_extract(stats_json, '$.quarantined'), 0) = 0
        AND coalesce(json_extract(stats_json, '$.flags_changed'), 0) = 0
        AND coalesce(json_extract(stats_json, '$.failed_folders'), 0) = 0
    ELSE 0 END;

-- The newest run of a kind that has begun and may have changed or found something.
CREATE INDEX idx_migration_runs_weighty ON migration_runs (mailbox_id, run_type, id)
    WHERE idle = 0 AND started_at IS NOT NULL;
