-- The session that only holds the lock is idle all the time.
select pg_catalog.set_config('idle_session_timeout', '0', false)
