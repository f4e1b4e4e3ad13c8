-- All partitions of the journal that hold rows, and those that left it: as JSON in annals.partitions, and the
-- one that annals.partition names in annals.found (empty where there is none). The files beside this one
-- read these settings, and so need not ask the catalogue again.
--
-- The schema of the journal must be the first of search_path, here and in all files.
--
-- Sets: annals.partitions, annals.found. Locks: none that anybody waits for.
do $$
declare
    root oid := to_regclass('journal');
    by_ordering boolean;
    lives jsonb := '[]';
    all_of_them jsonb;
begin
    if root is null then
        raise exception 'there is no table journal in search_path (%): name its schema', current_setting('search_path');
    end if;
    select partstrat = 'r' into by_ordering from pg_catalog.pg_partitioned_table where partrelid = root;
    if by_ordering is null then
        raise exception 'the journal is flat: it has no partitions';
    end if;
    if to_regclass(format('%I.partition_life', current_schema())) is not null then
        select coalesce(jsonb_agg(to_jsonb(l)), '[]') into lives from partition_life l;
    end if;
    with recursive tree as (
        select c.oid, c.relkind, c.relname, c.relnamespace, c.reltuples, null::oid as parent,
            null::text collate "C" as bound, null::text collate "C" as parent_bound, false as pending
        from pg_catalog.pg_class c where c.oid = root
        union all
        select c.oid, c.relkind, c.relname, c.relnamespace, c.reltuples, i.inhparent,
            pg_get_expr(c.relpartbound, c.oid) collate "C", t.bound, i.inhdetachpending
        from tree t
        join pg_catalog.pg_inherits i on i.inhparent = t.oid
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where t.relkind = 'p'
    ), leaf as (
        select t.*, p.relname as parent_name, d.partdefid <> 0 as parent_has_default, d.partstrat,
            regexp_match(t.bound, '^FOR VALUES FROM \((?:''(-?\d+)''|(-?\d+)|MINVALUE)\) TO \((?:''(-?\d+)''|(-?\d+)|MAXVALUE)\)$') as edges,
            replace(substring(t.parent_bound from '^FOR VALUES IN \(''((?:[^'']|'''')*)''\)$'), '''''', '''') as persistence_id
        from tree t
        join pg_catalog.pg_class p on p.oid = t.parent
        join pg_catalog.pg_partitioned_table d on d.partrelid = t.parent
        where t.relkind <> 'p'
    ), there as (
        select n.nspname::text as schema_name, relname::text as partition, l.oid::bigint,
            case when pending then 'pending' else 'attached' end as is, parent::bigint as parent_oid,
            parent_name::text as parent, parent_has_default, partstrat = 'r' as divisible, bound, parent_bound,
            coalesce(edges[1], edges[2])::bigint as low, coalesce(edges[3], edges[4])::bigint as high,
            l.persistence_id, reltuples::bigint as estimate
        from leaf l join pg_catalog.pg_namespace n on n.oid = l.relnamespace
    ), life as (
        select value ->> 'schema_name' as schema_name, value ->> 'partition' as partition, value as life,
            to_regclass(format('%I.%I', value ->> 'schema_name', value ->> 'partition'))::oid::bigint as oid
        from jsonb_array_elements(lives)
    ), both_of as (
        select coalesce(t.schema_name, l.schema_name) as schema_name, coalesce(t.partition, l.partition) as partition,
            coalesce(t.oid, l.oid) as oid, coalesce(t.is, case when l.oid is null then 'gone' else 'standing' end) as is,
            t.parent_oid, coalesce(t.parent, l.life ->> 'parent') as parent,
            coalesce(t.parent_has_default, false) as parent_has_default, coalesce(t.divisible, true) as divisible,
            case when by_ordering then 'ordering' else 'sequence_number' end as divided_by,
            coalesce(t.bound, l.life ->> 'bound') as bound, coalesce(t.parent_bound, l.life ->> 'parent_bound') as parent_bound,
            case when t.oid is null then (l.life ->> 'low')::bigint else t.low end as low,
            case when t.oid is null then (l.life ->> 'high')::bigint else t.high end as high,
            coalesce(t.persistence_id, l.life ->> 'persistence_id') as persistence_id,
            t.estimate, coalesce(l.life ->> 'state', 'attached') as state, l.life
        from there t full join life l using (schema_name, partition)
    )
    select coalesce(jsonb_agg(to_jsonb(b) order by b.persistence_id, b.low nulls first, b.partition), '[]')
    into all_of_them from both_of b;
    perform set_config('annals.partitions', all_of_them::text, false);
    perform set_config('annals.found', coalesce((
        select it::text from jsonb_array_elements(all_of_them) as it
        where it ->> 'partition' = current_setting('annals.partition', true)
        order by it ->> 'schema_name' = (select nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = root) desc
        limit 1
    ), ''), false);
end
$$;
