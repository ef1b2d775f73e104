-- The table belongs to cbctl. Its phase column is read through to_jsonb so that a table without
-- it (another runner's) is understood too: every migration then counts as not known to be `pre`.
SELECT max(version) AS version,
       max(version) FILTER (WHERE to_jsonb(applied) ->> 'phase' IS DISTINCT FROM 'pre') AS newest_post
FROM schema_migrations AS applied
