select version, description, phase, checksum from {schema}.schema_migrations order by version
