-- Index by its name beside its table (whose name may be qualified, else search_path decides).
select i.indisvalid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where i.indrelid = pg_catalog.to_regclass(%(table)s) and c.relname = %(index)s
