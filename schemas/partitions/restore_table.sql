-- The table of an archived partition as it was: columns and indexes of the journal, and its bounds as a
-- check, so that it can be attached without being read. restorable.sql comes before this file, in the same
-- transaction the rows behind it.
--
-- Reads: annals.manifest. Sets: annals.relation. Locks: none that anybody waits for.
do $$
declare
    manifest jsonb := current_setting('annals.manifest')::jsonb;
    name text := manifest ->> 'partition';
    key text := manifest ->> 'divided_by';
    here oid := (select relnamespace from pg_catalog.pg_class where oid = 'journal'::regclass);
    home regnamespace := here;
    index text := name || '_persistence_sequence_idx';
    -- Quotes as the server writes them, in an expression too.
    parent_list text := substring(manifest ->> 'parent_bound' from '^FOR VALUES (IN \(.*\))$');
    bounds text[];
begin
    bounds := array_remove(array[
        case when parent_list is not null then 'persistence_id is not null' end,
        case when (manifest ->> 'persistence_id') is not null then format('persistence_id = %L', manifest ->> 'persistence_id')
            when parent_list is not null then 'persistence_id ' || parent_list end,
        key || ' is not null',
        case when manifest ->> 'low' is not null then format('%I >= %s', key, (manifest ->> 'low')::bigint) end,
        case when manifest ->> 'high' is not null then format('%I < %s', key, (manifest ->> 'high')::bigint) end
    ], null);
    execute format('create table %s.%I (like journal including all, check (%s))', home, name, array_to_string(bounds, ' and '));
    if key = 'ordering' then
        if octet_length(index) > 63 or to_regclass(format('%s.%I', home, index)) is not null then
            execute format('create unique index on %s.%I (persistence_id, sequence_number)', home, name);
        else
            execute format('create unique index %I on %s.%I (persistence_id, sequence_number)', index, home, name);
        end if;
    end if;
    perform set_config('annals.relation', format('%s.%I', home, name)::regclass::oid::text, false);
end
$$;
