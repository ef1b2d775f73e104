-- The session as new: what DISCARD ALL stands for (PostgreSQL documentation, "DISCARD"), which
-- cannot be sent together with anything else.
begin;
close all;
set session authorization default;
reset all;
deallocate all;
unlisten *;
select pg_catalog.pg_advisory_unlock_all();
discard plans;
discard temp;
discard sequences;
commit
