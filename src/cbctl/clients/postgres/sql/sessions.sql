-- Clients of a database, who waits for whom, and which tables they have locks on. Never the text
-- of their queries: it may hold data about people.
-- Without pg_read_all_stats the server hides what sessions of other roles are and since when (but
-- not their roles, their locks and for whom they wait): they are told by having a role.
with held as (
    select l.pid, pg_catalog.array_agg(distinct c.relname::text order by c.relname::text) as tables
    from pg_locks l
    join pg_class c on c.oid = l.relation
    join pg_namespace n on n.oid = c.relnamespace
    where l.granted
        and pg_catalog.current_database() = %(database)s
        and l.database = (select oid from pg_database where datname = pg_catalog.current_database())
        and c.relkind in ('r', 'p', 'm')
        and n.nspname <> 'information_schema'
        and n.nspname !~ '^pg_'
    group by l.pid
)
select a.pid,
    coalesce(a.backend_start::text, ''),
    coalesce(a.usename::text, ''),
    coalesce(a.application_name, ''),
    coalesce(pg_catalog.host(a.client_addr), ''),
    case when a.backend_start is null then 'hidden' else coalesce(a.state, '') end,
    extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::bigint,
    extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::bigint,
    coalesce(a.wait_event_type || ': ' || a.wait_event, ''),
    coalesce(r.rolsuper, false),
    -- as pg_terminate_backend judges
    (not coalesce(r.rolsuper, false) or pg_catalog.current_setting('is_superuser') = 'on')
    and (pg_catalog.pg_has_role(a.usesysid, 'USAGE') or pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')),
    pg_catalog.pg_blocking_pids(a.pid),
    coalesce(held.tables, '{}')
from pg_stat_activity a
left join held on held.pid = a.pid
left join pg_roles r on r.oid = a.usesysid
where a.datname = %(database)s
    and a.usesysid is not null
    and coalesce(a.backend_type, 'client backend') = 'client backend'
    and a.pid <> pg_catalog.pg_backend_pid()
order by a.xact_start nulls last, a.pid
