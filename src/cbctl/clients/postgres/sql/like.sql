select
    pg_catalog.current_database()::text,
    pg_catalog.current_setting('server_version_num')::integer / 10000,
    session_user::text,
    array(select rolname::text from pg_roles where rolname !~ '^pg_' order by 1),
    array(
        select rolname::text
        from pg_roles
        where rolname !~ '^pg_' and rolname <> session_user and pg_catalog.pg_has_role(session_user, oid, 'MEMBER')
        order by 1
    ),
    pg_catalog.pg_encoding_to_char(encoding)::text,
    datcollate::text,
    datctype::text,
    array(
        select array[extname::text, n.nspname::text]
        from pg_extension
        join pg_namespace n on n.oid = extnamespace
        order by 1
    )
from pg_database
where datname = pg_catalog.current_database()
