-- Who is connected to the databases and whether we may end that; with `end`, ends all of it, or nothing
-- where one of them is beyond us. Whose session it is anybody may see, not what it does.
select
    r.rolname::text,
    a.pid,
    may.end_it,
    case when %(end)s and pg_catalog.bool_and(may.end_it) over () then pg_catalog.pg_terminate_backend(a.pid) end
from pg_catalog.pg_stat_activity a
join pg_catalog.pg_roles r on r.oid = a.usesysid
cross join lateral (
    select
        me.rolsuper
        or (
            not r.rolsuper
            and (pg_catalog.pg_has_role(r.oid, 'USAGE') or pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))
        ) as end_it
    from pg_catalog.pg_roles me
    where me.rolname = current_user
) may
where a.datname = any(%(databases)s) and a.pid <> pg_catalog.pg_backend_pid()
order by 1, 2
