-- The statements that give one database the settings of another: no dump has them.
with source as (
    select * from pg_catalog.pg_database where datname = %(source)s
),
target as (
    select format('%%I', %(target)s::text) as name
),
settings as (
    select s.setrole, split_part(one, '=', 1) as name, substr(one, strpos(one, '=') + 1) as value
    from pg_catalog.pg_db_role_setting s
    join source d on d.oid = s.setdatabase,
    unnest(s.setconfig) as one
)
select format(
    'alter %%s set %%I to %%s',
    case
        when setrole = 0 then 'database ' || target.name
        else format('role %%I in database %%s', pg_get_userbyid(setrole), target.name)
    end,
    settings.name,
    case
        -- lists of names: the catalogue has them quoted one by one
        when settings.name in (
            'search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries'
        ) then value
        else quote_literal(value)
    end
)
from settings, target
union all
select format('alter database %%s connection limit %%s', target.name, datconnlimit)
from source, target
where datconnlimit <> -1
