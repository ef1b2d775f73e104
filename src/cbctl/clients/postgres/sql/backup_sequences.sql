-- Where each sequence is: it is written by no transaction, so that a dump may find it further on.
select pg_catalog.format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), increment_by
from pg_catalog.pg_sequences
where schemaname !~ '^pg_'
order by 1
