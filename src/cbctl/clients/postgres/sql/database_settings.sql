-- How sessions of a database begin, of all roles or of one; no dump has it.
select
    case when s.setrole = 0 then '' else pg_catalog.pg_get_userbyid(s.setrole)::text end as role,
    pg_catalog.split_part(one, '=', 1) as name,
    pg_catalog.substr(one, pg_catalog.strpos(one, '=') + 1) as value
from pg_catalog.pg_db_role_setting s
join pg_catalog.pg_database d on d.oid = s.setdatabase,
pg_catalog.unnest(s.setconfig) as one
where d.datname = %(source)s
