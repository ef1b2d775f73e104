select pg_terminate_backend(pid)
from pg_catalog.pg_stat_activity
where datname = %(database)s and pid <> pg_backend_pid()
