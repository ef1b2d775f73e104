-- What a backup says about where it comes from.
select
    pg_catalog.current_setting('server_version'),
    pg_catalog.current_setting('server_version_num')::int,
    pg_catalog.to_char(pg_catalog.transaction_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    case
        when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
        else pg_catalog.pg_current_wal_lsn()
    end::text,
    pg_catalog.pg_encoding_to_char(d.encoding),
    d.datcollate,
    d.datctype,
    pg_catalog.pg_database_size(d.oid)
from pg_catalog.pg_database d
where d.datname = pg_catalog.current_database()
