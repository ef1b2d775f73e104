-- Schemas beside `public` that extensions are in.
select distinct n.nspname::text
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
where n.nspname not in ('public', 'pg_catalog')
