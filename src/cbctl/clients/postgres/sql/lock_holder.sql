select l.pid, a.usename::text, a.application_name, pg_catalog.host(a.client_addr),
    extract(epoch from pg_catalog.clock_timestamp() - a.backend_start)::bigint
from pg_locks l
left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory'
    and l.database = (select oid from pg_database where datname = pg_catalog.current_database())
    and l.classid::bigint = %(key)s::bigint >> 32
    and l.objid::bigint = %(key)s::bigint & 4294967295
    and l.objsubid = 1
    and l.granted
