-- The roles `names`, as far as they are there: what they may beyond logging in, and what they own here.
with here as (
    select oid from pg_database where datname = pg_catalog.current_database()
)
select r.rolname::text,
    pg_catalog.array_remove(
        array[
            case when rolsuper then 'superuser' end,
            case when rolcreaterole then 'createrole' end,
            case when rolcreatedb then 'createdb' end,
            case when rolreplication then 'replication' end,
            case when rolbypassrls then 'bypassrls' end,
            case when not rolcanlogin then 'nologin' end
        ],
        null
    ),
    array(
        select g.rolname::text
        from pg_auth_members m
        join pg_roles g on g.oid = m.roleid
        where m.member = r.oid
        order by 1
    ),
    (
        select pg_catalog.count(*)
        from pg_shdepend d, here
        where d.refclassid = 'pg_authid'::regclass
            and d.refobjid = r.oid
            and d.deptype = 'o'
            and (d.dbid = here.oid or (d.classid = 'pg_database'::regclass and d.objid = here.oid))
    )
from pg_roles r
where r.rolname = any(%(names)s)
