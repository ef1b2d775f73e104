-- One row about the database: everything that must be known before a migration is planned.
select
    pg_catalog.current_schema() as schema,
    pg_catalog.pg_is_in_recovery() as replica,
    array(
        select a.attname::text
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        where c.relname = 'schema_migrations'
            and c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(pg_catalog.current_schema()))
            and a.attnum > 0
            and not a.attisdropped
        order by a.attnum
    ) as columns,
    exists (
        select from pg_class c
        where c.relname = 'cbctl_marker'
            and c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(pg_catalog.current_schema()))
    ) as has_marker,
    not exists (
        select from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname not in ('pg_catalog', 'information_schema')
            and n.nspname not like 'pg\_toast%'
            and n.nspname not like 'pg\_temp%'
            and not (
                n.nspname = pg_catalog.current_schema()
                and c.relname in (
                    'schema_migrations', 'schema_migrations_pkey', 'cbctl_fence',
                    'cbctl_fence_pkey', 'cbctl_marker', 'cbctl_marker_pkey',
                    'cbctl_marker_only_one'
                )
            )
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
            )
    )
    and not exists (
        select from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname not in ('pg_catalog', 'information_schema')
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            )
    )
    and not exists (
        select from pg_type t
        join pg_namespace n on n.oid = t.typnamespace
        where t.typtype in ('d', 'e', 'r')
            and n.nspname not in ('pg_catalog', 'information_schema')
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
            )
    ) as empty
