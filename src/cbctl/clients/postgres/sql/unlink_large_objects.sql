-- A thousand at a time: each is a lock until the end of the transaction.
select pg_catalog.count(pg_catalog.lo_unlink(oid))
from (select oid from pg_catalog.pg_largeobject_metadata limit 1000) one
