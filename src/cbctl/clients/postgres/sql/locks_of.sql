-- The locks of a session on what others can see. Those on an index for reading or writing its table
-- are left out: the table's say it.
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), l.mode
from pg_locks l
join pg_class c on c.oid = l.relation
join pg_namespace n on n.oid = c.relnamespace
where l.pid = %(pid)s
    and l.locktype = 'relation'
    and l.database = (select oid from pg_database where datname = pg_catalog.current_database())
    and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_'
    and not (c.relkind in ('i', 'I') and l.mode in ('AccessShareLock', 'RowExclusiveLock'))
