-- Flat to ordering, step 0: may this journal be moved? Says everything that stands in the way, and how
-- to remove it.
--
-- Locks:  none that anybody waits for.
-- Undo:   nothing to undo, it only reads.
--
-- The schema of the journal must be the first of search_path, here and in all steps.
do $$
declare
    obstacles text[];
    other text;
begin
    if to_regclass('journal') is null then
        raise exception 'there is no table journal in search_path (%)', current_setting('search_path');
    end if;

    with j as (
        select c.*, n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid = 'journal'::regclass
    ), known (name, type) as (values
        ('ordering', 'bigint'), ('sequence_number', 'bigint'), ('deleted', 'boolean'), ('persistence_id', 'text'),
        ('message', 'bytea'), ('tags', 'integer[]'), ('metadata', 'jsonb')
    ), found (obstacle) as (
        select 'the server is older than PostgreSQL 14: upgrade it first'
        where current_setting('server_version_num')::int < 140000
        union all
        select format('%I.journal is not an ordinary table: only a flat journal can be moved', nspname)
        from j where relkind <> 'r' or relpersistence <> 'p' or relispartition
            or exists (select from pg_catalog.pg_inherits where inhparent = j.oid)
        union all
        select format('journal lies in the schema %I, which is not the first of search_path: set search_path', nspname)
        from j where nspname is distinct from current_schema()
        union all
        select format('%s may not alter it: run this as %s', current_user, relowner::regrole)
        from j where not pg_has_role(relowner, 'USAGE')
        union all
        select format('%s may not create a schema here: grant create on database %I to it', current_user, current_database())
        where not has_database_privilege(current_database(), 'CREATE') and to_regnamespace('journal_move') is null
        union all
        select format('the table %s is missing: open the journal once with Annals, or run the files in schemas/flat', t)
        from unnest(array['annals_schema', 'journal_settings', 'journal_metadata']) as t where to_regclass(t) is null
        union all
        select format('the table %s does not lie beside journal, but in the schema %I', c.relname, c.relnamespace::regnamespace)
        from j, pg_catalog.pg_class c
        where c.oid = any (array[to_regclass('annals_schema'), to_regclass('journal_settings'), to_regclass('journal_metadata')])
          and c.relnamespace <> j.relnamespace
        union all
        select format('rights are granted on the column %I alone: grant them on the table', a.attname)
        from j join pg_catalog.pg_attribute a on a.attrelid = j.oid and a.attacl is not null
        union all
        select distinct format('%s will need journal_metadata: grant %s on journal_metadata to it', g.name, lower(array_to_string(g.needs, ', ')))
        from j, lateral (
            select a.grantee, case a.grantee when 0 then 'public' else a.grantee::regrole::text end as name,
                case when bool_or(a.privilege_type = 'INSERT') then array['SELECT', 'INSERT', 'UPDATE'] else array['SELECT'] end as needs
            from aclexplode(j.relacl) as a
            where a.privilege_type in ('INSERT', 'SELECT') and a.grantee <> j.relowner
            group by a.grantee
        ) as g
        where to_regclass('journal_metadata') is not null
          and exists (
            select from unnest(g.needs) as needed
            where not exists (
                select from pg_catalog.pg_class c, aclexplode(c.relacl) as has
                where c.oid = to_regclass('journal_metadata') and has.grantee in (0, g.grantee) and has.privilege_type = needed
            ) and not coalesce(has_table_privilege(nullif(g.grantee, 0), to_regclass('journal_metadata'), needed), false)
          )
        union all
        select 'no btree index begins with ordering: run schemas/flat/0002_ordering_btree.sql'
        from j where not exists (
            select from pg_catalog.pg_index i
            join pg_catalog.pg_class x on x.oid = i.indexrelid
            join pg_catalog.pg_am m on m.oid = x.relam and m.amname = 'btree'
            join pg_catalog.pg_attribute a on a.attrelid = j.oid and a.attnum = i.indkey[0] and a.attname = 'ordering'
            where i.indrelid = j.oid and i.indisvalid and i.indpred is null
        )
        union all
        select format('the column %I %s is not one of a journal: it would be lost', a.attname, format_type(a.atttypid, a.atttypmod))
        from j join pg_catalog.pg_attribute a on a.attrelid = j.oid and a.attnum > 0 and not a.attisdropped
        left join known k on k.name = a.attname and k.type = format_type(a.atttypid, a.atttypmod)
        where k.name is null
        union all
        select format('the constraint %I would be lost: drop it, and add it again afterwards', k.conname)
        from j join pg_catalog.pg_constraint k on k.conrelid = j.oid and k.contype in ('c', 'f', 'x')
        union all
        select format('the table %s refers to journal by %I: drop that constraint', k.conrelid::regclass, k.conname)
        from j join pg_catalog.pg_constraint k on k.confrelid = j.oid
        union all
        select format('the trigger %I would be lost: drop it, and create it again afterwards', t.tgname)
        from j join pg_catalog.pg_trigger t on t.tgrelid = j.oid and not t.tgisinternal
        join pg_catalog.pg_proc f on f.oid = t.tgfoid
        where f.prosrc not like '%journal_metadata%' and f.pronamespace is distinct from to_regnamespace('journal_move')
        union all
        select format('%s %s would go on reading the old table: drop it, and create it again afterwards',
                      case v.relkind when 'v' then 'the view' when 'm' then 'the materialized view' else 'a rule on' end, v.oid::regclass)
        from (
            select distinct r.ev_class from pg_catalog.pg_depend d
            join pg_catalog.pg_rewrite r on r.oid = d.objid
            join j on d.refobjid = j.oid
            where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
        ) as r join pg_catalog.pg_class v on v.oid = r.ev_class
        union all
        select 'journal has row security: disable it, and enable it again afterwards'
        from j where relrowsecurity or exists (select from pg_catalog.pg_policy p where p.polrelid = j.oid)
        union all
        select format('the publication %I names journal: take it out, and add the new table afterwards', p.pubname)
        from j join pg_catalog.pg_publication_rel r on r.prrelid = j.oid join pg_catalog.pg_publication p on p.oid = r.prpubid
        union all
        select 'journal.ordering does not draw from a sequence journal_ordering_seq beside it: set that as its default, '
            || 'or rename the sequence, which writers do not notice'
        from j where not exists (
            select from pg_catalog.pg_attribute a
            join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            join pg_catalog.pg_depend o on o.classid = 'pg_attrdef'::regclass and o.objid = d.oid and o.refclassid = 'pg_class'::regclass
            join pg_catalog.pg_class s on s.oid = o.refobjid and s.relkind = 'S'
            where a.attrelid = j.oid and a.attname = 'ordering'
              and s.relname = 'journal_ordering_seq' and s.relnamespace = j.relnamespace
        )
        union all
        select 'an event has an ordering below 0: partitions begin with 0'
        from (select ordering from journal order by ordering limit 1) as first where ordering < 0
        union all
        select format('the table %s is there already, from an earlier move: rename or drop it', t)
        from unnest(array['journal_flat_old', 'journal_metadata_flat_old']) as t where to_regclass(t) is not null
    )
    select array_agg('- ' || obstacle) into obstacles from found;
    if obstacles is not null then
        raise exception E'this journal cannot be moved yet:\n%', array_to_string(obstacles, E'\n');
    end if;

    if to_regclass('journal_move.state') is not null then
        execute 'select home from journal_move.state where home is distinct from current_schema()' into other;
        if other is not null then
            raise exception 'the journal of the schema % is being moved in this database: end that first', other;
        end if;
    end if;

    for other in
        select i.indexrelid::regclass::text from pg_catalog.pg_index i
        where i.indrelid = 'journal'::regclass and not i.indisprimary
          and not exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = i.indrelid and a.attnum = i.indkey[0] and i.indnatts = 1 and i.indpred is null
              and a.attname in ('ordering', 'tags')
          )
    loop
        raise warning 'the index % is not made on the new table: make it on journal_move.journal before the switch, if it is needed', other;
    end loop;
end
$$;
