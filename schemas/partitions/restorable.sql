-- What stands against restoring an archive into this journal, a line each in annals.reasons, which nobody can
-- force. look.sql comes before this file.
--
-- Reads: annals.manifest. Sets: annals.reasons, and annals.home: the table that will be the parent. Locks: none.
do $$
declare
    manifest jsonb := current_setting('annals.manifest')::jsonb;
    part text := manifest ->> 'partition';
    here text := (select nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = 'journal'::regclass);
    divided_by text := (
        select case partstrat when 'r' then 'ordering' else 'sequence_number' end
        from pg_catalog.pg_partitioned_table where partrelid = 'journal'::regclass);
    home text;
    reasons text[] := '{}';
begin
    if (manifest ->> 'format')::int is distinct from 1 then
        reasons := reasons || format('the manifest has the format %s, and this program knows 1: use a newer one', manifest ->> 'format');
    end if;
    if manifest ->> 'divided_by' is distinct from divided_by then
        reasons := reasons || format('%s was divided by %s, and this journal is divided by %s', part, manifest ->> 'divided_by', divided_by);
    end if;
    if to_regclass(format('%I.%I', here, part)) is not null then
        reasons := reasons || format('%I.%I is there already', here, part);
    end if;
    if divided_by = 'ordering' then
        home := 'journal';
    else
        select it ->> 'parent' into home from jsonb_array_elements(current_setting('annals.partitions')::jsonb) as it
        where it ->> 'is' = 'attached' and it ->> 'persistence_id' = manifest ->> 'persistence_id' and (it ->> 'divisible')::boolean
        limit 1;
        if home is null then
            select c.relname into home from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind = 'p'
            where i.inhparent = 'journal'::regclass and pg_get_expr(c.relpartbound, c.oid) = manifest ->> 'parent_bound';
        end if;
        if home is null then
            reasons := reasons || format('the journal has no partition %s: make that of the persistence id first', manifest ->> 'parent_bound');
        end if;
    end if;
    reasons := reasons || coalesce((
        select array_agg(format('%s: its column %s %s is %s here', part, c ->> 'name', c ->> 'type', coalesce(format_type(a.atttypid, a.atttypmod), 'missing')))
        from jsonb_array_elements(manifest -> 'columns') as c
        left join pg_catalog.pg_attribute a on a.attrelid = 'journal'::regclass and a.attname = c ->> 'name' and not a.attisdropped
        where format_type(a.atttypid, a.atttypmod) is distinct from c ->> 'type'), '{}');
    -- The rows hold numbers; they must mean here what they meant there.
    reasons := reasons || coalesce((
        select array_agg(format('%s: its tag %s means %s, and here %s', part, tag, coalesce(to_jsonb(said)::text, 'nothing'),
            coalesce(to_jsonb(t.name)::text, 'nothing')) order by tag::bigint)
        from jsonb_each_text(manifest -> 'tags') as used (tag, said)
        left join tags t on t.id = tag::bigint
        where t.name is distinct from said), '{}');
    perform set_config('annals.home', coalesce(home, ''), false);
    perform set_config('annals.reasons', to_jsonb(reasons)::text, false);
end
$$;
