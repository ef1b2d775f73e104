-- Databases that cbctl made or put aside, by the comment that says so; its owner can write any.
select d.datname, c.description
from pg_catalog.pg_database d
join pg_catalog.pg_roles r on r.oid = d.datdba
join pg_catalog.pg_shdescription c
    on c.objoid = d.oid and c.classoid = 'pg_catalog.pg_database'::regclass
where pg_catalog.starts_with(c.description, %(note)s)
    and (r.rolsuper or r.rolname = any(%(owners)s) or %(owners)s::text[] = '{}')
order by 1
