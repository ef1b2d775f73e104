-- The statements that let others into one database as they are let into another: no dump has them.
with source as (
    select datacl, datdba from pg_catalog.pg_database where datname = %(source)s
)
select pg_catalog.format(
    'grant %%s on database %%I to %%s%%s',
    privilege_type,
    %(target)s::text,
    case when grantee = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) end,
    case when is_grantable then ' with grant option' else '' end
)
from source, pg_catalog.aclexplode(coalesce(datacl, pg_catalog.acldefault('d', datdba)))
where datacl is not null or grantee = 0 -- its owner may by himself
union all
select pg_catalog.format('grant connect, temporary on database %%I to public', %(target)s::text)
where not exists (select from source)
