select pg_catalog.to_regclass(%(name)s) is not null
