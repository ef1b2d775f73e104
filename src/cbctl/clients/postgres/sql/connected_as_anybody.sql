-- Roles other than `names` that are connected, and may be only because everybody may.
select distinct r.rolname::text
from pg_stat_activity a
join pg_roles r on r.oid = a.usesysid
join pg_database d on d.oid = a.datid
where d.datname = pg_catalog.current_database()
    and not r.rolsuper
    and r.rolname <> all(%(names)s)
    and not exists (
        select from pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) acl
        where acl.privilege_type = 'CONNECT'
            and acl.grantee <> 0
            and pg_catalog.pg_has_role(r.oid, acl.grantee, 'USAGE')
    )
order by 1
