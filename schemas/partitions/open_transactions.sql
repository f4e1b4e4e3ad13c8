-- The transactions that have touched a partition and are open: those of the first look, for as long as
-- annals.wait says in milliseconds. Those that came since need not be waited for. look.sql comes before.
--
-- Reads: annals.found, annals.wait. Sets: annals.reasons. Locks: none.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
    until timestamptz := clock_timestamp() + current_setting('annals.wait')::int * interval '1 millisecond';
    noted text[];
    backends text[];
begin
    loop
        -- A vacuum is no reader.
        select array_agg(distinct l.virtualtransaction),
            array_agg(distinct case when l.pid is null then 'a prepared transaction' else 'backend ' || l.pid end)
        into noted, backends
        from pg_catalog.pg_locks l
        where l.locktype = 'relation' and l.relation = (it ->> 'oid')::oid and l.granted
          and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
          and l.pid is distinct from pg_backend_pid() and l.mode <> 'ShareUpdateExclusiveLock'
          and (noted is null or l.virtualtransaction = any (noted));
        exit when noted is null or clock_timestamp() > until;
        perform pg_sleep(0.02);
    end loop;
    perform set_config('annals.reasons', case when noted is null then '[]' else jsonb_build_array(format(
        '%s: %s transactions that touched it are open: %s', it ->> 'partition', cardinality(backends),
        array_to_string(backends[1:10], ', ')))::text end, false);
end
$$;
