-- Who still needs a partition: a reason each in annals.reasons, as JSON. It reads the partition once.
-- look.sql comes before this file.
--
-- Sets: annals.reasons, annals.ends. Locks: ACCESS SHARE on the partition.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
    name text := it ->> 'partition';
    marks text := '0';
    kept text := '0';
    seen jsonb;
    reasons text[] := '{}';
    names text[];
begin
    if to_regclass('journal_deletion') is not null then
        marks := '(select deleted_to from journal_deletion d where d.persistence_id = e.persistence_id)';
    end if;
    if to_regclass('journal_metadata') is not null then
        kept := '(select max_sequence_number from journal_metadata m where m.persistence_id = e.persistence_id)';
    end if;
    -- A snapshot or a deletion mark at the last event there is enough to recover without it. And the highest
    -- number of each id must be known without it, so that none is given twice.
    execute format($sql$
        with each as materialized (
            select persistence_id, max(sequence_number) as highest,
                max(sequence_number) filter (where not deleted) as needed, min(sequence_number) as lowest,
                min(ordering) as first, max(ordering) as last
            from %s group by persistence_id
        ), recovering as (
            select persistence_id from each e
            where needed > greatest(%s, (select max(sequence_number) from snapshot s where s.persistence_id = e.persistence_id), 0)
        ), unkept as (
            select persistence_id from each e
            where highest > coalesce(%s, 0)
              and not exists (select from journal j where j.persistence_id = e.persistence_id and j.sequence_number > e.highest)
        )
        select jsonb_build_object(
            'first', (select min(first) from each), 'last', (select max(last) from each),
            'lowest', (select min(lowest) from each), 'highest', (select max(highest) from each),
            'recovering', (select count(*) from recovering),
            'recovering_ids', (select array_agg(persistence_id) from (select persistence_id from recovering order by persistence_id collate "C" limit 10) as few),
            'unkept', (select count(*) from unkept),
            'unkept_ids', (select array_agg(persistence_id) from (select persistence_id from unkept order by persistence_id collate "C" limit 10) as few))
    $sql$, (it ->> 'oid')::oid::regclass, marks, kept) into seen;

    if (seen ->> 'recovering')::bigint > 0 then
        reasons := reasons || format('%s: no snapshot or deletion mark covers the events there of %s persistence ids: %s', name,
            seen ->> 'recovering', (select string_agg(id, ', ') from jsonb_array_elements_text(seen -> 'recovering_ids') as id)
            || case when (seen ->> 'recovering')::bigint > 10 then ', …' else '' end);
    end if;
    if (seen ->> 'unkept')::bigint > 0 then
        reasons := reasons || format('%s: nothing else keeps the highest sequence number of %s persistence ids: %s', name,
            seen ->> 'unkept', (select string_agg(id, ', ') from jsonb_array_elements_text(seen -> 'unkept_ids') as id)
            || case when (seen ->> 'unkept')::bigint > 10 then ', …' else '' end);
    end if;
    if to_regclass('projection_range') is not null then
        -- One that reads a single entity type needs no event of others.
        for names in execute format($sql$
            select array_agg(name order by name) from (
                select distinct format('%%s (version %%s)', r.projection, r.version) as name
                from projection_range r join projection_version v using (projection, version)
                where r.read_to < $1 and (v.entity_type is null or exists (
                    select from %s where ordering > r.read_to and starts_with(persistence_id, v.entity_type || '|')))
            ) as behind
        $sql$, (it ->> 'oid')::oid::regclass) using (seen ->> 'last')::bigint loop
            if names is not null then
                reasons := reasons || format('%s: %s projections have not passed it: %s', name, cardinality(names),
                    array_to_string(names[1:10], ', ') || case when cardinality(names) > 10 then ', …' else '' end);
            end if;
        end loop;
    end if;
    if to_regclass('reader_position') is not null then
        select array_agg(reader order by reader) into names from reader_position where read_to < (seen ->> 'last')::bigint;
        if names is not null then
            reasons := reasons || format('%s: %s readers have not passed it: %s', name, cardinality(names),
                array_to_string(names[1:10], ', ') || case when cardinality(names) > 10 then ', …' else '' end);
        end if;
    end if;
    perform set_config('annals.ends', seen::text, false);
    perform set_config('annals.reasons', to_jsonb(reasons)::text, false);
end
$$;
