-- Databases that cbctl made or put aside, by the comment that says so.
select d.datname, c.description
from pg_catalog.pg_database d
join pg_catalog.pg_shdescription c
    on c.objoid = d.oid and c.classoid = 'pg_catalog.pg_database'::regclass
where starts_with(c.description, %(note)s)
order by 1
