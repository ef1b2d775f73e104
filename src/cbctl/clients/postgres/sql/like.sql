select
    current_database()::text,
    current_setting('server_version_num')::integer / 10000,
    session_user::text,
    array(select rolname::text from pg_roles where rolname !~ '^pg_' order by 1),
    pg_encoding_to_char(encoding)::text,
    datcollate::text,
    datctype::text
from pg_database
where datname = current_database()
