-- Everything the schema consists of: what it is called, and a hash of what it says.
with own as (
    select oid, nspname
    from pg_catalog.pg_namespace
    where nspname <> 'information_schema' and nspname !~ '^pg_'
),
extended as (
    select classid, objid from pg_catalog.pg_depend where deptype = 'e'
),
relations as (
    select c.*, format('%I.%I', n.nspname, c.relname) as title
    from pg_catalog.pg_class c
    join own n on n.oid = c.relnamespace
    where not exists (
        select from extended e where e.classid = 'pg_class'::regclass and e.objid = c.oid
    )
),
found (kind, title, says) as (
    select 'schema', quote_ident(nspname), '' from own
    union all
    select 'extension', quote_ident(extname), '' from pg_catalog.pg_extension
    union all
    select 'table', title, concat_ws(
        ' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident,
        reloptions, pg_get_expr(relpartbound, oid),
        case when relkind = 'p' then pg_get_partkeydef(oid) end
    )
    from relations
    where relkind in ('r', 'p', 'f')
    union all
    select 'column', format('%s.%I', r.title, a.attname), concat_ws(
        ' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid)
    )
    from relations r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind in ('r', 'p', 'f')
    union all
    select 'view', title, relkind::text || pg_get_viewdef(oid) from relations where relkind in ('v', 'm')
    union all
    select 'index', i.title, pg_get_indexdef(i.oid) from relations i where relkind in ('i', 'I')
    union all
    select 'sequence', s.title, concat_ws(
        ' ', q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle
    )
    from relations s
    join pg_catalog.pg_sequence q on q.seqrelid = s.oid
    union all
    select 'constraint', format('%s %I', r.title, k.conname), pg_get_constraintdef(k.oid)
    from pg_catalog.pg_constraint k
    join relations r on r.oid = k.conrelid
    where k.contype <> 'n' -- of the column already; older servers have no name for it
    union all
    select 'trigger', format('%s %I', r.title, t.tgname), t.tgenabled::text || pg_get_triggerdef(t.oid)
    from pg_catalog.pg_trigger t
    join relations r on r.oid = t.tgrelid
    where not t.tgisinternal
    union all
    select 'policy', format('%s %I', r.title, p.polname), concat_ws(
        ' ', p.polcmd, p.polpermissive,
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    )
    from pg_catalog.pg_policy p
    join relations r on r.oid = p.polrelid
    union all
    select 'function', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        concat_ws(
            ' ', p.prokind, pg_get_function_result(p.oid), p.prosrc, p.provolatile, p.proisstrict,
            p.prosecdef, p.proconfig
        )
    from pg_catalog.pg_proc p
    join own n on n.oid = p.pronamespace
    where not exists (
        select from extended e where e.classid = 'pg_proc'::regclass and e.objid = p.oid
    )
    union all
    select 'type', format('%I.%I', n.nspname, t.typname), concat_ws(
        ' ', t.typtype, t.typbasetype::regtype, t.typnotnull, t.typdefault,
        (
            select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder)
            from pg_catalog.pg_enum
            where enumtypid = t.oid
        )
    )
    from pg_catalog.pg_type t
    join own n on n.oid = t.typnamespace
    where t.typtype in ('d', 'e', 'r')
        and not exists (
            select from extended e where e.classid = 'pg_type'::regclass and e.objid = t.oid
        )
)
select kind || ' ' || title, md5(says) from found order by 1
