-- As a transaction that has written to every table would: CONCURRENTLY waits for it.
do $$
declare one text;
begin
    for one in
        select pg_catalog.format('%I.%I', n.nspname, c.relname)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    loop
        execute 'lock table only ' || one || ' in row exclusive mode';
    end loop;
end $$
