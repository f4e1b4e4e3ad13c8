-- Adds to each partition the ends of its orderings, the time of its newest event, and the projections and
-- readers that have not passed it. Looks at two rows a partition. look.sql comes before this file.
--
-- Reads and sets: annals.partitions. Locks: ACCESS SHARE on each partition, one after the other.
do $$
declare
    it jsonb;
    ends jsonb;
    measured jsonb := '[]';
    waiting jsonb;
    key text;
begin
    for it in select value from jsonb_array_elements(current_setting('annals.partitions')::jsonb) loop
        if it ->> 'is' in ('attached', 'pending') and (it ->> 'divisible')::boolean then
            key := case it ->> 'divided_by' when 'ordering' then 'ordering %1$s' else 'persistence_id %1$s, sequence_number %1$s' end;
            execute format(
                'select jsonb_build_object(''first_ordering'', least(first.ordering, last.ordering),
                    ''last_ordering'', greatest(first.ordering, last.ordering),
                    ''last_write'', substring(coalesce(last.metadata ->> ''t'', last.metadata ->> ''timestamp'') from ''^\d{1,15}$''))
                 from (select ordering from %1$s order by ' || format(key, 'asc') || ' limit 1) as first,
                    (select ordering, metadata from %1$s order by ' || format(key, 'desc') || ' limit 1) as last',
                (it ->> 'oid')::oid::regclass
            ) into ends;
        else
            ends := jsonb_build_object('first_ordering', it -> 'life' -> 'first_ordering',
                'last_ordering', it -> 'life' -> 'last_ordering', 'last_write', it -> 'life' -> 'last_write');
        end if;
        it := it || coalesce(ends, '{}');
        waiting := '{}';
        if it ->> 'is' in ('attached', 'pending') then
            if to_regclass('projection_range') is not null then
                select jsonb_build_object('projections', jsonb_agg(distinct format('%s (version %s)', projection, version)))
                into waiting from projection_range where read_to < (it ->> 'last_ordering')::bigint;
            end if;
            if to_regclass('reader_position') is not null then
                select waiting || jsonb_build_object('readers', jsonb_agg(reader order by reader))
                into waiting from reader_position where read_to < (it ->> 'last_ordering')::bigint;
            end if;
        end if;
        measured := measured || jsonb_build_array(it || jsonb_strip_nulls(waiting));
    end loop;
    perform set_config('annals.partitions', measured::text, false);
end
$$;
