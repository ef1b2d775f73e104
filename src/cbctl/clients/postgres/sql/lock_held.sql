select exists (
    select from pg_locks
    where locktype = 'advisory'
        and pid = %(pid)s
        and database = (select oid from pg_database where datname = pg_catalog.current_database())
        and classid::bigint = %(key)s::bigint >> 32
        and objid::bigint = %(key)s::bigint & 4294967295
        and objsubid = 1
        and granted
)
