-- Triggers of tables, but those that constraints work with; whether it is a partition's, from its parent.
select
    pg_catalog.format('%I.%I', n.nspname, c.relname),
    pg_catalog.quote_ident(t.tgname),
    t.tgenabled::text,
    t.tgparentid <> 0
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_constraint k on k.oid = t.tgconstraint
where c.relkind in ('r', 'p')
    and (k.oid is null or k.contype = 't')
    and not exists ( -- an extension's tables are not changed
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 4, t.oid
