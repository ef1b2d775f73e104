-- The statements that give one database the grants and the limit of another: no dump has them.
with source as (
    select * from pg_catalog.pg_database where datname = %(source)s
),
target as (
    select pg_catalog.format('%%I', %(target)s::text) as name
),
granted as (
    select (pg_catalog.aclexplode(datacl)).* from source
)
select pg_catalog.format('revoke all on database %%s from public', target.name)
from source, target
where datacl is not null
union all
select pg_catalog.format(
    'grant %%s on database %%s to %%s%%s',
    privilege_type,
    target.name,
    case
        when grantee = 0 then 'public'
        else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee))
    end,
    case when is_grantable then ' with grant option' else '' end
)
from granted, target
union all
select pg_catalog.format('alter database %%s connection limit %%s', target.name, datconnlimit)
from source, target
where datconnlimit <> -1
