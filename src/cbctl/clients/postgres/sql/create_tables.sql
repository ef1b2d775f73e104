create table if not exists {schema}.schema_migrations (
    version bigint primary key,
    description text not null,
    phase text not null,
    checksum text not null,
    applied_at timestamptz not null default pg_catalog.now(),
    applied_by text not null,
    execution_ms integer not null,
    reversible boolean not null
);

-- token: the highest fencing token that ever wrote here; a lower one is refused.
-- unfinished_*: the migration without a transaction that was begun and is not recorded yet.
create table if not exists {schema}.cbctl_fence (
    environment text primary key,
    token bigint not null,
    unfinished_version bigint,
    unfinished_checksum text
);
