-- Left by an interrupted CONCURRENTLY: queries do not use them, writes pay for them. One that is
-- being built right now is invalid too.
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid
    and c.relkind = 'i'
    and not exists (select from pg_stat_progress_create_index p where p.index_relid = c.oid)
order by 1
