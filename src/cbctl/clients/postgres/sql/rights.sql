-- What the roles `names` and everybody (public) may do: with the database, its schemas, tables and
-- sequences as far as we may decide over them, and with what we are going to make. A thing with
-- which they may do nothing has one row too.
with things (kind, title, is_ours, acl) as (
    select 'database', pg_catalog.quote_ident(datname), false, coalesce(datacl, pg_catalog.acldefault('d', datdba))
    from pg_database
    where datname = pg_catalog.current_database()
    union all
    select 'schema', pg_catalog.quote_ident(nspname), false, coalesce(nspacl, pg_catalog.acldefault('n', nspowner))
    from pg_namespace
    where nspname <> 'information_schema' and nspname !~ '^pg_' and pg_catalog.pg_has_role(nspowner, 'USAGE')
    union all
    select
        case relkind when 'S' then 'sequence' else 'table' end,
        pg_catalog.format('%%I.%%I', nspname, relname),
        nspname = pg_catalog.current_schema() and relname = any(%(ours)s),
        coalesce(
            relacl, pg_catalog.acldefault((case relkind when 'S' then 's' else 'r' end)::"char", relowner)
        )
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and nspname <> 'information_schema'
        and nspname !~ '^pg_'
        and pg_catalog.pg_has_role(relowner, 'USAGE')
    union all
    select 'new ' || names.kind, '', false, d.defaclacl
    from (values ('r', 'tables'), ('S', 'sequences'), ('n', 'schemas')) as names (type, kind)
    left join pg_default_acl d
        on d.defaclobjtype = names.type::"char"
        and d.defaclnamespace = 0
        and d.defaclrole = (select oid from pg_roles where rolname = current_user)
    union all
    select 'new ' || names.kind, nspname::text, false, d.defaclacl
    from (values ('r', 'tables'), ('S', 'sequences')) as names (type, kind)
    join pg_default_acl d
        on d.defaclobjtype = names.type::"char"
        and d.defaclrole = (select oid from pg_roles where rolname = current_user)
    join pg_namespace n on n.oid = d.defaclnamespace
),
granted as (
    select kind, title, a.grantee, pg_catalog.lower(a.privilege_type) as privilege, a.is_grantable
    from things, pg_catalog.aclexplode(acl) a
    union all
    -- what goes beyond the rights on the table
    select 'table', t.title, a.grantee,
        pg_catalog.format('%%s (%%I)', pg_catalog.lower(a.privilege_type), attname), a.is_grantable
    from pg_attribute
    join pg_class c on c.oid = attrelid
    join pg_namespace n on n.oid = c.relnamespace
    join things t on t.kind = 'table' and t.title = pg_catalog.format('%%I.%%I', nspname, relname)
    cross join pg_catalog.aclexplode(attacl) a
    where attacl is not null and not attisdropped
),
theirs as (
    select kind, title, privilege, is_grantable,
        case when grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(grantee)::text end as role
    from granted
    where grantee = 0 or pg_catalog.pg_get_userbyid(grantee) = any(%(names)s)
)
select distinct t.kind, t.title, t.is_ours, g.role, g.privilege, g.is_grantable
from things t
left join theirs g on g.kind = t.kind and g.title = t.title
order by 1, 2, 4, 5, 6
