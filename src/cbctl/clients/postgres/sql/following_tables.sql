-- Tables whose rows change when those do that they refer to.
select distinct pg_catalog.format('%I.%I', n.nspname, c.relname)
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and k.confupdtype in ('c', 'n', 'd')
