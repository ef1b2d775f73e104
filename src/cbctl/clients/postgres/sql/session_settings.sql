-- The server notices within a second that the client was killed, also in a long statement.
select pg_catalog.set_config('client_connection_check_interval', '1s', false)
