-- Programs that move whole accounts by themselves.

-- Where a program on the old server is run by SSH (USER@HOST:PORT), and where the old server answers HTTPS. Confirmed host
-- keys and the key that logs in are files below the data path: whoever may write rows may not make a machine trusted.
ALTER TABLE migration_mailboxes ADD COLUMN source_ssh TEXT NULL;
ALTER TABLE migration_mailboxes ADD COLUMN source_web TEXT NULL;
