-- Which file each relation is in: another one afterwards means that it was written anew. By name,
-- since an index that is built again with its table is another relation.
select pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_relation_filenode(c.oid)::bigint
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 'i')
    and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_'
