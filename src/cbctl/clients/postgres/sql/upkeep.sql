-- What the cumulative statistics say of each table. Ages are of the oldest row's transaction, against
-- the age at which the server itself would have to act.
select pg_catalog.quote_ident(s.schemaname) || '.' || pg_catalog.quote_ident(s.relname),
    s.n_live_tup,
    s.n_dead_tup,
    s.n_mod_since_analyze,
    s.last_analyze is null and s.last_autoanalyze is null,
    pg_catalog.age(c.relfrozenxid),
    pg_catalog.current_setting('autovacuum_freeze_max_age')::bigint,
    pg_catalog.pg_total_relation_size(c.oid)
from pg_stat_user_tables s
join pg_class c on c.oid = s.relid
where c.relkind in ('r', 'm')
    and pg_catalog.pg_has_role(c.relowner, 'USAGE')
order by 1
