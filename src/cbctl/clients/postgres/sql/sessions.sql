-- Clients of this database, who waits for whom, and which tables they have locks on. Never the text
-- of their queries: it may hold data about people.
with held as (
    select l.pid, array_agg(distinct c.relname::text order by c.relname::text) as tables
    from pg_locks l
    join pg_class c on c.oid = l.relation
    join pg_namespace n on n.oid = c.relnamespace
    where l.granted
        and l.database = (select oid from pg_database where datname = current_database())
        and c.relkind in ('r', 'p', 'm')
        and n.nspname <> 'information_schema'
        and n.nspname !~ '^pg_'
    group by l.pid
)
select a.pid,
    a.backend_start::text,
    coalesce(a.usename::text, ''),
    coalesce(a.application_name, ''),
    coalesce(host(a.client_addr), ''),
    coalesce(a.state, ''),
    extract(epoch from clock_timestamp() - a.xact_start)::bigint,
    extract(epoch from clock_timestamp() - a.state_change)::bigint,
    coalesce(a.wait_event_type || ': ' || a.wait_event, ''),
    pg_blocking_pids(a.pid),
    coalesce(held.tables, '{}')
from pg_stat_activity a
left join held on held.pid = a.pid
where a.datname = current_database()
    and a.backend_type = 'client backend'
    and a.pid <> pg_backend_pid()
order by a.xact_start nulls last, a.pid
