select pg_catalog.set_config('lock_timeout', %(lock_timeout)s, %(local)s)
