-- Clients of this database, and who waits for whom. Never the text of their queries: it may hold
-- data about people.
select a.pid,
    a.backend_start::text,
    coalesce(a.usename::text, ''),
    coalesce(a.application_name, ''),
    coalesce(host(a.client_addr), ''),
    coalesce(a.state, ''),
    extract(epoch from clock_timestamp() - a.xact_start)::bigint,
    extract(epoch from clock_timestamp() - a.state_change)::bigint,
    coalesce(a.wait_event_type || ': ' || a.wait_event, ''),
    pg_blocking_pids(a.pid)
from pg_stat_activity a
where a.datname = current_database()
    and a.backend_type = 'client backend'
    and a.pid <> pg_backend_pid()
order by a.xact_start nulls last, a.pid
