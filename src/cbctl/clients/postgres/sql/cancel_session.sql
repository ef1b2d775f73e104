select pg_catalog.pg_cancel_backend(pid) from pg_stat_activity
where pid = %(pid)s and backend_start::text = %(started)s and backend_type = 'client backend'
