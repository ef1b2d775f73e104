-- Several replicas write: the newest read wins. Not the highest slot, because a test chain that
-- was reset starts again from a low one.
INSERT INTO program_config_cache AS old (program_id, slot, account, read_at)
VALUES (%(program_id)s, %(slot)s, %(account)s, %(read_at)s)
ON CONFLICT (program_id) DO UPDATE
SET slot = excluded.slot, account = excluded.account, read_at = excluded.read_at
WHERE old.read_at <= excluded.read_at
