-- What holds data and is in no classification: foreign tables, and tables of extensions, of which a dump
-- holds the rows that fulfil the condition.
select 'foreign', pg_catalog.format('%I.%I', n.nspname, c.relname), ''
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'f'
union all
select 'extension', pg_catalog.format('%I.%I', n.nspname, c.relname), u.condition
from pg_catalog.pg_extension e
cross join lateral rows from (
    pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)
) as u (relation, condition)
join pg_catalog.pg_class c on c.oid = u.relation
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
order by 1 desc, 2
