-- What the role of this session may: everything, make roles, do something to the server's machine.
select
    rolsuper,
    rolsuper or rolcreaterole,
    exists (
        select from pg_roles g
        where pg_catalog.pg_has_role(g.oid, 'MEMBER')
            and (
                g.rolsuper
                or g.rolname in (
                    'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'
                )
            )
    )
from pg_roles
where rolname = current_user
