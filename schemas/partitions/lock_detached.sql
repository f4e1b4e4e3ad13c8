-- Holds off everybody who would write to a detached table, until the transaction ends.
--
-- Reads: annals.found. Sets: annals.relation. Locks: SHARE on the table.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
begin
    execute format('lock table only %s in share mode', (it ->> 'oid')::oid::regclass);
    perform set_config('annals.relation', it ->> 'oid', false);
end
$$;
