-- What a backup says about where it comes from.
select
    current_setting('server_version'),
    current_setting('server_version_num')::int,
    to_char(transaction_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    case
        when pg_is_in_recovery() then pg_last_wal_replay_lsn()
        else pg_current_wal_lsn()
    end::text,
    pg_encoding_to_char(d.encoding),
    d.datcollate,
    d.datctype,
    pg_database_size(d.oid)
from pg_catalog.pg_database d
where d.datname = current_database()
