-- Who the session waits for. Never the text of their queries: it may hold data about people.
select a.pid, a.usename::text, a.application_name, pg_catalog.host(a.client_addr),
    extract(epoch from pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.backend_start))::bigint,
    a.state
from pg_catalog.unnest(pg_catalog.pg_blocking_pids(%(pid)s)) as b (pid)
join pg_stat_activity a on a.pid = b.pid
