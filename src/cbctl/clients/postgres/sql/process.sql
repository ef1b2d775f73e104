-- What a process of the server is that is no client of the database we look at.
select coalesce(backend_type, 'session'), coalesce(datname::text, '')
from pg_stat_activity
where pid = %(pid)s
