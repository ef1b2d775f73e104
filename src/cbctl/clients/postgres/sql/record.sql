insert into {schema}.schema_migrations
    (version, description, phase, checksum, applied_by, execution_ms, reversible)
values (
    %(version)s, %(description)s, %(phase)s, %(checksum)s,
    session_user || %(applied_by)s, %(execution_ms)s, %(reversible)s
)
