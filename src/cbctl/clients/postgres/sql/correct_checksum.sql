update {schema}.schema_migrations
set checksum = %(new)s
where version = %(version)s and checksum = %(old)s
