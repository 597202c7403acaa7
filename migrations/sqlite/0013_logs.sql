-- When the log of a run was removed because its time was over: its lines here, its file and its programs' files. The row
-- of the run stays, with its steps and figures: the order of runs is what evidence is judged by.
ALTER TABLE migration_runs ADD COLUMN log_removed_at TEXT NULL;
