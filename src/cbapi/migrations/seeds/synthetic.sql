-- 2,000 configurations of programs that are nowhere on chain: no service asks for one of them. They
-- give backups, copies and migrations something to work on. The same rows each time.
INSERT INTO program_config_cache (program_id, slot, account, read_at)
SELECT 'Synthetic' || lpad(n::text, 6, '0'),
       300000000 + n,
       decode(repeat(md5(n::text), 2 + n % 7), 'hex'),
       timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second'
FROM generate_series(1, 2000) AS n
ON CONFLICT (program_id) DO NOTHING;
