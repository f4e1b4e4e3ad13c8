-- A table of this session alone into which a dump is read, to be compared and forgotten.
--
-- Reads: annals.manifest. Sets: annals.relation, annals.columns. Locks: none.
do $$
declare
    columns jsonb := current_setting('annals.manifest')::jsonb -> 'columns';
    definition text;
begin
    select string_agg(format('%I %s', c ->> 'name', to_regtype(c ->> 'type')), ', ' order by place)
    into definition from jsonb_array_elements(columns) with ordinality as t (c, place);
    drop table if exists pg_temp.annals_scratch;
    execute format('create temp table annals_scratch (%s)', definition);
    perform set_config('annals.relation', 'pg_temp.annals_scratch'::regclass::oid::text, false);
end
$$;
