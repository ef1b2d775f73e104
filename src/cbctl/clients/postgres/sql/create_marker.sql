-- building: the first build of a new database has not come to its end yet, so that a run that
-- was killed in the middle is continued with all phases.
create table if not exists {schema}.cbctl_marker (
    platform text not null,
    environment text not null,
    created_at timestamptz not null default pg_catalog.now(),
    building boolean not null default false,
    primary key (platform, environment)
);

-- A database belongs to one environment.
create unique index if not exists cbctl_marker_only_one on {schema}.cbctl_marker ((true));
