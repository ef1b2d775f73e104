-- No row comes back when a higher token has been here. The row stays locked until the end of the
-- transaction, so two migrations never run at once, whatever became of the advisory lock.
insert into {schema}.cbctl_fence as f (environment, token)
values (%(environment)s, %(token)s)
on conflict (environment) do update set token = excluded.token
where f.token <= excluded.token
returning f.unfinished_version, f.unfinished_checksum
