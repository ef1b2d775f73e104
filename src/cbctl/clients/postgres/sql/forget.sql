delete from {schema}.schema_migrations where version = %(version)s
